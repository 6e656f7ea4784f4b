/** Hedged nonces and proofs with a given nonce. Private to crypto/src/proof and its tests. */
#ifndef MPC_PROOF_NONCE_H
#define MPC_PROOF_NONCE_H

#include "mpc/proof.h"

/* Who proves what to whom: hashed into every challenge. */
struct proof_ctx {
    const struct mpc_curve *c;
    const uint8_t *sid; /* 32 bytes */
    uint16_t i;
    const char *role;
};

/** k = H2S("nonce"; 64 random bytes, enc(secret), sid, u16 i, role), not 0: a repeated generator
 *  output alone does not repeat a nonce, and a known secret alone does not reveal one.
 *  Source: 00-common section 9. */
qk_err proof_nonce(const struct proof_ctx *ctx, struct mpc_scalar *k,
    const struct mpc_scalar *secret, struct qk_rng *rng);

/** The proof that mpc_pok_prove makes from nonce k. Using one k twice reveals x. */
qk_err proof_pok_with(struct mpc_pok *out, const struct proof_ctx *ctx, const struct mpc_scalar *x,
    const struct mpc_point *big_x, const struct mpc_scalar *k);

#endif
