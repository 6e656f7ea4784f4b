#include "kms/request.h"

#include <stdlib.h>
#include "kms/response.h"
#include "kms/validate.h"
#include "request_parts.h"

static void owner_free(struct kms_owner *o)
{
    if (o == NULL) return;
    json_decref(o->root);
    qk_buf_free(&o->secret);
    qk_buf_free(&o->blob);
    qk_buf_free(&o->mac);
    qk_buf_free(&o->wrapped);
    qk_buf_free(&o->after);
    free(o->pairs[0]);
    free(o->pairs[1]);
    free(o);
}

void kms_request_free(struct kms_request *r)
{
    owner_free(r->owner);
    r->owner = NULL;
}

/* ---- one reader per family ---- */

static qk_err read_create_key(const json_t *in, struct kms_request *r, struct kms_fault *fault)
{
    struct qk_bytes spec = kms_text(in, "KeySpec"), old = kms_text(in, "CustomerMasterKeySpec");
    r->both_specs = spec.p != NULL && old.p != NULL;
    r->spec_name = spec.p != NULL ? spec : old.p != NULL ? old : qk_str("SYMMETRIC_DEFAULT");
    r->usage = kms_text(in, "KeyUsage");
    r->origin = kms_text_or(in, "Origin", "AWS_KMS");
    r->policy = kms_text(in, "Policy");
    r->description = kms_text(in, "Description");
    r->multi_region = kms_flag(in, "MultiRegion");
    r->custom_store = kms_present(in, "CustomKeyStoreId") || kms_present(in, "XksKeyId");
    r->bypass_lockout = kms_flag(in, "BypassPolicyLockoutSafetyCheck");
    return kms_request_read_tags(in, r, fault);
}

static qk_err read_sign(const json_t *in, struct kms_owner *o, struct kms_request *r)
{
    struct qk_bytes type = kms_text(in, "MessageType");
    QK_TRY(kms_blob(in, "Message", &o->secret, &r->message));
    if (r->op == KMS_OP_VERIFY) QK_TRY(kms_blob(in, "Signature", &o->blob, &r->signature));
    r->algorithm = kms_text(in, "SigningAlgorithm");
    r->message_type = qk_bytes_is(type, "DIGEST")        ? KMS_MESSAGE_DIGEST
                      : qk_bytes_is(type, "EXTERNAL_MU") ? KMS_MESSAGE_EXTERNAL_MU
                                                         : KMS_MESSAGE_RAW;
    return QK_OK;
}

static qk_err read_mac(const json_t *in, struct kms_owner *o, struct kms_request *r)
{
    r->algorithm = kms_text(in, "MacAlgorithm");
    QK_TRY(kms_blob(in, "Message", &o->secret, &r->message));
    return r->op == KMS_OP_VERIFY_MAC ? kms_blob(in, "Mac", &o->mac, &r->mac) : QK_OK;
}

qk_err kms_request_read_page(
    const json_t *in, struct kms_owner *o, struct kms_request *r, struct kms_fault *fault)
{
    r->limit = kms_number(in, "Limit", KMS_LIST_LIMIT_DEFAULT);
    if (!kms_present(in, "Marker")) return QK_OK;
    QK_TRY(kms_marker_decode(kms_text(in, "Marker"), &o->after, fault));
    r->after = qk_buf_view(&o->after);
    return QK_OK;
}

static void read_create_user(const json_t *in, struct kms_request *r)
{
    const json_t *allow = json_object_get(in, "Allow");
    r->user_name = kms_text(in, "UserName");
    r->admin = kms_flag(in, "Admin");
    if (json_is_array(allow)) {
        for (r->n_allow = 0; r->n_allow < json_array_size(allow); r->n_allow++) {
            const json_t *v = json_array_get(allow, r->n_allow);
            r->allow[r->n_allow] = qk_bytes(json_string_value(v), json_string_length(v));
        }
    } else if (r->admin)
        r->allow[r->n_allow++] = qk_str("kms:*");
}

static qk_err read_response_key(const json_t *in, struct kms_owner *o, struct kms_request *r)
{
    struct qk_bytes key;
    QK_TRY(kms_blob(in, "ResponseKey", &o->secret, &key));
    QK_ENSURE(key.len == sizeof r->response_key, QK_E_STATE);
    memcpy(r->response_key, key.p, sizeof r->response_key);
    return QK_OK;
}

static qk_err read_members(
    const json_t *in, struct kms_owner *o, struct kms_request *r, struct kms_fault *fault)
{
    r->key_id = kms_text(in, "KeyId");
    r->dry_run = kms_flag(in, "DryRun");
    bool symmetric;
    QK_TRY(kms_request_read_symmetric(in, o, r, &symmetric, fault));
    if (symmetric) return QK_OK;
    switch (r->op) {
    case KMS_OP_CREATE_KEY:
        return read_create_key(in, r, fault);
    case KMS_OP_SIGN:
    case KMS_OP_VERIFY:
        return read_sign(in, o, r);
    case KMS_OP_GENERATE_MAC:
    case KMS_OP_VERIFY_MAC:
        return read_mac(in, o, r);
    case KMS_OP_UPDATE_KEY_DESCRIPTION:
        r->description = kms_text(in, "Description");
        return QK_OK;
    case KMS_OP_SCHEDULE_KEY_DELETION:
        r->pending_days = kms_number(in, "PendingWindowInDays", 30);
        return QK_OK;
    case KMS_OP_LIST_KEYS:
    case KMS_OP_LIST_USERS:
    case KMS_OP_LIST_ACCESS_KEYS:
        r->user_name = kms_text(in, "UserName");
        return kms_request_read_page(in, o, r, fault);
    case KMS_OP_CREATE_USER:
        read_create_user(in, r);
        return QK_OK;
    case KMS_OP_CREATE_ACCESS_KEY:
        r->user_name = kms_text(in, "UserName");
        return read_response_key(in, o, r);
    case KMS_OP_INITIALIZE:
        r->account_name = kms_text(in, "AccountName");
        r->user_name = kms_text(in, "AdminUserName");
        return read_response_key(in, o, r);
    case KMS_OP_UPDATE_ACCESS_KEY:
        r->access_key_id = kms_text(in, "AccessKeyId");
        r->active = qk_bytes_is(kms_text(in, "Status"), "Active");
        return QK_OK;
    default:
        return QK_OK;
    }
}

static qk_err read_json(
    struct qk_bytes body, struct kms_owner *o, struct kms_request *r, struct kms_fault *fault)
{
    QK_TRY(kms_json_parse(body, &o->root, fault));
    QK_TRY(kms_validate(r->op, o->root, fault));
    qk_err err = read_members(o->root, o, r, fault);
    return err == QK_OK || err == QK_E_DENIED ? err : kms_fault_internal(fault, err);
}

qk_err kms_request_parse(
    const struct kms_raw *raw, struct kms_request *out, struct kms_fault *fault)
{
    if (!raw->body_is_hash) return kms_request_parse_body(raw, raw->body, out, fault);
    enum kms_op op;
    QK_TRY(kms_op_of(raw, &op, fault));
    return kms_fault_internal(fault, QK_E_STATE);
}

qk_err kms_request_parse_body(const struct kms_raw *raw, struct qk_bytes body,
    struct kms_request *out, struct kms_fault *fault)
{
    struct kms_request r = {0};
    QK_TRY(kms_op_of(raw, &r.op, fault));
    struct kms_owner *o = calloc(1, sizeof *o);
    if (o == NULL) return kms_fault_internal(fault, QK_E_NOMEM);
    o->secret = (struct qk_buf)QK_BUF_SECRET(KMS_RAW_BODY_MAX);
    o->blob = (struct qk_buf)QK_BUF(KMS_RAW_BODY_MAX);
    o->mac = (struct qk_buf)QK_BUF_SECRET(KMS_RAW_BODY_MAX);
    o->wrapped = (struct qk_buf)QK_BUF(KMS_RAW_BODY_MAX);
    o->after = (struct qk_buf)QK_BUF(KMS_MARKER_MAX + 16);
    r.owner = o;
    if (kms_op_info(r.op)->service == KMS_SERVICE_KMS) {
        qk_err err = read_json(body, o, &r, fault);
        if (err != QK_OK) {
            owner_free(o);
            return err;
        }
    }
    *out = r;
    return QK_OK;
}
