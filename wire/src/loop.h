/** One thread that waits for sockets and for moments: all calls of the process move on it.
 *
 *  What happens on it must not block: everything else waits meanwhile. Sockets are level-triggered.
 *
 *  Threads    wire_loop_run, wire_alarm_set and wire_loop_watch from any thread; the rest says so.
 *  Lifetime   a source is closed in its own event, in an alarm or in wire_loop_run, never in the
 *             event of another source: events that were fetched together are handed out unchecked.
 */
#ifndef WIRE_LOOP_H
#define WIRE_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include "qk/err.h"

#define WIRE_NEVER UINT64_MAX /* a moment that does not come */

/** What owns a file descriptor; part of its owner's struct. */
struct wire_source {
    /* events as of epoll; on the loop's thread */
    void (*on_event)(struct wire_source *source, uint32_t events);
};

/** Something to do at a moment; part of its owner's struct. */
struct wire_alarm {
    struct wire_alarm *next;
    void (*fn)(void *ctx, uint64_t now_ms); /* on the loop's thread, after what came by then */
    void *ctx;
    uint64_t due_ms;
};

/** Start the thread, unless somebody holds it already. Only after the daemon has forked.
 *  QK_E_IO, QK_E_NOMEM. */
QK_MUST_USE qk_err wire_loop_hold(void);
/** The last release stops and joins the thread. Not from the loop's thread. */
void wire_loop_release(void);

/** Run fn(ctx) on the loop's thread and wait for it. On that thread: at once. */
void wire_loop_run(void (*fn)(void *ctx), void *ctx);

QK_MUST_USE qk_err wire_loop_watch(int fd, struct wire_source *source, uint32_t events);
void wire_loop_rewatch(int fd, struct wire_source *source, uint32_t events);
void wire_loop_unwatch(int fd);

/** On the loop's thread, or before anything can set the alarm; due_ms is kept. */
void wire_alarm_add(struct wire_alarm *alarm);
/** On the loop's thread: it does not ring any more. One that was never added is allowed. */
void wire_alarm_remove(struct wire_alarm *alarm);
/** Ring at due_ms or, if that is sooner, when it would have. When it rings it is off. */
void wire_alarm_set(struct wire_alarm *alarm, uint64_t due_ms);

#endif
