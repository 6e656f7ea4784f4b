#include "modulus.h"

#include <string.h>
#include "ct.h"
#include "word.h"

#define INLINE static inline __attribute__((always_inline))
/* Widths are constants: every index below is known once the loops are unrolled. */
#define UNROLL _Pragma("GCC unroll 18")

/* r = (top, t) - q if that is not negative, else t; (top, t) < 2q. */
INLINE void reduce_once(
    uint64_t *r, const uint64_t *t, uint64_t top, const uint64_t *q, const unsigned n)
{
    uint64_t d[MPC_SCALAR_WORDS];
    uint8_t borrow = 0;
    UNROLL for (unsigned i = 0; i < n; i++) borrow = word_sub(borrow, t[i], q[i], &d[i]);
    /* Keep t iff the subtraction went below zero, the top word included. */
    uint64_t keep = ct_mask_of_bit(borrow & (top ^ 1));
    /* The barrier also keeps vector loads away from words that were just stored one by one. */
    UNROLL for (unsigned i = 0; i < n; i++) r[i] = ct_select(ct_barrier(keep), t[i], d[i]);
    UNROLL for (unsigned i = n; i < MPC_SCALAR_WORDS; i++) r[i] = 0;
    ct_wipe_local(d, sizeof d);
}

/* Montgomery multiplication column by column (finely integrated product scanning of Koc, Acar,
 * Kaliski 1996): each column is summed in three words, so carries never wait for each other. */
INLINE void mont_mul_n(const struct mpc_modulus *m, uint64_t *r, const uint64_t *a,
    const uint64_t *b, const unsigned n)
{
    uint64_t k[MPC_SCALAR_WORDS], t[MPC_SCALAR_WORDS];
    struct column col = {0, 0, 0};
    UNROLL for (unsigned i = 0; i < n; i++)
    {
        UNROLL for (unsigned j = 0; j < i; j++)
        {
            column_mul(&col, a[j], b[i - j]);
            column_mul(&col, k[j], m->q[i - j]);
        }
        column_mul(&col, a[i], b[0]);
        k[i] = col.c0 * m->n0;
        column_mul(&col, k[i], m->q[0]); /* the lowest word becomes zero */
        column_shift(&col);
    }
    UNROLL for (unsigned i = n; i < 2 * n; i++)
    {
        UNROLL for (unsigned j = i - n + 1; j < n; j++)
        {
            column_mul(&col, a[j], b[i - j]);
            column_mul(&col, k[j], m->q[i - j]);
        }
        t[i - n] = column_shift(&col);
    }
    reduce_once(r, t, col.c0, m->q, n);
    ct_wipe_local(k, sizeof k);
    ct_wipe_local(t, sizeof t);
}

/* One copy for each width, so that loops unroll and words stay in registers. */
void mpc_mont_mul(const struct mpc_modulus *m, uint64_t *r, const uint64_t *a, const uint64_t *b)
{
    switch (m->n) {
    case 4:
        mont_mul_n(m, r, a, b, 4);
        break;
    case 6:
        mont_mul_n(m, r, a, b, 6);
        break;
    default:
        mont_mul_n(m, r, a, b, 9);
        break;
    }
}

/* t/R mod q, or that plus a multiple of q, below R; t is used up. (t + k*q)/R < R + q, so one
 * subtraction brings it below R. */
INLINE void redc_n(const struct mpc_modulus *m, uint64_t *r, uint64_t *t, const unsigned n)
{
    uint64_t k[MPC_SCALAR_WORDS];
    struct column col = {0, 0, 0};
    UNROLL for (unsigned i = 0; i < n; i++)
    {
        column_add(&col, t[i]);
        UNROLL for (unsigned j = 0; j < i; j++) column_mul(&col, k[j], m->q[i - j]);
        k[i] = col.c0 * m->n0;
        column_mul(&col, k[i], m->q[0]);
        column_shift(&col);
    }
    UNROLL for (unsigned i = n; i < 2 * n; i++)
    {
        column_add(&col, t[i]);
        UNROLL for (unsigned j = i - n + 1; j < n; j++) column_mul(&col, k[j], m->q[i - j]);
        t[i] = column_shift(&col);
    }
    reduce_once(r, t + n, col.c0, m->q, n);
    ct_wipe_local(k, sizeof k);
}

void mpc_mont_redc(const struct mpc_modulus *m, uint64_t *r, uint64_t *t)
{
    switch (m->n) {
    case 4:
        redc_n(m, r, t, 4);
        break;
    case 6:
        redc_n(m, r, t, 6);
        break;
    default:
        redc_n(m, r, t, 9);
        break;
    }
}

void mpc_mod_once(const struct mpc_modulus *m, uint64_t *r)
{
    reduce_once(r, r, 0, m->q, m->n);
}

/* Handbook of Applied Cryptography, 14.42, with the quotient estimated from the three top words:
 * est = floor(t_top * mu / 2^192) is the quotient or one less, since what is cut off of t and of
 * mu makes less than one. */
INLINE void barrett_n(const struct mpc_modulus *m, uint64_t *r, const uint64_t *t, const unsigned n)
{
    uint64_t est[6], rest[MPC_SCALAR_WORDS + 1];
    struct column col = {0, 0, 0};
    UNROLL for (unsigned i = 0; i < 5; i++)
    {
        UNROLL for (unsigned j = i < 3 ? 0 : i - 2; j <= i && j < 3; j++)
            column_mul(&col, t[n - 1 + j], m->mu[i - j]);
        est[i] = column_shift(&col);
    }
    est[5] = col.c0;
    /* t - est * q in n + 1 words, which hold it; est is est[3..5] */
    uint8_t borrow = 0;
    col = (struct column){0, 0, 0};
    UNROLL for (unsigned i = 0; i <= n; i++)
    {
        UNROLL for (unsigned j = 0; j < 3 && j <= i; j++) if (i - j < n)
            column_mul(&col, est[3 + j], m->q[i - j]);
        borrow = word_sub(borrow, t[i], column_shift(&col), &rest[i]);
    }
    reduce_once(r, rest, rest[n], m->q, n);
    ct_wipe_local(est, sizeof est);
    ct_wipe_local(rest, sizeof rest);
}

void mpc_mod_barrett(const struct mpc_modulus *m, uint64_t *r, const uint64_t *t)
{
    switch (m->n) {
    case 4:
        barrett_n(m, r, t, 4);
        break;
    case 6:
        barrett_n(m, r, t, 6);
        break;
    default:
        barrett_n(m, r, t, 9);
        break;
    }
}

INLINE void mod_add_n(const struct mpc_modulus *m, uint64_t *r, const uint64_t *a,
    const uint64_t *b, const unsigned n)
{
    uint64_t t[MPC_SCALAR_WORDS];
    uint8_t carry = 0;
    UNROLL for (unsigned i = 0; i < n; i++) carry = word_add(carry, a[i], b[i], &t[i]);
    reduce_once(r, t, carry, m->q, n);
    ct_wipe_local(t, sizeof t);
}

void mpc_mod_add(const struct mpc_modulus *m, uint64_t *r, const uint64_t *a, const uint64_t *b)
{
    switch (m->n) {
    case 4:
        mod_add_n(m, r, a, b, 4);
        break;
    case 6:
        mod_add_n(m, r, a, b, 6);
        break;
    default:
        mod_add_n(m, r, a, b, 9);
        break;
    }
}

INLINE void mod_sub_n(const struct mpc_modulus *m, uint64_t *r, const uint64_t *a,
    const uint64_t *b, const unsigned n)
{
    uint64_t t[MPC_SCALAR_WORDS];
    uint8_t borrow = 0, carry = 0;
    UNROLL for (unsigned i = 0; i < n; i++) borrow = word_sub(borrow, a[i], b[i], &t[i]);
    uint64_t below = ct_mask_of_bit(borrow);
    UNROLL for (unsigned i = 0; i < n; i++) carry =
        word_add(carry, t[i], m->q[i] & ct_barrier(below), &r[i]);
    UNROLL for (unsigned i = n; i < MPC_SCALAR_WORDS; i++) r[i] = 0;
    ct_wipe_local(t, sizeof t);
}

void mpc_mod_sub(const struct mpc_modulus *m, uint64_t *r, const uint64_t *a, const uint64_t *b)
{
    switch (m->n) {
    case 4:
        mod_sub_n(m, r, a, b, 4);
        break;
    case 6:
        mod_sub_n(m, r, a, b, 6);
        break;
    default:
        mod_sub_n(m, r, a, b, 9);
        break;
    }
}

uint64_t mpc_words_less(const uint64_t *a, const uint64_t *b, unsigned n)
{
    uint64_t d;
    uint8_t borrow = 0;
    for (unsigned i = 0; i < n; i++) borrow = word_sub(borrow, a[i], b[i], &d);
    return ct_mask_of_bit(borrow);
}
