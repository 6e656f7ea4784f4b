/** What the loops of one front share. Private to http/. */
#ifndef COORD_HTTP_SERVER_H
#define COORD_HTTP_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include "http/http.h"
#include "http/parser.h"
#include "http/peers.h"
#include "http/tls.h"

struct coord_http_loop;

struct coord_http_counters {
    atomic_ullong open, connections, requests, replies, bytes_in, bytes_out, bodies;
    atomic_ullong refused[COORD_HTTP_N_REFUSALS];
};

struct coord_http_listener {
    int fd;
    bool tls;
    uint16_t port;
    atomic_uint users; /* loops that accept from fd; the last one to stop closes it */
};

struct coord_http {
    struct coord_http_config cfg; /* numbers only: listen and file names are cleared */
    struct coord_http_limits limits;
    coord_http_on_request *on_request;
    void *ctx;
    struct coord_http_counters counters;
    struct coord_http_peers *peers; /* NULL without a cap */
    struct coord_http_listener listeners[COORD_HTTP_LISTEN_MAX];
    size_t n_listeners;
    bool has_tls;
    pthread_mutex_t tls_lock; /* guards tls */
    struct coord_http_tls *tls;
    atomic_bool draining, stopping;
    atomic_ullong next_number;
    pthread_mutex_t drain_lock; /* with drained: signalled when the last connection is gone */
    pthread_cond_t drained;
    struct coord_http_loop *loops[COORD_HTTP_LOOPS_MAX];
    unsigned n_loops;
};

static inline void coord_http_count(atomic_ullong *counter, unsigned long long n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static inline void coord_http_refused(struct coord_http *http, enum coord_http_refusal why)
{
    coord_http_count(&http->counters.refused[why], 1);
}

/** One connection less; wakes coord_http_wait_drained after the last. */
void coord_http_connection_gone(struct coord_http *http);

#endif
