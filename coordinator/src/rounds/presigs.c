#include "rounds/presigs.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    ENTRIES = 1024, /* (key, set) pairs; the least recently used goes */
    USED = 4096,    /* names remembered after use */
};

struct entry {
    uint8_t key_id[16];
    uint16_t set[WIRE_NODES_MAX];
    size_t n_set; /* 0: free */
    uint8_t sids[WIRE_CALL_PRESIGS_MAX][32];
    size_t n;
    uint64_t used_at;
};

struct coord_presigs {
    pthread_mutex_t mutex;
    uint64_t tick;
    size_t next_used;
    uint8_t used[USED][32];
    struct entry entries[ENTRIES];
};

qk_err coord_presigs_new(struct coord_presigs **out)
{
    struct coord_presigs *p = calloc(1, sizeof *p);
    QK_ENSURE(p != NULL, QK_E_NOMEM);
    (void)pthread_mutex_init(&p->mutex, NULL);
    *out = p;
    return QK_OK;
}

void coord_presigs_free(struct coord_presigs *p)
{
    if (p == NULL) return;
    (void)pthread_mutex_destroy(&p->mutex);
    free(p);
}

static bool was_used(const struct coord_presigs *p, const uint8_t *sid)
{
    for (size_t i = 0; i < USED; i++)
        if (memcmp(p->used[i], sid, 32) == 0) return true;
    return false;
}

static bool listed(const struct wire_answer *a, const uint8_t *sid)
{
    for (uint32_t i = 0; i < a->n_presigs; i++)
        if (memcmp(a->presigs[i], sid, 32) == 0) return true;
    return false;
}

static bool entry_is(
    const struct entry *e, const uint8_t *key_id, const uint16_t *set, size_t n_set)
{
    return e->n_set == n_set && memcmp(e->key_id, key_id, 16) == 0 &&
           memcmp(e->set, set, n_set * sizeof *set) == 0;
}

static struct entry *entry_for(
    struct coord_presigs *p, const uint8_t *key_id, const uint16_t *set, size_t n_set)
{
    struct entry *oldest = &p->entries[0];
    for (size_t i = 0; i < ENTRIES; i++) {
        struct entry *e = &p->entries[i];
        if (entry_is(e, key_id, set, n_set)) return e;
        if (e->used_at < oldest->used_at) oldest = e;
    }
    *oldest = (struct entry){.n_set = n_set};
    memcpy(oldest->key_id, key_id, 16);
    memcpy(oldest->set, set, n_set * sizeof *set);
    return oldest;
}

void coord_presigs_learn(struct coord_presigs *p, const uint8_t key_id[static 16],
    const uint16_t *set, size_t n_set, const struct coord_attempt *attempt)
{
    if (!(attempt->n == n_set && n_set >= 1 && n_set <= WIRE_NODES_MAX)) return;
    (void)pthread_mutex_lock(&p->mutex);
    struct entry *e = entry_for(p, key_id, set, n_set);
    e->used_at = ++p->tick;
    e->n = 0;
    const struct wire_answer *first = &attempt->replies[0].answer;
    for (uint32_t i = 0; i < first->n_presigs; i++) {
        bool all = !was_used(p, first->presigs[i]);
        for (size_t k = 1; k < attempt->n && all; k++)
            all = listed(&attempt->replies[k].answer, first->presigs[i]);
        if (all) memcpy(e->sids[e->n++], first->presigs[i], 32);
    }
    (void)pthread_mutex_unlock(&p->mutex);
}

static void consume(struct coord_presigs *p, struct entry *e, uint8_t *sid)
{
    memcpy(sid, e->sids[--e->n], 32);
    memcpy(p->used[p->next_used++ % USED], sid, 32);
    e->used_at = ++p->tick;
}

bool coord_presigs_take(struct coord_presigs *p, struct coord_nodes *nodes,
    const uint8_t key_id[static 16], size_t n_set, uint16_t *set, uint8_t sid[static 32])
{
    bool found = false;
    (void)pthread_mutex_lock(&p->mutex);
    for (size_t i = 0; i < ENTRIES && !found; i++) {
        struct entry *e = &p->entries[i];
        if (e->n == 0 || e->n_set != n_set || memcmp(e->key_id, key_id, 16) != 0) continue;
        if (!coord_nodes_healthy(nodes, e->set, n_set)) continue;
        memcpy(set, e->set, n_set * sizeof *set);
        consume(p, e, sid);
        found = true;
    }
    (void)pthread_mutex_unlock(&p->mutex);
    return found;
}
