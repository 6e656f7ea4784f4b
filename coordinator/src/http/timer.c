#include "http/timer.h"

#include <limits.h>
#include <stdlib.h>

qk_err coord_http_timers_reserve(struct coord_http_timers *ts, size_t n)
{
    if (n <= ts->cap) return QK_OK;
    size_t cap = ts->cap < 64 ? 64 : ts->cap * 2;
    if (cap < n) cap = n;
    struct coord_http_timer **heap = reallocarray(ts->heap, cap, sizeof *heap);
    QK_ENSURE(heap != NULL, QK_E_NOMEM);
    ts->heap = heap;
    ts->cap = cap;
    return QK_OK;
}

void coord_http_timers_free(struct coord_http_timers *ts)
{
    free(ts->heap);
    *ts = (struct coord_http_timers){0};
}

static void put(struct coord_http_timers *ts, size_t i, struct coord_http_timer *t)
{
    ts->heap[i] = t;
    t->slot = i + 1;
}

static void rise(struct coord_http_timers *ts, size_t i)
{
    struct coord_http_timer *t = ts->heap[i];
    while (i > 0 && ts->heap[(i - 1) / 2]->at_ms > t->at_ms) {
        put(ts, i, ts->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    put(ts, i, t);
}

static void sink(struct coord_http_timers *ts, size_t i)
{
    struct coord_http_timer *t = ts->heap[i];
    for (size_t child; (child = 2 * i + 1) < ts->len; i = child) {
        if (child + 1 < ts->len && ts->heap[child + 1]->at_ms < ts->heap[child]->at_ms) child++;
        if (ts->heap[child]->at_ms >= t->at_ms) break;
        put(ts, i, ts->heap[child]);
    }
    put(ts, i, t);
}

void coord_http_timer_set(struct coord_http_timers *ts, struct coord_http_timer *t, uint64_t at_ms)
{
    t->at_ms = at_ms;
    if (t->slot == 0) put(ts, ts->len++, t);
    rise(ts, t->slot - 1);
    sink(ts, t->slot - 1);
}

void coord_http_timer_clear(struct coord_http_timers *ts, struct coord_http_timer *t)
{
    if (t->slot == 0) return;
    size_t i = t->slot - 1;
    t->slot = 0;
    struct coord_http_timer *last = ts->heap[--ts->len];
    if (last == t) return;
    put(ts, i, last);
    rise(ts, i);
    sink(ts, last->slot - 1);
}

struct coord_http_timer *coord_http_timers_due(struct coord_http_timers *ts, uint64_t now_ms)
{
    if (ts->len == 0 || ts->heap[0]->at_ms > now_ms) return NULL;
    struct coord_http_timer *t = ts->heap[0];
    coord_http_timer_clear(ts, t);
    return t;
}

int coord_http_timers_wait(const struct coord_http_timers *ts, uint64_t now_ms)
{
    if (ts->len == 0) return -1;
    uint64_t at = ts->heap[0]->at_ms;
    if (at <= now_ms) return 0;
    return at - now_ms > INT_MAX ? INT_MAX : (int)(at - now_ms);
}
