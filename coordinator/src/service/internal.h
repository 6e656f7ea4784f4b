/** What the files of service/ share. Private to service/. */
#ifndef COORD_SERVICE_INTERNAL_H
#define COORD_SERVICE_INTERNAL_H

#include "api/api.h"
#include "http/http.h"
#include "metrics/http_metrics.h"
#include "qk/pool.h"
#include "rounds/keeper.h"
#include "rounds/presigs.h"
#include "service/audit.h"
#include "service/numbers.h"
#include "service/service.h"

struct coord_service {
    const struct coord_config *config;
    struct wire_cluster *cluster;
    struct wire_identity *identity;
    struct coord_engine engine;
    struct coord_audit *audit;
    struct coord_metrics *metrics;
    struct coord_numbers *numbers;
    struct coord_http_metrics *http_metrics;
    struct qk_pool *quick;   /* what does not wait: beginnings, results of first attempts */
    struct qk_pool *workers; /* what may wait for nodes and for the disk */
    struct coord_http *http;
    uint64_t started_ms;   /* qk_mono_ms */
    atomic_size_t running; /* requests in the house */
    atomic_bool draining;
    _Atomic(struct coord_keeper *) keeper; /* NULL until it runs: links may come up before */
};

/** GET /healthz, /readyz, /metrics: answered at once. False: not one of these. */
bool coord_local_answer(struct coord_service *s, struct coord_http_request *req);
/** Everything else, on a loop thread: to a worker, or turned away. */
/** coord_http_config.on_turn: calls to nodes that come of one turn of the loop travel together. */
void coord_on_turn(void *service, bool begins);
/** coord_http_config.on_replies: what is about to be answered stands in the audit log. */
void coord_on_replies(void *service);
void coord_accept(void *service, struct coord_http_request *req);
/** True iff operations can be served; for_init (GET /readyz?init): iff the ceremony of Initialize
 * can begin. Otherwise why not. */
bool coord_ready(struct coord_service *s, bool for_init, char *why, size_t why_len);

#endif
