/* The encryption context: one byte string for one map (check S-10). */
#include <stdlib.h>
#include "mpc/sym.h"
#include "mpc/transcript.h"
#include "qk/pack.h"

enum { HEAD = 2, FRAME = 4 };

static int compare(struct qk_bytes a, struct qk_bytes b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int c = len > 0 ? memcmp(a.p, b.p, len) : 0;
    return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

static int by_key(const void *a, const void *b)
{
    const struct mpc_sym_pair *const *x = a, *const *y = b;
    return compare((*x)->key, (*y)->key);
}

static qk_err total_len(const struct mpc_sym_pair *pairs, size_t n, size_t *len)
{
    *len = HEAD;
    for (size_t i = 0; i < n; i++) {
        QK_ENSURE(pairs[i].key.len <= MPC_SYM_EC_MAX, QK_E_MALFORMED);
        QK_ENSURE(pairs[i].value.len <= MPC_SYM_EC_MAX, QK_E_MALFORMED);
        *len += 2 * FRAME + pairs[i].key.len + pairs[i].value.len;
        QK_ENSURE(*len <= MPC_SYM_EC_MAX, QK_E_MALFORMED);
    }
    return QK_OK;
}

static void add_framed(struct qk_buf *out, struct qk_bytes v)
{
    qk_buf_add_u32(out, (uint32_t)v.len);
    qk_buf_add(out, v.p, v.len);
}

static qk_err encode_sorted(const struct mpc_sym_pair **sorted, size_t n, struct qk_buf *out)
{
    qsort(sorted, n, sizeof *sorted, by_key);
    for (size_t i = 1; i < n; i++)
        QK_ENSURE(compare(sorted[i - 1]->key, sorted[i]->key) != 0, QK_E_MALFORMED);
    qk_buf_add_u16(out, (uint16_t)n);
    for (size_t i = 0; i < n; i++) {
        add_framed(out, sorted[i]->key);
        add_framed(out, sorted[i]->value);
    }
    return out->err;
}

qk_err mpc_sym_ec_encode(const struct mpc_sym_pair *pairs, size_t n, struct qk_buf *out)
{
    static const struct mpc_sym_pair *none[1];
    size_t len;
    QK_TRY(total_len(pairs, n, &len)); /* bounds n too */
    for (size_t i = 0; i < n; i++)
        QK_ENSURE(qk_utf8_valid(pairs[i].key) && qk_utf8_valid(pairs[i].value), QK_E_MALFORMED);
    if (n == 0) return encode_sorted(none, 0, out);
    const struct mpc_sym_pair **sorted = calloc(n, sizeof(const struct mpc_sym_pair *));
    QK_ENSURE(sorted != NULL, QK_E_NOMEM);
    for (size_t i = 0; i < n; i++) sorted[i] = &pairs[i];
    qk_err err = encode_sorted(sorted, n, out);
    free(sorted);
    return err;
}

/* One fr(x) at *at; false if it does not fit. */
static bool take_framed(struct qk_bytes in, size_t *at, struct qk_bytes *out)
{
    if (in.len - *at < FRAME) return false;
    uint32_t len = qk_get_u32(in.p + *at);
    if (in.len - *at - FRAME < len) return false;
    *out = qk_bytes(in.p + *at + FRAME, len);
    *at += FRAME + len;
    return true;
}

bool mpc_sym_ec_next(struct qk_bytes ec, size_t *at, struct mpc_sym_pair *out)
{
    if (*at == 0) *at = HEAD;
    if (*at >= ec.len) return false;
    return take_framed(ec, at, &out->key) && take_framed(ec, at, &out->value);
}

qk_err mpc_sym_ec_check(struct qk_bytes ec)
{
    QK_ENSURE(ec.len >= HEAD && ec.len <= MPC_SYM_EC_MAX, QK_E_MALFORMED);
    size_t at = HEAD;
    struct mpc_sym_pair pair, before = {0};
    for (unsigned i = 0, n = qk_get_u16(ec.p); i < n; i++, before = pair) {
        QK_ENSURE(mpc_sym_ec_next(ec, &at, &pair), QK_E_MALFORMED);
        QK_ENSURE(i == 0 || compare(before.key, pair.key) < 0, QK_E_MALFORMED);
        QK_ENSURE(qk_utf8_valid(pair.key) && qk_utf8_valid(pair.value), QK_E_MALFORMED);
    }
    QK_ENSURE(at == ec.len, QK_E_MALFORMED);
    return QK_OK;
}

qk_err mpc_sym_ec_hash(uint8_t d_ec[static 32], struct qk_bytes ec)
{
    return mpc_h32(d_ec, MPC_L_SYM_EC, MPC_FIELDS(ec));
}
