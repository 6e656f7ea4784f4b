#include "loop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include "qk/clock.h"

enum { EVENTS = 64, SLEEP_MAX_MS = 60000 };

/* Something another thread waits for; on its stack. */
struct errand {
    struct errand *next;
    void (*fn)(void *ctx);
    void *ctx;
    bool done;
};

/* life: starting and stopping, one at a time. lock: everything below it. */
static pthread_mutex_t life = PTHREAD_MUTEX_INITIALIZER;
static unsigned holders;
static int epoll_fd = -1, event_fd = -1; /* while there are holders */
static pthread_t thread;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t errand_done = PTHREAD_COND_INITIALIZER;
static struct errand *errands;
static struct wire_alarm *alarms;
static uint64_t sleeps_until; /* 0: awake; it will look at alarms and errands before it sleeps */
static bool stopping;

static _Thread_local bool on_loop;

static void wake(void)
{
    uint64_t one = 1;
    ssize_t n;
    do n = write(event_fd, &one, sizeof one);
    while (n < 0 && errno == EINTR);
}

/* ---- what waits ---- */

/* With the lock held: the time to sleep, 0 when something is to be done first. */
static int plan_sleep(void)
{
    uint64_t now = qk_mono_ms(), due = now + SLEEP_MAX_MS;
    if (errands != NULL || stopping) return 0;
    for (const struct wire_alarm *a = alarms; a != NULL; a = a->next)
        if (a->due_ms < due) due = a->due_ms;
    if (due <= now) return 0;
    sleeps_until = due;
    return (int)(due - now);
}

static void run_errands(void)
{
    (void)pthread_mutex_lock(&lock);
    while (errands != NULL) {
        struct errand *e = errands;
        errands = e->next;
        (void)pthread_mutex_unlock(&lock);
        e->fn(e->ctx);
        (void)pthread_mutex_lock(&lock);
        e->done = true;
        (void)pthread_cond_broadcast(&errand_done);
    }
    (void)pthread_mutex_unlock(&lock);
}

/* With the lock held. */
static struct wire_alarm *take_due(uint64_t now)
{
    for (struct wire_alarm *a = alarms; a != NULL; a = a->next)
        if (a->due_ms <= now) {
            a->due_ms = WIRE_NEVER;
            return a;
        }
    return NULL;
}

static void ring_alarms(void)
{
    uint64_t now = qk_mono_ms();
    (void)pthread_mutex_lock(&lock);
    for (struct wire_alarm *a; (a = take_due(now)) != NULL;) {
        (void)pthread_mutex_unlock(&lock);
        a->fn(a->ctx, now);
        (void)pthread_mutex_lock(&lock);
    }
    (void)pthread_mutex_unlock(&lock);
}

/* ---- the thread ---- */

static void turn(int sleep_ms)
{
    struct epoll_event evs[EVENTS];
    int n = epoll_wait(epoll_fd, evs, EVENTS, sleep_ms);
    (void)pthread_mutex_lock(&lock);
    sleeps_until = 0;
    (void)pthread_mutex_unlock(&lock);
    for (int i = 0; i < n; i++) {
        struct wire_source *source = evs[i].data.ptr;
        source->on_event(source, evs[i].events);
    }
    run_errands();
    ring_alarms();
}

static void *run(void *arg)
{
    (void)arg;
    on_loop = true;
    (void)pthread_setname_np(pthread_self(), "calls");
    for (;;) {
        (void)pthread_mutex_lock(&lock);
        int sleep_ms = plan_sleep();
        bool stop = stopping && errands == NULL;
        (void)pthread_mutex_unlock(&lock);
        if (stop) return NULL;
        turn(sleep_ms);
    }
}

/* Only empties the counter. */
static void on_woken(struct wire_source *source, uint32_t events)
{
    (void)source;
    (void)events;
    uint64_t n;
    if (read(event_fd, &n, sizeof n) < 0) return;
}

static struct wire_source woken = {.on_event = on_woken};

static void close_fds(void)
{
    if (event_fd >= 0) (void)close(event_fd);
    if (epoll_fd >= 0) (void)close(epoll_fd);
    epoll_fd = event_fd = -1;
}

/* The daemons' signals are for their main threads. */
static bool make_thread(void)
{
    sigset_t all, old;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    bool ok = pthread_create(&thread, NULL, run, NULL) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return ok;
}

static qk_err start(void)
{
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    QK_ENSURE(epoll_fd >= 0 && event_fd >= 0, QK_E_IO);
    QK_TRY(wire_loop_watch(event_fd, &woken, EPOLLIN));
    stopping = false;
    return make_thread() ? QK_OK : QK_E_NOMEM;
}

qk_err wire_loop_hold(void)
{
    (void)pthread_mutex_lock(&life);
    qk_err err = holders == 0 ? start() : QK_OK;
    if (err == QK_OK)
        holders++;
    else
        close_fds();
    (void)pthread_mutex_unlock(&life);
    return err;
}

void wire_loop_release(void)
{
    (void)pthread_mutex_lock(&life);
    if (--holders == 0) {
        (void)pthread_mutex_lock(&lock);
        stopping = true;
        (void)pthread_mutex_unlock(&lock);
        wake();
        (void)pthread_join(thread, NULL);
        close_fds();
    }
    (void)pthread_mutex_unlock(&life);
}

/* ---- for everybody ---- */

void wire_loop_run(void (*fn)(void *ctx), void *ctx)
{
    if (on_loop) {
        fn(ctx);
        return;
    }
    struct errand e = {.fn = fn, .ctx = ctx};
    (void)pthread_mutex_lock(&lock);
    struct errand **at = &errands;
    while (*at != NULL) at = &(*at)->next;
    *at = &e;
    if (sleeps_until != 0) wake();
    while (!e.done) (void)pthread_cond_wait(&errand_done, &lock);
    (void)pthread_mutex_unlock(&lock);
}

qk_err wire_loop_watch(int fd, struct wire_source *source, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.ptr = source};
    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) == 0 ? QK_OK : QK_E_IO;
}

void wire_loop_rewatch(int fd, struct wire_source *source, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.ptr = source};
    (void)epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &ev); /* fails only for what is not watched */
}

void wire_loop_unwatch(int fd)
{
    (void)epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

void wire_alarm_add(struct wire_alarm *alarm)
{
    (void)pthread_mutex_lock(&lock);
    alarm->next = alarms;
    alarms = alarm;
    if (sleeps_until > alarm->due_ms) wake();
    (void)pthread_mutex_unlock(&lock);
}

void wire_alarm_remove(struct wire_alarm *alarm)
{
    (void)pthread_mutex_lock(&lock);
    for (struct wire_alarm **at = &alarms; *at != NULL; at = &(*at)->next)
        if (*at == alarm) {
            *at = alarm->next;
            break;
        }
    (void)pthread_mutex_unlock(&lock);
}

void wire_alarm_set(struct wire_alarm *alarm, uint64_t due_ms)
{
    (void)pthread_mutex_lock(&lock);
    if (due_ms < alarm->due_ms) alarm->due_ms = due_ms;
    if (sleeps_until > due_ms) wake();
    (void)pthread_mutex_unlock(&lock);
}
