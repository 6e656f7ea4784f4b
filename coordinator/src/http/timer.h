/** Deadlines of one loop: a binary heap of intrusive entries, single-threaded. */
#ifndef COORD_HTTP_TIMER_H
#define COORD_HTTP_TIMER_H

#include "qk/err.h"

struct http_timer {
    uint64_t at_ms; /* of qk_mono_ms */
    size_t slot;    /* index in the heap + 1; 0: not set */
};

struct http_timers {
    struct http_timer **heap;
    size_t len, cap;
};

/** Room for n entries, so that http_timer_set cannot fail. */
QK_MUST_USE qk_err http_timers_reserve(struct http_timers *ts, size_t n);
void http_timers_free(struct http_timers *ts);

/** Set t, or move it. */
void http_timer_set(struct http_timers *ts, struct http_timer *t, uint64_t at_ms);
void http_timer_clear(struct http_timers *ts, struct http_timer *t);
/** Take out the earliest entry that is due; NULL if none is. */
struct http_timer *http_timers_due(struct http_timers *ts, uint64_t now_ms);
/** Milliseconds until the earliest, for epoll_wait: -1 if there is none, 0 if it is due. */
int http_timers_wait(const struct http_timers *ts, uint64_t now_ms);

#endif
