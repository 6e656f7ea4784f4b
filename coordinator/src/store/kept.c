#include "store/kept.h"

#include <stdlib.h>

enum { BUCKETS = 8192 };

qk_err coord_kept_new(struct coord_kept **out, struct qk_bytes certified)
{
    struct qk_bytes record;
    struct kms_cert cert;
    struct coord_kept *k = malloc(sizeof *k + certified.len);
    QK_ENSURE(k != NULL, QK_E_NOMEM);
    atomic_init(&k->refs, 1);
    k->len = certified.len;
    memcpy(k->bytes, certified.p, certified.len);
    qk_err err = kms_certified_decode(qk_bytes(k->bytes, k->len), &record, &cert);
    if (err == QK_OK) err = kms_record_decode(record, &k->r);
    if (err != QK_OK) {
        free(k);
        return QK_E_CORRUPT;
    }
    *out = k;
    return QK_OK;
}

void coord_kept_entry(struct coord_kept *kept, struct coord_entry *out)
{
    *out = (struct coord_entry){
        .kept = kept, .certified = qk_bytes(kept->bytes, kept->len), .r = kept->r};
}

void coord_kept_unref(struct coord_kept *kept)
{
    if (kept != NULL && atomic_fetch_sub(&kept->refs, 1) == 1) free(kept);
}

/* ---- the table ---- */

struct name {
    enum kms_kind kind;
    const char *id;
};

static bool is_named(const struct qk_lru_item *item, const void *key)
{
    const struct coord_kept *k =
        (const void *)((const char *)item - offsetof(struct coord_kept, item));
    const struct name *name = key;
    return k->r.kind == name->kind && strcmp(k->r.id, name->id) == 0;
}

static uint32_t hash_of(enum kms_kind kind, const char *id)
{
    return qk_lru_hash((uint32_t)kind, qk_str(id));
}

static struct coord_kept *find(struct coord_kept_table *t, enum kms_kind kind, const char *id)
{
    struct name name = {kind, id};
    return QK_LRU_OF(
        qk_lru_find(&t->lru, hash_of(kind, id), is_named, &name), struct coord_kept, item);
}

static void drop(struct coord_kept_table *t, struct coord_kept *k)
{
    qk_lru_remove(&t->lru, &k->item);
    t->bytes -= sizeof *k + k->len;
    coord_kept_unref(k);
}

qk_err coord_kept_table_init(struct coord_kept_table *t)
{
    t->bytes = 0;
    return qk_lru_init(&t->lru, BUCKETS);
}

void coord_kept_table_free(struct coord_kept_table *t)
{
    while (t->lru.oldest != NULL) drop(t, QK_LRU_OF(t->lru.oldest, struct coord_kept, item));
    qk_lru_free(&t->lru);
}

struct coord_kept *coord_kept_find(struct coord_kept_table *t, enum kms_kind kind, const char *id)
{
    struct coord_kept *k = find(t, kind, id);
    if (k != NULL) atomic_fetch_add(&k->refs, 1);
    return k;
}

void coord_kept_add(struct coord_kept_table *t, struct coord_kept *kept)
{
    coord_kept_forget(t, kept->r.kind, kept->r.id);
    atomic_fetch_add(&kept->refs, 1);
    qk_lru_add(&t->lru, &kept->item, hash_of(kept->r.kind, kept->r.id));
    t->bytes += sizeof *kept + kept->len;
    while (t->lru.n > COORD_KEPT_MAX || (t->bytes > COORD_KEPT_BYTES_MAX && t->lru.n > 1))
        drop(t, QK_LRU_OF(t->lru.oldest, struct coord_kept, item));
}

void coord_kept_forget(struct coord_kept_table *t, enum kms_kind kind, const char *id)
{
    struct coord_kept *k = find(t, kind, id);
    if (k != NULL) drop(t, k);
}
