/** A table of things that are kept while there is room: found by hash, and in order of last use.
 *
 *  Intrusive: the thing holds a struct qk_lru_item and is found from it with QK_LRU_OF. Owns
 *  nothing, locks nothing; every operation takes the same time however many items there are.
 *
 *      struct entry { struct qk_lru_item item; ... };
 *      struct entry *e = QK_LRU_OF(qk_lru_find(&t, hash, is_it, &key), struct entry, item);
 */
#ifndef QK_LRU_H
#define QK_LRU_H

#include <stddef.h>
#include "qk/bytes.h"

struct qk_lru_item {
    struct qk_lru_item *chain;         /* of the same bucket */
    struct qk_lru_item *newer, *older; /* by last use */
    uint32_t hash;
};

struct qk_lru {
    struct qk_lru_item **buckets;
    size_t n_buckets; /* a power of two */
    size_t n;
    struct qk_lru_item *newest, *oldest;
};

/** The thing around an item; NULL for NULL. */
#define QK_LRU_OF(item_ptr, type, member) ((type *)qk_lru_of((item_ptr), offsetof(type, member)))
static inline void *qk_lru_of(struct qk_lru_item *item, size_t offset)
{
    return item == NULL ? NULL : (void *)((char *)item - offset);
}

/** How many buckets suit so many items: a power of two, 64 .. 2^20. */
size_t qk_lru_buckets(uint64_t n_items);
/** n_buckets: a power of two. QK_E_NOMEM, QK_E_STATE. */
QK_MUST_USE qk_err qk_lru_init(struct qk_lru *t, size_t n_buckets);
/** The items are the owner's to free first. */
void qk_lru_free(struct qk_lru *t);

/** A hash of bytes, starting from an earlier one (or any number). Not for hostile keys in numbers:
 * who chooses what goes into the table can make buckets long. */
uint32_t qk_lru_hash(uint32_t start, struct qk_bytes bytes);

/** The item with this hash for which same(item, key); marks it used. NULL: none. */
struct qk_lru_item *qk_lru_find(struct qk_lru *t, uint32_t hash,
    bool (*same)(const struct qk_lru_item *item, const void *key), const void *key);
/** Add as the newest. An item is in one table once. */
void qk_lru_add(struct qk_lru *t, struct qk_lru_item *item, uint32_t hash);
void qk_lru_remove(struct qk_lru *t, struct qk_lru_item *item);

#endif
