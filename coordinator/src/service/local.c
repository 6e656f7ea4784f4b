#include "service/internal.h"

#include <stdio.h>

enum { METRICS_MAX = 4 * 1024 * 1024 };

bool coord_ready(struct coord_service *s, bool for_init, char *why, size_t why_len)
{
    size_t need = for_init ? s->cluster->n : s->cluster->t; /* the ceremony takes every node */
    struct kms_ref ref;
    kms_ref_system(&ref);
    COORD_AUTO_ENTRY system = {0};
    size_t up = coord_nodes_n_up(s->engine.nodes);
    struct coord_keeper *keeper = atomic_load(&s->keeper);
    size_t synced = keeper == NULL ? 0 : coord_keeper_n_synced(keeper);
    if (atomic_load(&s->draining))
        (void)snprintf(why, why_len, "shutting down");
    else if (up < need)
        (void)snprintf(
            why, why_len, "%zu of %zu nodes reachable, %zu needed", up, s->cluster->n, need);
    else if (synced < need)
        (void)snprintf(why, why_len, "records of %zu nodes fetched, %zu needed", synced, need);
    else if (!for_init && coord_store_get(s->engine.store, &ref, &system) != QK_OK)
        (void)snprintf(why, why_len, "the cluster is not initialised");
    else
        return true;
    return false;
}

static void reply_text(
    struct coord_http_request *req, unsigned status, const char *type, struct qk_bytes body)
{
    struct coord_http_header h[] = {
        COORD_HTTP_HEADER("Content-Type", type), COORD_HTTP_HEADER("Cache-Control", "no-store")};
    coord_http_reply(req, status, h, QK_COUNT(h), body);
}

static void reply_line(struct coord_http_request *req, unsigned status, const char *line)
{
    char text[256];
    int n = snprintf(text, sizeof text, "%s\n", line);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    reply_text(req, status, "text/plain; charset=utf-8", qk_bytes(text, len));
}

/* "; in quarantine: node 2", or nothing. */
static void add_quarantined(struct coord_service *s, char *line, size_t line_len)
{
    uint16_t ids[WIRE_NODES_MAX];
    struct coord_keeper *keeper = atomic_load(&s->keeper);
    size_t n = keeper == NULL ? 0 : coord_keeper_quarantined(keeper, ids);
    for (size_t i = 0; i < n; i++) {
        size_t at = strlen(line);
        (void)snprintf(
            line + at, line_len - at, "%s node %u", i == 0 ? "; in quarantine:" : ",", ids[i]);
    }
}

static void answer_ready(struct coord_service *s, struct coord_http_request *req)
{
    char why[200] = "";
    bool for_init = req->query.p != NULL && qk_bytes_is(req->query, "init");
    bool ready = coord_ready(s, for_init, why, sizeof why);
    if (ready) (void)snprintf(why, sizeof why, "ready");
    add_quarantined(s, why, sizeof why);
    reply_line(req, ready ? 200 : 503, why);
}

static bool is_loopback(const char *peer)
{
    return strncmp(peer, "127.", 4) == 0 || strcmp(peer, "::1") == 0 ||
           strncmp(peer, "::ffff:127.", 11) == 0;
}

static void answer_metrics(struct coord_service *s, struct coord_http_request *req)
{
    if (!s->config->metrics_public && !is_loopback(req->peer)) {
        reply_line(req, 403, "metrics are served to this machine only");
        return;
    }
    QK_AUTO_BUF out = QK_BUF(METRICS_MAX);
    coord_metrics_write(s->metrics, &out);
    reply_text(req, 200, COORD_METRICS_CONTENT_TYPE, qk_buf_view(&out));
}

bool coord_local_answer(struct coord_service *s, struct coord_http_request *req)
{
    if (!qk_bytes_is(req->method, "GET") && !qk_bytes_is(req->method, "HEAD")) return false;
    if (qk_bytes_is(req->path, "/healthz"))
        reply_line(req, 200, "ok");
    else if (qk_bytes_is(req->path, "/readyz"))
        answer_ready(s, req);
    else if (qk_bytes_is(req->path, "/metrics"))
        answer_metrics(s, req);
    else
        reply_line(req, 404, "not found");
    return true;
}
