/** One decision's inputs, and the checks that every operation shares. */
#ifndef KMS_QUESTION_H
#define KMS_QUESTION_H

#include "kms/decide.h"
#include "symmetric.h"

struct kms_question {
    const struct kms_context *ctx;
    const struct kms_op_info *info;
    const struct kms_request *req;
    const struct kms_records *recs;
    const struct kms_proposal *prop;
    struct kms_fault *fault;
};

static inline const struct kms_record *kms_q_slot(const struct kms_question *q, enum kms_slot s)
{
    return q->recs->slot[s];
}

/* Faults; each refuses. */
QK_MUST_USE qk_err kms_q_validation(const struct kms_question *q, const char *text);
/** "<what> <value> is not supported by this service." */
QK_MUST_USE qk_err kms_q_unsupported(
    const struct kms_question *q, const char *what, struct qk_bytes value);
/** "<ARN> origin is <origin> which is not valid for this operation." */
QK_MUST_USE qk_err kms_q_wrong_origin(
    const struct kms_question *q, const struct kms_key *key, const char *arn);

/** Whatever takes something from the coordinator takes it only after this. */
QK_MUST_USE qk_err kms_q_need_proposal(const struct kms_question *q);
/** key NULL: resource "*". */
QK_MUST_USE qk_err kms_q_authorize(const struct kms_question *q, const char *action,
    const struct kms_key *key, const char *resource);

/** Is this the record of key id, and does the key exist for callers? */
bool kms_q_key_is_here(
    const struct kms_question *q, const struct kms_record *r, const uint8_t id[static 16]);
/** The key that a caller's text names, from slot s. NotFoundException, AccessDeniedException. */
QK_MUST_USE qk_err kms_q_find_key(const struct kms_question *q, struct qk_bytes name,
    const char *action, enum kms_slot s, const struct kms_record **out,
    char arn[static KMS_ARN_MAX]);
/** The table of kms-api.md section 7. */
QK_MUST_USE qk_err kms_q_check_state(
    const struct kms_question *q, const struct kms_key *key, const char *arn);
/** KMSInvalidStateException when material in use has expired: it is gone. */
QK_MUST_USE qk_err kms_q_check_expiry(
    const struct kms_question *q, const struct kms_key *key, const char *arn);
/** The VERSION record in slot s; KMSInternalException when it is not there. */
QK_MUST_USE qk_err kms_q_take_version(
    const struct kms_question *q, enum kms_slot s, const struct kms_record **out);
/** InvalidKeyUsageException unless the key's usage is this. */
QK_MUST_USE qk_err kms_q_check_usage(
    const struct kms_question *q, const struct kms_key *key, const char *usage, const char *arn);
/** InvalidKeyUsageException unless it is the key's algorithm. */
QK_MUST_USE qk_err kms_q_check_algorithm(
    const struct kms_question *q, const struct kms_keyspec *spec, struct qk_bytes algorithm);
/** The DryRun answer, last of all checks. */
QK_MUST_USE qk_err kms_q_dry_run(const struct kms_question *q);

/* ---- operations, each in a file of its family; *out is zeroed before ---- */

QK_MUST_USE qk_err kms_decide_create_key(const struct kms_question *q, struct kms_decision *out);
/** Encrypt, GenerateDataKey and its kin. */
QK_MUST_USE qk_err kms_decide_encrypt(const struct kms_question *q, struct kms_decision *out);
/** Decrypt, ReEncrypt. */
QK_MUST_USE qk_err kms_decide_decrypt(const struct kms_question *q, struct kms_decision *out);
/** GenerateMac, VerifyMac. */
QK_MUST_USE qk_err kms_decide_mac(const struct kms_question *q, struct kms_decision *out);
QK_MUST_USE qk_err kms_decide_random(const struct kms_question *q, struct kms_decision *out);
/** Rotation and import. */
QK_MUST_USE qk_err kms_decide_material(const struct kms_question *q, struct kms_decision *out);

#endif
