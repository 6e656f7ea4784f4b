#include "kms/record.h"

#include <inttypes.h>
#include <stdio.h>
#include "digest.h"
#include "kms/policy.h"
#include "record_key.h"

#define FORMAT 1 /* of the encoding; a reader refuses others */

const char *kms_key_state_name(enum kms_key_state state)
{
    switch (state) {
    case KMS_STATE_ENABLED:
        return "Enabled";
    case KMS_STATE_DISABLED:
        return "Disabled";
    case KMS_STATE_PENDING_DELETION:
        return "PendingDeletion";
    case KMS_STATE_DELETED:
        return "Deleted";
    case KMS_STATE_PENDING_IMPORT:
        return "PendingImport";
    }
    return "Unavailable";
}

/* ---- names ---- */

void kms_ref_account(const char *account, struct kms_ref *out)
{
    out->kind = KMS_KIND_ACCOUNT;
    snprintf(out->id, sizeof out->id, "%.12s", account);
}

qk_err kms_ref_user(const char *account, struct qk_bytes name, struct kms_ref *out)
{
    QK_ENSURE(kms_user_name_valid(name), QK_E_MALFORMED);
    out->kind = KMS_KIND_USER;
    snprintf(out->id, sizeof out->id, "%.12s/%.*s", account, (int)name.len, (const char *)name.p);
    return QK_OK;
}

qk_err kms_ref_credential(struct qk_bytes access_key_id, struct kms_ref *out)
{
    QK_ENSURE(kms_akid_valid(access_key_id), QK_E_MALFORMED);
    out->kind = KMS_KIND_CREDENTIAL;
    snprintf(out->id, sizeof out->id, "%.*s", KMS_AKID_LEN, (const char *)access_key_id.p);
    return QK_OK;
}

void kms_ref_key(const uint8_t key_id[static 16], struct kms_ref *out)
{
    out->kind = KMS_KIND_KEY;
    kms_uuid_text(key_id, out->id);
}

void kms_ref_version(const uint8_t key_id[static 16], uint32_t ver, struct kms_ref *out)
{
    out->kind = KMS_KIND_VERSION;
    kms_uuid_text(key_id, out->id);
    snprintf(out->id + KMS_UUID_LEN, sizeof out->id - KMS_UUID_LEN, "/%" PRIu32, ver);
}

void kms_ref_system(struct kms_ref *out)
{
    out->kind = KMS_KIND_SYSTEM;
    snprintf(out->id, sizeof out->id, "system");
}

/* ---- bounds, the same for writing and reading ---- */

static bool no_control(struct qk_bytes v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.p[i] < 0x20 || v.p[i] == 0x7f) return false;
    return qk_utf8_valid(v);
}

static bool account_ok(const struct kms_account *a)
{
    return kms_account_valid(a->account) && a->name.len >= 1 &&
           a->name.len <= KMS_ACCOUNT_NAME_MAX && no_control(a->name) &&
           a->created_ms <= KMS_TIME_MAX;
}

static bool user_ok(const struct kms_user *u)
{
    for (size_t i = 0; i < u->n_allow && i < KMS_ALLOW_MAX; i++)
        if (!kms_pattern_valid(u->allow[i])) return false;
    return kms_account_valid(u->account) && kms_user_name_valid(u->name) &&
           kms_user_id_valid(u->user_id) && u->n_allow <= KMS_ALLOW_MAX &&
           u->created_ms <= KMS_TIME_MAX;
}

static bool credential_ok(const struct kms_credential *c)
{
    return kms_akid_valid(c->access_key_id) && kms_account_valid(c->account) &&
           kms_user_name_valid(c->user_name) && c->serial >= 1 && c->created_ms <= KMS_TIME_MAX;
}

static bool system_ok(const struct kms_system *s)
{
    return s->pkrec.len >= 1 && s->pkrec.len <= KMS_PKREC_MAX && s->created_ms <= KMS_TIME_MAX;
}

static bool body_ok(const struct kms_record *r)
{
    switch (r->kind) {
    case KMS_KIND_ACCOUNT:
        return account_ok(&r->account);
    case KMS_KIND_USER:
        return user_ok(&r->user);
    case KMS_KIND_CREDENTIAL:
        return credential_ok(&r->credential);
    case KMS_KIND_KEY:
        return kms_key_ok(&r->key);
    case KMS_KIND_VERSION:
        return kms_version_ok(&r->version_of);
    case KMS_KIND_SYSTEM:
        return system_ok(&r->system);
    }
    return false;
}

static qk_err own_ref(const struct kms_record *r, struct kms_ref *ref)
{
    char account[KMS_ACCOUNT_LEN + 1];
    switch (r->kind) {
    case KMS_KIND_ACCOUNT:
        snprintf(account, sizeof account, "%.12s", (const char *)r->account.account.p);
        kms_ref_account(account, ref);
        return QK_OK;
    case KMS_KIND_USER:
        snprintf(account, sizeof account, "%.12s", (const char *)r->user.account.p);
        return kms_ref_user(account, r->user.name, ref);
    case KMS_KIND_CREDENTIAL:
        return kms_ref_credential(r->credential.access_key_id, ref);
    case KMS_KIND_KEY:
        kms_ref_key(r->key.key_id, ref);
        return QK_OK;
    case KMS_KIND_VERSION:
        kms_ref_version(r->version_of.key_id, r->version_of.ver, ref);
        return QK_OK;
    case KMS_KIND_SYSTEM:
        kms_ref_system(ref);
        return QK_OK;
    }
    return QK_E_STATE;
}

static bool record_ok(const struct kms_record *r)
{
    static const uint8_t zeros[32];
    struct kms_ref ref;
    if (!body_ok(r) || own_ref(r, &ref) != QK_OK || strcmp(ref.id, r->id) != 0) return false;
    bool first = memcmp(r->prev, zeros, sizeof zeros) == 0;
    return r->version >= 1 && (r->version == 1) == first;
}

/* ---- writing ---- */

static void put_account(const struct kms_account *a, struct qk_buf *b)
{
    qk_pack_map(b, 3);
    qk_pack_key_str(b, "account", a->account);
    qk_pack_key_str(b, "name", a->name);
    qk_pack_key_uint(b, "created", a->created_ms);
}

static void put_user(const struct kms_user *u, struct qk_buf *b)
{
    qk_pack_map(b, 6);
    qk_pack_key_str(b, "account", u->account);
    qk_pack_key_str(b, "name", u->name);
    qk_pack_key_str(b, "user_id", u->user_id);
    qk_pack_key_bool(b, "admin", u->admin);
    qk_pack_key(b, "allow");
    qk_pack_array(b, (uint32_t)u->n_allow);
    for (size_t i = 0; i < u->n_allow; i++) qk_pack_str(b, u->allow[i]);
    qk_pack_key_uint(b, "created", u->created_ms);
}

static void put_credential(const struct kms_credential *c, struct qk_buf *b)
{
    qk_pack_map(b, 6);
    qk_pack_key_str(b, "access_key_id", c->access_key_id);
    qk_pack_key_str(b, "account", c->account);
    qk_pack_key_str(b, "user", c->user_name);
    qk_pack_key_uint(b, "serial", c->serial);
    qk_pack_key_bool(b, "active", c->active);
    qk_pack_key_uint(b, "created", c->created_ms);
}

static void put_system(const struct kms_system *s, struct qk_buf *b)
{
    qk_pack_map(b, 2);
    qk_pack_key_bin(b, "pkrec", s->pkrec);
    qk_pack_key_uint(b, "created", s->created_ms);
}

static void put_record(const struct kms_record *r, struct qk_buf *b)
{
    qk_pack_map(b, 6);
    qk_pack_key_uint(b, "format", FORMAT);
    qk_pack_key_uint(b, "kind", r->kind);
    qk_pack_key_str(b, "id", qk_str(r->id));
    qk_pack_key_uint(b, "version", r->version);
    qk_pack_key_bin(b, "prev", QK_BYTES(r->prev));
    qk_pack_key(b, "body");
    switch (r->kind) {
    case KMS_KIND_ACCOUNT:
        put_account(&r->account, b);
        break;
    case KMS_KIND_USER:
        put_user(&r->user, b);
        break;
    case KMS_KIND_CREDENTIAL:
        put_credential(&r->credential, b);
        break;
    case KMS_KIND_KEY:
        kms_key_put(&r->key, b);
        break;
    case KMS_KIND_VERSION:
        kms_version_put(&r->version_of, b);
        break;
    case KMS_KIND_SYSTEM:
        put_system(&r->system, b);
        break;
    }
}

qk_err kms_record_hash(struct qk_bytes encoding, uint8_t out[static 32])
{
    QK_AUTO_BUF framed = QK_BUF(KMS_RECORD_ENCODED_MAX + 64);
    kms_frame(&framed, qk_str("qkms-record-v1"));
    kms_frame(&framed, encoding);
    QK_TRY(framed.err);
    return kms_sha256(qk_buf_view(&framed), out);
}

qk_err kms_record_encode(struct kms_record *r, struct qk_buf *out)
{
    QK_ENSURE(record_ok(r), QK_E_STATE);
    size_t start = out->len;
    put_record(r, out);
    QK_TRY(out->err);
    QK_ENSURE(out->len - start <= KMS_RECORD_ENCODED_MAX, QK_E_TOO_LARGE);
    return kms_record_hash(qk_bytes(out->p + start, out->len - start), r->hash);
}

/* ---- reading ---- */

static qk_err get_account(struct qk_unpack *u, struct kms_account *a)
{
    QK_TRY(qk_unpack_map(u, 3));
    QK_TRY(qk_unpack_key_str(u, "account", KMS_ACCOUNT_LEN, KMS_ACCOUNT_LEN, &a->account));
    QK_TRY(qk_unpack_key_str(u, "name", 1, KMS_ACCOUNT_NAME_MAX, &a->name));
    return qk_unpack_key_uint(u, "created", KMS_TIME_MAX, &a->created_ms);
}

static qk_err get_user(struct qk_unpack *u, struct kms_user *v)
{
    uint32_t n;
    QK_TRY(qk_unpack_map(u, 6));
    QK_TRY(qk_unpack_key_str(u, "account", KMS_ACCOUNT_LEN, KMS_ACCOUNT_LEN, &v->account));
    QK_TRY(qk_unpack_key_str(u, "name", 1, KMS_USER_NAME_MAX, &v->name));
    QK_TRY(qk_unpack_key_str(u, "user_id", KMS_USER_ID_LEN, KMS_USER_ID_LEN, &v->user_id));
    QK_TRY(qk_unpack_key_bool(u, "admin", &v->admin));
    QK_TRY(qk_unpack_key(u, "allow"));
    QK_TRY(qk_unpack_array(u, 0, KMS_ALLOW_MAX, &n));
    for (v->n_allow = 0; v->n_allow < n; v->n_allow++)
        QK_TRY(qk_unpack_str(u, 1, KMS_ALLOW_TEXT_MAX, &v->allow[v->n_allow]));
    return qk_unpack_key_uint(u, "created", KMS_TIME_MAX, &v->created_ms);
}

static qk_err get_credential(struct qk_unpack *u, struct kms_credential *c)
{
    uint64_t serial;
    QK_TRY(qk_unpack_map(u, 6));
    QK_TRY(qk_unpack_key_str(u, "access_key_id", KMS_AKID_LEN, KMS_AKID_LEN, &c->access_key_id));
    QK_TRY(qk_unpack_key_str(u, "account", KMS_ACCOUNT_LEN, KMS_ACCOUNT_LEN, &c->account));
    QK_TRY(qk_unpack_key_str(u, "user", 1, KMS_USER_NAME_MAX, &c->user_name));
    QK_TRY(qk_unpack_key_uint(u, "serial", UINT32_MAX, &serial));
    QK_TRY(qk_unpack_key_bool(u, "active", &c->active));
    c->serial = (uint32_t)serial;
    return qk_unpack_key_uint(u, "created", KMS_TIME_MAX, &c->created_ms);
}

static qk_err get_system(struct qk_unpack *u, struct kms_system *s)
{
    QK_TRY(qk_unpack_map(u, 2));
    QK_TRY(qk_unpack_key_bin(u, "pkrec", 1, KMS_PKREC_MAX, &s->pkrec));
    return qk_unpack_key_uint(u, "created", KMS_TIME_MAX, &s->created_ms);
}

static qk_err get_body(struct qk_unpack *u, struct kms_record *r)
{
    switch (r->kind) {
    case KMS_KIND_ACCOUNT:
        return get_account(u, &r->account);
    case KMS_KIND_USER:
        return get_user(u, &r->user);
    case KMS_KIND_CREDENTIAL:
        return get_credential(u, &r->credential);
    case KMS_KIND_KEY:
        return kms_key_get(u, &r->key);
    case KMS_KIND_VERSION:
        return kms_version_get(u, &r->version_of);
    case KMS_KIND_SYSTEM:
        return get_system(u, &r->system);
    }
    return QK_E_MALFORMED;
}

static qk_err get_header(struct qk_unpack *u, struct kms_record *r)
{
    uint64_t format, kind;
    struct qk_bytes id;
    QK_TRY(qk_unpack_map(u, 6));
    QK_TRY(qk_unpack_key_uint(u, "format", FORMAT, &format));
    QK_ENSURE(format == FORMAT, QK_E_MALFORMED);
    QK_TRY(qk_unpack_key_uint(u, "kind", KMS_KIND_VERSION, &kind));
    QK_TRY(qk_unpack_key_str(u, "id", 1, KMS_RECORD_ID_MAX, &id));
    QK_TRY(qk_unpack_key_uint(u, "version", UINT64_MAX, &r->version));
    QK_TRY(qk_unpack_key_fixed(u, "prev", r->prev, sizeof r->prev));
    QK_ENSURE(memchr(id.p, 0, id.len) == NULL, QK_E_MALFORMED);
    r->kind = (enum kms_kind)kind;
    memcpy(r->id, id.p, id.len);
    r->id[id.len] = 0;
    return qk_unpack_key(u, "body");
}

qk_err kms_record_decode(struct qk_bytes in, struct kms_record *r)
{
    QK_ENSURE(in.len <= KMS_RECORD_ENCODED_MAX, QK_E_TOO_LARGE);
    struct qk_unpack u = qk_unpack(in);
    struct kms_record got = {0};
    QK_TRY(get_header(&u, &got));
    QK_TRY(get_body(&u, &got));
    QK_TRY(qk_unpack_end(&u));
    QK_ENSURE(record_ok(&got), QK_E_MALFORMED);

    QK_AUTO_BUF again = QK_BUF(KMS_RECORD_ENCODED_MAX);
    put_record(&got, &again);
    QK_TRY(again.err);
    QK_ENSURE(qk_bytes_eq(qk_buf_view(&again), in), QK_E_MALFORMED);
    QK_TRY(kms_record_hash(in, got.hash));
    *r = got;
    return QK_OK;
}

qk_err kms_stored_load(struct qk_bytes in, struct kms_stored *out)
{
    *out = (struct kms_stored){.bytes = QK_BUF(KMS_RECORD_ENCODED_MAX)};
    qk_buf_add(&out->bytes, in.p, in.len);
    QK_TRY(out->bytes.err);
    return kms_record_decode(qk_buf_view(&out->bytes), &out->r);
}

void kms_stored_free(struct kms_stored *s)
{
    qk_buf_free(&s->bytes);
    memset(&s->r, 0, sizeof s->r);
}
