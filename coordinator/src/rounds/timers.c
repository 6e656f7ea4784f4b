#include "rounds/timers.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include "qk/clock.h"

enum {
    STEP_US = 10000,    /* while there is traffic the thread wakes at least so often */
    LINGER_US = 500000, /* how long it goes on doing so */
};

struct coord_timers {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    struct coord_timer list; /* ring, in no order */
    uint64_t planned_us;     /* when the thread wakes next; UINT64_MAX: when it is told */
    uint64_t used_us;        /* last armed */
    bool stop;
};

static void unlink_timer(struct coord_timer *t)
{
    t->prev->next = t->next;
    t->next->prev = t->prev;
    t->armed = false;
}

/* Fire everything that is due; returns the earliest of the rest. The lock is held on entry and on
 * return, not while a timer fires. */
static uint64_t fire_due(struct coord_timers *t, uint64_t now_us)
{
    uint64_t earliest = UINT64_MAX;
    for (struct coord_timer *i = t->list.next; i != &t->list;) {
        if (i->at_us > now_us && !t->stop) {
            if (i->at_us < earliest) earliest = i->at_us;
            i = i->next;
            continue;
        }
        void (*fire)(void *arg) = i->fire;
        void *arg = i->arg;
        unlink_timer(i); /* from here on it is its owner's again */
        (void)pthread_mutex_unlock(&t->mutex);
        fire(arg);
        (void)pthread_mutex_lock(&t->mutex);
        earliest = UINT64_MAX;
        i = t->list.next; /* others came and went meanwhile */
    }
    return earliest;
}

static uint64_t plan(const struct coord_timers *t, uint64_t earliest, uint64_t now_us)
{
    bool busy = now_us < t->used_us + LINGER_US;
    uint64_t step = busy ? now_us + STEP_US : UINT64_MAX;
    return earliest < step ? earliest : step;
}

static void *run(void *arg)
{
    struct coord_timers *t = arg;
    (void)pthread_mutex_lock(&t->mutex);
    while (!t->stop) {
        uint64_t earliest = fire_due(t, qk_mono_us());
        t->planned_us = plan(t, earliest, qk_mono_us());
        if (t->stop) break;
        if (t->planned_us == UINT64_MAX) {
            (void)pthread_cond_wait(&t->wake, &t->mutex);
            continue;
        }
        struct timespec at = {.tv_sec = (time_t)(t->planned_us / 1000000),
            .tv_nsec = (long)(t->planned_us % 1000000) * 1000};
        (void)pthread_cond_timedwait(&t->wake, &t->mutex, &at);
    }
    (void)fire_due(t, UINT64_MAX);
    (void)pthread_mutex_unlock(&t->mutex);
    return NULL;
}

qk_err coord_timers_new(struct coord_timers **out)
{
    struct coord_timers *t = calloc(1, sizeof *t);
    QK_ENSURE(t != NULL, QK_E_NOMEM);
    t->list.prev = t->list.next = &t->list;
    t->planned_us = UINT64_MAX;
    (void)pthread_mutex_init(&t->mutex, NULL);
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&t->wake, &attr);
    (void)pthread_condattr_destroy(&attr);
    if (pthread_create(&t->thread, NULL, run, t) != 0) {
        free(t);
        return QK_E_NOMEM;
    }
    *out = t;
    return QK_OK;
}

void coord_timers_stop(struct coord_timers *t)
{
    if (t == NULL) return;
    (void)pthread_mutex_lock(&t->mutex);
    bool stopped = t->stop;
    t->stop = true;
    (void)pthread_cond_signal(&t->wake);
    (void)pthread_mutex_unlock(&t->mutex);
    if (!stopped) (void)pthread_join(t->thread, NULL);
}

void coord_timers_free(struct coord_timers *t)
{
    if (t == NULL) return;
    coord_timers_stop(t);
    (void)pthread_cond_destroy(&t->wake);
    (void)pthread_mutex_destroy(&t->mutex);
    free(t);
}

bool coord_timer_arm(struct coord_timers *t, struct coord_timer *timer, uint64_t at_us,
    void (*fire)(void *arg), void *arg)
{
    (void)pthread_mutex_lock(&t->mutex);
    bool stopped = t->stop;
    if (!stopped) {
        *timer = (struct coord_timer){.prev = t->list.prev,
            .next = &t->list,
            .at_us = at_us,
            .fire = fire,
            .arg = arg,
            .armed = true};
        timer->prev->next = timer;
        t->list.prev = timer;
        t->used_us = qk_mono_us();
        if (at_us < t->planned_us) (void)pthread_cond_signal(&t->wake);
    }
    (void)pthread_mutex_unlock(&t->mutex);
    return !stopped;
}

bool coord_timer_cancel(struct coord_timers *t, struct coord_timer *timer)
{
    (void)pthread_mutex_lock(&t->mutex);
    bool armed = timer->armed;
    if (armed) unlink_timer(timer);
    (void)pthread_mutex_unlock(&t->mutex);
    return armed;
}
