/** Sessions that nodes start of their own accord: root setups, repaired setups, presignatures.
 *
 *  One node sends OPEN with everything the session rests on; each side checks it against its own
 *  state and runs its party (protocols/00 section 4: nobody takes part on another's word). Nothing
 *  here uses a key for a caller: presignatures are spent only by an authorised request.
 *
 *  OPEN body, canonical msgpack: map {"k": kind, "c": class, "key": bin16, "peers": [ids],
 *  "fresh": bin32}.
 */
#ifndef NODE_CORE_OPENS_H
#define NODE_CORE_OPENS_H

#include "core/keys.h"

QK_MUST_USE qk_err node_opens_new(struct node_opens **out);
void node_opens_free(struct node_opens *opens);

/** A signature needed a setup with peer that does not exist (any more): make one, within the limits
 *  of document 20 section 7.4. Any thread; returns at once. */
void node_opens_want_setup(struct node *node, const uint8_t key_id[static 16], uint16_t peer);
/** Make a presignature with these peers. Any thread; returns at once. */
void node_opens_want_presig(
    struct node *node, const uint8_t key_id[static 16], const uint16_t *peers, size_t n_peers);

/** An OPEN frame; background pool. */
void node_opens_receive(struct node *node, uint16_t from, struct qk_bytes body);
/** Start what is due: missing and old roots. */
void node_opens_tick(struct node *node);
/** Does a root exist with this peer for this class? For readiness and status. */
bool node_opens_root_ready(struct node *node, uint16_t peer, enum mpc_ot_class cls);

#endif
