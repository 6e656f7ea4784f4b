/** MAC3: one HMAC by three nodes, one of which may lie.
 *
 *  Source: protocols/60-hmac.md section 5 (proto 60). A garbled circuit with two garblers that
 *  draw from one seed (Mohassel, Rosulek, Zhang, CCS 2015), an evaluator, and a combiner who alone
 *  can read the result. See docs/protocols/mac.md.
 *
 *      G1  mpc_mac_g1_new -> mpc_mac_g1_chunk until it gives nothing, each to E in order
 *                         -> mpc_mac_g1_take to the combiner
 *      G2  mpc_mac_g2_new -> mpc_mac_g2_labels to E -> mpc_mac_g2_work until done
 *                         -> mpc_mac_g2_gmac to E, mpc_mac_g2_take to the combiner
 *      E   mpc_mac_e_new  -> mpc_mac_e_chunk, _labels, _gmac as they come, in any order
 *                         -> mpc_mac_e_take to the combiner: every check was passed
 *      combiner           mpc_mac_combine -> the tag
 *
 *  The caller has authorised the raw request and gives the message that is in it, not a digest
 *  (check M-10). kappa is the secret of the link between two nodes, fresh with every link (M-11).
 *  A run that fails is over: objects answer QK_E_STATE from then on.
 *
 *  Secret: everything but run, kh and what goes to the combiner; frames travel on node links only.
 *  Timing: constant in share, kappa, labels; variable in message length, algorithm, roles.
 *  Threads: one caller at a time for each object.
 */
#ifndef MPC_MAC_H
#define MPC_MAC_H

#include "mpc/mac_record.h"

enum {
    MPC_MAC_MESSAGE_MAX = 4096,
    MPC_MAC_KAPPA_LEN = 32,
    MPC_MAC_CHUNK = 131072, /* bytes of the stream from G1 to E at once; only the last is shorter */
    MPC_MAC_GMAC_LEN = 16,
    MPC_MAC_LABELS_MAX = 16 * 8 * MPC_MAC_SECRET_MAX, /* LB */
    MPC_MAC_Y_MAX = 16 * 8 * MPC_MAC_DIGEST_MAX,      /* Y */
    MPC_MAC_G1_MAX = 32 + 16 + 2 * MPC_MAC_Y_MAX,     /* run, kh, OT */
    MPC_MAC_G2_LEN = 32,
    MPC_MAC_HOLD_CHUNKS = 2, /* what E keeps while the labels of G2 are missing */
};

/** One run, as a node sees it. Borrowed for the life of an object made from it: message only. */
struct mpc_mac_task {
    const struct mpc_mac_record *rec;
    const struct mpc_mac_share *share; /* of this node; checked against rec at load */
    struct mpc_mac_roles roles;
    uint8_t mid[32];
    struct qk_bytes message; /* 1..MPC_MAC_MESSAGE_MAX bytes */
    const uint8_t *digest;   /* instead of a message, for the self-test: digest_len bytes that take
                                the place of h. Else NULL */
};

/** h: the rest of the inner hash, from ist over the message. Profile N; digest_len bytes to out.
 *  QK_E_STATE: unknown algorithm. Constant time in ist and message. */
QK_MUST_USE qk_err mpc_mac_inner(
    uint8_t *out, unsigned alg, const uint8_t *ist, struct qk_bytes message);

/** run: what the three of them and the combiner call this run. Binds key, version, epoch, all
 *  pieces, algorithm, profile, mid, roles, and h (profile N) or the message (profile S): check M-8.
 *  QK_E_STATE: roles are not three distinct nodes of the record with this node among them (M-9), or
 *  the message is too long or empty. */
QK_MUST_USE qk_err mpc_mac_run_id(uint8_t out[static 32], const struct mpc_mac_task *task);

/** Bytes of the stream from G1 to E (LA || M1), of LB, of what G1 gives the combiner, of Y. */
struct mpc_mac_sizes {
    uint64_t stream;
    size_t labels_b, g1, y;
};
/** QK_E_STATE as for mpc_mac_run_id. */
QK_MUST_USE qk_err mpc_mac_sizes(struct mpc_mac_sizes *out, const struct mpc_mac_task *task);

/* ----------------------------------------------------------------- G1 -- */

struct mpc_mac_g1;
/** QK_E_STATE: this node is not G1 of the task, and as for mpc_mac_run_id. 5xx. */
QK_MUST_USE qk_err mpc_mac_g1_new(struct mpc_mac_g1 **out, const struct mpc_mac_task *task,
    const uint8_t kappa_g1g2[static MPC_MAC_KAPPA_LEN]);
/** Wipe and free; NULL is allowed. So for all objects here. */
void mpc_mac_g1_free(struct mpc_mac_g1 *g);
const uint8_t *mpc_mac_g1_run(const struct mpc_mac_g1 *g);
/** The next chunk of the stream; *len = 0 when all has been given. 5xx. */
QK_MUST_USE qk_err mpc_mac_g1_chunk(
    struct mpc_mac_g1 *g, uint8_t out[static MPC_MAC_CHUNK], size_t *len);
/** After the last chunk: append run, kh, OT, for the combiner. QK_E_STATE before it. */
QK_MUST_USE qk_err mpc_mac_g1_take(struct mpc_mac_g1 *g, struct qk_buf *out);

/* ----------------------------------------------------------------- G2 -- */

struct mpc_mac_g2;
QK_MUST_USE qk_err mpc_mac_g2_new(struct mpc_mac_g2 **out, const struct mpc_mac_task *task,
    const uint8_t kappa_g1g2[static MPC_MAC_KAPPA_LEN],
    const uint8_t kappa_g2e[static MPC_MAC_KAPPA_LEN]);
void mpc_mac_g2_free(struct mpc_mac_g2 *g);
const uint8_t *mpc_mac_g2_run(const struct mpc_mac_g2 *g);
/** Append LB, for E; at any time. E can work while chunks arrive once it has them. */
QK_MUST_USE qk_err mpc_mac_g2_labels(struct mpc_mac_g2 *g, struct qk_buf *out);
/** Garble the next MPC_MAC_CHUNK bytes; *done when all is garbled. 5xx. */
QK_MUST_USE qk_err mpc_mac_g2_work(struct mpc_mac_g2 *g, bool *done);
/** Once done: GMAC over M1, for E. */
QK_MUST_USE qk_err mpc_mac_g2_gmac(const struct mpc_mac_g2 *g, uint8_t out[static 16]);
/** Once done: append H32("mac3-out"; run, kh, OT), for the combiner. */
QK_MUST_USE qk_err mpc_mac_g2_take(struct mpc_mac_g2 *g, struct qk_buf *out);

/* ------------------------------------------------------------------ E -- */

/** Who must be suspected, and by which check. Never proof for others: E's word (or the combiner's)
 *  against theirs. */
struct mpc_mac_suspects {
    uint16_t node[3];
    size_t n;          /* 0: nobody */
    const char *check; /* static text, for logs */
};

struct mpc_mac_e;
QK_MUST_USE qk_err mpc_mac_e_new(struct mpc_mac_e **out, const struct mpc_mac_task *task,
    const uint8_t kappa_g2e[static MPC_MAC_KAPPA_LEN]);
void mpc_mac_e_free(struct mpc_mac_e *e);
const uint8_t *mpc_mac_e_run(const struct mpc_mac_e *e);
/** Chunk number `number` (from 0) of the stream, from G1.
 *  Returns  QK_OK            taken, and evaluated as far as possible
 *           QK_E_EARLY       MPC_MAC_HOLD_CHUNKS are waiting for the labels of G2: not taken, offer
 *                            it again after mpc_mac_e_labels
 *           QK_E_UNEXPECTED  doubled, out of order, or behind the end: the run is over, suspect G1
 *           QK_E_MALFORMED   not the length this chunk has: the same
 *           QK_E_PROOF       that was the last thing missing, and a check failed (M-4, M-5)
 *           5xx              the run is over, nobody is suspected */
QK_MUST_USE qk_err mpc_mac_e_chunk(struct mpc_mac_e *e, uint32_t number, struct qk_bytes bytes);
/** LB, from G2. Errors as above; a second time is QK_E_UNEXPECTED. */
QK_MUST_USE qk_err mpc_mac_e_labels(struct mpc_mac_e *e, struct qk_bytes lb);
/** GMAC over M1, 16 bytes, from G2. Errors as above. */
QK_MUST_USE qk_err mpc_mac_e_gmac(struct mpc_mac_e *e, struct qk_bytes gmac);
/** Everything arrived and every check was passed. */
bool mpc_mac_e_done(const struct mpc_mac_e *e);
/** Append Y, for the combiner. QK_E_STATE unless done. */
QK_MUST_USE qk_err mpc_mac_e_take(struct mpc_mac_e *e, struct qk_buf *out);
/** Why a run is over. n is 0 while it goes on. */
struct mpc_mac_suspects mpc_mac_e_suspects(const struct mpc_mac_e *e);

/* ----------------------------------------------------------- combiner -- */

/** The tag, or whom to suspect (check M-7).
 *
 *  tag    digest_len bytes; secret until the caller decides to return it
 *  g1     from G1: run, kh, OT; g2 from G2; y from E
 *  why    filled on QK_E_MALFORMED and QK_E_PROOF: a message of the wrong length: its sender; OT
 *         and G2's digest disagree: G1 and G2; a label that is neither or both of the two: E
 *
 *  Returns QK_OK, QK_E_MALFORMED, QK_E_PROOF, QK_E_STATE: unknown algorithm, 5xx.
 *  Timing  constant in y and in the tag */
QK_MUST_USE qk_err mpc_mac_combine(uint8_t *tag, unsigned alg, const struct mpc_mac_roles *roles,
    struct qk_bytes g1, struct qk_bytes g2, struct qk_bytes y, struct mpc_mac_suspects *why);

/** VerifyMac: constant time, and only the full length is ever equal (check M-16). */
bool mpc_mac_equal(unsigned alg, const uint8_t *tag, struct qk_bytes mac);

#endif
