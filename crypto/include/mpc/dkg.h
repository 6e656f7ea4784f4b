/** Distributed key generation: n nodes, and a delegate if access is 1, make a key nobody knows.
 *
 *  Source: protocols/10-dkg.md section 1 (Pedersen DKG with Feldman commitments, commit-reveal and
 *  proofs of knowledge). docs/protocols/dkg.md has the messages. RESHARE (section 2, proto 2) will
 *  be a sibling of this file; its number is taken.
 *
 *      mpc_dkg_start .. party runs .. mpc_dkg_take, then mpc/epoch.h stores and commits the result
 *
 *  This protocol writes nothing to disk: when it is DONE at some party, that party knows that all
 *  participants computed the same record, no more. The key exists for the world only when the
 *  epoch commit (protocols/90 section 3) says Complete; V and ack of document 10 are replaced by
 *  its prep and vote, so a crash before PREPARED leaves no trace.
 *
 *  Blame: D-1 opening, D-3 proof, D-4 share, C-7 format: P(sender). C-9 echoes, D-8 different
 *  results, D-6 and D-7 impossible results: N.
 */
#ifndef MPC_DKG_H
#define MPC_DKG_H

#include "mpc/party.h"
#include "mpc/share.h"

/** Start one party.
 *
 *  session  peers are all n nodes, and D iff access is 1; 1 <= t <= n, t >= 2 unless access is 1;
 *           e_net, e_del and rec are zero, for no key exists yet. key_id must never have been
 *           used: the caller checks. Copied.
 *  rng      borrowed until the party is freed
 *
 *  Returns  QK_OK         *out is owned by the caller (mpc_party_free)
 *           QK_E_STATE    the session does not fit
 *           5xx           local trouble
 */
QK_MUST_USE qk_err mpc_dkg_start(
    struct mpc_party **out, const struct mpc_session *session, struct qk_rng *rng);

/** The same for a key of another use: role stands for "dkg" in commitments and proofs, so that no
 *  message of one kind of run is any good in another.
 *  role  MPC_L_DKG; or MPC_L_SYM_V for the mode-V half of a symmetric key (mpc/sym_gen.h): curve
 *        P-256, access 0. QK_E_STATE otherwise */
QK_MUST_USE qk_err mpc_dkg_start_role(struct mpc_party **out, const struct mpc_session *session,
    const char *role, struct qk_rng *rng);

/** Move the result of a DONE party out; once (QK_E_STATE otherwise).
 *
 *  share   ours; the caller wipes it
 *  record  equal at all participants: e_net 1, e_del 1 with a delegate, else 0; sid of this run
 */
QK_MUST_USE qk_err mpc_dkg_take(
    struct mpc_party *party, struct mpc_key_share *share, struct mpc_key_record *record);

#endif
