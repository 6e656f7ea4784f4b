#include "question.h"

/* ---- faults ---- */

qk_err kms_q_validation(const struct kms_question *q, const char *text)
{
    return kms_fault_set(q->fault, "ValidationException", "%s", text);
}

qk_err kms_q_unsupported(const struct kms_question *q, const char *what, struct qk_bytes value)
{
    return kms_fault_set(q->fault, "UnsupportedOperationException",
        "%s %.*s is not supported by this service.", what, (int)value.len, (const char *)value.p);
}

qk_err kms_q_wrong_origin(const struct kms_question *q, const struct kms_key *key, const char *arn)
{
    return kms_fault_set(q->fault, "UnsupportedOperationException",
        "%s origin is %s which is not valid for this operation.", arn,
        key->origin == KMS_ORIGIN_EXTERNAL ? "EXTERNAL" : "AWS_KMS");
}

/* ---- shared checks ---- */

qk_err kms_q_need_proposal(const struct kms_question *q)
{
    if (q->prop == NULL) return kms_fault_internal(q->fault, QK_E_STATE);
    if (kms_proposal_check(q->ctx, q->req->op, q->prop) != QK_OK)
        return kms_fault_internal(q->fault, QK_E_MISMATCH);
    return QK_OK;
}

qk_err kms_q_authorize(const struct kms_question *q, const char *action, const struct kms_key *key,
    const char *resource)
{
    const struct kms_policy_question p = {
        .user = &kms_q_slot(q, KMS_SLOT_USER)->user,
        .action = action,
        .key = key,
        .account = q->ctx->account,
    };
    return kms_authorize(&p, resource, q->fault);
}

bool kms_q_key_is_here(
    const struct kms_question *q, const struct kms_record *r, const uint8_t id[static 16])
{
    return r != NULL && memcmp(r->key.key_id, id, sizeof r->key.key_id) == 0 &&
           r->key.state != KMS_STATE_DELETED && qk_bytes_is(r->key.account, q->ctx->account) &&
           qk_bytes_is(r->key.region, q->ctx->region);
}

qk_err kms_q_find_key(const struct kms_question *q, struct qk_bytes name, const char *action,
    enum kms_slot s, const struct kms_record **out, char arn[static KMS_ARN_MAX])
{
    uint8_t id[16];
    bool foreign;
    QK_TRY(kms_key_resolve(
        name, q->info->forms, q->ctx->account, q->ctx->region, id, &foreign, q->fault));
    if (foreign)
        return kms_fault_foreign_key(&kms_q_slot(q, KMS_SLOT_USER)->user, action, q->fault);
    kms_key_arn(q->ctx->region, q->ctx->account, id, arn);
    const struct kms_record *r = kms_q_slot(q, s);
    if (!kms_q_key_is_here(q, r, id))
        return kms_fault_set(q->fault, "NotFoundException", "Key '%s' does not exist", arn);
    *out = r;
    return QK_OK;
}

/* The record of a version that a certified KEY record names is somewhere: not to have it is our
 * trouble, never an answer about what the caller sent. */
qk_err kms_q_take_version(
    const struct kms_question *q, enum kms_slot s, const struct kms_record **out)
{
    *out = kms_q_slot(q, s);
    return *out != NULL ? QK_OK : kms_fault_internal(q->fault, QK_E_CORRUPT);
}

/* By our own clock: the record says so only after some coordinator has reminded the nodes, which it
 * may leave undone. */
qk_err kms_q_check_expiry(const struct kms_question *q, const struct kms_key *key, const char *arn)
{
    struct kms_material m;
    for (uint32_t ver = 1; ver <= key->sym.current && kms_material_get(&key->sym, ver, &m); ver++)
        if (m.valid_to_ms != 0 && m.valid_to_ms <= q->ctx->now_ms)
            return kms_fault_set(
                q->fault, "KMSInvalidStateException", "%s is pending import.", arn);
    return QK_OK;
}

qk_err kms_q_check_usage(
    const struct kms_question *q, const struct kms_key *key, const char *usage, const char *arn)
{
    if (strcmp(key->spec->usage, usage) == 0) return QK_OK;
    return kms_fault_set(q->fault, "InvalidKeyUsageException",
        "%s key usage is %s which is not valid for %s.", arn, key->spec->usage, q->info->name);
}

qk_err kms_q_check_algorithm(
    const struct kms_question *q, const struct kms_keyspec *spec, struct qk_bytes algorithm)
{
    if (qk_bytes_is(algorithm, spec->algorithm)) return QK_OK;
    return kms_fault_set(q->fault, "InvalidKeyUsageException",
        "Algorithm %.*s is incompatible with key spec %s.", (int)algorithm.len,
        (const char *)algorithm.p, spec->name);
}

qk_err kms_q_dry_run(const struct kms_question *q)
{
    if (!q->req->dry_run) return QK_OK;
    return kms_fault_set(q->fault, "DryRunOperationException",
        "The request would have succeeded, but the DryRun option is set.");
}

/* ---- states: kms-api.md section 7, for the states that exist here ---- */

enum verdict { OK, DISABLED, PENDING, NOT_PENDING, IMPORT, ORIGIN };
static const struct state_row {
    enum kms_op op;
    enum verdict enabled, disabled, pending_deletion, pending_import;
} state_table[] = {
    {KMS_OP_ENCRYPT, OK, DISABLED, PENDING, IMPORT},
    {KMS_OP_DECRYPT, OK, DISABLED, PENDING, IMPORT},
    {KMS_OP_RE_ENCRYPT, OK, DISABLED, PENDING, IMPORT},
    {KMS_OP_GENERATE_DATA_KEY, OK, DISABLED, PENDING, IMPORT},
    {KMS_OP_GENERATE_DATA_KEY_WITHOUT_PLAINTEXT, OK, DISABLED, PENDING, IMPORT},
    {KMS_OP_GENERATE_DATA_KEY_PAIR, OK, DISABLED, PENDING, IMPORT},
    {KMS_OP_GENERATE_DATA_KEY_PAIR_WITHOUT_PLAINTEXT, OK, DISABLED, PENDING, IMPORT},
    {KMS_OP_SIGN, OK, DISABLED, PENDING, IMPORT},
    {KMS_OP_VERIFY, OK, DISABLED, PENDING, IMPORT},
    {KMS_OP_GENERATE_MAC, OK, DISABLED, PENDING, IMPORT},
    {KMS_OP_VERIFY_MAC, OK, DISABLED, PENDING, IMPORT},
    {KMS_OP_GET_PUBLIC_KEY, OK, DISABLED, PENDING, IMPORT},
    {KMS_OP_ENABLE_KEY, OK, OK, PENDING, IMPORT},
    {KMS_OP_DISABLE_KEY, OK, OK, PENDING, IMPORT},
    {KMS_OP_ENABLE_KEY_ROTATION, OK, DISABLED, PENDING, ORIGIN},
    {KMS_OP_DISABLE_KEY_ROTATION, OK, DISABLED, PENDING, ORIGIN},
    {KMS_OP_ROTATE_KEY_ON_DEMAND, OK, DISABLED, PENDING, IMPORT},
    {KMS_OP_GET_KEY_ROTATION_STATUS, OK, OK, OK, ORIGIN},
    {KMS_OP_LIST_KEY_ROTATIONS, OK, OK, OK, OK},
    {KMS_OP_SCHEDULE_KEY_DELETION, OK, OK, PENDING, OK},
    {KMS_OP_CANCEL_KEY_DELETION, NOT_PENDING, NOT_PENDING, OK, NOT_PENDING},
    {KMS_OP_GET_PARAMETERS_FOR_IMPORT, OK, OK, PENDING, OK},
    {KMS_OP_IMPORT_KEY_MATERIAL, OK, OK, PENDING, OK},
    {KMS_OP_DELETE_IMPORTED_KEY_MATERIAL, OK, OK, OK, OK},
    {KMS_OP_UPDATE_KEY_DESCRIPTION, OK, OK, PENDING, OK},
    {KMS_OP_DESCRIBE_KEY, OK, OK, OK, OK},
};

static const struct state_row *state_row(enum kms_op op)
{
    for (size_t i = 0; i < QK_COUNT(state_table); i++)
        if (state_table[i].op == op) return &state_table[i];
    return NULL;
}

static enum verdict verdict_of(const struct state_row *row, enum kms_key_state state)
{
    switch (state) {
    case KMS_STATE_ENABLED:
        return row->enabled;
    case KMS_STATE_DISABLED:
        return row->disabled;
    case KMS_STATE_PENDING_IMPORT:
        return row->pending_import;
    case KMS_STATE_PENDING_DELETION:
    case KMS_STATE_DELETED:
        break;
    }
    return row->pending_deletion;
}

static qk_err invalid_state(const struct kms_question *q, const char *arn, const char *what)
{
    return kms_fault_set(q->fault, "KMSInvalidStateException", "%s is %s.", arn, what);
}

qk_err kms_q_check_state(const struct kms_question *q, const struct kms_key *key, const char *arn)
{
    const struct state_row *row = state_row(q->req->op);
    if (row == NULL) return kms_fault_internal(q->fault, QK_E_STATE);
    switch (verdict_of(row, key->state)) {
    case OK:
        return QK_OK;
    case DISABLED:
        return kms_fault_set(q->fault, "DisabledException", "%s is disabled.", arn);
    case PENDING:
        return invalid_state(q, arn, "pending deletion");
    case NOT_PENDING:
        return invalid_state(q, arn, "not pending deletion");
    case IMPORT:
        return invalid_state(q, arn, "pending import");
    case ORIGIN:
        return kms_q_wrong_origin(q, key, arn);
    }
    return kms_fault_internal(q->fault, QK_E_STATE);
}
