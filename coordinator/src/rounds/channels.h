/** Tickets for Encrypt: the channel every node drew for us, and our count on it.
 *
 *  Source: protocols/50-symmetric.md section 5, "Tickets"; docs/encryption.md. A node evaluates ENC
 * only under a ticket (chan, ctr) that it has never seen: chan it drew itself when the link began,
 * ctr we count. Nothing is kept beyond the process; nothing here is secret.
 *
 *  Threads    any; drawing a ticket takes no lock
 */
#ifndef COORD_CHANNELS_H
#define COORD_CHANNELS_H

#include "mpc/sym_combine.h"
#include "rounds/engine.h"

struct coord_channels;
/** engine is borrowed. */
QK_MUST_USE qk_err coord_channels_new(struct coord_channels **out, struct coord_engine *engine);
/** After coord_nodes_free: its calls answer into this. NULL is allowed. */
void coord_channels_free(struct coord_channels *c);

/** The link to this node came up: ask it for a channel. Does not block. */
void coord_channels_node_up(struct coord_channels *c, uint16_t node);

/** The node said TICKET about a ticket on channel old and named its current one, chan (16 bytes).
 *  Taken over unless another has been taken over since: many requests in flight meet the same
 * restart. Any other length of chan is ignored. */
void coord_channels_renew(struct coord_channels *c, uint16_t node,
    const uint8_t old[static MPC_SYM_CHAN_LEN], struct qk_bytes chan);

/** The next ticket. QK_E_NOT_FOUND: the link is down, the node has not told its channel yet, or is
 *  barred. */
QK_MUST_USE qk_err coord_channels_ticket(
    struct coord_channels *c, uint16_t node, struct mpc_sym_ticket *out);
/** A node in quarantine refuses everything: while barred there are no tickets of it, so that
 * Encrypt does not ask it in vain. */
void coord_channels_bar(struct coord_channels *c, uint16_t node, bool barred);
/** Has the node told its channel? */
bool coord_channels_ready(struct coord_channels *c, uint16_t node);

#endif
