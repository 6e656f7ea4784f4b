/** What the measurements are made of: clocks, samples, a latency histogram. */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

#include "qk/err.h"

/** CPU time of the calling thread, nanoseconds. A pair of calls costs below 1 us. */
uint64_t bench_cpu_ns(void);
/** CLOCK_MONOTONIC, nanoseconds. */
uint64_t bench_mono_ns(void);
/** Sleep until that moment of bench_mono_ns; at once if it is past. */
void bench_sleep_until(uint64_t mono_ns);

/* ---- samples: every value kept, for exact medians of some thousands ---- */

struct bench_samples {
    double *v;
    size_t n, cap;
    bool sorted;
};

/** QK_E_NOMEM; the samples so far stay. */
QK_MUST_USE qk_err bench_samples_add(struct bench_samples *s, double v);
/** The value at quantile q in 0..1 (nearest rank); 0 without samples. Sorts on first use. */
double bench_samples_at(struct bench_samples *s, double q);
double bench_samples_median(struct bench_samples *s);
double bench_samples_min(struct bench_samples *s);
void bench_samples_free(struct bench_samples *s);

/* ---- histogram: fixed memory, relative error below 1 %, for millions ---- */

enum {
    BENCH_HIST_SUB_BITS = 7, /* 128 linear steps in every octave */
    BENCH_HIST_OCTAVES = 30, /* up to 2^37 us: 38 hours */
    BENCH_HIST_CELLS = (BENCH_HIST_OCTAVES + 1) << BENCH_HIST_SUB_BITS,
};

/** Log-linear counts of microseconds. Zeroed is empty. */
struct bench_hist {
    uint64_t cell[BENCH_HIST_CELLS];
    uint64_t n, sum_us, max_us;
};

void bench_hist_add(struct bench_hist *h, uint64_t us);
void bench_hist_merge(struct bench_hist *into, const struct bench_hist *h);
/** The upper end of the cell that holds quantile q, at most the exact maximum; 0 when empty. */
uint64_t bench_hist_at(const struct bench_hist *h, double q);
/** The largest value, in microseconds, that falls into a cell. */
uint64_t bench_hist_cell_top(size_t cell);

#endif
