/** What travels on the links between nodes: one type byte, then the body. Page: docs/wire.md.
 *
 *      1 MPC      an envelope of mpc/party.h
 *      2 EPOCH    an envelope of mpc/epoch.h
 *      3 ASK      u32 number, DPRF request (mpc/dprf.h): a partial of the system key, please
 *      4 PARTIAL  u32 number, 131 bytes: the answer to ASK; empty when refused
 *      5 OPEN     canonical msgpack: let us start a session of our own accord (opens.h)
 *      6 CHANGE   canonical msgpack: signatures on changes whose outcome is open (pending.h)
 *      7 to 12    MAC_LINK (maclinks.h), MAC_TABLES, _LABELS, _GMAC, _CREDIT, _OUT (macruns.h)
 *
 *  A frame that does not decode is counted and dropped; it never ends anything that runs.
 */
#ifndef NODE_CORE_FRAMES_H
#define NODE_CORE_FRAMES_H

#include "core/node.h"

enum node_frame {
    NODE_FRAME_MPC = 1,
    NODE_FRAME_EPOCH,
    NODE_FRAME_ASK,
    NODE_FRAME_PARTIAL,
    NODE_FRAME_OPEN,
    NODE_FRAME_CHANGE,
    NODE_FRAME_MAC_LINK,
    NODE_FRAME_MAC_TABLES,
    NODE_FRAME_MAC_LABELS,
    NODE_FRAME_MAC_GMAC,
    NODE_FRAME_MAC_CREDIT,
    NODE_FRAME_MAC_OUT,
    NODE_FRAME_LAST = NODE_FRAME_MAC_OUT
};

/** Queue type || body for a peer; errors of wire_mesh_send. Any thread. */
QK_MUST_USE qk_err node_frame_send(
    struct node *node, uint16_t to, enum node_frame type, struct qk_bytes body);
/** wire_mesh_config.on_message and on_peer; ctx is the node. */
void node_frames_on_message(void *ctx, uint16_t from, struct qk_bytes bytes);
void node_frames_on_peer(void *ctx, uint16_t id, bool up);

#endif
