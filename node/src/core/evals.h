/** EVAL (protocols/50-symmetric.md section 5): this node's part of an Encrypt, a data key, a
 * Decrypt or a ReEncrypt. Page: docs/encryption.md.
 *
 *  The guard has passed: the caller signed the request, may do this, the key's state allows it.
 * What is evaluated then comes from the request and the certified records, never from the
 * coordinator: DEC  mode, flags, version, alpha, T and tags of the blob in the request, its context
 *      ENC  the record's current version, the context of the request (Encrypt: of the claim);
 *           alpha, mode and tickets are the coordinator's
 *
 *  The part is secret: t nodes' parts give the value away. It is wiped with the operation.
 */
#ifndef NODE_CORE_EVALS_H
#define NODE_CORE_EVALS_H

#include "core/guard.h"

/** KMS_DO_ENCRYPT, _DECRYPT, _REENCRYPT. Without an item (op 0) the answer is OK with no part, or
 *  the fault of a blob that is none. Never waits, but for the disk once in 2^20 evaluations. */
void node_eval(struct node_op *op);

/** CHANNEL: draw a channel for the coordinator that calls. */
void node_eval_channel(struct node_op *op);
/** RAND: contribute random bytes. */
void node_eval_rand(struct node_op *op);

/** What an eval_status means, for logs: "ok", "ticket", ... */
const char *node_eval_text(uint8_t eval_status);

#endif
