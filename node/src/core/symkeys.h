/** Versions of symmetric keys in use: the opened share of each, ready to evaluate, and how often it
 *  was evaluated (check S-24).
 *
 *  Found by hash of (key id, version) and kept in order of last use, so 100,000 keys and 1,000
 *  versions of one key cost the same per use. At most config.sym_keys are open; opening one costs a
 *  read of the vault and about 0.2 ms.
 *
 *  Evaluations are counted in memory and made durable ahead of use in blocks of 2^20: what a crash
 *  forgets was counted already. The counts of versions that are not open any more stay in memory
 *  while there is room for them, so opening again does not skip to the end of a block.
 */
#ifndef NODE_CORE_SYMKEYS_H
#define NODE_CORE_SYMKEYS_H

#include "core/node.h"
#include "mpc/sym_node.h"
#include "qk/lru.h"

enum { NODE_SYM_BLOCK = 1 << 20 }; /* evaluations made durable at once */

struct node_sym_count;

/** One opened version. Read-only for its users. */
struct node_symkey {
    uint8_t key_id[16]; /* of the KMS key */
    uint32_t ver;
    uint8_t id[16]; /* of the version */
    struct mpc_sym_key *key;
    /* private to symkeys.c */
    struct qk_lru_item item;
    struct node_sym_count *count; /* NULL: not in the table any more */
    _Atomic uint64_t durable;     /* evaluations that the disk knows of */
    uint8_t *record;              /* canonical encoding */
    size_t record_len;
    unsigned refs;
    bool dropped;
};

QK_MUST_USE qk_err node_symkeys_new(struct node_symkeys **out, const struct node *node);
void node_symkeys_free(struct node_symkeys *keys);

/** The version whose certified record holds pkrec. Pair with node_symkey_put.
 *  QK_E_NOT_FOUND: no share of it here. QK_E_MISMATCH: the share here is of another record (an
 *  import is under way). QK_E_CORRUPT, QK_E_NOMEM. */
QK_MUST_USE qk_err node_symkey_get(struct node *node, const uint8_t key_id[static 16], uint32_t ver,
    struct qk_bytes pkrec, struct node_symkey **out);
void node_symkey_put(struct node *node, struct node_symkey *key);

/** Before an evaluation for Encrypt in mode F: it is covered by what is durable when this returns
 *  QK_OK. Rarely waits for the disk. */
QK_MUST_USE qk_err node_symkey_reserve(struct node *node, struct node_symkey *key);

/** Forget what memory holds of a version: it was destroyed. */
void node_symkeys_drop(struct node *node, const uint8_t key_id[static 16], uint32_t ver);
/** The same by the version's id (mpc_sym_version_id): it has a new epoch. */
void node_symkeys_drop_id(struct node *node, const uint8_t version_id[static 16]);
/** Versions open now. */
size_t node_symkeys_count(struct node *node);

#endif
