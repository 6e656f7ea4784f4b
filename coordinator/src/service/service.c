#include "service/internal.h"

#include <stdlib.h>
#include <unistd.h>
#include "qk/clock.h"
#include "rounds/channels.h"
#include "rounds/imports.h"
#include "rounds/publisher.h"
#include "rounds/randpool.h"
#include "rounds/timers.h"

enum { PUBLISH_RETRY_MS = 1000 };

/* ---- listen addresses ---- */

struct addresses {
    struct coord_http_listen listen[COORD_HTTP_LISTEN_MAX];
    char hosts[COORD_HTTP_LISTEN_MAX][64];
    size_t n;
};

/* "127.0.0.1:7700" or "[::1]:7700". */
static bool parse_address(const char *text, size_t len, bool plain, struct addresses *a)
{
    if (a->n == COORD_HTTP_LISTEN_MAX) return false;
    const char *colon = memrchr(text, ':', len);
    if (colon == NULL) return false;
    size_t host_len = (size_t)(colon - text);
    if (host_len >= 2 && text[0] == '[' && text[host_len - 1] == ']') {
        text++;
        host_len -= 2;
    }
    if (host_len == 0 || host_len >= sizeof a->hosts[0]) return false;
    char *end;
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (colon[1] < '0' || colon[1] > '9' || port > 65535) return false;
    if (*end != 0 && *end != ' ') return false;
    memcpy(a->hosts[a->n], text, host_len);
    a->listen[a->n] =
        (struct coord_http_listen){.host = a->hosts[a->n], .port = (uint16_t)port, .plain = plain};
    a->n++;
    return true;
}

static bool parse_addresses(const char *text, bool plain, struct addresses *a)
{
    *a = (struct addresses){.n = 0};
    while (*text != 0) {
        size_t len = strcspn(text, " ");
        if (len > 0 && !parse_address(text, len, plain, a)) return false;
        text += len;
        text += strspn(text, " ");
    }
    return a->n > 0;
}

/* ---- start ---- */

static qk_err say(qk_err err, char *why, size_t why_len, const char *what)
{
    if (err != QK_OK) (void)snprintf(why, why_len, "%s: %s", what, qk_err_name(err));
    return err;
}

static qk_err load_identity(struct coord_service *s, char *why, size_t why_len)
{
    const struct coord_config *c = s->config;
    QK_TRY(wire_cluster_read(&s->cluster, c->cluster, why, why_len));
    QK_TRY(say(wire_identity_load(&s->identity, c->identity_key, c->identity_cert), why, why_len,
        "the identity cannot be loaded"));
    struct qk_bytes cert = wire_identity_cert(s->identity);
    for (size_t i = 0; i < s->cluster->n_coordinators; i++)
        if (qk_bytes_eq(s->cluster->coordinators[i].cert, cert)) return QK_OK;
    (void)snprintf(why, why_len, "%s is no coordinator of the cluster file", c->identity_cert);
    return QK_E_DENIED;
}

static void on_node_up(void *ctx, uint16_t node)
{
    struct coord_service *s = ctx;
    struct coord_keeper *k = atomic_load(&s->keeper); /* NULL while starting: it looks by itself */
    if (k == NULL) return;
    coord_channels_node_up(s->engine.channels, node);
    coord_keeper_node_up(k, node);
}

static qk_err start_engine(struct coord_service *s, char *why, size_t why_len)
{
    const struct coord_config *c = s->config;
    struct coord_engine *e = &s->engine;
    coord_engine_init(e);
    e->cluster = s->cluster;
    e->timing = COORD_TIMING_DEFAULT;
    e->timing.attempt_ms = (unsigned)c->attempt_ms;
    e->timing.total_ms = (unsigned)c->total_ms;
    e->timing.create_ms = (unsigned)c->create_ms;
    char detail[160] = "";
    qk_err err = coord_store_open(&e->store, c->store, s->cluster, detail, sizeof detail);
    if (err != QK_OK)
        (void)snprintf(why, why_len, "store %s: %s (%s)", c->store, detail, qk_err_name(err));
    QK_TRY(err);
    QK_TRY(say(coord_store_keep(e->store, c->known_records), why, why_len, "out of memory"));
    QK_TRY(say(coord_presigs_new(&e->presigs), why, why_len, "out of memory"));
    QK_TRY(say(coord_channels_new(&e->channels, e), why, why_len, "out of memory"));
    QK_TRY(say(coord_imports_new(&e->imports, COORD_IMPORTS_MAX), why, why_len, "out of memory"));
    QK_TRY(say(coord_timers_new(&e->timers), why, why_len, "out of memory"));
    struct coord_nodes_config nodes = {.cluster = s->cluster,
        .identity = s->identity,
        .max_calls = (unsigned)c->node_calls,
        .on_up = on_node_up,
        .ctx = s};
    QK_TRY(say(coord_nodes_new(&e->nodes, &nodes), why, why_len, "the node links cannot start"));
    QK_TRY(say(coord_randpool_new(&e->random, e), why, why_len,
        "no locked memory for random bytes (is the limit too low?)"));
    QK_TRY(say(
        coord_publisher_new(&e->publisher, e, PUBLISH_RETRY_MS), why, why_len, "out of memory"));
    struct coord_keeper_config config = {.engine = e, .due_ms = (unsigned)c->due_ms};
    struct coord_keeper *keeper;
    QK_TRY(say(coord_keeper_new(&keeper, &config), why, why_len, "out of memory"));
    atomic_store(&s->keeper, keeper);
    return QK_OK;
}

static void load(void *ctx, size_t *queued, size_t *running, size_t *unpublished)
{
    struct coord_service *s = ctx;
    *queued = qk_pool_queued(s->workers);
    *running = atomic_load(&s->running);
    *unpublished = coord_publisher_n_open(s->engine.publisher);
}

static qk_err start_numbers(struct coord_service *s)
{
    struct coord_numbers_sources src = {
        .metrics = s->metrics, .engine = &s->engine, .load = load, .ctx = s};
    return coord_numbers_new(&s->numbers, &src);
}

static qk_err start_http(struct coord_service *s, char *why, size_t why_len)
{
    const struct coord_config *c = s->config;
    struct addresses a;
    if (!parse_addresses(c->listen, c->plain, &a)) {
        (void)snprintf(why, why_len, "listen: '%s' is not ADDRESS:PORT ...", c->listen);
        return QK_E_MALFORMED;
    }
    struct coord_http_config cfg;
    coord_http_config_init(&cfg);
    cfg.listen = a.listen;
    cfg.n_listen = a.n;
    cfg.cert_file = c->plain ? NULL : c->tls_cert;
    cfg.key_file = c->plain ? NULL : c->tls_key;
    cfg.n_loops = (unsigned)c->http_threads;
    cfg.max_connections = c->max_connections;
    cfg.on_turn = coord_on_turn;
    cfg.on_replies = coord_on_replies;
    QK_TRY(say(coord_http_start(&s->http, &cfg, coord_accept, s), why, why_len,
        "the HTTP front cannot start"));
    return say(coord_http_metrics_new(&s->http_metrics, s->metrics, s->http), why, why_len,
        "the metrics cannot start");
}

static unsigned quick_threads(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 2 ? 2 : n > 16 ? 16 : (unsigned)n;
}

static qk_err start(struct coord_service *s, char *why, size_t why_len)
{
    const struct coord_config *c = s->config;
    QK_TRY(load_identity(s, why, why_len));
    QK_TRY(say(coord_metrics_new(&s->metrics), why, why_len, "out of memory"));
    QK_TRY(say(
        coord_audit_open(&s->audit, c->audit), why, why_len, "the audit file cannot be opened"));
    QK_TRY(start_engine(s, why, why_len));
    QK_TRY(say(qk_pool_new(&s->workers, "work", (unsigned)c->workers, c->queue), why, why_len,
        "the workers cannot start"));
    QK_TRY(say(qk_pool_new(&s->quick, "quick", quick_threads(), c->workers + c->queue), why,
        why_len, "the threads cannot start"));
    s->engine.quick = s->quick;
    QK_TRY(say(start_numbers(s), why, why_len, "the metrics cannot start"));
    return start_http(s, why, why_len);
}

qk_err coord_service_start(
    struct coord_service **out, const struct coord_config *config, char *why, size_t why_len)
{
    struct coord_service *s = calloc(1, sizeof *s);
    QK_ENSURE(s != NULL, QK_E_NOMEM);
    s->config = config;
    s->started_ms = qk_mono_ms();
    (void)snprintf(why, why_len, "out of memory");
    qk_err err = start(s, why, why_len);
    if (err != QK_OK) {
        coord_service_free(s);
        return err;
    }
    *out = s;
    return QK_OK;
}

uint16_t coord_service_port(const struct coord_service *s, size_t i)
{
    return coord_http_port(s->http, i);
}

void coord_service_reload(struct coord_service *s)
{
    const struct coord_config *c = s->config;
    coord_audit_reopen(s->audit);
    if (c->plain) return;
    qk_err err = coord_http_reload_tls(s->http, c->tls_cert, c->tls_key);
    qk_log(err == QK_OK ? QK_INFO : QK_ERROR, "tls.reload", QK_F_ERR(err));
}

bool coord_service_drain(struct coord_service *s)
{
    atomic_store(&s->draining, true);
    coord_http_stop_accepting(s->http);
    return coord_http_wait_drained(s->http, (uint32_t)s->config->drain_ms) == QK_OK;
}

void coord_service_free(struct coord_service *s)
{
    if (s == NULL) return;
    atomic_store(&s->draining, true);
    /* The front first: nothing new comes. Then the workers, who answer what is in their hands; then
     * what they stand on. */
    coord_http_free(s->http);
    qk_pool_stop(s->workers);
    qk_pool_stop(s->quick);
    coord_publisher_stop(s->engine.publisher);
    coord_randpool_stop(s->engine.random);
    coord_timers_stop(s->engine.timers);
    struct coord_keeper *keeper = atomic_exchange(&s->keeper, NULL);
    coord_keeper_stop(keeper);
    coord_nodes_free(s->engine.nodes); /* ends every first attempt: they answer on its threads */
    qk_pool_free(s->quick);
    qk_pool_free(s->workers);
    coord_keeper_free(keeper); /* only now: a link that came up a moment ago may still name it */
    coord_publisher_free(s->engine.publisher);
    coord_randpool_free(s->engine.random);
    coord_channels_free(s->engine.channels);
    coord_imports_free(s->engine.imports);
    coord_timers_free(s->engine.timers);
    coord_presigs_free(s->engine.presigs);
    coord_store_close(s->engine.store);
    coord_audit_close(s->audit);
    coord_metrics_free(s->metrics);
    coord_numbers_free(s->numbers);
    coord_http_metrics_free(s->http_metrics);
    wire_identity_free(s->identity);
    wire_cluster_free(s->cluster);
    free(s);
}
