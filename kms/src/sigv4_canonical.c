/* The canonical request and the key chain: what both sides of SigV4 compute alike. */
#include "kms/sigv4.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <strings.h>
#include "digest.h"

#define QUERY_PARAMS_MAX 64
#define SEGMENTS_MAX     256
#define CANONICAL_MAX    (4 * KMS_RAW_HEAD_MAX)

static bool unreserved(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

static void uri_encode(struct qk_buf *out, struct qk_bytes v)
{
    for (size_t i = 0; i < v.len; i++) {
        if (unreserved(v.p[i]))
            qk_buf_add_u8(out, v.p[i]);
        else
            qk_buf_printf(out, "%%%02X", v.p[i]);
    }
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Query text arrives escaped in one of several ways: decode, then escape in the canonical one. */
static void uri_reencode(struct qk_buf *out, struct qk_bytes v)
{
    for (size_t i = 0; i < v.len; i++) {
        uint8_t c = v.p[i];
        if (c == '%' && i + 2 < v.len && hex_value(v.p[i + 1]) >= 0 && hex_value(v.p[i + 2]) >= 0) {
            c = (uint8_t)(hex_value(v.p[i + 1]) * 16 + hex_value(v.p[i + 2]));
            i += 2;
        }
        uri_encode(out, qk_bytes(&c, 1));
    }
}

/* The path's segments with "", "." and ".." resolved, each escaped once more than received. */
static qk_err canonical_path(struct qk_bytes path, struct qk_buf *out)
{
    struct qk_bytes seg[SEGMENTS_MAX];
    size_t n = 0, start = 0;
    for (size_t i = 0; i <= path.len; i++) {
        if (i < path.len && path.p[i] != '/') continue;
        struct qk_bytes s = qk_bytes(path.p + start, i - start);
        start = i + 1;
        if (qk_bytes_is(s, ".."))
            n -= n > 0;
        else if (s.len > 0 && !qk_bytes_is(s, ".")) {
            QK_ENSURE(n < SEGMENTS_MAX, QK_E_TOO_LARGE);
            seg[n++] = s;
        }
    }
    for (size_t i = 0; i < n; i++) {
        qk_buf_add_u8(out, '/');
        uri_encode(out, seg[i]);
    }
    bool dir = path.len > 0 && path.p[path.len - 1] == '/';
    if (n == 0 || dir) qk_buf_add_u8(out, '/');
    return out->err;
}

struct param {
    size_t name, name_len, value, value_len; /* places in the buffer of escaped texts */
    const struct qk_buf *text;
};

static int compare_bytes(struct qk_bytes a, struct qk_bytes b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

static int compare_params(const void *x, const void *y)
{
    const struct param *a = x, *b = y;
    const uint8_t *base = a->text->p;
    int c =
        compare_bytes(qk_bytes(base + a->name, a->name_len), qk_bytes(base + b->name, b->name_len));
    if (c != 0) return c;
    return compare_bytes(
        qk_bytes(base + a->value, a->value_len), qk_bytes(base + b->value, b->value_len));
}

static void param_read(struct qk_bytes item, struct qk_buf *text, struct param *p)
{
    const uint8_t *eq = item.len ? memchr(item.p, '=', item.len) : NULL;
    size_t name_len = eq ? (size_t)(eq - item.p) : item.len;
    p->text = text;
    p->name = text->len;
    uri_reencode(text, qk_bytes(item.p, name_len));
    p->name_len = text->len - p->name;
    p->value = text->len;
    if (eq) uri_reencode(text, qk_bytes(eq + 1, item.len - name_len - 1));
    p->value_len = text->len - p->value;
}

static qk_err canonical_query(struct qk_bytes query, struct qk_buf *out)
{
    struct param params[QUERY_PARAMS_MAX];
    QK_AUTO_BUF text = QK_BUF(CANONICAL_MAX);
    size_t n = 0, start = 0;
    for (size_t i = 0; i <= query.len; i++) {
        if (i < query.len && query.p[i] != '&') continue;
        struct qk_bytes item = qk_bytes(query.p + start, i - start);
        start = i + 1;
        if (item.len == 0) continue;
        QK_ENSURE(n < QUERY_PARAMS_MAX, QK_E_TOO_LARGE);
        param_read(item, &text, &params[n++]);
    }
    QK_TRY(text.err);
    qsort(params, n, sizeof *params, compare_params);
    for (size_t i = 0; i < n; i++) {
        if (i > 0) qk_buf_add_u8(out, '&');
        qk_buf_add(out, text.p + params[i].name, params[i].name_len);
        qk_buf_add_u8(out, '=');
        qk_buf_add(out, text.p + params[i].value, params[i].value_len);
    }
    return out->err;
}

/* Outer white space dropped, inner runs of it become one space. */
static void trimmed(struct qk_buf *out, struct qk_bytes v)
{
    bool gap = false, any = false;
    for (size_t i = 0; i < v.len; i++) {
        if (v.p[i] == ' ' || v.p[i] == '\t') {
            gap = any;
            continue;
        }
        if (gap) qk_buf_add_u8(out, ' ');
        qk_buf_add_u8(out, v.p[i]);
        gap = false;
        any = true;
    }
}

static bool same_name(struct qk_bytes a, struct qk_bytes lower)
{
    return a.len == lower.len &&
           strncasecmp((const char *)a.p, (const char *)lower.p, lower.len) == 0;
}

/* One line "name:v1,v2". A signed header that the request lacks makes the signature worthless. */
static qk_err canonical_header(const struct kms_raw *raw, struct qk_bytes name, struct qk_buf *out)
{
    size_t seen = 0;
    qk_buf_add(out, name.p, name.len);
    qk_buf_add_u8(out, ':');
    for (size_t i = 0; i < raw->n_headers; i++) {
        if (!same_name(raw->headers[i].name, name)) continue;
        if (seen++ > 0) qk_buf_add_u8(out, ',');
        trimmed(out, raw->headers[i].value);
    }
    qk_buf_add_u8(out, '\n');
    return seen > 0 ? out->err : QK_E_NOT_FOUND;
}

static qk_err canonical_headers(
    const struct kms_raw *raw, struct qk_bytes signed_headers, struct qk_buf *out)
{
    size_t start = 0;
    for (size_t i = 0; i <= signed_headers.len; i++) {
        if (i < signed_headers.len && signed_headers.p[i] != ';') continue;
        QK_TRY(canonical_header(raw, qk_bytes(signed_headers.p + start, i - start), out));
        start = i + 1;
    }
    return out->err;
}

qk_err kms_sigv4_canonical(const struct kms_raw *raw, struct qk_bytes signed_headers,
    const char *payload_hash_hex, struct qk_buf *out)
{
    qk_buf_add(out, raw->method.p, raw->method.len);
    qk_buf_add_u8(out, '\n');
    QK_TRY(canonical_path(raw->path, out));
    qk_buf_add_u8(out, '\n');
    QK_TRY(canonical_query(raw->query, out));
    qk_buf_add_u8(out, '\n');
    QK_TRY(canonical_headers(raw, signed_headers, out));
    qk_buf_add_u8(out, '\n');
    qk_buf_add(out, signed_headers.p, signed_headers.len);
    qk_buf_add_u8(out, '\n');
    qk_buf_add_str(out, payload_hash_hex);
    return out->err;
}

qk_err kms_sigv4_string_to_sign(const char *amz_date, struct qk_bytes date, struct qk_bytes region,
    struct qk_bytes service, struct qk_bytes canonical, struct qk_buf *out)
{
    char hex[65];
    QK_TRY(kms_sha256_hex(canonical, hex));
    qk_buf_printf(out, "AWS4-HMAC-SHA256\n%s\n", amz_date);
    const struct qk_bytes scope[] = {date, region, service, qk_str("aws4_request")};
    for (size_t i = 0; i < QK_COUNT(scope); i++) {
        if (i > 0) qk_buf_add_u8(out, '/');
        qk_buf_add(out, scope[i].p, scope[i].len);
    }
    qk_buf_add_u8(out, '\n');
    qk_buf_add_str(out, hex);
    return out->err;
}

qk_err kms_sigv4_signing_key(const struct qk_sec32 *day_key, struct qk_bytes region,
    struct qk_bytes service, struct qk_sec32 *out)
{
    QK_SEC32(k_region);
    QK_SEC32(k_service);
    QK_TRY(kms_hmac256(QK_BYTES(day_key->b), region, k_region.b));
    QK_TRY(kms_hmac256(QK_BYTES(k_region.b), service, k_service.b));
    return kms_hmac256(QK_BYTES(k_service.b), qk_str("aws4_request"), out->b);
}

qk_err kms_sigv4_signature(
    const struct qk_sec32 *signing_key, struct qk_bytes string_to_sign, uint8_t out[static 32])
{
    return kms_hmac256(QK_BYTES(signing_key->b), string_to_sign, out);
}

qk_err kms_sigv4_day_key(struct qk_bytes secret, struct qk_bytes date, struct qk_sec32 *out)
{
    uint8_t key[4 + KMS_SECRET_KEY_MAX] = "AWS4";
    QK_ENSURE(secret.len > 0 && secret.len <= KMS_SECRET_KEY_MAX, QK_E_STATE);
    QK_ENSURE(date.len == 8, QK_E_STATE);
    memcpy(key + 4, secret.p, secret.len);
    qk_err err = kms_hmac256(qk_bytes(key, 4 + secret.len), date, out->b);
    qk_wipe(key, sizeof key);
    return err;
}
