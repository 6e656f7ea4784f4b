/** Running protocol parties: routing, effects, deadlines, caps (check C-14).
 *
 *  A session is registered, its party's effects are executed as they come, and its owner waits for
 *  the end. Frames for a session id that is not known yet are kept for a short while: a peer may be
 *  a step ahead of us.
 */
#ifndef NODE_CORE_SESSIONS_H
#define NODE_CORE_SESSIONS_H

#include "core/node.h"

QK_MUST_USE qk_err node_sessions_new(struct node_sessions **out, const struct node *node);
void node_sessions_free(struct node_sessions *sessions);

/** Run a party to its end, blocking (ops or background pool only).
 *
 *  party    borrowed; nobody else touches it until this returns
 *  session  its inputs, for peers and logs
 *  opener   the peer that asked for it, or 0: a coordinator or ourselves
 *  what     static text for logs: "dkg", "sign", ...
 *
 *  Returns  QK_OK         the party is MPC_DONE: take its result
 *           QK_E_BUSY     too many sessions
 *           QK_E_TIMEOUT  deadline passed
 *           QK_E_IO       a link broke
 *           other         the abort, audited; *culprit names the blamed node or 0
 */
QK_MUST_USE qk_err node_session_run(struct node *node, struct mpc_party *party,
    const struct mpc_session *session, uint16_t opener, const char *what, uint64_t timeout_ms,
    uint16_t *culprit);

/** An MPC frame from a peer. */
void node_sessions_receive(struct node *node, uint16_t from, struct qk_bytes frame);
/** Wake waiting owners whose deadline passed; drop stale early frames. */
void node_sessions_tick(struct node *node);
/** Sessions open now. */
size_t node_sessions_count(struct node *node);

#endif
