/** Deadlines of operations that hold no thread: one thread wakes when the earliest is due.
 *
 *  Made for many timers that nearly always are cancelled before they fire: arming and cancelling
 * take a short lock and wake nobody while the thread is going to wake early enough by itself.
 *
 *      coord_timer_arm(timers, &x->timer, qk_mono_us() + 20000, fire, x);
 *      if (coord_timer_cancel(timers, &x->timer)) ... fire will not run ...
 *
 *  Threads    any
 */
#ifndef COORD_TIMERS_H
#define COORD_TIMERS_H

#include "qk/err.h"

/** Part of what it times; its owner keeps that alive until the timer has fired or been cancelled.
 */
struct coord_timer {
    struct coord_timer *prev, *next;
    uint64_t at_us; /* qk_mono_us */
    void (*fire)(void *arg);
    void *arg;
    bool armed;
};

struct coord_timers;
QK_MUST_USE qk_err coord_timers_new(struct coord_timers **out);
/** Fires what is armed at once, in any order, and joins the thread. Nothing can be armed any more:
 *  coord_timer_arm then refuses. NULL is allowed. */
void coord_timers_stop(struct coord_timers *t);
void coord_timers_free(struct coord_timers *t); /* the same, and free */

/** fire(arg) once, on the timers' thread, at at_us or soon after: it must not block. A timer is
 * armed once at a time. False: the timers were stopped, fire will not run. */
QK_MUST_USE bool coord_timer_arm(struct coord_timers *t, struct coord_timer *timer, uint64_t at_us,
    void (*fire)(void *arg), void *arg);
/** True: fire will not run. False: it has run, runs now, or was never armed. */
bool coord_timer_cancel(struct coord_timers *t, struct coord_timer *timer);

#endif
