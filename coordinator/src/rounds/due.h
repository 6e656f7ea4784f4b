/** What is due by the clock, without any caller's request: the end of keys, automatic rotations,
 * the expiry of imported material.
 *
 *  The coordinator only reminds: each node looks at its own clock and at the certified record
 *  (kms_due_of), and so does the next coordinator after this one, for nothing of it is kept here.
 */
#ifndef COORD_DUE_H
#define COORD_DUE_H

#include "rounds/engine.h"

/** Certify, store and publish what is due at or before now_ms. One key's trouble is logged and does
 *  not keep the others. Rotations take long, so they come last, and there are at most 20 in a call,
 *  for half a minute (and what is left of the last one). Blocks. */
QK_MUST_USE qk_err coord_due_run(struct coord_engine *e, uint64_t now_ms);

#endif
