/** GenerateMac and VerifyMac: this node's role in a run of MAC3 (protocols/60-hmac.md section 5).
 *  Page: docs/hmac.md.
 *
 *  The guard has passed: the caller signed the request, may do this, the key's state allows it. Key
 *  and message come from the request and the certified records (check M-10); the coordinator names
 *  the run and the roles, which have to be three nodes of the key with this one among them (M-9).
 *
 *  The answer's part is what the role has for the combiner. It is secret: the three parts together
 *  are the tag. It is wiped with the operation.
 */
#ifndef NODE_CORE_MACS_H
#define NODE_CORE_MACS_H

#include "core/guard.h"

/** KMS_DO_GENERATE_MAC, KMS_DO_VERIFY_MAC. Without an item the answer is OK with no part: the
 * caller is who he says. Blocking, at most NODE_MAC_N_MS, in profile S NODE_MAC_S_MS. */
void node_mac(struct node_op *op);

enum { NODE_MAC_N_MS = 1500, NODE_MAC_S_MS = 7000 };

#endif
