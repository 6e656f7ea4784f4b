/** Runs of the epoch commit (mpc/epoch.h): storing, voting, resuming after restarts.
 *
 *  A run is driven by frames, by its owner (who waits for Complete) and by the ticker (who asks
 *  again, gives up after 30 s, and frees what is finished). Page: docs/protocols/epoch.md.
 */
#ifndef NODE_CORE_EPOCHS_H
#define NODE_CORE_EPOCHS_H

#include "core/node.h"
#include "mpc/mac_record.h"
#include "mpc/share.h"
#include "mpc/sym_record.h"

QK_MUST_USE qk_err node_epochs_new(struct node_epochs **out, struct node *node);
/** Take up the runs that the vault holds, and destroy shares that no run knows (document 90, K1).
 */
QK_MUST_USE qk_err node_epochs_resume(struct node *node);
void node_epochs_free(struct node_epochs *epochs);

/** Commit the outcome of a key generation: store share and record, exchange prep and vote, wait
 *  until Complete; then the share is ACTIVE. Blocking. QK_E_TIMEOUT: undecided so far; the run goes
 *  on in the background and the key must not be announced. */
QK_MUST_USE qk_err node_epoch_commit(struct node *node, const struct mpc_key_share *share,
    const struct mpc_key_record *rec, uint64_t timeout_ms);
/** The same for a version of a symmetric key. After QK_OK the share is ACTIVE under the version's
 *  id; what was opened of an earlier epoch of it is forgotten. */
QK_MUST_USE qk_err node_epoch_commit_sym(struct node *node, const struct mpc_sym_share *share,
    const struct mpc_sym_record *rec, uint64_t timeout_ms);
/** The same for an HMAC key, under the id of its version. */
QK_MUST_USE qk_err node_epoch_commit_mac(struct node *node, const struct mpc_mac_share *share,
    const struct mpc_mac_record *rec, uint64_t timeout_ms);

/** Before shares are made under a name that an earlier attempt may have used: a creation that this
 *  node has given up is over here at once, its share destroyed; without our vote it cannot become
 *  Complete (rule 8). QK_E_BUSY: an attempt is still open; peers decide it, or 30 s do. */
QK_MUST_USE qk_err node_epoch_room(struct node *node, const uint8_t key_id[static 16]);

/** An EPOCH frame. */
void node_epochs_receive(struct node *node, uint16_t from, struct qk_bytes frame);
/** A peer came back: exchange what is known. */
void node_epochs_on_peer(struct node *node);
void node_epochs_tick(struct node *node);
/** Runs that are neither DONE nor ABORTED. */
size_t node_epochs_open(struct node *node);

#endif
