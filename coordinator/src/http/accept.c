#include "http/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "http/conn.h"
#include "qk/clock.h"
#include "qk/log.h"

#define BATCH    64  /* connections accepted before others get their turn */
#define PAUSE_MS 100 /* without descriptors, before accepting again */

/* Why a fresh connection may not stay, or COORD_HTTP_N_REFUSALS. Enters it in the counts. */
static enum coord_http_refusal enter(
    struct coord_http *http, const struct sockaddr_storage *from, struct coord_http_peer **peer)
{
    *peer = NULL;
    unsigned long long open = atomic_fetch_add(&http->counters.open, 1);
    enum coord_http_refusal why = COORD_HTTP_N_REFUSALS;
    if (open >= http->cfg.max_connections) why = COORD_HTTP_R_CONNECTIONS;
    if (why == COORD_HTTP_N_REFUSALS && http->peers != NULL) {
        *peer = coord_http_peers_enter(http->peers, from);
        if (*peer == NULL) why = COORD_HTTP_R_PEER;
    }
    if (why != COORD_HTTP_N_REFUSALS) coord_http_connection_gone(http);
    return why;
}

static void adopt(struct coord_http_loop *loop, const struct coord_http_listener *l, int fd,
    struct sockaddr_storage *from)
{
    struct coord_http *http = loop->http;
    struct coord_http_peer *peer;
    enum coord_http_refusal why = enter(http, from, &peer);
    if (why != COORD_HTTP_N_REFUSALS) {
        coord_http_refused(http, why);
        (void)close(fd);
        return;
    }
    if (coord_http_conn_open(loop, fd, l->tls, from, peer) == QK_OK) {
        coord_http_count(&http->counters.connections, 1);
        return;
    }
    coord_http_refused(http, COORD_HTTP_R_MEMORY);
    coord_http_peers_leave(http->peers, peer);
    coord_http_connection_gone(http);
    (void)close(fd);
}

static void watch_all(struct coord_http_loop *loop)
{
    for (size_t i = 0; i < loop->http->n_listeners; i++) {
        struct coord_http_acceptor *a = &loop->acceptors[i];
        if (coord_http_loop_watch(
                loop, a->listener->fd, &a->src, EPOLLIN | EPOLLEXCLUSIVE, false) != QK_OK)
            qk_log(QK_ERROR, "http.listen_lost", QK_F_INT("port", a->listener->port));
    }
}

static void unwatch_all(struct coord_http_loop *loop)
{
    for (size_t i = 0; i < loop->http->n_listeners; i++)
        (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, loop->acceptors[i].listener->fd, NULL);
}

/* Out of descriptors: a level-triggered listener would spin. Turn one client away with the
 * reserve, then let the others wait in the backlog for a moment. */
static void out_of_descriptors(struct coord_http_loop *loop, int listen_fd)
{
    coord_http_refused(loop->http, COORD_HTTP_R_DESCRIPTORS);
    if (loop->reserve_fd >= 0) {
        (void)close(loop->reserve_fd);
        int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) (void)close(fd);
    }
    loop->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    unwatch_all(loop);
    coord_http_timer_set(&loop->timers, &loop->pause, qk_mono_ms() + PAUSE_MS);
    qk_log(QK_WARN, "http.no_descriptors");
}

static bool is_exhausted(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void on_acceptable(
    struct coord_http_loop *loop, struct coord_http_source *src, uint32_t events)
{
    (void)events;
    const struct coord_http_listener *l = ((struct coord_http_acceptor *)src)->listener;
    for (int i = 0; i < BATCH && loop->listening; i++) {
        struct sockaddr_storage from = {0};
        socklen_t len = sizeof from;
        int fd = accept4(l->fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            adopt(loop, l, fd, &from);
        } else if (is_exhausted(errno)) {
            out_of_descriptors(loop, l->fd);
            return;
        } else if (errno == EAGAIN) {
            return;
        } /* else: that client is gone already; the next one */
    }
}

void coord_http_accept_start(struct coord_http_loop *loop)
{
    if (!loop->listening)
        for (size_t i = 0; i < loop->http->n_listeners; i++) {
            struct coord_http_listener *l = &loop->http->listeners[i];
            loop->acceptors[i] = (struct coord_http_acceptor){{on_acceptable}, l};
            atomic_fetch_add(&l->users, 1);
        }
    loop->listening = true;
    watch_all(loop);
}

void coord_http_accept_stop(struct coord_http_loop *loop)
{
    if (!loop->listening) return;
    loop->listening = false;
    coord_http_timer_clear(&loop->timers, &loop->pause);
    unwatch_all(loop);
    for (size_t i = 0; i < loop->http->n_listeners; i++) {
        struct coord_http_listener *l = loop->acceptors[i].listener;
        if (atomic_fetch_sub(&l->users, 1) == 1) {
            (void)close(l->fd);
            l->fd = -1;
        }
    }
}
