#include "vault/group.h"

#include <time.h>
#include "qk/clock.h"

/* What one thread brings, and waits for. */
struct vault_batch {
    struct vault_change *changes;
    size_t n;
    uint64_t from_ms; /* its patience ends */
    bool done;
    pthread_cond_t turned; /* done, or there is no leader: each thread is woken for itself alone */
    struct vault_batch *next;
};

void vault_group_init(struct vault_group *g)
{
    g->last = &g->first;
    (void)pthread_mutex_init(&g->mutex, NULL);
}

void vault_group_destroy(struct vault_group *g)
{
    (void)pthread_mutex_destroy(&g->mutex);
}

static void run_one(struct node_vault *v, struct vault_change *c)
{
    c->err = db_run_kept(v, DB_SAVEPOINT);
    if (c->err != QK_OK) return;
    c->err = c->fn(v, c->arg);
    qk_err err = c->err == QK_OK ? QK_OK : db_run_kept(v, DB_ROLLBACK_TO);
    if (err == QK_OK) err = db_run_kept(v, DB_RELEASE);
    if (c->err == QK_OK) c->err = err;
}

static qk_err run_batch(struct node_vault *v, struct vault_batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        struct vault_change *c = &b->changes[i];
        run_one(v, c);
        /* SQLite ends a transaction by itself on a full disk and the like: what follows would be
         * committed one by one. */
        if (sqlite3_get_autocommit(v->db)) return c->err != QK_OK ? c->err : QK_E_IO;
    }
    return QK_OK;
}

/* One transaction for the whole list. */
static void commit(struct node_vault *v, struct vault_batch *list)
{
    (void)pthread_mutex_lock(&v->mutex);
    qk_err err = v->dead ? QK_E_CORRUPT : db_begin(v);
    for (struct vault_batch *b = list; b != NULL && err == QK_OK; b = b->next)
        err = run_batch(v, b);
    if (err == QK_OK)
        err = db_end(v, QK_OK);
    else if (!sqlite3_get_autocommit(v->db))
        (void)db_end(v, err);
    (void)pthread_mutex_unlock(&v->mutex);
    if (err == QK_OK) return;
    for (struct vault_batch *b = list; b != NULL; b = b->next)
        for (size_t i = 0; i < b->n; i++) b->changes[i].err = err;
}

/* With the group's mutex held. The others wake by themselves when their patience ends. */
static void wake_next_leader(struct vault_group *g)
{
    uint64_t now = qk_mono_ms();
    struct vault_batch *b = g->first;
    while (b != NULL && b->from_ms > now) b = b->next;
    if (b != NULL) (void)pthread_cond_signal(&b->turned);
}

/* With the group's mutex held, which is let go meanwhile. */
static void lead(struct node_vault *v, struct vault_group *g)
{
    struct vault_batch *list = g->first;
    g->first = NULL;
    g->last = &g->first;
    g->leading = true;
    (void)pthread_mutex_unlock(&g->mutex);
    commit(v, list);
    (void)pthread_mutex_lock(&g->mutex);
    g->leading = false;
    while (list != NULL) { /* a batch is its owner's again as soon as the mutex is let go */
        struct vault_batch *b = list;
        list = b->next;
        b->done = true;
        (void)pthread_cond_signal(&b->turned);
    }
    wake_next_leader(g);
}

static struct timespec at_ms(uint64_t ms)
{
    return (struct timespec){(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
}

static void wait_or_lead(struct node_vault *v, struct vault_group *g, struct vault_batch *own)
{
    uint64_t now = qk_mono_ms();
    if (!g->leading && now >= own->from_ms) {
        lead(v, g);
    } else if (now >= own->from_ms) {
        (void)pthread_cond_wait(&own->turned, &g->mutex);
    } else {
        struct timespec until = at_ms(own->from_ms);
        (void)pthread_cond_timedwait(&own->turned, &g->mutex, &until);
    }
}

static void batch_init(struct vault_batch *b)
{
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&b->turned, &attr);
    (void)pthread_condattr_destroy(&attr);
}

void vault_group(struct node_vault *v, struct vault_change *changes, size_t n, unsigned patience_ms)
{
    struct vault_group *g = &v->group;
    struct vault_batch own = {.changes = changes, .n = n, .from_ms = qk_mono_ms() + patience_ms};
    if (n == 0) return;
    batch_init(&own);
    (void)pthread_mutex_lock(&g->mutex);
    *g->last = &own;
    g->last = &own.next;
    while (!own.done) wait_or_lead(v, g, &own);
    (void)pthread_mutex_unlock(&g->mutex);
    (void)pthread_cond_destroy(&own.turned);
}
