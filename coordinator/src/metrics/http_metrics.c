#include "metrics/http_metrics.h"

#include <stddef.h>
#include <stdlib.h>

static const struct {
    struct coord_family_def def;
    size_t offset; /* of the number in struct coord_http_stats */
} plain[] = {
    {{"qkms_http_connections", "Connections open now.", COORD_GAUGE, {NULL}, 1},
        offsetof(struct coord_http_stats, connections_open)},
    {{"qkms_http_connections_total", "Connections accepted.", COORD_COUNTER, {NULL}, 1},
        offsetof(struct coord_http_stats, connections)},
    {{"qkms_http_requests_total", "Whole requests received.", COORD_COUNTER, {NULL}, 1},
        offsetof(struct coord_http_stats, requests)},
    {{"qkms_http_replies_total", "Replies sent whole.", COORD_COUNTER, {NULL}, 1},
        offsetof(struct coord_http_stats, replies)},
    {{"qkms_http_received_bytes_total", "Bytes of HTTP received.", COORD_COUNTER, {NULL}, 1},
        offsetof(struct coord_http_stats, bytes_in)},
    {{"qkms_http_sent_bytes_total", "Bytes of HTTP sent.", COORD_COUNTER, {NULL}, 1},
        offsetof(struct coord_http_stats, bytes_out)},
    {{"qkms_http_body_bytes", "Bytes of request bodies held now.", COORD_GAUGE, {NULL}, 1},
        offsetof(struct coord_http_stats, body_bytes_held)},
};

static const struct coord_family_def refused_def = {"qkms_http_refused_total",
    "Connections refused or cut, by reason.", COORD_COUNTER, {"reason"}, COORD_HTTP_N_REFUSALS};

struct coord_http_metrics {
    struct coord_http *http;
    struct coord_series *numbers[QK_COUNT(plain)];
    struct coord_series *refused[COORD_HTTP_N_REFUSALS];
};

static void update(void *ctx)
{
    struct coord_http_metrics *hm = ctx;
    struct coord_http_stats stats;
    coord_http_stats(hm->http, &stats);
    for (size_t i = 0; i < QK_COUNT(plain); i++) {
        const uint64_t *n = (const uint64_t *)((const char *)&stats + plain[i].offset);
        coord_metric_set(hm->numbers[i], (int64_t)*n);
    }
    for (size_t i = 0; i < COORD_HTTP_N_REFUSALS; i++)
        coord_metric_set(hm->refused[i], (int64_t)stats.refused[i]);
}

static qk_err add_all(struct coord_http_metrics *hm, struct coord_metrics *metrics)
{
    struct coord_family *family;
    for (size_t i = 0; i < QK_COUNT(plain); i++) {
        QK_TRY(coord_metrics_add(metrics, &plain[i].def, &family));
        hm->numbers[i] = coord_metric(family, NULL);
    }
    QK_TRY(coord_metrics_add(metrics, &refused_def, &family));
    for (size_t i = 0; i < COORD_HTTP_N_REFUSALS; i++)
        hm->refused[i] = coord_metric(family, coord_http_refusal_name((enum coord_http_refusal)i));
    return coord_metrics_on_write(metrics, update, hm);
}

qk_err coord_http_metrics_new(
    struct coord_http_metrics **out, struct coord_metrics *metrics, struct coord_http *http)
{
    struct coord_http_metrics *hm = calloc(1, sizeof *hm);
    QK_ENSURE(hm != NULL, QK_E_NOMEM);
    hm->http = http;
    qk_err err = add_all(hm, metrics);
    if (err != QK_OK) {
        free(hm);
        return err;
    }
    *out = hm;
    return QK_OK;
}

void coord_http_metrics_free(struct coord_http_metrics *hm)
{
    free(hm);
}
