/** GenerateMac and VerifyMac: one run of MAC3 by three nodes (docs/hmac.md).
 *
 *  Source: protocols/60-hmac.md section 5. Three healthy nodes, the least loaded ones, are called
 * alone with one item that names the run (mid) and who does what in it. Their answers decode here
 * and nowhere else. A run that fails is followed by two more, in other roles, with other nodes
 * where there are some, and under another mid: one mid is one circuit.
 *
 *  Whom a failed run makes suspect is logged (`mac.suspect`) and counted; three such events with
 * one common suspect raise `mac.alarm`. What E says of its garblers is hearsay and costs nobody
 * anything: doubted are the nodes of a set that failed, the silent ones among them more, and who
 * sends what cannot be right.
 */
#ifndef COORD_MAC_H
#define COORD_MAC_H

#include "rounds/internal.h"

enum { COORD_MAC_NODES = 3, COORD_MAC_RUNS = 3 };

/** After coord_op_load: does our own decision say that a MAC is to be computed? */
bool coord_mac_is(const struct coord_op *op);
/** Milliseconds for all its runs. */
unsigned coord_mac_total_ms(const struct coord_op *op);

/** One run. Blocks, also while as many others go on as nodes are asked to bear at a time; no room
 * by until_ms: COORD_GIVE_UP, op->crowded. Fewer than three nodes up: COORD_GIVE_UP, op->too_few.
 * As coord_op_conclude. */
QK_MUST_USE qk_err coord_mac_run(
    struct coord_op *op, uint64_t until_ms, struct kms_fault *fault, enum coord_step *step);

/** All three said OK: GenerateMac: op->mac.tag; VerifyMac: op->mac.valid, and the computed tag is
 *  wiped (check M-16). COORD_AGAIN: their answers do not make a tag. 5xx of ours. */
QK_MUST_USE qk_err coord_mac_finish(
    struct coord_op *op, const struct coord_attempt *a, enum coord_step *step);

/** No run gave a result: KeyUnavailableException, which is retryable; ThrottlingException when
 * there was no room for one. */
QK_MUST_USE qk_err coord_mac_unavailable(const struct coord_op *op, struct kms_fault *fault);

#endif
