#include "rounds/keeper.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "qk/clock.h"
#include "qk/log.h"
#include "rounds/chores.h"

enum {
    TICK_MS = 500,
    PUBLISH_TIMEOUT_MS = 3000,
    PUBLISH_TRIES = 20,
    ITEMS_MAX = 4096, /* beyond it nodes are left to ask */
};

/* One PUBLISH call and who has not acknowledged it. */
struct item {
    struct item *next;
    struct qk_buf call;
    bool pending[WIRE_NODES_MAX]; /* by index in the cluster file */
    unsigned tries;
};

struct coord_keeper {
    struct coord_keeper_config config;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool stop;
    struct item *items;
    size_t n_items;
    bool synced[WIRE_NODES_MAX];
    uint64_t next_due_ms;
};

static void item_free(struct item *it)
{
    if (it == NULL) return;
    qk_buf_free(&it->call);
    free(it);
}

static bool stopping(struct coord_keeper *k)
{
    (void)pthread_mutex_lock(&k->mutex);
    bool stop = k->stop;
    (void)pthread_mutex_unlock(&k->mutex);
    return stop;
}

/* ---- publishing ---- */

static struct item *item_new(
    struct coord_keeper *k, const char *request_id, const struct qk_bytes *certified, size_t n)
{
    const struct wire_cluster *c = k->config.engine->cluster;
    struct item *it = calloc(1, sizeof *it);
    if (it == NULL) return NULL;
    it->call = (struct qk_buf)QK_BUF(WIRE_CALL_MAX);
    struct wire_call call = {.kind = WIRE_CALL_PUBLISH, .n_records = (uint32_t)n};
    memcpy(call.cluster, c->hash, 32);
    (void)snprintf(call.request_id, sizeof call.request_id, "%s", request_id);
    for (size_t i = 0; i < n; i++) call.records[i] = certified[i];
    wire_call_encode(&it->call, &call);
    for (size_t i = 0; i < c->n; i++) it->pending[i] = true;
    if (it->call.err == QK_OK) return it;
    item_free(it);
    return NULL;
}

static void acknowledge(struct coord_keeper *k, struct item *it, const struct coord_reply *r)
{
    const struct wire_cluster *c = k->config.engine->cluster;
    bool taken = r->err == QK_OK && r->answer.status == WIRE_ANSWER_OK;
    for (size_t i = 0; i < c->n; i++)
        if (c->nodes[i].id == r->node && taken) it->pending[i] = false;
    if (!taken)
        qk_log(QK_INFO, "publish.unacknowledged", QK_F_INT("node", r->node), QK_F_ERR(r->err));
}

/* Tell every pending node that is up; forget those that are down. */
static void tell(struct coord_keeper *k, struct item *it, unsigned wait_ms)
{
    struct coord_engine *e = k->config.engine;
    struct coord_gather *g;
    if (coord_gather_new(&g, e->nodes) != QK_OK) return;
    for (size_t i = 0; i < e->cluster->n; i++) {
        uint16_t node = e->cluster->nodes[i].id;
        if (it->pending[i]) it->pending[i] = coord_node_up(e->nodes, node);
        if (it->pending[i]) coord_gather_call(g, node, qk_buf_view(&it->call), PUBLISH_TIMEOUT_MS);
    }
    uint64_t until = qk_mono_ms() + wait_ms;
    struct coord_reply r;
    for (uint64_t now = qk_mono_ms(); now < until; now = qk_mono_ms()) {
        if (!coord_gather_next(g, until - now, &r)) break;
        acknowledge(k, it, &r);
        coord_reply_free(&r);
    }
    coord_gather_free(g);
    it->tries++;
}

static bool item_done(const struct item *it)
{
    for (size_t i = 0; i < WIRE_NODES_MAX; i++)
        if (it->pending[i] && it->tries < PUBLISH_TRIES) return false;
    return true;
}

static void put_back(struct coord_keeper *k, struct item *it)
{
    (void)pthread_mutex_lock(&k->mutex);
    bool room = k->n_items < ITEMS_MAX;
    if (room) {
        it->next = k->items;
        k->items = it;
        k->n_items++;
    }
    (void)pthread_mutex_unlock(&k->mutex);
    if (!room) item_free(it);
}

void coord_keeper_publish(
    struct coord_keeper *k, const char *request_id, const struct qk_bytes *certified, size_t n)
{
    struct item *it = item_new(k, request_id, certified, n);
    if (it == NULL) return; /* nodes ask for what they lack */
    tell(k, it, k->config.publish_wait_ms);
    if (item_done(it))
        item_free(it);
    else
        put_back(k, it);
}

static void publish_again(struct coord_keeper *k)
{
    (void)pthread_mutex_lock(&k->mutex);
    struct item *list = k->items;
    k->items = NULL;
    k->n_items = 0;
    (void)pthread_mutex_unlock(&k->mutex);
    while (list != NULL) {
        struct item *it = list;
        list = it->next;
        if (!stopping(k)) tell(k, it, PUBLISH_TIMEOUT_MS);
        if (stopping(k) || item_done(it))
            item_free(it);
        else
            put_back(k, it);
    }
}

/* ---- the thread ---- */

static void catch_up(struct coord_keeper *k)
{
    struct coord_engine *e = k->config.engine;
    for (size_t i = 0; i < e->cluster->n && !stopping(k); i++) {
        uint16_t node = e->cluster->nodes[i].id;
        (void)pthread_mutex_lock(&k->mutex);
        bool synced = k->synced[i];
        (void)pthread_mutex_unlock(&k->mutex);
        if (synced || !coord_node_up(e->nodes, node)) continue;
        qk_err err = coord_fetch_all(e, node);
        if (err != QK_OK) qk_log(QK_WARN, "fetch.failed", QK_F_INT("node", node), QK_F_ERR(err));
        (void)pthread_mutex_lock(&k->mutex);
        k->synced[i] = err == QK_OK;
        (void)pthread_mutex_unlock(&k->mutex);
    }
}

static void look_for_due(struct coord_keeper *k)
{
    if (qk_mono_ms() < k->next_due_ms) return;
    k->next_due_ms = qk_mono_ms() + k->config.due_ms;
    qk_err err = coord_due_run(k->config.engine, k, qk_now_ms());
    if (err != QK_OK) qk_log(QK_WARN, "due.failed", QK_F_ERR(err));
}

static void *run(void *arg)
{
    struct coord_keeper *k = arg;
    while (!stopping(k)) {
        catch_up(k);
        publish_again(k);
        look_for_due(k);
        struct timespec until;
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += (long)TICK_MS * 1000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        (void)pthread_mutex_lock(&k->mutex);
        if (!k->stop) (void)pthread_cond_timedwait(&k->wake, &k->mutex, &until);
        (void)pthread_mutex_unlock(&k->mutex);
    }
    return NULL;
}

qk_err coord_keeper_new(struct coord_keeper **out, const struct coord_keeper_config *config)
{
    struct coord_keeper *k = calloc(1, sizeof *k);
    QK_ENSURE(k != NULL, QK_E_NOMEM);
    k->config = *config;
    (void)pthread_mutex_init(&k->mutex, NULL);
    (void)pthread_cond_init(&k->wake, NULL);
    if (pthread_create(&k->thread, NULL, run, k) != 0) {
        free(k);
        return QK_E_NOMEM;
    }
    *out = k;
    return QK_OK;
}

void coord_keeper_free(struct coord_keeper *k)
{
    if (k == NULL) return;
    (void)pthread_mutex_lock(&k->mutex);
    k->stop = true;
    (void)pthread_cond_signal(&k->wake);
    (void)pthread_mutex_unlock(&k->mutex);
    (void)pthread_join(k->thread, NULL);
    while (k->items != NULL) {
        struct item *it = k->items;
        k->items = it->next;
        item_free(it);
    }
    (void)pthread_cond_destroy(&k->wake);
    (void)pthread_mutex_destroy(&k->mutex);
    free(k);
}

void coord_keeper_node_up(struct coord_keeper *k, uint16_t node)
{
    (void)node; /* which one is found by looking: one wake for all */
    (void)pthread_mutex_lock(&k->mutex);
    (void)pthread_cond_signal(&k->wake);
    (void)pthread_mutex_unlock(&k->mutex);
}

size_t coord_keeper_n_synced(struct coord_keeper *k)
{
    size_t n = 0;
    (void)pthread_mutex_lock(&k->mutex);
    for (size_t i = 0; i < WIRE_NODES_MAX; i++) n += k->synced[i];
    (void)pthread_mutex_unlock(&k->mutex);
    return n;
}

size_t coord_keeper_n_unpublished(struct coord_keeper *k)
{
    (void)pthread_mutex_lock(&k->mutex);
    size_t n = k->n_items;
    (void)pthread_mutex_unlock(&k->mutex);
    return n;
}
