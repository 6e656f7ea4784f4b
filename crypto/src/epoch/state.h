/** Inside of an epoch commit; private, open to tests. */
#ifndef MPC_EPOCH_STATE_H
#define MPC_EPOCH_STATE_H

#include "mpc/epoch.h"
#include "session/engine.h"

enum mpc_stmt_kind { EP_PREP, EP_VOTE, EP_ABORT, EP_KINDS };

/** A signature that verified (or is our own). len 0: not known. */
struct mpc_stmt {
    uint8_t len;
    uint8_t sig[MPC_SIG_MAX];
};

/** What is known about one run: statements[kind][number of the participant]. */
struct mpc_stmts {
    struct mpc_stmt s[EP_KINDS][MPC_PARTIES_MAX];
};

struct mpc_epoch {
    struct mpc_epoch_run run;
    const struct mpc_signer *signer;
    enum mpc_epoch_state state;
    bool destroyed; /* the WIPE of DONE or ABORTED was carried out */
    bool fenced[MPC_PARTIES_MAX];
    struct mpc_stmts known;
    struct mpc_queue queue;
};

/* ---- statements (statement.c) ---- */

QK_MUST_USE qk_err mpc_run_check(const struct mpc_epoch_run *run);
int mpc_run_index(const struct mpc_epoch_run *run, uint16_t id);
/** The 64 bytes that are signed: H("ep-prep" / "ep-vote"; sid, key_id, u32 base, rec) or
 *  H("ep-abort"; sid, key_id, u32 base). */
QK_MUST_USE qk_err mpc_stmt_message(
    const struct mpc_epoch_run *run, enum mpc_stmt_kind kind, uint8_t out[static 64]);
/** Append u8 kind, u16 id, u8 len, signature for each known statement, ascending. only: a kind, or
 *  EP_KINDS for all. */
void mpc_stmts_encode(const struct mpc_epoch_run *run, const struct mpc_stmts *s,
    enum mpc_stmt_kind only, struct qk_buf *out);
/** Strictly ascending, known kinds and participants, lengths 1..MPC_SIG_MAX, nothing trailing. */
QK_MUST_USE qk_err mpc_stmts_decode(
    const struct mpc_epoch_run *run, struct qk_bytes in, struct mpc_stmts *out);

/* ---- frames (talk.c): an envelope of proto 90 with the body { "st": statements } ---- */

/* The round of the envelope: tell, or tell and ask for all the other holds. */
enum { EP_TELL = 1, EP_ASK = 2 };

/** The number of self in run.ids. */
size_t mpc_epoch_self(const struct mpc_epoch *e);
/** Queue a frame to participant number `to`. */
QK_MUST_USE qk_err mpc_epoch_say(
    struct mpc_epoch *e, unsigned round, const struct mpc_stmts *what, size_t to);
/** The same to every unfenced peer. */
QK_MUST_USE qk_err mpc_epoch_say_to_all(
    struct mpc_epoch *e, unsigned round, const struct mpc_stmts *what);
/** QK_E_MALFORMED for anything but such a frame from `from` to us. Nothing is verified here. */
QK_MUST_USE qk_err mpc_epoch_read(const struct mpc_epoch *e, uint16_t from, struct qk_bytes frame,
    unsigned *round, struct mpc_stmts *out);

/* ---- stored state (store.c) ---- */

/** DONE, ABORTED or SUPERSEDED: what follows is destruction, and then nothing. */
bool mpc_state_ends(enum mpc_epoch_state state);

QK_MUST_USE qk_err mpc_epoch_encode(const struct mpc_epoch *e, struct qk_buf *out);
QK_MUST_USE qk_err mpc_epoch_decode(struct qk_bytes in, struct mpc_epoch *e);

#endif
