#include "kms/request.h"

#include <stdlib.h>
#include "kms/response.h"
#include "kms/validate.h"

/* What the views of a request point into. */
struct owner {
    json_t *root;
    struct qk_buf message, signature, after;
};

static void owner_free(struct owner *o)
{
    if (o == NULL) return;
    json_decref(o->root);
    qk_buf_free(&o->message);
    qk_buf_free(&o->signature);
    qk_buf_free(&o->after);
    free(o);
}

void kms_request_free(struct kms_request *r)
{
    owner_free(r->owner);
    r->owner = NULL;
}

/* ---- members; their types were checked by kms_validate, null counts as absent ---- */

static struct qk_bytes text(const json_t *in, const char *name)
{
    const json_t *v = json_object_get(in, name);
    return json_is_string(v) ? qk_bytes(json_string_value(v), json_string_length(v))
                             : qk_bytes(NULL, 0);
}

static bool present(const json_t *in, const char *name)
{
    const json_t *v = json_object_get(in, name);
    return v != NULL && !json_is_null(v);
}

static bool flag(const json_t *in, const char *name)
{
    return json_is_true(json_object_get(in, name));
}

static uint32_t number(const json_t *in, const char *name, uint32_t preset)
{
    const json_t *v = json_object_get(in, name);
    return json_is_integer(v) ? (uint32_t)json_integer_value(v) : preset;
}

static qk_err blob(const json_t *in, const char *name, struct qk_buf *out, struct qk_bytes *view)
{
    QK_TRY(qk_unbase64(text(in, name), out));
    *view = qk_buf_view(out);
    return QK_OK;
}

static struct qk_bytes or_default(struct qk_bytes v, const char *preset)
{
    return v.p != NULL ? v : qk_str(preset);
}

/* ---- one reader per family ---- */

static void read_create_key(const json_t *in, struct kms_request *r)
{
    struct qk_bytes spec = text(in, "KeySpec"), old = text(in, "CustomerMasterKeySpec");
    r->both_specs = spec.p != NULL && old.p != NULL;
    r->spec_name = or_default(spec.p != NULL ? spec : old, "SYMMETRIC_DEFAULT");
    r->usage = text(in, "KeyUsage");
    r->origin = or_default(text(in, "Origin"), "AWS_KMS");
    r->policy = text(in, "Policy");
    r->description = text(in, "Description");
    r->multi_region = flag(in, "MultiRegion");
    r->custom_store = present(in, "CustomKeyStoreId") || present(in, "XksKeyId");
    r->n_tags = json_array_size(json_object_get(in, "Tags"));
    r->bypass_lockout = flag(in, "BypassPolicyLockoutSafetyCheck");
}

static qk_err read_sign(const json_t *in, struct owner *o, struct kms_request *r)
{
    struct qk_bytes type = text(in, "MessageType");
    QK_TRY(blob(in, "Message", &o->message, &r->message));
    if (r->op == KMS_OP_VERIFY) QK_TRY(blob(in, "Signature", &o->signature, &r->signature));
    r->algorithm = text(in, "SigningAlgorithm");
    r->message_type = qk_bytes_is(type, "DIGEST")        ? KMS_MESSAGE_DIGEST
                      : qk_bytes_is(type, "EXTERNAL_MU") ? KMS_MESSAGE_EXTERNAL_MU
                                                         : KMS_MESSAGE_RAW;
    return QK_OK;
}

static qk_err read_list(
    const json_t *in, struct owner *o, struct kms_request *r, struct kms_fault *fault)
{
    r->limit = number(in, "Limit", KMS_LIST_LIMIT_DEFAULT);
    r->user_name = text(in, "UserName");
    if (!present(in, "Marker")) return QK_OK;
    QK_TRY(kms_marker_decode(text(in, "Marker"), &o->after, fault));
    r->after = qk_buf_view(&o->after);
    return QK_OK;
}

static void read_create_user(const json_t *in, struct kms_request *r)
{
    const json_t *allow = json_object_get(in, "Allow");
    r->user_name = text(in, "UserName");
    r->admin = flag(in, "Admin");
    if (json_is_array(allow)) {
        for (r->n_allow = 0; r->n_allow < json_array_size(allow); r->n_allow++) {
            const json_t *v = json_array_get(allow, r->n_allow);
            r->allow[r->n_allow] = qk_bytes(json_string_value(v), json_string_length(v));
        }
    } else if (r->admin)
        r->allow[r->n_allow++] = qk_str("kms:*");
}

static qk_err read_response_key(const json_t *in, struct owner *o, struct kms_request *r)
{
    struct qk_bytes key;
    QK_TRY(blob(in, "ResponseKey", &o->message, &key));
    QK_ENSURE(key.len == sizeof r->response_key, QK_E_STATE);
    memcpy(r->response_key, key.p, sizeof r->response_key);
    return QK_OK;
}

static qk_err read_members(
    const json_t *in, struct owner *o, struct kms_request *r, struct kms_fault *fault)
{
    r->key_id = text(in, "KeyId");
    r->dry_run = flag(in, "DryRun");
    switch (r->op) {
    case KMS_OP_CREATE_KEY:
        read_create_key(in, r);
        return QK_OK;
    case KMS_OP_SIGN:
    case KMS_OP_VERIFY:
        return read_sign(in, o, r);
    case KMS_OP_UPDATE_KEY_DESCRIPTION:
        r->description = text(in, "Description");
        return QK_OK;
    case KMS_OP_SCHEDULE_KEY_DELETION:
        r->pending_days = number(in, "PendingWindowInDays", 30);
        return QK_OK;
    case KMS_OP_LIST_KEYS:
    case KMS_OP_LIST_USERS:
    case KMS_OP_LIST_ACCESS_KEYS:
        return read_list(in, o, r, fault);
    case KMS_OP_CREATE_USER:
        read_create_user(in, r);
        return QK_OK;
    case KMS_OP_CREATE_ACCESS_KEY:
        r->user_name = text(in, "UserName");
        return read_response_key(in, o, r);
    case KMS_OP_INITIALIZE:
        r->account_name = text(in, "AccountName");
        r->user_name = text(in, "AdminUserName");
        return read_response_key(in, o, r);
    case KMS_OP_UPDATE_ACCESS_KEY:
        r->access_key_id = text(in, "AccessKeyId");
        r->active = qk_bytes_is(text(in, "Status"), "Active");
        return QK_OK;
    default:
        return QK_OK;
    }
}

static qk_err read_json(
    const struct kms_raw *raw, struct owner *o, struct kms_request *r, struct kms_fault *fault)
{
    QK_TRY(kms_json_parse(raw->body, &o->root, fault));
    QK_TRY(kms_validate(r->op, o->root, fault));
    qk_err err = read_members(o->root, o, r, fault);
    return err == QK_OK || err == QK_E_DENIED ? err : kms_fault_internal(fault, err);
}

qk_err kms_request_parse(
    const struct kms_raw *raw, struct kms_request *out, struct kms_fault *fault)
{
    struct kms_request r = {0};
    QK_TRY(kms_op_of(raw, &r.op, fault));
    if (raw->body_is_hash) return kms_fault_internal(fault, QK_E_STATE);
    struct owner *o = calloc(1, sizeof *o);
    if (o == NULL) return kms_fault_internal(fault, QK_E_NOMEM);
    o->message = (struct qk_buf)QK_BUF_SECRET(KMS_RAW_BODY_MAX);
    o->signature = (struct qk_buf)QK_BUF(KMS_RAW_BODY_MAX);
    o->after = (struct qk_buf)QK_BUF(KMS_MARKER_MAX + 16);
    r.owner = o;
    if (kms_op_info(r.op)->service == KMS_SERVICE_KMS) {
        qk_err err = read_json(raw, o, &r, fault);
        if (err != QK_OK) {
            owner_free(o);
            return err;
        }
    }
    *out = r;
    return QK_OK;
}
