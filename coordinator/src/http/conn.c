#include "http/conn.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include "qk/clock.h"
#include "qk/secret.h"

static bool is_reading(const struct coord_http_conn *c)
{
    return c->state == CONN_IDLE || c->state == CONN_HEAD || c->state == CONN_BODY;
}

void coord_http_conn_arm(struct coord_http_conn *c, uint32_t events)
{
    if (c->state == CONN_CLOSED || events == c->armed) return;
    c->armed = events;
    if (coord_http_loop_watch(c->loop, c->stream.fd, &c->src, events, true) != QK_OK)
        coord_http_conn_close(c);
}

void coord_http_conn_deadline(struct coord_http_conn *c, uint32_t ms)
{
    coord_http_timer_set(&c->loop->timers, &c->timer, qk_mono_ms() + ms);
}

void coord_http_conn_release_body(struct coord_http_conn *c)
{
    atomic_fetch_sub(&c->loop->http->counters.bodies, c->held);
    c->held = 0;
}

static void unlink_conn(struct coord_http_conn *c)
{
    struct coord_http_loop *loop = c->loop;
    if (c->prev != NULL)
        c->prev->next = c->next;
    else
        loop->conns = c->next;
    if (c->next != NULL) c->next->prev = c->prev;
    c->prev = NULL;
    c->next = loop->dead;
    loop->dead = c;
    loop->n_conns--;
}

void coord_http_conn_close(struct coord_http_conn *c)
{
    if (c->state == CONN_CLOSED) return;
    c->state = CONN_CLOSED;
    if (c->req != NULL) c->req->conn = NULL; /* its reply will find nobody */
    c->req = NULL;
    coord_http_timer_clear(&c->loop->timers, &c->timer);
    coord_http_stream_close(&c->stream);
    coord_http_conn_release_body(c);
    coord_http_message_free(&c->parser.msg);
    qk_buf_free(&c->pending);
    qk_buf_free(&c->out);
    coord_http_peers_leave(c->loop->http->peers, c->peer);
    unlink_conn(c);
    coord_http_connection_gone(c->loop->http);
}

/* The client went away, in whatever state. */
static void on_gone(struct coord_http_conn *c)
{
    struct coord_http *http = c->loop->http;
    if (c->state == CONN_HANDSHAKE) coord_http_refused(http, COORD_HTTP_R_HANDSHAKE);
    if (c->state == CONN_HEAD || c->state == CONN_BODY)
        coord_http_refused(http, COORD_HTTP_R_CUT_SHORT);
    if (c->state == CONN_WORK) coord_http_refused(http, COORD_HTTP_R_VANISHED);
    coord_http_conn_close(c);
}

void coord_http_conn_expired(struct coord_http_conn *c)
{
    switch (c->state) {
    case CONN_HEAD:
        coord_http_conn_refuse(c, 408, COORD_HTTP_R_HEAD_TIME);
        return;
    case CONN_BODY:
        coord_http_conn_refuse(c, 408, COORD_HTTP_R_BODY_TIME);
        return;
    case CONN_HANDSHAKE:
        coord_http_refused(c->loop->http, COORD_HTTP_R_HANDSHAKE_TIME);
        break;
    case CONN_IDLE:
        coord_http_refused(c->loop->http, c->fresh ? COORD_HTTP_R_SILENT : COORD_HTTP_R_IDLE);
        break;
    case CONN_WRITE:
        coord_http_refused(c->loop->http, COORD_HTTP_R_WRITE_TIME);
        break;
    default:
        break;
    }
    coord_http_conn_close(c);
}

static void describe_peer(const struct coord_http_conn *c, struct coord_http_request *pub)
{
    const void *addr = &((const struct sockaddr_in *)&c->from)->sin_addr;
    pub->peer_port = ntohs(((const struct sockaddr_in *)&c->from)->sin_port);
    if (c->from.ss_family == AF_INET6) {
        addr = &((const struct sockaddr_in6 *)&c->from)->sin6_addr;
        pub->peer_port = ntohs(((const struct sockaddr_in6 *)&c->from)->sin6_port);
    }
    (void)inet_ntop(c->from.ss_family, addr, pub->peer, sizeof pub->peer);
}

/* A whole request: hand it to the owner. Its body stays counted until the reply. */
static void dispatch(struct coord_http_conn *c)
{
    struct coord_http *http = c->loop->http;
    struct coord_http_job *req;
    if (coord_http_job_new(&req, &c->parser.msg, c->loop->box) != QK_OK) {
        coord_http_conn_refuse(c, 503, COORD_HTTP_R_MEMORY);
        return;
    }
    coord_http_parser_init(&c->parser, &http->limits); /* the message moved */
    req->conn = c;
    req->keep_alive = req->msg.keep_alive;
    req->max_reply = http->cfg.max_reply;
    describe_peer(c, &req->pub);
    req->pub.tls = c->stream.ssl != NULL;
    req->pub.number = atomic_fetch_add(&http->next_number, 1) + 1;
    req->pub.received_us = qk_mono_us();
    c->req = req;
    c->held = 0;
    c->fresh = false;
    c->state = CONN_WORK;
    coord_http_timer_clear(&c->loop->timers, &c->timer);
    coord_http_count(&http->counters.requests, 1);
    http->on_request(http->ctx, &req->pub);
}

static bool hold_body(struct coord_http_conn *c)
{
    struct coord_http *http = c->loop->http;
    size_t more = c->parser.msg.body.len - c->held;
    c->held += more;
    return atomic_fetch_add(&http->counters.bodies, more) + more <= http->cfg.max_bodies;
}

static enum coord_http_refusal reason_of(unsigned status)
{
    switch (status) {
    case 413:
        return COORD_HTTP_R_BODY_SIZE;
    case 414:
        return COORD_HTTP_R_LINE_SIZE;
    case 417:
        return COORD_HTTP_R_EXPECT;
    case 431:
        return COORD_HTTP_R_HEAD_SIZE;
    case 501:
        return COORD_HTTP_R_CODING;
    case 503:
        return COORD_HTTP_R_MEMORY;
    case 505:
        return COORD_HTTP_R_VERSION;
    default:
        return COORD_HTTP_R_MALFORMED;
    }
}

static void on_head(struct coord_http_conn *c, bool more_is_here)
{
    c->state = CONN_BODY;
    coord_http_conn_deadline(c, c->loop->http->cfg.body_ms);
    if (c->parser.msg.expect_continue && !more_is_here) coord_http_conn_continue(c);
}

/* Feed bytes until they are used up or the state is no longer one that reads. */
static size_t feed(struct coord_http_conn *c, const uint8_t *data, size_t len)
{
    size_t done = 0;
    while (done < len && is_reading(c)) {
        if (c->state == CONN_IDLE) {
            c->state = CONN_HEAD;
            if (!c->fresh) coord_http_conn_deadline(c, c->loop->http->cfg.head_ms);
        }
        size_t used;
        enum coord_http_event ev =
            coord_http_parser_feed(&c->parser, data + done, len - done, &used);
        done += used;
        if (!hold_body(c))
            coord_http_conn_refuse(c, 503, COORD_HTTP_R_MEMORY);
        else if (ev == COORD_HTTP_HEAD)
            on_head(c, done < len);
        else if (ev == COORD_HTTP_DONE)
            dispatch(c);
        else if (ev == COORD_HTTP_REFUSED)
            coord_http_conn_refuse(c, c->parser.status, reason_of(c->parser.status));
    }
    return done;
}

static void feed_pending(struct coord_http_conn *c)
{
    c->pending_off += feed(c, c->pending.p + c->pending_off, c->pending.len - c->pending_off);
    if (c->pending_off < c->pending.len) return;
    qk_buf_free(&c->pending);
    c->pending_off = 0;
}

/* Keep what came behind a request for the time after its reply. */
static void feed_scratch(struct coord_http_conn *c, size_t n)
{
    uint8_t *data = c->loop->scratch;
    coord_http_count(&c->loop->http->counters.bytes_in, n);
    size_t done = feed(c, data, n);
    if (c->state == CONN_WORK && done < n) {
        qk_buf_add(&c->pending, data + done, n - done);
        if (c->pending.err != QK_OK) coord_http_conn_close(c);
    }
    qk_wipe(data, n);
}

void coord_http_conn_read(struct coord_http_conn *c)
{
    while (is_reading(c)) {
        if (c->pending.len > 0) {
            feed_pending(c);
            continue;
        }
        size_t n;
        enum coord_http_io io =
            coord_http_stream_read(&c->stream, c->loop->scratch, sizeof c->loop->scratch, &n);
        if (io == COORD_HTTP_IO_OK) {
            feed_scratch(c, n);
        } else if (io == COORD_HTTP_IO_WANT_READ || io == COORD_HTTP_IO_WANT_WRITE) {
            bool write = io == COORD_HTTP_IO_WANT_WRITE || c->out.len > 0;
            coord_http_conn_arm(c, EPOLLIN | (write ? EPOLLOUT : 0));
            return;
        } else {
            on_gone(c);
        }
    }
}

static void shake_hands(struct coord_http_conn *c)
{
    enum coord_http_io io = coord_http_stream_handshake(&c->stream);
    if (io == COORD_HTTP_IO_WANT_READ || io == COORD_HTTP_IO_WANT_WRITE) {
        coord_http_conn_arm(c, io == COORD_HTTP_IO_WANT_READ ? EPOLLIN : EPOLLOUT);
    } else if (io != COORD_HTTP_IO_OK) {
        on_gone(c);
    } else {
        c->state = CONN_IDLE;
        coord_http_conn_deadline(c, c->loop->http->cfg.head_ms);
        coord_http_conn_read(c);
    }
}

static void on_event(struct coord_http_loop *loop, struct coord_http_source *src, uint32_t events)
{
    (void)loop;
    struct coord_http_conn *c = (struct coord_http_conn *)src;
    switch (c->state) {
    case CONN_HANDSHAKE:
        shake_hands(c);
        break;
    case CONN_IDLE:
    case CONN_HEAD:
    case CONN_BODY:
        if (c->out.len > 0) coord_http_conn_flush(c);
        coord_http_conn_read(c);
        break;
    case CONN_WORK:
        if (events & (EPOLLERR | EPOLLHUP))
            on_gone(c);
        else
            coord_http_conn_arm(c, 0); /* pipelined bytes or a half-close: they can wait */
        break;
    case CONN_WRITE:
        coord_http_conn_flush(c);
        break;
    case CONN_LINGER:
        coord_http_conn_discard(c);
        break;
    case CONN_CLOSED:
        break;
    }
}

static struct coord_http_conn *conn_new(struct coord_http_loop *loop, int fd, bool tls)
{
    struct coord_http_conn *c = calloc(1, sizeof *c);
    if (c == NULL) return NULL;
    c->stream.fd = fd;
    if (!tls) return c;
    struct coord_http *http = loop->http;
    pthread_mutex_lock(&http->tls_lock);
    c->stream.ssl = coord_http_tls_accept(http->tls, fd);
    pthread_mutex_unlock(&http->tls_lock);
    if (c->stream.ssl != NULL) return c;
    free(c);
    return NULL;
}

static void link_conn(struct coord_http_conn *c)
{
    struct coord_http_loop *loop = c->loop;
    c->next = loop->conns;
    if (c->next != NULL) c->next->prev = c;
    loop->conns = c;
    loop->n_conns++;
}

qk_err coord_http_conn_open(struct coord_http_loop *loop, int fd, bool tls,
    const struct sockaddr_storage *from, struct coord_http_peer *peer)
{
    QK_TRY(
        coord_http_timers_reserve(&loop->timers, loop->n_conns + 2)); /* 1 more: accept's pause */
    struct coord_http_conn *c = conn_new(loop, fd, tls);
    QK_ENSURE(c != NULL, QK_E_NOMEM);
    c->src.on_event = on_event;
    c->armed = EPOLLIN;
    if (coord_http_loop_watch(loop, fd, &c->src, c->armed, false) != QK_OK) {
        SSL_free(c->stream.ssl);
        free(c);
        return QK_E_NOMEM;
    }
    c->loop = loop;
    c->peer = peer;
    c->from = *from;
    c->fresh = true;
    c->state = tls ? CONN_HANDSHAKE : CONN_IDLE;
    c->pending = (struct qk_buf)QK_BUF_SECRET(sizeof loop->scratch);
    coord_http_parser_init(&c->parser, &loop->http->limits);
    link_conn(c);
    coord_http_conn_deadline(c, tls ? loop->http->cfg.handshake_ms : loop->http->cfg.head_ms);
    return QK_OK;
}
