/** What must be on the disk before an answer leaves: records learnt from the call, and promises.
 *
 *  An operation collects them while it is decided and carried out; whoever serves it writes them,
 *  with one sync for all the operations of a bundle, and only then answers. A record is in force
 *  from the moment it is learnt (records.h); a signature leaves with the answer.
 */
#ifndef NODE_CORE_COMMIT_H
#define NODE_CORE_COMMIT_H

#include "core/records.h"
#include "kms/decide.h"
#include "vault/records.h"

enum { NODE_LEARNT_MAX = 3 }; /* of one operation; more are written at once */

struct node_op;

struct node_later {
    struct node_known *learnt[NODE_LEARNT_MAX]; /* references */
    size_t n_learnt;
    struct node_later_promise {
        struct node_promise p; /* record: set by node_commit from record_at */
        char id[KMS_RECORD_ID_MAX + 1];
        uint8_t sig[WIRE_SIG_LEN];
        size_t record_at, record_len; /* in op->out */
        bool added;                   /* to pending.h: to be withdrawn if the promise fails */
    } promises[KMS_CHANGE_MAX];
    size_t n_promises;
};

enum { NODE_COMMIT_OPS_MAX = 64 };

/** Write what n (<= NODE_COMMIT_OPS_MAX) operations have collected. An operation of which something
 *  cannot be written gets the answer RETRY. */
void node_commit(struct node_op *const *ops, size_t n);
/** Anything to write? */
bool node_commit_wanted(const struct node_op *op);
/** Give back the references. */
void node_later_clear(struct node *node, struct node_later *later);

#endif
