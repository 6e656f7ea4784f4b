/** Looking around now and then: one thread for all links, servers and clients of the process.
 *
 *  Not NNG's timers. Their thread spins until the millisecond of a timer is over, and what they
 *  call runs on one of the few threads that also complete connections: whoever closes a dialer or
 *  a socket from there waits for such a completion, and a few of them at once wait for ever. From
 *  here NNG's closing functions may be called, as long as no lock is held that a callback takes.
 */
#ifndef WIRE_TICKER_H
#define WIRE_TICKER_H

#include <stdbool.h>
#include <stdint.h>
#include "qk/err.h"

struct wire_tick {
    struct wire_tick *next;
    void (*fn)(void *ctx, uint64_t now_ms);
    void *ctx;
    unsigned period_ms;
    uint64_t due_ms;
    bool running, started;
};

/** Call fn(ctx, now) every period_ms until wire_tick_stop; never twice at once, nor at the same
 *  time as any other tick. fn must not start or stop a tick. QK_E_NOMEM: no thread. */
QK_MUST_USE qk_err wire_tick_start(
    struct wire_tick *tick, unsigned period_ms, void (*fn)(void *ctx, uint64_t now_ms), void *ctx);
/** Waits for a running fn. One that was never started, or is stopped already, is allowed. */
void wire_tick_stop(struct wire_tick *tick);

#endif
