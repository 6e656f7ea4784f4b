/** Encrypt and Decrypt across the nodes: one caller's evaluations, without a thread that waits.
 *
 *  Drives mpc/sym_combine.h: its questions become OP calls with an EVAL item (docs/encryption.md),
 * the nodes' answers go back into it. Plaintext and the value it is hidden under exist in this
 * process only; nodes get the commitment alpha, and of an Encrypt's body nothing but its hash and
 * the claim.
 *
 *      if (coord_eval_start(op, fn, ctx, &eval) == QK_OK)
 *          ... fn runs, once, when the result is there ...
 *              coord_eval_end(eval, &step, &fault)
 *
 *  What t nodes agree on counts: a fault that one of them tells alone is a lost answer, a record
 * that one of them lacks is handed out, a newer record starts the operation over. Mode F waits for
 * copies, at most max(20 ms, 3 x recent p95) after some have come; then mode V takes over, if the
 * key has it.
 */
#ifndef COORD_EVAL_H
#define COORD_EVAL_H

#include "rounds/internal.h"

struct coord_eval;
typedef void (*coord_eval_fn)(void *ctx);

/** After coord_op_load: does our own decision say that something is to be evaluated? */
bool coord_eval_is(const struct coord_op *op);
/** Can it start on a thread that must not wait or work long? Key pairs are made by workers. */
bool coord_eval_is_quick(const struct coord_op *op);

/** Start one attempt. Never blocks. op is borrowed until coord_eval_end; *out is set before fn can
 *  run, which may be before this returns. fn runs on a quick thread (engine.quick), the calling
 *  thread or, without a pool, one of the links.
 *  QK_E_BUSY: too few nodes or random bytes now, nothing was asked. 5xx. */
QK_MUST_USE qk_err coord_eval_start(
    struct coord_op *op, coord_eval_fn fn, void *ctx, struct coord_eval **out);
/** After fn ran: what came of it, and free. COORD_DONE: op->blob, op->plain. COORD_FAULT: *fault.
 */
QK_MUST_USE qk_err coord_eval_end(
    struct coord_eval *e, struct kms_fault *fault, enum coord_step *step);

/** Start, wait for it, end; waits for random bytes and makes key pairs before. Blocks. As
 *  coord_eval_end. */
QK_MUST_USE qk_err coord_eval_run(
    struct coord_op *op, uint64_t until_ms, struct kms_fault *fault, enum coord_step *step);

#endif
