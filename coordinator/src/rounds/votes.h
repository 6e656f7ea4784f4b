/** Faults that nodes told, and what t of them agree on: one node alone decides nothing. */
#ifndef COORD_VOTES_H
#define COORD_VOTES_H

#include "kms/fault.h"
#include "rounds/attempt.h"

struct coord_votes {
    struct kms_fault *fault[WIRE_NODES_MAX]; /* by index in the cluster file; NULL: none. Owned */
};
void coord_votes_free(struct coord_votes *v);

/** Note the faults of an attempt: a node's newest word counts. A fault that this library does not
 *  know is no vote. */
QK_MUST_USE qk_err coord_votes_take(
    struct coord_votes *v, const struct wire_cluster *cluster, const struct coord_attempt *attempt);
/** The same of one answer. */
QK_MUST_USE qk_err coord_votes_note(
    struct coord_votes *v, const struct wire_cluster *cluster, const struct coord_reply *reply);
/** True iff t nodes told the same fault, put in *out. When t agree on its name but not on its text
 *  (a text may carry a node's own clock) the text is left out. */
bool coord_votes_agree(const struct coord_votes *v, size_t t, struct kms_fault *out);
size_t coord_votes_count(const struct coord_votes *v);

#endif
