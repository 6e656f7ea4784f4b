#include "http/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "http/conn.h"
#include "qk/clock.h"
#include "qk/log.h"

#define N_EVENTS 128

qk_err coord_http_loop_watch(
    struct coord_http_loop *loop, int fd, struct coord_http_source *src, uint32_t events, bool mod)
{
    struct epoll_event ev = {.events = events, .data.ptr = src};
    int op = mod ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    return epoll_ctl(loop->epoll_fd, op, fd, &ev) == 0 ? QK_OK : QK_E_IO;
}

/* Only empties the counter; the mailbox is looked into once every turn. */
static void on_mail(struct coord_http_loop *loop, struct coord_http_source *src, uint32_t events)
{
    (void)src;
    (void)events;
    uint64_t n;
    if (read(loop->box->event_fd, &n, sizeof n) < 0) return;
}

static void deliver(struct coord_http_loop *loop)
{
    struct coord_http_job *req = coord_http_mailbox_take(loop->box);
    if (req != NULL && loop->http->cfg.on_replies != NULL)
        loop->http->cfg.on_replies(loop->http->ctx);
    while (req != NULL) {
        struct coord_http_job *next = req->next;
        atomic_fetch_sub(&loop->http->counters.bodies, req->msg.body.len);
        if (req->conn != NULL)
            coord_http_conn_reply(req->conn, req);
        else
            coord_http_job_free(req);
        req = next;
    }
}

static void expire(struct coord_http_loop *loop)
{
    uint64_t now = qk_mono_ms();
    for (struct coord_http_timer *t; (t = coord_http_timers_due(&loop->timers, now)) != NULL;) {
        if (t == &loop->pause)
            coord_http_accept_start(loop);
        else
            coord_http_conn_expired(
                (struct coord_http_conn *)((char *)t - offsetof(struct coord_http_conn, timer)));
    }
}

static void drain(struct coord_http_loop *loop)
{
    if (!loop->listening) return;
    coord_http_accept_stop(loop);
    for (struct coord_http_conn *c = loop->conns, *next; c != NULL; c = next) {
        next = c->next;
        coord_http_conn_drain(c);
    }
}

static void bury(struct coord_http_loop *loop)
{
    while (loop->dead != NULL) {
        struct coord_http_conn *c = loop->dead;
        loop->dead = c->next;
        free(c);
    }
}

static void turn(struct coord_http_loop *loop)
{
    struct epoll_event evs[N_EVENTS];
    int wait = coord_http_timers_wait(&loop->timers, qk_mono_ms());
    int n = epoll_wait(loop->epoll_fd, evs, N_EVENTS, wait);
    if (loop->http->cfg.on_turn != NULL) loop->http->cfg.on_turn(loop->http->ctx, true);
    for (int i = 0; i < n; i++) {
        struct coord_http_source *src = evs[i].data.ptr;
        src->on_event(loop, src, evs[i].events);
    }
    if (loop->http->cfg.on_turn != NULL) loop->http->cfg.on_turn(loop->http->ctx, false);
    deliver(loop);
    expire(loop);
    if (atomic_load(&loop->http->draining)) drain(loop);
    bury(loop);
}

static void *run(void *arg)
{
    struct coord_http_loop *loop = arg;
    (void)pthread_setname_np(pthread_self(), "http");
    while (!atomic_load(&loop->http->stopping)) turn(loop);
    return NULL;
}

static qk_err set_up(struct coord_http_loop *loop)
{
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    QK_ENSURE(loop->epoll_fd >= 0, QK_E_IO);
    loop->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    QK_ENSURE(loop->reserve_fd >= 0, QK_E_IO);
    QK_TRY(coord_http_timers_reserve(&loop->timers, 64));
    QK_TRY(coord_http_mailbox_new(&loop->box));
    loop->mail.on_event = on_mail;
    QK_TRY(coord_http_loop_watch(loop, loop->box->event_fd, &loop->mail, EPOLLIN, false));
    coord_http_accept_start(loop);
    return QK_OK;
}

qk_err coord_http_loop_new(struct coord_http_loop **out, struct coord_http *http)
{
    struct coord_http_loop *loop = calloc(1, sizeof *loop);
    QK_ENSURE(loop != NULL, QK_E_NOMEM);
    loop->http = http;
    loop->epoll_fd = loop->reserve_fd = -1;
    qk_err err = set_up(loop);
    if (err != QK_OK) {
        coord_http_loop_free(loop);
        return err;
    }
    *out = loop;
    return QK_OK;
}

/* Signals are for the program's own threads. Blocking SIGPIPE also covers OpenSSL's writes. */
qk_err coord_http_loop_start(struct coord_http_loop *loop)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    loop->started = pthread_create(&loop->thread, NULL, run, loop) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return loop->started ? QK_OK : QK_E_NOMEM;
}

void coord_http_loop_free(struct coord_http_loop *loop)
{
    if (loop->started) {
        coord_http_mailbox_wake(loop->box);
        (void)pthread_join(loop->thread, NULL);
    }
    coord_http_accept_stop(loop);
    while (loop->conns != NULL) coord_http_conn_close(loop->conns);
    bury(loop);
    if (loop->box != NULL) {
        coord_http_mailbox_close(loop->box);
        coord_http_mailbox_unref(loop->box);
    }
    coord_http_timers_free(&loop->timers);
    if (loop->reserve_fd >= 0) (void)close(loop->reserve_fd);
    if (loop->epoll_fd >= 0) (void)close(loop->epoll_fd);
    free(loop);
}
