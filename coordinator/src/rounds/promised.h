/** Finishing changes whose certificate was lost.
 *
 *  A change is durable once q nodes have promised it: each keeps the record and its signature. The
 *  coordinator answers then, and its own disk follows within some tens of milliseconds. If power is
 *  lost in between, the pieces of the certificate lie at the nodes; after a start this asks every
 *  node for what it has promised and puts them together again. A change that nobody was told about
 *  may come to be in this way: its caller was left in doubt. First versions are left alone: what
 * makes something new is answered only when it is on the coordinator's own disk.
 *
 *  Threads    one
 */
#ifndef COORD_PROMISED_H
#define COORD_PROMISED_H

#include "rounds/engine.h"

struct coord_promised;

struct coord_promised *coord_promised_new(void); /* NULL: out of memory */
void coord_promised_free(struct coord_promised *p);

/** Ask node, remember its signatures beside those of others asked before, store and publish what is
 *  complete. Blocks. Errors as coord_fetch_all. */
QK_MUST_USE qk_err coord_promised_take(
    struct coord_engine *e, struct coord_promised *p, uint16_t node);

#endif
