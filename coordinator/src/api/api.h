/** Answers: what a caller is told when an operation has come to its result.
 *
 *  answer.c   every operation's success
 *  lists.c    ListKeys, ListUsers, ListAccessKeys, ListKeyRotations
 *  status.c   GetStatus
 */
#ifndef COORD_API_H
#define COORD_API_H

#include "rounds/op.h"

/** One HTTP answer. Owned: coord_answer_free. */
struct coord_answer {
    unsigned status;
    const char *content_type;
    const char *error_type; /* static; NULL on success */
    struct qk_buf body;     /* a secret one is wiped, here and by the HTTP front */
};
void coord_answer_free(struct coord_answer *a);

/** What the process says about itself in GetStatus. */
struct coord_about {
    uint64_t started_ms; /* qk_mono_ms */
    size_t queued, running;
};

/** The answer to an operation that coord_op_run finished. A Verify whose signature is bad, a marker
 *  and other late findings turn into faults here. out is filled in every case. */
void coord_api_answer(
    struct coord_op *op, const struct coord_about *about, struct coord_answer *out);
/** The answer to a fault, in the protocol the request speaks. */
void coord_api_fault(const struct kms_raw *raw, const struct kms_fault *fault,
    const char *request_id, struct coord_answer *out);

/* Each appends the body, or refuses with a fault. */
QK_MUST_USE qk_err coord_api_list(
    struct coord_op *op, struct qk_buf *body, struct kms_fault *fault);
QK_MUST_USE qk_err coord_api_rotations(
    struct coord_op *op, struct qk_buf *body, struct kms_fault *fault);
QK_MUST_USE qk_err coord_api_status(struct coord_op *op, const struct coord_about *about,
    struct qk_buf *body, struct kms_fault *fault);

#endif
