/** Group commit: changes that wait for the disk at the same time share one transaction and one
 *  sync. Private to vault/.
 *
 *  The first thread that finds nobody at work becomes the leader: it takes every change queued,
 *  runs them one after the other, each in a savepoint of its own, commits, and tells the others.
 *  What arrives meanwhile is the next leader's.
 */
#ifndef NODE_VAULT_GROUP_H
#define NODE_VAULT_GROUP_H

#include "vault/db.h"

/** Runs inside the transaction, with the vault's mutex held, on any thread. Its error undoes what
 * it did and nothing else. */
typedef qk_err (*vault_change_fn)(struct node_vault *v, void *arg);

/** Run fn durably. Not with the vault's mutex held.
 *  patience_ms  how long the change may wait for others to share the sync with; 0: not at all
 *  Returns      fn's error, or that of the transaction (then nothing of it happened) */
qk_err vault_group(struct node_vault *v, vault_change_fn fn, void *arg, unsigned patience_ms);

qk_err vault_group_init(struct vault_group *g);
void vault_group_destroy(struct vault_group *g);

#endif
