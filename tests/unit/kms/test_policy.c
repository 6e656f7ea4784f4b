#include "qktest/qktest.h"

#include "kms/policy.h"
#include "kmskit.h"

QK_TEST(policy, patterns)
{
    static const struct {
        const char *pattern, *text;
        bool want;
    } cases[] = {
        {"kms:Sign", "kms:Sign", true},
        {"KMS:sign", "kms:Sign", true},
        {"kms:Sign", "kms:SignX", false},
        {"kms:*", "kms:Sign", true},
        {"*", "", true},
        {"*", "kms:Sign", true},
        {"kms:S?gn", "kms:Sign", true},
        {"kms:?", "kms:Sign", false},
        {"kms:*Key*", "kms:ScheduleKeyDeletion", true},
        {"kms:*Key", "kms:ScheduleKeyDeletion", false},
        {"a*b*c", "axbxbxc", true},
        {"", "x", false},
        {"", "", true},
    };
    for (size_t i = 0; i < QK_COUNT(cases); i++)
        cr_expect_eq(kms_pattern_match(qk_str(cases[i].pattern), qk_str(cases[i].text)),
            cases[i].want, "%s %s", cases[i].pattern, cases[i].text);
}

QK_TEST(policy, patterns_of_users_name_kms_actions)
{
    static const char *const good[] = {"*", "kms:*", "KMS:Sign", "kms:Desc?ibe*"};
    static const char *const bad[] = {
        "", "kms:", "qkms:*", "s3:Get*", "kms:a b", "k*", "kms:Sign1"};
    for (size_t i = 0; i < QK_COUNT(good); i++)
        cr_expect(kms_pattern_valid(qk_str(good[i])), "%s", good[i]);
    for (size_t i = 0; i < QK_COUNT(bad); i++)
        cr_expect_not(kms_pattern_valid(qk_str(bad[i])), "%s", bad[i]);
}

static struct kms_policy_question question(
    const struct kms_user *u, const struct kms_key *k, const char *action)
{
    return (struct kms_policy_question){u, action, k, KIT_ACCOUNT};
}

QK_TEST(policy, both_sides_must_agree)
{
    struct kit_world w;
    struct kms_ref ref;
    kit_world_init(&w);
    qk_assert_ok(kms_ref_user(KIT_ACCOUNT, qk_str("bob"), &ref));
    struct kms_user bob = kit_find(&w, &ref)->user;
    struct kms_key key = kit_key(&w)->key;
    struct kms_policy_question q = question(&bob, &key, "kms:Sign");
    cr_assert_eq(kms_policy_decide(&q).effect, KMS_ALLOW);

    q.action = "kms:ScheduleKeyDeletion";
    cr_assert_eq(kms_policy_decide(&q).effect, KMS_DENY_IMPLICIT);
    cr_assert_eq(kms_policy_decide(&q).side, KMS_SIDE_IDENTITY);

    q.action = "kms:Sign";
    key.policy = qk_str("{\"Version\":\"2012-10-17\",\"Statement\":[]}");
    cr_assert_eq(kms_policy_decide(&q).effect, KMS_DENY_IMPLICIT, "no delegation to the account");
    cr_assert_eq(kms_policy_decide(&q).side, KMS_SIDE_RESOURCE);

    key = kit_key(&w)->key;
    bob.account = qk_str("999999999999");
    cr_assert_eq(kms_policy_decide(&q).effect, KMS_DENY_IMPLICIT, "another account");
    kit_world_free(&w);
}

QK_TEST(policy, denials_say_who_what_and_why)
{
    struct kit_world w;
    struct kms_ref ref;
    struct kms_fault f;
    kit_world_init(&w);
    qk_assert_ok(kms_ref_user(KIT_ACCOUNT, qk_str("bob"), &ref));
    const struct kms_user *bob = &kit_find(&w, &ref)->user;
    struct kms_policy_question q = question(bob, NULL, "kms:CreateKey");
    qk_assert_err(kms_authorize(&q, "*", &f), QK_E_DENIED);
    cr_assert_str_eq(f.type, "AccessDeniedException");
    cr_assert_str_eq(f.message,
        "User: arn:aws:iam::123456789012:user/bob is not authorized to perform: kms:CreateKey on "
        "resource: * because no identity-based policy allows the kms:CreateKey action");
    qk_assert_err(kms_fault_foreign_key(bob, "kms:Sign", &f), QK_E_DENIED);
    cr_assert_str_eq(f.message,
        "User: arn:aws:iam::123456789012:user/bob is not authorized to perform: kms:Sign on this "
        "resource because the resource does not exist in this Region, no resource-based policies "
        "allow access, or a resource-based policy explicitly denies access");
    kit_world_free(&w);
}

QK_TEST(policy, create_key_takes_only_the_default_policy)
{
    struct kms_fault f;
    QK_AUTO_BUF own = QK_BUF(1024);
    QK_AUTO_BUF other = QK_BUF(1024);
    kms_policy_default(KIT_ACCOUNT, &own);
    qk_assert_ok(kms_policy_check(qk_buf_view(&own), KIT_ACCOUNT, &f));
    qk_assert_ok(kms_policy_check(
        qk_str(
            "{ \"Id\": \"key-default-1\", \"Version\": \"2012-10-17\", \"Statement\": [ "
            "{\"Effect\": "
            "\"Allow\", \"Sid\": \"Enable IAM User Permissions\", \"Resource\": \"*\", \"Action\": "
            "\"kms:*\", \"Principal\": {\"AWS\": \"arn:aws:iam::123456789012:root\"}}]}"),
        KIT_ACCOUNT, &f));
    kms_policy_default("999999999999", &other);
    qk_assert_err(kms_policy_check(qk_buf_view(&other), KIT_ACCOUNT, &f), QK_E_DENIED);
    cr_assert_str_eq(f.type, "UnsupportedOperationException");
    qk_assert_err(kms_policy_check(qk_str("{}"), KIT_ACCOUNT, &f), QK_E_DENIED);
    cr_assert_str_eq(f.type, "UnsupportedOperationException");
    qk_assert_err(kms_policy_check(qk_str("nonsense"), KIT_ACCOUNT, &f), QK_E_DENIED);
    cr_assert_str_eq(f.type, "MalformedPolicyDocumentException");
    static char big[KMS_POLICY_MAX + 1];
    memset(big, ' ', sizeof big);
    qk_assert_err(kms_policy_check(qk_bytes(big, sizeof big), KIT_ACCOUNT, &f), QK_E_DENIED);
    cr_assert_str_eq(f.type, "LimitExceededException");
}
