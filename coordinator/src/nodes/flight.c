#include <stdlib.h>
#include "nodes/internal.h"
#include "qk/clock.h"

/* This thread has more calls to make: they are sent by coord_nodes_send. */
static _Thread_local bool gathering;

void coord_nodes_gather(void)
{
    gathering = true;
}

void coord_nodes_send(struct coord_nodes *nodes)
{
    gathering = false;
    for (size_t i = 0; i < nodes->n; i++) wire_bundler_send(nodes->node[i].bundler);
}

/* One call in flight; lives until its callback ran. */
struct flight {
    struct coord_node *node;
    uint64_t started_us;
    coord_reply_fn fn;
    void *ctx;
};

void coord_reply_free(struct coord_reply *r)
{
    qk_buf_free(&r->bytes);
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
    struct coord_reply r = {.node = f->node->id, .err = err, .bytes = QK_BUF_SECRET(WIRE_CALL_MAX)};
    if (err == QK_OK) {
        qk_buf_add(&r.bytes, bytes.p, bytes.len);
        r.err = r.bytes.err;
    }
    if (r.err == QK_OK) r.err = wire_answer_decode(qk_buf_view(&r.bytes), &r.answer);
    f->fn(f->ctx, &r);
    free(f);
}

static void fail(uint16_t node, qk_err err, coord_reply_fn fn, void *ctx)
{
    struct coord_reply r = {.node = node, .err = err, .bytes = QK_BUF(1)};
    fn(ctx, &r);
}

static qk_err start(struct coord_node *n, struct qk_bytes bytes, unsigned timeout_ms,
    enum coord_travel how, struct flight *f)
{
    switch (how) {
    case COORD_TOGETHER:
        return gathering ? wire_bundler_add(n->bundler, bytes, timeout_ms, on_answer, f)
                         : wire_bundler_call(n->bundler, bytes, timeout_ms, on_answer, f);
    case COORD_CHANGE:
        return wire_bundler_call(n->changes, bytes, timeout_ms, on_answer, f);
    case COORD_ALONE:
        break;
    }
    return wire_client_call(n->client, bytes, timeout_ms, on_answer, f);
}

void coord_node_call(struct coord_nodes *nodes, uint16_t node, struct qk_bytes bytes,
    unsigned timeout_ms, enum coord_travel how, coord_reply_fn fn, void *ctx)
{
    struct coord_node *n = coord_node_find(nodes, node);
    struct flight *f = n == NULL ? NULL : malloc(sizeof *f);
    if (f == NULL) {
        fail(node, n == NULL ? QK_E_NOT_FOUND : QK_E_NOMEM, fn, ctx);
        return;
    }
    *f = (struct flight){.node = n, .started_us = qk_mono_us(), .fn = fn, .ctx = ctx};
    (void)pthread_mutex_lock(&n->owner->mutex);
    n->in_flight++;
    n->calls++;
    (void)pthread_mutex_unlock(&n->owner->mutex);
    if (bytes.len > WIRE_BUNDLE_CALL_BYTES) how = COORD_ALONE;
    qk_err err = start(n, bytes, timeout_ms, how, f);
    if (err != QK_OK) on_answer(f, err, (struct qk_bytes){0});
}
