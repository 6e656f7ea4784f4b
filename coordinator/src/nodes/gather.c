#include "nodes/internal.h"

#include <stdlib.h>
#include <time.h>
#include "qk/clock.h"

/* One call in flight; lives until its callback ran. */
struct flight {
    struct coord_gather *gather;
    struct coord_node *node;
    uint64_t started_us;
    struct flight *next; /* once answered */
    struct coord_reply reply;
};

/* Shared by its owner and every flight: the last one out frees it. */
struct coord_gather {
    struct coord_nodes *nodes;
    pthread_mutex_t mutex;
    pthread_cond_t arrived;
    size_t refs;
    size_t outstanding; /* called and not yet handed out */
    bool abandoned;
    struct flight *first, **last; /* answered, in order of arrival */
};

void coord_reply_free(struct coord_reply *r)
{
    qk_buf_free(&r->bytes);
}

qk_err coord_gather_new(struct coord_gather **out, struct coord_nodes *nodes)
{
    struct coord_gather *g = calloc(1, sizeof *g);
    QK_ENSURE(g != NULL, QK_E_NOMEM);
    g->nodes = nodes;
    g->refs = 1;
    g->last = &g->first;
    (void)pthread_mutex_init(&g->mutex, NULL);
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&g->arrived, &attr);
    (void)pthread_condattr_destroy(&attr);
    *out = g;
    return QK_OK;
}

static void flight_free(struct flight *f)
{
    coord_reply_free(&f->reply);
    free(f);
}

static void gather_unref(struct coord_gather *g)
{
    (void)pthread_mutex_lock(&g->mutex);
    bool last = --g->refs == 0;
    (void)pthread_mutex_unlock(&g->mutex);
    if (!last) return;
    while (g->first != NULL) {
        struct flight *f = g->first;
        g->first = f->next;
        flight_free(f);
    }
    (void)pthread_cond_destroy(&g->arrived);
    (void)pthread_mutex_destroy(&g->mutex);
    free(g);
}

void coord_gather_free(struct coord_gather *g)
{
    if (g == NULL) return;
    (void)pthread_mutex_lock(&g->mutex);
    g->abandoned = true;
    (void)pthread_mutex_unlock(&g->mutex);
    gather_unref(g);
}

/* Hand over a flight that has its reply; gives its reference back. */
static void arrive(struct flight *f)
{
    struct coord_gather *g = f->gather;
    (void)pthread_mutex_lock(&g->mutex);
    bool drop = g->abandoned;
    if (!drop) {
        *g->last = f;
        g->last = &f->next;
        (void)pthread_cond_signal(&g->arrived);
    }
    (void)pthread_mutex_unlock(&g->mutex);
    if (drop) flight_free(f);
    gather_unref(g);
}

static void count_end(struct coord_node *n, qk_err err, uint64_t took_us)
{
    bool lost = err == QK_E_IO || err == QK_E_TIMEOUT;
    (void)pthread_mutex_lock(&n->owner->mutex);
    n->in_flight--;
    if (err == QK_OK) n->last_latency_us = took_us;
    if (err != QK_OK) n->failures++;
    if (lost) n->cool_until_ms = qk_mono_ms() + COORD_COOL_MS;
    (void)pthread_mutex_unlock(&n->owner->mutex);
}

static void on_answer(void *ctx, qk_err err, struct qk_bytes bytes)
{
    struct flight *f = ctx;
    count_end(f->node, err, qk_mono_us() - f->started_us);
    struct coord_reply *r = &f->reply;
    r->err = err;
    if (err == QK_OK) {
        qk_buf_add(&r->bytes, bytes.p, bytes.len);
        r->err = r->bytes.err;
    }
    if (r->err == QK_OK) r->err = wire_answer_decode(qk_buf_view(&r->bytes), &r->answer);
    arrive(f);
}

void coord_gather_call(
    struct coord_gather *g, uint16_t node, struct qk_bytes bytes, unsigned timeout_ms)
{
    struct coord_node *n = coord_node_find(g->nodes, node);
    struct flight *f = n == NULL ? NULL : calloc(1, sizeof *f);
    if (f == NULL) return; /* no reply will come: the set stays incomplete */
    *f = (struct flight){.gather = g, .node = n, .started_us = qk_mono_us()};
    f->reply = (struct coord_reply){.node = node, .bytes = QK_BUF(WIRE_CALL_MAX)};
    (void)pthread_mutex_lock(&g->mutex);
    g->refs++;
    g->outstanding++;
    (void)pthread_mutex_unlock(&g->mutex);
    (void)pthread_mutex_lock(&n->owner->mutex);
    n->in_flight++;
    n->calls++;
    (void)pthread_mutex_unlock(&n->owner->mutex);
    qk_err err = wire_client_call(n->client, bytes, timeout_ms, on_answer, f);
    if (err != QK_OK) on_answer(f, err, (struct qk_bytes){0});
}

size_t coord_gather_outstanding(struct coord_gather *g)
{
    (void)pthread_mutex_lock(&g->mutex);
    size_t n = g->outstanding;
    (void)pthread_mutex_unlock(&g->mutex);
    return n;
}

static struct timespec after(uint64_t ms)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += (time_t)(ms / 1000);
    at.tv_nsec += (long)(ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

bool coord_gather_next(struct coord_gather *g, uint64_t wait_ms, struct coord_reply *out)
{
    struct timespec until = after(wait_ms);
    (void)pthread_mutex_lock(&g->mutex);
    int rc = 0;
    while (g->first == NULL && g->outstanding > 0 && rc == 0)
        rc = pthread_cond_timedwait(&g->arrived, &g->mutex, &until);
    struct flight *f = g->first;
    if (f != NULL) {
        g->first = f->next;
        if (g->first == NULL) g->last = &g->first;
        g->outstanding--;
    }
    (void)pthread_mutex_unlock(&g->mutex);
    if (f == NULL) return false;
    *out = f->reply; /* views point into memory that moves along */
    free(f);
    return true;
}
