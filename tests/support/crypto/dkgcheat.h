/** A cheating participant of a key generation: nodes 1, 2, 3 and D, 2 of 3, who fixes up
 *  commitments, proofs and echoes so that one thing alone is wrong. */
#ifndef QKT_DKGCHEAT_H
#define QKT_DKGCHEAT_H

#include "dkg/state.h"
#include "dkgrun.h"

extern const uint16_t qkt_nodes[3];     /* 1, 2, 3 */
extern const uint16_t qkt_everybody[4]; /* and D */

struct qkt_attack {
    void (*hook)(struct qkt_net *net, struct qkt_frame *frame, void *ctx);
    char cls;
    const char *check;
    uint16_t victim; /* 0: all; else qkt_other_than(cheater) */
    bool nodes_only; /* D sends no such message */
    int variant;
    bool done; /* the hook's own: recommitted already */
    struct qkt_rng rng;
};

/** A DKG with this cheater, abort frames muted. rngs: 4 of them. */
struct qkt_net *qkt_dkg_cheat(unsigned curve, uint16_t cheater, struct qkt_rng *rngs);
/** Somebody who is not the cheater. */
uint16_t qkt_other_than(uint16_t cheater);
/** On every curve and in every position: run, and expect what the attack says. */
void qkt_run_attack(const struct qkt_attack *what);
/** The party's opening C || A || z as its state has it now. */
struct qk_bytes qkt_own_opening(const struct mpc_party *party, struct qk_buf *out);
/** Commit anew to what the state holds now; the frame (of round 1) carries the new com. */
void qkt_recommit(struct qkt_net *net, struct qkt_frame *frame);
/** C and a right proof from the coefficients in the state. */
void qkt_recompute(struct mpc_party *party, struct qk_rng *rng);

#endif
