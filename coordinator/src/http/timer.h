/** Deadlines of one loop: a binary heap of intrusive entries, single-threaded. */
#ifndef COORD_HTTP_TIMER_H
#define COORD_HTTP_TIMER_H

#include "qk/err.h"

struct coord_http_timer {
    uint64_t at_ms; /* of qk_mono_ms */
    size_t slot;    /* index in the heap + 1; 0: not set */
};

struct coord_http_timers {
    struct coord_http_timer **heap;
    size_t len, cap;
};

/** Room for n entries, so that coord_http_timer_set cannot fail. */
QK_MUST_USE qk_err coord_http_timers_reserve(struct coord_http_timers *ts, size_t n);
void coord_http_timers_free(struct coord_http_timers *ts);

/** Set t, or move it. */
void coord_http_timer_set(struct coord_http_timers *ts, struct coord_http_timer *t, uint64_t at_ms);
void coord_http_timer_clear(struct coord_http_timers *ts, struct coord_http_timer *t);
/** Take out the earliest entry that is due; NULL if none is. */
struct coord_http_timer *coord_http_timers_due(struct coord_http_timers *ts, uint64_t now_ms);
/** Milliseconds until the earliest, for epoll_wait: -1 if there is none, 0 if it is due. */
int coord_http_timers_wait(const struct coord_http_timers *ts, uint64_t now_ms);

#endif
