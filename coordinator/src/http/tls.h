/** The front's TLS identity: one reference-counted OpenSSL context.
 *
 *  TLS 1.2 and 1.3, AEAD and ephemeral keys only, ALPN http/1.1, no
 *  renegotiation, no compression, no session tickets: OpenSSL never renews a
 *  ticket key, so resumption would cost the forward secrecy of plaintexts.
 */
#ifndef COORD_HTTP_TLS_H
#define COORD_HTTP_TLS_H

#include <openssl/ssl.h>
#include "qk/err.h"

struct coord_http_tls;

/** Errors: see coord_http_start. */
QK_MUST_USE qk_err coord_http_tls_new(
    struct coord_http_tls **out, const char *cert_file, const char *key_file);
void coord_http_tls_free(struct coord_http_tls *tls);
/** The server end of a handshake on fd, not begun. NULL when out of memory. */
SSL *coord_http_tls_accept(struct coord_http_tls *tls, int fd);

#endif
