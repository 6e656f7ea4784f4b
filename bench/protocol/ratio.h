/** What the rows mean side by side: every ratio is of two medians of the same run. */
#ifndef BENCH_RATIO_H
#define BENCH_RATIO_H

#include "protocol/table.h"

enum { BENCH_RATIOS_MAX = 64 };

struct bench_ratio {
    char what[64];
    double value;
    const char *unit;   /* "x", "ms", "KB" */
    double target;      /* at most this; 0: no target stated */
    const char *source; /* where the target stands */
};

/** Fill out (BENCH_RATIOS_MAX) from the rows that were measured; returns how many. */
size_t bench_ratios(struct bench_table *t, struct bench_ratio *out);

#endif
