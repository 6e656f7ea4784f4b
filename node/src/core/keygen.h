/** Making keys: key generation, epoch commit, pair setups. Page: docs/architecture.md. */
#ifndef NODE_CORE_KEYGEN_H
#define NODE_CORE_KEYGEN_H

#include "core/guard.h"
#include "core/keys.h"

/** Generate a key with all nodes of the cluster and make it ACTIVE here: DKG, epoch commit and, if
 *  with_setups, a derived OT setup with every other node. Blocking.
 *
 *  rnd   the requester's 32 random bytes, equal at all nodes
 *  what  operation name, bound into the sessions
 *  out   the opened key; node_key_put it
 *  QK_E_TIMEOUT, QK_E_IO, ...: no key; nothing was announced. *culprit: the blamed node or 0.
 */
QK_MUST_USE qk_err node_keygen(struct node_op *op, unsigned curve, const uint8_t key_id[static 16],
    const char *what, bool with_setups, struct node_key **out, uint16_t *culprit);

/** The session of a generation with all nodes of the cluster: bound to the caller's request, the
 *  requester's random bytes, `what`. rec and epochs are zero. */
QK_MUST_USE qk_err node_keygen_session(struct node_op *op, unsigned curve,
    const uint8_t key_id[static 16], const char *what, struct mpc_session *s);
/** The DKG alone, in a role of mpc_dkg_start_role. Nothing is stored. share: wipe it. */
QK_MUST_USE qk_err node_keygen_dkg(struct node_op *op, unsigned curve,
    const uint8_t key_id[static 16], const char *role, const char *what,
    struct mpc_key_share *share, struct mpc_key_record *rec, uint16_t *culprit);

/** Make a derived setup with peer for an active key. opener: the peer that asked, or 0. fresh: 32
 *  bytes that both sides use. */
QK_MUST_USE qk_err node_derive_setup(struct node *node, struct node_key *key, uint16_t peer,
    uint16_t opener, const uint8_t fresh[static 32]);

#endif
