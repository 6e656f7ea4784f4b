/** What a cheater in ECDSA signing can compute from her own secrets: messages of the OT extension
 * and of the multiplication that are wrong in one place and right everywhere else.
 *
 *  Written from the document and the public hash functions, not with the code under test.
 */
#ifndef TEST_ECDSA_CHEAT_H
#define TEST_ECDSA_CHEAT_H

#include <openssl/evp.h>
#include "ecdsa/rvole.h"
#include "mpc/gf128.h"
#include "mpc/transcript.h"
#include "qktest/qktest.h"
#include "session/engine.h"

/* ---- section 3, with the AES masks of docs/protocols/ecdsa.md section 8 ---- */

/* One block of AES-256 (FIPS 197), by OpenSSL. */
static inline void cheat_aes(const uint8_t *key, const uint8_t *in, uint8_t out[16])
{
    int len = 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    cr_assert(EVP_EncryptInit_ex(ctx, EVP_aes_256_ecb(), NULL, key, NULL) == 1);
    EVP_CIPHER_CTX_set_padding(ctx, 0);
    cr_assert(EVP_EncryptUpdate(ctx, out, &len, in, 16) == 1 && len == 16);
    EVP_CIPHER_CTX_free(ctx);
}

/* A column of Bob: AES(AES(pm_0) + pm_1 + i) under the key seed. */
static inline void cheat_column(
    const struct ot_dims *d, const uint8_t *pm, const uint8_t *seed, uint8_t *out)
{
    uint8_t start[16], block[16];
    cheat_aes(seed, pm, start);
    mpc_gf128_add(start, start, pm + 16);
    for (size_t at = 0; at < d->nb; at += 16) {
        memcpy(block, start, 16);
        block[0] ^= (uint8_t)(at / 16);
        cheat_aes(seed, block, block);
        memcpy(out + at, block, d->nb - at < 16 ? d->nb - at : 16);
    }
}

static inline void cheat_chi(
    const struct ot_dims *d, const uint8_t *pm, const uint8_t *u, uint8_t chi[OT_M_MAX][16])
{
    qk_assert_ok(mpc_expand(chi[0], 16u * d->m, "ot-chi", MPC_FIELDS({pm, 32}, {u, ot_u_len(d)})));
}

static inline void cheat_fold(
    const struct ot_dims *d, uint8_t chi[OT_M_MAX][16], const uint8_t *y, uint8_t out[16])
{
    uint8_t padded[16 * OT_M_MAX] = {0};
    memcpy(padded, y, d->xi / 8u);
    memcpy(out, y + d->xi / 8u, 16);
    for (size_t l = 0; l < d->m; l++) {
        uint8_t t[16];
        mpc_gf128_mul(t, chi[l], padded + 16 * l);
        mpc_gf128_add(out, out, t);
    }
}

/* Bob, who changed u, makes xhat and that fit his true x and T0 again. */
static inline void cheat_refold(const struct ot_dims *d, const uint8_t *pm, const uint8_t *pairs,
    const uint8_t *x, const uint8_t *u, uint8_t *xh, uint8_t *th)
{
    uint8_t chi[OT_M_MAX][16], t0[OT_NB_MAX];
    cheat_chi(d, pm, u, chi);
    cheat_fold(d, chi, x, xh);
    for (unsigned k = 0; k < d->kappa; k++) {
        cheat_column(d, pm, pairs + 64 * k, t0);
        cheat_fold(d, chi, t0, th + 16 * k);
    }
}

/* ---- section 4 ---- */

struct cheat_alice {
    const struct mpc_curve *c;
    struct ot_dims d;
    const uint8_t *pm, *q_rows;
    struct otext_msg msg;
    struct mpc_scalar a[3]; /* a_0, a_1, a-hat */
};

static inline void cheat_thetas(
    const struct cheat_alice *x, const uint8_t *at, struct mpc_scalar theta[2])
{
    uint8_t h[64];
    qk_assert_ok(mpc_h(h, "rvole-a",
        MPC_FIELDS({x->pm, 32}, x->msg.u, x->msg.xh, x->msg.th, {at, rvole_at_len(x->c, &x->d)})));
    for (unsigned i = 0; i < 2; i++)
        qk_assert_ok(
            mpc_h2s(x->c, &theta[i], "rvole-theta", MPC_FIELDS({x->pm, 32}, MPC_U8(i), {h, 64})));
}

/* s_2 + theta_0 s_0 + theta_1 s_1 */
static inline void cheat_combine(const struct mpc_curve *c, const struct mpc_scalar s[3],
    const struct mpc_scalar theta[2], uint8_t *enc)
{
    struct mpc_scalar t, sum = s[2];
    for (size_t i = 0; i < 2; i++) {
        mpc_scalar_mul(c, &t, &theta[i], &s[i]);
        mpc_scalar_add(c, &sum, &sum, &t);
    }
    mpc_scalar_encode(c, enc, &sum);
}

/* H(row, tau) = pi(pi(row) + tau) + pi(row), tau = 16 j + i, pi = AES-256 under pm. */
static inline void cheat_pad_128(
    const uint8_t *pm, unsigned j, const uint8_t *row, uint8_t *e, size_t len)
{
    uint8_t x[16], block[16];
    cheat_aes(pm, row, x);
    for (size_t at = 0; at < len; at += 16) {
        uint8_t tau[16] = {0};
        tau[0] = (uint8_t)(16 * j + at / 16);
        tau[1] = (uint8_t)((16 * j + at / 16) >> 8);
        mpc_gf128_add(block, x, tau);
        cheat_aes(pm, block, block);
        mpc_gf128_add(block, block, x);
        memcpy(e + at, block, len - at < 16 ? len - at : 16);
    }
}

/* The counter mode of a key that is hashed from the row. */
static inline void cheat_pad_256(
    const uint8_t *pm, unsigned j, const uint8_t *row, uint8_t *e, size_t len)
{
    uint8_t key[32], block[16];
    qk_assert_ok(mpc_expand(key, 32, "ot-pad", MPC_FIELDS({pm, 32}, MPC_U16(j), {row, 32})));
    for (size_t at = 0; at < len; at += 16) {
        memset(block, 0, 16);
        block[0] = (uint8_t)(at / 16);
        cheat_aes(key, block, block);
        memcpy(e + at, block, len - at < 16 ? len - at : 16);
    }
}

static inline void cheat_pads(const struct cheat_alice *x, unsigned j, struct mpc_scalar pad[3])
{
    uint8_t e[3 * MPC_WIDE_MAX];
    size_t row = ot_row_len(&x->d), lh = x->c->lh;
    if (row == 16)
        cheat_pad_128(x->pm, j, x->q_rows + j * row, e, 3 * lh);
    else
        cheat_pad_256(x->pm, j, x->q_rows + j * row, e, 3 * lh);
    for (size_t i = 0; i < 3; i++)
        qk_assert_ok(mpc_scalar_reduce(x->c, &pad[i], qk_bytes(e + i * lh, lh)));
}

/* Alice, who changed a-tilde, makes eta and mu fit her pads and inputs again. */
static inline void cheat_reanswer(
    const struct cheat_alice *x, const uint8_t *at, uint8_t *eta, uint8_t mu[64])
{
    static uint8_t all[OT_XI_MAX * MPC_SCALAR_MAX];
    struct mpc_scalar theta[2], pad[3];
    cheat_thetas(x, at, theta);
    cheat_combine(x->c, x->a, theta, eta);
    for (unsigned j = 0; j < x->d.xi; j++) {
        cheat_pads(x, j, pad);
        cheat_combine(x->c, pad, theta, all + (size_t)j * x->c->lq);
    }
    qk_assert_ok(mpc_h(mu, "rvole-mu", MPC_FIELDS({x->pm, 32}, {all, (size_t)x->d.xi * x->c->lq})));
}

/* Add one to an encoded scalar, mod q. */
static inline void cheat_add_one(const struct mpc_curve *c, uint8_t *enc)
{
    struct mpc_scalar s, one;
    qk_assert_ok(mpc_scalar_decode(c, &s, qk_bytes(enc, c->lq)));
    mpc_scalar_set_u64(&one, 1);
    mpc_scalar_add(c, &s, &s, &one);
    mpc_scalar_encode(c, enc, &s);
}

/* q itself as bytes: what an encoded scalar may never be. */
static inline void cheat_q(const struct mpc_curve *c, uint8_t *enc)
{
    struct mpc_scalar one, top;
    mpc_scalar_set_u64(&one, 1);
    mpc_scalar_neg(c, &top, &one);
    mpc_scalar_encode(c, enc, &top);
    for (size_t i = c->lq; i-- > 0;)
        if (++enc[i]) break;
}

#endif
