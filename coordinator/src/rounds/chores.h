/** What the keeper does with nodes: fetch records, look after them. What is due: due.h. */
#ifndef COORD_CHORES_H
#define COORD_CHORES_H

#include "rounds/engine.h"

/** Take over every certified record that node holds and we do not have as new. Blocks.
 *  QK_E_IO, QK_E_TIMEOUT, ...: of the link; QK_E_MALFORMED, QK_E_UNEXPECTED: of the node. */
QK_MUST_USE qk_err coord_fetch_all(struct coord_engine *e, uint16_t node);

/** Does node say in its status that it is in quarantine (it serves nothing then)? Blocks. Errors as
 *  coord_fetch_all. */
QK_MUST_USE qk_err coord_ask_quarantine(struct coord_engine *e, uint16_t node, bool *quarantined);

/** One call to one node, about no caller's request. The caller fills what kind needs and owns the
 *  reply (coord_reply_free) if QK_OK. Blocks. QK_E_TIMEOUT, 5xx. */
QK_MUST_USE qk_err coord_call_one(struct coord_engine *e, uint16_t node, struct wire_call *call,
    enum wire_call_kind kind, struct coord_reply *r);

/** A fresh request id: UUID text and NUL. QK_E_RNG. */
QK_MUST_USE qk_err coord_request_id(char out[static 37]);

#endif
