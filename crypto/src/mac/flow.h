/** Inside of mpc_mac_gen: the steps, one after the other; private. */
#ifndef MPC_MAC_FLOW_H
#define MPC_MAC_FLOW_H

#include "mac/gen.h"
#include "mac/run.h"

enum mac_phase { PHASE_CNFGEN, PHASE_DERIVE, PHASE_PIECES, PHASE_TEST, PHASE_ST, PHASE_END };

struct mpc_mac_gen {
    struct mpc_mac_spec spec;
    struct mpc_session base;    /* as given */
    struct mpc_session session; /* of this step */
    const struct mpc_mac_links *links;
    struct qk_rng *rng;
    enum mac_phase phase;
    bool begun, failed, taken;
    bool known; /* st has to be want: an import */
    uint8_t want[32];

    struct mac_made made;
    uint8_t sid[32];             /* of CNFGEN */
    struct mac_run *run;         /* of the derivation, until it is over; secret */
    struct mac_outputs *outputs; /* of it; secret */

    unsigned test;                  /* number of the self-test's run under way */
    struct mpc_mac_record test_rec; /* as the run under way takes them: profile N */
    struct mpc_mac_share test_share;
    uint8_t test_h[MPC_MAC_DIGEST_MAX];
    bool tested;
    uint8_t values[2 * MPC_MAC_DIGEST_MAX]; /* what I found as E; secret until hashed */

    struct mpc_party *party;
    struct mpc_mac_roles roles; /* of the run */
    struct mpc_mac_g1 *g1;
    struct mpc_mac_g2 *g2;
    struct mpc_mac_e *e;
};

/** Make the object of this node's role, if it has one: by task or by run, one of them NULL. */
QK_MUST_USE qk_err mac_flow_role(
    struct mpc_mac_gen *gen, const struct mpc_mac_task *task, const struct mac_run *run);
/** Free party and objects of the step that is over. */
void mac_flow_drop(struct mpc_mac_gen *gen);

/* derive.c */
/** From CNFGEN's result to all pieces of this node but s_G1, and to gen->run. */
QK_MUST_USE qk_err mac_derive_prepare(struct mpc_mac_gen *gen);
/** Take the outputs of this node's role. QK_E_STATE: it is not finished. */
QK_MUST_USE qk_err mac_derive_end(struct mpc_mac_gen *gen);

/* selftest.c */
unsigned mac_tests(const struct mpc_mac_gen *gen); /* runs: 3, profile S 6 */
QK_MUST_USE qk_err mac_test_begin(struct mpc_mac_gen *gen);
QK_MUST_USE qk_err mac_test_end(const struct mpc_mac_gen *gen);
/** st as this node found it; zeros if it is none of the three. */
QK_MUST_USE qk_err mac_test_result(uint8_t st[static 32], const struct mpc_mac_gen *gen);

#endif
