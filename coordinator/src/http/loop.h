/** One thread, one epoll set, its connections. Private to http/. */
#ifndef COORD_HTTP_LOOP_H
#define COORD_HTTP_LOOP_H

#include "http/request.h"
#include "http/server.h"
#include "http/timer.h"

/** What an epoll event points to. */
struct coord_http_source {
    void (*on_event)(struct coord_http_loop *loop, struct coord_http_source *src, uint32_t events);
};

struct coord_http_acceptor {
    struct coord_http_source src;
    struct coord_http_listener *listener;
};

struct coord_http_loop {
    struct coord_http *http;
    pthread_t thread;
    bool started;
    bool listening; /* acceptors are in the epoll set, or paused */
    int epoll_fd;
    int reserve_fd; /* given up to turn a client away when descriptors run out; -1: none */
    struct coord_http_mailbox *box;
    struct coord_http_source mail;
    struct coord_http_acceptor acceptors[COORD_HTTP_LISTEN_MAX];
    struct coord_http_timer pause; /* accepting again after descriptors ran out */
    struct coord_http_timers timers;
    struct coord_http_conn *conns; /* all open ones */
    struct coord_http_conn
        *dead; /* closed in this turn: freed at its end, events may still name them */
    size_t n_conns;
    uint8_t scratch[16384]; /* one TLS record */
};

QK_MUST_USE qk_err coord_http_loop_new(struct coord_http_loop **out, struct coord_http *http);
QK_MUST_USE qk_err coord_http_loop_start(struct coord_http_loop *loop);
/** After coord_http.stopping is set: join, cut all connections, free. */
void coord_http_loop_free(struct coord_http_loop *loop);

/** Add fd to the epoll set, or (mod) change its events. */
QK_MUST_USE qk_err coord_http_loop_watch(
    struct coord_http_loop *loop, int fd, struct coord_http_source *src, uint32_t events, bool mod);

/** Begin or resume to accept. */
void coord_http_accept_start(struct coord_http_loop *loop);
/** Stop for good; the last loop to stop closes the listening sockets. */
void coord_http_accept_stop(struct coord_http_loop *loop);

/** Bind and listen; fills l. Errors: see coord_http_start. */
QK_MUST_USE qk_err coord_http_listen(
    struct coord_http_listener *l, const struct coord_http_listen *at);

#endif
