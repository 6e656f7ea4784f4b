/** Channels for tickets (check S-6): what this node drew for each coordinator, in memory only.
 *  Page: docs/encryption.md, "Tickets".
 *
 *  A coordinator draws a channel when a link to us comes up; we keep its newest four, so that a new
 *  link does not spoil what is under way on the one before. After a restart every old ticket is
 *  unknown, which is the point.
 */
#ifndef NODE_CORE_CHANNELS_H
#define NODE_CORE_CHANNELS_H

#include "core/node.h"
#include "mpc/sym_node.h"

enum { NODE_CHANNELS_KEPT = 4 }; /* of one coordinator */

struct node_channel;

QK_MUST_USE qk_err node_channels_new(struct node_channels **out);
void node_channels_free(struct node_channels *channels);

/** Draw one. coordinator: its number in cluster.conf. QK_E_RNG, QK_E_NOMEM. */
QK_MUST_USE qk_err node_channel_draw(
    struct node *node, size_t coordinator, uint8_t chan[static MPC_SYM_CHAN_LEN]);
/** The newest one, drawn if there is none: what goes with status TICKET. */
QK_MUST_USE qk_err node_channel_newest(
    struct node *node, size_t coordinator, uint8_t chan[static MPC_SYM_CHAN_LEN]);

/** The window of this coordinator's channel, with a reference; NULL: not one of the kept ones. */
struct node_channel *node_channel_get(
    struct node *node, size_t coordinator, const uint8_t chan[static MPC_SYM_CHAN_LEN]);
struct mpc_sym_window *node_channel_window(struct node_channel *channel);
void node_channel_put(struct node *node, struct node_channel *channel);

#endif
