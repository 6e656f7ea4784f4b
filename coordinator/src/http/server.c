#include "http/server.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "http/loop.h"
#include "qk/clock.h"
#include "qk/log.h"

void coord_http_config_init(struct coord_http_config *cfg)
{
    *cfg = (struct coord_http_config){
        .n_loops = 1,
        .max_connections = 4096,
        .max_connections_peer = 1024,
        .max_line = 8192,
        .max_head = 16384,
        .max_headers = 64,
        .max_body = 1 << 20,
        .max_bodies = 256u << 20,
        .max_reply = 16u << 20,
        .handshake_ms = 5000,
        .head_ms = 10000,
        .body_ms = 15000,
        .idle_ms = 60000,
        .write_ms = 15000,
        .linger_ms = 2000,
    };
}

static bool in_range(const struct coord_http_config *c)
{
    const uint32_t times[] = {
        c->handshake_ms, c->head_ms, c->body_ms, c->idle_ms, c->write_ms, c->linger_ms};
    for (size_t i = 0; i < QK_COUNT(times); i++)
        if (times[i] == 0 || times[i] > 86400000) return false;
    return c->listen != NULL && c->n_listen >= 1 && c->n_listen <= COORD_HTTP_LISTEN_MAX &&
           c->n_loops >= 1 && c->n_loops <= COORD_HTTP_LOOPS_MAX && c->max_connections >= 1 &&
           c->max_line >= 64 && c->max_line <= 65536 && c->max_head >= 256 &&
           c->max_head <= 1048576 && c->max_headers >= 1 && c->max_headers <= 1024 &&
           c->max_body <= (1u << 30) && c->max_reply <= (1u << 30);
}

static qk_err listen_all(struct coord_http *http, const struct coord_http_config *cfg)
{
    for (size_t i = 0; i < cfg->n_listen; i++) {
        QK_TRY(coord_http_listen(&http->listeners[i], &cfg->listen[i]));
        http->n_listeners = i + 1;
        qk_log(QK_INFO, "http.listen", QK_F_STR("host", cfg->listen[i].host),
            QK_F_INT("port", http->listeners[i].port), QK_F_INT("tls", http->listeners[i].tls));
    }
    return QK_OK;
}

static qk_err set_up(struct coord_http *http, const struct coord_http_config *cfg)
{
    for (size_t i = 0; i < cfg->n_listen; i++)
        if (!cfg->listen[i].plain) http->has_tls = true;
    if (http->has_tls) QK_TRY(coord_http_tls_new(&http->tls, cfg->cert_file, cfg->key_file));
    if (cfg->max_connections_peer > 0)
        QK_TRY(coord_http_peers_new(&http->peers, cfg->max_connections_peer));
    QK_TRY(listen_all(http, cfg));
    for (unsigned i = 0; i < cfg->n_loops; i++) {
        QK_TRY(coord_http_loop_new(&http->loops[i], http));
        http->n_loops = i + 1;
    }
    for (unsigned i = 0; i < http->n_loops; i++) QK_TRY(coord_http_loop_start(http->loops[i]));
    return QK_OK;
}

static struct coord_http *server_new(
    const struct coord_http_config *cfg, coord_http_on_request *on_request, void *ctx)
{
    struct coord_http *http = calloc(1, sizeof *http);
    if (http == NULL) return NULL;
    http->cfg = *cfg;
    http->cfg.listen = NULL;
    http->cfg.cert_file = http->cfg.key_file = NULL;
    http->limits =
        (struct coord_http_limits){cfg->max_line, cfg->max_head, cfg->max_headers, cfg->max_body};
    http->on_request = on_request;
    http->ctx = ctx;
    pthread_mutex_init(&http->tls_lock, NULL);
    pthread_mutex_init(&http->drain_lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&http->drained, &attr);
    pthread_condattr_destroy(&attr);
    return http;
}

qk_err coord_http_start(struct coord_http **out, const struct coord_http_config *cfg,
    coord_http_on_request *on_request, void *ctx)
{
    QK_ENSURE(on_request != NULL && in_range(cfg), QK_E_STATE);
    struct coord_http *http = server_new(cfg, on_request, ctx);
    QK_ENSURE(http != NULL, QK_E_NOMEM);
    qk_err err = set_up(http, cfg);
    if (err != QK_OK) {
        coord_http_free(http);
        return err;
    }
    *out = http;
    return QK_OK;
}

uint16_t coord_http_port(const struct coord_http *http, size_t i)
{
    return i < http->n_listeners ? http->listeners[i].port : 0;
}

qk_err coord_http_reload_tls(struct coord_http *http, const char *cert_file, const char *key_file)
{
    QK_ENSURE(http->has_tls, QK_E_STATE);
    struct coord_http_tls *fresh;
    QK_TRY(coord_http_tls_new(&fresh, cert_file, key_file));
    pthread_mutex_lock(&http->tls_lock);
    struct coord_http_tls *old = http->tls;
    http->tls = fresh;
    pthread_mutex_unlock(&http->tls_lock);
    coord_http_tls_free(old); /* connections hold what they use */
    return QK_OK;
}

void coord_http_connection_gone(struct coord_http *http)
{
    pthread_mutex_lock(&http->drain_lock);
    if (atomic_fetch_sub(&http->counters.open, 1) == 1) pthread_cond_broadcast(&http->drained);
    pthread_mutex_unlock(&http->drain_lock);
}

void coord_http_stop_accepting(struct coord_http *http)
{
    atomic_store(&http->draining, true);
    for (unsigned i = 0; i < http->n_loops; i++) {
        atomic_store(&http->loops[i]->box->draining, true);
        coord_http_mailbox_wake(http->loops[i]->box);
    }
}

static bool still_busy(struct coord_http *http)
{
    bool busy = atomic_load(&http->counters.open) > 0;
    for (size_t i = 0; i < http->n_listeners; i++)
        busy = busy || atomic_load(&http->listeners[i].users) > 0;
    return busy;
}

qk_err coord_http_wait_drained(struct coord_http *http, uint32_t timeout_ms)
{
    QK_ENSURE(atomic_load(&http->draining), QK_E_STATE);
    const uint64_t end = qk_mono_ms() + timeout_ms;
    qk_err err = QK_OK;
    pthread_mutex_lock(&http->drain_lock);
    while (still_busy(http)) {
        uint64_t now = qk_mono_ms();
        if (now >= end) {
            err = QK_E_TIMEOUT;
            break;
        }
        /* Short waits: a loop that gives up a listener signals nothing. */
        uint64_t until = now + (end - now < 20 ? end - now : 20);
        struct timespec at = {(time_t)(until / 1000), (long)(until % 1000) * 1000000};
        (void)pthread_cond_timedwait(&http->drained, &http->drain_lock, &at);
    }
    pthread_mutex_unlock(&http->drain_lock);
    return err;
}

void coord_http_free(struct coord_http *http)
{
    if (http == NULL) return;
    atomic_store(&http->stopping, true);
    for (unsigned i = 0; i < http->n_loops; i++) coord_http_loop_free(http->loops[i]);
    for (size_t i = 0; i < http->n_listeners; i++)
        if (http->listeners[i].fd >= 0) (void)close(http->listeners[i].fd);
    coord_http_peers_free(http->peers);
    coord_http_tls_free(http->tls);
    pthread_mutex_destroy(&http->tls_lock);
    pthread_mutex_destroy(&http->drain_lock);
    pthread_cond_destroy(&http->drained);
    free(http);
}

void coord_http_stats(struct coord_http *http, struct coord_http_stats *out)
{
    const struct coord_http_counters *c = &http->counters;
    *out = (struct coord_http_stats){
        .connections_open = atomic_load(&c->open),
        .connections = atomic_load(&c->connections),
        .requests = atomic_load(&c->requests),
        .replies = atomic_load(&c->replies),
        .bytes_in = atomic_load(&c->bytes_in),
        .bytes_out = atomic_load(&c->bytes_out),
        .body_bytes_held = atomic_load(&c->bodies),
    };
    for (size_t i = 0; i < COORD_HTTP_N_REFUSALS; i++)
        out->refused[i] = atomic_load(&c->refused[i]);
}

const char *coord_http_refusal_name(enum coord_http_refusal why)
{
    static const char *const names[COORD_HTTP_N_REFUSALS] = {"malformed", "head_time", "body_time",
        "body_size", "line_size", "expect", "head_size", "coding", "version", "memory",
        "connections", "peer", "descriptors", "handshake", "handshake_time", "silent", "idle",
        "write_time", "cut_short", "vanished"};
    return why < COORD_HTTP_N_REFUSALS ? names[why] : "unknown";
}
