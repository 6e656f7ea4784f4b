/** What a node says about itself: no caller's data, no secrets. Members: docs/wire.md. */
#ifndef NODE_CORE_STATUS_H
#define NODE_CORE_STATUS_H

#include "core/node.h"

/** Append one JSON object. */
void node_status_json(struct node *node, struct qk_buf *out);
/** May this node serve: t nodes up (ourselves included), a root of each class with every peer that
 *  is up? */
bool node_ready(struct node *node);

#endif
