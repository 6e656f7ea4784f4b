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

struct nng_tls_engine_conn;

/** Counters that outlive whichever of socket and owner goes first. */
struct wire_tls_stats {
    atomic_int refs;
    pthread_mutex_t lock; /* conns; taken before any of NNG's, never within them */
    struct nng_tls_engine_conn *conns;
    atomic_bool closing;            /* no more connections */
    atomic_int pending;             /* connections not yet through */
    atomic_uint_least64_t through;  /* connections whose peer is known and has begun to speak SP */
    atomic_uint_least64_t refused;  /* handshakes that failed: wrong or no certificate, garbage */
    atomic_uint_least64_t timeouts; /* cut by the deadline */
    atomic_uint_least64_t crowded;  /* turned away because WIRE_TLS_PENDING_MAX were pending */
};

QK_MUST_USE qk_err wire_tls_stats_new(struct wire_tls_stats **out);
/** NULL is allowed. */
void wire_tls_stats_release(struct wire_tls_stats *stats);
/** Wait until the connections and configurations that count here are freed (NNG frees them on a
 *  thread of its own, which nobody joins: OpenSSL would clean up under it at exit). To be called
 *  once their socket is closed. NULL is allowed. */
void wire_tls_stats_wait(struct wire_tls_stats *stats);

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

/** When (qk_mono_ms) something last came from the peer, be it a part of a frame; 0 if the pipe is
 *  gone. */
uint64_t wire_tls_heard_ms(nng_pipe pipe);

/** Fail this pipe from inside: NNG closes it of its own accord, whether or not the peer reads.
 *  nng_pipe_close must not be used on a pipe that has begun to receive: NNG 1.5.2 that closes one
 *  between the length and the rest of a frame waits for that frame for good, with the thread that
 *  reaps all pipes. From any thread, also from a receive callback of that very pipe; never waits.
 */
void wire_tls_cut(nng_pipe pipe);

/** The same for every connection that counts here, those under negotiation included. */
void wire_tls_cut_now(struct wire_tls_stats *stats);

/** wire_tls_cut_now, take no more connections, and wait (some milliseconds) until they are gone.
 *  To be called before their socket is closed, not from a callback. NULL is allowed. */
void wire_tls_cut_all(struct wire_tls_stats *stats);

/** Cut the connections that are past their deadline. To be called now and then. */
void wire_tls_expire(struct wire_tls_stats *stats, uint64_t now_ms);

/** The nearest status of an NNG error number. */
qk_err wire_nng_err(int rv);

#endif
