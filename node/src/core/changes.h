/** Changes of control-plane records: what this node signs. */
#ifndef NODE_CORE_CHANGES_H
#define NODE_CORE_CHANGES_H

#include "core/guard.h"

/** Make the new record versions that op->decision asks for (generating a key first where it says
 *  so), promise them durably, sign them into the answer. The guard has passed. Blocking. */
void node_change(struct node_op *op);
/** DUE: sign the end of a key whose deletion date has come by this node's own clock. */
void node_change_due(struct node_op *op);

#endif
