/** One call for each of many things, several at a time: how keys are made and unmade. */
#ifndef BENCH_PASS_H
#define BENCH_PASS_H

#include <stdatomic.h>
#include "api/loop.h"

enum { BENCH_PASS_BUSY = 8 }; /* calls at a time */

struct bench_pass {
    const char *what;   /* for progress and errors: "creating keys" */
    const char *action; /* "CreateKey" */
    size_t n;
    void *ctx;
    /** The JSON of call i. */
    qk_err (*body)(void *ctx, size_t i, struct qk_buf *out);
    /** Its answer, status 200; may be NULL. */
    qk_err (*take)(void *ctx, size_t i, struct qk_bytes reply);
};

/** Make all the calls. What the service could not do just then (5xx, throttling, a lost connection)
 *  is asked again, some times. The first call that fails for good ends the pass.
 *
 *  stop  may be NULL
 *
 *  Returns QK_OK; QK_E_NOT_FOUND, the service refused; QK_E_BUSY, stopped; what body, take or the
 *          loop return. All told on stderr.
 */
QK_MUST_USE qk_err bench_pass_run(
    struct bench_loop *loop, const struct bench_pass *pass, const atomic_bool *stop);

/** The text of a member of a flat JSON answer, found without parsing it; false: not there. For
 *  names and texts without escapes, such as base64 and ids. */
bool bench_reply_text(struct qk_bytes json, const char *name, struct qk_bytes *out);

#endif
