/** What op.c, first.c and finish.c share. Private to rounds/. */
#ifndef COORD_ROUNDS_INTERNAL_H
#define COORD_ROUNDS_INTERNAL_H

#include "rounds/op.h"
#include "rounds/presigs.h"

enum coord_step {
    COORD_DONE = 1, /* the result is in op, verified */
    COORD_FAULT,    /* t nodes agree on a fault */
    COORD_AGAIN,    /* ask another set */
    COORD_RESTART,  /* records have moved on: load again, propose again */
    COORD_GIVE_UP,
};

/** What the call's views point into. */
struct coord_texts {
    struct qk_buf raw, proposal, claim;
    uint8_t body_hash[32];
    struct kms_ref ids[KMS_SLOT_COUNT + 1];
};
#define COORD_TEXTS                                                                                \
    {                                                                                              \
        .raw = QK_BUF(KMS_RAW_ENCODED_MAX), .proposal = QK_BUF(KMS_PROPOSAL_ENCODED_MAX),          \
        .claim = QK_BUF(WIRE_CALL_CLAIM_MAX)                                                       \
    }
void coord_texts_free(struct coord_texts *t);

/** Load the records anew, propose, decide. */
QK_MUST_USE qk_err coord_op_load(struct coord_op *op);
/** For a signature, once per operation: name a presignature and its set. False: there is none. */
bool coord_op_presig(struct coord_op *op, uint8_t presig[static 32]);
/** The call to op->set; t must outlive it, also when this fails. */
QK_MUST_USE qk_err coord_op_call(
    struct coord_op *op, struct wire_call *call, struct coord_texts *t);
/** What an attempt's answers mean. */
QK_MUST_USE qk_err coord_op_conclude(struct coord_op *op, const struct coord_ask *ask,
    struct coord_attempt *a, struct kms_fault *fault, enum coord_step *step);

/** Every node of the set said OK: make and verify the result. Answers beyond t that do not hold may
 *  be dropped from a and op->set. 5xx of ours only. */
QK_MUST_USE qk_err coord_finish(struct coord_op *op, const struct coord_ask *ask,
    struct coord_attempt *a, enum coord_step *step);

#endif
