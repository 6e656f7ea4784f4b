/** NNG listeners and dialers that come back.
 *
 *  NNG 1.5.2 ends a listener or dialer for good when a connection under negotiation fails with
 *  NNG_ECLOSED. The engine never lets that happen (tls_tap.h); should it all the same, both are
 *  watched. A listener is stuck when a peer has begun to speak but its pipe never appears on the
 *  socket; a dialer, when it has had no pipe for a long time (this also cuts short the kernel's own
 *  patience with a silent address). Either is then replaced. `check` is called now and then, by the
 *  ticker.
 *
 *  Closing a dialer or listener waits for its callbacks (ADD_PRE, ADD_POST): never under a lock
 *  that they take.
 */
#ifndef WIRE_ENDPOINT_H
#define WIRE_ENDPOINT_H

#include "tls.h"

enum { WIRE_URL_MAX = 160 };

/** Milliseconds from then to now; 0 when another thread has moved `then` past our `now`. */
static inline uint64_t wire_ms_since(uint64_t then_ms, uint64_t now_ms)
{
    return now_ms > then_ms ? now_ms - then_ms : 0;
}

struct wire_listener {
    nng_socket sock;
    nng_listener listener;
    bool open;
    char url[WIRE_URL_MAX];
    nng_tls_config *cfg;
    struct wire_tls_stats *stats;
    atomic_uint_least64_t added; /* pipes that reached the socket */
    uint64_t owed_at_check;      /* through - added at the last check */
    uint64_t stuck_since_ms;     /* 0: not */
    bool cut;                    /* its connections are, it is to be replaced at the next check */
    uint64_t forgiven;           /* of through: never going to appear */
};

/** setup->server must be true; setup->stats is filled in. QK_E_IO: cannot listen there. */
QK_MUST_USE qk_err wire_listener_open(
    struct wire_listener *l, nng_socket sock, const char *url, struct wire_tls_setup *setup);
/** To be called for NNG_PIPE_EV_ADD_PRE. */
void wire_listener_added(struct wire_listener *l);
void wire_listener_check(struct wire_listener *l, uint64_t now_ms);
/** After the socket has been closed. A zeroed one is allowed. */
void wire_listener_free(struct wire_listener *l);

struct wire_dialer {
    pthread_mutex_t
        *lock; /* the owner's: of everything from `dialer` to `open` and fresh_since_ms */
    nng_socket sock;
    nng_dialer dialer;
    bool open;
    char url[WIRE_URL_MAX];
    nng_tls_config *cfg;
    struct wire_tls_stats *stats;
    unsigned min_ms, max_ms, patience_ms;
    unsigned backoff_ms;     /* present first delay: doubles while connections do not last */
    uint64_t fresh_since_ms; /* when the dialer was made or its last pipe went */
};

/** setup->server must be false; setup->stats is filled in. Never waits for the network. Under the
 *  lock, as the others unless they say otherwise. */
QK_MUST_USE qk_err wire_dialer_open(struct wire_dialer *d, pthread_mutex_t *lock, nng_socket sock,
    const char *url, struct wire_tls_setup *setup, unsigned min_ms, unsigned max_ms);
/** To be called for NNG_PIPE_EV_REM_POST: how long the pipe had lasted decides the next delay. */
void wire_dialer_removed(struct wire_dialer *d, uint64_t lasted_ms, uint64_t now_ms);
/** Instead, when the socket is not to be used again. *old is to be closed at once, without the
 *  lock, so that it does not dial again. Gives the time to wait before the next, random up to the
 *  present delay. */
unsigned wire_dialer_retire(
    struct wire_dialer *d, uint64_t lasted_ms, uint64_t now_ms, nng_dialer *old);
/** Dial again, on a new socket. */
void wire_dialer_renew(struct wire_dialer *d, nng_socket sock, uint64_t now_ms);
/** Without the lock, from the ticker. */
void wire_dialer_check(struct wire_dialer *d, bool connected, uint64_t now_ms);
/** Without the lock, from the ticker: dial at once instead of sleeping on, if that is all the
 * dialer does. n_gone: how many of its pipes NNG has removed. */
void wire_dialer_hurry(struct wire_dialer *d, uint64_t n_gone, uint64_t now_ms);
/** Without the lock, after the socket has been closed. */
void wire_dialer_free(struct wire_dialer *d);

#endif
