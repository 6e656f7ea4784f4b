#include "kms/policy.h"

#include <jansson.h>
#include <stdio.h>
#include <strings.h>
#include "kms/validate.h"

static char lower(uint8_t c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

/* Greedy with one point to return to: the last star. */
bool kms_pattern_match(struct qk_bytes pattern, struct qk_bytes text)
{
    size_t p = 0, t = 0, star = SIZE_MAX, mark = 0;
    while (t < text.len) {
        if (p < pattern.len && pattern.p[p] == '*') {
            star = p++;
            mark = t;
        } else if (p < pattern.len &&
                   (pattern.p[p] == '?' || lower(pattern.p[p]) == lower(text.p[t]))) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++mark;
        } else
            return false;
    }
    while (p < pattern.len && pattern.p[p] == '*') p++;
    return p == pattern.len;
}

bool kms_pattern_valid(struct qk_bytes pattern)
{
    if (qk_bytes_is(pattern, "*")) return true;
    if (pattern.len <= 4 || pattern.len > KMS_ALLOW_TEXT_MAX) return false;
    if (strncasecmp((const char *)pattern.p, "kms:", 4) != 0) return false;
    for (size_t i = 4; i < pattern.len; i++) {
        char c = lower(pattern.p[i]);
        if (!(c >= 'a' && c <= 'z') && c != '*' && c != '?') return false;
    }
    return true;
}

void kms_policy_default(const char *account, struct qk_buf *out)
{
    qk_buf_printf(out,
        "{\"Version\":\"2012-10-17\",\"Id\":\"key-default-1\",\"Statement\":[{\"Sid\":\"Enable IAM "
        "User Permissions\",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::%s:root\"},"
        "\"Action\":\"kms:*\",\"Resource\":\"*\"}]}",
        account);
}

static qk_err is_default(struct qk_bytes policy, const char *account, bool *yes)
{
    QK_AUTO_BUF text = QK_BUF(1024);
    kms_policy_default(account, &text);
    QK_TRY(text.err);
    if (qk_bytes_eq(policy, qk_buf_view(&text))) {
        *yes = true;
        return QK_OK;
    }
    struct kms_fault ignored;
    json_t *given = NULL, *want = NULL;
    qk_err err = kms_json_parse(policy, &given, &ignored);
    if (err == QK_OK) err = kms_json_parse(qk_buf_view(&text), &want, &ignored);
    if (err == QK_OK) *yes = json_equal(given, want) != 0;
    json_decref(given);
    json_decref(want);
    return err;
}

/* The resource side. Only the default policy is ever stored; any other text delegates nothing. */
static bool delegates(const struct kms_key *key, const char *account)
{
    bool yes = false;
    return is_default(key->policy, account, &yes) == QK_OK && yes;
}

static bool identity_allows(const struct kms_user *user, const char *action)
{
    for (size_t i = 0; i < user->n_allow && i < KMS_ALLOW_MAX; i++)
        if (kms_pattern_match(user->allow[i], qk_str(action))) return true;
    return false;
}

struct kms_policy_answer kms_policy_decide(const struct kms_policy_question *q)
{
    if (!qk_bytes_is(q->user->account, q->account))
        return (struct kms_policy_answer){KMS_DENY_IMPLICIT, KMS_SIDE_RESOURCE};
    if (q->key != NULL && !delegates(q->key, q->account))
        return (struct kms_policy_answer){KMS_DENY_IMPLICIT, KMS_SIDE_RESOURCE};
    if (!identity_allows(q->user, q->action))
        return (struct kms_policy_answer){KMS_DENY_IMPLICIT, KMS_SIDE_IDENTITY};
    return (struct kms_policy_answer){KMS_ALLOW, KMS_SIDE_IDENTITY};
}

static void principal_arn(const struct kms_user *user, char out[static KMS_ARN_MAX])
{
    char account[KMS_ACCOUNT_LEN + 1];
    snprintf(account, sizeof account, "%.12s", (const char *)user->account.p);
    kms_user_arn(account, user->name, out);
}

qk_err kms_authorize(
    const struct kms_policy_question *q, const char *resource, struct kms_fault *fault)
{
    char arn[KMS_ARN_MAX];
    struct kms_policy_answer a = kms_policy_decide(q);
    if (a.effect == KMS_ALLOW) return QK_OK;
    principal_arn(q->user, arn);
    const char *side = a.side == KMS_SIDE_IDENTITY ? "identity" : "resource";
    if (a.effect == KMS_DENY_EXPLICIT)
        return kms_fault_set(fault, "AccessDeniedException",
            "User: %s is not authorized to perform: %s on resource: %s with an explicit deny in %s "
            "%s-based policy",
            arn, q->action, resource, a.side == KMS_SIDE_IDENTITY ? "an" : "a", side);
    return kms_fault_set(fault, "AccessDeniedException",
        "User: %s is not authorized to perform: %s on resource: %s because no %s-based policy "
        "allows "
        "the %s action",
        arn, q->action, resource, side, q->action);
}

qk_err kms_fault_foreign_key(
    const struct kms_user *user, const char *action, struct kms_fault *fault)
{
    char arn[KMS_ARN_MAX];
    principal_arn(user, arn);
    return kms_fault_set(fault, "AccessDeniedException",
        "User: %s is not authorized to perform: %s on this resource because the resource does not "
        "exist in this Region, no resource-based policies allow access, or a resource-based policy "
        "explicitly denies access",
        arn, action);
}

qk_err kms_policy_check(struct qk_bytes policy, const char *account, struct kms_fault *fault)
{
    bool yes = false;
    if (policy.len > KMS_POLICY_MAX)
        return kms_fault_set(fault, "LimitExceededException",
            "The policy exceeds the limit of %d bytes.", KMS_POLICY_MAX);
    qk_err err = is_default(policy, account, &yes);
    if (err >= 500) return kms_fault_internal(fault, err);
    if (err != QK_OK)
        return kms_fault_set(
            fault, "MalformedPolicyDocumentException", "The policy is not a JSON object.");
    if (!yes)
        return kms_fault_set(fault, "UnsupportedOperationException",
            "This service accepts only the default key policy, which delegates to the account.");
    return QK_OK;
}
