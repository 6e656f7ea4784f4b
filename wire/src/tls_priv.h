/** Between tls_config.c and tls_conn.c. */
#ifndef WIRE_TLS_PRIV_H
#define WIRE_TLS_PRIV_H

#include <limits.h>
#include <openssl/ssl.h>
#include <nng/nng.h>
#include <nng/supplemental/tls/engine.h>
#include "tls_pins.h"

/* NNG allocates this zeroed; a configuration that wire_tls_config_new did not make stays so
 * (NNG makes one for every new dialer and listener), has no ctx and refuses every connection. */
struct nng_tls_engine_config {
    SSL_CTX *ctx;
    bool server;
    unsigned handshake_ms;
    struct wire_tls_stats *stats;
    struct tls_pins pins;
};

extern nng_tls_engine_conn_ops wire_tls_conn_ops;

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
