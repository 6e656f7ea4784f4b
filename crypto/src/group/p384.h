/** Multiplication on P-384 in constant time. Private to crypto/src/group.
 *
 *  OpenSSL 3.0 has no code of its own for this curve and takes 0.8 ms for
 *  k*G or k*P. Here: Montgomery arithmetic mod p on six words, the complete
 *  formulas of Renes, Costello and Batina (ePrint 2015/1060, algorithms 4 and
 *  6), which have no exceptional cases on a curve of prime order, and windows
 *  of four bits taken out of their tables by masks. Everything else about
 *  P-384 points stays with OpenSSL (point_nist.c).
 *
 *  Timing: constant in scalars and coordinates.
 *  Threads: reentrant; the table of G is made once, by the first caller.
 */
#ifndef MPC_GROUP_P384_H
#define MPC_GROUP_P384_H

#include "mpc/group.h"

enum { P384_COORDINATE = 48 };

/** x and y, big-endian. */
struct p384_affine {
    uint8_t x[P384_COORDINATE], y[P384_COORDINATE];
};

/** r = k*G. False: the result is O, and r is zero. */
bool p384_mul_base(struct p384_affine *r, const struct mpc_scalar *k);
/** r = k*a for a point a of the curve. False: as above. */
bool p384_mul(struct p384_affine *r, const struct mpc_scalar *k, const struct p384_affine *a);

#endif
