/** The guard: may this call be carried out? Decided here from what this node can verify itself:
 *  the caller's signature over the original request, certified records no older than any it has
 *  seen, the key's state, the policy, its own clock. The coordinator's word counts for nothing
 *  (DESIGN section 5).
 */
#ifndef NODE_CORE_GUARD_H
#define NODE_CORE_GUARD_H

#include "core/commit.h"
#include "core/node.h"
#include "core/records.h"
#include "kms/decide.h"
#include "kms/sigv4.h"
#include "wire/calls.h"

enum { NODE_PART_MAX = WIRE_ANSWER_PART_MAX }; /* of an evaluation or a MAC; random bytes */

/** One operation being served: everything from the call's bytes to the answer's. */
struct node_op {
    struct node *node;
    struct wire_reply *reply;
    const char *turned_away; /* why this call is not one to act on; NULL: act */
    struct qk_buf frame;     /* owned; everything below points into it */
    struct wire_call call;
    size_t coordinator; /* who calls: number in cluster.conf; WIRE_MEMBERS_MAX: none of them */
    struct kms_context ctx;
    struct kms_raw raw;
    struct kms_sigv4 auth;
    struct kms_operator oper;
    bool by_operator;
    struct kms_request req;
    bool req_parsed;
    struct kms_proposal prop;
    bool has_prop;
    struct kms_records recs;
    struct node_known *known[KMS_SLOT_COUNT]; /* references behind recs */
    struct kms_decision decision;
    struct kms_fault fault;
    char principal[KMS_ARN_MAX]; /* ARN of the caller, or "operator:NAME"; until known
                                  * whoever sent the call: "coordinator:NAME", "node:ID" */

    const struct qk_bytes *bundle; /* all calls that came with this one; NULL: alone */
    size_t n_bundle;

    uint64_t from_ms;               /* qk_mono_ms when work began; 0: it did not */
    struct node_audit_batch *batch; /* where the entry goes; NULL: to the file at once */
    uint64_t audit_seq;             /* not 0: this decision is in the audit log already */
    struct node_later later;
    struct wire_answer answer;
    struct qk_buf out; /* what the answer's views point into */
    struct qk_buf sealed;
    struct qk_buf names; /* of presignatures */
    struct qk_buf part;  /* secret */
    bool silent;         /* no answer leaves at all */
};

enum node_verdict {
    NODE_GO,     /* op->decision says what to do */
    NODE_ANSWER, /* op->answer is complete: NEED, STALE, RETRY, REFUSED or FAULT */
};

/** Decide. Blocks for the day key of the caller's credential when it is not cached. */
enum node_verdict node_guard(struct node_op *op);

/** Again, just before a result that cannot be taken back leaves: does what the decision rests on
 * still stand? False if a newer record has been learnt, or a change signed, since node_guard. */
bool node_guard_still(struct node_op *op);

/** op->answer := FAULT with op->fault. */
enum node_verdict node_op_fault(struct node_op *op);
/** op->answer := status with a reason for the coordinator's log (static text). */
enum node_verdict node_op_stop(struct node_op *op, enum wire_answer_status status, const char *why);
void node_op_clear(struct node_op *op);
/** Log that the request is allowed, before it is carried out: then the log and what the operation
 *  writes reach the disk side by side (commit.h). If it fails after all, a second entry says so. */
QK_MUST_USE qk_err node_op_audit_ahead(struct node_op *op);

/** Does the call rest on this version of (kind, id)? Compares what the coordinator says with what
 *  this node holds and takes attached records in. For OP and DUE calls.
 *  *known is NULL if the record does not exist. NODE_ANSWER: the call cannot go on. */
enum node_verdict node_guard_record(
    struct node_op *op, enum kms_kind kind, const char *id, struct node_known **known);

#endif
