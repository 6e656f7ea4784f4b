#include "responder/serve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "common/http.h"
#include "common/stream.h"

enum { REQUEST_MAX = 65536, EVENTS = 256, REPLY_LEN_MAX = 60000 };

struct client {
    struct bench_stream stream;
    struct client *next; /* of all, to be freed */
    bool writing;
    size_t len, sent;
    uint8_t rx[REQUEST_MAX];
};

struct server {
    int epoll, listener;
    SSL_CTX *ctx;
    struct qk_bytes reply;
    struct client *clients;
};

/* ---- one connection ---- */

/* QK_OK: one is there, whole; QK_E_BUSY: not yet. */
static qk_err read_request(struct client *c)
{
    for (;;) {
        struct bench_head h;
        size_t n;
        qk_err err = bench_head_parse(&h, qk_bytes(c->rx, c->len));
        if (err == QK_OK && c->len >= h.len + h.body_len) return QK_OK;
        QK_ENSURE(err == QK_OK || err == QK_E_BUSY, err);
        QK_ENSURE(c->len < sizeof c->rx, QK_E_TOO_LARGE);
        QK_TRY(bench_stream_read(&c->stream, c->rx + c->len, sizeof c->rx - c->len, &n));
        c->len += n;
    }
}

/* QK_E_BUSY: would block. */
static qk_err go_on(struct server *s, struct client *c)
{
    if (!c->writing) QK_TRY(read_request(c));
    c->writing = true;
    QK_TRY(bench_stream_write(&c->stream, s->reply.p, s->reply.len, &c->sent));
    c->writing = false;
    c->len = c->sent = 0; /* a client sends its next request when it has this answer */
    return QK_OK;
}

static void drop(struct server *s, struct client *c)
{
    for (struct client **at = &s->clients; *at; at = &(*at)->next) {
        if (*at != c) continue;
        *at = c->next;
        break;
    }
    bench_stream_close(&c->stream);
    free(c);
}

static void welcome(struct server *s, int fd)
{
    struct client *c = calloc(1, sizeof *c);
    if (!c) {
        close(fd);
        return;
    }
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
    if (bench_stream_accept(&c->stream, fd, s->ctx) != QK_OK) {
        free(c);
        return;
    }
    c->next = s->clients;
    s->clients = c;
    if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &ev) != 0) drop(s, c);
}

static void accept_all(struct server *s)
{
    int fd;
    while ((fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        welcome(s, fd);
}

/* ---- the loop ---- */

static qk_err loop(struct server *s, const volatile sig_atomic_t *stop)
{
    struct epoll_event ev[EVENTS], of_listener = {.events = EPOLLIN, .data.ptr = NULL};
    QK_ENSURE(epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->listener, &of_listener) == 0, QK_E_IO);
    while (!*stop) {
        int n = epoll_wait(s->epoll, ev, EVENTS, 500);
        QK_ENSURE(n >= 0 || errno == EINTR, QK_E_IO);
        for (int i = 0; i < n; i++) {
            struct client *c = ev[i].data.ptr;
            qk_err err = QK_OK;
            if (c)
                err = go_on(s, c);
            else
                accept_all(s);
            if (c && err != QK_OK && err != QK_E_BUSY) drop(s, c);
        }
    }
    return QK_OK;
}

/* The headers are those that the coordinator sends. */
static qk_err make_reply(struct qk_buf *out, size_t len)
{
    QK_ENSURE(len >= 2 && len <= REPLY_LEN_MAX, QK_E_STATE);
    qk_buf_printf(out,
        "HTTP/1.1 200 OK\r\nDate: Wed, 25 Nov 2026 12:00:00 GMT\r\n"
        "x-amzn-RequestId: 00000000-0000-4000-8000-000000000000\r\n"
        "Cache-Control: no-cache, no-store, must-revalidate, private\r\n"
        "Content-Type: application/x-amz-json-1.1\r\nContent-Length: %zu\r\n\r\n{",
        len);
    for (size_t i = 2; i < len; i++) qk_buf_add_u8(out, ' ');
    qk_buf_add_str(out, "}");
    return out->err;
}

qk_err bench_serve(int listener, SSL_CTX *ctx, size_t reply_len, const volatile sig_atomic_t *stop)
{
    QK_AUTO_BUF reply = QK_BUF(REPLY_LEN_MAX + 1024);
    QK_TRY(make_reply(&reply, reply_len));
    struct server s = {.listener = listener, .ctx = ctx, .reply = qk_buf_view(&reply)};
    s.epoll = epoll_create1(EPOLL_CLOEXEC);
    QK_ENSURE(s.epoll >= 0, QK_E_NOMEM);
    qk_err err = loop(&s, stop);
    while (s.clients) drop(&s, s.clients);
    close(s.epoll);
    return err;
}

qk_err bench_serve_listen(int *fd, uint16_t *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(*port)};
    socklen_t len = sizeof a;
    int on = 1;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    QK_ENSURE(s >= 0, QK_E_IO);
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(s, (struct sockaddr *)&a, len) != 0 || listen(s, 1024) != 0 ||
        getsockname(s, (struct sockaddr *)&a, &len) != 0) {
        close(s);
        return QK_E_IO;
    }
    *fd = s;
    *port = ntohs(a.sin_port);
    return QK_OK;
}
