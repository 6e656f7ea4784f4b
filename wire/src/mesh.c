#include "mesh_priv.h"

#include <stdlib.h>
#include "qk/clock.h"
#include "qk/log.h"

void mesh_lock(struct mesh_peer *p)
{
    atomic_fetch_add(&p->ours_waiting, 1);
    (void)pthread_mutex_lock(&p->lock);
    if (atomic_fetch_sub(&p->ours_waiting, 1) == 1) (void)pthread_cond_broadcast(&p->calm);
}

void mesh_lock_user(struct mesh_peer *p)
{
    (void)pthread_mutex_lock(&p->lock);
    while (atomic_load(&p->ours_waiting) > 0) (void)pthread_cond_wait(&p->calm, &p->lock);
}

void mesh_unlock(struct mesh_peer *p)
{
    (void)pthread_mutex_unlock(&p->lock);
}

bool mesh_is_up(const struct mesh_peer *p)
{
    return p->out_pipe.id != 0 && p->in_pipe.id != 0 && p->greeted && p->hears_us;
}

/* One thread reports for a peer at a time, so the user never sees up and down in the wrong order.
 */
void mesh_report(struct mesh_peer *p)
{
    const struct wire_mesh_config *cfg = &p->mesh->cfg;
    mesh_lock(p);
    if (!p->reporting) {
        p->reporting = true;
        while (p->reported_up != mesh_is_up(p)) {
            bool up = p->reported_up = !p->reported_up;
            mesh_unlock(p);
            qk_log(QK_INFO, up ? "wire.peer.up" : "wire.peer.down", QK_F_INT("peer", p->node->id));
            if (cfg->on_peer != NULL && !atomic_load(&p->mesh->closing))
                cfg->on_peer(cfg->ctx, p->node->id, up);
            mesh_lock(p);
        }
        p->reporting = false;
    }
    mesh_unlock(p);
}

/* ---- ticks ---- */

static void forgive(uint64_t *since_ms, uint64_t ms, uint64_t now)
{
    *since_ms = ms < wire_ms_since(*since_ms, now) ? *since_ms + ms : now;
}

/* Frames count when they are complete, and a big one takes its time on a slow line. */
static bool is_silent(struct mesh_peer *p, uint64_t now)
{
    unsigned limit = p->mesh->cfg.dead_after_ms;
    if (wire_ms_since(p->in_heard_ms, now) <= limit) return false;
    return !p->greeted || wire_ms_since(wire_tls_heard_ms(p->in_pipe), now) > limit;
}

/* missed_ms: for how long we have not looked. What the peer sent meanwhile may wait to be read. */
static void tick_peer(struct mesh_peer *p, uint64_t now, uint64_t missed_ms)
{
    const struct wire_mesh_config *cfg = &p->mesh->cfg;
    mesh_lock(p);
    if (missed_ms > 0) {
        forgive(&p->in_heard_ms, missed_ms, now);
        forgive(&p->deaf_since_ms, missed_ms, now);
    }
    if (p->in_pipe.id != 0 && is_silent(p, now)) mesh_in_cut(p, "silent");
    if (p->out_pipe.id != 0) {
        /* connected, yet for too long the peer has not said that it hears us */
        if (!p->hears_us && wire_ms_since(p->deaf_since_ms, now) > cfg->dead_after_ms) {
            p->deaf_since_ms = now;
            wire_tls_cut(p->out_pipe);
        } else if (wire_ms_since(p->last_sent_ms, now) >= cfg->heartbeat_ms) {
            p->owes_heartbeat = true;
            mesh_out_pump(p);
        }
    }
    mesh_unlock(p);
    mesh_out_check(p, now);
    mesh_report(p);
}

static void on_tick(void *arg, uint64_t now)
{
    struct wire_mesh *m = arg;
    uint64_t between = wire_ms_since(m->ticked_ms, now), period = m->tick.period_ms;
    m->ticked_ms = now;
    uint64_t missed = between > 2 * period ? between - period : 0;
    for (size_t i = 0; i < m->n; i++) tick_peer(&m->peers[i], now, missed);
    wire_listener_check(&m->listener, now);
}

/* ---- life ---- */

static void preset(unsigned *v, unsigned value)
{
    if (*v == 0) *v = value;
}

static void presets(struct wire_mesh_config *cfg)
{
    if (cfg->queue_bytes == 0) cfg->queue_bytes = 4u << 20;
    preset(&cfg->heartbeat_ms, 1000);
    preset(&cfg->dead_after_ms, 5000);
    preset(&cfg->handshake_ms, 5000);
    preset(&cfg->garbage_limit, 16);
    preset(&cfg->refuse_ms, 30000);
    preset(&cfg->reconnect_min_ms, 100);
    preset(&cfg->reconnect_max_ms, 5000);
}

qk_err wire_mesh_new(struct wire_mesh **out, const struct wire_mesh_config *config)
{
    const struct wire_cluster *cluster = config->cluster;
    QK_ENSURE(cluster != NULL && config->identity != NULL, QK_E_STATE);
    QK_ENSURE(config->on_message != NULL, QK_E_STATE);
    const struct wire_node *self = wire_cluster_node(cluster, config->self);
    QK_ENSURE(self != NULL, QK_E_STATE);
    QK_ENSURE(qk_bytes_eq(self->cert, wire_identity_cert(config->identity)), QK_E_STATE);
    struct wire_mesh *m = calloc(1, sizeof *m);
    QK_ENSURE(m != NULL, QK_E_NOMEM);
    m->cfg = *config;
    presets(&m->cfg);
    for (size_t i = 0; i < cluster->n; i++) {
        if (&cluster->nodes[i] == self) continue;
        struct mesh_peer *p = &m->peers[m->n++];
        p->mesh = m;
        p->node = &cluster->nodes[i];
        (void)pthread_mutex_init(&p->lock, NULL);
        (void)pthread_cond_init(&p->calm, NULL);
    }
    *out = m;
    return QK_OK;
}

qk_err wire_mesh_start(struct wire_mesh *m)
{
    QK_ENSURE(!m->started, QK_E_STATE);
    m->started = true;
    QK_TRY(mesh_in_open(m));
    for (size_t i = 0; i < m->n; i++) QK_TRY(mesh_out_open(&m->peers[i]));
    m->ticked_ms = qk_mono_ms();
    return wire_tick_start(&m->tick, m->cfg.heartbeat_ms / 2 + 1, on_tick, m);
}

void wire_mesh_free(struct wire_mesh *m)
{
    if (m == NULL) return;
    atomic_store(&m->closing, true);
    wire_tick_stop(&m->tick);
    wire_tls_cut_all(m->listener.stats); /* a pipe in the middle of a frame must not be closed */
    for (size_t i = 0; i < m->n; i++) wire_tls_cut_all(m->peers[i].dialer.stats);
    for (size_t i = 0; i < m->n; i++) mesh_out_close(&m->peers[i]);
    if (m->pull.id != 0) (void)nng_close(m->pull);
    if (m->recv_aio != NULL) nng_aio_stop(m->recv_aio);
    nng_aio_free(m->recv_aio);
    wire_listener_free(&m->listener);
    for (size_t i = 0; i < m->n; i++) {
        mesh_out_free(&m->peers[i]);
        (void)pthread_cond_destroy(&m->peers[i].calm);
        (void)pthread_mutex_destroy(&m->peers[i].lock);
    }
    free(m);
}

/* ---- asking ---- */

static struct mesh_peer *find(struct wire_mesh *m, uint16_t id)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->peers[i].node->id == id) return &m->peers[i];
    return NULL;
}

bool wire_mesh_peer_up(struct wire_mesh *m, uint16_t id)
{
    struct mesh_peer *p = find(m, id);
    if (p == NULL) return false;
    mesh_lock_user(p);
    bool up = mesh_is_up(p);
    mesh_unlock(p);
    return up;
}

qk_err wire_mesh_stats(struct wire_mesh *m, uint16_t id, struct wire_mesh_stats *out)
{
    struct mesh_peer *p = find(m, id);
    QK_ENSURE(p != NULL, QK_E_STATE);
    mesh_lock_user(p);
    *out = p->stats;
    mesh_unlock(p);
    return QK_OK;
}

uint64_t wire_mesh_strangers(struct wire_mesh *m)
{
    uint64_t n = atomic_load(&m->strangers);
    if (m->listener.stats != NULL) n += atomic_load(&m->listener.stats->refused);
    return n;
}
