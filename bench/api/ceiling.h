/** The same load on a server that does nothing: the most that client and TLS leave for any service
 *  on this machine. */
#ifndef BENCH_CEILING_H
#define BENCH_CEILING_H

#include "api/load.h"

struct bench_ceiling {
    struct bench_load_result load;
    double responder_cpu_s;
};

/** Start a responder (responder/serve.h) as a process of its own, put the plan's load on it in a
 *  closed loop, end it.
 *
 *  target     gives name and key; TLS or not as there
 *  reply_len  bytes of JSON that it answers with
 *
 *  Returns QK_OK; QK_E_IO, QK_E_CRYPTO, QK_E_NOMEM, told on stderr
 */
QK_MUST_USE qk_err bench_ceiling_run(struct bench_ceiling *out, const struct bench_load_plan *plan,
    const struct bench_target *target, size_t reply_len, const atomic_bool *stop);

#endif
