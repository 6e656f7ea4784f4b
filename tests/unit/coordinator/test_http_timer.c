#include "qktest/qktest.h"

#include "http/timer.h"

#define N 64

static uint64_t next(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    return *s ^= *s << 17;
}

QK_TEST(http_timer, gives_what_is_due_in_order_whatever_was_set_moved_and_cleared)
{
    uint64_t seed = 7;
    struct coord_http_timers ts = {0};
    struct coord_http_timer t[N] = {{0}};
    qk_assert_ok(coord_http_timers_reserve(&ts, N));
    for (int i = 0; i < 20000; i++) {
        struct coord_http_timer *one = &t[next(&seed) % N];
        if (next(&seed) % 3 == 0)
            coord_http_timer_clear(&ts, one);
        else
            coord_http_timer_set(&ts, one, next(&seed) % 1000);
        size_t set = 0;
        uint64_t first = UINT64_MAX;
        for (size_t k = 0; k < N; k++) {
            if (t[k].slot == 0) continue;
            set++;
            if (t[k].at_ms < first) first = t[k].at_ms;
        }
        cr_assert_eq(ts.len, set);
        cr_assert_eq(coord_http_timers_wait(&ts, 0), set == 0 ? -1 : (int)first);
    }
    uint64_t last = 0;
    for (struct coord_http_timer *due; (due = coord_http_timers_due(&ts, 1000)) != NULL;) {
        cr_assert(due->at_ms >= last && due->slot == 0);
        last = due->at_ms;
    }
    cr_assert_eq(ts.len, 0);
    coord_http_timers_free(&ts);
}

QK_TEST(http_timer, gives_nothing_before_its_time)
{
    struct coord_http_timers ts = {0};
    struct coord_http_timer a = {0};
    qk_assert_ok(coord_http_timers_reserve(&ts, 1));
    coord_http_timer_set(&ts, &a, 100);
    cr_assert_null(coord_http_timers_due(&ts, 99));
    cr_assert_eq(coord_http_timers_wait(&ts, 40), 60);
    cr_assert_eq(coord_http_timers_wait(&ts, 101), 0);
    cr_assert_eq(coord_http_timers_due(&ts, 100), &a);
    coord_http_timers_free(&ts);
}
