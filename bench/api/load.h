/** The load: connections that each send one request at a time, and what came of it.
 *
 *  Open loop (rate > 0): request k is due at start + k/rate, whatever happened to those before it.
 *  A free connection takes the next one that is due; when all are busy it waits, and that waiting
 *  is part of its latency, which is counted from the moment it was due (no coordinated omission).
 *  Closed loop (rate 0): each connection sends as soon as the answer before is in.
 *  Latency ends with the last byte of the answer; signing the request (SigV4) is inside it.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdatomic.h>
#include "api/keys.h"
#include "common/stats.h"

enum { BENCH_ERROR_KINDS = 32, BENCH_GRACE_S = 10 };

struct bench_load_plan {
    enum bench_op op;
    unsigned connections;
    double rate;           /* requests per second in total; 0: closed loop */
    double seconds;        /* measured, after the warm-up */
    double warmup;         /* seconds whose requests are sent but not counted */
    double warmup_rate;    /* requests per second meanwhile, before a closed loop; 0: closed too */
    unsigned verify_every; /* check every so manieth signature with OpenSSL; 0: none */
    const struct bench_target *target;
    const struct bench_kms_key *keys; /* used in turn; for changes: one for each connection */
    size_t n_keys;
    double disk_per_second; /* what the disk can do (api/disk.h); 0: not asked for */
};

struct bench_error_count {
    char name[BENCH_ERROR_NAME_MAX];
    uint64_t n;
};

struct bench_load_result {
    struct bench_hist ok; /* latencies of the requests that succeeded */
    uint64_t n_errors;
    struct bench_error_count errors[BENCH_ERROR_KINDS]; /* the last one takes the overflow */
    uint64_t n_unsent;   /* were due, and never sent: the load ended BENCH_GRACE_S late */
    uint64_t n_verified; /* signatures checked, good ones */
    uint64_t n_bad;      /* signatures that do not verify */
    double elapsed_s;    /* from the end of the warm-up to the last answer */
    double client_cpu_s; /* of this process while it ran: the load's own share of the machine */
};

/** Run it. Set *stop (from a signal handler) to end early with what there is.
 *  QK_E_IO when a connection cannot be made at the start (told on stderr), QK_E_NOMEM. */
QK_MUST_USE qk_err bench_load_run(
    const struct bench_load_plan *plan, struct bench_load_result *out, const atomic_bool *stop);

#endif
