/** An HMAC key: its public record, a node's share, its pieces.
 *
 *  Source: protocols/60-hmac.md sections 1, 4 and 6. An HMAC key has one version, number 1; CNFGEN,
 *  EPOCH and the vault know it by mpc_sym_version_id, like a version of a symmetric key, and its
 *  record and share are what an EPOCH commit stores. t is always 2: a garbler and the evaluator
 *  together know everything.
 *
 *      ist = f(IV, K xor ipad), ost = f(IV, K xor opad), f the compression function
 *
 *  What the pieces share is ost in profile N (ist is then known to every node, never to a
 *  coordinator), and ist || ost in profile S. It is the XOR of n pieces s_j; node i holds all but
 *  s_i. So two nodes know all pieces between them, and every piece is unknown to exactly one node.
 *
 *  ist, ost and pieces are the words of a SHA-2 state, each big-endian: bit b of word w is bit
 *  b % 8 of byte w * size + size - 1 - b / 8, where size is 4 or 8 bytes.
 *
 *  Encoding of the record: a map with exactly these keys in this order:
 *      v 1, mac (enum mpc_mac_alg), key_id bin16, ver, modes (enum mpc_mac_profile),
 *      nodes: array of n [id, idh bin32], e_net, sid bin32, pc bin 32*n,
 *      ist bin32 (empty in profile S), st bin32
 */
#ifndef MPC_MAC_RECORD_H
#define MPC_MAC_RECORD_H

#include "mpc/mac_alg.h"
#include "mpc/party.h"
#include "qk/secret.h"

enum {
    MPC_MAC_NODES_MIN = 3, /* G1, G2, E */
    MPC_MAC_RECORD_MAX = 4096,
    MPC_MAC_SHARE_MAX = 8 + MPC_MAC_STATE_MAX + MPC_NODES_MAX * MPC_MAC_SECRET_MAX,
};

/** What is public about a key. Equal at all nodes. */
struct mpc_mac_record {
    uint8_t alg;
    uint8_t profile;
    uint8_t key_id[16]; /* of the KMS key */
    uint32_t ver;       /* from 1 */
    uint16_t n;
    struct mpc_peer nodes[MPC_NODES_MAX]; /* ids strictly ascending */
    uint32_t e_net;                       /* epoch of the pieces; 1 for a fresh key */
    uint8_t sid[32];                      /* of the run that made this record */
    uint8_t pk[MPC_NODES_MAX][32];        /* pk_j of s_j */
    uint8_t ist[32];                      /* H32("mac-ist"; key_id, ist); zeros in profile S */
    uint8_t st[32];                       /* the self-test's */
};

/** Append the canonical encoding. QK_E_STATE for a record that would not decode again. */
QK_MUST_USE qk_err mpc_mac_record_encode(const struct mpc_mac_record *rec, struct qk_buf *out);
/** Validate everything. QK_E_MALFORMED, also for the record of a symmetric key. */
QK_MUST_USE qk_err mpc_mac_record_decode(struct qk_bytes in, struct mpc_mac_record *out);
/** H32("keyrec"; encoding): the rec of its EPOCH run. */
QK_MUST_USE qk_err mpc_mac_record_hash(const struct mpc_mac_record *rec, uint8_t out[static 32]);
/** The EPOCH run that commits this record: sid, mpc_sym_version_id, base = e_net - 1, rec, t = 2,
 *  ids; self is set as given. */
struct mpc_epoch_run;
QK_MUST_USE qk_err mpc_mac_record_run(
    const struct mpc_mac_record *rec, uint16_t self, struct mpc_epoch_run *out);
/** KeyMaterialId: H32("kmi"; key_id, hash of the record), as for symmetric keys. */
QK_MUST_USE qk_err mpc_mac_material_id(const struct mpc_mac_record *rec, uint8_t out[static 32]);
/** The index in nodes of a node id, or -1. */
int mpc_mac_record_index(const struct mpc_mac_record *rec, uint16_t id);

/* -------------------------------------------------------------- share -- */

/** A node's secrets of a key. Declare with MPC_MAC_SHARE; long-lived ones in locked memory (about
 *  4.2 KiB, most of which n = 3 leaves zero). */
struct mpc_mac_share {
    uint16_t self;
    uint8_t alg;
    uint8_t profile;
    uint16_t n;
    uint16_t self_ix;               /* the index of self among the record's nodes */
    uint8_t ist[MPC_MAC_STATE_MAX]; /* zeros in profile S */
    uint8_t piece[MPC_NODES_MAX][MPC_MAC_SECRET_MAX]; /* s_j in the record's order; of self: 0 */
};

void mpc_mac_share_wipe(struct mpc_mac_share *share);
#define MPC_MAC_SHARE(name)                                                                        \
    __attribute__((cleanup(mpc_mac_share_wipe))) struct mpc_mac_share name = {0}

/** Append u8 version 2, u16 self, u8 alg, u8 profile, u16 n, u8 index of self, ist (profile N), and
 *  the n-1 pieces. Secret: give a QK_BUF_SECRET. The first byte tells it from the share of a
 *  symmetric key. */
QK_MUST_USE qk_err mpc_mac_share_encode(const struct mpc_mac_share *share, struct qk_buf *out);
/** QK_E_CORRUPT unless in is such an encoding. */
QK_MUST_USE qk_err mpc_mac_share_decode(struct qk_bytes in, struct mpc_mac_share *out);
/** Does the share belong to this record: algorithm, profile, pk_j of every piece, the hash of ist?
 *  QK_E_CORRUPT if not. After every load (check M-13). */
QK_MUST_USE qk_err mpc_mac_share_check(
    const struct mpc_mac_share *share, const struct mpc_mac_record *rec);

/* ------------------------------------------------------- roles, inputs -- */

/** Who is who in one run; three distinct nodes of the record (check M-9). */
struct mpc_mac_roles {
    uint16_t g1, g2, e;
};

/** Permutation k mod 6 of three ids a < b < c, as G1 G2 E: abc, acb, bac, bca, cab, cba. */
struct mpc_mac_roles mpc_mac_roles_permute(const uint16_t abc[static 3], unsigned k);

/** The inputs of a run that one role knows: a = s_G2 (G1 and E), b = s_G1 (G2 and E), c = s_E and
 *  the pieces of all nodes outside the three (G1 and G2). a xor b xor c is the secret; what a role
 * does not know is zeros. Secret. */
struct mpc_mac_inputs {
    uint8_t a[MPC_MAC_SECRET_MAX];
    uint8_t b[MPC_MAC_SECRET_MAX];
    uint8_t c[MPC_MAC_SECRET_MAX];
};
void mpc_mac_inputs_wipe(struct mpc_mac_inputs *in);
#define MPC_MAC_INPUTS(name)                                                                       \
    __attribute__((cleanup(mpc_mac_inputs_wipe))) struct mpc_mac_inputs name = {0}

/** QK_E_STATE: roles are not three distinct nodes of rec, self is none of them, or the share is of
 *  another algorithm, profile or number of nodes than rec. */
QK_MUST_USE qk_err mpc_mac_inputs_of(struct mpc_mac_inputs *out, const struct mpc_mac_record *rec,
    const struct mpc_mac_share *share, const struct mpc_mac_roles *roles);

#endif
