#include "api/loop.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "common/http.h"
#include "common/stats.h"
#include "common/stream.h"
#include "common/tell.h"

#define TICK_NS 100000000u

enum { EVENTS = 256, REQUEST_MAX = 32768 };

enum phase { IDLE, SENDING, READING };

struct conn {
    struct bench_stream stream;
    enum phase phase;
    bool opening; /* the handshake is part of this request */
    uint64_t give_up_ns;
    struct bench_job job;
    struct qk_buf tx;
    size_t sent, len; /* bytes written of tx, bytes in rx */
    uint8_t *rx;      /* BENCH_REPLY_MAX */
};

struct bench_loop {
    const struct bench_target *target;
    struct bench_signer *signer;
    int epoll;
    unsigned n;
    struct conn *conn;
    /* Of a run. */
    const struct bench_source *source;
    unsigned *idle; /* a ring of n numbers */
    unsigned idle_at, n_idle, n_busy;
    bool ended;
    uint64_t wake_ns; /* when the source has something again */
    qk_err err;
};

/* ---- connections ---- */

/* Edge-triggered, both ways, once: no system call for a change of interest. */
static qk_err watch_conn(struct bench_loop *l, struct conn *c)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->stream.fd, &ev) == 0) return QK_OK;
    bench_stream_close(&c->stream);
    return QK_E_IO;
}

static qk_err dial(struct bench_loop *l, struct conn *c)
{
    const struct bench_target *t = l->target;
    return bench_stream_dial(
        &c->stream, (const struct sockaddr *)&t->addr, t->addr_len, t->ctx, t->host);
}

static qk_err open_conn(struct bench_loop *l, struct conn *c)
{
    QK_TRY(dial(l, c));
    QK_TRY(bench_stream_wait(&c->stream, BENCH_TIMEOUT_S * 1000));
    return watch_conn(l, c);
}

qk_err bench_loop_open(struct bench_loop *l, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (l->conn[i].stream.fd >= 0) continue;
        bench_progress("connecting %u of %u", i + 1, n);
        qk_err err = open_conn(l, &l->conn[i]);
        if (err == QK_OK) continue;
        bench_error("connection %u to %s: %s", i + 1, l->target->authority,
            err == QK_E_CRYPTO ? "TLS handshake failed" : "cannot connect");
        return QK_E_IO;
    }
    bench_progress_end();
    return QK_OK;
}

static void make_idle(struct bench_loop *l, struct conn *c)
{
    c->phase = IDLE;
    l->idle[(l->idle_at + l->n_idle++) % l->n] = c->job.conn;
}

static struct conn *take_idle(struct bench_loop *l)
{
    struct conn *c = &l->conn[l->idle[l->idle_at]];
    l->idle_at = (l->idle_at + 1) % l->n;
    l->n_idle--;
    return c;
}

/* ---- the end of a request ---- */

/* "__type" of an error body, without a namespace before '#'. */
static void name_fault(struct bench_outcome *o)
{
    json_t *root = json_loadb((const char *)o->body.p, o->body.len, JSON_REJECT_DUPLICATES, NULL);
    const char *type = json_string_value(json_object_get(root, "__type"));
    const char *hash = type ? strrchr(type, '#') : NULL;
    if (type && *type)
        snprintf(o->error, sizeof o->error, "%s", hash ? hash + 1 : type);
    else
        snprintf(o->error, sizeof o->error, "HTTP %u", o->status);
    json_decref(root);
}

static const char *transport_name(const struct conn *c, qk_err err)
{
    if (err == QK_E_TIMEOUT) return "timeout";
    if (err == QK_E_MALFORMED) return "malformed response";
    if (err == QK_E_TOO_LARGE) return "response too large";
    if (err == QK_E_CRYPTO) return "TLS handshake failed";
    return c->opening ? "cannot connect" : "connection lost";
}

static void finish(struct bench_loop *l, struct conn *c, const struct bench_outcome *o)
{
    l->n_busy--;
    l->source->done(l->source->ctx, &c->job, o, bench_mono_ns());
    make_idle(l, c);
}

static void lose(struct bench_loop *l, struct conn *c, qk_err err)
{
    struct bench_outcome o = {.ok = false};
    bench_stream_close(&c->stream);
    if (c->phase == IDLE) return; /* its next request opens it again */
    snprintf(o.error, sizeof o.error, "%s", transport_name(c, err));
    finish(l, c, &o);
}

static void answered(struct bench_loop *l, struct conn *c, const struct bench_head *h)
{
    struct bench_outcome o = {
        .ok = h->status == 200, .status = h->status, .body = qk_bytes(c->rx + h->len, h->body_len)};
    if (!o.ok) name_fault(&o);
    if (h->close) bench_stream_close(&c->stream);
    finish(l, c, &o);
}

/* ---- bytes ---- */

/* QK_E_BUSY: not whole yet. */
static qk_err whole_reply(const struct conn *c, struct bench_head *h)
{
    QK_TRY(bench_head_parse(h, qk_bytes(c->rx, c->len)));
    QK_ENSURE(h->status != 0, QK_E_MALFORMED);
    QK_ENSURE(h->len + h->body_len <= BENCH_REPLY_MAX, QK_E_TOO_LARGE);
    QK_ENSURE(c->len >= h->len + h->body_len, QK_E_BUSY);
    return c->len == h->len + h->body_len ? QK_OK : QK_E_MALFORMED; /* nobody asked for more */
}

static qk_err read_reply(struct conn *c, struct bench_head *h)
{
    qk_err err;
    do {
        size_t n;
        QK_ENSURE(c->len < BENCH_REPLY_MAX, QK_E_TOO_LARGE);
        QK_TRY(bench_stream_read(&c->stream, c->rx + c->len, BENCH_REPLY_MAX - c->len, &n));
        QK_ENSURE(c->phase == READING, QK_E_IO); /* nothing was asked */
        c->len += n;
        err = whole_reply(c, h);
    } while (err == QK_E_BUSY);
    return err;
}

/* Go on with a connection until it would block. */
static void drive(struct bench_loop *l, struct conn *c)
{
    struct bench_head h;
    qk_err err = QK_OK;
    if (c->phase == SENDING) {
        err = bench_stream_write(&c->stream, c->tx.p, c->tx.len, &c->sent);
        if (err == QK_OK) {
            c->phase = READING;
            return; /* the answer is an event of its own */
        }
    } else {
        err = read_reply(c, &h);
        if (err == QK_OK) answered(l, c, &h);
    }
    if (err != QK_OK && err != QK_E_BUSY) lose(l, c, err);
}

/* ---- new requests ---- */

static void begin(struct bench_loop *l, struct conn *c)
{
    c->phase = SENDING;
    c->sent = c->len = 0;
    c->opening = c->stream.fd < 0;
    c->give_up_ns = bench_mono_ns() + BENCH_TIMEOUT_S * 1000000000ull;
    l->n_busy++;
    qk_err err = c->opening ? dial(l, c) : QK_OK;
    if (err == QK_OK && c->opening) err = watch_conn(l, c);
    if (err == QK_OK)
        drive(l, c);
    else
        lose(l, c, err);
}

/* Ask the source for the longest idle connection. Is there to be another question? */
static bool feed_one(struct bench_loop *l)
{
    struct conn *c = take_idle(l);
    switch (l->source->next(l->source->ctx, &c->job, bench_mono_ns(), &l->wake_ns)) {
    case BENCH_SEND:
        l->err = bench_signer_request(l->signer, c->job.action, qk_buf_view(&c->job.body), &c->tx);
        if (l->err == QK_OK)
            begin(l, c);
        else
            make_idle(l, c);
        return l->err == QK_OK;
    case BENCH_END:
        l->ended = true;
        break;
    case BENCH_WAIT:
        break;
    }
    make_idle(l, c);
    return false;
}

static void feed(struct bench_loop *l)
{
    l->wake_ns = UINT64_MAX;
    while (!l->ended && l->n_idle > 0 && feed_one(l)) {
    }
}

/* ---- the loop ---- */

static void check_timeouts(struct bench_loop *l, uint64_t now_ns)
{
    for (unsigned i = 0; i < l->n; i++)
        if (l->conn[i].phase != IDLE && now_ns > l->conn[i].give_up_ns)
            lose(l, &l->conn[i], QK_E_TIMEOUT);
}

static int wait_events(struct bench_loop *l, struct epoll_event *ev, uint64_t tick_ns)
{
    uint64_t now = bench_mono_ns(), until = l->wake_ns < tick_ns ? l->wake_ns : tick_ns;
    uint64_t left = until > now ? until - now : 0;
    struct timespec t = {
        .tv_sec = (time_t)(left / 1000000000u), .tv_nsec = (long)(left % 1000000000u)};
    return epoll_pwait2(l->epoll, ev, EVENTS, &t, NULL);
}

static void turn(struct bench_loop *l, uint64_t *tick_ns)
{
    struct epoll_event ev[EVENTS];
    int n = wait_events(l, ev, *tick_ns);
    for (int i = 0; i < n; i++) {
        struct conn *c = ev[i].data.ptr;
        if (c->stream.fd >= 0) drive(l, c);
        if (l->err == QK_OK) feed(l);
    }
    if (n <= 0 && l->err == QK_OK) feed(l);
    uint64_t now = bench_mono_ns();
    if (now < *tick_ns) return;
    check_timeouts(l, now);
    if (l->source->tick) l->source->tick(l->source->ctx, now);
    *tick_ns = now + TICK_NS;
}

static void start(struct bench_loop *l, const struct bench_source *source, unsigned busy)
{
    l->source = source;
    l->idle_at = l->n_idle = l->n_busy = 0;
    l->ended = false;
    l->err = QK_OK;
    for (unsigned i = 0; i < busy; i++) {
        l->conn[i].job.turn = 0;
        make_idle(l, &l->conn[i]);
    }
}

qk_err bench_loop_run(struct bench_loop *l, const struct bench_source *source, unsigned busy)
{
    if (busy > l->n) busy = l->n;
    QK_TRY(bench_loop_open(l, busy));
    start(l, source, busy);
    uint64_t tick_ns = bench_mono_ns() + TICK_NS;
    feed(l);
    while (l->n_busy > 0 || (!l->ended && l->err == QK_OK)) turn(l, &tick_ns);
    bench_progress_end();
    return l->err;
}

/* ---- life ---- */

struct bench_signer *bench_loop_signer(struct bench_loop *loop)
{
    return loop->signer;
}

static qk_err set_up(struct bench_loop *l)
{
    QK_TRY(bench_signer_new(&l->signer, l->target));
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->conn = calloc(l->n, sizeof *l->conn);
    l->idle = calloc(l->n, sizeof *l->idle);
    QK_ENSURE(l->epoll >= 0 && l->conn && l->idle, QK_E_NOMEM);
    for (unsigned i = 0; i < l->n; i++) {
        struct conn *c = &l->conn[i];
        c->stream = BENCH_STREAM_CLOSED;
        c->job.conn = i;
        c->job.body = c->tx = (struct qk_buf)QK_BUF(REQUEST_MAX);
    }
    for (unsigned i = 0; i < l->n; i++)
        QK_ENSURE((l->conn[i].rx = malloc(BENCH_REPLY_MAX)) != NULL, QK_E_NOMEM);
    return QK_OK;
}

qk_err bench_loop_new(
    struct bench_loop **out, const struct bench_target *target, unsigned connections)
{
    struct bench_loop *l = calloc(1, sizeof *l);
    QK_ENSURE(l != NULL, QK_E_NOMEM);
    l->target = target;
    l->n = connections;
    l->epoll = -1;
    qk_err err = set_up(l);
    if (err != QK_OK)
        bench_loop_free(l);
    else
        *out = l;
    return err;
}

void bench_loop_free(struct bench_loop *l)
{
    if (!l) return;
    for (unsigned i = 0; l->conn && i < l->n; i++) {
        struct conn *c = &l->conn[i];
        bench_stream_close(&c->stream);
        qk_buf_free(&c->job.body);
        qk_buf_free(&c->tx);
        free(c->rx);
    }
    if (l->epoll >= 0) close(l->epoll);
    bench_signer_free(l->signer);
    free(l->conn);
    free(l->idle);
    free(l);
}
