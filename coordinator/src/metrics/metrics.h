/** Counters, gauges and latency histograms in Prometheus' text format.
 *
 *  Source: Prometheus exposition formats, text format 0.0.4.
 *
 *      static const struct coord_family_def def = { .name = "qkms_requests_total",
 *          .help = "Requests by operation and result.", .kind = COORD_COUNTER,
 *          .labels = { "operation", "result" }, .max_series = 400 };
 *      QK_TRY(coord_metrics_add(metrics, &def, &requests));
 *      coord_metric_add(coord_metric(requests, "Sign", "ok"), 1);
 *
 *  A family has a fixed set of label names and at most max_series combinations
 *  of values. Any further combination is counted in one series whose values
 *  are all "other": what a client sends cannot make the registry grow.
 *  Updates are atomic and lock-free; finding a series takes a short lock, so
 *  a hot path keeps the pointer. Nothing is ever removed.
 */
#ifndef COORD_METRICS_H
#define COORD_METRICS_H

#include "qk/bytes.h"

struct coord_metrics; /* a registry */
struct coord_family;  /* one metric name */
struct coord_series;  /* one combination of label values */

enum coord_metric_kind { COORD_COUNTER, COORD_GAUGE, COORD_HISTOGRAM };

#define COORD_LABELS_MAX      3
#define COORD_LABEL_VALUE_MAX 128 /* bytes kept of a value */

struct coord_family_def {
    const char *name; /* [a-z_][a-z0-9_]*; by custom, counters end in _total, times in _seconds */
    const char *help; /* one line */
    enum coord_metric_kind kind;
    const char *labels[COORD_LABELS_MAX]; /* names, the used ones first; NULL = none; not "le" */
    size_t max_series;                    /* 1..10000, besides "other" */
};

QK_MUST_USE qk_err coord_metrics_new(struct coord_metrics **out);
/** Frees every family and series with it. NULL is allowed. */
void coord_metrics_free(struct coord_metrics *metrics);

/** Add a family; its series without labels exists at once. Strings of def are borrowed for good.
 *
 *  Returns    QK_OK
 *             QK_E_STATE     a name is no metric name, or a number is out of range
 *             QK_E_CONFLICT  the name exists
 *             QK_E_NOMEM
 */
QK_MUST_USE qk_err coord_metrics_add(
    struct coord_metrics *metrics, const struct coord_family_def *def, struct coord_family **out);

/** The series with these values, made if new; as many values as the family has labels (values are
 *  copied and cut at COORD_LABEL_VALUE_MAX). Never NULL. Any thread. */
struct coord_series *coord_metric_values(struct coord_family *family, const char *const *values);

/** The same with the values as arguments: coord_metric(f), coord_metric(f, "Sign", "ok"). */
#define coord_metric(family, ...)                                                                  \
    coord_metric_values((family), (const char *const[COORD_LABELS_MAX + 1]){__VA_ARGS__})

/** Count n more, or (gauges) less. */
void coord_metric_add(struct coord_series *series, int64_t n);
/** Set a gauge; or a counter that mirrors a total kept elsewhere. */
void coord_metric_set(struct coord_series *series, int64_t value);
/** One observation of a histogram, microseconds. */
void coord_metric_observe_us(struct coord_series *series, uint64_t us);

/** Call fn(ctx) before each coord_metrics_write, to set what is only known on asking.
 *  fn must not add families. At most 16; QK_E_STATE beyond. */
QK_MUST_USE qk_err coord_metrics_on_write(
    struct coord_metrics *metrics, void (*fn)(void *ctx), void *ctx);

#define COORD_METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/** Append the whole exposition to out (errors collect in out->err). Histograms appear in seconds.
 *  Numbers are each right, not of one instant. Any thread. */
void coord_metrics_write(struct coord_metrics *metrics, struct qk_buf *out);

#endif
