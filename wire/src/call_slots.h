/** The calls in flight on a link, by number. No lock of its own: the owner's.
 *
 *  A number is round * n + index + 1: what comes for an earlier round of a slot is an answer that
 *  nobody waits for any more.
 */
#ifndef WIRE_CALL_SLOTS_H
#define WIRE_CALL_SLOTS_H

#include "wire/call.h"

struct call_end {
    wire_call_fn fn;
    void *ctx;
    uint64_t deadline_ms;
};

struct call_slot {
    struct call_end end; /* fn NULL: free */
    uint32_t round;
    struct call_slot *next_free;
};

struct call_slots {
    size_t n;
    struct call_slot *slots, *free_list;
};

/** n >= 1 calls at once. QK_E_NOMEM. */
QK_MUST_USE qk_err call_slots_init(struct call_slots *t, size_t n);
void call_slots_wipe(struct call_slots *t);

/** Enter a call; *number is not 0. QK_E_BUSY: all are in flight. */
QK_MUST_USE qk_err call_slots_put(
    struct call_slots *t, uint32_t *number, const struct call_end *end);
/** Take out the call of this number; false: there is none (any more). */
bool call_slots_take(struct call_slots *t, uint32_t number, struct call_end *end);
/** Take out one call whose deadline is not after by_ms; false: there is none. *first_ms is the
 *  earliest deadline of those that stay, UINT64_MAX without any. */
bool call_slots_take_due(
    struct call_slots *t, uint64_t by_ms, struct call_end *end, uint64_t *first_ms);

#endif
