/** Link secrets kappa of runs for HMAC keys (protocols/60-hmac.md section 4, check M-11).
 *  Page: docs/hmac.md, "Link secrets".
 *
 *      kappa_ij = H32("mac-link"; u16 i, u16 j, r_i, r_j),  i < j
 *
 *  Each of the two draws its r anew whenever the link comes up, and tells it together with the last
 *  r it has from the other; who sees that the other has an old one tells his again. So both hold
 * the same kappa soon after the last thing that happened to the link, whatever was lost before.
 * Nothing of this is ever on a disk.
 */
#ifndef NODE_CORE_MACLINKS_H
#define NODE_CORE_MACLINKS_H

#include "core/node.h"
#include "qk/secret.h"

enum { NODE_MACLINK_ID_LEN = 8, NODE_MACLINK_FRAME_LEN = 64 };

QK_MUST_USE qk_err node_maclinks_new(struct node_maclinks **out);
void node_maclinks_free(struct node_maclinks *links);

/** A link came up or went down. May run in a callback of the mesh. */
void node_maclinks_on_peer(struct node *node, uint16_t peer, bool up);
/** A MAC_LINK frame: its r 32, and ours that it has, 32 (zeros: none). The same. */
void node_maclinks_receive(struct node *node, uint16_t from, struct qk_bytes body);
/** Tell again what could not be told. */
void node_maclinks_tick(struct node *node);

/** kappa with this peer. QK_E_IO: there is none now. QK_E_STATE: not another node. */
QK_MUST_USE qk_err node_maclink_get(struct node *node, uint16_t peer, struct qk_sec32 *kappa);
/** A public name of a kappa, by which two nodes find out whether they hold the same one: the first
 *  bytes of H32("mac-link-id"; kappa). */
QK_MUST_USE qk_err node_maclink_id(
    const struct qk_sec32 *kappa, uint8_t out[static NODE_MACLINK_ID_LEN]);

#endif
