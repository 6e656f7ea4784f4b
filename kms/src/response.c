#include "kms/response.h"

#include <stdio.h>
#include "json_out.h"
#include "qk/log.h"

static void put_algorithms(struct kms_json *o, const struct kms_key *key)
{
    kms_json_key_name(o, kms_keyspec_is_symmetric(key->spec) ? "EncryptionAlgorithms"
                         : kms_keyspec_is_mac(key->spec)     ? "MacAlgorithms"
                                                             : "SigningAlgorithms");
    qk_buf_printf(o->b, "[\"%s\"]", key->spec->algorithm);
}

/* ---- keys ---- */

/* Imported material, once all of it is here. The earliest end of any that is in use is the key's.
 */
static void put_expiration(struct kms_json *o, const struct kms_symmetric *sym)
{
    struct kms_material m;
    uint64_t end = 0;
    if (sym->current == 0 || sym->missing > 0) return;
    for (uint32_t ver = 1; ver <= sym->current && kms_material_get(sym, ver, &m); ver++)
        if (m.valid_to_ms != 0 && (end == 0 || m.valid_to_ms < end)) end = m.valid_to_ms;
    kms_json_str(
        o, "ExpirationModel", end != 0 ? "KEY_MATERIAL_EXPIRES" : "KEY_MATERIAL_DOES_NOT_EXPIRE");
    if (end != 0) kms_json_time(o, "ValidTo", end);
}

static void put_material(struct kms_json *o, const struct kms_key *key)
{
    struct kms_material m = {.here = true};
    if (key->sym.current == 0) return;
    if (key->origin == KMS_ORIGIN_EXTERNAL) {
        (void)kms_material_get(&key->sym, key->sym.current, &m);
        put_expiration(o, &key->sym);
    }
    if (m.here && kms_keyspec_is_symmetric(key->spec))
        kms_json_material_id(o, "CurrentKeyMaterialId", key->sym.material_id);
}

void kms_answer_key(const struct kms_key *key, struct qk_buf *out)
{
    struct kms_json o = {out, false};
    char uuid[KMS_UUID_LEN + 1];
    kms_uuid_text(key->key_id, uuid);
    qk_buf_add_str(out, "{\"KeyMetadata\":{");
    kms_json_text(&o, "AWSAccountId", key->account);
    kms_json_str(&o, "KeyId", uuid);
    kms_json_arn(&o, "Arn", key);
    kms_json_time(&o, "CreationDate", key->created_ms);
    kms_json_bool(&o, "Enabled", key->state == KMS_STATE_ENABLED);
    kms_json_text(&o, "Description", key->description);
    kms_json_str(&o, "KeyUsage", key->spec->usage);
    kms_json_str(&o, "KeyState", kms_key_state_name(key->state));
    if (key->state == KMS_STATE_PENDING_DELETION)
        kms_json_time(&o, "DeletionDate", key->deletion_ms);
    kms_json_str(&o, "Origin", key->origin == KMS_ORIGIN_EXTERNAL ? "EXTERNAL" : "AWS_KMS");
    kms_json_str(&o, "KeyManager", "CUSTOMER");
    kms_json_str(&o, "KeySpec", key->spec->name);
    kms_json_str(&o, "CustomerMasterKeySpec", key->spec->name);
    put_algorithms(&o, key);
    put_material(&o, key);
    kms_json_bool(&o, "MultiRegion", false);
    qk_buf_add_str(out, "}}");
}

void kms_answer_public_key(const struct kms_key *key, struct qk_buf *out)
{
    struct kms_json o = {out, false};
    qk_buf_add_u8(out, '{');
    kms_json_arn(&o, "KeyId", key);
    kms_json_blob(&o, "PublicKey", key->spki);
    kms_json_str(&o, "CustomerMasterKeySpec", key->spec->name);
    kms_json_str(&o, "KeySpec", key->spec->name);
    kms_json_str(&o, "KeyUsage", key->spec->usage);
    put_algorithms(&o, key);
    qk_buf_add_u8(out, '}');
}

void kms_answer_sign(const struct kms_key *key, struct qk_bytes der, struct qk_buf *out)
{
    struct kms_json o = {out, false};
    qk_buf_add_u8(out, '{');
    kms_json_arn(&o, "KeyId", key);
    kms_json_blob(&o, "Signature", der);
    kms_json_str(&o, "SigningAlgorithm", key->spec->algorithm);
    qk_buf_add_u8(out, '}');
}

void kms_answer_verify(const struct kms_key *key, struct qk_buf *out)
{
    struct kms_json o = {out, false};
    qk_buf_add_u8(out, '{');
    kms_json_arn(&o, "KeyId", key);
    kms_json_bool(&o, "SignatureValid", true);
    kms_json_str(&o, "SigningAlgorithm", key->spec->algorithm);
    qk_buf_add_u8(out, '}');
}

void kms_answer_schedule_deletion(const struct kms_key *key, struct qk_buf *out)
{
    struct kms_json o = {out, false};
    qk_buf_add_u8(out, '{');
    kms_json_arn(&o, "KeyId", key);
    kms_json_time(&o, "DeletionDate", key->deletion_ms);
    kms_json_str(&o, "KeyState", kms_key_state_name(key->state));
    kms_json_number(&o, "PendingWindowInDays", key->pending_days);
    qk_buf_add_u8(out, '}');
}

void kms_answer_cancel_deletion(const struct kms_key *key, struct qk_buf *out)
{
    struct kms_json o = {out, false};
    qk_buf_add_u8(out, '{');
    kms_json_arn(&o, "KeyId", key);
    qk_buf_add_u8(out, '}');
}

/* ---- lists ---- */

static void put_key_entry(const struct kms_record *r, struct qk_buf *out)
{
    struct kms_json o = {out, false};
    kms_json_str(&o, "KeyId", r->id);
    kms_json_arn(&o, "KeyArn", &r->key);
}

static void put_user(const struct kms_user *user, struct qk_buf *out)
{
    struct kms_json o = {out, false};
    char account[KMS_ACCOUNT_LEN + 1], arn[KMS_ARN_MAX];
    snprintf(
        account, sizeof account, "%.*s", (int)user->account.len, (const char *)user->account.p);
    kms_user_arn(account, user->name, arn);
    kms_json_text(&o, "UserName", user->name);
    kms_json_text(&o, "UserId", user->user_id);
    kms_json_str(&o, "Arn", arn);
    kms_json_time(&o, "CreateDate", user->created_ms);
    kms_json_bool(&o, "Admin", user->admin);
    kms_json_key_name(&o, "Allow");
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

static void put_credential(struct kms_json *o, const struct kms_credential *c)
{
    kms_json_text(o, "UserName", c->user_name);
    kms_json_text(o, "AccessKeyId", c->access_key_id);
    kms_json_str(o, "Status", c->active ? "Active" : "Inactive");
    kms_json_time(o, "CreateDate", c->created_ms);
}

static void put_access_key_entry(const struct kms_record *r, struct qk_buf *out)
{
    struct kms_json o = {out, false};
    put_credential(&o, &r->credential);
}

static void answer_list(const char *name, void (*put)(const struct kms_record *, struct qk_buf *),
    const struct kms_record *const *page, size_t n, bool more, struct qk_buf *out)
{
    struct kms_json o = {out, false};
    qk_buf_add_u8(out, '{');
    kms_json_key_name(&o, name);
    qk_buf_add_u8(out, '[');
    for (size_t i = 0; i < n; i++) {
        qk_buf_add_str(out, i > 0 ? ",{" : "{");
        put(page[i], out);
        qk_buf_add_u8(out, '}');
    }
    qk_buf_add_u8(out, ']');
    kms_json_page(&o, more && n > 0, n > 0 ? qk_str(page[n - 1]->id) : qk_str(""));
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
    struct kms_json key = {out, false}, o = {out, true};
    qk_buf_add_str(out, "{\"AccessKey\":{");
    put_credential(&key, credential);
    kms_json_number(&key, "Serial", credential->serial);
    qk_buf_add_u8(out, '}');
    kms_json_blob(&o, "SystemKey", system);
    kms_json_key_name(&o, "Sealed");
    qk_buf_add_u8(out, '[');
    for (size_t i = 0; i < n_parts; i++) {
        struct kms_json part = {out, false};
        qk_buf_add_str(out, i > 0 ? ",{" : "{");
        kms_json_number(&part, "Node", parts[i].node);
        kms_json_blob(&part, "Value", parts[i].sealed);
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
           op == KMS_OP_UPDATE_KEY_DESCRIPTION || op == KMS_OP_ENABLE_KEY_ROTATION ||
           op == KMS_OP_DISABLE_KEY_ROTATION;
}
