/* Rotation and imported material: what happens to the versions of a symmetric key, and to the one
 * of an HMAC key. */
#include "question.h"

#define MINUTE_MS       60000u
#define DAY_MS          86400000u
#define ROTATION_NEAR   (20u * MINUTE_MS)
#define EXPIRY_DAYS_MAX 365u

static qk_err read_only(struct kms_decision *out)
{
    out->kind = KMS_DO_READ;
    return QK_OK;
}

static qk_err change(const struct kms_question *q, struct kms_decision *out)
{
    QK_TRY(kms_q_need_proposal(q));
    out->kind = KMS_DO_CHANGE;
    return QK_OK;
}

/* ---- rotation ---- */

static qk_err too_many_rotations(const struct kms_question *q, const char *arn)
{
    return kms_fault_set(q->fault, "LimitExceededException",
        "The on-demand rotations limit has been reached for the given keyId. No more on-demand "
        "rotations can be performed for this key: %s",
        arn);
}

/* Imported material is not generated: what was imported last becomes current. */
static qk_err rotate_imported(
    const struct kms_question *q, const char *arn, struct kms_decision *out)
{
    const struct kms_symmetric *sym = &out->key->key.sym;
    struct kms_material m;
    if (!kms_material_get(sym, sym->pending, &m) || !m.here)
        return kms_fault_set(q->fault, "KMSInvalidStateException",
            "No available key material pending rotation for the key: %s.", arn);
    out->version_record = kms_q_slot(q, KMS_SLOT_VERSION);
    if (out->version_record == NULL) return kms_fault_internal(q->fault, QK_E_CORRUPT);
    out->ver = sym->pending;
    out->kind = KMS_DO_CHANGE;
    return QK_OK;
}

static qk_err decide_rotate(const struct kms_question *q, const char *arn, struct kms_decision *out)
{
    const struct kms_key *key = &out->key->key;
    QK_TRY(kms_q_need_proposal(q));
    if (key->sym.on_demand >= KMS_ROTATIONS_ON_DEMAND_MAX) return too_many_rotations(q, arn);
    if (key->origin == KMS_ORIGIN_EXTERNAL) return rotate_imported(q, arn, out);
    if (key->sym.rotating && key->sym.next_rotation_ms <= q->prop->now_ms + ROTATION_NEAR)
        return kms_fault_set(q->fault, "ConflictException",
            "An automatic rotation of %s is in progress or due within 20 minutes.", arn);
    out->ver = kms_version_wanted(q->req, key);
    if (out->ver == 0) return kms_fault_internal(q->fault, QK_E_STATE);
    /* An attempt that ended between its two records left the version: it is taken up. */
    out->version_record = kms_q_slot(q, KMS_SLOT_VERSION);
    out->kind = out->version_record == NULL ? KMS_DO_ROTATE : KMS_DO_CHANGE;
    out->modes = key->sym.modes;
    return QK_OK;
}

static qk_err decide_rotation(
    const struct kms_question *q, const char *arn, struct kms_decision *out)
{
    const struct kms_key *key = &out->key->key;
    const struct kms_symmetric *sym = &key->sym;
    switch (q->req->op) {
    case KMS_OP_ROTATE_KEY_ON_DEMAND:
        return decide_rotate(q, arn, out);
    case KMS_OP_ENABLE_KEY_ROTATION:
        if (key->origin == KMS_ORIGIN_EXTERNAL) return kms_q_wrong_origin(q, key, arn);
        if (sym->rotating && sym->period_days == q->req->period_days) return read_only(out);
        return change(q, out);
    case KMS_OP_DISABLE_KEY_ROTATION:
        if (key->origin == KMS_ORIGIN_EXTERNAL) return kms_q_wrong_origin(q, key, arn);
        return sym->rotating ? change(q, out) : read_only(out);
    default:
        return read_only(out);
    }
}

/* ---- import ---- */

static qk_err decide_parameters(const struct kms_question *q, struct kms_decision *out)
{
    static const char *const good[] = {"RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256",
        "RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256"};
    const struct kms_request *req = q->req;
    bool known = false;
    for (size_t i = 0; i < QK_COUNT(good); i++)
        known = known || qk_bytes_is(req->wrapping_algorithm, good[i]);
    if (!known) return kms_q_unsupported(q, "WrappingAlgorithm", req->wrapping_algorithm);
    if (qk_bytes_is(req->wrapping_spec, "SM2"))
        return kms_q_unsupported(q, "WrappingKeySpec", req->wrapping_spec);
    out->kind = KMS_DO_IMPORT_PARAMETERS;
    return QK_OK;
}

static qk_err check_expiry(const struct kms_question *q)
{
    const struct kms_request *req = q->req;
    uint64_t now = q->prop->now_ms, end = req->valid_to_ms;
    if (!req->expires)
        return end == 0 ? QK_OK
                        : kms_q_validation(q, "A validTo date must not be set if the "
                                              "ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE");
    if (end == 0)
        return kms_q_validation(
            q, "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES");
    if (end <= now || end - now > (uint64_t)EXPIRY_DAYS_MAX * DAY_MS)
        return kms_q_validation(
            q, "The validTo date must be in the future and at most 365 days from now");
    return QK_OK;
}

static qk_err check_new_material(
    const struct kms_question *q, const char *arn, const struct kms_symmetric *sym)
{
    struct kms_material m;
    char id[65];
    if (q->req->material_id.p != NULL)
        return kms_q_validation(
            q, "A KeyMaterialId must not be set if the ImportType is NEW_KEY_MATERIAL");
    if (kms_material_get(sym, sym->pending, &m)) {
        qk_hex(m.material_id, sizeof m.material_id, id);
        return kms_fault_set(q->fault, "KMSInvalidStateException",
            "New key material cannot be imported into KMS key %s, because another key material "
            "(id: %s) is pending rotation.",
            arn, id);
    }
    /* It could never become current. */
    if (sym->n_versions > 0 && sym->on_demand >= KMS_ROTATIONS_ON_DEMAND_MAX)
        return too_many_rotations(q, arn);
    return QK_OK;
}

/* An HMAC key has one material for ever: there is nothing to choose, name or describe. */
static qk_err check_one_material(const struct kms_question *q, const struct kms_key *key)
{
    const struct kms_request *req = q->req;
    if (!kms_key_is_mac(key)) return QK_OK;
    bool typed = req->op == KMS_OP_IMPORT_KEY_MATERIAL && req->import_new >= 0;
    const char *what = typed                                 ? "ImportType"
                       : req->material_id.p != NULL          ? "KeyMaterialId"
                       : req->material_description.p != NULL ? "KeyMaterialDescription"
                                                             : NULL;
    if (what == NULL) return QK_OK;
    return kms_fault_set(q->fault, "ValidationException",
        "%s is valid only for symmetric encryption keys, not for KeySpec %s.", what,
        key->spec->name);
}

static qk_err decide_import(const struct kms_question *q, const char *arn, struct kms_decision *out)
{
    const struct kms_key *key = &out->key->key;
    bool is_new = kms_import_is_new(q->req, key);
    QK_TRY(check_one_material(q, key));
    QK_TRY(kms_q_need_proposal(q));
    QK_TRY(check_expiry(q));
    if (is_new) QK_TRY(check_new_material(q, arn, &key->sym));
    out->ver = kms_version_wanted(q->req, key);
    if (out->ver == 0)
        return kms_fault_set(q->fault, "IncorrectKeyMaterialException",
            "No such key material was ever imported into KMS key %s.", arn);
    out->version_record = kms_q_slot(q, KMS_SLOT_VERSION);
    if (!is_new && out->version_record == NULL) return kms_fault_internal(q->fault, QK_E_CORRUPT);
    out->modes = key->sym.modes;
    out->kind = KMS_DO_IMPORT;
    return QK_OK;
}

static qk_err decide_delete(const struct kms_question *q, struct kms_decision *out)
{
    const struct kms_symmetric *sym = &out->key->key.sym;
    struct qk_bytes id = q->req->material_id;
    struct kms_material m;
    QK_TRY(check_one_material(q, &out->key->key));
    out->ver = kms_version_wanted(q->req, &out->key->key);
    if (out->ver == 0 && id.p != NULL)
        return kms_fault_set(q->fault, "NotFoundException", "Key material '%.*s' does not exist",
            (int)id.len, (const char *)id.p);
    if (!kms_material_get(sym, out->ver, &m)) return read_only(out);
    out->version_record = kms_q_slot(q, KMS_SLOT_VERSION);
    if (out->version_record == NULL) return kms_fault_internal(q->fault, QK_E_CORRUPT);
    return m.here ? change(q, out) : read_only(out);
}

static bool is_import(enum kms_op op)
{
    return op == KMS_OP_GET_PARAMETERS_FOR_IMPORT || op == KMS_OP_IMPORT_KEY_MATERIAL ||
           op == KMS_OP_DELETE_IMPORTED_KEY_MATERIAL;
}

/* ---- all together ---- */

/* A key of another spec does not rotate; its status is that it does not, which tools ask of every
 * key. Wrong spec beats state. */
static qk_err other_spec(const struct kms_question *q, struct kms_decision *out)
{
    if (q->req->op == KMS_OP_GET_KEY_ROTATION_STATUS) return read_only(out);
    return kms_fault_bare(q->fault, "UnsupportedOperationException");
}

qk_err kms_decide_material(const struct kms_question *q, struct kms_decision *out)
{
    char arn[KMS_ARN_MAX];
    QK_TRY(kms_q_find_key(q, q->req->key_id, q->info->action, KMS_SLOT_KEY, &out->key, arn));
    const struct kms_key *key = &out->key->key;
    out->spec = key->spec;
    QK_TRY(kms_q_authorize(q, q->info->action, key, arn));
    bool import = is_import(q->req->op);
    if (import && key->origin != KMS_ORIGIN_EXTERNAL) return kms_q_wrong_origin(q, key, arn);
    if (!import && !kms_key_is_symmetric(key)) return other_spec(q, out);
    QK_TRY(kms_q_check_state(q, key, arn));
    if (!import) return decide_rotation(q, arn, out);
    if (q->req->op == KMS_OP_GET_PARAMETERS_FOR_IMPORT) return decide_parameters(q, out);
    return q->req->op == KMS_OP_IMPORT_KEY_MATERIAL ? decide_import(q, arn, out)
                                                    : decide_delete(q, out);
}
