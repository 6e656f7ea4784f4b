#include "kms/decide.h"

/* What one decision reads; the steps below take it as a whole. */
struct question {
    const struct kms_context *ctx;
    const struct kms_op_info *info;
    const struct kms_request *req;
    const struct kms_records *recs;
    const struct kms_proposal *prop;
    struct kms_fault *fault;
};

static const struct kms_record *slot(const struct question *q, enum kms_slot s)
{
    return q->recs->slot[s];
}

/* Whatever takes something from the coordinator takes it only after this. */
static qk_err need_proposal(const struct question *q)
{
    if (q->prop == NULL) return kms_fault_internal(q->fault, QK_E_STATE);
    if (kms_proposal_check(q->ctx, q->req->op, q->prop) != QK_OK)
        return kms_fault_internal(q->fault, QK_E_MISMATCH);
    return QK_OK;
}

static qk_err validation(const struct question *q, const char *text)
{
    return kms_fault_set(q->fault, "ValidationException", "%s", text);
}

static qk_err unsupported(const struct question *q, const char *what, struct qk_bytes value)
{
    return kms_fault_set(q->fault, "UnsupportedOperationException",
        "%s %.*s is not supported by this service.", what, (int)value.len, (const char *)value.p);
}

static qk_err authorize(const struct question *q, const struct kms_key *key, const char *resource)
{
    const struct kms_policy_question p = {
        .user = &slot(q, KMS_SLOT_USER)->user,
        .action = q->info->action,
        .key = key,
        .account = q->ctx->account,
    };
    return kms_authorize(&p, resource, q->fault);
}

/* ---- operations on a key ---- */

static qk_err find_key(
    const struct question *q, const struct kms_record **out, char arn[static KMS_ARN_MAX])
{
    uint8_t id[16];
    bool foreign;
    QK_TRY(kms_key_resolve(
        q->req->key_id, q->info->forms, q->ctx->account, q->ctx->region, id, &foreign, q->fault));
    if (foreign)
        return kms_fault_foreign_key(&slot(q, KMS_SLOT_USER)->user, q->info->action, q->fault);
    kms_key_arn(q->ctx->region, q->ctx->account, id, arn);
    const struct kms_record *r = slot(q, KMS_SLOT_KEY);
    bool here = r != NULL && memcmp(r->key.key_id, id, sizeof id) == 0 &&
                r->key.state != KMS_STATE_DELETED && qk_bytes_is(r->key.account, q->ctx->account) &&
                qk_bytes_is(r->key.region, q->ctx->region);
    if (!here) return kms_fault_set(q->fault, "NotFoundException", "Key '%s' does not exist", arn);
    *out = r;
    return QK_OK;
}

/* The table of kms-api.md section 7, for the states that exist here. */
enum verdict { OK, DISABLED, PENDING, NOT_PENDING };
static const struct state_row {
    enum kms_op op;
    enum verdict enabled, disabled, pending;
} state_table[] = {
    {KMS_OP_SIGN, OK, DISABLED, PENDING},
    {KMS_OP_VERIFY, OK, DISABLED, PENDING},
    {KMS_OP_GET_PUBLIC_KEY, OK, DISABLED, PENDING},
    {KMS_OP_ENABLE_KEY, OK, OK, PENDING},
    {KMS_OP_DISABLE_KEY, OK, OK, PENDING},
    {KMS_OP_SCHEDULE_KEY_DELETION, OK, OK, PENDING},
    {KMS_OP_CANCEL_KEY_DELETION, NOT_PENDING, NOT_PENDING, OK},
    {KMS_OP_UPDATE_KEY_DESCRIPTION, OK, OK, PENDING},
    {KMS_OP_DESCRIBE_KEY, OK, OK, OK},
};

static const struct state_row *state_row(enum kms_op op)
{
    for (size_t i = 0; i < QK_COUNT(state_table); i++)
        if (state_table[i].op == op) return &state_table[i];
    return NULL;
}

static qk_err check_state(const struct question *q, const struct kms_key *key, const char *arn)
{
    const struct state_row *row = state_row(q->req->op);
    if (row == NULL) return kms_fault_internal(q->fault, QK_E_STATE);
    enum verdict v = key->state == KMS_STATE_ENABLED    ? row->enabled
                     : key->state == KMS_STATE_DISABLED ? row->disabled
                                                        : row->pending;
    switch (v) {
    case OK:
        return QK_OK;
    case DISABLED:
        return kms_fault_set(q->fault, "DisabledException", "%s is disabled.", arn);
    case PENDING:
        return kms_fault_set(q->fault, "KMSInvalidStateException", "%s is pending deletion.", arn);
    case NOT_PENDING:
        return kms_fault_set(
            q->fault, "KMSInvalidStateException", "%s is not pending deletion.", arn);
    }
    return kms_fault_internal(q->fault, QK_E_STATE);
}

/* Algorithm and size, and the digest: hashed here, never taken from the coordinator. */
static qk_err check_message(
    const struct question *q, const struct kms_keyspec *spec, struct kms_decision *out)
{
    const struct kms_request *req = q->req;
    if (!qk_bytes_is(req->algorithm, spec->algorithm))
        return kms_fault_set(q->fault, "InvalidKeyUsageException",
            "Algorithm %.*s is incompatible with key spec %s.", (int)req->algorithm.len,
            (const char *)req->algorithm.p, spec->name);
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

static qk_err decide_use(const struct question *q, struct kms_decision *out)
{
    QK_TRY(check_message(q, out->spec, out));
    if (q->req->dry_run)
        return kms_fault_set(q->fault, "DryRunOperationException",
            "The request would have succeeded, but the DryRun option is set.");
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

static qk_err decide_change(const struct question *q, struct kms_decision *out)
{
    const struct kms_request *req = q->req;
    if (req->op == KMS_OP_SCHEDULE_KEY_DELETION &&
        (req->pending_days < 7 || req->pending_days > 30))
        return validation(q, "PendingWindowInDays must be between 7 and 30 days.");
    if (changes_nothing(req, &out->key->key)) {
        out->kind = KMS_DO_READ;
        return QK_OK;
    }
    QK_TRY(need_proposal(q));
    out->kind = KMS_DO_CHANGE;
    return QK_OK;
}

static qk_err decide_on_key(const struct question *q, struct kms_decision *out)
{
    char arn[KMS_ARN_MAX];
    QK_TRY(find_key(q, &out->key, arn));
    QK_TRY(authorize(q, &out->key->key, arn));
    QK_TRY(check_state(q, &out->key->key, arn));
    out->spec = out->key->key.spec;
    switch (q->req->op) {
    case KMS_OP_SIGN:
    case KMS_OP_VERIFY:
        return decide_use(q, out);
    case KMS_OP_DESCRIBE_KEY:
    case KMS_OP_GET_PUBLIC_KEY:
        out->kind = KMS_DO_READ;
        return QK_OK;
    default:
        return decide_change(q, out);
    }
}

/* ---- CreateKey ---- */

static qk_err check_usage(const struct question *q, const struct kms_keyspec *spec)
{
    const struct kms_request *req = q->req;
    if (req->usage.p == NULL)
        return validation(q, "You must specify a KeyUsage value for all KMS keys except for "
                             "symmetric encryption keys.");
    if (qk_bytes_is(req->usage, spec->usage)) return QK_OK;
    bool agreement =
        qk_bytes_is(req->usage, "KEY_AGREEMENT") && spec->id != KMS_SPEC_ECC_SECG_P256K1;
    if (agreement) return unsupported(q, "KeyUsage", req->usage);
    return kms_fault_set(q->fault, "ValidationException",
        "KeyUsage %.*s is not compatible with KeySpec %s", (int)req->usage.len,
        (const char *)req->usage.p, spec->name);
}

static qk_err check_options(const struct question *q)
{
    const struct kms_request *req = q->req;
    if (req->custom_store)
        return kms_fault_set(q->fault, "CustomKeyStoreNotFoundException",
            "The custom key store does not exist: this service has none.");
    if (!qk_bytes_is(req->origin, "AWS_KMS")) return unsupported(q, "Origin", req->origin);
    if (req->multi_region) return unsupported(q, "MultiRegion", qk_str("true"));
    if (req->n_tags > 0) return unsupported(q, "A key with", qk_str("Tags"));
    if (req->policy.p != NULL) QK_TRY(kms_policy_check(req->policy, q->ctx->account, q->fault));
    return QK_OK;
}

static qk_err decide_create_key(const struct question *q, struct kms_decision *out)
{
    const struct kms_request *req = q->req;
    QK_TRY(authorize(q, NULL, "*"));
    if (req->both_specs)
        return validation(q,
            "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. "
            "CustomerMasterKeySpec is deprecated.");
    const struct kms_keyspec *spec = kms_keyspec_by_name(req->spec_name);
    if (spec == NULL) return unsupported(q, "KeySpec", req->spec_name);
    QK_TRY(check_usage(q, spec));
    QK_TRY(check_options(q));
    QK_TRY(need_proposal(q));
    if (slot(q, KMS_SLOT_KEY) != NULL) return kms_fault_internal(q->fault, QK_E_CONFLICT);
    out->kind = KMS_DO_CREATE_KEY;
    out->spec = spec;
    return QK_OK;
}

/* ---- administration ---- */

static qk_err already_exists(const struct question *q, struct qk_bytes name)
{
    return kms_fault_set(q->fault, "AlreadyExistsException",
        "A user with the name %.*s already exists", (int)name.len, (const char *)name.p);
}

static qk_err decide_initialize(
    const struct question *q, bool by_operator, struct kms_decision *out)
{
    if (!by_operator)
        return kms_fault_set(q->fault, "AccessDeniedException",
            "Initialize requires the signature of an operator of this cluster.");
    for (size_t i = 0; i < KMS_SLOT_COUNT; i++)
        if (q->recs->slot[i] != NULL)
            return kms_fault_set(
                q->fault, "AlreadyExistsException", "This cluster is already initialized.");
    QK_TRY(need_proposal(q));
    out->kind = KMS_DO_INITIALIZE;
    return QK_OK;
}

static qk_err decide_create_user(const struct question *q, struct kms_decision *out)
{
    if (slot(q, KMS_SLOT_TARGET_USER) != NULL) return already_exists(q, q->req->user_name);
    QK_TRY(need_proposal(q));
    out->kind = KMS_DO_CHANGE;
    return QK_OK;
}

static qk_err target_user_exists(const struct question *q)
{
    const struct kms_record *u = slot(q, KMS_SLOT_TARGET_USER);
    struct qk_bytes name = q->req->user_name;
    if (u != NULL && qk_bytes_is(u->user.account, q->ctx->account)) return QK_OK;
    return kms_fault_set(q->fault, "NotFoundException", "User '%.*s' does not exist", (int)name.len,
        (const char *)name.p);
}

static qk_err decide_create_access_key(const struct question *q, struct kms_decision *out)
{
    QK_TRY(target_user_exists(q));
    if (slot(q, KMS_SLOT_SYSTEM) == NULL) return kms_fault_internal(q->fault, QK_E_CORRUPT);
    QK_TRY(need_proposal(q));
    if (slot(q, KMS_SLOT_TARGET_CREDENTIAL) != NULL)
        return kms_fault_internal(q->fault, QK_E_CONFLICT);
    out->kind = KMS_DO_ACCESS_KEY;
    return QK_OK;
}

static qk_err decide_update_access_key(const struct question *q, struct kms_decision *out)
{
    const struct kms_record *c = slot(q, KMS_SLOT_TARGET_CREDENTIAL);
    struct qk_bytes id = q->req->access_key_id;
    if (c == NULL || !qk_bytes_is(c->credential.account, q->ctx->account))
        return kms_fault_set(q->fault, "NotFoundException", "Access key '%.*s' does not exist",
            (int)id.len, (const char *)id.p);
    out->kind = KMS_DO_READ;
    if (c->credential.active == q->req->active) return QK_OK;
    QK_TRY(need_proposal(q));
    out->kind = KMS_DO_CHANGE;
    return QK_OK;
}

static qk_err decide_admin(const struct question *q, struct kms_decision *out)
{
    const struct kms_user *user = &slot(q, KMS_SLOT_USER)->user;
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

static qk_err decide(const struct question *q, bool by_operator, struct kms_decision *out)
{
    if (q->req->op == KMS_OP_INITIALIZE) return decide_initialize(q, by_operator, out);
    if (by_operator)
        return kms_fault_set(q->fault, "AccessDeniedException",
            "An operator's signature authorizes QkmsAdmin.Initialize only.");
    if (slot(q, KMS_SLOT_USER) == NULL || slot(q, KMS_SLOT_ACCOUNT) == NULL)
        return kms_fault_unknown_client(q->fault);
    if (q->info->admin) return decide_admin(q, out);
    if (!q->info->served)
        return kms_fault_set(q->fault, "UnsupportedOperationException",
            "Operation %s is not supported by this service.", q->info->name);
    if (q->req->op == KMS_OP_CREATE_KEY) return decide_create_key(q, out);
    if (q->info->on_key) return decide_on_key(q, out);
    if (q->req->op == KMS_OP_LIST_KEYS) QK_TRY(authorize(q, NULL, "*"));
    out->kind = KMS_DO_READ; /* ListKeys, GetCallerIdentity */
    return QK_OK;
}

qk_err kms_decide(const struct kms_context *ctx, bool by_operator, const struct kms_request *req,
    const struct kms_records *recs, const struct kms_proposal *prop, struct kms_decision *out,
    struct kms_fault *fault)
{
    if ((unsigned)req->op >= KMS_OP_COUNT) return kms_fault_internal(fault, QK_E_STATE);
    const struct question q = {ctx, kms_op_info(req->op), req, recs, prop, fault};
    struct kms_decision d = {0};
    QK_TRY(decide(&q, by_operator, &d));
    *out = d;
    return QK_OK;
}
