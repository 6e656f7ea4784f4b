/** One attempt: ask one set of nodes once, hand out the records they need, gather the answers. */
#ifndef COORD_ATTEMPT_H
#define COORD_ATTEMPT_H

#include "rounds/engine.h"

/** What is asked. Everything is borrowed for the run. */
struct coord_ask {
    struct coord_engine *engine;
    const struct wire_call *call; /* refs filled in, no records */
    const uint16_t *set;          /* the nodes to ask, ascending */
    size_t n_set;
    unsigned timeout_ms;
    const struct qk_bytes *parts; /* SECRET: a part of the call for each of the set; NULL: none */
    enum coord_travel how;
    bool patient;  /* one failure does not cut the others short: they do not depend on each other */
    size_t enough; /* patient: once so many said OK the others get only grace_ms; 0: all */
};

struct coord_attempt {
    size_t n;                                   /* of the set */
    bool got[WIRE_NODES_MAX];                   /* by position in the set */
    struct coord_reply replies[WIRE_NODES_MAX]; /* where got: final (never NEED) */
    bool stale;                                 /* some node holds newer records */
    bool all_ok;
};

/** Nothing has come yet from n nodes. Leaves replies as they are: they count only where got. */
void coord_attempt_init(struct coord_attempt *a, size_t n);
/** Ask. QK_OK whatever the nodes answered; 5xx of ours. Free in every case. */
QK_MUST_USE qk_err coord_attempt_run(const struct coord_ask *ask, struct coord_attempt *out);
void coord_attempt_free(struct coord_attempt *a);

/** Is there an answer at this position, and does it say OK? */
bool coord_attempt_ok(const struct coord_attempt *a, size_t at);
/** Go on without the answer at position at; set (of the same length) closes up, too. */
void coord_attempt_drop(struct coord_attempt *a, uint16_t *set, size_t at);

/** Add what this attempt says against nodes of the set to d, cool nodes down, log and count. */
void coord_attempt_judge(
    const struct coord_ask *ask, const struct coord_attempt *a, struct coord_doubts *d);

/** The part of coord_attempt_judge that one answer other than OK makes: logged and counted, too. */
void coord_judge_reply(
    const struct coord_ask *ask, const struct coord_reply *r, struct coord_doubts *d);

/** Records that one node asked for in one attempt. Zeroed at first; coord_attached_free at the end.
 */
struct coord_attached {
    struct coord_entry entries[WIRE_CALL_RECORDS_MAX];
    size_t n;
    unsigned rounds;
};
void coord_attached_free(struct coord_attached *a);
/** The answer to NEED: append the encoding of ask->call with the records of this NEED and of those
 *  before it. QK_E_MALFORMED: asks for nothing, or too often; QK_E_NOT_FOUND, QK_E_TOO_LARGE; 5xx.
 */
QK_MUST_USE qk_err coord_attach(const struct coord_ask *ask, const struct wire_answer *need,
    struct coord_attached *a, struct qk_buf *bytes);

/** A STALE answer: take its records over into the store. True iff something that the call rests on
 *  has moved on, so that it has to start over. False: the node had nothing to show, which is held
 *  against it. One node alone must not keep anybody from using a key. */
bool coord_stale_reply(
    const struct coord_ask *ask, const struct coord_reply *r, struct coord_doubts *d);
/** The same for every STALE answer of an attempt. */
bool coord_attempt_adopt(
    const struct coord_ask *ask, const struct coord_attempt *a, struct coord_doubts *d);

/** Take one record that a node showed into the store; logs what does not hold. */
bool coord_adopt_from(struct coord_engine *e, uint16_t node, struct qk_bytes certified);

#endif
