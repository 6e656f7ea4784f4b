#include "modulus.h"

#include <string.h>
#include "ct.h"

typedef unsigned __int128 u128;

#define INLINE static inline __attribute__((always_inline))

/* r = (top, t) - q if that is not negative, else t; (top, t) < 2q. */
INLINE void reduce_once(
    uint64_t *r, const uint64_t *t, uint64_t top, const uint64_t *q, const unsigned n)
{
    uint64_t d[MPC_SCALAR_WORDS];
    uint64_t borrow = 0;
    for (unsigned i = 0; i < n; i++) {
        u128 v = (u128)t[i] - q[i] - borrow;
        d[i] = (uint64_t)v;
        borrow = (uint64_t)(v >> 64) & 1;
    }
    /* Keep t iff the subtraction went below zero, the top word included. */
    uint64_t keep = ct_mask_of_bit(borrow & (top ^ 1));
    for (unsigned i = 0; i < n; i++) r[i] = ct_select(keep, t[i], d[i]);
    for (unsigned i = n; i < MPC_SCALAR_WORDS; i++) r[i] = 0;
    ct_wipe_local(d, sizeof d);
}

/* Montgomery multiplication, coarsely integrated operand scanning (Koc, Acar, Kaliski 1996). */
INLINE void mont_mul_n(const struct mpc_modulus *m, uint64_t *r, const uint64_t *a,
    const uint64_t *b, const unsigned n)
{
    uint64_t t[MPC_SCALAR_WORDS] = {0};
    uint64_t top = 0;
    for (unsigned i = 0; i < n; i++) {
        u128 v = 0;
        for (unsigned j = 0; j < n; j++) {
            v = (u128)a[j] * b[i] + t[j] + (uint64_t)(v >> 64);
            t[j] = (uint64_t)v;
        }
        v = (u128)top + (uint64_t)(v >> 64);
        uint64_t t_n = (uint64_t)v;
        uint64_t t_n1 = (uint64_t)(v >> 64);

        uint64_t k = t[0] * m->n0;
        v = (u128)k * m->q[0] + t[0];
        for (unsigned j = 1; j < n; j++) {
            v = (u128)k * m->q[j] + t[j] + (uint64_t)(v >> 64);
            t[j - 1] = (uint64_t)v;
        }
        v = (u128)t_n + (uint64_t)(v >> 64);
        t[n - 1] = (uint64_t)v;
        top = t_n1 + (uint64_t)(v >> 64);
    }
    reduce_once(r, t, top, m->q, n);
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
    uint64_t carry = 0;
    for (unsigned i = 0; i < n; i++) {
        uint64_t k = t[i] * m->n0;
        u128 v = (u128)k * m->q[0] + t[i];
        for (unsigned j = 1; j < n; j++) {
            v = (u128)k * m->q[j] + t[i + j] + (uint64_t)(v >> 64);
            t[i + j] = (uint64_t)v;
        }
        v = (u128)t[i + n] + carry + (uint64_t)(v >> 64);
        t[i + n] = (uint64_t)v;
        carry = (uint64_t)(v >> 64);
    }
    reduce_once(r, t + n, carry, m->q, n);
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
    uint64_t p[6] = {0}, sub[MPC_SCALAR_WORDS + 1] = {0};
    for (unsigned i = 0; i < 3; i++) {
        u128 v = 0;
        for (unsigned j = 0; j < 3; j++) {
            v = (u128)t[n - 1 + j] * m->mu[i] + p[i + j] + (uint64_t)(v >> 64);
            p[i + j] = (uint64_t)v;
        }
        p[i + 3] = (uint64_t)(v >> 64);
    }
    /* est * q, the low n + 1 words; est is p[3..5] */
    for (unsigned i = 0; i < 3; i++) {
        u128 v = 0;
        for (unsigned j = 0; j < n && i + j <= n; j++) {
            v = (u128)m->q[j] * p[3 + i] + sub[i + j] + (uint64_t)(v >> 64);
            sub[i + j] = (uint64_t)v;
        }
        if (i == 0) sub[n] = (uint64_t)(v >> 64);
    }
    uint64_t borrow = 0;
    for (unsigned i = 0; i <= n; i++) {
        u128 v = (u128)t[i] - sub[i] - borrow;
        sub[i] = (uint64_t)v;
        borrow = (uint64_t)(v >> 64) & 1;
    }
    reduce_once(r, sub, sub[n], m->q, n);
    ct_wipe_local(p, sizeof p);
    ct_wipe_local(sub, sizeof sub);
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
    uint64_t carry = 0;
    for (unsigned i = 0; i < n; i++) {
        u128 v = (u128)a[i] + b[i] + carry;
        t[i] = (uint64_t)v;
        carry = (uint64_t)(v >> 64);
    }
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
    uint64_t t[MPC_SCALAR_WORDS] = {0};
    uint64_t borrow = 0;
    for (unsigned i = 0; i < n; i++) {
        u128 v = (u128)a[i] - b[i] - borrow;
        t[i] = (uint64_t)v;
        borrow = (uint64_t)(v >> 64) & 1;
    }
    uint64_t below = ct_mask_of_bit(borrow);
    uint64_t carry = 0;
    for (unsigned i = 0; i < n; i++) {
        u128 v = (u128)t[i] + (m->q[i] & below) + carry;
        t[i] = (uint64_t)v;
        carry = (uint64_t)(v >> 64);
    }
    memcpy(r, t, sizeof t);
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
    uint64_t borrow = 0;
    for (unsigned i = 0; i < n; i++) {
        u128 v = (u128)a[i] - b[i] - borrow;
        borrow = (uint64_t)(v >> 64) & 1;
    }
    return ct_mask_of_bit(borrow);
}
