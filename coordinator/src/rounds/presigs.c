#include "rounds/presigs.h"

#include <pthread.h>
#include <stdlib.h>
#include "qk/lru.h"

enum {
    ENTRIES = 1024, /* (key, set) pairs; the least recently used goes */
    BUCKETS = 1024,
    USED = 4096,                     /* names remembered after use */
    LOW = WIRE_CALL_PRESIGS_MAX / 2, /* then names are asked for */
};

struct entry {
    struct qk_lru_item item; /* by key */
    uint8_t key_id[16];
    uint16_t set[WIRE_NODES_MAX];
    size_t n_set;
    uint8_t sids[WIRE_CALL_PRESIGS_MAX][32];
    size_t n;
};

struct used {
    struct qk_lru_item item;
    uint8_t sid[32];
};

struct coord_presigs {
    pthread_mutex_t mutex;
    struct qk_lru by_key, by_sid;
    size_t n_entries, n_used; /* taken from the arrays so far */
    struct used used[USED];
    struct entry entries[ENTRIES];
};

qk_err coord_presigs_new(struct coord_presigs **out)
{
    struct coord_presigs *p = calloc(1, sizeof *p);
    QK_ENSURE(p != NULL, QK_E_NOMEM);
    (void)pthread_mutex_init(&p->mutex, NULL);
    qk_err err = qk_lru_init(&p->by_key, BUCKETS);
    if (err == QK_OK) err = qk_lru_init(&p->by_sid, BUCKETS);
    if (err != QK_OK) {
        coord_presigs_free(p);
        return err;
    }
    *out = p;
    return QK_OK;
}

void coord_presigs_free(struct coord_presigs *p)
{
    if (p == NULL) return;
    qk_lru_free(&p->by_key);
    qk_lru_free(&p->by_sid);
    (void)pthread_mutex_destroy(&p->mutex);
    free(p);
}

/* ---- names that were used ---- */

static bool same_sid(const struct qk_lru_item *item, const void *sid)
{
    const struct used *u = (const void *)((const char *)item - offsetof(struct used, item));
    return memcmp(u->sid, sid, 32) == 0;
}

static uint32_t hash_of(const uint8_t *bytes, size_t len)
{
    return qk_lru_hash(0, qk_bytes(bytes, len));
}

static bool was_used(struct coord_presigs *p, const uint8_t *sid)
{
    return qk_lru_find(&p->by_sid, hash_of(sid, 32), same_sid, sid) != NULL;
}

static void remember_used(struct coord_presigs *p, const uint8_t *sid)
{
    struct used *u;
    if (p->n_used < USED) {
        u = &p->used[p->n_used++];
    } else {
        u = QK_LRU_OF(p->by_sid.oldest, struct used, item);
        qk_lru_remove(&p->by_sid, &u->item);
    }
    memcpy(u->sid, sid, 32);
    qk_lru_add(&p->by_sid, &u->item, hash_of(sid, 32));
}

/* ---- entries ---- */

/* What an entry is looked for by. */
struct wanted {
    const uint8_t *key_id;
    const uint16_t *set; /* NULL: any that has a name and whose members are all healthy */
    size_t n_set;
    struct coord_nodes *nodes;
};

static bool fits(const struct qk_lru_item *item, const void *key)
{
    const struct entry *e = (const void *)((const char *)item - offsetof(struct entry, item));
    const struct wanted *w = key;
    if (e->n_set != w->n_set || memcmp(e->key_id, w->key_id, 16) != 0) return false;
    if (w->set != NULL) return memcmp(e->set, w->set, w->n_set * sizeof *w->set) == 0;
    return e->n > 0 && coord_nodes_healthy(w->nodes, e->set, e->n_set);
}

static struct entry *find(struct coord_presigs *p, const struct wanted *w)
{
    return QK_LRU_OF(qk_lru_find(&p->by_key, hash_of(w->key_id, 16), fits, w), struct entry, item);
}

static struct entry *entry_for(
    struct coord_presigs *p, const uint8_t *key_id, const uint16_t *set, size_t n_set)
{
    const struct wanted w = {.key_id = key_id, .set = set, .n_set = n_set};
    struct entry *e = find(p, &w);
    if (e != NULL) return e;
    if (p->n_entries < ENTRIES) {
        e = &p->entries[p->n_entries++];
    } else {
        e = QK_LRU_OF(p->by_key.oldest, struct entry, item);
        qk_lru_remove(&p->by_key, &e->item);
    }
    e->n = 0;
    e->n_set = n_set;
    memcpy(e->key_id, key_id, 16);
    memcpy(e->set, set, n_set * sizeof *set);
    qk_lru_add(&p->by_key, &e->item, hash_of(key_id, 16));
    return e;
}

/* Is sid in this list? Nodes list in the same order, or nearly: look on from where the last one
 * was. */
static bool listed(struct qk_bytes names, const uint8_t *sid, size_t *at)
{
    size_t n = names.len / 32;
    for (size_t k = 0; k < n; k++) {
        size_t i = (*at + k) % n;
        if (memcmp(names.p + 32 * i, sid, 32) != 0) continue;
        *at = i + 1;
        return true;
    }
    return false;
}

static void take_list(struct coord_presigs *p, struct entry *e, const struct coord_attempt *attempt)
{
    size_t at[WIRE_NODES_MAX] = {0};
    struct qk_bytes first = attempt->replies[0].answer.presigs;
    e->n = 0;
    for (size_t i = 0; i < first.len / 32 && e->n < WIRE_CALL_PRESIGS_MAX; i++) {
        const uint8_t *sid = first.p + 32 * i;
        bool all = !was_used(p, sid);
        for (size_t k = 1; k < attempt->n && all; k++)
            all = listed(attempt->replies[k].answer.presigs, sid, &at[k]);
        if (all) memcpy(e->sids[e->n++], sid, 32);
    }
}

uint32_t coord_presigs_want(
    struct coord_presigs *p, const uint8_t key_id[static 16], const uint16_t *set, size_t n_set)
{
    const struct wanted w = {.key_id = key_id, .set = set, .n_set = n_set};
    (void)pthread_mutex_lock(&p->mutex);
    struct entry *e = find(p, &w);
    bool low = e == NULL || e->n < LOW;
    (void)pthread_mutex_unlock(&p->mutex);
    return low ? WIRE_CALL_PRESIGS_MAX : 0;
}

void coord_presigs_learn(struct coord_presigs *p, const uint8_t key_id[static 16],
    const uint16_t *set, size_t n_set, const struct coord_attempt *attempt)
{
    if (!(attempt->n == n_set && n_set >= 1 && n_set <= WIRE_NODES_MAX)) return;
    if (attempt->replies[0].answer.presigs.len == 0) return;
    (void)pthread_mutex_lock(&p->mutex);
    struct entry *e = entry_for(p, key_id, set, n_set);
    if (e->n < LOW) take_list(p, e, attempt);
    (void)pthread_mutex_unlock(&p->mutex);
}

bool coord_presigs_take(struct coord_presigs *p, struct coord_nodes *nodes,
    const uint8_t key_id[static 16], size_t n_set, uint16_t *set, uint8_t sid[static 32])
{
    const struct wanted w = {.key_id = key_id, .n_set = n_set, .nodes = nodes};
    (void)pthread_mutex_lock(&p->mutex);
    struct entry *e = find(p, &w);
    if (e != NULL) {
        memcpy(set, e->set, n_set * sizeof *set);
        memcpy(sid, e->sids[--e->n], 32);
        remember_used(p, sid);
    }
    (void)pthread_mutex_unlock(&p->mutex);
    return e != NULL;
}
