/** Between tls_config.c and tls_conn.c. */
#ifndef WIRE_TLS_PRIV_H
#define WIRE_TLS_PRIV_H

#include <limits.h>
#include <openssl/ssl.h>
#include <nng/nng.h>
#include <nng/supplemental/tls/engine.h>
#include "tls.h"

struct tls_pin {
    uint16_t tag;
    bool exact;
    uint8_t spki[WIRE_SPKI_LEN];
    uint8_t cert_sha256[32];
};

/* NNG allocates this zeroed; a configuration that wire_tls_config_new did not make stays so
 * (NNG makes one for every new dialer and listener), has no ctx and refuses every connection. */
struct nng_tls_engine_config {
    SSL_CTX *ctx;
    bool server;
    unsigned handshake_ms;
    struct wire_tls_stats *stats;
    size_t n_pins;
    struct tls_pin pins[WIRE_TLS_PINS_MAX];
};

extern nng_tls_engine_conn_ops wire_tls_conn_ops;

/** Where a connection keeps the tag that the verify callback found: index for SSL_get_ex_data. */
extern int wire_tls_peer_index;

/** Set by the engine's `verified` on the thread that asked. */
extern _Thread_local struct wire_tls_answer {
    bool verified;
    uint16_t tag;
    uint64_t heard_ms;
} wire_tls_answer;

/** True on a thread that asks `verified` in order to cut the connection. */
extern _Thread_local bool wire_tls_cutting;

QK_MUST_USE qk_err wire_tls_conn_setup(void); /* once, before the first connection */

#endif
