/** Commitments and Fiat-Shamir proofs.
 *
 *  Source: protocols/00-common.md section 5. Everything is bound to the
 *  session, the prover and a role; the whole statement is hashed.
 */
#ifndef MPC_PROOF_H
#define MPC_PROOF_H

#include "mpc/group.h"

/** Com(i, label, m) with the opening rho: out = H("com"; sid, u16 i, label, m, rho). */
QK_MUST_USE qk_err mpc_commit(uint8_t out[static 64], const uint8_t sid[static 32], uint16_t i,
    const char *label, struct qk_bytes m, const uint8_t rho[static 32]);
/** Check C-11. QK_E_PROOF if (m, rho) does not open com. */
QK_MUST_USE qk_err mpc_commit_verify(const uint8_t com[static 64], const uint8_t sid[static 32],
    uint16_t i, const char *label, struct qk_bytes m, const uint8_t rho[static 32]);

/** A proof of knowledge of x for X = x*G: A (pt bytes) and z (lq bytes). */
struct mpc_pok {
    uint8_t a[MPC_POINT_MAX];
    uint8_t z[MPC_SCALAR_MAX];
};
QK_MUST_USE qk_err mpc_pok_prove(struct mpc_pok *out, const struct mpc_curve *c,
    const uint8_t sid[static 32], uint16_t i, const char *role, const struct mpc_scalar *x,
    const struct mpc_point *big_x, struct qk_rng *rng);
/** QK_E_MALFORMED for an invalid A or z, QK_E_PROOF if the equation fails. */
QK_MUST_USE qk_err mpc_pok_verify(const struct mpc_curve *c, const uint8_t sid[static 32],
    uint16_t i, const char *role, const struct mpc_point *big_x, struct qk_bytes a,
    struct qk_bytes z);

/** A proof that log_G X = log_P D: A1, A2 (pt bytes each) and z (lq bytes). */
struct mpc_dleq {
    uint8_t a1[MPC_POINT_MAX];
    uint8_t a2[MPC_POINT_MAX];
    uint8_t z[MPC_SCALAR_MAX];
};
/** x with X = x*G and D = x*P. sid takes 32 bytes; document 50 puts X (the PRF input) there. */
QK_MUST_USE qk_err mpc_dleq_prove(struct mpc_dleq *out, const struct mpc_curve *c,
    const uint8_t sid[static 32], uint16_t i, const char *role, const struct mpc_scalar *x,
    const struct mpc_point *big_x, const struct mpc_point *p, const struct mpc_point *d,
    struct qk_rng *rng);
QK_MUST_USE qk_err mpc_dleq_verify(const struct mpc_curve *c, const uint8_t sid[static 32],
    uint16_t i, const char *role, const struct mpc_point *big_x, const struct mpc_point *p,
    const struct mpc_point *d, struct qk_bytes a1, struct qk_bytes a2, struct qk_bytes z);

#endif
