/* GenerateMac, VerifyMac. */
#include "question.h"

#define USAGE "GENERATE_VERIFY_MAC"

/* A MAC of another length is no MAC of this key, whatever its bytes are. Said without asking
 * anybody to compute one; not before the DryRun answer, which says nothing about the MAC. */
static qk_err check_length(const struct kms_question *q, const struct kms_keyspec *spec)
{
    bool wrong = q->req->op == KMS_OP_VERIFY_MAC && q->req->mac.len != spec->digest_len;
    return wrong ? kms_fault_bad_mac(q->fault) : QK_OK;
}

qk_err kms_decide_mac(const struct kms_question *q, struct kms_decision *out)
{
    char arn[KMS_ARN_MAX];
    QK_TRY(kms_q_find_key(q, q->req->key_id, q->info->action, KMS_SLOT_KEY, &out->key, arn));
    const struct kms_key *key = &out->key->key;
    QK_TRY(kms_q_authorize(q, q->info->action, key, arn));
    QK_TRY(kms_q_check_state(q, key, arn));
    QK_TRY(kms_q_check_expiry(q, key, arn));
    QK_TRY(kms_q_check_usage(q, key, USAGE, arn));
    QK_TRY(kms_q_check_algorithm(q, key->spec, q->req->algorithm));
    QK_TRY(kms_q_take_version(q, KMS_SLOT_VERSION, &out->version_record));
    QK_TRY(kms_q_dry_run(q));
    QK_TRY(check_length(q, key->spec));
    out->kind = q->req->op == KMS_OP_GENERATE_MAC ? KMS_DO_GENERATE_MAC : KMS_DO_VERIFY_MAC;
    out->spec = key->spec;
    out->modes = key->sym.modes;
    out->ver = key->sym.current;
    return QK_OK;
}
