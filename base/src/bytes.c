#include "qk/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <openssl/crypto.h>

static void release(struct qk_buf *b, uint8_t *p, size_t cap)
{
    if (p != NULL && b->secret) OPENSSL_cleanse(p, cap);
    free(p);
}

/* Room for `more` bytes and a NUL behind them. */
static bool reserve(struct qk_buf *b, size_t more)
{
    if (b->err != QK_OK) return false;
    if (more > b->max || b->len > b->max - more) {
        b->err = QK_E_TOO_LARGE;
        return false;
    }
    size_t need = b->len + more + 1;
    if (need <= b->cap) return true;
    size_t cap = b->cap < 256 ? 256 : b->cap * 2;
    if (cap < need) cap = need;
    uint8_t *p = malloc(cap);
    if (p == NULL) {
        b->err = QK_E_NOMEM;
        return false;
    }
    if (b->len > 0) memcpy(p, b->p, b->len);
    release(b, b->p, b->cap);
    b->p = p;
    b->cap = cap;
    return true;
}

void qk_buf_add(struct qk_buf *b, const void *src, size_t len)
{
    if (!reserve(b, len) || len == 0) return;
    memcpy(b->p + b->len, src, len);
    b->len += len;
}

uint8_t *qk_buf_extend(struct qk_buf *b, size_t len)
{
    if (!reserve(b, len)) return NULL;
    uint8_t *at = b->p + b->len;
    memset(at, 0, len);
    b->len += len;
    return at;
}

void qk_buf_add_u8(struct qk_buf *b, uint8_t v)
{
    qk_buf_add(b, &v, 1);
}

void qk_buf_add_u16(struct qk_buf *b, uint16_t v)
{
    uint8_t be[2];
    qk_put_u16(be, v);
    qk_buf_add(b, be, sizeof be);
}

void qk_buf_add_u32(struct qk_buf *b, uint32_t v)
{
    uint8_t be[4];
    qk_put_u32(be, v);
    qk_buf_add(b, be, sizeof be);
}

void qk_buf_add_u64(struct qk_buf *b, uint64_t v)
{
    uint8_t be[8];
    qk_put_u64(be, v);
    qk_buf_add(b, be, sizeof be);
}

void qk_buf_add_str(struct qk_buf *b, const char *s)
{
    qk_buf_add(b, s, strlen(s));
}

void qk_buf_printf(struct qk_buf *b, const char *fmt, ...)
{
    va_list args;
    size_t room = b->err == QK_OK && b->cap > b->len ? b->cap - b->len : 0;
    va_start(args, fmt);
    int n = vsnprintf(room > 0 ? (char *)b->p + b->len : NULL, room, fmt, args);
    va_end(args);
    if (n < 0) {
        b->err = QK_E_STATE;
        return;
    }
    if ((size_t)n < room && b->len + (size_t)n <= b->max) { /* it fitted: the usual case */
        b->len += (size_t)n;
        return;
    }
    if (!reserve(b, (size_t)n)) return;
    va_start(args, fmt);
    (void)vsnprintf((char *)b->p + b->len, (size_t)n + 1, fmt, args);
    va_end(args);
    b->len += (size_t)n;
}

void qk_buf_clear(struct qk_buf *b)
{
    if (b->secret && b->p != NULL) OPENSSL_cleanse(b->p, b->cap);
    b->len = 0;
    b->err = QK_OK;
}

void qk_buf_free(struct qk_buf *b)
{
    release(b, b->p, b->cap);
    b->p = NULL;
    b->len = b->cap = 0;
    b->err = QK_OK;
}

const char *qk_buf_cstr(struct qk_buf *b)
{
    if (!reserve(b, 0)) return NULL;
    b->p[b->len] = 0;
    return (const char *)b->p;
}

void qk_hex(const uint8_t *src, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[src[i] >> 4];
        out[2 * i + 1] = digits[src[i] & 15];
    }
    out[2 * len] = 0;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

qk_err qk_unhex(struct qk_bytes text, uint8_t *out, size_t len)
{
    QK_ENSURE(text.len % 2 == 0 && text.len / 2 == len, QK_E_MALFORMED);
    for (size_t i = 0; i < len; i++) {
        int hi = hex_digit(text.p[2 * i]);
        int lo = hex_digit(text.p[2 * i + 1]);
        QK_ENSURE(hi >= 0 && lo >= 0, QK_E_MALFORMED);
        out[i] = (uint8_t)(hi << 4 | lo);
    }
    return QK_OK;
}

static const char b64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void qk_base64_add(struct qk_buf *b, struct qk_bytes src)
{
    for (size_t i = 0; i < src.len; i += 3) {
        size_t left = src.len - i;
        uint32_t v = (uint32_t)src.p[i] << 16;
        if (left > 1) v |= (uint32_t)src.p[i + 1] << 8;
        if (left > 2) v |= src.p[i + 2];
        char quad[4] = {b64[v >> 18], b64[(v >> 12) & 63], b64[(v >> 6) & 63], b64[v & 63]};
        if (left < 3) quad[3] = '=';
        if (left < 2) quad[2] = '=';
        qk_buf_add(b, quad, 4);
    }
}

static int b64_digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+') return 62;
    if (c == '/') return 63;
    return -1;
}

qk_err qk_unbase64(struct qk_bytes text, struct qk_buf *out)
{
    QK_ENSURE(text.len % 4 == 0, QK_E_MALFORMED);
    for (size_t i = 0; i < text.len; i += 4) {
        const uint8_t *q = text.p + i;
        bool last = i + 4 == text.len;
        size_t pad = 0;
        if (last && q[3] == '=') pad = q[2] == '=' ? 2 : 1;
        uint32_t v = 0;
        for (size_t k = 0; k < 4; k++) {
            int d = k < 4 - pad ? b64_digit(q[k]) : 0;
            QK_ENSURE(d >= 0, QK_E_MALFORMED);
            v = v << 6 | (uint32_t)d;
        }
        /* the bits under the padding must be zero: one text per value */
        QK_ENSURE(pad != 1 || (v & 0xff) == 0, QK_E_MALFORMED);
        QK_ENSURE(pad != 2 || (v & 0xffff) == 0, QK_E_MALFORMED);
        uint8_t tri[3] = {(uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
        qk_buf_add(out, tri, 3 - pad);
    }
    return out->err;
}

char *qk_strndup(struct qk_bytes v)
{
    if (v.len > 0 && memchr(v.p, 0, v.len) != NULL) return NULL;
    return v.len == 0 ? strdup("") : strndup((const char *)v.p, v.len);
}
