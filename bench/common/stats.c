#include "common/stats.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

static uint64_t read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t bench_cpu_ns(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t bench_mono_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

void bench_sleep_until(uint64_t mono_ns)
{
    struct timespec t = {
        .tv_sec = (time_t)(mono_ns / 1000000000u), .tv_nsec = (long)(mono_ns % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) {
    }
}

/* ---- samples ---- */

qk_err bench_samples_add(struct bench_samples *s, double v)
{
    if (s->n == s->cap) {
        size_t cap = s->cap ? 2 * s->cap : 64;
        double *more = realloc(s->v, cap * sizeof *more);
        QK_ENSURE(more != NULL, QK_E_NOMEM);
        s->v = more;
        s->cap = cap;
    }
    s->v[s->n++] = v;
    s->sorted = false;
    return QK_OK;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_samples_at(struct bench_samples *s, double q)
{
    if (s->n == 0) return 0;
    if (!s->sorted) qsort(s->v, s->n, sizeof *s->v, by_value);
    s->sorted = true;
    size_t rank = (size_t)ceil(q * (double)s->n);
    if (rank < 1) rank = 1;
    return s->v[(rank > s->n ? s->n : rank) - 1];
}

double bench_samples_median(struct bench_samples *s)
{
    return bench_samples_at(s, 0.5);
}

double bench_samples_min(struct bench_samples *s)
{
    return bench_samples_at(s, 0);
}

void bench_samples_free(struct bench_samples *s)
{
    free(s->v);
    *s = (struct bench_samples){0};
}

/* ---- histogram ---- */

static size_t cell_of(uint64_t us)
{
    const uint64_t sub = 1u << BENCH_HIST_SUB_BITS;
    if (us < sub) return (size_t)us;
    unsigned shift = 63u - (unsigned)__builtin_clzll(us) - BENCH_HIST_SUB_BITS;
    if (shift >= BENCH_HIST_OCTAVES) return BENCH_HIST_CELLS - 1;
    return (size_t)(((uint64_t)(shift + 1) << BENCH_HIST_SUB_BITS) + ((us >> shift) - sub));
}

uint64_t bench_hist_cell_top(size_t cell)
{
    const uint64_t sub = 1u << BENCH_HIST_SUB_BITS;
    if (cell < sub) return cell;
    unsigned shift = (unsigned)(cell >> BENCH_HIST_SUB_BITS) - 1;
    return ((sub + (cell & (sub - 1)) + 1) << shift) - 1;
}

void bench_hist_add(struct bench_hist *h, uint64_t us)
{
    h->cell[cell_of(us)]++;
    h->n++;
    h->sum_us += us;
    if (us > h->max_us) h->max_us = us;
}

void bench_hist_merge(struct bench_hist *into, const struct bench_hist *h)
{
    for (size_t i = 0; i < BENCH_HIST_CELLS; i++) into->cell[i] += h->cell[i];
    into->n += h->n;
    into->sum_us += h->sum_us;
    if (h->max_us > into->max_us) into->max_us = h->max_us;
}

uint64_t bench_hist_at(const struct bench_hist *h, double q)
{
    uint64_t rank = (uint64_t)ceil(q * (double)h->n), seen = 0;
    if (h->n == 0) return 0;
    if (rank < 1) rank = 1;
    for (size_t i = 0; i < BENCH_HIST_CELLS; i++) {
        seen += h->cell[i];
        if (seen < rank) continue;
        uint64_t top = bench_hist_cell_top(i);
        return top < h->max_us ? top : h->max_us;
    }
    return h->max_us;
}
