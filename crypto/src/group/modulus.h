/** Arithmetic modulo the group orders, on plain words. Private to crypto/src/group.
 *
 *  R is 2^(64 n), n the number of words. Every function writes all
 *  MPC_SCALAR_WORDS words of its result; words from n on are zero.
 *
 *  Timing: constant in every value; n and the modulus are public.
 */
#ifndef MPC_GROUP_MODULUS_H
#define MPC_GROUP_MODULUS_H

#include "mpc/group.h"

struct mpc_modulus {
    uint64_t q[MPC_SCALAR_WORDS];
    uint64_t half[MPC_SCALAR_WORDS]; /* (q-1)/2 */
    uint64_t r1[MPC_SCALAR_WORDS];   /* R mod q */
    uint64_t r2[MPC_SCALAR_WORDS];   /* R^2 mod q */
    uint64_t mu[3];                  /* floor(2^(64(n+2)) / q) */
    uint64_t n0;                     /* -1/q mod 2^64 */
    unsigned n;                      /* words in use */
};

const struct mpc_modulus *mpc_modulus_of(const struct mpc_curve *c);

/** r = a*b/R mod q, for a < R and b < q (or the other way round). r may alias. */
void mpc_mont_mul(const struct mpc_modulus *m, uint64_t *r, const uint64_t *a, const uint64_t *b);

/** r < R with r = t/R mod q, for any t of 2n words; r < q if t < q*R. t holds rests of it: wipe it.
 */
void mpc_mont_redc(const struct mpc_modulus *m, uint64_t *r, uint64_t *t);
/** r = t mod q for t of n + 2 words, below 2^(|q|+135): Barrett. r must not alias. */
void mpc_mod_barrett(const struct mpc_modulus *m, uint64_t *r, const uint64_t *t);
/** r = r - q if that is not negative. */
void mpc_mod_once(const struct mpc_modulus *m, uint64_t *r);
/** r = a + b mod q, for a, b < q. r may alias. */
void mpc_mod_add(const struct mpc_modulus *m, uint64_t *r, const uint64_t *a, const uint64_t *b);
/** r = a - b mod q, for a, b < q. r may alias. */
void mpc_mod_sub(const struct mpc_modulus *m, uint64_t *r, const uint64_t *a, const uint64_t *b);
/** All ones iff a < b as integers of n words. */
uint64_t mpc_words_less(const uint64_t *a, const uint64_t *b, unsigned n);

#endif
