#include "http/conn.h"

#include <sys/epoll.h>
#include "qk/clock.h"
#include "qk/log.h"

/* Closing at once would let unread bytes turn into a reset that overtakes our reply. */
static void linger(struct coord_http_conn *c)
{
    coord_http_stream_shutdown(&c->stream);
    c->state = CONN_LINGER;
    coord_http_conn_deadline(c, c->loop->http->cfg.linger_ms);
    coord_http_conn_discard(c);
}

static void next_request(struct coord_http_conn *c)
{
    c->state = CONN_IDLE;
    coord_http_conn_deadline(c, c->loop->http->cfg.idle_ms);
    coord_http_conn_read(c);
}

static void on_written(struct coord_http_conn *c)
{
    qk_buf_free(&c->out);
    c->out_off = 0;
    if (c->state != CONN_WRITE) return; /* it was the 100 Continue */
    coord_http_count(&c->loop->http->counters.replies, 1);
    if (c->keep_alive && !atomic_load(&c->loop->http->draining))
        next_request(c);
    else
        linger(c);
}

static void on_lost(struct coord_http_conn *c)
{
    coord_http_refused(c->loop->http, COORD_HTTP_R_VANISHED);
    coord_http_conn_close(c);
}

void coord_http_conn_flush(struct coord_http_conn *c)
{
    while (c->out_off < c->out.len) {
        size_t n;
        enum coord_http_io io =
            coord_http_stream_write(&c->stream, c->out.p + c->out_off, c->out.len - c->out_off, &n);
        if (io == COORD_HTTP_IO_OK) {
            c->out_off += n;
            coord_http_count(&c->loop->http->counters.bytes_out, n);
        } else if (io == COORD_HTTP_IO_WANT_READ || io == COORD_HTTP_IO_WANT_WRITE) {
            uint32_t want = io == COORD_HTTP_IO_WANT_READ ? EPOLLIN : EPOLLOUT;
            coord_http_conn_arm(c, c->state == CONN_WRITE ? want : EPOLLIN | want);
            return;
        } else {
            on_lost(c);
            return;
        }
    }
    on_written(c);
}

void coord_http_conn_continue(struct coord_http_conn *c)
{
    c->out = (struct qk_buf)QK_BUF(64);
    qk_buf_add_str(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
    if (c->out.err != QK_OK)
        coord_http_conn_close(c);
    else
        coord_http_conn_flush(c);
}

static void begin_write(struct coord_http_conn *c, bool keep_alive)
{
    c->state = CONN_WRITE;
    c->keep_alive = keep_alive;
    coord_http_conn_deadline(c, c->loop->http->cfg.write_ms);
    if (c->out.err != QK_OK || c->out.len == 0)
        coord_http_conn_close(c);
    else
        coord_http_conn_flush(c);
}

void coord_http_conn_refuse(struct coord_http_conn *c, unsigned status, enum coord_http_refusal why)
{
    coord_http_refused(c->loop->http, why);
    qk_log(QK_DEBUG, "http.refused", QK_F_STR("why", coord_http_refusal_name(why)),
        QK_F_INT("status", status));
    coord_http_conn_release_body(c);
    coord_http_parser_reset(&c->parser);
    qk_buf_free(&c->pending);
    c->pending_off = 0;
    c->out.max = c->out.len + 1024; /* behind a 100 Continue that is still on its way */
    coord_http_reply_refuse(&c->out, status);
    begin_write(c, false);
}

/* A 100 Continue that did not leave yet goes first. */
static void move_out(struct coord_http_conn *c, struct coord_http_job *req)
{
    if (c->out.len == 0) {
        qk_buf_free(&c->out);
        c->out = req->out;
        req->out = (struct qk_buf){0};
        return;
    }
    c->out.secret = true;
    c->out.max = c->out.len + req->out.len;
    qk_buf_add(&c->out, req->out.p, req->out.len);
}

void coord_http_conn_reply(struct coord_http_conn *c, struct coord_http_job *req)
{
    bool keep_alive = req->keep_alive;
    c->req = NULL;
    if (req->out.len == 0) { /* no memory for the reply */
        coord_http_job_free(req);
        coord_http_conn_close(c);
        return;
    }
    move_out(c, req);
    coord_http_job_free(req);
    begin_write(c, keep_alive);
}

void coord_http_conn_discard(struct coord_http_conn *c)
{
    size_t n;
    enum coord_http_io io;
    size_t budget = 1 << 20; /* a turn's worth: others wait */
    do {
        io = coord_http_stream_discard(&c->stream, c->loop->scratch, sizeof c->loop->scratch, &n);
        budget -= n < budget ? n : budget;
    } while (io == COORD_HTTP_IO_OK && budget > 0);
    if (io == COORD_HTTP_IO_OK || io == COORD_HTTP_IO_WANT_READ)
        coord_http_conn_arm(c, EPOLLIN);
    else
        coord_http_conn_close(c);
}

void coord_http_conn_drain(struct coord_http_conn *c)
{
    if (c->state == CONN_IDLE) coord_http_conn_read(c); /* a request may be here already */
    if (c->state == CONN_HANDSHAKE || c->state == CONN_IDLE) coord_http_conn_close(c);
}
