/** The insides of the registry, shared by metrics.c and text.c. */
#ifndef COORD_METRICS_REGISTRY_H
#define COORD_METRICS_REGISTRY_H

#include <pthread.h>
#include <stdatomic.h>
#include "metrics/metrics.h"

#define METRICS_BUCKETS 16 /* besides +Inf */

/** Upper bounds of the buckets, and the same as text in seconds. */
extern const uint64_t coord_metrics_bound_us[METRICS_BUCKETS];
extern const char *const coord_metrics_bound_text[METRICS_BUCKETS];

struct coord_histogram {
    atomic_ullong bucket[METRICS_BUCKETS + 1]; /* not cumulative; the last is +Inf */
    atomic_ullong sum_us;
};

struct coord_series {
    struct coord_series *next_in_bucket, *next; /* by age */
    char *values[COORD_LABELS_MAX];
    atomic_llong value;
    struct coord_histogram *histogram; /* NULL unless the family is one */
};

#define METRICS_HASH 64

struct coord_family {
    struct coord_family_def def;
    size_t n_labels, n_series;
    pthread_mutex_t lock; /* guards the lists, not the values */
    struct coord_series *hash[METRICS_HASH];
    struct coord_series *first, **last;
    struct coord_series *other;
    struct coord_family *next;
};

struct coord_metrics {
    pthread_mutex_t lock; /* guards families and hooks */
    struct coord_family *first, **last;
    struct {
        void (*fn)(void *ctx);
        void *ctx;
    } hooks[16];
    size_t n_hooks;
};

#endif
