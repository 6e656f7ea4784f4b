#include "ticker.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>
#include "qk/clock.h"

/* life: starting and stopping, one at a time. lock: everything else. */
static pthread_mutex_t life = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed; /* on the monotonic clock; made with the first thread */
static bool cond_made;
static pthread_t thread;
static struct wire_tick *ticks;

/* Ticks that are nearly due go along: one waking for all. */
static bool is_due(const struct wire_tick *t, uint64_t now)
{
    return now + t->period_ms / 8 >= t->due_ms;
}

static void wait_until(uint64_t ms)
{
    struct timespec end = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
    (void)pthread_cond_timedwait(&changed, &lock, &end);
}

static struct wire_tick *next_due(uint64_t now, uint64_t *sleep_until)
{
    *sleep_until = UINT64_MAX;
    for (struct wire_tick *t = ticks; t != NULL; t = t->next) {
        if (is_due(t, now)) return t;
        if (t->due_ms < *sleep_until) *sleep_until = t->due_ms;
    }
    return NULL;
}

static void *run(void *arg)
{
    (void)arg;
    (void)pthread_mutex_lock(&lock);
    while (ticks != NULL) {
        uint64_t now = qk_mono_ms(), sleep_until;
        struct wire_tick *t = next_due(now, &sleep_until);
        if (t == NULL) {
            wait_until(sleep_until);
            continue;
        }
        t->due_ms = now + t->period_ms;
        t->running = true;
        (void)pthread_mutex_unlock(&lock);
        t->fn(t->ctx, now);
        (void)pthread_mutex_lock(&lock);
        t->running = false;
        (void)pthread_cond_broadcast(&changed);
    }
    (void)pthread_mutex_unlock(&lock);
    return NULL;
}

static bool make_cond(void)
{
    pthread_condattr_t attr;
    if (cond_made) return true;
    if (pthread_condattr_init(&attr) != 0) return false;
    cond_made = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(&changed, &attr) == 0;
    (void)pthread_condattr_destroy(&attr);
    return cond_made;
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

qk_err wire_tick_start(
    struct wire_tick *tick, unsigned period_ms, void (*fn)(void *ctx, uint64_t now_ms), void *ctx)
{
    *tick = (struct wire_tick){
        .fn = fn, .ctx = ctx, .period_ms = period_ms, .due_ms = qk_mono_ms() + period_ms};
    (void)pthread_mutex_lock(&life);
    (void)pthread_mutex_lock(&lock);
    bool first = ticks == NULL;
    bool ok = make_cond();
    if (ok) {
        tick->next = ticks;
        ticks = tick;
        if (first) ok = make_thread();
        if (!ok) ticks = NULL;
        (void)pthread_cond_broadcast(&changed);
    }
    tick->started = ok;
    (void)pthread_mutex_unlock(&lock);
    (void)pthread_mutex_unlock(&life);
    return ok ? QK_OK : QK_E_NOMEM;
}

void wire_tick_stop(struct wire_tick *tick)
{
    if (!tick->started) return;
    (void)pthread_mutex_lock(&life);
    (void)pthread_mutex_lock(&lock);
    while (tick->running) (void)pthread_cond_wait(&changed, &lock);
    struct wire_tick **at = &ticks;
    while (*at != tick) at = &(*at)->next;
    *at = tick->next;
    tick->started = false;
    bool last = ticks == NULL;
    (void)pthread_cond_broadcast(&changed);
    (void)pthread_mutex_unlock(&lock);
    if (last) (void)pthread_join(thread, NULL);
    (void)pthread_mutex_unlock(&life);
}
