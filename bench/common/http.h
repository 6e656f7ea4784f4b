/** The little of HTTP/1.1 that client and responder need: heads with a Content-Length. */
#ifndef BENCH_HTTP_H
#define BENCH_HTTP_H

#include "qk/bytes.h"

struct bench_head {
    size_t len;      /* of the head with its empty line */
    unsigned status; /* of a response; 0: a request */
    size_t body_len;
    bool close; /* the peer will close */
};

/** Parse the head that text begins with.
 *
 *  QK_E_BUSY       its end is not there yet
 *  QK_E_MALFORMED  no Content-Length, two of them, a transfer coding, an interim response
 */
QK_MUST_USE qk_err bench_head_parse(struct bench_head *out, struct qk_bytes text);

#endif
