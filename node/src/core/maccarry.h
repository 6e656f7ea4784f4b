/** Carrying one run: between a role's object of mpc/mac.h and the frames of macruns.h. */
#ifndef NODE_CORE_MACCARRY_H
#define NODE_CORE_MACCARRY_H

#include "core/macruns.h"

/** A run and this node's role in it. Everything is borrowed. */
struct node_maccarry {
    struct mpc_mac_roles roles;
    uint64_t timeout_ms;
    /* names of the link secrets that the object was made with (node_maclink_id): G1 and G2 of
     * theirs, G2 and E of theirs */
    uint8_t garblers[NODE_MACLINK_ID_LEN], checker[NODE_MACLINK_ID_LEN];
    struct mpc_mac_g1 *g1; /* one of the three */
    struct mpc_mac_g2 *g2;
    struct mpc_mac_e *e;
    /* E combines (self-test): G1 and G2 send it what a combiner needs, appended here */
    bool test;
    struct qk_buf *from_g1, *from_g2;
};

/** Blocking. G1, G2: all is sent. E: every check has passed.
 *
 *  culprit  whom E suspects, as docs/hmac.md has it: a garbler; E itself: one of the garblers, it
 *           cannot say which; 0: nobody
 *  Returns  QK_E_MISMATCH   the three hold different link secrets, or E has given up
 *           QK_E_PROOF, QK_E_MALFORMED  a check failed
 *           errors of node_macrun_begin and _next, 5xx
 */
QK_MUST_USE qk_err node_maccarry_run(
    struct node *node, const struct node_maccarry *c, uint16_t *culprit);

#endif
