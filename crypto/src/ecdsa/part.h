/** Round 3 of signing, online and from a presignature. Private. */
#ifndef MPC_ECDSA_PART_H
#define MPC_ECDSA_PART_H

#include "mpc/ecdsa.h"

/** delta = H2S("ecdsa-rerand"; sid, enc pk, enc R, digest, req) and r' = x(R + delta*G) mod q.
 *  Everything is public. QK_E_PROOF if R' = O or r' = 0: the presignature cannot be used. */
QK_MUST_USE qk_err ecdsa_offset_var(const struct mpc_curve *c, const struct mpc_ecdsa_offset *o,
    const uint8_t *pk, const uint8_t *big_r, struct qk_bytes digest, struct mpc_scalar *delta,
    struct mpc_scalar *r);
/** r = x(R) mod q of an encoded point; QK_E_PROOF if it is 0. */
QK_MUST_USE qk_err ecdsa_r_of_point(
    const struct mpc_curve *c, const uint8_t *big_r, struct mpc_scalar *r);
/** w = h*phi + r*v, and the rest of a part. u is used as given. */
QK_MUST_USE qk_err ecdsa_make_part(const struct mpc_curve *c, const uint8_t *big_r,
    struct qk_bytes digest, const struct mpc_scalar *r, const struct mpc_scalar *phi,
    const struct mpc_scalar *u, const struct mpc_scalar *v, struct mpc_ecdsa_part *out);

#endif
