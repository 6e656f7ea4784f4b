/** The measuring loops: each fills its rows of the table for about so many seconds. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include "protocol/key.h"
#include "protocol/table.h"

enum { BENCH_RUNS_MIN = 3 };

struct bench_plan {
    unsigned t;     /* signers: 2 or 3 of three nodes */
    double seconds; /* for each group of rows; at least BENCH_RUNS_MIN runs */
};

/** DKG, derived setups, full signatures, presignatures and their use on one curve. The first run
 *  of each kind warms the caches and is not counted. */
QK_MUST_USE qk_err bench_measure_curve(
    struct bench_table *t, const struct bench_plan *plan, struct bench_key *k);
/** Direct setups of one pair, class of k's curve; makes k's roots on the way. */
QK_MUST_USE qk_err bench_measure_roots(
    struct bench_table *t, const struct bench_plan *plan, struct bench_key *k);
/** The system key's PRF on P-256: evaluation, verification of one answer, combining t. */
QK_MUST_USE qk_err bench_measure_dprf(struct bench_table *t, const struct bench_plan *plan);
/** A node's part in Encrypt and Decrypt: one item of a frame of 64, 2-of-3, modes F and V. */
QK_MUST_USE qk_err bench_measure_sym(struct bench_table *t, const struct bench_plan *plan);
/** MAC3: each role's part and the combiner's for one HMAC, and what a million ANDs take to garble
 * and to evaluate (a strict key's HMAC of 4096 bytes, tables never leaving the cache). */
QK_MUST_USE qk_err bench_measure_mac(struct bench_table *t, const struct bench_plan *plan);
/** Online signing with presignatures: nodes as threads behind TCP connections on loopback,
 *  elapsed time at the combiner from the first byte sent to the verified signature. */
QK_MUST_USE qk_err bench_measure_online(
    struct bench_table *t, const struct bench_plan *plan, struct bench_key *k);

#endif
