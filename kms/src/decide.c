/* The decision: which operation is asked, and the families that have no file of their own. */
#include "question.h"

/* ---- operations on a key ---- */

/* Algorithm and size, and the digest: hashed here, never taken from the coordinator. */
static qk_err check_message(
    const struct kms_question *q, const struct kms_keyspec *spec, struct kms_decision *out)
{
    const struct kms_request *req = q->req;
    QK_TRY(kms_q_check_algorithm(q, spec, req->algorithm));
    if (req->message_type == KMS_MESSAGE_EXTERNAL_MU)
        return kms_fault_set(q->fault, "ValidationException",
            "MessageType EXTERNAL_MU is not valid for algorithm %s.", spec->algorithm);
    if (req->message_type == KMS_MESSAGE_RAW) {
        qk_err err = kms_hash(spec->hash, req->message, out->digest, &out->digest_len);
        return err == QK_OK ? QK_OK : kms_fault_internal(q->fault, err);
    }
    if (req->message.len != spec->digest_len)
        return kms_fault_set(q->fault, "ValidationException",
            "Digest is invalid length for algorithm %s.", spec->algorithm);
    memcpy(out->digest, req->message.p, spec->digest_len);
    out->digest_len = spec->digest_len;
    return QK_OK;
}

static qk_err decide_use(const struct kms_question *q, const char *arn, struct kms_decision *out)
{
    QK_TRY(kms_q_check_usage(q, &out->key->key, "SIGN_VERIFY", arn));
    QK_TRY(check_message(q, out->spec, out));
    QK_TRY(kms_q_dry_run(q));
    out->kind = q->req->op == KMS_OP_SIGN ? KMS_DO_SIGN : KMS_DO_VERIFY;
    return QK_OK;
}

static bool changes_nothing(const struct kms_request *req, const struct kms_key *key)
{
    switch (req->op) {
    case KMS_OP_ENABLE_KEY:
        return key->state == KMS_STATE_ENABLED;
    case KMS_OP_DISABLE_KEY:
        return key->state == KMS_STATE_DISABLED;
    case KMS_OP_UPDATE_KEY_DESCRIPTION:
        return qk_bytes_eq(key->description, req->description);
    default:
        return false;
    }
}

static qk_err decide_change(const struct kms_question *q, struct kms_decision *out)
{
    const struct kms_request *req = q->req;
    if (req->op == KMS_OP_SCHEDULE_KEY_DELETION &&
        (req->pending_days < 7 || req->pending_days > 30))
        return kms_q_validation(q, "PendingWindowInDays must be between 7 and 30 days.");
    if (changes_nothing(req, &out->key->key)) {
        out->kind = KMS_DO_READ;
        return QK_OK;
    }
    QK_TRY(kms_q_need_proposal(q));
    out->kind = KMS_DO_CHANGE;
    return QK_OK;
}

static qk_err decide_on_key(const struct kms_question *q, struct kms_decision *out)
{
    char arn[KMS_ARN_MAX];
    QK_TRY(kms_q_find_key(q, q->req->key_id, q->info->action, KMS_SLOT_KEY, &out->key, arn));
    QK_TRY(kms_q_authorize(q, q->info->action, &out->key->key, arn));
    QK_TRY(kms_q_check_state(q, &out->key->key, arn));
    out->spec = out->key->key.spec;
    switch (q->req->op) {
    case KMS_OP_SIGN:
    case KMS_OP_VERIFY:
        return decide_use(q, arn, out);
    case KMS_OP_GET_PUBLIC_KEY:
        if (kms_keyspec_has_versions(out->spec))
            return kms_fault_bare(q->fault, "UnsupportedOperationException");
        out->kind = KMS_DO_READ;
        return QK_OK;
    case KMS_OP_DESCRIBE_KEY:
        out->kind = KMS_DO_READ;
        return QK_OK;
    default:
        return decide_change(q, out);
    }
}

/* ---- administration ---- */

static qk_err already_exists(const struct kms_question *q, struct qk_bytes name)
{
    return kms_fault_set(q->fault, "AlreadyExistsException",
        "A user with the name %.*s already exists", (int)name.len, (const char *)name.p);
}

static qk_err decide_initialize(
    const struct kms_question *q, bool by_operator, struct kms_decision *out)
{
    if (!by_operator)
        return kms_fault_set(q->fault, "AccessDeniedException",
            "Initialize requires the signature of an operator of this cluster.");
    for (size_t i = 0; i < KMS_SLOT_COUNT; i++)
        if (q->recs->slot[i] != NULL)
            return kms_fault_set(
                q->fault, "AlreadyExistsException", "This cluster is already initialized.");
    QK_TRY(kms_q_need_proposal(q));
    out->kind = KMS_DO_INITIALIZE;
    return QK_OK;
}

static qk_err decide_create_user(const struct kms_question *q, struct kms_decision *out)
{
    if (kms_q_slot(q, KMS_SLOT_TARGET_USER) != NULL) return already_exists(q, q->req->user_name);
    QK_TRY(kms_q_need_proposal(q));
    out->kind = KMS_DO_CHANGE;
    return QK_OK;
}

static qk_err target_user_exists(const struct kms_question *q)
{
    const struct kms_record *u = kms_q_slot(q, KMS_SLOT_TARGET_USER);
    struct qk_bytes name = q->req->user_name;
    if (u != NULL && qk_bytes_is(u->user.account, q->ctx->account)) return QK_OK;
    return kms_fault_set(q->fault, "NotFoundException", "User '%.*s' does not exist", (int)name.len,
        (const char *)name.p);
}

static qk_err decide_create_access_key(const struct kms_question *q, struct kms_decision *out)
{
    QK_TRY(target_user_exists(q));
    if (kms_q_slot(q, KMS_SLOT_SYSTEM) == NULL) return kms_fault_internal(q->fault, QK_E_CORRUPT);
    QK_TRY(kms_q_need_proposal(q));
    if (kms_q_slot(q, KMS_SLOT_TARGET_CREDENTIAL) != NULL)
        return kms_fault_internal(q->fault, QK_E_CONFLICT);
    out->kind = KMS_DO_ACCESS_KEY;
    return QK_OK;
}

static qk_err decide_update_access_key(const struct kms_question *q, struct kms_decision *out)
{
    const struct kms_record *c = kms_q_slot(q, KMS_SLOT_TARGET_CREDENTIAL);
    struct qk_bytes id = q->req->access_key_id;
    if (c == NULL || !qk_bytes_is(c->credential.account, q->ctx->account))
        return kms_fault_set(q->fault, "NotFoundException", "Access key '%.*s' does not exist",
            (int)id.len, (const char *)id.p);
    out->kind = KMS_DO_READ;
    if (c->credential.active == q->req->active) return QK_OK;
    QK_TRY(kms_q_need_proposal(q));
    out->kind = KMS_DO_CHANGE;
    return QK_OK;
}

static qk_err decide_admin(const struct kms_question *q, struct kms_decision *out)
{
    const struct kms_user *user = &kms_q_slot(q, KMS_SLOT_USER)->user;
    if (!user->admin) {
        char arn[KMS_ARN_MAX];
        kms_user_arn(q->ctx->account, user->name, arn);
        return kms_fault_set(q->fault, "AccessDeniedException",
            "User: %s is not authorized to perform: %s on resource: * because no identity-based "
            "policy allows the %s action",
            arn, q->info->action, q->info->action);
    }
    switch (q->req->op) {
    case KMS_OP_CREATE_USER:
        return decide_create_user(q, out);
    case KMS_OP_CREATE_ACCESS_KEY:
        return decide_create_access_key(q, out);
    case KMS_OP_UPDATE_ACCESS_KEY:
        return decide_update_access_key(q, out);
    case KMS_OP_LIST_ACCESS_KEYS:
        if (q->req->user_name.len > 0) QK_TRY(target_user_exists(q));
        out->kind = KMS_DO_READ;
        return QK_OK;
    case KMS_OP_LIST_USERS:
    case KMS_OP_GET_STATUS:
        out->kind = KMS_DO_READ;
        return QK_OK;
    default:
        return kms_fault_internal(q->fault, QK_E_STATE);
    }
}

/* ---- all together ---- */

static qk_err decide(const struct kms_question *q, bool by_operator, struct kms_decision *out)
{
    if (q->req->op == KMS_OP_INITIALIZE) return decide_initialize(q, by_operator, out);
    if (by_operator)
        return kms_fault_set(q->fault, "AccessDeniedException",
            "An operator's signature authorizes QkmsAdmin.Initialize only.");
    if (kms_q_slot(q, KMS_SLOT_USER) == NULL || kms_q_slot(q, KMS_SLOT_ACCOUNT) == NULL)
        return kms_fault_unknown_client(q->fault);
    if (q->info->admin) return decide_admin(q, out);
    if (!q->info->served)
        return kms_fault_set(q->fault, "UnsupportedOperationException",
            "Operation %s is not supported by this service.", q->info->name);
    enum kms_op op = q->req->op;
    if (op == KMS_OP_CREATE_KEY) return kms_decide_create_key(q, out);
    if (kms_op_encrypts(op)) return kms_decide_encrypt(q, out);
    if (kms_op_opens(op)) return kms_decide_decrypt(q, out);
    if (kms_op_macs(op)) return kms_decide_mac(q, out);
    if (kms_op_on_material(op)) return kms_decide_material(q, out);
    if (op == KMS_OP_GENERATE_RANDOM) return kms_decide_random(q, out);
    if (q->info->on_key) return decide_on_key(q, out);
    if (op == KMS_OP_LIST_KEYS) QK_TRY(kms_q_authorize(q, q->info->action, NULL, "*"));
    out->kind = KMS_DO_READ; /* ListKeys, GetCallerIdentity */
    return QK_OK;
}

qk_err kms_decide(const struct kms_context *ctx, bool by_operator, const struct kms_request *req,
    const struct kms_records *recs, const struct kms_proposal *prop, struct kms_decision *out,
    struct kms_fault *fault)
{
    if ((unsigned)req->op >= KMS_OP_COUNT) return kms_fault_internal(fault, QK_E_STATE);
    const struct kms_question q = {ctx, kms_op_info(req->op), req, recs, prop, fault};
    struct kms_decision d = {0};
    QK_TRY(decide(&q, by_operator, &d));
    *out = d;
    return QK_OK;
}
