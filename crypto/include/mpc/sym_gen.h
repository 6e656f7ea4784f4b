/** Making a version of a symmetric key: CNFGEN (proto 50), its union with DKG, and import.
 *
 *  Source: protocols/50-symmetric.md sections 2, 3 and 9. How a node runs it:
 *
 *      id = mpc_sym_version_id(key_id, ver); session.key_id = id, curve MPC_P256, e_net 0
 *      modes with V:  mpc_dkg_start_role(.., "sym-v", ..) .. mpc_dkg_take -> share_v, rec_v
 *      modes V only:  mpc_sym_from_dkg                                    -> share, record
 *      modes with F:  session.rec = mpc_record_hash(rec_v) (zeros for F alone);
 *                     mpc_cnfgen_start .. party runs .. mpc_cnfgen_take   -> share, record
 *      mpc_sym_share_check; mpc_sym_record_run -> mpc_epoch_start (payload: share and record)
 *
 *  Like DKG these parties write nothing to disk; the version exists when EPOCH says Complete
 *  (check S-20). A version that exists is never made again: the caller checks the version id.
 */
#ifndef MPC_SYM_GEN_H
#define MPC_SYM_GEN_H

#include "mpc/sym_record.h"
#include "qk/secret.h"

/** What a version is to be. Equal at all nodes. */
struct mpc_sym_spec {
    uint8_t key_id[16]; /* of the KMS key */
    uint32_t ver;
    uint8_t modes;
    const struct mpc_key_record
        *v; /* the DKG's record with mode V, else NULL; borrowed for start */
};

/** Start CNFGEN: modes with F. session: all n nodes, key_id = version id, curve MPC_P256, e_net 0,
 *  e_del 0, access 0, rec as above; t and n as mpc_sym_sets_make allows; n, t, ids and idhs those
 *  of spec->v. QK_E_STATE otherwise. Copied; rng borrowed until the party is freed.
 *
 *  Blame: an opening that does not open, a kcv of a set of mine other than mine: P(sender), S-1.
 *  Echoes, kcv of other sets, V: N. */
QK_MUST_USE qk_err mpc_cnfgen_start(struct mpc_party **out, const struct mpc_session *session,
    const struct mpc_sym_spec *spec, struct qk_rng *rng);
/** Move the result of a DONE party out; once. v: the share of the DKG run with mode V, else NULL;
 *  copied into share. */
QK_MUST_USE qk_err mpc_cnfgen_take(struct mpc_party *party, const struct mpc_key_share *v,
    struct mpc_sym_share *share, struct mpc_sym_record *record);

/** A version with mode V alone is its DKG's result. QK_E_STATE unless v is a record on P-256 of
 *  that version id with access 0. */
QK_MUST_USE qk_err mpc_sym_from_dkg(const struct mpc_sym_spec *spec, const struct mpc_key_share *v,
    struct mpc_sym_share *share, struct mpc_sym_record *record);

/* ------------------------------------------------------------- import -- */

/** One node's part of imported key material, made from K by whoever deals (client tool, or the
 *  unwrapping process). Secret; wiped by mpc_sym_part_wipe. */
struct mpc_sym_part {
    struct mpc_sym_share share; /* v.self and self are the addressee's id */
    uint16_t t;
    uint8_t commitments[MPC_NODES_MAX][33]; /* C_0 .. C_{t-1} of the sharing polynomial */
};
void mpc_sym_part_wipe(struct mpc_sym_part *part);
#define MPC_SYM_PART(name)                                                                         \
    __attribute__((cleanup(mpc_sym_part_wipe))) struct mpc_sym_part name = {0}
enum { MPC_SYM_PART_MAX = 3 + MPC_NODES_MAX * 33 + MPC_SYM_SHARE_MAX };
/** u16 t, u8 with V, then t commitments of 33 bytes, then the share. Secret. */
QK_MUST_USE qk_err mpc_sym_part_encode(const struct mpc_sym_part *part, struct qk_buf *out);
/** QK_E_MALFORMED. */
QK_MUST_USE qk_err mpc_sym_part_decode(struct qk_bytes in, struct mpc_sym_part *out);

/** k_A = H32("imp-cnf"; key_id, u16 a, K), s = H2S("imp-ddh"; key_id, K) shared with random
 *  coefficients. parts: one per node, in the order of ids (n of them, ascending). K is 32 bytes of
 *  full entropy: any holder can test guesses of it.
 *  QK_E_STATE: structure or modes; 5xx. */
QK_MUST_USE qk_err mpc_sym_import_deal(struct mpc_sym_part *parts, const uint8_t key_id[static 16],
    uint8_t modes, unsigned t, const uint16_t *ids, size_t n, const struct qk_sec32 *k,
    struct qk_rng *rng);

/** Does this part come from the K of the record: every kcv under the recorded sid_f, C_0 = pk
 *  (check S-21)? QK_E_MISMATCH: IncorrectKeyMaterial, and the old state stays. Ask before a
 *  re-import begins. */
QK_MUST_USE qk_err mpc_sym_import_matches(
    const struct mpc_sym_part *part, const struct mpc_sym_record *old);

/** The nodes agree that they hold parts of one key; nonces, commitments and kcv, V (proto 50, name
 *  "cnfimp").
 *
 *  session  as for CNFGEN; first import: e_net 0, rec zeros. Re-import: e_net of old, rec = hash
 *           of old, nodes and t of old
 *  spec     v is NULL, modes those of the part
 *  old      NULL at the first import. Else the record, whose kcv and pk stay: the dealer drew
 *           new coefficients, so S_i are new; e_net is one higher and sid new
 *  part     copied
 *
 *  A part that does not fit its commitments or old, or is of another K than the others': class N,
 *  S-21: the dealer lied, or a node about it. Then take and EPOCH as for CNFGEN. */
QK_MUST_USE qk_err mpc_sym_import_start(struct mpc_party **out, const struct mpc_session *session,
    const struct mpc_sym_spec *spec, const struct mpc_sym_record *old,
    const struct mpc_sym_part *part, struct qk_rng *rng);
QK_MUST_USE qk_err mpc_sym_import_take(
    struct mpc_party *party, struct mpc_sym_share *share, struct mpc_sym_record *record);

#endif
