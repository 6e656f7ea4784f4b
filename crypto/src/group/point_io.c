#include "point.h"

#include <string.h>
#include "qk/secret.h"
#include "ct.h"

/* The affine coordinates of a point that may be secret. */
struct encoding {
    uint8_t b[MPC_UNCOMPRESSED_MAX];
};

static void encoding_wipe(struct encoding *e)
{
    qk_wipe(e, sizeof *e);
}

#define AUTO_ENCODING __attribute__((cleanup(encoding_wipe))) struct encoding

static qk_err encode(uint8_t *out, const struct mpc_point *a, bool compressed)
{
    QK_ENSURE(a->c != NULL && !mpc_point_is_infinity(a), QK_E_STATE);
    bool k1 = a->c->id == MPC_SECP256K1;
    return k1 ? k1_encode(out, a, compressed) : ec_encode(out, a, compressed);
}

static qk_err decode(struct mpc_point *r, struct qk_bytes in)
{
    return r->c->id == MPC_SECP256K1 ? k1_decode(r, in) : ec_decode(r, in);
}

qk_err mpc_point_encode(uint8_t *out, const struct mpc_point *a)
{
    return encode(out, a, true);
}

qk_err mpc_point_encode_uncompressed(uint8_t *out, const struct mpc_point *a)
{
    return encode(out, a, false);
}

qk_err mpc_point_decode_var(struct mpc_point *r, struct qk_bytes in)
{
    QK_ENSURE(r->c != NULL, QK_E_STATE);
    QK_ENSURE(in.len == r->c->pt, QK_E_MALFORMED);
    QK_ENSURE(in.p[0] == 0x02 || in.p[0] == 0x03, QK_E_MALFORMED);
    return decode(r, in);
}

qk_err mpc_point_select(
    struct mpc_point *r, uint64_t mask, const struct mpc_point *a, const struct mpc_point *b)
{
    QK_ENSURE(r->c != NULL && r->c == a->c && a->c == b->c, QK_E_STATE);
    size_t len = (size_t)(1 + 2 * r->c->lp);
    AUTO_ENCODING ea, eb;
    QK_TRY(encode(ea.b, a, false));
    QK_TRY(encode(eb.b, b, false));
    ct_select_bytes(ea.b, mask, ea.b, eb.b, len);
    return decode(r, qk_bytes(ea.b, len));
}

qk_err mpc_point_x_mod_q(struct mpc_scalar *r, const struct mpc_point *a)
{
    AUTO_ENCODING e;
    QK_TRY(encode(e.b, a, false));
    return mpc_scalar_reduce(a->c, r, qk_bytes(e.b + 1, a->c->lp));
}

/* DER of the AlgorithmIdentifier: id-ecPublicKey (RFC 5480) and the named curve. */
static struct qk_bytes algorithm(const struct mpc_curve *c)
{
#define EC_PUBLIC_KEY 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01
    static const uint8_t k1[] = {
        0x30, 0x10, EC_PUBLIC_KEY, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a};
    static const uint8_t p256[] = {
        0x30, 0x13, EC_PUBLIC_KEY, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    static const uint8_t p384[] = {
        0x30, 0x10, EC_PUBLIC_KEY, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};
    static const uint8_t p521[] = {
        0x30, 0x10, EC_PUBLIC_KEY, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23};
#undef EC_PUBLIC_KEY
    const struct qk_bytes by_id[] = {QK_BYTES(k1), QK_BYTES(p256), QK_BYTES(p384), QK_BYTES(p521)};
    return by_id[c->id - 1];
}

static void add_der_header(struct qk_buf *out, uint8_t tag, size_t len)
{
    qk_buf_add_u8(out, tag);
    if (len >= 0x80) qk_buf_add_u8(out, 0x81); /* nothing here reaches 256 bytes */
    qk_buf_add_u8(out, (uint8_t)len);
}

qk_err mpc_point_spki(struct qk_buf *out, const struct mpc_point *a)
{
    struct encoding e;
    QK_TRY(encode(e.b, a, false));
    size_t bits = (size_t)(1 + 2 * a->c->lp) + 1; /* a count of unused bits goes in front */
    struct qk_bytes alg = algorithm(a->c);
    size_t bits_header = bits >= 0x80 ? 3 : 2;
    add_der_header(out, 0x30, alg.len + bits_header + bits);
    qk_buf_add(out, alg.p, alg.len);
    add_der_header(out, 0x03, bits);
    qk_buf_add_u8(out, 0);
    qk_buf_add(out, e.b, bits - 1);
    return out->err;
}
