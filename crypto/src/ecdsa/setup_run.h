/** What the direct and the derived setup have in common. Private.
 *
 *  A "body" in the confirm hash is the concatenation of its fields' bytes; all
 *  lengths are fixed, so that is injective.
 */
#ifndef MPC_ECDSA_SETUP_RUN_H
#define MPC_ECDSA_SETUP_RUN_H

#include "ecdsa/setup.h"
#include "session/engine.h"

/** The first member of both states. */
struct setup_run {
    struct mpc_ot_setup *setup; /* being made; the result when done */
    size_t peer_ix;
    uint8_t zs[2][32];     /* ours, the peer's; secret */
    uint8_t bodies[2][32]; /* H32("ot-r"; both bodies of round 1, 2) */
    uint8_t confirm[32];
};

/** In the start function: the empty setup, and which peer is the other one. */
QK_MUST_USE qk_err setup_run_init(struct mpc_party *party, struct setup_run *run);
/** In rounds[0]: psid of both directions under this label. */
QK_MUST_USE qk_err setup_run_psids(
    struct mpc_party *party, struct setup_run *run, const char *label);
/** bodies[which], both bodies given as pieces in the order of their fields. */
QK_MUST_USE qk_err setup_run_bodies(struct mpc_party *party, struct setup_run *run, size_t which,
    struct mpc_fields mine, struct mpc_fields theirs);
/** The confirm value; the label's fields are sid, lo, hi and the two hashes of bodies. */
QK_MUST_USE qk_err setup_run_confirm(struct mpc_party *party, struct setup_run *run);
/** In the last round: compare (E-3), name the setup, derive K, compute the gadgets, done. */
QK_MUST_USE qk_err setup_run_finish(
    struct mpc_party *party, struct setup_run *run, struct qk_bytes theirs);
void setup_run_clear(struct setup_run *run);

#endif
