/** One thread that keeps many connections busy: epoll, TLS, one request at a time on each.
 *
 *  What is sent and what becomes of the answers is a source's business: the load (load.h), or the
 *  making of keys (pass.h). Nothing is allocated for a request once buffers have grown.
 */
#ifndef BENCH_LOOP_H
#define BENCH_LOOP_H

#include "api/sign.h"

enum {
    BENCH_ERROR_NAME_MAX = 64,
    BENCH_REPLY_MAX = 65536, /* bytes of head and body together */
    BENCH_TIMEOUT_S = 30,    /* of one request */
    BENCH_FRESH_MAX = 64,
};

/** A request of a source. One for each connection; fields and memory stay from request to request.
 */
struct bench_job {
    unsigned conn;                  /* of which connection; set by the loop */
    const char *action;             /* for example "Sign" */
    struct qk_buf body;             /* its JSON */
    uint64_t due_ns;                /* when it began or was to begin: bench_mono_ns */
    uint64_t number;                /* the source's own */
    uint64_t turn;                  /* the source's own; 0 at first */
    const void *of;                 /* the source's own */
    uint8_t fresh[BENCH_FRESH_MAX]; /* the source's own: what this request alone holds */
};

/** How a request ended. */
struct bench_outcome {
    bool ok; /* status 200 */
    unsigned status;
    struct qk_bytes body;             /* of the answer; empty after a transport error */
    char error[BENCH_ERROR_NAME_MAX]; /* fault name, "HTTP 503", or a transport error; "" if ok */
};

enum bench_next {
    BENCH_SEND, /* the job is filled in */
    BENCH_WAIT, /* none before *at_ns */
    BENCH_END,  /* no more at all */
};

struct bench_source {
    void *ctx;
    /** Has it a request for the free connection job->conn? */
    enum bench_next (*next)(void *ctx, struct bench_job *job, uint64_t now_ns, uint64_t *at_ns);
    /** It ended at now_ns. Views are valid during the call. */
    void (*done)(void *ctx, struct bench_job *job, const struct bench_outcome *o, uint64_t now_ns);
    /** About ten times a second. */
    void (*tick)(void *ctx, uint64_t now_ns);
};

struct bench_loop;

/** Connections to target, which must outlive it; none is open yet. QK_E_NOMEM, QK_E_CRYPTO. */
QK_MUST_USE qk_err bench_loop_new(
    struct bench_loop **out, const struct bench_target *target, unsigned connections);
/** The signer that its requests are signed with; owned by the loop. */
struct bench_signer *bench_loop_signer(struct bench_loop *loop);
/** Open the first n connections, where they are closed. QK_E_IO, told on stderr. */
QK_MUST_USE qk_err bench_loop_open(struct bench_loop *loop, unsigned n);
/** Open the connections that are closed, then send what the source has until it ends and every
 *  request is answered. A connection that is lost is opened again by its next request.
 *
 *  busy  use only so many of the connections, at least 1
 *
 *  Returns QK_OK, also when requests failed; QK_E_IO when a connection cannot be made at the start
 *          (told on stderr); QK_E_NOMEM, QK_E_CRYPTO, QK_E_RNG: a request could not be made
 */
QK_MUST_USE qk_err bench_loop_run(
    struct bench_loop *loop, const struct bench_source *source, unsigned busy);
/** NULL is allowed. */
void bench_loop_free(struct bench_loop *loop);

#endif
