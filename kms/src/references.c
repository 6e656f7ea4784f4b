/* Which records a request rests on, and who the caller is. */
#include "kms/decide.h"
#include "symmetric.h"

static bool named_key_ref(const struct kms_context *ctx, struct qk_bytes name,
    enum kms_key_forms forms, struct kms_ref *ref)
{
    struct kms_fault ignored;
    uint8_t id[16];
    bool foreign;
    qk_err err = kms_key_resolve(name, forms, ctx->account, ctx->region, id, &foreign, &ignored);
    if (err != QK_OK || foreign) return false;
    kms_ref_key(id, ref);
    return true;
}

static bool key_ref(const struct kms_context *ctx, const struct kms_request *req,
    const struct kms_proposal *prop, struct kms_ref *ref)
{
    const struct kms_op_info *info = kms_op_info(req->op);
    struct kms_blob_head head;
    if (req->op == KMS_OP_CREATE_KEY) {
        if (prop == NULL) return false;
        kms_ref_key(prop->key_id, ref);
        return true;
    }
    if (!info->served || (!info->on_key && !kms_op_opens(req->op))) return false;
    if (req->key_id.p != NULL) return named_key_ref(ctx, req->key_id, info->forms, ref);
    if (!kms_blob_head(req->blob, &head)) return false;
    kms_ref_key(head.key_id, ref);
    return true;
}

/* A destination is used as Encrypt uses its key. */
static bool version_ref(
    const struct kms_record *key, bool dest, const struct kms_request *req, struct kms_ref *ref)
{
    if (key == NULL || req->op == KMS_OP_CREATE_KEY) return false;
    uint32_t at_dest = kms_key_is_symmetric(&key->key) ? key->key.sym.current : 0;
    uint32_t ver = dest ? at_dest : kms_version_wanted(req, &key->key);
    if (ver == 0) return false;
    kms_ref_version(key->key.key_id, ver, ref);
    return true;
}

static bool target_user_ref(
    const struct kms_context *ctx, const struct kms_request *req, struct kms_ref *ref)
{
    bool names_user = req->op == KMS_OP_CREATE_USER || req->op == KMS_OP_CREATE_ACCESS_KEY ||
                      req->op == KMS_OP_INITIALIZE ||
                      (req->op == KMS_OP_LIST_ACCESS_KEYS && req->user_name.len);
    return names_user && kms_ref_user(ctx->account, req->user_name, ref) == QK_OK;
}

static bool target_credential_ref(
    const struct kms_request *req, const struct kms_proposal *prop, struct kms_ref *ref)
{
    if (req->op == KMS_OP_UPDATE_ACCESS_KEY)
        return kms_ref_credential(req->access_key_id, ref) == QK_OK;
    if (req->op != KMS_OP_CREATE_ACCESS_KEY && req->op != KMS_OP_INITIALIZE) return false;
    return prop != NULL && kms_ref_credential(qk_str(prop->access_key_id), ref) == QK_OK;
}

/* The ref of one slot; false when the request has none. */
static bool slot_ref(enum kms_slot slot, const struct kms_context *ctx,
    struct qk_bytes access_key_id, const struct kms_request *req, const struct kms_proposal *prop,
    const struct kms_records *recs, struct kms_ref *ref)
{
    const struct kms_record *credential = recs->slot[KMS_SLOT_CREDENTIAL];
    switch (slot) {
    case KMS_SLOT_CREDENTIAL:
        return kms_ref_credential(access_key_id, ref) == QK_OK;
    case KMS_SLOT_USER:
        return credential != NULL &&
               kms_ref_user(ctx->account, credential->credential.user_name, ref) == QK_OK;
    case KMS_SLOT_ACCOUNT:
        kms_ref_account(ctx->account, ref);
        return true;
    case KMS_SLOT_KEY:
        return key_ref(ctx, req, prop, ref);
    case KMS_SLOT_SYSTEM:
        kms_ref_system(ref);
        return true;
    case KMS_SLOT_TARGET_USER:
        return target_user_ref(ctx, req, ref);
    case KMS_SLOT_TARGET_CREDENTIAL:
        return target_credential_ref(req, prop, ref);
    case KMS_SLOT_VERSION:
        return version_ref(recs->slot[KMS_SLOT_KEY], false, req, ref);
    case KMS_SLOT_DEST_KEY:
        return req->op == KMS_OP_RE_ENCRYPT &&
               named_key_ref(ctx, req->dest_key_id, KMS_FORMS_ANY, ref);
    case KMS_SLOT_DEST_VERSION:
        return version_ref(recs->slot[KMS_SLOT_DEST_KEY], true, req, ref);
    case KMS_SLOT_COUNT:
        break;
    }
    return false;
}

bool kms_records_next(const struct kms_context *ctx, struct qk_bytes access_key_id,
    const struct kms_request *req, const struct kms_proposal *prop, struct kms_records *recs,
    struct kms_ref *ref)
{
    for (unsigned s = 0; s < KMS_SLOT_COUNT; s++) {
        if (recs->asked & (1u << s)) continue;
        recs->asked |= 1u << s;
        recs->last = (enum kms_slot)s;
        recs->want = (struct kms_ref){0};
        if (!slot_ref(recs->last, ctx, access_key_id, req, prop, recs, &recs->want)) continue;
        *ref = recs->want;
        return true;
    }
    return false;
}

qk_err kms_records_put(struct kms_records *recs, struct kms_record *r)
{
    QK_ENSURE(recs->last < KMS_SLOT_COUNT, QK_E_STATE);
    QK_ENSURE(r == NULL || (r->kind == recs->want.kind && strcmp(r->id, recs->want.id) == 0),
        QK_E_MISMATCH);
    recs->slot[recs->last] = r;
    return QK_OK;
}

qk_err kms_check_client(const struct kms_context *ctx, struct qk_bytes access_key_id,
    const struct kms_records *recs, struct kms_fault *fault)
{
    const struct kms_record *c = recs->slot[KMS_SLOT_CREDENTIAL], *u = recs->slot[KMS_SLOT_USER];
    bool ok = c != NULL && u != NULL && recs->slot[KMS_SLOT_ACCOUNT] != NULL &&
              c->credential.active && qk_bytes_eq(c->credential.access_key_id, access_key_id) &&
              qk_bytes_is(c->credential.account, ctx->account) &&
              qk_bytes_is(u->user.account, ctx->account) &&
              qk_bytes_eq(u->user.name, c->credential.user_name);
    return ok ? QK_OK : kms_fault_unknown_client(fault);
}
