#include "rounds/keeper.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "qk/clock.h"
#include "qk/log.h"
#include "rounds/channels.h"
#include "rounds/chores.h"
#include "rounds/due.h"
#include "rounds/promised.h"

enum {
    TICK_MS = 500,
    LOOK_MS = 10000, /* between two questions to a node whether it is in quarantine */
};

struct coord_keeper {
    struct coord_keeper_config config;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool stop;
    bool synced[WIRE_NODES_MAX], quarantined[WIRE_NODES_MAX];
    uint64_t look_ms[WIRE_NODES_MAX]; /* when next; the thread's own */
    uint64_t next_due_ms;
    struct coord_promised *promised;
};

static bool stopping(struct coord_keeper *k)
{
    (void)pthread_mutex_lock(&k->mutex);
    bool stop = k->stop;
    (void)pthread_mutex_unlock(&k->mutex);
    return stop;
}

/* ---- the thread ---- */

/* A node in quarantine refuses everything: it is asked nothing, and what it told before is not
 * counted. */
static void look_for_quarantine(struct coord_keeper *k, size_t i)
{
    struct coord_engine *e = k->config.engine;
    uint16_t node = e->cluster->nodes[i].id;
    bool now = false;
    if (qk_mono_ms() < k->look_ms[i] || !coord_node_up(e->nodes, node)) return;
    k->look_ms[i] = qk_mono_ms() + LOOK_MS;
    if (coord_ask_quarantine(e, node, &now) != QK_OK) return;
    (void)pthread_mutex_lock(&k->mutex);
    bool news = now != k->quarantined[i];
    k->quarantined[i] = now;
    if (now) k->synced[i] = false;
    (void)pthread_mutex_unlock(&k->mutex);
    if (e->channels != NULL) coord_channels_bar(e->channels, node, now);
    if (news)
        qk_log(now ? QK_ERROR : QK_INFO, "node.quarantine", QK_F_INT("node", node),
            QK_F_STR("state", now ? "entered" : "left"));
}

/* The call that asked for one when the link came up may have failed. */
static void look_for_channel(struct coord_keeper *k, uint16_t node)
{
    struct coord_engine *e = k->config.engine;
    if (e->channels == NULL || !coord_node_up(e->nodes, node)) return;
    if (!coord_channels_ready(e->channels, node)) coord_channels_node_up(e->channels, node);
}

static void catch_up(struct coord_keeper *k)
{
    struct coord_engine *e = k->config.engine;
    for (size_t i = 0; i < e->cluster->n && !stopping(k); i++) {
        uint16_t node = e->cluster->nodes[i].id;
        look_for_quarantine(k, i);
        look_for_channel(k, node);
        (void)pthread_mutex_lock(&k->mutex);
        bool synced = k->synced[i] || k->quarantined[i];
        (void)pthread_mutex_unlock(&k->mutex);
        if (synced || !coord_node_up(e->nodes, node)) continue;
        qk_err err = coord_fetch_all(e, node);
        if (err == QK_OK) err = coord_promised_take(e, k->promised, node);
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
    qk_err err = coord_due_run(k->config.engine, qk_now_ms());
    if (err != QK_OK) qk_log(QK_WARN, "due.failed", QK_F_ERR(err));
}

static void *run(void *arg)
{
    struct coord_keeper *k = arg;
    while (!stopping(k)) {
        catch_up(k);
        look_for_due(k);
        struct timespec until;
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
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
    k->promised = coord_promised_new();
    if (k->promised == NULL) {
        free(k);
        return QK_E_NOMEM;
    }
    (void)pthread_mutex_init(&k->mutex, NULL);
    pthread_condattr_t attr; /* a clock that is set back must not stop the keeper */
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&k->wake, &attr);
    (void)pthread_condattr_destroy(&attr);
    if (pthread_create(&k->thread, NULL, run, k) != 0) {
        coord_promised_free(k->promised);
        free(k);
        return QK_E_NOMEM;
    }
    *out = k;
    return QK_OK;
}

void coord_keeper_stop(struct coord_keeper *k)
{
    if (k == NULL) return;
    (void)pthread_mutex_lock(&k->mutex);
    k->stop = true;
    (void)pthread_cond_signal(&k->wake);
    (void)pthread_mutex_unlock(&k->mutex);
    (void)pthread_join(k->thread, NULL);
}

void coord_keeper_free(struct coord_keeper *k)
{
    if (k == NULL) return;
    coord_promised_free(k->promised);
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

size_t coord_keeper_quarantined(struct coord_keeper *k, uint16_t *out)
{
    const struct wire_cluster *c = k->config.engine->cluster;
    size_t n = 0;
    (void)pthread_mutex_lock(&k->mutex);
    for (size_t i = 0; i < c->n; i++)
        if (k->quarantined[i]) out[n++] = c->nodes[i].id;
    (void)pthread_mutex_unlock(&k->mutex);
    return n;
}
