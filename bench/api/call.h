/** One KMS operation over a connection: signed, sent, answered. */
#ifndef BENCH_CALL_H
#define BENCH_CALL_H

#include "api/conn.h"

enum { BENCH_ERROR_NAME_MAX = 64 };

/** How a call ended. */
struct bench_outcome {
    bool ok;                          /* status 200 */
    struct bench_reply reply;         /* valid when the transport worked */
    char error[BENCH_ERROR_NAME_MAX]; /* fault name, "HTTP 503", or a transport error; "" if ok */
};

/** Sign (SigV4, every call with an invocation id of its own, so no two are alike), send, read.
 *
 *  action  for example "Sign"; body is its JSON
 *  An outcome with ok false is a result, not an error of this function. A closed connection is
 *  opened first; after a transport error it is left closed.
 *
 *  Returns QK_OK; QK_E_CRYPTO, QK_E_NOMEM, QK_E_RNG: nothing was sent
 */
QK_MUST_USE qk_err bench_call(
    struct bench_conn *c, const char *action, struct qk_bytes body, struct bench_outcome *out);

#endif
