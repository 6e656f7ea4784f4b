#include "vault/group.h"

#include <time.h>
#include "qk/clock.h"

struct vault_change {
    vault_change_fn fn;
    void *arg;
    qk_err err;
    bool done;
    struct vault_change *next;
};

qk_err vault_group_init(struct vault_group *g)
{
    pthread_condattr_t attr;
    g->last = &g->first;
    (void)pthread_mutex_init(&g->mutex, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    int rc = pthread_cond_init(&g->turned, &attr);
    (void)pthread_condattr_destroy(&attr);
    return rc == 0 ? QK_OK : QK_E_NOMEM;
}

void vault_group_destroy(struct vault_group *g)
{
    (void)pthread_cond_destroy(&g->turned);
    (void)pthread_mutex_destroy(&g->mutex);
}

static void run_one(struct node_vault *v, struct vault_change *c)
{
    c->err = db_exec(v, "SAVEPOINT change");
    if (c->err != QK_OK) return;
    c->err = c->fn(v, c->arg);
    qk_err err = c->err == QK_OK ? QK_OK : db_exec(v, "ROLLBACK TO change");
    if (err == QK_OK) err = db_exec(v, "RELEASE change");
    if (c->err == QK_OK) c->err = err;
}

/* One transaction for the whole list. */
static void commit(struct node_vault *v, struct vault_change *list)
{
    (void)pthread_mutex_lock(&v->mutex);
    qk_err err = v->dead ? QK_E_CORRUPT : db_begin(v);
    for (struct vault_change *c = list; c != NULL && err == QK_OK; c = c->next) {
        run_one(v, c);
        /* SQLite ends a transaction by itself on a full disk and the like: what follows would be
         * committed one by one. */
        if (sqlite3_get_autocommit(v->db)) err = c->err != QK_OK ? c->err : QK_E_IO;
    }
    if (err == QK_OK)
        err = db_end(v, QK_OK);
    else if (!sqlite3_get_autocommit(v->db))
        (void)db_end(v, err);
    (void)pthread_mutex_unlock(&v->mutex);
    for (struct vault_change *c = list; c != NULL; c = c->next)
        if (err != QK_OK) c->err = err;
}

/* With the group's mutex held, which is let go meanwhile. */
static void lead(struct node_vault *v, struct vault_group *g)
{
    struct vault_change *list = g->first;
    g->first = NULL;
    g->last = &g->first;
    g->leading = true;
    (void)pthread_mutex_unlock(&g->mutex);
    commit(v, list);
    (void)pthread_mutex_lock(&g->mutex);
    g->leading = false;
    while (list != NULL) { /* a change is its owner's again as soon as it is done */
        struct vault_change *c = list;
        list = c->next;
        c->done = true;
    }
    (void)pthread_cond_broadcast(&g->turned);
}

static struct timespec at_ms(uint64_t ms)
{
    return (struct timespec){(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
}

qk_err vault_group(struct node_vault *v, vault_change_fn fn, void *arg, unsigned patience_ms)
{
    struct vault_group *g = &v->group;
    struct vault_change own = {.fn = fn, .arg = arg};
    uint64_t from_ms = qk_mono_ms() + patience_ms;
    (void)pthread_mutex_lock(&g->mutex);
    *g->last = &own;
    g->last = &own.next;
    while (!own.done) {
        uint64_t now = qk_mono_ms();
        if (!g->leading && now >= from_ms) {
            lead(v, g);
        } else if (now >= from_ms) {
            (void)pthread_cond_wait(&g->turned, &g->mutex);
        } else {
            struct timespec until = at_ms(from_ms);
            (void)pthread_cond_timedwait(&g->turned, &g->mutex, &until);
        }
    }
    (void)pthread_mutex_unlock(&g->mutex);
    return own.err;
}
