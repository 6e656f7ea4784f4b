/** What becomes of the bytes below TLS: NNG's own sends and receives on TCP, watched.
 *
 *  NNG 1.5.2 does not tell the engine that the connection below is lost, and three things go wrong:
 *
 *    - The kernel's EPIPE becomes NNG_ECLOSED, and NNG takes that, from a connection under
 *      negotiation, for the end of the listener: one stranger who hangs up in mid-handshake would
 *      stop a node from ever accepting again. Here every error is NNG_ECONNABORTED, after which
 * NNG's listener accepts on at once.
 *    - A receive that begins after the loss waits for ever. The engine asks tls_tap_dead instead.
 *    - There is no way to fail a connection from outside. tls_tap_cut aborts the receive below, and
 *      everything above fails from inside, whether or not the peer reads.
 *
 *  The two operations are found in the layout of tls_conn in Debian's 1.5.2; everything is checked.
 */
#ifndef WIRE_TLS_TAP_H
#define WIRE_TLS_TAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <nng/nng.h>

struct tls_tap {
    void *stream;                /* NNG's tls_conn */
    nng_aio *send, *recv;        /* on TCP; both for as long as the connection */
    void (*on_sent)(void *);     /* NNG's own callbacks, given stream */
    void (*on_received)(void *); /* ... */
    atomic_bool dead;            /* one of the two has failed: nothing more comes or goes */
    atomic_int error;            /* what a failure is reported as */
};

/** Before the first byte. False: this is not the layout we know; the connection must be refused. */
bool tls_tap_open(struct tls_tap *tap, void *stream);

/** Fail the connection: NNG_ETIMEDOUT or NNG_ECONNABORTED. From any thread while the connection
 *  exists; never waits. What is between two receives at this moment must see to itself. */
void tls_tap_cut(struct tls_tap *tap, int error);

static inline bool tls_tap_dead(const struct tls_tap *tap)
{
    return atomic_load(&tap->dead);
}

#endif
