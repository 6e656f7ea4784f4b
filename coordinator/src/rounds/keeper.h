/** Background work: publishing records until every reachable node has them, deletions that have
 *  come due, and catching up with the nodes after start.
 *
 *  One thread, which may block on nodes; nobody waits for it except coord_keeper_publish, briefly.
 */
#ifndef COORD_KEEPER_H
#define COORD_KEEPER_H

#include "rounds/engine.h"

struct coord_keeper;

struct coord_keeper_config {
    struct coord_engine *engine; /* borrowed */
    unsigned due_ms;             /* between two looks for due deletions */
    unsigned publish_wait_ms;    /* what coord_keeper_publish waits for acknowledgements */
};
QK_MUST_USE qk_err coord_keeper_new(
    struct coord_keeper **out, const struct coord_keeper_config *config);
/** Stop and join. NULL is allowed. */
void coord_keeper_free(struct coord_keeper *k);

/** Tell every node; wait publish_wait_ms for those that are up; the rest is repeated in the
 *  background. A node that is down is not waited for: it will ask (NEED) when it meets the record.
 *  Never fails: the records are certified and stored already. */
void coord_keeper_publish(
    struct coord_keeper *k, const char *request_id, const struct qk_bytes *certified, size_t n);

/** A node's link came up: fetch what it holds, once per node and process. Must not block. */
void coord_keeper_node_up(struct coord_keeper *k, uint16_t node);
/** Nodes whose records were fetched since start. */
size_t coord_keeper_n_synced(struct coord_keeper *k);
size_t coord_keeper_n_unpublished(struct coord_keeper *k);

#endif
