/** One keep-alive HTTP/1.1 connection, blocking, over TLS or plain TCP. */
#ifndef BENCH_CONN_H
#define BENCH_CONN_H

#include "api/target.h"

enum {
    BENCH_REPLY_MAX = 65536, /* bytes of head and body together */
    BENCH_IO_TIMEOUT_S = 30,
};

struct bench_conn {
    const struct bench_target *target;
    int fd; /* -1: closed */
    SSL *ssl;
    size_t len; /* bytes in rx */
    uint8_t rx[BENCH_REPLY_MAX];
};

/** Views into the connection, valid until its next exchange. */
struct bench_reply {
    unsigned status;
    struct qk_bytes body;
    bool close; /* the server will close: do so too */
};

/** A closed connection to target, which must outlive it; NULL when out of memory. */
struct bench_conn *bench_conn_new(const struct bench_target *target);
/** Connect and shake hands; the certificate must be good for the host. QK_E_IO, QK_E_CRYPTO (TLS:
 *  the certificate or the peer). */
QK_MUST_USE qk_err bench_conn_open(struct bench_conn *c);
/** Send one request, read one response; reconnects nothing.
 *
 *  Returns QK_OK; QK_E_IO (lost), QK_E_TIMEOUT, QK_E_MALFORMED (not a response with
 *  Content-Length), QK_E_TOO_LARGE. After an error the connection is closed.
 */
QK_MUST_USE qk_err bench_conn_exchange(
    struct bench_conn *c, struct qk_bytes request, struct bench_reply *out);
void bench_conn_close(struct bench_conn *c);
/** Close and free; NULL is allowed. */
void bench_conn_free(struct bench_conn *c);

#endif
