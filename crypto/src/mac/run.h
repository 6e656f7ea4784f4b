/** The objects of mpc/mac.h over any garbled function: what key generation needs beyond a MAC.
 *
 *  mpc_mac_g1_new, _g2_new and _e_new make a struct mac_run of a task and come here. The derivation
 *  (document 60 section 6) makes its own: another circuit, another statement, decoding bits in M1.
 *  The node carries both alike. With layout.decode there is nothing for a combiner: _take answers
 *  QK_E_STATE, and the outputs are read here instead.
 */
#ifndef MPC_MAC_RUN_H
#define MPC_MAC_RUN_H

#include "mac/stream.h"
#include "mpc/mac.h"

enum { MAC_RUN_BYTES = MPC_MAC_DIGEST_MAX + MPC_MAC_SECRET_MAX }; /* of K and a mask */

/** What one of the three starts from. Secret. */
struct mac_run {
    struct mac_layout layout; /* job.pub borrowed as long as the object lives */
    uint8_t run[32];          /* hash of the whole statement: binds circuit, roles, inputs */
    struct mpc_mac_roles
        roles; /* three distinct nodes, for suspects; checked by the caller (M-9) */
    /* Bits in the order of mac_bit, zeros where this role does not know them. */
    uint8_t a[MAC_RUN_BYTES];      /* G1, E: layout.n_a bits */
    uint8_t b[MPC_MAC_SECRET_MAX]; /* G2, E: layout.n_b bits */
    uint8_t c[MAC_RUN_BYTES];      /* G1, G2: layout.n_a bits */
};

/** run is copied. QK_E_STATE, 5xx. */
QK_MUST_USE qk_err mac_g1_from(struct mpc_mac_g1 **out, const struct mac_run *run,
    const uint8_t kappa_g1g2[static MPC_MAC_KAPPA_LEN]);
QK_MUST_USE qk_err mac_g2_from(struct mpc_mac_g2 **out, const struct mac_run *run,
    const uint8_t kappa_g1g2[static MPC_MAC_KAPPA_LEN],
    const uint8_t kappa_g2e[static MPC_MAC_KAPPA_LEN]);
QK_MUST_USE qk_err mac_e_from(struct mpc_mac_e **out, const struct mac_run *run,
    const uint8_t kappa_g2e[static MPC_MAC_KAPPA_LEN]);

/** After the last chunk (G1), after the last work (G2): n_out false labels and delta. QK_E_STATE
 *  before it. */
QK_MUST_USE qk_err mac_g1_outputs(const struct mpc_mac_g1 *g, mac_wire *falses, mac_wire *delta);
QK_MUST_USE qk_err mac_g2_outputs(const struct mpc_mac_g2 *g, mac_wire *falses, mac_wire *delta);
/** Once mpc_mac_e_done: n_out active labels and the decoded bits, in the order of mac_bit. */
QK_MUST_USE qk_err mac_e_outputs(const struct mpc_mac_e *e, mac_wire *active, uint8_t *bits);

#endif
