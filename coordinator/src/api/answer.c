#include "api/api.h"

#include "kms/response.h"
#include "qk/clock.h"
#include "rounds/combine.h"
#include "rounds/imports.h"

enum { BODY_MAX = 8 * 1024 * 1024 };

void coord_answer_free(struct coord_answer *a)
{
    qk_buf_free(&a->body);
}

static void answer_begin(struct coord_answer *out, bool sts)
{
    *out = (struct coord_answer){.status = 200, .body = QK_BUF(BODY_MAX)};
    out->content_type = sts ? KMS_CONTENT_TYPE_XML : KMS_CONTENT_TYPE_JSON;
}

void coord_api_fault(const struct kms_raw *raw, const struct kms_fault *fault,
    const char *request_id, struct coord_answer *out)
{
    bool sts = kms_service_of(raw) == KMS_SERVICE_STS;
    answer_begin(out, sts);
    out->error_type = fault->type;
    out->status = (unsigned)fault->http_status;
    if (sts)
        out->status = (unsigned)kms_fault_sts_xml(fault, request_id, &out->body);
    else
        kms_fault_json(fault, &out->body);
}

static const struct kms_record *made(const struct coord_op *op, enum kms_kind kind)
{
    for (size_t i = 0; i < op->n_made; i++)
        if (op->made_records[i].kind == kind) return &op->made_records[i];
    return NULL;
}

static qk_err answer_verify(struct coord_op *op, struct qk_buf *body, struct kms_fault *fault)
{
    const struct kms_key *key = &op->decision.key->key;
    struct qk_bytes digest = qk_bytes(op->decision.digest, op->decision.digest_len);
    qk_err err = coord_verify_signature(key, digest, op->req.signature);
    if (err == QK_E_PROOF) return kms_fault_bad_signature(fault);
    if (err != QK_OK) return kms_fault_internal(fault, err);
    kms_answer_verify(key, body);
    return QK_OK;
}

static qk_err answer_access_key(struct coord_op *op, struct qk_buf *body, struct kms_fault *fault)
{
    const struct kms_record *credential = made(op, KMS_KIND_CREDENTIAL);
    struct qk_bytes system = op->system.certified;
    for (size_t i = 0; i < op->n_made; i++)
        if (op->made_records[i].kind == KMS_KIND_SYSTEM) system = qk_buf_view(&op->made.bytes[i]);
    if (credential == NULL || system.len == 0) return kms_fault_internal(fault, QK_E_STATE);
    struct kms_sealed_part parts[WIRE_NODES_MAX];
    for (size_t i = 0; i < op->n_sealed; i++)
        parts[i] = (struct kms_sealed_part){
            .node = op->sealed[i].node, .sealed = qk_buf_view(&op->sealed[i].bytes)};
    kms_answer_access_key(&credential->credential, system, parts, op->n_sealed, body);
    return QK_OK;
}

static qk_err answer_identity(struct coord_op *op, struct qk_buf *body, struct kms_fault *fault)
{
    const struct kms_record *user = op->recs.slot[KMS_SLOT_USER];
    if (user == NULL) return kms_fault_internal(fault, QK_E_STATE);
    kms_answer_caller_identity(&user->user, op->request_id, body);
    return QK_OK;
}

/* Answers that show a key: its new version where one was made. */
static qk_err answer_key(struct coord_op *op, struct qk_buf *body, struct kms_fault *fault)
{
    const struct kms_record *r = coord_op_key(op);
    if (r == NULL) return kms_fault_internal(fault, QK_E_STATE);
    switch (op->req.op) {
    case KMS_OP_CREATE_KEY:
    case KMS_OP_DESCRIBE_KEY:
        kms_answer_key(&r->key, body);
        break;
    case KMS_OP_GET_PUBLIC_KEY:
        kms_answer_public_key(&r->key, body);
        break;
    case KMS_OP_SCHEDULE_KEY_DELETION:
        kms_answer_schedule_deletion(&r->key, body);
        break;
    case KMS_OP_CANCEL_KEY_DELETION:
        kms_answer_cancel_deletion(&r->key, body);
        break;
    case KMS_OP_GET_KEY_ROTATION_STATUS:
        kms_answer_rotation_status(&r->key, body);
        break;
    case KMS_OP_ROTATE_KEY_ON_DEMAND:
        kms_answer_rotate(&r->key, body);
        break;
    default:
        kms_answer_sign(&r->key, qk_buf_view(&op->der), body);
        break;
    }
    return QK_OK;
}

/* ---- symmetric keys: the results of evaluations ---- */

static const struct kms_version *version_of(const struct coord_op *op)
{
    return &op->decision.version_record->version_of;
}

static qk_err answer_encrypted(struct coord_op *op, struct qk_buf *body)
{
    const struct kms_key *key = &op->decision.key->key;
    struct qk_bytes blob = qk_buf_view(&op->blob), plain = qk_buf_view(&op->plain), none = {0};
    struct qk_bytes pair_public = qk_buf_view(&op->pair_public);
    switch (op->req.op) {
    case KMS_OP_GENERATE_DATA_KEY:
        kms_answer_data_key(key, version_of(op), plain, blob, body);
        break;
    case KMS_OP_GENERATE_DATA_KEY_WITHOUT_PLAINTEXT:
        kms_answer_data_key(key, version_of(op), none, blob, body);
        break;
    case KMS_OP_GENERATE_DATA_KEY_PAIR:
        kms_answer_data_key_pair(
            key, version_of(op), op->req.pair_spec, plain, pair_public, blob, body);
        break;
    case KMS_OP_GENERATE_DATA_KEY_PAIR_WITHOUT_PLAINTEXT:
        kms_answer_data_key_pair(
            key, version_of(op), op->req.pair_spec, none, pair_public, blob, body);
        break;
    default:
        kms_answer_encrypt(key, blob, body);
        break;
    }
    return QK_OK;
}

static qk_err answer_evaluated(struct coord_op *op, struct qk_buf *body, struct kms_fault *fault)
{
    const struct kms_decision *d = &op->decision;
    bool opened = d->kind == KMS_DO_DECRYPT;
    if (d->key == NULL || d->version_record == NULL || (!opened && op->blob.len == 0))
        return kms_fault_internal(fault, QK_E_STATE);
    if (opened)
        kms_answer_decrypt(&d->key->key, version_of(op), qk_buf_view(&op->plain), body);
    else if (d->kind == KMS_DO_REENCRYPT)
        kms_answer_re_encrypt(&d->key->key, version_of(op), &d->dest_key->key,
            &d->dest_version->version_of, qk_buf_view(&op->blob), body);
    else
        return answer_encrypted(op, body);
    return QK_OK;
}

/* ---- HMAC keys ---- */

static qk_err answer_mac(struct coord_op *op, struct qk_buf *body, struct kms_fault *fault)
{
    const struct kms_key *key = &op->decision.key->key;
    if (op->req.op == KMS_OP_VERIFY_MAC) {
        if (!op->mac.valid) return kms_fault_bad_mac(fault);
        kms_answer_mac_valid(key, body);
        return QK_OK;
    }
    if (op->mac.tag_len != key->spec->digest_len) return kms_fault_internal(fault, QK_E_STATE);
    kms_answer_mac(key, qk_bytes(op->mac.tag, op->mac.tag_len), body);
    return QK_OK;
}

/* ---- import ---- */

static qk_err answer_parameters(struct coord_op *op, struct qk_buf *body, struct kms_fault *fault)
{
    const struct kms_key *key = &op->decision.key->key;
    QK_AUTO_BUF token = QK_BUF(256);
    QK_AUTO_BUF spki = QK_BUF(1024);
    uint64_t valid_to_ms;
    qk_err err = coord_imports_offer(op->engine->imports, op->engine->random, key->key_id,
        op->req.wrapping_algorithm, op->req.wrapping_spec, qk_now_ms(), &token, &spki,
        &valid_to_ms);
    if (err == QK_E_BUSY) return kms_fault_throttled(fault);
    if (err != QK_OK) return kms_fault_internal(fault, err);
    kms_answer_import_parameters(key, qk_buf_view(&token), qk_buf_view(&spki), valid_to_ms, body);
    return QK_OK;
}

static qk_err answer_import(struct coord_op *op, struct qk_buf *body, struct kms_fault *fault)
{
    const struct kms_record *key = coord_op_key(op), *version = made(op, KMS_KIND_VERSION);
    if (key == NULL) return kms_fault_internal(fault, QK_E_STATE);
    if (version == NULL) version = op->decision.version_record; /* there was nothing to delete */
    kms_answer_import(&key->key, version == NULL ? NULL : &version->version_of, body);
    return QK_OK;
}

/* Does the answer say something secret? Then its memory is wiped. */
static bool tells_secret(const struct coord_op *op)
{
    switch (op->req.op) {
    case KMS_OP_DECRYPT:
    case KMS_OP_GENERATE_DATA_KEY:
    case KMS_OP_GENERATE_DATA_KEY_PAIR:
    case KMS_OP_GENERATE_MAC:
    case KMS_OP_GENERATE_RANDOM:
        return true;
    default:
        return false;
    }
}

static qk_err answer_user(struct coord_op *op, struct qk_buf *body, struct kms_fault *fault)
{
    const struct kms_record *user = made(op, KMS_KIND_USER);
    if (user == NULL) return kms_fault_internal(fault, QK_E_STATE);
    kms_answer_user(&user->user, body);
    return QK_OK;
}

static qk_err answer(struct coord_op *op, const struct coord_about *about, struct qk_buf *body,
    struct kms_fault *fault)
{
    if (kms_answer_is_empty(op->req.op)) return QK_OK;
    switch (op->req.op) {
    case KMS_OP_CREATE_KEY:
    case KMS_OP_DESCRIBE_KEY:
    case KMS_OP_GET_PUBLIC_KEY:
    case KMS_OP_SCHEDULE_KEY_DELETION:
    case KMS_OP_CANCEL_KEY_DELETION:
    case KMS_OP_GET_KEY_ROTATION_STATUS:
    case KMS_OP_ROTATE_KEY_ON_DEMAND:
    case KMS_OP_SIGN:
        return answer_key(op, body, fault);
    case KMS_OP_VERIFY:
        return answer_verify(op, body, fault);
    case KMS_OP_ENCRYPT:
    case KMS_OP_DECRYPT:
    case KMS_OP_RE_ENCRYPT:
    case KMS_OP_GENERATE_DATA_KEY:
    case KMS_OP_GENERATE_DATA_KEY_WITHOUT_PLAINTEXT:
    case KMS_OP_GENERATE_DATA_KEY_PAIR:
    case KMS_OP_GENERATE_DATA_KEY_PAIR_WITHOUT_PLAINTEXT:
        return answer_evaluated(op, body, fault);
    case KMS_OP_GENERATE_MAC:
    case KMS_OP_VERIFY_MAC:
        return answer_mac(op, body, fault);
    case KMS_OP_GET_PARAMETERS_FOR_IMPORT:
        return answer_parameters(op, body, fault);
    case KMS_OP_IMPORT_KEY_MATERIAL:
    case KMS_OP_DELETE_IMPORTED_KEY_MATERIAL:
        return answer_import(op, body, fault);
    case KMS_OP_GENERATE_RANDOM:
        kms_answer_random(qk_buf_view(&op->plain), body);
        return QK_OK;
    case KMS_OP_LIST_KEY_ROTATIONS:
        return coord_api_rotations(op, body, fault);
    case KMS_OP_LIST_KEYS:
    case KMS_OP_LIST_USERS:
    case KMS_OP_LIST_ACCESS_KEYS:
        return coord_api_list(op, body, fault);
    case KMS_OP_CREATE_USER:
        return answer_user(op, body, fault);
    case KMS_OP_CREATE_ACCESS_KEY:
    case KMS_OP_INITIALIZE:
        return answer_access_key(op, body, fault);
    case KMS_OP_GET_STATUS:
        return coord_api_status(op, about, body, fault);
    case KMS_OP_GET_CALLER_IDENTITY:
        return answer_identity(op, body, fault);
    default: /* UpdateAccessKey, and what answers nothing */
        qk_buf_add_str(body, "{}");
        return QK_OK;
    }
}

void coord_api_answer(
    struct coord_op *op, const struct coord_about *about, struct coord_answer *out)
{
    struct kms_fault fault;
    answer_begin(out, op->req.op == KMS_OP_GET_CALLER_IDENTITY);
    out->body.secret = tells_secret(op);
    qk_err err = answer(op, about, &out->body, &fault);
    if (err == QK_OK && out->body.err != QK_OK) err = kms_fault_internal(&fault, out->body.err);
    if (err == QK_OK) return;
    coord_answer_free(out);
    coord_api_fault(op->raw, &fault, op->request_id, out);
}
