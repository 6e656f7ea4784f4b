#include "store/kept.h"

#include <stdlib.h>
#include "mpc/sym_record.h"

qk_err coord_kept_new(struct coord_kept **out, struct qk_bytes certified)
{
    struct qk_bytes record;
    struct kms_cert cert;
    struct coord_kept *k = malloc(sizeof *k + certified.len);
    QK_ENSURE(k != NULL, QK_E_NOMEM);
    atomic_init(&k->refs, 1);
    atomic_init(&k->sym, NULL);
    k->len = certified.len;
    k->put_ms = 0;
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
    *out = (struct coord_entry){.kept = kept,
        .certified = qk_bytes(kept->bytes, kept->len),
        .r = kept->r,
        .put_ms = kept->put_ms};
}

void coord_kept_unref(struct coord_kept *kept)
{
    if (kept == NULL || atomic_fetch_sub(&kept->refs, 1) != 1) return;
    mpc_sym_version_free(atomic_load(&kept->sym));
    free(kept);
}

static qk_err make_version(const struct kms_record *r, struct mpc_sym_version **out)
{
    struct mpc_sym_record *rec = malloc(sizeof *rec);
    QK_ENSURE(rec != NULL, QK_E_NOMEM);
    qk_err err = mpc_sym_record_decode(r->version_of.pkrec, rec);
    bool ours = err == QK_OK && rec->ver == r->version_of.ver &&
                memcmp(rec->key_id, r->version_of.key_id, 16) == 0;
    if (err == QK_OK) err = ours ? mpc_sym_version_new(out, rec) : QK_E_CORRUPT;
    free(rec);
    return err == QK_OK || err == QK_E_NOMEM ? err : QK_E_CORRUPT;
}

qk_err coord_entry_version(const struct coord_entry *e, const struct mpc_sym_version **out)
{
    QK_ENSURE(e->kept != NULL && e->r.kind == KMS_KIND_VERSION, QK_E_STATE);
    struct mpc_sym_version *v = atomic_load(&e->kept->sym), *made = NULL;
    if (v == NULL) {
        QK_TRY(make_version(&e->r, &made));
        /* Another thread may have been faster: one of the two is kept. */
        if (atomic_compare_exchange_strong(&e->kept->sym, &v, made))
            v = made;
        else
            mpc_sym_version_free(made);
    }
    *out = v;
    return QK_OK;
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

/* With what an evaluation needs of a version, whether it has been made or not: without points 0.5
 * KiB, with them some four times the record. */
static size_t size_of(const struct coord_kept *k)
{
    size_t sym = k->r.kind == KMS_KIND_VERSION ? 512 + 4 * k->r.version_of.pkrec.len : 0;
    return sizeof *k + k->len + sym;
}

static void drop(struct coord_kept_table *t, struct coord_kept *k)
{
    qk_lru_remove(&t->lru, &k->item);
    t->bytes -= size_of(k);
    coord_kept_unref(k);
}

qk_err coord_kept_table_init(struct coord_kept_table *t, size_t max)
{
    t->bytes = 0;
    t->max = max;
    return qk_lru_init(&t->lru, qk_lru_buckets(max));
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
    t->bytes += size_of(kept);
    while (t->lru.n > t->max || (t->bytes > t->max * COORD_KEPT_EACH && t->lru.n > 1))
        drop(t, QK_LRU_OF(t->lru.oldest, struct coord_kept, item));
}

void coord_kept_forget(struct coord_kept_table *t, enum kms_kind kind, const char *id)
{
    struct coord_kept *k = find(t, kind, id);
    if (k != NULL) drop(t, k);
}
