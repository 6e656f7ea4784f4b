/** Group commit: changes that wait for the disk at the same time share one transaction and one
 *  sync. Private to vault/.
 *
 *  The first thread that finds nobody at work becomes the leader: it takes every change queued,
 *  runs them one after the other, each in a savepoint of its own, commits, and wakes whose changes
 *  they were. What arrives meanwhile is the next leader's.
 */
#ifndef NODE_VAULT_GROUP_H
#define NODE_VAULT_GROUP_H

#include "vault/db.h"

/** Runs inside the transaction, with the vault's mutex held, on any thread. Its error undoes what
 * it did and nothing else. */
typedef qk_err (*vault_change_fn)(struct node_vault *v, const void *arg);

struct vault_change {
    vault_change_fn fn;
    const void *arg;
    qk_err err; /* out: fn's error, or that of the transaction (then nothing of it happened) */
};

/** Run n changes durably, in order, with one sync. Not with the vault's mutex held.
 *  patience_ms  how long they may wait for others to share the sync with; 0: not at all */
void vault_group(
    struct node_vault *v, struct vault_change *changes, size_t n, unsigned patience_ms);

void vault_group_init(struct vault_group *g);
void vault_group_destroy(struct vault_group *g);

#endif
