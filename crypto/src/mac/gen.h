/** The sessions of a key's generation and import; private, open to the hostile tests.
 *
 *  Source: protocols/60-hmac.md section 6. Three kinds of session follow CNFGEN (or, at an import,
 *  the deal): "macgen" brings what came out of the garbled derivation to all nodes, "macimp"
 *  compares what an importer dealt, "macst" makes the self-test's value part of the record.
 */
#ifndef MPC_MAC_GEN_STATE_H
#define MPC_MAC_GEN_STATE_H

#include "mac/stream.h"
#include "mac/pieces.h"
#include "mpc/mac_gen.h"
#include "session/engine.h"

/* Classes of the parties of "macgen" and "macst"; at an import all are outside the three. */
enum {
    MAC_CLASS_G1 = 1,
    MAC_CLASS_G2 = 2,
    MAC_CLASS_E = 4,
    MAC_CLASS_OUT = 8,
};

/** What a node knows of the garbled outputs: a garbler both labels of every wire, E the active
 *  ones (delta is zero then), the others nothing. Secret. */
struct mac_outputs {
    uint8_t run[32]; /* the statement's hash */
    mac_wire label[MAC_OUTPUTS_MAX];
    mac_wire delta;
    uint8_t value[2 * MPC_MAC_STATE_MAX]; /* E: ist || y (profile N), y (S) */
};

/** H32("mac-out"; run, u8 part, active labels) of wires first .. first+n-1 if they carry these
 *  bits: at E the labels are what they are, whatever bits says. */
QK_MUST_USE qk_err mac_outputs_digest(uint8_t out[static 32], const struct mac_outputs *o,
    uint8_t part, const uint8_t *bits, unsigned word_bits, size_t first, size_t n);

enum mac_imp_row { IMP_PC, IMP_RESULT };
enum mac_gen_row { GEN_RUN, GEN_OUT, GEN_ECHO, GEN_OUT2, GEN_PC, GEN_RESULT };
enum { GEN_OUT_IST, GEN_OUT_IST_D, GEN_OUT_Y, GEN_OUT_Y_D };
enum { GEN_PC_LIST, GEN_PC_IST };
enum { RESULT_ECHO, RESULT_V };

/** What "macgen" and "macimp" have in common: the beginning of either state. */
struct mac_made {
    struct mpc_mac_roles roles; /* zeros at an import */
    struct mpc_mac_record record;
    struct mpc_mac_share share; /* secret */
    uint8_t v[32];
};

struct mac_gen {
    struct mac_made made; /* first */
    struct mac_outputs out;
    size_t ist_len, secret_len;
    size_t g1_ix;
};

/** Start "macgen". session: rec binds what was derived. share: all pieces but s_G1, which is y.
 *  QK_E_STATE. */
QK_MUST_USE qk_err mac_gen_start(struct mpc_party **out, const struct mpc_session *session,
    const struct mac_made *made, const struct mac_outputs *outputs, struct qk_rng *rng);
/** Start "macimp": every node has its share already; compare. */
QK_MUST_USE qk_err mac_imp_start(struct mpc_party **out, const struct mpc_session *session,
    const struct mac_made *made, struct qk_rng *rng);
/** The share and the record (whose st is zeros) of a DONE party of either kind. */
QK_MUST_USE qk_err mac_made_take(struct mpc_party *party, struct mac_made *made);

enum mac_st_row { ST_TELL, ST_RESULT };

struct mac_st {
    struct mac_made made; /* first; the record's st is filled in at the end */
    uint8_t st[32];       /* mine; zeros if I am none of the three */
    uint8_t want[32];     /* what it has to be at an import: the dealer's */
    bool known;
};

/** Start "macst". made: of mac_made_take, with the roles whose three nodes tested. want: NULL, or
 *  what the dealer said. */
QK_MUST_USE qk_err mac_st_start(struct mpc_party **out, const struct mpc_session *session,
    const struct mac_made *made, const uint8_t st[static 32], const uint8_t *want,
    struct qk_rng *rng);

uint8_t mac_class_of(const struct mpc_party *party, uint16_t id);
/** The lists of pieces and the hash of ist that everybody sent in this round are mine, where both
 *  of us hold a piece: they go into the record (check M-13). Class N. */
QK_MUST_USE qk_err mac_made_compare(struct mpc_party *party, unsigned round);
/** Fields GEN_PC_*: what I hold. */
QK_MUST_USE qk_err mac_made_tell(struct mpc_party *party, size_t row);
QK_MUST_USE qk_err mac_made_agree(
    struct mpc_party *party, unsigned round, size_t k, const char *check);
size_t mac_len_pc(const struct mpc_party *party);
size_t mac_len_ist_hash(const struct mpc_party *party);

#endif
