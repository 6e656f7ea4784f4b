#include "kms/raw.h"

#include <strings.h>
#include "digest.h"
#include "qk/pack.h"

static bool token_char(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_token(struct qk_bytes v)
{
    for (size_t i = 0; i < v.len; i++)
        if (!token_char(v.p[i])) return false;
    return v.len > 0;
}

/* Visible characters and bytes above ASCII, as in a request target. */
static bool is_target(struct qk_bytes v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.p[i] <= 0x20 || v.p[i] == 0x7f) return false;
    return true;
}

static bool is_value(struct qk_bytes v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.p[i] == '\r' || v.p[i] == '\n' || v.p[i] == 0) return false;
    return true;
}

qk_err kms_raw_check(const struct kms_raw *raw)
{
    QK_ENSURE(raw->n_headers <= KMS_RAW_HEADERS_MAX, QK_E_TOO_LARGE);
    QK_ENSURE(raw->body.len <= KMS_RAW_BODY_MAX, QK_E_TOO_LARGE);
    QK_ENSURE(!raw->body_is_hash || raw->body.len == 32, QK_E_MALFORMED);
    QK_ENSURE(is_token(raw->method), QK_E_MALFORMED);
    QK_ENSURE(raw->path.len > 0 && raw->path.p[0] == '/', QK_E_MALFORMED);
    QK_ENSURE(is_target(raw->path) && is_target(raw->query), QK_E_MALFORMED);
    QK_ENSURE(memchr(raw->path.p, '?', raw->path.len) == NULL, QK_E_MALFORMED);

    size_t head = raw->method.len + raw->path.len + raw->query.len;
    for (size_t i = 0; i < raw->n_headers; i++) {
        QK_ENSURE(is_token(raw->headers[i].name), QK_E_MALFORMED);
        QK_ENSURE(is_value(raw->headers[i].value), QK_E_MALFORMED);
        head += raw->headers[i].name.len + raw->headers[i].value.len;
    }
    QK_ENSURE(head <= KMS_RAW_HEAD_MAX, QK_E_TOO_LARGE);
    return QK_OK;
}

qk_err kms_raw_add_header(struct kms_raw *raw, struct qk_bytes name, struct qk_bytes value)
{
    QK_ENSURE(raw->n_headers < KMS_RAW_HEADERS_MAX, QK_E_TOO_LARGE);
    raw->headers[raw->n_headers++] = (struct kms_raw_header){name, value};
    return QK_OK;
}

static bool name_is(struct qk_bytes name, const char *lower)
{
    return name.len == strlen(lower) && strncasecmp((const char *)name.p, lower, name.len) == 0;
}

const struct qk_bytes *kms_raw_header(const struct kms_raw *raw, const char *lower_name)
{
    for (size_t i = 0; i < raw->n_headers; i++)
        if (name_is(raw->headers[i].name, lower_name)) return &raw->headers[i].value;
    return NULL;
}

size_t kms_raw_header_count(const struct kms_raw *raw, const char *lower_name)
{
    size_t n = 0;
    for (size_t i = 0; i < raw->n_headers; i++) n += name_is(raw->headers[i].name, lower_name);
    return n;
}

qk_err kms_raw_body_hash(const struct kms_raw *raw, uint8_t out[static 32])
{
    if (!raw->body_is_hash) return kms_sha256(raw->body, out);
    QK_ENSURE(raw->body.len == 32, QK_E_STATE);
    memcpy(out, raw->body.p, 32);
    return QK_OK;
}

qk_err kms_raw_encode(const struct kms_raw *raw, struct qk_buf *out)
{
    QK_TRY(kms_raw_check(raw));
    qk_pack_map(out, 6);
    qk_pack_key_bin(out, "method", raw->method);
    qk_pack_key_bin(out, "path", raw->path);
    qk_pack_key_bin(out, "query", raw->query);
    qk_pack_key(out, "headers");
    qk_pack_array(out, (uint32_t)raw->n_headers);
    for (size_t i = 0; i < raw->n_headers; i++) {
        qk_pack_array(out, 2);
        qk_pack_bin(out, raw->headers[i].name);
        qk_pack_bin(out, raw->headers[i].value);
    }
    qk_pack_key_bool(out, "hashed", raw->body_is_hash);
    qk_pack_key_bin(out, "body", raw->body);
    return out->err;
}

static qk_err decode_header(struct qk_unpack *u, struct kms_raw_header *h)
{
    uint32_t two;
    QK_TRY(qk_unpack_array(u, 2, 2, &two));
    QK_TRY(qk_unpack_bin(u, 1, KMS_RAW_HEAD_MAX, &h->name));
    return qk_unpack_bin(u, 0, KMS_RAW_HEAD_MAX, &h->value);
}

qk_err kms_raw_decode(struct qk_bytes in, struct kms_raw *raw)
{
    struct qk_unpack u = qk_unpack(in);
    struct kms_raw r = {0};
    uint32_t n;
    QK_TRY(qk_unpack_map(&u, 6));
    QK_TRY(qk_unpack_key_bin(&u, "method", 1, KMS_RAW_HEAD_MAX, &r.method));
    QK_TRY(qk_unpack_key_bin(&u, "path", 1, KMS_RAW_HEAD_MAX, &r.path));
    QK_TRY(qk_unpack_key_bin(&u, "query", 0, KMS_RAW_HEAD_MAX, &r.query));
    QK_TRY(qk_unpack_key(&u, "headers"));
    QK_TRY(qk_unpack_array(&u, 0, KMS_RAW_HEADERS_MAX, &n));
    for (r.n_headers = 0; r.n_headers < n; r.n_headers++)
        QK_TRY(decode_header(&u, &r.headers[r.n_headers]));
    QK_TRY(qk_unpack_key_bool(&u, "hashed", &r.body_is_hash));
    QK_TRY(qk_unpack_key_bin(&u, "body", 0, KMS_RAW_BODY_MAX, &r.body));
    QK_TRY(qk_unpack_end(&u));
    QK_TRY(kms_raw_check(&r));
    *raw = r;
    return QK_OK;
}
