#include "qk/clock.h"

#include <stdio.h>
#include <time.h>

static uint64_t now_us(clockid_t id)
{
    struct timespec ts = {0};
    (void)clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

uint64_t qk_now_ms(void)
{
    return now_us(CLOCK_REALTIME) / 1000u;
}

uint64_t qk_mono_ms(void)
{
    return now_us(CLOCK_MONOTONIC) / 1000u;
}

uint64_t qk_mono_us(void)
{
    return now_us(CLOCK_MONOTONIC);
}

static void split(uint64_t ms, struct tm *tm)
{
    /* years 1970..9999, so that the texts below never outgrow their buffers */
    const uint64_t last = 253402300799u;
    time_t s = (time_t)(ms / 1000u > last ? last : ms / 1000u);
    (void)gmtime_r(&s, tm);
}

/* value in exactly n decimal digits (what does not fit is cut); returns what comes after them. */
static char *digits(char *at, unsigned value, unsigned n)
{
    for (unsigned i = n; i > 0; i--, value /= 10) at[i - 1] = (char)('0' + value % 10);
    return at + n;
}

static char *mark(char *at, char c)
{
    *at = c;
    return at + 1;
}

void qk_time_iso(uint64_t ms, char out[static 25])
{
    struct tm tm = {0};
    split(ms, &tm);
    char *at = digits(out, (unsigned)tm.tm_year + 1900, 4);
    at = digits(mark(at, '-'), (unsigned)tm.tm_mon + 1, 2);
    at = digits(mark(at, '-'), (unsigned)tm.tm_mday, 2);
    at = digits(mark(at, 'T'), (unsigned)tm.tm_hour, 2);
    at = digits(mark(at, ':'), (unsigned)tm.tm_min, 2);
    at = digits(mark(at, ':'), (unsigned)tm.tm_sec, 2);
    at = digits(mark(at, '.'), (unsigned)(ms % 1000u), 3);
    *mark(at, 'Z') = 0;
}

void qk_time_basic(uint64_t ms, char out[static 17])
{
    struct tm tm = {0};
    split(ms, &tm);
    char *at = digits(out, (unsigned)tm.tm_year + 1900, 4);
    at = digits(at, (unsigned)tm.tm_mon + 1, 2);
    at = digits(at, (unsigned)tm.tm_mday, 2);
    at = digits(mark(at, 'T'), (unsigned)tm.tm_hour, 2);
    at = digits(at, (unsigned)tm.tm_min, 2);
    at = digits(at, (unsigned)tm.tm_sec, 2);
    *mark(at, 'Z') = 0;
}
