/** Using keys: one signer's part of a threshold signature. */
#ifndef NODE_CORE_SIGNING_H
#define NODE_CORE_SIGNING_H

#include "core/guard.h"

/** Sign op->decision.digest with the other nodes of op->call.peers and put the part into the
 *  answer. The guard has passed. Blocking. Fills op->answer in every case. */
void node_sign(struct node_op *op);

#endif
