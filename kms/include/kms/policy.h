/** Who may do what: the decision of kms-api.md section 11.2.
 *
 *  Two sides are asked. Identity: the user's allow patterns. Resource: the key's policy; the form
 * that exists is the default policy, which delegates to the account and so lets the identity side
 * decide. The interface is that of a full policy language (principal, action, resource, context;
 * allow, explicit deny, implicit deny with a reason), so that one can take its place.
 */
#ifndef KMS_POLICY_H
#define KMS_POLICY_H

#include "kms/record.h"

enum kms_effect { KMS_ALLOW, KMS_DENY_EXPLICIT, KMS_DENY_IMPLICIT };
enum kms_policy_side { KMS_SIDE_IDENTITY, KMS_SIDE_RESOURCE };

struct kms_policy_question {
    const struct kms_user *user; /* the principal */
    const char *action;          /* "kms:Sign" */
    const struct kms_key *key;   /* NULL: the action has no key, resource "*" */
    const char *account;         /* of this deployment */
};

struct kms_policy_answer {
    enum kms_effect effect;
    enum kms_policy_side side; /* which side said no */
};

struct kms_policy_answer kms_policy_decide(const struct kms_policy_question *q);

/** kms_policy_decide, with AccessDeniedException of section 11.3 unless allowed. resource: text for
 * the message, "*" or an ARN. */
QK_MUST_USE qk_err kms_authorize(
    const struct kms_policy_question *q, const char *resource, struct kms_fault *fault);
/** AccessDeniedException of a key that is not of this account or Region. */
QK_MUST_USE qk_err kms_fault_foreign_key(
    const struct kms_user *user, const char *action, struct kms_fault *fault);

/** Pattern match with * and ?, ASCII case-insensitive. Linear space, at most pattern x text steps.
 */
bool kms_pattern_match(struct qk_bytes pattern, struct qk_bytes text);
/** Patterns a user record may hold: "*", or "kms:" (any case) and letters, * and ?. */
bool kms_pattern_valid(struct qk_bytes pattern);

/** The default key policy of an account (section 11.1), appended as compact JSON. */
void kms_policy_default(const char *account, struct qk_buf *out);
/** CreateKey's Policy: QK_OK iff it is JSON equal to the default policy.
 * MalformedPolicyDocumentException if it is no JSON object; LimitExceededException over 32768
 * bytes; UnsupportedOperationException for any other policy. */
QK_MUST_USE qk_err kms_policy_check(
    struct qk_bytes policy, const char *account, struct kms_fault *fault);

#endif
