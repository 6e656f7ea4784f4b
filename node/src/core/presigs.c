#include "core/presigs.h"

#include <stdlib.h>
#include "qk/clock.h"
#include "core/opens.h"

enum { GROUPS_MAX = 256, WINDOW_MS = 60000, KEEP_GROUP_MS = 900000, BUSY = 4 };

struct entry {
    struct mpc_presig *presig;
    uint64_t made_ms;
    struct entry *next;
};

/* The presignatures of one key and signer set, and how fast they are used. */
struct group {
    uint8_t key_id[16];
    uint16_t signers[MPC_NODES_MAX];
    size_t n_signers;
    struct entry *free;
    size_t n_free, under_way;
    uint64_t window_ms, used_ms;
    uint64_t uses, made; /* in this window and the one before */
    uint64_t uses_before, made_before;
    struct group *next;
};

struct node_presigs {
    pthread_mutex_t lock;
    struct group *list;
    size_t n_groups, n_free;
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
    *out = p;
    return QK_OK;
}

static void drop_entry(struct node_presigs *p, struct group *g, struct entry **at)
{
    struct entry *e = *at;
    *at = e->next;
    g->n_free--;
    p->n_free--;
    mpc_presig_free(e->presig);
    free(e);
}

static void drop_all(struct node_presigs *p, struct group *g)
{
    while (g->free != NULL) drop_entry(p, g, &g->free);
}

void node_presigs_free(struct node_presigs *p)
{
    if (p == NULL) return;
    while (p->list != NULL) {
        struct group *g = p->list;
        p->list = g->next;
        drop_all(p, g);
        free(g);
    }
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static struct group *find(
    struct node_presigs *p, const uint8_t key_id[static 16], const uint16_t *signers, size_t n)
{
    for (struct group *g = p->list; g != NULL; g = g->next)
        if (memcmp(g->key_id, key_id, 16) == 0 && g->n_signers == n &&
            memcmp(g->signers, signers, n * sizeof *signers) == 0)
            return g;
    return NULL;
}

static struct group *find_or_add(
    struct node_presigs *p, const uint8_t key_id[static 16], const uint16_t *signers, size_t n)
{
    struct group *g = find(p, key_id, signers, n);
    if (g != NULL || p->n_groups >= GROUPS_MAX) return g;
    g = calloc(1, sizeof *g);
    if (g == NULL) return NULL;
    memcpy(g->key_id, key_id, 16);
    memcpy(g->signers, signers, n * sizeof *signers);
    g->n_signers = n;
    g->window_ms = qk_mono_ms();
    g->next = p->list;
    p->list = g;
    p->n_groups++;
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
    return have < p->per_key && p->n_free < p->total && have < uses && made < 2 * uses;
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
        for (struct entry *e = g->free; e != NULL && want > 0; e = e->next, want--)
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

qk_err node_presigs_add(struct node *node, const struct node_key *key, const uint16_t *signers,
    size_t n, struct mpc_presig *presig)
{
    struct node_presigs *p = node->presigs;
    struct entry *e = malloc(sizeof *e);
    pthread_mutex_lock(&p->lock);
    struct group *g = find(p, key->key_id, signers, n);
    bool room = e != NULL && g != NULL && g->n_free < p->per_key && p->n_free < p->total;
    if (room) {
        *e = (struct entry){presig, qk_mono_ms(), NULL};
        struct entry **at = &g->free; /* oldest first: they are spent first */
        while (*at != NULL) at = &(*at)->next;
        *at = e;
        g->n_free++;
        p->n_free++;
    }
    pthread_mutex_unlock(&p->lock);
    if (room) return QK_OK;
    mpc_presig_free(presig);
    free(e);
    return QK_E_BUSY;
}

static struct mpc_presig *take_from(
    struct node_presigs *p, struct group *g, const uint8_t sid[static 32], bool *fresh)
{
    for (struct entry **at = &g->free; *at != NULL; at = &(*at)->next) {
        struct entry *e = *at;
        if (memcmp(mpc_presig_sid(e->presig), sid, 32) != 0) continue;
        struct mpc_presig *presig = e->presig;
        *fresh = qk_mono_ms() - e->made_ms < p->age_ms;
        *at = e->next;
        g->n_free--;
        p->n_free--;
        free(e);
        return presig;
    }
    return NULL;
}

/* Unlink the entry named sid from wherever it is, looking first where it should be. The ticker
 * wipes what is too old, but may be late: *fresh says whether it may be used. */
static struct mpc_presig *take(
    struct node_presigs *p, struct group *own, const uint8_t sid[static 32], bool *fresh)
{
    struct mpc_presig *presig = own == NULL ? NULL : take_from(p, own, sid, fresh);
    for (struct group *g = p->list; g != NULL && presig == NULL; g = g->next)
        presig = take_from(p, g, sid, fresh);
    return presig;
}

qk_err node_presig_use(struct node *node, const uint8_t sid[static 32],
    const struct mpc_key_record *rec, const uint16_t *signers, size_t n, struct qk_bytes digest,
    const uint8_t req[static 32], struct mpc_ecdsa_part *part)
{
    struct node_presigs *p = node->presigs;
    pthread_mutex_lock(&p->lock);
    bool fresh = false;
    struct mpc_presig *presig = take(p, find(p, rec->key_id, signers, n), sid, &fresh);
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
    for (struct group *g = p->list; g != NULL; g = g->next)
        for (struct entry **at = &g->free; *at != NULL;) {
            if (mpc_presig_uses_setup((*at)->presig, setup_id))
                drop_entry(p, g, at);
            else
                at = &(*at)->next;
        }
    pthread_mutex_unlock(&p->lock);
}

void node_presigs_burn_key(struct node *node, const uint8_t key_id[static 16])
{
    struct node_presigs *p = node->presigs;
    pthread_mutex_lock(&p->lock);
    for (struct group *g = p->list; g != NULL; g = g->next)
        if (memcmp(g->key_id, key_id, 16) == 0) drop_all(p, g);
    pthread_mutex_unlock(&p->lock);
}

void node_presigs_tick(struct node *node)
{
    struct node_presigs *p = node->presigs;
    pthread_mutex_lock(&p->lock);
    uint64_t now = qk_mono_ms(); /* under the lock: nothing may be younger than `now` */
    for (struct group **gat = &p->list; *gat != NULL;) {
        struct group *g = *gat;
        for (struct entry **at = &g->free; *at != NULL;) {
            if (now - (*at)->made_ms >= p->age_ms)
                drop_entry(p, g, at);
            else
                at = &(*at)->next;
        }
        bool idle = g->n_free == 0 && g->under_way == 0 && now - g->used_ms >= KEEP_GROUP_MS;
        if (!idle) {
            gat = &g->next;
            continue;
        }
        *gat = g->next;
        p->n_groups--;
        free(g);
    }
    pthread_mutex_unlock(&p->lock);
}

size_t node_presigs_count(struct node *node)
{
    pthread_mutex_lock(&node->presigs->lock);
    size_t n = node->presigs->n_free;
    pthread_mutex_unlock(&node->presigs->lock);
    return n;
}
