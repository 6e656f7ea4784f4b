/** Pair setups: the oblivious-transfer state that two signers of ECDSA share.
 *
 *  Source: protocols/20-ecdsa.md section 2 (PVW base OT, proto 3) and "Derived
 *  setup" (OT extension under a root, proto 5). docs/protocols/ecdsa.md has the
 *  messages and the states.
 *
 *  A ROOT belongs to a node pair and a class and to no key: its session is made
 *  by mpc_otsetup_root_session. A KEY SETUP belongs to one key, its epochs and
 *  record, and one pair; it is made directly (pairs with the delegate) or under
 *  a root (node pairs). Signing accepts key setups only.
 *
 *  A setup is immutable and reference counted; its status FRESH, PROVEN or
 *  POISONED is durable and kept by the caller, who acts on the effects
 *  MPC_EFFECT_SETUP_USE and MPC_EFFECT_SETUP_POISON (mpc/party.h). Ignoring
 *  them gives the key away: 128 ignored failures reveal the share.
 *
 *  Threads: setups may be shared; taking and dropping references is atomic.
 */
#ifndef MPC_OTSETUP_H
#define MPC_OTSETUP_H

#include "mpc/party.h"
#include "mpc/record.h"

/** L1 serves secp256k1 and P-256 (OT group P-256, 128 base OTs); L2 serves P-384 and P-521 (OT
 *  group P-521, 256 base OTs). */
enum mpc_ot_class { MPC_OT_L1 = 1, MPC_OT_L2 = 2 };

enum {
    MPC_OT_BLOB_MAX = 26 * 1024, /* bytes of a serialised setup: about 12.6 KB or 25 KB */
};

/** The class of a key's curve; 0 for an unknown curve. */
unsigned mpc_ot_class_of(unsigned curve);

/** What a setup is bound to. Public. */
struct mpc_ot_binding {
    uint8_t curve;      /* the key's; MPC_P256 or MPC_P521 for a root */
    uint8_t key_id[16]; /* zeros for a root, as are rec and the epochs */
    uint8_t rec[32];
    uint32_t e_net;
    uint32_t e_del;
    struct mpc_peer self;
    struct mpc_peer peer;
};

struct mpc_ot_setup;

/** Another reference to the same setup. */
struct mpc_ot_setup *mpc_ot_setup_ref(struct mpc_ot_setup *setup);
/** Drop a reference; the last one wipes Delta, seeds and K. NULL is allowed. */
void mpc_ot_setup_free(struct mpc_ot_setup *setup);

/** The id both parties agree on (the confirm value). 32 bytes, valid as long as the setup. */
const uint8_t *mpc_ot_setup_id(const struct mpc_ot_setup *setup);
/** The root this setup was derived under, 32 bytes; NULL for a direct one. When a root is poisoned
 *  everything derived from it is to be dropped too. */
const uint8_t *mpc_ot_setup_root_id(const struct mpc_ot_setup *setup);
const struct mpc_ot_binding *mpc_ot_setup_binding(const struct mpc_ot_setup *setup);
enum mpc_ot_class mpc_ot_setup_class(const struct mpc_ot_setup *setup);

/** Append the blob to store, SEALED, with (key_id, epochs, pair) as associated data. Secret: give a
 *  buffer made with QK_BUF_SECRET(MPC_OT_BLOB_MAX). Errors: QK_E_TOO_LARGE, QK_E_NOMEM. */
QK_MUST_USE qk_err mpc_ot_setup_serialize(const struct mpc_ot_setup *setup, struct qk_buf *out);
/** Read a blob back and insist on what it is for.
 *
 *  want   every field must equal the stored one (check E-3): swapped blobs are refused
 *
 *  Returns    QK_OK         *out owns one reference
 *             QK_E_CORRUPT  not a blob of ours, or bound to something else: class N, nobody to
 *                           blame; run no protocol with it
 *             QK_E_NOMEM    also when the locked-memory limit is reached
 *  Cost       0.5 to 2 ms: the gadget vectors are computed here, once
 */
QK_MUST_USE qk_err mpc_ot_setup_deserialize(
    struct mpc_ot_setup **out, struct qk_bytes blob, const struct mpc_ot_binding *want);

/** Fill the session of a root between two nodes: key_id, rec and epochs zero, t = 2, access 0, and
 *  the curve that stands for the class.
 *
 *  a, b   the two nodes, in either order
 *  self   the id of one of them: ours
 *  req    32 bytes that both know (00-common section 4)
 *
 *  Returns  QK_OK or QK_E_STATE (ids equal, 0 or above 255, self neither, unknown class)
 */
QK_MUST_USE qk_err mpc_otsetup_root_session(struct mpc_session *out, enum mpc_ot_class cls,
    const struct mpc_peer *a, const struct mpc_peer *b, uint16_t self,
    const uint8_t req[static 32]);

/** Fill the session of a key setup between two holders of a key. (mpc_record_session is for the
 *  signers of a use, so with access 1 it always adds the delegate; a pair need not have it.)
 *
 *  a, b   node ids of the record, or MPC_DELEGATE with access 1; in either order
 *
 *  Returns  QK_OK, QK_E_NOT_FOUND (an id that holds no share), QK_E_STATE (a = b, self neither)
 */
QK_MUST_USE qk_err mpc_otsetup_key_session(struct mpc_session *out,
    const struct mpc_key_record *rec, uint16_t a, uint16_t b, uint16_t self,
    const uint8_t req[static 32]);

/** Start a direct setup (proto 3) of the two parties in session.
 *
 *  session  n_peers is 2; the class follows from its curve; key_id, rec and epochs become the
 *           binding. Copied.
 *  rng      borrowed until the party is freed
 *
 *  Returns  QK_OK, or QK_E_STATE for a session that is not such a pair, or 5xx
 *  Cost     CPU per party, both directions: about 60 ms (L1), 0.8 s (L2), spent inside receive
 */
QK_MUST_USE qk_err mpc_otsetup_start(
    struct mpc_party **out, const struct mpc_session *session, struct qk_rng *rng);

/** Start a derived setup (proto 5) under a root of the same pair and class. Effects: SETUP_USE of
 *  the root before its last send; SETUP_POISON of the root when the peer fails the check. When an
 *  effect fails, do not take the result.
 *
 *  root     a reference is taken. Must be a root, of this session's pair (ids and idh) and class,
 *           else QK_E_STATE
 */
QK_MUST_USE qk_err mpc_otderive_start(struct mpc_party **out, const struct mpc_session *session,
    struct mpc_ot_setup *root, struct qk_rng *rng);

/** Move the result of a party of either kind out; once. QK_E_STATE unless it is MPC_DONE. */
QK_MUST_USE qk_err mpc_otsetup_take(struct mpc_party *party, struct mpc_ot_setup **out);

#endif
