/** What op.c and finish.c share. Private to rounds/. */
#ifndef COORD_ROUNDS_INTERNAL_H
#define COORD_ROUNDS_INTERNAL_H

#include "rounds/op.h"
#include "rounds/presigs.h"

enum coord_step {
    COORD_DONE = 1, /* the result is in op, verified */
    COORD_FAULT,    /* t nodes agree on a fault */
    COORD_AGAIN,    /* ask another set */
    COORD_RESTART,  /* records have moved on: load again, propose again */
    COORD_GIVE_UP,
};

/** Every node of the set said OK: make and verify the result. Answers beyond t that do not hold may
 *  be dropped from a and op->set. 5xx of ours only. */
QK_MUST_USE qk_err coord_finish(struct coord_op *op, const struct coord_ask *ask,
    struct coord_attempt *a, enum coord_step *step);

#endif
