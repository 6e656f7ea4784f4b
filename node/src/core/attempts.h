/** Several attempts at one epoch of a key: which of them counts.
 *
 *  A node takes part in a second attempt only if it has given the first up or holds it
 *  (mpc_epoch_hold), so that all honest nodes agree which one was later; of two that are Complete
 *  that one counts. docs/protocols/epoch.md, "Several attempts", has the reasoning.
 *
 *  The caller holds the lock of node->epochs.
 */
#ifndef NODE_CORE_ATTEMPTS_H
#define NODE_CORE_ATTEMPTS_H

#include "core/epochs_priv.h"

/** Could another attempt be begun? A creation that we have given up ends here at once (rule 8).
 *  QK_E_BUSY: an attempt is open that may yet become Complete. */
QK_MUST_USE qk_err node_attempts_room(struct node *node, const uint8_t key_id[static 16]);
/** Just before a share of this run is stored: hold what we have voted in.
 *  QK_E_BUSY as above; QK_E_CONFLICT: this epoch, or a later one, has become final here. */
QK_MUST_USE qk_err node_attempts_enter(struct node *node, const struct mpc_epoch_run *run);
/** Release what is held for a run that came to nothing; end what another one has overtaken. */
void node_attempts_review(struct node *node);

#endif
