/** EVAL at a node: from an authorised item to the node's part of the function value.
 *
 *  Source: protocols/50-symmetric.md section 5 (proto 51). The order of the node's work:
 *
 *      parse the frame; record certified, key state and version usable; AUTHORISE each item;
 *      then mpc_sym_eval: tickets or tags, X from the fields, evaluation
 *
 *  Everything up to AUTHORISE is the node's own duty (checks S-15, S-16): this module evaluates
 *  whatever it is given.
 */
#ifndef MPC_SYM_NODE_H
#define MPC_SYM_NODE_H

#include "mpc/sym_record.h"

/* ------------------------------------------------------ ticket window -- */

enum { MPC_SYM_WINDOW = 4096 };
#define MPC_SYM_EVALUATIONS_MAX (UINT64_C(1) << 40)

/** What a node remembers of one link from one requester: chan, and which counters were used.
 *  Thread-safe. Made when the link begins, never restored from disk: a restarted node has new
 *  ones (check S-6). */
struct mpc_sym_window;
QK_MUST_USE qk_err mpc_sym_window_new(struct mpc_sym_window **out, struct qk_rng *rng);
void mpc_sym_window_free(struct mpc_sym_window *window);
/** To be told to the requester at link start and with every status MPC_SYM_TICKET. */
void mpc_sym_window_chan(
    const struct mpc_sym_window *window, uint8_t chan[static MPC_SYM_CHAN_LEN]);
/** Mark ctr as used; false if it was used, is 0, or is more than 4096 behind the highest. */
bool mpc_sym_window_take(struct mpc_sym_window *window, uint64_t ctr);

/* ------------------------------------------------------------ a key -- */

/** A node's share of one version, ready for use: AES key schedules, share scalar, S_self.
 *  Thread-safe (it is locked for the microseconds of its use). Secret; the share scalar is in
 *  locked memory, the key schedules are in OpenSSL's, wiped on free. */
struct mpc_sym_key;

/** share must pass mpc_sym_share_check against rec (QK_E_CORRUPT).
 *  evaluations: how many this version is known to have had, see mpc_sym_key_evaluations.
 *  Costs about 1 us per set, and 30 us with mode V: keep the object. */
QK_MUST_USE qk_err mpc_sym_key_new(struct mpc_sym_key **out, const struct mpc_sym_record *rec,
    const struct mpc_sym_share *share, uint64_t evaluations);
void mpc_sym_key_free(struct mpc_sym_key *key);
const struct mpc_sym_version *mpc_sym_key_version(const struct mpc_sym_key *key);
/** Mode-F evaluations so far (check S-24). The caller makes it durable in blocks, ahead of use:
 *  before the count passes what is on disk it stores count + 2^20, and after a restart it starts
 *  from what is on disk. */
uint64_t mpc_sym_key_evaluations(const struct mpc_sym_key *key);

/* ------------------------------------------------------------- EVAL -- */

/** One item of a frame and its answer. */
struct mpc_sym_work {
    const struct mpc_sym_item *item;
    struct mpc_sym_key *key; /* of item->key_id and item->ver. NULL: the node refused already and
                                has set status; nothing is evaluated */
    uint8_t status;          /* enum mpc_sym_status */
    struct qk_bytes answer;  /* out: a view into `out` of mpc_sym_eval; empty unless OK */
};

/** Evaluate a frame's items; items are independent of each other (check S-23).
 *
 *  op, prove  of the frame. prove is for DEC in mode V; ENC in mode V always proves
 *  window     of the link the frame came on; NULL is allowed for DEC
 *  work, n    0..64 items, of any keys
 *  rng        for proof nonces
 *  out        the answers, one behind the other; SECRET: t answers of different nodes give the
 *             value away, so they go to the requester only. Must be empty.
 *
 *  Tickets of all items are marked used before anything is evaluated.
 *
 *  Returns  QK_OK: look at each status. QK_E_STATE: n, op, window or out does not fit (nothing was
 *           marked). QK_E_NOMEM. An item's own trouble is its status MPC_SYM_FAULT.
 */
QK_MUST_USE qk_err mpc_sym_eval(enum mpc_sym_op op, bool prove, struct mpc_sym_window *window,
    struct mpc_sym_work *work, size_t n, struct qk_rng *rng, struct qk_buf *out);

#endif
