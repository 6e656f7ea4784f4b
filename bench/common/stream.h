/** A non-blocking TCP connection, with TLS or plain. */
#ifndef BENCH_STREAM_H
#define BENCH_STREAM_H

#include <openssl/ssl.h>
#include <sys/socket.h>
#include "qk/bytes.h"

struct bench_stream {
    int fd;   /* -1: closed */
    SSL *ssl; /* NULL: plain */
};

#define BENCH_STREAM_CLOSED ((struct bench_stream){.fd = -1})

/** Settings of a TLS context that streams rely on, for clients and servers: writes may be partial,
 *  and a record is read with one system call. */
void bench_stream_tune(SSL_CTX *ctx);

/** Begin to connect; reads and writes go on with it, handshake included.
 *
 *  ctx   NULL: plain
 *  host  the name or address that the certificate must carry
 *
 *  Returns QK_OK, QK_E_IO, QK_E_CRYPTO; the stream is then closed
 */
QK_MUST_USE qk_err bench_stream_dial(struct bench_stream *s, const struct sockaddr *addr,
    socklen_t addr_len, SSL_CTX *ctx, const char *host);
/** Wait until connected, hands shaken. QK_E_IO, QK_E_TIMEOUT, QK_E_CRYPTO (the certificate or the
 *  peer's TLS); the stream is then closed. */
QK_MUST_USE qk_err bench_stream_wait(struct bench_stream *s, int timeout_ms);
/** Take over an accepted connection, as server. On error fd is closed. */
QK_MUST_USE qk_err bench_stream_accept(struct bench_stream *s, int fd, SSL_CTX *ctx);
/** Is the handshake over? Always true of a plain stream. */
bool bench_stream_ready(const struct bench_stream *s);

/** Write what can be written; *done is advanced. QK_OK: all len bytes are written; QK_E_BUSY: when
 *  the descriptor is ready again; QK_E_IO, QK_E_CRYPTO (in the handshake): close it. */
QK_MUST_USE qk_err bench_stream_write(
    struct bench_stream *s, const uint8_t *p, size_t len, size_t *done);
/** Read at least a byte. QK_E_BUSY: nothing there yet; QK_E_IO: closed by the peer or lost. */
QK_MUST_USE qk_err bench_stream_read(struct bench_stream *s, uint8_t *out, size_t room, size_t *n);
void bench_stream_close(struct bench_stream *s);

#endif
