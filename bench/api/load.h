/** The load: which request is sent when, and what came of it (the sending: loop.h).
 *
 *  Open loop (rate > 0): request k is due at start + k/rate, whatever happened to those before it.
 *  A free connection takes the next one that is due; when all are busy it waits, and that waiting
 *  is part of its latency, which is counted from the moment it was due (no coordinated omission).
 *  Closed loop (rate 0): each connection sends as soon as the answer before is in.
 *  Latency ends with the last byte of the answer; signing the request (SigV4) is inside it.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "api/cpu.h"
#include "api/keys.h"
#include "common/stats.h"

enum { BENCH_ERROR_KINDS = 32, BENCH_GRACE_S = 10, BENCH_SAMPLES = 64 };

struct bench_load_plan {
    enum bench_op op;
    unsigned connections;
    double rate;           /* requests per second in total; 0: closed loop */
    double seconds;        /* measured, after the warm-up */
    double warmup;         /* seconds whose requests are sent but not counted */
    double warmup_rate;    /* requests per second meanwhile, before a closed loop; 0: closed too */
    size_t bytes;          /* of plaintexts, messages, data keys, random bytes */
    unsigned verify_every; /* check every so manieth signature, ciphertext or MAC; 0: none */
    bool unchecked;        /* look at no answer but its status: the responder knows no others */
    const struct bench_kms_key *keys; /* used in turn; for changes: one for each connection */
    size_t n_keys;
    const struct bench_blob *blobs; /* for BENCH_DECRYPT */
    size_t n_blobs;
    struct bench_cpu *daemons; /* whose CPU is counted; NULL: nobody's */
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
    uint64_t n_verified; /* signatures, ciphertexts or MACs checked, good ones */
    uint64_t n_bad;      /* that do not verify, or do not open to their plaintext */
    size_t reply_len;    /* bytes of the body of the last good answer */
    double elapsed_s;    /* from the end of the warm-up to the last answer */
    double client_cpu_s; /* of this process in that time: the load's own share of the machine */
    struct bench_blob sample[BENCH_SAMPLES]; /* ciphertexts or MACs to be checked after the load */
    size_t n_samples;
};

/** Run it on so many connections as the plan says. Set *stop (from a signal handler) to end early
 *  with what there is. Samples are kept, not yet opened. out is zeroed before; bench_load_wipe.
 *  Errors of bench_loop_run. */
QK_MUST_USE qk_err bench_load_run(struct bench_loop *loop, const struct bench_load_plan *plan,
    struct bench_load_result *out, const atomic_bool *stop);
/** Decrypt or verify the samples and count them into n_verified or n_bad. Errors of bench_pass_run.
 */
QK_MUST_USE qk_err bench_load_open_samples(struct bench_loop *loop, struct bench_load_result *r);
void bench_load_wipe(struct bench_load_result *r);

#endif
