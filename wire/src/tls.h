/** OpenSSL as NNG's TLS engine: TLS 1.3, mutual, pinned, with an identity per pipe.
 *
 *  A configuration is made for one identity and a list of pins. A peer is accepted iff it proves
 *  possession of a pinned key (and, where the pin says so, shows exactly the pinned certificate);
 *  there is no CA, no name, no date, no resumption, no ticket, no other protocol version. Which pin
 *  matched is the peer's identity and can be asked of its pipe.
 *
 *  Connections that have not finished the handshake and carried a first byte of SP by the deadline
 *  are cut with NNG_ETIMEDOUT. Not with NNG_ECLOSED: NNG 1.5.2 takes that for the end of the
 *  listener or dialer itself and never accepts or dials again.
 */
#ifndef WIRE_TLS_H
#define WIRE_TLS_H

#include <pthread.h>
#include <stdatomic.h>
#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>
#include "wire/identity.h"

enum {
    WIRE_TLS_PINS_MAX = 80,
    WIRE_TLS_PENDING_MAX = 256, /* connections of one listener that are not yet through */
};

struct wire_tls_pin {
    uint16_t tag; /* the caller's name for this peer */
    const struct wire_key *key;
    struct qk_bytes cert; /* exactly this certificate; empty: any certificate with this key */
};

/** Counters that outlive whichever of socket and owner goes first. */
struct nng_tls_engine_conn;

struct wire_tls_stats {
    atomic_int refs;
    pthread_mutex_t lock; /* conns; taken before any of NNG's, never within them */
    struct nng_tls_engine_conn *conns;
    atomic_bool closing;            /* no more connections */
    atomic_int live;                /* connections that came through and still exist */
    atomic_int pending;             /* connections not yet through */
    atomic_uint_least64_t through;  /* connections whose peer is known and has begun to speak SP */
    atomic_uint_least64_t refused;  /* handshakes that failed: wrong or no certificate, garbage */
    atomic_uint_least64_t timeouts; /* cut by the deadline */
    atomic_uint_least64_t crowded;  /* turned away because WIRE_TLS_PENDING_MAX were pending */
};

QK_MUST_USE qk_err wire_tls_stats_new(struct wire_tls_stats **out);
void wire_tls_stats_release(struct wire_tls_stats *stats);

struct wire_tls_setup {
    bool server;
    const struct wire_identity *identity;
    const struct wire_tls_pin *pins;
    size_t n_pins; /* 1..WIRE_TLS_PINS_MAX */
    unsigned handshake_ms;
    struct wire_tls_stats *stats;
};

/** Register the engine if need be and make a configuration; everything is copied or referenced.
 *  Give it to NNG_OPT_TLS_CONFIG, then nng_tls_config_free. QK_E_CRYPTO; QK_E_STATE for another
 *  version of NNG than this was written against. */
QK_MUST_USE qk_err wire_tls_config_new(nng_tls_config **out, const struct wire_tls_setup *setup);

/** The tag of the peer behind a pipe. QK_E_DENIED: not verified, or the pipe is gone. */
QK_MUST_USE qk_err wire_tls_peer(nng_pipe pipe, uint16_t *tag);

/** Receive nothing more from this pipe and say goodbye; NNG then closes it of its own accord. A
 * pipe that may be in the middle of a frame has to be cut some time before it is closed: NNG 1.5.2
 * that closes it between the length and the rest waits for that frame for good, with the thread
 * that reaps all pipes. Never waits. */
void wire_tls_cut(nng_pipe pipe);

/** Cut every connection that counts here, take no more, and wait (up to half a second, for a peer
 *  that does not read) until they are gone. To be called before their socket is closed, not from a
 *  callback. */
void wire_tls_cut_all(struct wire_tls_stats *stats);

/** The nearest status of an NNG error number. */
qk_err wire_nng_err(int rv);

#endif
