#include "core/presigs.h"

#include <stdlib.h>
#include "qk/clock.h"
#include "qk/lru.h"
#include "core/opens.h"

enum { BUCKETS = 4096, GROUPS_MAX = 4096, WINDOW_MS = 60000, KEEP_GROUP_MS = 900000, BUSY = 4 };

struct entry {
    struct qk_lru_item item; /* by session id */
    struct mpc_presig *presig;
    uint64_t made_ms;
    struct group *group;
    struct entry *older, *newer; /* of the group */
};

/* The presignatures of one key and signer set, and how fast they are used. */
struct group {
    struct qk_lru_item item;
    uint8_t key_id[16];
    uint16_t signers[MPC_NODES_MAX];
    size_t n_signers;
    struct entry *oldest, *newest; /* the oldest are spent first */
    size_t n_free, under_way;
    uint64_t window_ms, used_ms;
    uint64_t uses, made; /* in this window and the one before */
    uint64_t uses_before, made_before;
};

struct node_presigs {
    pthread_mutex_t lock;
    struct qk_lru groups, entries;
    size_t per_key, total;
    uint64_t age_ms;
};

qk_err node_presigs_new(struct node_presigs **out, const struct node *node)
{
    struct node_presigs *p = calloc(1, sizeof *p);
    QK_ENSURE(p != NULL, QK_E_NOMEM);
    pthread_mutex_init(&p->lock, NULL);
    p->per_key = node->conf.presign_per_key;
    p->total = node->conf.presign_total;
    p->age_ms = node->conf.presign_age_ms;
    qk_err err = qk_lru_init(&p->groups, BUCKETS);
    if (err == QK_OK) err = qk_lru_init(&p->entries, BUCKETS);
    if (err == QK_OK)
        *out = p;
    else
        node_presigs_free(p);
    return err;
}

static struct group *group_of(struct qk_lru_item *item)
{
    return QK_LRU_OF(item, struct group, item);
}

static struct entry *entry_of(struct qk_lru_item *item)
{
    return QK_LRU_OF(item, struct entry, item);
}

/* Out of its group g and the table; presig is the caller's now. */
static struct mpc_presig *unlink_entry(struct node_presigs *p, struct group *g, struct entry *e)
{
    struct mpc_presig *presig = e->presig;
    *(e == g->oldest ? &g->oldest : &e->older->newer) = e->newer;
    *(e == g->newest ? &g->newest : &e->newer->older) = e->older;
    g->n_free--;
    qk_lru_remove(&p->entries, &e->item);
    free(e);
    return presig;
}

static void drop_all(struct node_presigs *p, struct group *g)
{
    while (g->oldest != NULL) mpc_presig_free(unlink_entry(p, g, g->oldest));
}

static void drop_group(struct node_presigs *p, struct group *g)
{
    drop_all(p, g);
    qk_lru_remove(&p->groups, &g->item);
    free(g);
}

void node_presigs_free(struct node_presigs *p)
{
    if (p == NULL) return;
    while (p->groups.oldest != NULL) drop_group(p, group_of(p->groups.oldest));
    qk_lru_free(&p->groups);
    qk_lru_free(&p->entries);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* ---- groups ---- */

struct name {
    const uint8_t *key_id;
    const uint16_t *signers;
    size_t n;
};

static bool is_group(const struct qk_lru_item *item, const void *key)
{
    const struct group *g = (const void *)((const char *)item - offsetof(struct group, item));
    const struct name *name = key;
    return memcmp(g->key_id, name->key_id, 16) == 0 && g->n_signers == name->n &&
           memcmp(g->signers, name->signers, name->n * sizeof *name->signers) == 0;
}

static uint32_t group_hash(const struct name *name)
{
    return qk_lru_hash(qk_lru_hash(0, qk_bytes(name->key_id, 16)),
        qk_bytes(name->signers, name->n * sizeof *name->signers));
}

static struct group *find(
    struct node_presigs *p, const uint8_t key_id[static 16], const uint16_t *signers, size_t n)
{
    struct name name = {key_id, signers, n};
    return group_of(qk_lru_find(&p->groups, group_hash(&name), is_group, &name));
}

static struct group *find_or_add(
    struct node_presigs *p, const uint8_t key_id[static 16], const uint16_t *signers, size_t n)
{
    struct name name = {key_id, signers, n};
    struct group *g = find(p, key_id, signers, n);
    if (g != NULL || p->groups.n >= GROUPS_MAX) return g;
    g = calloc(1, sizeof *g);
    if (g == NULL) return NULL;
    memcpy(g->key_id, key_id, 16);
    memcpy(g->signers, signers, n * sizeof *signers);
    g->n_signers = n;
    g->window_ms = qk_mono_ms();
    qk_lru_add(&p->groups, &g->item, group_hash(&name));
    return g;
}

static void roll_window(struct group *g, uint64_t now)
{
    if (now - g->window_ms < WINDOW_MS) return;
    bool adjoining = now - g->window_ms < 2 * WINDOW_MS;
    g->uses_before = adjoining ? g->uses : 0;
    g->made_before = adjoining ? g->made : 0;
    g->uses = g->made = 0;
    g->window_ms = now;
}

static bool has_room(const struct node_presigs *p, const struct group *g)
{
    uint64_t uses = g->uses + g->uses_before, made = g->made + g->made_before;
    size_t have = g->n_free + g->under_way;
    return have < p->per_key && p->entries.n < p->total && have < uses && made < 2 * uses;
}

void node_presigs_offer(struct node *node, const struct node_key *key, const uint16_t *signers,
    size_t n, size_t want, struct qk_buf *names)
{
    struct node_presigs *p = node->presigs;
    bool more = false;
    if (p->per_key == 0) return;
    pthread_mutex_lock(&p->lock);
    struct group *g = find_or_add(p, key->key_id, signers, n);
    if (g != NULL) {
        g->used_ms = qk_mono_ms();
        roll_window(g, g->used_ms);
        g->uses++;
        for (struct entry *e = g->oldest; e != NULL && want > 0; e = e->newer, want--)
            qk_buf_add(names, mpc_presig_sid(e->presig), 32);
        more = has_room(p, g);
    }
    pthread_mutex_unlock(&p->lock);
    bool busy = node->serving > BUSY; /* a signature now is worth more than one later */
    if (!more || busy || signers[0] != node_self(node)) return;
    /* Two for one, or the pool would never grow; whether there is room is asked again. */
    for (int i = 0; i < 2; i++) node_opens_want_presig(node, key->key_id, signers, n);
}

bool node_presigs_begin(
    struct node *node, const uint8_t key_id[static 16], const uint16_t *signers, size_t n)
{
    struct node_presigs *p = node->presigs;
    pthread_mutex_lock(&p->lock);
    struct group *g = find(p, key_id, signers, n);
    bool ok = g != NULL && has_room(p, g);
    if (ok) {
        g->under_way++;
        g->made++;
    }
    pthread_mutex_unlock(&p->lock);
    return ok;
}

void node_presigs_end(
    struct node *node, const uint8_t key_id[static 16], const uint16_t *signers, size_t n)
{
    struct node_presigs *p = node->presigs;
    pthread_mutex_lock(&p->lock);
    struct group *g = find(p, key_id, signers, n);
    if (g != NULL && g->under_way > 0) g->under_way--;
    pthread_mutex_unlock(&p->lock);
}

static uint32_t entry_hash(const uint8_t sid[static 32])
{
    return qk_lru_hash(0, qk_bytes(sid, 32));
}

static void append(
    struct node_presigs *p, struct group *g, struct entry *e, struct mpc_presig *presig)
{
    *e = (struct entry){.presig = presig, .made_ms = qk_mono_ms(), .group = g, .older = g->newest};
    *(g->newest != NULL ? &g->newest->newer : &g->oldest) = e;
    g->newest = e;
    g->n_free++;
    qk_lru_add(&p->entries, &e->item, entry_hash(mpc_presig_sid(presig)));
}

qk_err node_presigs_add(struct node *node, const struct node_key *key, const uint16_t *signers,
    size_t n, struct mpc_presig *presig)
{
    struct node_presigs *p = node->presigs;
    struct entry *e = malloc(sizeof *e);
    pthread_mutex_lock(&p->lock);
    struct group *g = find(p, key->key_id, signers, n);
    bool room = e != NULL && g != NULL && g->n_free < p->per_key && p->entries.n < p->total;
    if (room) append(p, g, e, presig);
    pthread_mutex_unlock(&p->lock);
    if (room) return QK_OK;
    mpc_presig_free(presig);
    free(e);
    return QK_E_BUSY;
}

static bool is_entry(const struct qk_lru_item *item, const void *sid)
{
    const struct entry *e = (const void *)((const char *)item - offsetof(struct entry, item));
    return memcmp(mpc_presig_sid(e->presig), sid, 32) == 0;
}

/* The presignature named sid leaves the pool. The ticker wipes what is too old, but may be late:
 * *fresh says whether it may be used. */
static struct mpc_presig *take(struct node_presigs *p, const uint8_t sid[static 32], bool *fresh)
{
    struct entry *e = entry_of(qk_lru_find(&p->entries, entry_hash(sid), is_entry, sid));
    if (e == NULL) return NULL;
    *fresh = qk_mono_ms() - e->made_ms < p->age_ms;
    return unlink_entry(p, e->group, e);
}

qk_err node_presig_use(struct node *node, const uint8_t sid[static 32],
    const struct mpc_key_record *rec, const uint16_t *signers, size_t n, struct qk_bytes digest,
    const uint8_t req[static 32], struct mpc_ecdsa_part *part)
{
    struct node_presigs *p = node->presigs;
    pthread_mutex_lock(&p->lock);
    bool fresh = false;
    struct mpc_presig *presig = take(p, sid, &fresh);
    pthread_mutex_unlock(&p->lock);
    QK_ENSURE(presig != NULL, QK_E_NOT_FOUND);
    qk_err err =
        fresh ? mpc_presig_use(presig, rec, signers, n, digest, req, part) : QK_E_NOT_FOUND;
    mpc_presig_free(presig);
    return err;
}

void node_presigs_burn_setup(struct node *node, const uint8_t setup_id[static 32])
{
    struct node_presigs *p = node->presigs;
    pthread_mutex_lock(&p->lock);
    for (struct qk_lru_item *at = p->entries.oldest, *next; at != NULL; at = next) {
        next = at->newer;
        if (mpc_presig_uses_setup(entry_of(at)->presig, setup_id))
            mpc_presig_free(unlink_entry(p, entry_of(at)->group, entry_of(at)));
    }
    pthread_mutex_unlock(&p->lock);
}

void node_presigs_burn_key(struct node *node, const uint8_t key_id[static 16])
{
    struct node_presigs *p = node->presigs;
    pthread_mutex_lock(&p->lock);
    for (struct qk_lru_item *at = p->groups.oldest; at != NULL; at = at->newer)
        if (memcmp(group_of(at)->key_id, key_id, 16) == 0) drop_all(p, group_of(at));
    pthread_mutex_unlock(&p->lock);
}

void node_presigs_tick(struct node *node)
{
    struct node_presigs *p = node->presigs;
    pthread_mutex_lock(&p->lock);
    uint64_t now = qk_mono_ms(); /* under the lock: nothing may be younger than `now` */
    for (struct qk_lru_item *at = p->groups.oldest, *next_item; at != NULL; at = next_item) {
        struct group *g = group_of(at);
        next_item = at->newer;
        while (g->oldest != NULL && now - g->oldest->made_ms >= p->age_ms)
            mpc_presig_free(unlink_entry(p, g, g->oldest));
        bool idle = g->n_free == 0 && g->under_way == 0 && now - g->used_ms >= KEEP_GROUP_MS;
        if (idle) drop_group(p, g);
    }
    pthread_mutex_unlock(&p->lock);
}

size_t node_presigs_count(struct node *node)
{
    pthread_mutex_lock(&node->presigs->lock);
    size_t n = node->presigs->entries.n;
    pthread_mutex_unlock(&node->presigs->lock);
    return n;
}
