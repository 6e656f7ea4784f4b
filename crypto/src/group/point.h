/** The two engines behind mpc_point. Private to crypto/src/group.
 *
 *  ec_ functions compute on the NIST curves (OpenSSL), k1_ functions on
 *  secp256k1 (libsecp256k1). mpc/group.h says what each does; operands are
 *  known to be of one curve.
 */
#ifndef MPC_GROUP_POINT_H
#define MPC_GROUP_POINT_H

#include "mpc/group.h"

enum { MPC_UNCOMPRESSED_MAX = 1 + 2 * 66 };

qk_err ec_init(struct mpc_point *p);
void ec_clear(struct mpc_point *p);
qk_err ec_copy(struct mpc_point *r, const struct mpc_point *a);
void ec_set_infinity(struct mpc_point *r);
qk_err ec_set_generator(struct mpc_point *r);
bool ec_is_infinity(const struct mpc_point *a);
qk_err ec_check_eq_var(const struct mpc_point *a, const struct mpc_point *b);
qk_err ec_add(struct mpc_point *r, const struct mpc_point *a, const struct mpc_point *b);
qk_err ec_neg(struct mpc_point *r, const struct mpc_point *a);
qk_err ec_mul_base(struct mpc_point *r, const struct mpc_scalar *k);
qk_err ec_mul(struct mpc_point *r, const struct mpc_scalar *k, const struct mpc_point *a);
qk_err ec_mul_add_var(struct mpc_point *r, const struct mpc_scalar *k, const struct mpc_scalar *l,
    const struct mpc_point *a);
/* a is not O; out takes pt or 1 + 2*lp bytes. */
qk_err ec_encode(uint8_t *out, const struct mpc_point *a, bool compressed);
/* in has the length and prefix of one form. */
qk_err ec_decode(struct mpc_point *r, struct qk_bytes in);
/* x is a big-endian integer of any size, reduced mod p; QK_E_NOT_FOUND if no point has that x. */
qk_err ec_lift_x_var(struct mpc_point *r, struct qk_bytes x, unsigned y_odd);

qk_err k1_copy(struct mpc_point *r, const struct mpc_point *a);
qk_err k1_set_generator(struct mpc_point *r);
bool k1_eq_var(const struct mpc_point *a, const struct mpc_point *b);
qk_err k1_add(struct mpc_point *r, const struct mpc_point *a, const struct mpc_point *b);
qk_err k1_neg(struct mpc_point *r, const struct mpc_point *a);
qk_err k1_mul_base(struct mpc_point *r, const struct mpc_scalar *k);
qk_err k1_mul(struct mpc_point *r, const struct mpc_scalar *k, const struct mpc_point *a);
qk_err k1_mul_add_var(struct mpc_point *r, const struct mpc_scalar *k, const struct mpc_scalar *l,
    const struct mpc_point *a);
qk_err k1_encode(uint8_t *out, const struct mpc_point *a, bool compressed);
qk_err k1_decode(struct mpc_point *r, struct qk_bytes in);

/** For tests/unit/crypto: does this curve's group exist in OpenSSL with the order we use? */
const void *ec_group_of(const struct mpc_curve *c);

#endif
