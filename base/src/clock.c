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

void qk_time_iso(uint64_t ms, char out[static 25])
{
    struct tm tm = {0};
    split(ms, &tm);
    char text[80];
    (void)snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
        tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(ms % 1000u));
    (void)snprintf(out, 25, "%.24s", text);
}

void qk_time_basic(uint64_t ms, char out[static 17])
{
    struct tm tm = {0};
    split(ms, &tm);
    char text[80];
    (void)snprintf(text, sizeof text, "%04d%02d%02dT%02d%02d%02dZ", tm.tm_year + 1900,
        tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    (void)snprintf(out, 17, "%.16s", text);
}
