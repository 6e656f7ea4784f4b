#include "wide.h"

#include "ct.h"
#include "modulus.h"
#include "qk/secret.h"
#include "word.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 17")

void mpc_wide_wipe(struct mpc_wide *v)
{
    qk_wipe(v, sizeof *v);
}

INLINE void mul_add_n(uint64_t *s, const uint64_t *a, const uint64_t *b, const unsigned n)
{
    struct column col = {0, 0, 0};
    UNROLL for (unsigned i = 0; i < 2 * n - 1; i++)
    {
        column_add(&col, s[i]);
        UNROLL for (unsigned j = i < n ? 0 : i - n + 1; j <= i && j < n; j++)
            column_mul(&col, a[j], b[i - j]);
        s[i] = column_shift(&col);
    }
    column_add(&col, s[2 * n - 1]);
    s[2 * n - 1] = column_shift(&col);
    s[2 * n] += col.c0;
}

/* One copy for each width, as in modulus.c. */
void mpc_wide_mul_add(const struct mpc_curve *c, struct mpc_wide *sum, const struct mpc_scalar *a,
    const struct mpc_scalar *b)
{
    switch (c->n_words) {
    case 4:
        mul_add_n(sum->w, a->w, b->w, 4);
        break;
    case 6:
        mul_add_n(sum->w, a->w, b->w, 6);
        break;
    default:
        mul_add_n(sum->w, a->w, b->w, 9);
        break;
    }
}

void mpc_wide_add_mont(const struct mpc_curve *c, struct mpc_wide *sum, const struct mpc_scalar *a)
{
    unsigned n = c->n_words;
    uint8_t carry = 0;
    for (unsigned i = 0; i < n; i++)
        carry = word_add(carry, sum->w[n + i], a->w[i], &sum->w[n + i]);
    sum->w[2 * n] += carry;
}

/* The low 2n words give a value below R, and the word above them, at most 2^11, adds top * (R mod
 * q). That product is below q: R mod q is below 2^224 on the 256-bit curves, below 2^190 on P-384;
 * on P-521 top is zero, since 1025 q^2 is far below R^2. */
void mpc_wide_redc(const struct mpc_curve *c, struct mpc_scalar *r, struct mpc_wide *sum)
{
    const struct mpc_modulus *m = mpc_modulus_of(c);
    MPC_SCALAR(high);
    uint64_t carry = 0, top = sum->w[2 * m->n];
    mpc_mont_redc(m, r->w, sum->w);
    mpc_mod_once(m, r->w);
    for (unsigned i = 0; i < m->n; i++) {
        word2 v = (word2)m->r1[i] * top + carry;
        high.w[i] = (uint64_t)v;
        carry = (uint64_t)(v >> 64);
    }
    mpc_mod_add(m, r->w, r->w, high.w);
}
