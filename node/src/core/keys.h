/** Keys in use: the opened share, its record and the pair setups, held in locked memory.
 *
 *  What is opened here comes from the vault, authenticated, and was checked against its record
 *  (x*G = X_self) before anything used it.
 */
#ifndef NODE_CORE_KEYS_H
#define NODE_CORE_KEYS_H

#include "core/node.h"
#include "mpc/otsetup.h"
#include "mpc/share.h"
#include "qk/lru.h"

/** One key's active epoch on this node. Read-only for its users. */
struct node_key {
    uint8_t key_id[16];
    struct mpc_key_record rec;
    uint8_t rec_hash[32];
    uint8_t *rec_bytes; /* canonical encoding of rec */
    size_t rec_len;
    struct mpc_key_share *share; /* locked memory */
    /* private to keys.c */
    struct qk_lru_item item;
    unsigned refs;
    bool dropped;
    struct mpc_ot_setup *setups[MPC_NODES_MAX]; /* by index in rec.nodes */
};

QK_MUST_USE qk_err node_keys_new(struct node_keys **out, const struct node *node);
void node_keys_free(struct node_keys *keys);

/** The active epoch of a key. QK_E_NOT_FOUND, QK_E_CORRUPT. Pair with node_key_put. */
QK_MUST_USE qk_err node_key_get(
    struct node *node, const uint8_t key_id[static 16], struct node_key **out);
void node_key_put(struct node *node, struct node_key *key);

/** A reference to the usable setup with a peer (mpc_ot_setup_free it). QK_E_NOT_FOUND: there is
 *  none, or it is poisoned: a new one has to be made. QK_E_BUSY: a setup was poisoned meanwhile;
 * ask again. */
QK_MUST_USE qk_err node_key_setup(
    struct node *node, struct node_key *key, uint16_t peer, struct mpc_ot_setup **out);
/** The newest usable root of a pair and class; key_id etc. of its binding are zero. */
QK_MUST_USE qk_err node_root_get(struct node *node, uint16_t peer, enum mpc_ot_class cls,
    struct mpc_ot_setup **out, uint64_t *created_ms);
/** Store a setup of either kind, FRESH. */
QK_MUST_USE qk_err node_setup_store(struct node *node, const struct mpc_ot_setup *setup);

/** Forget what memory holds of a setup or a key: it was poisoned, or destroyed. */
void node_keys_drop_setup(struct node *node, const uint8_t setup_id[static 32]);
void node_keys_drop(struct node *node, const uint8_t key_id[static 16]);
size_t node_keys_count(struct node *node);

#endif
