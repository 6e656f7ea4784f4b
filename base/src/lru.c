#include "qk/lru.h"

#include <stdlib.h>

size_t qk_lru_buckets(uint64_t n_items)
{
    size_t n = 64;
    while (n < n_items && n < 1u << 20) n *= 2;
    return n;
}

qk_err qk_lru_init(struct qk_lru *t, size_t n_buckets)
{
    QK_ENSURE(n_buckets >= 1 && (n_buckets & (n_buckets - 1)) == 0, QK_E_STATE);
    *t = (struct qk_lru){.n_buckets = n_buckets};
    t->buckets = calloc(n_buckets, sizeof(struct qk_lru_item *));
    return t->buckets == NULL ? QK_E_NOMEM : QK_OK;
}

void qk_lru_free(struct qk_lru *t)
{
    free(t->buckets);
    *t = (struct qk_lru){0};
}

/* FNV-1a. */
uint32_t qk_lru_hash(uint32_t start, struct qk_bytes bytes)
{
    uint32_t hash = start ^ 2166136261u;
    for (size_t i = 0; i < bytes.len; i++) hash = (hash ^ bytes.p[i]) * 16777619u;
    return hash;
}

static struct qk_lru_item **bucket(struct qk_lru *t, uint32_t hash)
{
    return &t->buckets[hash & (t->n_buckets - 1)];
}

static void unlink_use(struct qk_lru *t, struct qk_lru_item *item)
{
    *(item->newer != NULL ? &item->newer->older : &t->newest) = item->older;
    *(item->older != NULL ? &item->older->newer : &t->oldest) = item->newer;
}

static void link_newest(struct qk_lru *t, struct qk_lru_item *item)
{
    item->newer = NULL;
    item->older = t->newest;
    *(t->newest != NULL ? &t->newest->newer : &t->oldest) = item;
    t->newest = item;
}

struct qk_lru_item *qk_lru_find(struct qk_lru *t, uint32_t hash,
    bool (*same)(const struct qk_lru_item *item, const void *key), const void *key)
{
    struct qk_lru_item *item = *bucket(t, hash);
    while (item != NULL && !(item->hash == hash && same(item, key))) item = item->chain;
    if (item == NULL || item == t->newest) return item;
    unlink_use(t, item);
    link_newest(t, item);
    return item;
}

void qk_lru_add(struct qk_lru *t, struct qk_lru_item *item, uint32_t hash)
{
    struct qk_lru_item **at = bucket(t, hash);
    item->hash = hash;
    item->chain = *at;
    *at = item;
    link_newest(t, item);
    t->n++;
}

void qk_lru_remove(struct qk_lru *t, struct qk_lru_item *item)
{
    struct qk_lru_item **at = bucket(t, item->hash);
    while (*at != item) at = &(*at)->chain;
    *at = item->chain;
    unlink_use(t, item);
    t->n--;
}
