/** Background work: deletions that have come due, and catching up with the nodes after start.
 *
 *  One thread, which may block on nodes; nobody waits for it.
 */
#ifndef COORD_KEEPER_H
#define COORD_KEEPER_H

#include "rounds/engine.h"

struct coord_keeper;

struct coord_keeper_config {
    struct coord_engine *engine; /* borrowed */
    unsigned due_ms;             /* between two looks for due deletions */
};
QK_MUST_USE qk_err coord_keeper_new(
    struct coord_keeper **out, const struct coord_keeper_config *config);
/** Join the thread; coord_keeper_node_up does nothing from then on. NULL is allowed, in both. */
void coord_keeper_stop(struct coord_keeper *k);
void coord_keeper_free(struct coord_keeper *k);

/** A node's link came up: fetch what it holds, once per node and process. Must not block. */
void coord_keeper_node_up(struct coord_keeper *k, uint16_t node);
/** Nodes whose records were fetched since start, without those in quarantine. */
size_t coord_keeper_n_synced(struct coord_keeper *k);
/** Nodes that said at the last look, seconds ago, that they are in quarantine; out takes
 *  WIRE_NODES_MAX ids. How many. */
size_t coord_keeper_quarantined(struct coord_keeper *k, uint16_t *out);

#endif
