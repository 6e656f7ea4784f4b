/** Changes of control-plane records: what this node signs. */
#ifndef NODE_CORE_CHANGES_H
#define NODE_CORE_CHANGES_H

#include "core/guard.h"

/** Make the new record versions that op->decision asks for (generating a key first where it says
 *  so), sign them into the answer, leave the promises to node_commit. The guard has passed.
 *  Blocking. */
void node_change(struct node_op *op);
/** DUE: sign what is due by this node's own clock: the end of a key, a rotation, the expiry of
 *  imported material. Blocking. */
void node_change_due(struct node_op *op);

/** What op was to promise cannot be promised: no signature in its answer, which becomes RETRY. */
void node_change_failed(struct node_op *op, qk_err err);

#endif
