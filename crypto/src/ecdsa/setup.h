/** What a pair setup is made of, and what signing takes from it.
 *
 *  Private to crypto/src/ecdsa and tests. Source: protocols/20-ecdsa.md
 *  section 2 ("store") and section 5 (zero shares).
 */
#ifndef MPC_ECDSA_SETUP_H
#define MPC_ECDSA_SETUP_H

#include <stdatomic.h>
#include "ecdsa/params.h"
#include "ecdsa/rvole.h"
#include "qk/secret.h"

struct mpc_ot_setup {
    atomic_uint refs;
    struct mpc_ot_binding bind;
    uint8_t id[32];
    bool derived;
    uint8_t root_id[32];
    uint16_t kappa;
    uint8_t psid_alice[32]; /* direction (self, peer): we are A */
    uint8_t psid_bob[32];   /* direction (peer, self): we are B */

    /* One block of locked memory. */
    uint8_t *secret;
    size_t secret_len;
    uint8_t *delta; /* kappa bits in 32 bytes: ours as A */
    uint8_t *k;     /* K_ab, 32 bytes */
    uint8_t *seeds; /* kappa * 32: seed_{k, Delta_k}, ours as A */
    uint8_t *pairs; /* kappa * 64: seed_{k,0}, seed_{k,1}, ours as B */

    /* Gadget vectors of the two directions, xi each; NULL for a root. Public. */
    struct mpc_scalar *gadget_alice;
    struct mpc_scalar *gadget_bob;
};

/** Empty, one reference, kappa and the secret block in place. */
QK_MUST_USE qk_err ot_setup_new(struct mpc_ot_setup **out, const struct mpc_ot_binding *bind);
/** Compute the gadgets once both psid are known; nothing to do for a root. */
QK_MUST_USE qk_err ot_setup_finish(struct mpc_ot_setup *s);
/** No record, so no key: may be derived under and not signed with. */
bool ot_setup_is_root(const struct mpc_ot_setup *s);
/** The binding of a session of two. QK_E_STATE unless n_peers is 2. */
QK_MUST_USE qk_err ot_binding_of_session(struct mpc_ot_binding *out, const struct mpc_session *s);
bool ot_binding_eq(const struct mpc_ot_binding *a, const struct mpc_ot_binding *b);

/** z_ab = H2S("zero"; sid, u16 a, u16 b, K_ab), a < b; our share zeta adds it with the sign of the
 *  lower id: acc += z for self < peer, acc -= z otherwise. Secret. */
QK_MUST_USE qk_err ot_zero_share(const struct mpc_curve *c, const uint8_t sid[static 32],
    uint16_t self, uint16_t peer, const uint8_t k[static 32], struct mpc_scalar *acc);

#endif
