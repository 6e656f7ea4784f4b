/** The first attempt of an operation without a thread that waits for it.
 *
 *  For what a node answers without waiting for other nodes: reads, Verify, Sign with a
 * presignature, GenerateRandom; and evaluations (rounds/eval.h). Its calls travel in bundles
 * (wire/bundle.h). Whatever does not go straight to a result or to a fault that t nodes agree on is
 * left to coord_op_run, with what was learnt about the nodes in op.
 *
 *      if (coord_first_start(op, fn, ctx, &first)) ... fn runs, once, on a thread of the links ...
 *          if (!coord_first_end(first, &err, &fault)) err = coord_op_run(op, &fault);
 */
#ifndef COORD_FIRST_H
#define COORD_FIRST_H

#include "rounds/op.h"

struct coord_first;

/** All answers are in. Must not block. May run before coord_first_start returns, *out set. */
typedef void (*coord_first_fn)(void *ctx);

/** After coord_op_begin. False: not such an operation, or it cannot start (too few nodes, no
 *  presignature): nothing was asked and fn does not run. op is borrowed until coord_first_end. */
bool coord_first_start(struct coord_op *op, coord_first_fn fn, void *ctx, struct coord_first **out);
/** In fn: is this a thread that may go on with coord_first_end by itself? */
bool coord_first_quick(const struct coord_first *first);
/** After fn ran: conclude and free. True: the operation has ended, as by coord_op_run with *err. */
bool coord_first_end(struct coord_first *first, qk_err *err, struct kms_fault *fault);

#endif
