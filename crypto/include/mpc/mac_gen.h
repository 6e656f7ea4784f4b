/** Making an HMAC key: generation without a dealer, import, self-test.
 *
 *  Source: protocols/60-hmac.md section 6 (proto 61). One object takes a node through all of it,
 *  step by step; what is left to the node is to carry frames:
 *
 *      mpc_mac_gen_start or mpc_mac_import_start
 *      while (mpc_mac_gen_next(gen, &step) == QK_OK && step.kind != MPC_MAC_GEN_END)
 *          SESSION  run step.party to its end, as any other party
 *          RUN      carry the frames of step.g1, step.g2 or step.e (one of them, see mpc/mac.h;
 *                   none: this node is not among the three, go on); if step.test also: G1 and G2
 *                   send what they have for a combiner to E, who gives it to mpc_mac_gen_tested
 *      mpc_mac_gen_take -> share, record; mpc_mac_record_run -> mpc_epoch_start
 *
 *  Generation: CNFGEN, the garbled derivation K -> ist, y (run), the exchange "macgen", three
 *  self-tests (runs; profile S: six), "macst". Import: "macimp", self-tests, "macst". All nodes of
 *  the cluster take part in the sessions, the three with the lowest ids in the runs.
 *
 *  Nothing is written to disk: the key exists when EPOCH says Complete. A failed step ends it; free
 *  it and make the key anew. K is never computed anywhere; pieces of K are wiped with the run.
 *
 *  Not thread-safe: one caller at a time; the objects of a step may be used by one other thread
 *  until the next call here.
 */
#ifndef MPC_MAC_GEN_H
#define MPC_MAC_GEN_H

#include "mpc/mac.h"

/** What the key is to be. Equal at all nodes. */
struct mpc_mac_spec {
    uint8_t key_id[16]; /* of the KMS key */
    uint32_t ver;
    uint8_t alg;
    uint8_t profile;
};

/** Link secrets (check M-11), asked for when a run begins. Borrowed with ctx until free. */
struct mpc_mac_links {
    void *ctx;
    /** kappa of this node's link to peer. QK_E_IO: there is no link. */
    qk_err (*kappa)(void *ctx, uint16_t peer, uint8_t out[static MPC_MAC_KAPPA_LEN]);
};

struct mpc_mac_gen;

/** Begin. session: all n >= 3 nodes, key_id = mpc_sym_version_id, curve MPC_P256, t = 2, access 0,
 *  e_net 0, e_del 0, rec zeros; copied. links, rng: borrowed until free. QK_E_STATE, 5xx. */
QK_MUST_USE qk_err mpc_mac_gen_start(struct mpc_mac_gen **out, const struct mpc_session *session,
    const struct mpc_mac_spec *spec, const struct mpc_mac_links *links, struct qk_rng *rng);
/** Wipe and free, with whatever the last step gave out; NULL is allowed. */
void mpc_mac_gen_free(struct mpc_mac_gen *gen);

enum mpc_mac_gen_kind { MPC_MAC_GEN_SESSION, MPC_MAC_GEN_RUN, MPC_MAC_GEN_END };

/** What to do next. Everything in it belongs to gen and is gone with the next call. */
struct mpc_mac_gen_step {
    enum mpc_mac_gen_kind kind;
    const char *what;                  /* static text, for logs: "cnfgen", "mac-derive", ... */
    struct mpc_party *party;           /* SESSION */
    const struct mpc_session *session; /* SESSION: its inputs */
    struct mpc_mac_roles roles;        /* RUN */
    struct mpc_mac_g1 *g1;             /* RUN: the role of this node; others NULL */
    struct mpc_mac_g2 *g2;
    struct mpc_mac_e *e;
    bool test; /* RUN: E is to be given mpc_mac_g1_take and mpc_mac_g2_take */
};

/** Take the result of the last step and give the next.
 *  QK_E_STATE: the last step is not finished (party not MPC_DONE, E not done or not tested, a
 *  garbler's stream not read to its end), or gen has failed. QK_E_PROOF, QK_E_MISMATCH, 5xx: gen
 *  has failed; so has mpc_mac_gen_tested with an error. */
QK_MUST_USE qk_err mpc_mac_gen_next(struct mpc_mac_gen *gen, struct mpc_mac_gen_step *step);
/** E, in a run with step.test, once mpc_mac_e_done: what G1 and G2 made for the combiner. Errors
 *  and why as mpc_mac_combine. The tag is of no message; only its hash is kept. */
QK_MUST_USE qk_err mpc_mac_gen_tested(struct mpc_mac_gen *gen, struct qk_bytes from_g1,
    struct qk_bytes from_g2, struct mpc_mac_suspects *why);
/** After MPC_MAC_GEN_END, once. */
QK_MUST_USE qk_err mpc_mac_gen_take(
    struct mpc_mac_gen *gen, struct mpc_mac_share *share, struct mpc_mac_record *record);

/* ------------------------------------------------------------- import -- */

/** One node's part of imported key material. Secret. */
struct mpc_mac_part {
    struct mpc_mac_share share;
    uint8_t st[32]; /* what the self-test will give */
};
void mpc_mac_part_wipe(struct mpc_mac_part *part);
#define MPC_MAC_PART(name)                                                                         \
    __attribute__((cleanup(mpc_mac_part_wipe))) struct mpc_mac_part name = {0}
enum { MPC_MAC_PART_MAX = 32 + MPC_MAC_SHARE_MAX };
/** st, then the share. Secret. */
QK_MUST_USE qk_err mpc_mac_part_encode(const struct mpc_mac_part *part, struct qk_buf *out);
/** QK_E_MALFORMED. */
QK_MUST_USE qk_err mpc_mac_part_decode(struct qk_bytes in, struct mpc_mac_part *out);

/** ist and ost of key (1..MPC_MAC_BLOCK_MAX bytes; one longer than a block of the algorithm is
 *  hashed first, RFC 2104), random pieces. parts: one per node, in the order of ids (n >= 3 of
 *  them, ascending). The parts of two nodes are the key. QK_E_STATE; 5xx. Constant time in key. */
QK_MUST_USE qk_err mpc_mac_import_deal(struct mpc_mac_part *parts, const struct mpc_mac_spec *spec,
    const uint16_t *ids, size_t n, struct qk_bytes key, struct qk_rng *rng);

/** Does this part come from the key of the record, as far as one node can tell (st, and in profile
 *  N ist)? The self-test proves it. QK_E_MISMATCH: IncorrectKeyMaterial, and the old state stays.
 *  Ask before a re-import begins. */
QK_MUST_USE qk_err mpc_mac_import_matches(
    const struct mpc_mac_part *part, const struct mpc_mac_record *old);

/** The nodes agree that they hold parts of one key.
 *
 *  session  as for mpc_mac_gen_start; re-import: e_net of old, rec = hash of old, nodes of old
 *  old      NULL at the first import. Else the record whose st and ist stay: the dealer drew new
 *           pieces, so pk_j are new; e_net is one higher and sid new
 *  part     copied
 *
 *  Parts that are not of one key, or not of old's: QK_E_MISMATCH of a session (class N). */
QK_MUST_USE qk_err mpc_mac_import_start(struct mpc_mac_gen **out, const struct mpc_session *session,
    const struct mpc_mac_spec *spec, const struct mpc_mac_record *old,
    const struct mpc_mac_part *part, const struct mpc_mac_links *links, struct qk_rng *rng);

#endif
