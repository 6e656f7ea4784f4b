/* Signatures as DER: SEQUENCE of two minimal INTEGERs (X9.62, RFC 3279; check E-23). */
#include "mpc/ecdsa.h"

enum { TAG_SEQUENCE = 0x30, TAG_INTEGER = 0x02, LONG_FORM_1 = 0x81 };

static bool in_range(const struct mpc_scalar *s)
{
    return !mpc_scalar_zero_mask(s);
}

/* The big-endian bytes without leading zeros, with one 00 if the high bit is set. */
static void add_integer(struct qk_buf *b, const struct mpc_curve *c, const struct mpc_scalar *s)
{
    uint8_t enc[MPC_SCALAR_MAX];
    mpc_scalar_encode(c, enc, s);
    size_t skip = 0;
    while (skip < c->lq - 1u && enc[skip] == 0) skip++;
    size_t len = c->lq - skip;
    bool high = (enc[skip] & 0x80) != 0;
    qk_buf_add_u8(b, TAG_INTEGER);
    qk_buf_add_u8(b, (uint8_t)(len + high));
    if (high) qk_buf_add_u8(b, 0);
    qk_buf_add(b, enc + skip, len);
}

qk_err mpc_ecdsa_der_encode(const struct mpc_curve *c, const struct mpc_scalar *r,
    const struct mpc_scalar *s, struct qk_buf *out)
{
    QK_ENSURE(in_range(r) && in_range(s), QK_E_STATE);
    QK_AUTO_BUF body = QK_BUF(MPC_ECDSA_DER_MAX);
    QK_AUTO_BUF der = QK_BUF(MPC_ECDSA_DER_MAX);
    add_integer(&body, c, r);
    add_integer(&body, c, s);
    qk_buf_add_u8(&der, TAG_SEQUENCE);
    if (body.len >= 0x80) qk_buf_add_u8(&der, LONG_FORM_1);
    qk_buf_add_u8(&der, (uint8_t)body.len);
    qk_buf_add(&der, body.p, body.len);
    QK_TRY(body.err);
    QK_TRY(der.err);
    QK_ENSURE(out->err == QK_OK, out->err);
    QK_ENSURE(out->max - out->len >= der.len, QK_E_TOO_LARGE);
    qk_buf_add(out, der.p, der.len);
    return out->err;
}

/* Tag and minimal length of a value; *in is left at its first byte. */
static qk_err read_header(struct qk_bytes *in, uint8_t tag, size_t *len)
{
    QK_ENSURE(in->len >= 2 && in->p[0] == tag, QK_E_MALFORMED);
    size_t header = 2, n = in->p[1];
    if (n == LONG_FORM_1) {
        QK_ENSURE(in->len >= 3 && in->p[2] >= 0x80, QK_E_MALFORMED);
        n = in->p[2];
        header = 3;
    } else {
        QK_ENSURE(n < 0x80, QK_E_MALFORMED);
    }
    QK_ENSURE(in->len - header >= n, QK_E_MALFORMED);
    *in = qk_bytes(in->p + header, in->len - header);
    *len = n;
    return QK_OK;
}

static qk_err read_integer(const struct mpc_curve *c, struct qk_bytes *in, struct mpc_scalar *s)
{
    size_t len;
    QK_TRY(read_header(in, TAG_INTEGER, &len));
    const uint8_t *p = in->p;
    QK_ENSURE(len >= 1 && !(p[0] & 0x80), QK_E_MALFORMED);             /* not negative */
    QK_ENSURE(len == 1 || p[0] != 0 || (p[1] & 0x80), QK_E_MALFORMED); /* minimal */
    *in = qk_bytes(in->p + len, in->len - len);
    if (p[0] == 0) {
        p++;
        len--;
    }
    QK_ENSURE(len <= c->lq, QK_E_MALFORMED);
    uint8_t enc[MPC_SCALAR_MAX] = {0};
    memcpy(enc + c->lq - len, p, len);
    QK_TRY(mpc_scalar_decode(c, s, qk_bytes(enc, c->lq)));
    QK_ENSURE(in_range(s), QK_E_MALFORMED);
    return QK_OK;
}

qk_err mpc_ecdsa_der_decode(
    const struct mpc_curve *c, struct qk_bytes der, struct mpc_scalar *r, struct mpc_scalar *s)
{
    size_t len;
    struct mpc_scalar got_r, got_s;
    QK_TRY(read_header(&der, TAG_SEQUENCE, &len));
    QK_ENSURE(der.len == len, QK_E_MALFORMED);
    QK_TRY(read_integer(c, &der, &got_r));
    QK_TRY(read_integer(c, &der, &got_s));
    QK_ENSURE(der.len == 0, QK_E_MALFORMED);
    *r = got_r;
    *s = got_s;
    return QK_OK;
}
