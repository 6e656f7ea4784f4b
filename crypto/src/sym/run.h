/** Inside of SYMENC and SYMDEC; private, open to tests. */
#ifndef MPC_SYM_RUN_H
#define MPC_SYM_RUN_H

#include "mpc/sym_combine.h"
#include "qk/secret.h"
#include "sym/version.h"

enum sym_seat_state {
    SEAT_IDLE, /* not asked in this attempt */
    SEAT_ASK,  /* to be asked: mpc_sym_run_next */
    SEAT_ASKED,
    SEAT_LOST,    /* asked, and given up; an answer that comes after all is welcome */
    SEAT_OK,      /* answered; in mode V with a proof: verified */
    SEAT_REFUSED, /* a status other than OK */
    SEAT_BAD,     /* its answer failed a check */
    SEAT_OUT,     /* not live in this attempt */
};

struct sym_seat {
    uint16_t id;
    size_t ix; /* in the record */
    enum sym_seat_state st;
    uint8_t status;
    struct qk_buf answer; /* mode F: its pieces */
    struct mpc_point z;   /* mode V */
};

struct mpc_sym_run {
    const struct mpc_sym_version *version;
    enum mpc_sym_op op;
    enum mpc_sym_state state;
    uint8_t refusal;
    uint8_t mode;
    bool prove;
    uint32_t attempt;
    unsigned spare;
    struct sym_seat seat[MPC_NODES_MAX]; /* in the order of preference */
    size_t n;

    struct mpc_sym_item item;
    struct qk_buf ec;
    uint8_t d_ec[32], t[32], x[32];
    struct mpc_point p; /* H2P of X, in mode V */

    /* ENC */
    struct qk_buf clear; /* rho || m */
    struct qk_buf tk;
    mpc_sym_ticket_fn ticket;
    void *ctx;
    struct qk_rng *rng;
    bool retried; /* a TICKET status has had its second chance */

    /* DEC */
    struct qk_buf blob_bytes;
    struct mpc_sym_blob blob;

    struct {
        uint8_t cls;
        const char *check;
    } suspect[MPC_NODES_MAX]; /* by number in the record */
    struct qk_buf result;     /* blob or plaintext */
};

/* ---- run.c ---- */

QK_MUST_USE qk_err sym_run_new(struct mpc_sym_run **out, const struct mpc_sym_version *version,
    enum mpc_sym_op op, struct qk_bytes ec, const uint16_t *nodes, size_t n);
/** Forget the answers of the attempt before; every seat is IDLE. */
void sym_run_attempt(struct mpc_sym_run *run, uint8_t mode, bool prove);
/** X and, in mode V, its point, from the item. */
QK_MUST_USE qk_err sym_run_point(struct mpc_sym_run *run);
void sym_run_end(struct mpc_sym_run *run, enum mpc_sym_state state);
size_t sym_run_count(const struct mpc_sym_run *run, enum sym_seat_state st);
/** Seats that may still give an answer in this attempt without anybody new being asked. */
size_t sym_run_open(const struct mpc_sym_run *run);
/** Ask up to k IDLE seats. Returns how many. */
size_t sym_run_ask(struct mpc_sym_run *run, size_t k);
/** Name node number ix. P stands, whatever comes later. */
void sym_run_suspect(struct mpc_sym_run *run, size_t ix, uint8_t cls, const char *check);
/** DONE: whoever said TICKET or ORIGIN while t others answered is suspect. */
void sym_run_done(struct mpc_sym_run *run);
/** Ends the run if t nodes gave the same refusal. */
bool sym_run_refused(struct mpc_sym_run *run);

/* ---- copies.c: mode F ---- */

/** The piece (with op ENC: piece and tag) of set a in the answer of this seat; NULL if the seat has
 *  none. len: MPC_SYM_PIECE_LEN, or with the tag behind it. */
const uint8_t *sym_piece(const struct mpc_sym_run *run, const struct sym_seat *seat, size_t a);

enum sym_copies { COPIES_WAIT, COPIES_ENOUGH, COPIES_DIFFER, COPIES_SHORT };
/** The release rule of Encrypt (check S-3) over the answers so far: ENOUGH: t equal copies of
 *  different nodes for every set. SHORT: cannot come about any more. Names suspects on DIFFER. */
enum sym_copies sym_copies_judge(struct mpc_sym_run *run);
/** XOR over all sets of the first copy of each, and (ENC) the tags, 16*d. */
QK_MUST_USE qk_err sym_copies_value(
    const struct mpc_sym_run *run, struct qk_sec32 *w, uint8_t *tags);

/** The values that the answers allow, for Decrypt: for ever larger L of at most t-1 answering
 *  seats, the pieces of the others where these agree and cover every set. try is called with each;
 *  it returns true to stop. Returns whether it stopped; *n_tried counts the calls. lies: seats in L
 *  of the last call that differ from the others (a bit for each seat). */
bool sym_copies_search(const struct mpc_sym_run *run,
    bool (*try)(void *ctx, const struct qk_sec32 *w), void *ctx, size_t *n_tried, uint32_t *lies);

/* ---- points.c: mode V ---- */

/** Take an answer: 33 or 131 bytes. QK_E_MALFORMED, QK_E_PROOF (check S-4): the node's fault. */
QK_MUST_USE qk_err sym_point_take(
    struct mpc_sym_run *run, struct sym_seat *seat, struct qk_bytes answer);
/** w from the first t OK seats. QK_E_PROOF: W is O. */
QK_MUST_USE qk_err sym_point_value(const struct mpc_sym_run *run, struct qk_sec32 *w);

/* ---- enc.c, dec.c: what follows from the answers so far ---- */

QK_MUST_USE qk_err sym_enc_progress(struct mpc_sym_run *run);
/** Mode F: fall to mode V, or end. */
QK_MUST_USE qk_err sym_enc_fall(struct mpc_sym_run *run);
/** One more try of the same mode with new tickets. */
QK_MUST_USE qk_err sym_enc_retry(struct mpc_sym_run *run);
QK_MUST_USE qk_err sym_dec_progress(struct mpc_sym_run *run);

#endif
