/** HMAC keys in use: the record and our share of each. Found by hash of the key's id and kept by
 * last use; at most config.sym_keys are open. Shares rest in locked memory, encoded: what a run
 * needs of them is decoded on its stack.
 */
#ifndef NODE_CORE_MACKEYS_H
#define NODE_CORE_MACKEYS_H

#include "core/node.h"
#include "mpc/mac_record.h"
#include "qk/lru.h"

/** One opened key. Read-only for its users. */
struct node_mackey {
    struct mpc_mac_record rec;
    /* private to mackeys.c */
    uint8_t id[16]; /* of the version */
    struct qk_lru_item item;
    uint8_t *record; /* canonical encoding */
    size_t record_len;
    uint8_t *share; /* encoded, locked */
    size_t share_len;
    bool small; /* how it was allocated */
    unsigned refs;
    bool dropped;
};

QK_MUST_USE qk_err node_mackeys_new(struct node_mackeys **out, const struct node *node);
void node_mackeys_free(struct node_mackeys *keys);

/** The key whose certified record holds pkrec. Pair with node_mackey_put.
 *  QK_E_NOT_FOUND: no share of it here. QK_E_MISMATCH: the share here is of another record (an
 *  import is under way). QK_E_CORRUPT, QK_E_NOMEM. */
QK_MUST_USE qk_err node_mackey_get(struct node *node, const uint8_t key_id[static 16], uint32_t ver,
    struct qk_bytes pkrec, struct node_mackey **out);
/** NULL is allowed. */
void node_mackey_put(struct node *node, struct node_mackey *key);
/** Our share. Declare with MPC_MAC_SHARE. */
QK_MUST_USE qk_err node_mackey_share(const struct node_mackey *key, struct mpc_mac_share *out);

/** Forget what memory holds of a version (by mpc_sym_version_id): it was destroyed, or has a new
 *  epoch. */
void node_mackeys_drop(struct node *node, const uint8_t version_id[static 16]);
size_t node_mackeys_count(struct node *node);

#endif
