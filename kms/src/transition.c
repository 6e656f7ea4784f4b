/* The one place where a record's next version comes from. */
#include "transition_parts.h"

#include <stdio.h>

#define DAY_MS 86400000u

void kms_change_first(struct kms_record *r, const struct kms_ref *ref)
{
    *r = (struct kms_record){.kind = ref->kind, .version = 1};
    memcpy(r->id, ref->id, sizeof r->id);
}

void kms_change_next(struct kms_record *r, const struct kms_record *current)
{
    *r = *current;
    r->version = current->version + 1;
    memcpy(r->prev, current->hash, sizeof r->prev);
    memset(r->hash, 0, sizeof r->hash);
}

struct kms_record *kms_change_add(struct kms_change *out)
{
    return &out->records[out->n++];
}

static qk_err change_key(const struct kms_request *req, const struct kms_record *current,
    const struct kms_proposal *prop, struct kms_record *r)
{
    QK_ENSURE(current != NULL && current->kind == KMS_KIND_KEY, QK_E_STATE);
    kms_change_next(r, current);
    switch (req->op) {
    case KMS_OP_ENABLE_KEY:
        r->key.state = KMS_STATE_ENABLED;
        break;
    case KMS_OP_DISABLE_KEY:
        r->key.state = KMS_STATE_DISABLED;
        break;
    case KMS_OP_UPDATE_KEY_DESCRIPTION:
        r->key.description = req->description;
        break;
    case KMS_OP_SCHEDULE_KEY_DELETION:
        r->key.state = KMS_STATE_PENDING_DELETION;
        r->key.pending_days = req->pending_days;
        r->key.deletion_ms = prop->now_ms + (uint64_t)req->pending_days * DAY_MS;
        break;
    case KMS_OP_CANCEL_KEY_DELETION:
        r->key.state = KMS_STATE_DISABLED;
        r->key.pending_days = 0;
        r->key.deletion_ms = 0;
        kms_symmetric_settle(&r->key);
        break;
    default:
        return QK_E_STATE;
    }
    return QK_OK;
}

static qk_err new_user(const struct kms_context *ctx, const struct kms_request *req,
    const struct kms_proposal *prop, struct kms_record *r)
{
    struct kms_ref ref;
    QK_TRY(kms_ref_user(ctx->account, req->user_name, &ref));
    kms_change_first(r, &ref);
    r->user = (struct kms_user){
        .account = qk_str(ctx->account),
        .name = req->user_name,
        .user_id = qk_str(prop->user_id),
        .admin = req->admin,
        .n_allow = req->n_allow,
        .created_ms = prop->now_ms,
    };
    memcpy(r->user.allow, req->allow, sizeof r->user.allow);
    return QK_OK;
}

static qk_err new_credential(const struct kms_context *ctx, const struct kms_request *req,
    const struct kms_proposal *prop, struct kms_record *r)
{
    struct kms_ref ref;
    QK_TRY(kms_ref_credential(qk_str(prop->access_key_id), &ref));
    kms_change_first(r, &ref);
    r->credential = (struct kms_credential){
        .access_key_id = qk_str(prop->access_key_id),
        .account = qk_str(ctx->account),
        .user_name = req->user_name,
        .serial = 1,
        .active = true,
        .created_ms = prop->now_ms,
    };
    return QK_OK;
}

static qk_err new_key(const struct kms_context *ctx, const struct kms_request *req,
    const struct kms_proposal *prop, const struct kms_decision *decision,
    const struct kms_created *created, struct kms_change *out)
{
    struct kms_ref ref;
    const struct kms_keyspec *spec = decision->spec;
    struct qk_buf policy = QK_BUF(sizeof out->policy - 1);
    kms_ref_key(prop->key_id, &ref);
    kms_policy_default(ctx->account, &policy);
    const char *text = qk_buf_cstr(&policy);
    if (text != NULL) snprintf(out->policy, sizeof out->policy, "%s", text);
    qk_err err = policy.err;
    qk_buf_free(&policy);
    QK_TRY(err);

    struct kms_record *r = kms_change_add(out);
    kms_change_first(r, &ref);
    r->key = (struct kms_key){
        .account = qk_str(ctx->account),
        .region = qk_str(ctx->region),
        .spec = spec,
        .state = KMS_STATE_ENABLED,
        .origin = KMS_ORIGIN_AWS_KMS,
        .description = req->description,
        .policy = qk_str(out->policy),
        .created_ms = prop->now_ms,
    };
    memcpy(r->key.key_id, prop->key_id, sizeof r->key.key_id);
    if (kms_keyspec_has_versions(spec)) {
        enum kms_origin origin = created != NULL ? KMS_ORIGIN_AWS_KMS : KMS_ORIGIN_EXTERNAL;
        kms_symmetric_create(r, decision->modes, origin, created, prop->now_ms, out);
        return QK_OK;
    }
    QK_ENSURE(created != NULL, QK_E_STATE);
    r->key.pkrec = created->pkrec;
    r->key.spki = created->spki;
    return QK_OK;
}

static qk_err initialize(const struct kms_context *ctx, const struct kms_request *req,
    const struct kms_proposal *prop, const struct kms_created *created, struct kms_change *out)
{
    struct kms_ref ref;
    kms_ref_account(ctx->account, &ref);
    struct kms_record *account = kms_change_add(out);
    kms_change_first(account, &ref);
    account->account = (struct kms_account){
        .account = qk_str(ctx->account), .name = req->account_name, .created_ms = prop->now_ms};

    struct kms_record *user = kms_change_add(out);
    QK_TRY(new_user(ctx, req, prop, user));
    user->user.admin = true;
    user->user.n_allow = 1;
    user->user.allow[0] = qk_str("kms:*");
    QK_TRY(new_credential(ctx, req, prop, kms_change_add(out)));

    kms_ref_system(&ref);
    struct kms_record *system = kms_change_add(out);
    kms_change_first(system, &ref);
    system->system = (struct kms_system){.pkrec = created->pkrec, .created_ms = prop->now_ms};
    return QK_OK;
}

static qk_err change(const struct kms_context *ctx, const struct kms_request *req,
    const struct kms_records *recs, const struct kms_proposal *prop,
    const struct kms_decision *decision, struct kms_change *out)
{
    if (req->op == KMS_OP_CREATE_KEY) /* Origin EXTERNAL */
        return decision->spec == NULL ? QK_E_STATE : new_key(ctx, req, prop, decision, NULL, out);
    if (kms_op_on_material(req->op))
        return kms_symmetric_change(req, recs->slot[KMS_SLOT_KEY], prop, decision, NULL, out);
    if (req->op == KMS_OP_CREATE_USER) return new_user(ctx, req, prop, kms_change_add(out));
    if (req->op != KMS_OP_UPDATE_ACCESS_KEY)
        return change_key(req, recs->slot[KMS_SLOT_KEY], prop, kms_change_add(out));
    const struct kms_record *current = recs->slot[KMS_SLOT_TARGET_CREDENTIAL];
    QK_ENSURE(current != NULL && current->kind == KMS_KIND_CREDENTIAL, QK_E_STATE);
    struct kms_record *r = kms_change_add(out);
    kms_change_next(r, current);
    r->credential.active = req->active;
    return QK_OK;
}

qk_err kms_transition(const struct kms_context *ctx, const struct kms_request *req,
    const struct kms_records *recs, const struct kms_proposal *prop,
    const struct kms_decision *decision, const struct kms_created *created, struct kms_change *out)
{
    QK_ENSURE(prop != NULL && kms_proposal_check(ctx, req->op, prop) == QK_OK, QK_E_STATE);
    out->n = 0;
    switch (decision->kind) {
    case KMS_DO_CHANGE:
        return change(ctx, req, recs, prop, decision, out);
    case KMS_DO_ACCESS_KEY:
        return new_credential(ctx, req, prop, kms_change_add(out));
    case KMS_DO_CREATE_KEY:
        QK_ENSURE(created != NULL && decision->spec != NULL, QK_E_STATE);
        return new_key(ctx, req, prop, decision, created, out);
    case KMS_DO_INITIALIZE:
        QK_ENSURE(created != NULL, QK_E_STATE);
        return initialize(ctx, req, prop, created, out);
    case KMS_DO_ROTATE:
    case KMS_DO_IMPORT:
        QK_ENSURE(created != NULL, QK_E_STATE);
        return kms_symmetric_change(req, recs->slot[KMS_SLOT_KEY], prop, decision, created, out);
    case KMS_DO_READ:
    case KMS_DO_SIGN:
    case KMS_DO_VERIFY:
    case KMS_DO_ENCRYPT:
    case KMS_DO_DECRYPT:
    case KMS_DO_REENCRYPT:
    case KMS_DO_RANDOM:
    case KMS_DO_IMPORT_PARAMETERS:
    case KMS_DO_GENERATE_MAC:
    case KMS_DO_VERIFY_MAC:
        break;
    }
    return QK_E_STATE;
}
