#include "qk/pack.h"

#include <msgpack/pack.h>

/* ---- writing ---- */

static int append(void *data, const char *bytes, size_t len)
{
    struct qk_buf *b = data;
    qk_buf_add(b, bytes, len);
    return b->err == QK_OK ? 0 : -1;
}

static msgpack_packer packer(struct qk_buf *b)
{
    msgpack_packer pk;
    msgpack_packer_init(&pk, b, append);
    return pk;
}

void qk_pack_map(struct qk_buf *b, uint32_t n_pairs)
{
    msgpack_packer pk = packer(b);
    (void)msgpack_pack_map(&pk, n_pairs);
}

void qk_pack_array(struct qk_buf *b, uint32_t n_items)
{
    msgpack_packer pk = packer(b);
    (void)msgpack_pack_array(&pk, n_items);
}

void qk_pack_uint(struct qk_buf *b, uint64_t v)
{
    msgpack_packer pk = packer(b);
    (void)msgpack_pack_uint64(&pk, v);
}

void qk_pack_bool(struct qk_buf *b, bool v)
{
    msgpack_packer pk = packer(b);
    (void)(v ? msgpack_pack_true(&pk) : msgpack_pack_false(&pk));
}

void qk_pack_str(struct qk_buf *b, struct qk_bytes text)
{
    msgpack_packer pk = packer(b);
    if (msgpack_pack_str(&pk, text.len) == 0) qk_buf_add(b, text.p, text.len);
}

void qk_pack_bin(struct qk_buf *b, struct qk_bytes v)
{
    msgpack_packer pk = packer(b);
    if (msgpack_pack_bin(&pk, v.len) == 0) qk_buf_add(b, v.p, v.len);
}

void qk_pack_key(struct qk_buf *b, const char *k)
{
    qk_pack_str(b, qk_str(k));
}

void qk_pack_key_uint(struct qk_buf *b, const char *k, uint64_t v)
{
    qk_pack_key(b, k);
    qk_pack_uint(b, v);
}

void qk_pack_key_bool(struct qk_buf *b, const char *k, bool v)
{
    qk_pack_key(b, k);
    qk_pack_bool(b, v);
}

void qk_pack_key_str(struct qk_buf *b, const char *k, struct qk_bytes text)
{
    qk_pack_key(b, k);
    qk_pack_str(b, text);
}

void qk_pack_key_bin(struct qk_buf *b, const char *k, struct qk_bytes v)
{
    qk_pack_key(b, k);
    qk_pack_bin(b, v);
}

/* ---- reading ---- */

enum kind { KIND_UINT, KIND_BOOL, KIND_STR, KIND_BIN, KIND_ARRAY, KIND_MAP };

struct head {
    enum kind kind;
    uint64_t value; /* the number, the truth value, the length or the count */
};

static qk_err fail(struct qk_unpack *u, qk_err err)
{
    if (u->err == QK_OK) u->err = err;
    return u->err;
}

#define NEED(cond)                                                                                 \
    do {                                                                                           \
        if (!(cond)) return fail(u, QK_E_MALFORMED);                                               \
    } while (0)

/* A big-endian number of n bytes that does not fit the next smaller form, whose largest value is
 * `below`. */
static qk_err read_number(struct qk_unpack *u, size_t n, uint64_t below, uint64_t *v)
{
    NEED((size_t)(u->end - u->p) >= n);
    uint64_t x = 0;
    for (size_t i = 0; i < n; i++) x = x << 8 | *u->p++;
    NEED(x > below);
    *v = x;
    return QK_OK;
}

static qk_err read_head(struct qk_unpack *u, struct head *h)
{
    if (u->err != QK_OK) return u->err;
    NEED(u->p < u->end);
    uint8_t c = *u->p++;
    if (c < 0x80) {
        *h = (struct head){KIND_UINT, c};
        return QK_OK;
    }
    if (c < 0x90) {
        *h = (struct head){KIND_MAP, c & 0x0f};
        return QK_OK;
    }
    if (c < 0xa0) {
        *h = (struct head){KIND_ARRAY, c & 0x0f};
        return QK_OK;
    }
    if (c < 0xc0) {
        *h = (struct head){KIND_STR, c & 0x1f};
        return QK_OK;
    }
    static const struct form {
        uint8_t first, n_bytes;
        enum kind kind;
        bool from_zero; /* the smallest form of its kind: zero is allowed */
        uint64_t below;
    } forms[] = {
        {0xc4, 1, KIND_BIN, true, 0},
        {0xc5, 2, KIND_BIN, false, 0xff},
        {0xc6, 4, KIND_BIN, false, 0xffff},
        {0xcc, 1, KIND_UINT, false, 0x7f},
        {0xcd, 2, KIND_UINT, false, 0xff},
        {0xce, 4, KIND_UINT, false, 0xffff},
        {0xcf, 8, KIND_UINT, false, 0xffffffff},
        {0xd9, 1, KIND_STR, false, 31},
        {0xda, 2, KIND_STR, false, 0xff},
        {0xdb, 4, KIND_STR, false, 0xffff},
        {0xdc, 2, KIND_ARRAY, false, 15},
        {0xdd, 4, KIND_ARRAY, false, 0xffff},
        {0xde, 2, KIND_MAP, false, 15},
        {0xdf, 4, KIND_MAP, false, 0xffff},
    };
    if (c == 0xc2 || c == 0xc3) {
        *h = (struct head){KIND_BOOL, c & 1};
        return QK_OK;
    }
    for (size_t i = 0; i < QK_COUNT(forms); i++) {
        if (forms[i].first != c) continue;
        h->kind = forms[i].kind;
        if (forms[i].from_zero) {
            NEED(u->p < u->end);
            h->value = *u->p++;
            return QK_OK;
        }
        return read_number(u, forms[i].n_bytes, forms[i].below, &h->value);
    }
    return fail(u, QK_E_MALFORMED);
}

/* A head of the wanted kind whose value lies in min..max. */
static qk_err read_kind(
    struct qk_unpack *u, enum kind kind, uint64_t min, uint64_t max, uint64_t *value)
{
    struct head h;
    QK_TRY(read_head(u, &h));
    NEED(h.kind == kind && h.value >= min && h.value <= max);
    *value = h.value;
    return QK_OK;
}

static qk_err read_view(struct qk_unpack *u, uint64_t len, struct qk_bytes *v)
{
    NEED((uint64_t)(u->end - u->p) >= len);
    *v = qk_bytes(u->p, (size_t)len);
    u->p += len;
    return QK_OK;
}

qk_err qk_unpack_map(struct qk_unpack *u, uint32_t n_pairs)
{
    uint64_t n;
    return read_kind(u, KIND_MAP, n_pairs, n_pairs, &n);
}

qk_err qk_unpack_array(struct qk_unpack *u, uint32_t min, uint32_t max, uint32_t *n)
{
    uint64_t count;
    QK_TRY(read_kind(u, KIND_ARRAY, min, max, &count));
    *n = (uint32_t)count;
    return QK_OK;
}

qk_err qk_unpack_key(struct qk_unpack *u, const char *k)
{
    uint64_t len;
    struct qk_bytes v;
    QK_TRY(read_kind(u, KIND_STR, 0, 64, &len));
    QK_TRY(read_view(u, len, &v));
    NEED(qk_bytes_is(v, k));
    return QK_OK;
}

qk_err qk_unpack_uint(struct qk_unpack *u, uint64_t max, uint64_t *v)
{
    return read_kind(u, KIND_UINT, 0, max, v);
}

qk_err qk_unpack_bool(struct qk_unpack *u, bool *v)
{
    uint64_t b;
    QK_TRY(read_kind(u, KIND_BOOL, 0, 1, &b));
    *v = b != 0;
    return QK_OK;
}

qk_err qk_unpack_str(struct qk_unpack *u, size_t min, size_t max, struct qk_bytes *v)
{
    uint64_t len;
    struct qk_bytes text;
    QK_TRY(read_kind(u, KIND_STR, min, max, &len));
    QK_TRY(read_view(u, len, &text));
    NEED(qk_utf8_valid(text));
    *v = text;
    return QK_OK;
}

qk_err qk_unpack_bin(struct qk_unpack *u, size_t min, size_t max, struct qk_bytes *v)
{
    uint64_t len;
    QK_TRY(read_kind(u, KIND_BIN, min, max, &len));
    return read_view(u, len, v);
}

qk_err qk_unpack_fixed(struct qk_unpack *u, void *out, size_t len)
{
    struct qk_bytes v;
    QK_TRY(qk_unpack_bin(u, len, len, &v));
    if (len > 0) memcpy(out, v.p, len);
    return QK_OK;
}

/* Skip one value without recursion: left[d] values remain open at depth d. */
static qk_err skip_value(struct qk_unpack *u, uint32_t max_items)
{
    enum { DEPTH = 8 };
    uint64_t left[DEPTH + 1] = {1};
    size_t depth = 0;
    uint32_t seen = 0;
    for (;;) {
        while (depth > 0 && left[depth] == 0) depth--;
        if (left[depth] == 0) return QK_OK;
        left[depth]--;
        struct head h;
        QK_TRY(read_head(u, &h));
        NEED(++seen <= max_items);
        struct qk_bytes v;
        switch (h.kind) {
        case KIND_STR:
            QK_TRY(read_view(u, h.value, &v));
            NEED(qk_utf8_valid(v));
            break;
        case KIND_BIN:
            QK_TRY(read_view(u, h.value, &v));
            break;
        case KIND_ARRAY:
        case KIND_MAP:
            NEED(depth < DEPTH && h.value <= max_items);
            left[++depth] = h.kind == KIND_MAP ? 2 * h.value : h.value;
            break;
        case KIND_UINT:
        case KIND_BOOL:
            break;
        }
    }
}

qk_err qk_unpack_raw(struct qk_unpack *u, uint32_t max_items, struct qk_bytes *v)
{
    if (u->err != QK_OK) return u->err;
    const uint8_t *start = u->p;
    QK_TRY(skip_value(u, max_items));
    *v = qk_bytes(start, (size_t)(u->p - start));
    return QK_OK;
}

qk_err qk_unpack_end(struct qk_unpack *u)
{
    if (u->err != QK_OK) return u->err;
    NEED(u->p == u->end);
    return QK_OK;
}

qk_err qk_unpack_key_uint(struct qk_unpack *u, const char *k, uint64_t max, uint64_t *v)
{
    QK_TRY(qk_unpack_key(u, k));
    return qk_unpack_uint(u, max, v);
}

qk_err qk_unpack_key_bool(struct qk_unpack *u, const char *k, bool *v)
{
    QK_TRY(qk_unpack_key(u, k));
    return qk_unpack_bool(u, v);
}

qk_err qk_unpack_key_str(
    struct qk_unpack *u, const char *k, size_t min, size_t max, struct qk_bytes *v)
{
    QK_TRY(qk_unpack_key(u, k));
    return qk_unpack_str(u, min, max, v);
}

qk_err qk_unpack_key_bin(
    struct qk_unpack *u, const char *k, size_t min, size_t max, struct qk_bytes *v)
{
    QK_TRY(qk_unpack_key(u, k));
    return qk_unpack_bin(u, min, max, v);
}

qk_err qk_unpack_key_fixed(struct qk_unpack *u, const char *k, void *out, size_t len)
{
    QK_TRY(qk_unpack_key(u, k));
    return qk_unpack_fixed(u, out, len);
}
