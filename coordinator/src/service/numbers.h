/** The coordinator's own numbers in the metrics registry (metrics/metrics.h): requests by operation
 *  and outcome, faults by name, latencies, and what rounds and nodes count themselves.
 *
 *  Label values come from fixed sets of our own; nothing a caller sends becomes a label.
 *  Threads    any
 */
#ifndef COORD_NUMBERS_H
#define COORD_NUMBERS_H

#include "kms/request.h"
#include "metrics/metrics.h"
#include "rounds/engine.h"

struct coord_numbers;
/** What is read at every scrape; borrowed. */
struct coord_numbers_sources {
    struct coord_metrics *metrics;
    struct coord_engine *engine;
    /* Jobs waiting, operations in work, changes some node has not acknowledged. */
    void (*load)(void *ctx, size_t *queued, size_t *running, size_t *unpublished);
    void *ctx;
};
QK_MUST_USE qk_err coord_numbers_new(
    struct coord_numbers **out, const struct coord_numbers_sources *sources);
/** After the last coord_metrics_write. NULL is allowed. */
void coord_numbers_free(struct coord_numbers *n);

/** One answered request. op: KMS_OP_COUNT if unknown. fault: its name; NULL: success. */
void coord_numbers_request(
    struct coord_numbers *n, enum kms_op op, unsigned status, const char *fault, uint64_t took_us);

#endif
