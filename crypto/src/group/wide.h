/** Sums of products of scalars, reduced once at the end. Private to crypto/src.
 *
 *  An accumulator holds the plain integer sum of a_i * b_i, which costs half of
 *  as many products mod q.
 *
 *  Timing: constant in every value. Threads: reentrant; wipe after use.
 */
#ifndef MPC_GROUP_WIDE_H
#define MPC_GROUP_WIDE_H

#include "mpc/group.h"

/** At most 1024 products of scalars below q, and one mpc_wide_add_mont. */
struct mpc_wide {
    uint64_t w[2 * MPC_SCALAR_WORDS + 1];
};

void mpc_wide_wipe(struct mpc_wide *v);

/* A sum that is zero at first and wiped on every way out of its scope. */
#define MPC_WIDE(name) __attribute__((cleanup(mpc_wide_wipe))) struct mpc_wide name = {{0}}

/** sum += a * b */
void mpc_wide_mul_add(const struct mpc_curve *c, struct mpc_wide *sum, const struct mpc_scalar *a,
    const struct mpc_scalar *b);
/** sum += a * R, R the Montgomery radix: a itself after mpc_wide_redc. */
void mpc_wide_add_mont(const struct mpc_curve *c, struct mpc_wide *sum, const struct mpc_scalar *a);
/** r = sum / R mod q: with every b in Montgomery form the sum of the products. sum is used up. */
void mpc_wide_redc(const struct mpc_curve *c, struct mpc_scalar *r, struct mpc_wide *sum);

#endif
