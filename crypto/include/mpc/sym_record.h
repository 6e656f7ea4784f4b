/** One backing version of a symmetric key: its public record, a node's share, its structure.
 *
 *  Source: protocols/50-symmetric.md sections 2, 3 and 9. A version is a key of its own for DKG,
 *  CNFGEN, EPOCH and the vault, under mpc_sym_version_id; its record and share are what an EPOCH
 *  commit stores.
 *
 *  Encoding of the record: a map with exactly these keys in this order:
 *      v 1, key_id bin16, ver, access, modes, t, nodes: array of n [id, idh bin32], e_net,
 *      sid bin32, kcv bin 32*d, sid_f bin32 (both empty without mode F),
 *      S bin 33*n, pk bin33 (both empty without mode V)
 */
#ifndef MPC_SYM_RECORD_H
#define MPC_SYM_RECORD_H

#include "mpc/record.h"
#include "mpc/share.h"
#include "mpc/sym.h"

enum {
    MPC_SYM_RECORD_MAX = 8192,
    MPC_SYM_SHARE_MAX = 5 + 64 * 32 + MPC_KEY_SHARE_MAX, /* bytes of an encoded share */
};

/** What is public about a version. Equal at all nodes. */
struct mpc_sym_record {
    uint8_t key_id[16]; /* of the KMS key */
    uint32_t ver;       /* from 1 */
    uint8_t access;     /* 0; 1 (a delegate's share) is not built yet */
    uint8_t modes;      /* MPC_SYM_F, _V or _FV */
    uint16_t t, n;
    struct mpc_peer nodes[MPC_NODES_MAX]; /* ids strictly ascending */
    uint32_t e_net;                       /* epoch of the shares; 1 for a fresh version */
    uint8_t sid[32];                      /* of the run that made this record */
    uint16_t n_sets;                      /* d, 0 without mode F */
    uint8_t kcv[MPC_SYM_SETS_MAX][32];
    uint8_t sid_f[32]; /* of the run that made the replicated keys: kcv are made under it */
    uint8_t big_s[MPC_NODES_MAX][33]; /* S_i */
    uint8_t pk[33];
};

/** The id under which DKG, CNFGEN, EPOCH and the vault know a version: the first 16 bytes of
 *  H32("sym-ver"; key_id, u32 ver). */
QK_MUST_USE qk_err mpc_sym_version_id(
    uint8_t out[static 16], const uint8_t key_id[static 16], uint32_t ver);

/** Append the canonical encoding. QK_E_STATE for a record that would not decode again. */
QK_MUST_USE qk_err mpc_sym_record_encode(const struct mpc_sym_record *rec, struct qk_buf *out);
/** Validate everything: canonical form, ids, 2 <= t <= n, with F a structure that mpc_sym_sets
 *  allows, with V every point. QK_E_MALFORMED. */
QK_MUST_USE qk_err mpc_sym_record_decode(struct qk_bytes in, struct mpc_sym_record *out);
/** The same but for the points, each of which costs 20 us: for a record that was decoded in full
 * when it was made or stored, and goes into mpc_sym_version_new or mpc_sym_key_new, which decode
 * every S_i themselves and refuse what is not on the curve. */
QK_MUST_USE qk_err mpc_sym_record_decode_known(struct qk_bytes in, struct mpc_sym_record *out);
/** H32("keyrec"; encoding): the rec of its EPOCH run. Use mpc_record_hash_bytes on bytes. */
QK_MUST_USE qk_err mpc_sym_record_hash(const struct mpc_sym_record *rec, uint8_t out[static 32]);
/** The EPOCH run that commits this record: sid, version id, base = e_net - 1, rec, t, ids; self is
 *  set as given. */
struct mpc_epoch_run;
QK_MUST_USE qk_err mpc_sym_record_run(
    const struct mpc_sym_record *rec, uint16_t self, struct mpc_epoch_run *out);
/** The mode-V half as a DKG record, as RESHARE and mpc_record_check_points want it. QK_E_STATE
 *  without mode V. */
QK_MUST_USE qk_err mpc_sym_record_v(const struct mpc_sym_record *rec, struct mpc_key_record *out);
/** KeyMaterialId of an imported key: H32("kmi"; key_id, hash of the record). */
QK_MUST_USE qk_err mpc_sym_material_id(const struct mpc_sym_record *rec, uint8_t out[static 32]);

/* -------------------------------------------------- replicated sets -- */

/** The sets of n-t+1 nodes of a structure, numbered in lexicographic order of ascending ids. */
struct mpc_sym_sets {
    uint16_t t, n;
    uint16_t d;                         /* C(n, t-1) */
    uint16_t per_node;                  /* C(n-1, t-1) */
    uint16_t holders;                   /* n-t+1 */
    uint32_t members[MPC_SYM_SETS_MAX]; /* bit i: node number i (in the record's order) */
};

/** QK_E_STATE unless 2 <= t, 2t-1 <= n (below that no Encrypt could ever be checked), n <= 32 and
 *  d <= MPC_SYM_SETS_MAX. */
QK_MUST_USE qk_err mpc_sym_sets_make(struct mpc_sym_sets *out, unsigned n, unsigned t);

/* -------------------------------------------------------------- share -- */

/** A node's secrets of one version. Declare with MPC_SYM_SHARE; long-lived ones in locked memory.
 */
struct mpc_sym_share {
    uint16_t self;
    uint16_t n_keys;                 /* sets of this node, 0 without mode F */
    uint8_t k[MPC_SYM_SETS_MAX][32]; /* k_A of its sets, ascending a */
    struct mpc_key_share v;          /* curve 0 without mode V */
};

void mpc_sym_share_wipe(struct mpc_sym_share *share);
#define MPC_SYM_SHARE(name)                                                                        \
    __attribute__((cleanup(mpc_sym_share_wipe))) struct mpc_sym_share name = {0}

/** Append u8 version 1, u16 self, u16 n_keys, the keys, and the mode-V share as
 *  mpc_key_share_encode writes it, if there is one. Secret: give a QK_BUF_SECRET. */
QK_MUST_USE qk_err mpc_sym_share_encode(const struct mpc_sym_share *share, struct qk_buf *out);
/** QK_E_CORRUPT unless in is such an encoding. */
QK_MUST_USE qk_err mpc_sym_share_decode(struct qk_bytes in, struct mpc_sym_share *out);
/** Does the share belong to this record: as many keys as sets of self, every kcv as recorded,
 *  s*G = S_self? QK_E_CORRUPT if not. After every load and before every prep. */
QK_MUST_USE qk_err mpc_sym_share_check(
    const struct mpc_sym_share *share, const struct mpc_sym_record *rec);

/* ------------------------------------------------------------ version -- */

/** What the use of a version needs of its record. */
struct mpc_sym_terms {
    uint8_t key_id[16]; /* of the KMS key */
    uint32_t ver;
    uint8_t access, modes;
    uint16_t t, n;
    uint16_t ids[MPC_NODES_MAX]; /* of the nodes, strictly ascending */
};

/** A record made ready for use (sets numbered, points decoded). Immutable: threads may share it.
 *  About 0.5 KiB, with mode V and 0.6 KiB and 20 us per node: many are kept, so it holds no more of
 *  the record than its terms. */
struct mpc_sym_version;

QK_MUST_USE qk_err mpc_sym_version_new(
    struct mpc_sym_version **out, const struct mpc_sym_record *rec);
void mpc_sym_version_free(struct mpc_sym_version *version);
const struct mpc_sym_terms *mpc_sym_version_terms(const struct mpc_sym_version *version);

/** The part of check S-12 that needs the record: key id and version are its own, mode and delegate
 *  flag are allowed by it, as many tags as sets. QK_E_MALFORMED. */
QK_MUST_USE qk_err mpc_sym_blob_check(
    const struct mpc_sym_blob *blob, const struct mpc_sym_version *version);

#endif
