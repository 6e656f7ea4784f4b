#include "modulus.h"

#include "qk/secret.h"
#include "ct.h"

void mpc_scalar_wipe(struct mpc_scalar *s)
{
    ct_wipe_local(s, sizeof *s);
}

void mpc_scalar_set_u64(struct mpc_scalar *r, uint64_t v)
{
    *r = (struct mpc_scalar){{v}};
}

void mpc_scalar_add(const struct mpc_curve *c, struct mpc_scalar *r, const struct mpc_scalar *a,
    const struct mpc_scalar *b)
{
    mpc_mod_add(mpc_modulus_of(c), r->w, a->w, b->w);
}

void mpc_scalar_sub(const struct mpc_curve *c, struct mpc_scalar *r, const struct mpc_scalar *a,
    const struct mpc_scalar *b)
{
    mpc_mod_sub(mpc_modulus_of(c), r->w, a->w, b->w);
}

void mpc_scalar_neg(const struct mpc_curve *c, struct mpc_scalar *r, const struct mpc_scalar *a)
{
    static const struct mpc_scalar zero;
    mpc_scalar_sub(c, r, &zero, a);
}

void mpc_scalar_to_mont(const struct mpc_curve *c, struct mpc_scalar *r, const struct mpc_scalar *a)
{
    const struct mpc_modulus *m = mpc_modulus_of(c);
    mpc_mont_mul(m, r->w, a->w, m->r2);
}

void mpc_scalar_mul_mont(const struct mpc_curve *c, struct mpc_scalar *r,
    const struct mpc_scalar *a, const struct mpc_scalar *b_mont)
{
    mpc_mont_mul(mpc_modulus_of(c), r->w, a->w, b_mont->w);
}

void mpc_scalar_mul(const struct mpc_curve *c, struct mpc_scalar *r, const struct mpc_scalar *a,
    const struct mpc_scalar *b)
{
    const struct mpc_modulus *m = mpc_modulus_of(c);
    mpc_mont_mul(m, r->w, a->w, b->w);
    mpc_mont_mul(m, r->w, r->w, m->r2);
}

struct powers {
    struct mpc_scalar v[16];
};

static void powers_wipe(struct powers *p)
{
    qk_wipe(p, sizeof *p);
}

/* The exponent is public, so branching on it and indexing by its digits tells nothing about a. */
void mpc_scalar_inv(const struct mpc_curve *c, struct mpc_scalar *r, const struct mpc_scalar *a)
{
    const struct mpc_modulus *m = mpc_modulus_of(c);
    __attribute__((cleanup(powers_wipe))) struct powers pow = {0};
    MPC_SCALAR(acc);
    memcpy(pow.v[0].w, m->r1, sizeof m->r1);
    mpc_scalar_to_mont(c, &pow.v[1], a);
    for (int i = 2; i < 16; i++) mpc_mont_mul(m, pow.v[i].w, pow.v[i - 1].w, pow.v[1].w);

    uint64_t e[MPC_SCALAR_WORDS];
    memcpy(e, m->q, sizeof e);
    e[0] -= 2; /* every q here ends in a word above 2 */
    acc = pow.v[0];
    for (unsigned pos = m->n * 16; pos-- > 0;) {
        for (int i = 0; i < 4; i++) mpc_mont_mul(m, acc.w, acc.w, acc.w);
        unsigned digit = (e[pos / 16] >> (4 * (pos % 16))) & 15;
        if (digit != 0) mpc_mont_mul(m, acc.w, acc.w, pow.v[digit].w);
    }
    static const uint64_t one[MPC_SCALAR_WORDS] = {1};
    mpc_mont_mul(m, r->w, acc.w, one);
}

uint64_t mpc_scalar_zero_mask(const struct mpc_scalar *a)
{
    uint64_t any = 0;
    for (int i = 0; i < MPC_SCALAR_WORDS; i++) any |= a->w[i];
    return ct_is_zero(any);
}

uint64_t mpc_scalar_eq_mask(const struct mpc_scalar *a, const struct mpc_scalar *b)
{
    uint64_t any = 0;
    for (int i = 0; i < MPC_SCALAR_WORDS; i++) any |= a->w[i] ^ b->w[i];
    return ct_is_zero(any);
}

void mpc_scalar_select(
    struct mpc_scalar *r, uint64_t mask, const struct mpc_scalar *a, const struct mpc_scalar *b)
{
    mask = ct_barrier(mask);
    for (int i = 0; i < MPC_SCALAR_WORDS; i++) r->w[i] = ct_select(mask, a->w[i], b->w[i]);
}

void mpc_scalar_mask(struct mpc_scalar *r, uint64_t mask, const struct mpc_scalar *a)
{
    mask = ct_barrier(mask);
    for (int i = 0; i < MPC_SCALAR_WORDS; i++) r->w[i] = mask & a->w[i];
}

uint64_t mpc_scalar_high_mask(const struct mpc_curve *c, const struct mpc_scalar *a)
{
    const struct mpc_modulus *m = mpc_modulus_of(c);
    return mpc_words_less(m->half, a->w, m->n);
}
