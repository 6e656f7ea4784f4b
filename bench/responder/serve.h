/** A server that answers every request with the same 200: what client and TLS cost by themselves.
 */
#ifndef BENCH_SERVE_H
#define BENCH_SERVE_H

#include <openssl/ssl.h>
#include <signal.h>
#include "qk/err.h"

/** A fresh P-256 key and a certificate for 127.0.0.1 that it signs itself, and a server context
 * with them whose TLS policy is that of the coordinator. cert is the caller's. QK_E_CRYPTO. */
QK_MUST_USE qk_err bench_serve_tls(SSL_CTX **ctx, X509 **cert);
/** Listen on 127.0.0.1; *port 0: the kernel chooses, and says. QK_E_IO. */
QK_MUST_USE qk_err bench_serve_listen(int *fd, uint16_t *port);
/** Answer with a JSON body of reply_len bytes (at least 2, at most 60000), one thread, until *stop.
 *  Requests are read whole, their signature is not looked at.
 *
 *  listener  from bench_serve_listen
 *  ctx       NULL: no TLS
 *
 *  Returns QK_OK when stopped; QK_E_NOMEM, QK_E_IO
 */
QK_MUST_USE qk_err bench_serve(
    int listener, SSL_CTX *ctx, size_t reply_len, const volatile sig_atomic_t *stop);

#endif
