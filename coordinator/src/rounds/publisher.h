/** Telling the nodes about new certified records, and bringing the store to the disk.
 *
 *  One thread of its own, woken by what is published. Records that wait together travel together.
 *  Every node that is up is told until it has the record on its disk; one that is down is left to
 *  ask (NEED) when it meets the record. But news that key material is to go wait for it, as long as
 *  the coordinator runs: nobody asks about a deleted key.
 */
#ifndef COORD_PUBLISHER_H
#define COORD_PUBLISHER_H

#include "rounds/engine.h"

struct coord_publisher;

QK_MUST_USE qk_err coord_publisher_new(
    struct coord_publisher **out, struct coord_engine *engine, unsigned retry_ms);
/** Syncs the store a last time. Acknowledgements may still arrive until coord_nodes_free: call
 *  coord_publisher_free after it, coord_publisher_stop before. */
void coord_publisher_stop(struct coord_publisher *p);
void coord_publisher_free(struct coord_publisher *p); /* NULL is allowed */

/** Returns at once and never fails: the records are certified and stored already. */
void coord_publish(struct coord_publisher *p, const struct qk_bytes *certified, size_t n);
/** Records that some node is still to be told. */
size_t coord_publisher_n_open(struct coord_publisher *p);

#endif
