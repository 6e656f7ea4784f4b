#include "modulus.h"

#include "qk/secret.h"
#include "ct.h"

/* Big-endian bytes into words, least significant first; words must hold them and be zero. */
static void load(uint64_t *w, const uint8_t *p, size_t len)
{
    for (; len >= 8; len -= 8) *w++ = qk_get_u64(p + len - 8);
    for (size_t i = 0; i < len; i++) *w |= (uint64_t)p[len - 1 - i] << (8 * i);
}

void mpc_scalar_encode(const struct mpc_curve *c, uint8_t *out, const struct mpc_scalar *a)
{
    size_t left = c->lq, i = 0;
    for (; left >= 8; left -= 8) qk_put_u64(out + left - 8, a->w[i++]);
    for (size_t k = 0; k < left; k++) out[left - 1 - k] = (uint8_t)(a->w[i] >> (8 * k));
}

qk_err mpc_scalar_decode(const struct mpc_curve *c, struct mpc_scalar *r, struct qk_bytes in)
{
    QK_ENSURE(in.len == c->lq, QK_E_MALFORMED);
    const struct mpc_modulus *m = mpc_modulus_of(c);
    MPC_SCALAR(v);
    load(v.w, in.p, in.len);
    /* Whether a received value is in range is public: out of range ends the session. */
    QK_ENSURE(mpc_words_less(v.w, m->q, m->n) != 0, QK_E_MALFORMED);
    *r = v;
    return QK_OK;
}

struct wide {
    uint64_t w[2 * MPC_SCALAR_WORDS];
};

static inline void wide_wipe(struct wide *v)
{
    ct_wipe_local(v, sizeof *v);
}

/* c->lh bytes, the usual length, and the bound of mpc_mod_barrett. */
static inline void reduce_lh(const struct mpc_curve *c, struct mpc_scalar *r, const uint8_t *in)
{
    uint64_t t[MPC_SCALAR_WORDS + 2];
    size_t whole = c->lh / 8u, rest = c->lh % 8u;
    for (size_t i = 0; i < whole; i++) t[i] = qk_get_u64(in + c->lh - 8 * (i + 1));
    if (rest > 0) {
        t[whole] = 0;
        for (size_t i = 0; i < rest; i++) t[whole] = t[whole] << 8 | in[i];
    }
    mpc_mod_barrett(mpc_modulus_of(c), r->w, t);
    ct_wipe_local(t, sizeof t);
}

/* v mod q = (v/R mod q) * (R^2 mod q) / R: a Montgomery reduction and a product. For v < R^2
 * the reduction is below R (below q only for v < q*R), and that is all the product asks for. */
qk_err mpc_scalar_reduce(const struct mpc_curve *c, struct mpc_scalar *r, struct qk_bytes in)
{
    QK_ENSURE(in.len <= MPC_WIDE_MAX, QK_E_STATE);
    const struct mpc_modulus *m = mpc_modulus_of(c);
    /* 82 bytes need 11 words; secp256k1 and P-256 take at most two times 4. */
    QK_ENSURE(in.len <= 16 * (size_t)m->n, QK_E_STATE);
    if (in.len == c->lh) {
        reduce_lh(c, r, in.p);
        return QK_OK;
    }
    __attribute__((cleanup(wide_wipe))) struct wide v = {{0}};
    load(v.w, in.p, in.len);
    mpc_mont_redc(m, r->w, v.w);
    mpc_mont_mul(m, r->w, r->w, m->r2);
    return QK_OK;
}

static qk_err draw(const struct mpc_curve *c, struct mpc_scalar *r, struct qk_rng *rng)
{
    uint8_t buf[MPC_WIDE_MAX];
    qk_err err = qk_rng_fill(rng, buf, c->lh);
    if (err == QK_OK) err = mpc_scalar_reduce(c, r, qk_bytes(buf, c->lh));
    qk_wipe(buf, sizeof buf);
    return err;
}

qk_err mpc_scalar_random(const struct mpc_curve *c, struct mpc_scalar *r, struct qk_rng *rng)
{
    return draw(c, r, rng);
}

qk_err mpc_scalar_random_nonzero(
    const struct mpc_curve *c, struct mpc_scalar *r, struct qk_rng *rng)
{
    MPC_SCALAR(v);
    /* A second zero in a row has probability 2^-256: the generator is broken. */
    for (int tries = 0; tries < 2; tries++) {
        QK_TRY(draw(c, &v, rng));
        if (mpc_scalar_zero_mask(&v) != 0) continue;
        *r = v;
        return QK_OK;
    }
    return QK_E_RNG;
}
