/** What the keeper does with nodes: fetch records, end keys whose deletion date has come. */
#ifndef COORD_CHORES_H
#define COORD_CHORES_H

#include "rounds/keeper.h"

/** Take over every certified record that node holds and we do not have as new. Blocks.
 *  QK_E_IO, QK_E_TIMEOUT, ...: of the link; QK_E_MALFORMED, QK_E_UNEXPECTED: of the node. */
QK_MUST_USE qk_err coord_fetch_all(struct coord_engine *e, uint16_t node);

/** Certify, store and publish the end of every key pending deletion whose time was at or before
 *  now_ms. One key's trouble is logged and does not keep the others. Blocks. */
QK_MUST_USE qk_err coord_due_run(
    struct coord_engine *e, struct coord_keeper *keeper, uint64_t now_ms);

/** A fresh request id: UUID text and NUL. QK_E_RNG. */
QK_MUST_USE qk_err coord_request_id(char out[static 37]);

#endif
