/** Who may be at the other end of a link, and the TLS policy of all of them.
 *
 *  TLS 1.3 only, mutual; a peer is accepted iff it proves possession of a pinned key (and, where
 *  the pin says so, shows exactly the pinned certificate). No CA, no name, no date, no resumption,
 *  no ticket. Which pin matched is the peer's identity. docs/wire.md, "TLS".
 */
#ifndef WIRE_TLS_PINS_H
#define WIRE_TLS_PINS_H

#include <openssl/ssl.h>
#include "tls.h"

struct tls_pin {
    uint16_t tag;
    bool exact;
    uint8_t spki[WIRE_SPKI_LEN];
    uint8_t cert_sha256[32];
};

struct tls_pins {
    size_t n;
    struct tls_pin pin[WIRE_TLS_PINS_MAX];
};

/** QK_E_CRYPTO; QK_E_STATE unless 1 <= n <= WIRE_TLS_PINS_MAX. */
QK_MUST_USE qk_err tls_pins_copy(struct tls_pins *out, const struct wire_tls_pin *pins, size_t n);

/** A context for connections of either side; SSL_CTX_free. pins are borrowed until then. NULL: out
 *  of memory, or OpenSSL refuses. */
SSL_CTX *tls_ctx_new(const struct tls_pins *pins, const struct wire_identity *identity);

/** The pin that the peer of this connection matched; NULL before it has shown its certificate. It
 *  is proved once the handshake is over, not before. */
const struct tls_pin *tls_peer_pin(const SSL *ssl);

#endif
