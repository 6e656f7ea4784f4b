/** Between the files of crypto/src/session only. */
#ifndef MPC_SESSION_INTERNAL_H
#define MPC_SESSION_INTERNAL_H

#include "session/engine.h"

/** Must `to` get this row's message from `from`? */
bool mpc_engine_expects(
    const struct mpc_party *party, unsigned round, enum mpc_way way, uint16_t from, uint16_t to);

/** Exact keys, exact lengths, nothing trailing (check C-7). fields: views into `in`. */
QK_MUST_USE qk_err mpc_body_parse(const struct mpc_party *party, const struct mpc_row *row,
    struct qk_bytes in, struct qk_bytes *fields);
QK_MUST_USE qk_err mpc_body_encode(const struct mpc_party *party, const struct mpc_row *row,
    const struct qk_bytes *fields, struct qk_buf *out);
/** Remember what enters the echo of this round for peer number ix. */
QK_MUST_USE qk_err mpc_echo_note(struct mpc_party *party, const struct mpc_row *row, size_t ix,
    struct qk_bytes body, const struct qk_bytes *fields);

/** A parsed copy of a body. */
QK_MUST_USE qk_err mpc_msg_new(struct mpc_msg **out, const struct mpc_party *party,
    const struct mpc_row *row, struct qk_bytes body);
void mpc_msg_free(struct mpc_msg *msg);

/** Queue a SEND of a body under the session's (in round 0 the open) id. */
QK_MUST_USE qk_err mpc_queue_frame(
    struct mpc_party *party, unsigned round, uint16_t to, struct qk_bytes body);
/** Does an effect of this kind wait? */
bool mpc_queue_has(const struct mpc_queue *q, enum mpc_effect_kind kind);
/** Drop what a failed step wanted to say or store, from effect number `first` on; keep poisoning
 *  and wiping. */
void mpc_queue_drop_unsaid(struct mpc_queue *q, size_t first);

/** End in failure: blame by err unless a reason stands, tell the peers if `tell`, wipe. Effects
 *  before number `first` are of completed steps and stay, unless a setup is to be poisoned: then
 *  nothing precedes that (document 20 section 7.2). */
void mpc_engine_abort(struct mpc_party *party, qk_err err, bool tell, size_t first);
/** Run round functions while rounds are complete. On failure the party is aborted already. */
QK_MUST_USE qk_err mpc_engine_advance(struct mpc_party *party);
/** Wipe all bodies, nonces and early frames. */
void mpc_engine_wipe_session(struct mpc_party *party);
/** Take a checked-in frame of round 1.. (sid and sender verified). */
QK_MUST_USE qk_err mpc_engine_take(
    struct mpc_party *party, size_t from_ix, const struct mpc_envelope *env);

#endif
