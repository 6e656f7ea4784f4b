/** Serving calls: from a frame of wire/call.h to an answer. */
#ifndef NODE_CORE_CALLS_H
#define NODE_CORE_CALLS_H

#include "core/node.h"

/** wire_server_config.handler; ctx is the node. Copies and hands over to the ops pool. */
void node_calls_handler(
    void *ctx, const struct wire_caller *caller, struct qk_bytes bytes, struct wire_reply *reply);

#endif
