#include "kms/response.h"

#include <inttypes.h>
#include <stdio.h>
#include "qk/clock.h"
#include "qk/log.h"

/* ---- JSON members ---- */

struct json_out {
    struct qk_buf *b;
    bool more; /* a member stands before the next */
};

static void key_name(struct json_out *o, const char *name)
{
    qk_buf_add_str(o->b, o->more ? ",\"" : "\"");
    qk_buf_add_str(o->b, name);
    qk_buf_add_str(o->b, "\":");
    o->more = true;
}

static void put_text(struct json_out *o, const char *name, struct qk_bytes v)
{
    key_name(o, name);
    qk_json_string(o->b, v, v.len);
}

static void put_str(struct json_out *o, const char *name, const char *v)
{
    put_text(o, name, qk_str(v));
}

static void put_bool(struct json_out *o, const char *name, bool v)
{
    key_name(o, name);
    qk_buf_add_str(o->b, v ? "true" : "false");
}

static void put_number(struct json_out *o, const char *name, uint64_t v)
{
    key_name(o, name);
    qk_buf_printf(o->b, "%" PRIu64, v);
}

/* Epoch seconds with milliseconds. */
static void put_time(struct json_out *o, const char *name, uint64_t ms)
{
    key_name(o, name);
    qk_buf_printf(o->b, "%" PRIu64 ".%03u", ms / 1000, (unsigned)(ms % 1000));
}

static void put_blob(struct json_out *o, const char *name, struct qk_bytes v)
{
    key_name(o, name);
    qk_buf_add_u8(o->b, '"');
    qk_base64_add(o->b, v);
    qk_buf_add_u8(o->b, '"');
}

static void key_arn(const struct kms_key *key, char out[static KMS_ARN_MAX])
{
    char account[KMS_ACCOUNT_LEN + 1], region[KMS_REGION_MAX + 1];
    snprintf(account, sizeof account, "%.*s", (int)key->account.len, (const char *)key->account.p);
    snprintf(region, sizeof region, "%.*s", (int)key->region.len, (const char *)key->region.p);
    kms_key_arn(region, account, key->key_id, out);
}

static void put_arn(struct json_out *o, const char *name, const struct kms_key *key)
{
    char arn[KMS_ARN_MAX];
    key_arn(key, arn);
    put_str(o, name, arn);
}

static void put_algorithms(struct json_out *o, const struct kms_key *key)
{
    key_name(o, "SigningAlgorithms");
    qk_buf_printf(o->b, "[\"%s\"]", key->spec->algorithm);
}

/* ---- keys ---- */

void kms_answer_key(const struct kms_key *key, struct qk_buf *out)
{
    struct json_out o = {out, false};
    char uuid[KMS_UUID_LEN + 1];
    kms_uuid_text(key->key_id, uuid);
    qk_buf_add_str(out, "{\"KeyMetadata\":{");
    put_text(&o, "AWSAccountId", key->account);
    put_str(&o, "KeyId", uuid);
    put_arn(&o, "Arn", key);
    put_time(&o, "CreationDate", key->created_ms);
    put_bool(&o, "Enabled", key->state == KMS_STATE_ENABLED);
    put_text(&o, "Description", key->description);
    put_str(&o, "KeyUsage", key->spec->usage);
    put_str(&o, "KeyState", kms_key_state_name(key->state));
    if (key->state == KMS_STATE_PENDING_DELETION) put_time(&o, "DeletionDate", key->deletion_ms);
    put_str(&o, "Origin", "AWS_KMS");
    put_str(&o, "KeyManager", "CUSTOMER");
    put_str(&o, "KeySpec", key->spec->name);
    put_str(&o, "CustomerMasterKeySpec", key->spec->name);
    put_algorithms(&o, key);
    put_bool(&o, "MultiRegion", false);
    qk_buf_add_str(out, "}}");
}

void kms_answer_public_key(const struct kms_key *key, struct qk_buf *out)
{
    struct json_out o = {out, false};
    qk_buf_add_u8(out, '{');
    put_arn(&o, "KeyId", key);
    put_blob(&o, "PublicKey", key->spki);
    put_str(&o, "CustomerMasterKeySpec", key->spec->name);
    put_str(&o, "KeySpec", key->spec->name);
    put_str(&o, "KeyUsage", key->spec->usage);
    put_algorithms(&o, key);
    qk_buf_add_u8(out, '}');
}

void kms_answer_sign(const struct kms_key *key, struct qk_bytes der, struct qk_buf *out)
{
    struct json_out o = {out, false};
    qk_buf_add_u8(out, '{');
    put_arn(&o, "KeyId", key);
    put_blob(&o, "Signature", der);
    put_str(&o, "SigningAlgorithm", key->spec->algorithm);
    qk_buf_add_u8(out, '}');
}

void kms_answer_verify(const struct kms_key *key, struct qk_buf *out)
{
    struct json_out o = {out, false};
    qk_buf_add_u8(out, '{');
    put_arn(&o, "KeyId", key);
    put_bool(&o, "SignatureValid", true);
    put_str(&o, "SigningAlgorithm", key->spec->algorithm);
    qk_buf_add_u8(out, '}');
}

void kms_answer_schedule_deletion(const struct kms_key *key, struct qk_buf *out)
{
    struct json_out o = {out, false};
    qk_buf_add_u8(out, '{');
    put_arn(&o, "KeyId", key);
    put_time(&o, "DeletionDate", key->deletion_ms);
    put_str(&o, "KeyState", kms_key_state_name(key->state));
    put_number(&o, "PendingWindowInDays", key->pending_days);
    qk_buf_add_u8(out, '}');
}

void kms_answer_cancel_deletion(const struct kms_key *key, struct qk_buf *out)
{
    struct json_out o = {out, false};
    qk_buf_add_u8(out, '{');
    put_arn(&o, "KeyId", key);
    qk_buf_add_u8(out, '}');
}

/* ---- lists ---- */

static void put_key_entry(const struct kms_record *r, struct qk_buf *out)
{
    struct json_out o = {out, false};
    put_str(&o, "KeyId", r->id);
    put_arn(&o, "KeyArn", &r->key);
}

static void put_user(const struct kms_user *user, struct qk_buf *out)
{
    struct json_out o = {out, false};
    char account[KMS_ACCOUNT_LEN + 1], arn[KMS_ARN_MAX];
    snprintf(
        account, sizeof account, "%.*s", (int)user->account.len, (const char *)user->account.p);
    kms_user_arn(account, user->name, arn);
    put_text(&o, "UserName", user->name);
    put_text(&o, "UserId", user->user_id);
    put_str(&o, "Arn", arn);
    put_time(&o, "CreateDate", user->created_ms);
    put_bool(&o, "Admin", user->admin);
    key_name(&o, "Allow");
    qk_buf_add_u8(out, '[');
    for (size_t i = 0; i < user->n_allow; i++) {
        if (i > 0) qk_buf_add_u8(out, ',');
        qk_json_string(out, user->allow[i], user->allow[i].len);
    }
    qk_buf_add_u8(out, ']');
}

static void put_user_entry(const struct kms_record *r, struct qk_buf *out)
{
    put_user(&r->user, out);
}

static void put_credential(struct json_out *o, const struct kms_credential *c)
{
    put_text(o, "UserName", c->user_name);
    put_text(o, "AccessKeyId", c->access_key_id);
    put_str(o, "Status", c->active ? "Active" : "Inactive");
    put_time(o, "CreateDate", c->created_ms);
}

static void put_access_key_entry(const struct kms_record *r, struct qk_buf *out)
{
    struct json_out o = {out, false};
    put_credential(&o, &r->credential);
}

static void answer_list(const char *name, void (*put)(const struct kms_record *, struct qk_buf *),
    const struct kms_record *const *page, size_t n, bool more, struct qk_buf *out)
{
    struct json_out o = {out, false};
    qk_buf_add_u8(out, '{');
    key_name(&o, name);
    qk_buf_add_u8(out, '[');
    for (size_t i = 0; i < n; i++) {
        qk_buf_add_str(out, i > 0 ? ",{" : "{");
        put(page[i], out);
        qk_buf_add_u8(out, '}');
    }
    qk_buf_add_u8(out, ']');
    put_bool(&o, "Truncated", more && n > 0);
    if (more && n > 0) {
        key_name(&o, "NextMarker");
        qk_buf_add_u8(out, '"');
        kms_marker_encode(qk_str(page[n - 1]->id), out);
        qk_buf_add_u8(out, '"');
    }
    qk_buf_add_u8(out, '}');
}

void kms_answer_keys(const struct kms_record *const *page, size_t n, bool more, struct qk_buf *out)
{
    answer_list("Keys", put_key_entry, page, n, more, out);
}

void kms_answer_users(const struct kms_record *const *page, size_t n, bool more, struct qk_buf *out)
{
    answer_list("Users", put_user_entry, page, n, more, out);
}

void kms_answer_access_keys(
    const struct kms_record *const *page, size_t n, bool more, struct qk_buf *out)
{
    answer_list("AccessKeys", put_access_key_entry, page, n, more, out);
}

/* ---- callers ---- */

void kms_answer_user(const struct kms_user *user, struct qk_buf *out)
{
    qk_buf_add_str(out, "{\"User\":{");
    put_user(user, out);
    qk_buf_add_str(out, "}}");
}

void kms_answer_access_key(const struct kms_credential *credential, struct qk_bytes system,
    const struct kms_sealed_part *parts, size_t n_parts, struct qk_buf *out)
{
    struct json_out key = {out, false}, o = {out, true};
    qk_buf_add_str(out, "{\"AccessKey\":{");
    put_credential(&key, credential);
    put_number(&key, "Serial", credential->serial);
    qk_buf_add_u8(out, '}');
    put_blob(&o, "SystemKey", system);
    key_name(&o, "Sealed");
    qk_buf_add_u8(out, '[');
    for (size_t i = 0; i < n_parts; i++) {
        struct json_out part = {out, false};
        qk_buf_add_str(out, i > 0 ? ",{" : "{");
        put_number(&part, "Node", parts[i].node);
        put_blob(&part, "Value", parts[i].sealed);
        qk_buf_add_u8(out, '}');
    }
    qk_buf_add_str(out, "]}");
}

/* User names and accounts hold nothing that XML would want escaped. */
void kms_answer_caller_identity(
    const struct kms_user *user, const char *request_id, struct qk_buf *out)
{
    char account[KMS_ACCOUNT_LEN + 1], arn[KMS_ARN_MAX];
    snprintf(
        account, sizeof account, "%.*s", (int)user->account.len, (const char *)user->account.p);
    kms_user_arn(account, user->name, arn);
    qk_buf_printf(out,
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
        "<GetCallerIdentityResult><Arn>%s</Arn><UserId>%.*s</UserId><Account>%s</Account>"
        "</GetCallerIdentityResult><ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata>"
        "</GetCallerIdentityResponse>",
        arn, (int)user->user_id.len, (const char *)user->user_id.p, account, request_id);
}

/* ---- markers: base64 of "m1:" and the id ---- */

#define MARKER_TAG "m1:"

void kms_marker_encode(struct qk_bytes after, struct qk_buf *out)
{
    QK_AUTO_BUF plain = QK_BUF(KMS_MARKER_MAX + 16);
    qk_buf_add_str(&plain, MARKER_TAG);
    qk_buf_add(&plain, after.p, after.len);
    if (plain.err != QK_OK)
        out->err = plain.err;
    else
        qk_base64_add(out, qk_buf_view(&plain));
}

static bool id_text(struct qk_bytes v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.p[i] <= 0x20 || v.p[i] >= 0x7f) return false;
    return v.len > 0 && v.len <= KMS_RECORD_ID_MAX;
}

qk_err kms_marker_decode(struct qk_bytes marker, struct qk_buf *after, struct kms_fault *fault)
{
    QK_AUTO_BUF plain = QK_BUF(KMS_MARKER_MAX + 16);
    size_t tag = sizeof MARKER_TAG - 1;
    qk_err err = qk_unbase64(marker, &plain);
    bool ok = err == QK_OK && plain.len > tag && memcmp(plain.p, MARKER_TAG, tag) == 0 &&
              id_text(qk_bytes(plain.p + tag, plain.len - tag));
    if (err >= 500) return kms_fault_internal(fault, err);
    if (!ok) return kms_fault_set(fault, "InvalidMarkerException", "The marker is not valid.");
    qk_buf_add(after, plain.p + tag, plain.len - tag);
    return after->err == QK_OK ? QK_OK : kms_fault_internal(fault, after->err);
}

bool kms_answer_is_empty(enum kms_op op)
{
    return op == KMS_OP_ENABLE_KEY || op == KMS_OP_DISABLE_KEY ||
           op == KMS_OP_UPDATE_KEY_DESCRIPTION;
}
