/** Our end of runs for HMAC keys: what travels between the three nodes of a run, in bounded memory
 *  (check M-18). Page: docs/hmac.md, "Frames between nodes".
 *
 *  A run is begun by the thread that serves the call or makes the key, and ended by it. The bytes
 *  are those of the party objects of mpc/mac.h; nothing here looks into them.
 *
 *  Frames for a run that nobody has begun here wait 5 s, by run and sender. Bounds:
 *      a sender     NODE_MAC_WINDOW tables not yet consumed, one of each other kind
 *      runs begun   NODE_MAC_RUNS at once, whatever their roles
 *      not begun    NODE_MAC_EARLY of a peer, 8 MiB of a peer, 16 MiB in all
 *  What is over a bound, out of order or not for that sender to send ends that run, or what waits
 *  for it, and nothing else.
 */
#ifndef NODE_CORE_MACRUNS_H
#define NODE_CORE_MACRUNS_H

#include "core/frames.h"
#include "core/maclinks.h"
#include "mpc/mac.h"

enum {
    NODE_MAC_RUNS = 40, /* of the threads that serve calls some are left to others */
    NODE_MAC_EARLY = 64 / 3,
    NODE_MAC_WINDOW = 8,
    NODE_MAC_OTHER_MAX = 40 * 1024, /* bytes behind run in any frame but MAC_TABLES */
};

QK_MUST_USE qk_err node_macruns_new(struct node_macruns **out);
void node_macruns_free(struct node_macruns *runs);
/** A frame of type MAC_TABLES to MAC_OUT. May run in a callback of the mesh: copies, and wakes. */
void node_macruns_receive(
    struct node *node, uint16_t from, enum node_frame type, struct qk_bytes body);
/** Runs with a peer whose link is down end now. */
void node_macruns_on_peer(struct node *node, uint16_t peer, bool up);
/** Drop what has waited too long. */
void node_macruns_tick(struct node *node);

/** Our end of one run. Used by the thread that has begun it. */
struct node_macrun;

/** Begin. self is one of the roles, which are three nodes of the cluster.
 *
 *  combine  E takes MAC_OUT of both garblers, too
 *  Returns  QK_E_BUSY      too many runs
 *           QK_E_CONFLICT  this very run is under way here
 *           QK_E_IO        the link to one of the two others is down
 *           QK_E_NOMEM
 */
QK_MUST_USE qk_err node_macrun_begin(struct node *node, const uint8_t run[static 32],
    const struct mpc_mac_roles *roles, bool combine, uint64_t timeout_ms, struct node_macrun **out);
/** Wipe and forget all that is left of it. NULL is allowed. */
void node_macrun_end(struct node *node, struct node_macrun *run);

/** What a wait ended with, besides QK_OK:
 *      QK_E_TIMEOUT     the deadline, or the node stops
 *      QK_E_IO          a link broke
 *      QK_E_MISMATCH    G1: E has given the run up
 *      QK_E_UNEXPECTED  the other end broke the rules above: node_macrun_culprit
 */

/** G1: where to put the next chunk. NULL: this node is not G1. */
uint8_t *node_macrun_chunk(struct node_macrun *run);
/** G1: send the len bytes there, waiting for E to keep up and for the link to have room. */
QK_MUST_USE qk_err node_macrun_send_chunk(struct node *node, struct node_macrun *run,
    const uint8_t kappa_id[static NODE_MACLINK_ID_LEN], size_t len);
/** Garblers: send any other frame to E. */
QK_MUST_USE qk_err node_macrun_send(
    struct node *node, struct node_macrun *run, enum node_frame type, struct qk_bytes bytes);

/** Why there is nothing more to wait for, or QK_OK. */
QK_MUST_USE qk_err node_macrun_still(struct node *node, struct node_macrun *run);

/** One frame for E, without run and number. */
struct node_mac_item {
    struct node_mac_item *next; /* private */
    uint16_t from;
    enum node_frame type;
    uint32_t number; /* MAC_TABLES */
    size_t len;
    uint8_t bytes[];
};
/** E: the next frame, waiting for it. G2's come first, and no MAC_TABLES before MAC_LABELS: E can
 * do nothing with them. Free it with node_macrun_consumed, which tells G1 when it was MAC_TABLES.
 */
QK_MUST_USE qk_err node_macrun_next(
    struct node *node, struct node_macrun *run, struct node_mac_item **out);
void node_macrun_consumed(struct node *node, struct node_macrun *run, struct node_mac_item *item);

/** E: tell G1 not to wait for us any more. */
void node_macrun_give_up(struct node *node, const struct node_macrun *run);

/** Who broke the rules, or 0. */
uint16_t node_macrun_culprit(const struct node_macrun *run);

/** Runs begun now, and bytes that wait in all. */
size_t node_macruns_count(struct node *node);
size_t node_macruns_bytes(struct node *node);

#endif
