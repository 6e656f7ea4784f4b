/** SYMENC and SYMDEC: Encrypt and Decrypt at the combiner (a coordinator, later a delegate).
 *
 *  Source: protocols/50-symmetric.md sections 6 and 8. State machines without I/O or clock:
 *
 *      mpc_sym_enc_start (or mpc_sym_dec_start)
 *      while (mpc_sym_run_next(run, &ask)) put ask.item into a frame for node ask.to;
 *      per answer: mpc_sym_run_receive, then mpc_sym_run_next again
 *      link down or call failed: mpc_sym_run_lost. Deadline: mpc_sym_run_expire.
 *      until mpc_sym_run_state is not RUNNING; then mpc_sym_enc_take or mpc_sym_dec_take
 *
 *  The combiner holds no key. It holds plaintext while it runs; everything is wiped on free.
 *  Nothing that breaks the release rule is ever handed out (check S-3): the caller of
 *  GenerateDataKey throws the plaintext key away, so a blob under a wrong value is lost data.
 *
 *  Not thread-safe: one caller at a time.
 */
#ifndef MPC_SYM_COMBINE_H
#define MPC_SYM_COMBINE_H

#include "mpc/sym_record.h"

enum mpc_sym_state {
    MPC_SYM_RUNNING,
    MPC_SYM_DONE,
    MPC_SYM_INVALID,     /* DEC: no such ciphertext, whatever is wrong with it */
    MPC_SYM_REFUSED,     /* t nodes gave the same status: mpc_sym_run_refusal */
    MPC_SYM_UNAVAILABLE, /* too few nodes, or they do not agree: retry later */
};

struct mpc_sym_run;

/** A request for one node. item and its views stay valid until the next receive, lost or expire. */
struct mpc_sym_ask {
    uint16_t to;
    uint8_t op; /* enum mpc_sym_op */
    bool prove;
    uint32_t attempt; /* comes back in the reply: late answers to an earlier X are dropped */
    const struct mpc_sym_item *item;
};

struct mpc_sym_reply {
    uint16_t from; /* as the link proved it */
    uint32_t attempt;
    uint8_t status; /* enum mpc_sym_status */
    struct qk_bytes answer;
};

/** The next ticket of a live node: its current chan and a counter never used on it before.
 *  QK_E_NOT_FOUND: the node is not live now, leave it out. The machine asks anew for every X. */
typedef qk_err (*mpc_sym_ticket_fn)(void *ctx, uint16_t node, struct mpc_sym_ticket *out);

struct mpc_sym_enc_params {
    const struct mpc_sym_version *version; /* borrowed for the life of the run */
    struct qk_bytes ec;                    /* canonical EC; copied */
    struct qk_bytes plain;                 /* 1..4096 bytes; secret; copied */
    const uint16_t *nodes;                 /* whom to ask, the preferred ones first; copied */
    size_t n_nodes;
    unsigned spare; /* mode V: ask so many more than t at once, to hide a slow one */
    bool avoid_f;   /* go to mode V at once: a group under suspicion (section 8), or by choice */
    mpc_sym_ticket_fn ticket;
    void *ctx;
    struct qk_rng *rng; /* rho; borrowed */
};

/** QK_E_STATE: plaintext or node list out of bounds, a node that is not the version's;
 *  QK_E_MALFORMED: ec. With too few nodes the run begins as UNAVAILABLE. */
QK_MUST_USE qk_err mpc_sym_enc_start(
    struct mpc_sym_run **out, const struct mpc_sym_enc_params *params);

struct mpc_sym_dec_params {
    const struct mpc_sym_version *version; /* borrowed; of the blob's key_id and ver */
    struct qk_bytes blob;                  /* copied */
    struct qk_bytes ec;                    /* canonical EC; copied */
    const uint16_t *nodes;                 /* whom to ask, the preferred ones first; copied */
    size_t n_nodes;
    unsigned spare; /* ask so many more than t at once */
};

/** A blob that does not parse or does not fit the record gives a run that is INVALID at once.
 *  QK_E_STATE, QK_E_MALFORMED as above. */
QK_MUST_USE qk_err mpc_sym_dec_start(
    struct mpc_sym_run **out, const struct mpc_sym_dec_params *params);

bool mpc_sym_run_next(struct mpc_sym_run *run, struct mpc_sym_ask *ask);
/** Feed an answer. With status TICKET the caller has taken over the node's new chan before.
 *  Returns  QK_OK         taken, or dropped as late or repeated
 *           QK_E_STATE    no such node in this run, or the run has ended
 *           5xx           local trouble: the run is UNAVAILABLE
 *  What is wrong with an answer is told by state and suspects, not here. */
QK_MUST_USE qk_err mpc_sym_run_receive(struct mpc_sym_run *run, const struct mpc_sym_reply *reply);
/** This node will not answer in this attempt. Never its fault by itself. */
QK_MUST_USE qk_err mpc_sym_run_lost(struct mpc_sym_run *run, uint16_t node, uint32_t attempt);
/** A deadline passed: ENC in mode F falls to mode V (FV) or ends; mode V and DEC ask the nodes not
 *  asked yet, or end. Default deadline for ENC in mode F: max(20 ms, 3 x recent p95). */
QK_MUST_USE qk_err mpc_sym_run_expire(struct mpc_sym_run *run);

enum mpc_sym_state mpc_sym_run_state(const struct mpc_sym_run *run);
/** The status t nodes agreed on, when REFUSED. */
uint8_t mpc_sym_run_refusal(const struct mpc_sym_run *run);
/** The mode of the current attempt, MPC_SYM_F or MPC_SYM_V, and the attempt's number. */
uint8_t mpc_sym_run_mode(const struct mpc_sym_run *run);
uint32_t mpc_sym_run_attempt(const struct mpc_sym_run *run);

/** Whom this run gives reason to suspect (section 8). cls MPC_BLAME_P: proved or malformed, a
 *  strike. cls MPC_BLAME_N: one of several; log it on each, never ban on it (check S-22). In mode F
 *  three events with a common suspect within ten minutes: start with avoid_f for ten minutes. */
struct mpc_sym_suspect {
    uint16_t node;
    uint8_t cls;       /* enum mpc_blame_class: P or N */
    const char *check; /* static text, for the local audit log only */
};
size_t mpc_sym_run_suspects(
    const struct mpc_sym_run *run, struct mpc_sym_suspect out[static MPC_NODES_MAX]);

/** Append the blob of a DONE Encrypt. QK_E_STATE otherwise. */
QK_MUST_USE qk_err mpc_sym_enc_take(const struct mpc_sym_run *run, struct qk_buf *out);
/** Append the plaintext of a DONE Decrypt to a QK_BUF_SECRET. QK_E_STATE otherwise. */
QK_MUST_USE qk_err mpc_sym_dec_take(const struct mpc_sym_run *run, struct qk_buf *out);

/** Wipe and free; NULL is allowed. */
void mpc_sym_run_free(struct mpc_sym_run *run);

#endif
