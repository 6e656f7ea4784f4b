/** EPOCH: how a run that made shares becomes final, or never happened.
 *
 *  Source: protocols/90-refresh-backup.md section 3, rules 1 to 5, 8 and 9, and the restart rows
 *  K3 to K11 of section 4. docs/protocols/epoch.md has states, bytes and the caller's duties.
 *
 *  Not a lock-step party: the machine survives restarts, lost links and peers that come back days
 *  later. It knows three signed statements per participant (prep, vote, abort), forwards all it
 *  holds, and moves PREPARED -> VOTED -> DONE or PREPARED -> ABORTING -> ABORTED. No clock, no I/O.
 *
 *      mpc_dkg_take -> mpc_epoch_start -> effects ... receive -> effects ... state
 *      after a restart: mpc_epoch_resume(stored state) -> effects ...
 *      at every reconnect, and every few seconds while not DONE or ABORTED: mpc_epoch_ask
 *
 *  Effects come in order and the caller stops at the first that fails: then mpc_epoch_stop, free,
 *  and resume from what the disk holds.
 *
 *      PERSIST "share"  data is the payload, SECRET: seal it, store it under (key_id, sid), sync,
 * read it back, compare (check B-1). Only at the start. PERSIST "state"  data is public: replace
 * the state of (key_id, sid), sync. Share and first state may go into one transaction; after a
 * crash a share without a state is to be destroyed (K1), a state without a readable share is
 * damage. SEND             data is an envelope with proto 90 to party `to`, best effort: asking
 * repeats WIPE "new"       destroy the share of (key_id, sid); idempotent WIPE "base"      destroy
 * every earlier epoch of the key and all derived from it; idempotent
 *
 *  Not thread-safe: one caller at a time.
 */
#ifndef MPC_EPOCH_H
#define MPC_EPOCH_H

#include "mpc/party.h"

enum {
    MPC_SIG_MAX = 160, /* bytes of one identity signature, of whatever kind */
    MPC_EPOCH_STATE_MAX = 32768,
    MPC_EPOCH_PAYLOAD_MAX = 65536,
};

/** Signatures with the long-term identity keys, whose kind is the caller's business. */
struct mpc_signer {
    void *ctx;
    /** Sign with our key. *len in: MPC_SIG_MAX, out: the signature's length. */
    qk_err (*sign)(void *ctx, const uint8_t msg[64], uint8_t *sig, size_t *len);
    /** QK_OK if sig is party's signature on msg, QK_E_PROOF if not, 5xx if that cannot be told. */
    qk_err (*verify)(void *ctx, uint16_t party, const uint8_t msg[64], struct qk_bytes sig);
};

/** What is being committed. Equal at all participants but for self. */
struct mpc_epoch_run {
    uint8_t sid[32]; /* of the run that made the shares */
    uint8_t key_id[16];
    uint32_t base;   /* epoch the run started from; 0: creation */
    uint8_t rec[32]; /* hash of the new record (mpc_record_hash) */
    uint16_t t;
    uint16_t n;                    /* |N'| */
    uint16_t ids[MPC_PARTIES_MAX]; /* N', ascending, D included if its share changes */
    uint16_t self;
};

enum mpc_epoch_state {
    MPC_EPOCH_PREPARED = 1, /* share stored, prep given */
    MPC_EPOCH_VOTED = 2,    /* will never abort */
    MPC_EPOCH_DONE = 3,     /* Complete; base destroyed once the effects are carried out */
    MPC_EPOCH_ABORTING = 4, /* will never vote */
    MPC_EPOCH_ABORTED = 5,  /* certificate of abortion, or given up: new share destroyed likewise */
    MPC_EPOCH_STOPPED = 6,  /* mpc_epoch_stop: the disk knows, this object does not */
    MPC_EPOCH_HELD = 7,     /* voted; a later run of the same epoch is under way and comes first */
    MPC_EPOCH_SUPERSEDED = 8, /* a later run of the same epoch is Complete: new share destroyed */
};

struct mpc_epoch;

/** Begin: queues PERSIST "share", PERSIST "state", then prep to every peer.
 *
 *  run      n 1..33, ids as in mpc_session_check, self among them, 1 <= t <= nodes; copied
 *  signer   borrowed until free, with its ctx
 *  payload  what the caller will need of the new epoch: share and record in its own encoding;
 *           1..MPC_EPOCH_PAYLOAD_MAX bytes, secret, copied into wiped memory
 *
 *  Returns  QK_OK, QK_E_STATE, or what sign returned, 5xx
 */
QK_MUST_USE qk_err mpc_epoch_start(struct mpc_epoch **out, const struct mpc_epoch_run *run,
    const struct mpc_signer *signer, struct qk_bytes payload);
/** Go on from a stored "state": queues our own statements again (same bytes), a question to every
 *  peer, and destruction that may have been interrupted.
 *  QK_E_CORRUPT if blob is no such state. self comes from the blob: compare mpc_epoch_run. */
QK_MUST_USE qk_err mpc_epoch_resume(
    struct mpc_epoch **out, const struct mpc_signer *signer, struct qk_bytes blob);
/** Wipe and free; NULL is allowed. What is on disk stays. */
void mpc_epoch_free(struct mpc_epoch *epoch);

/** A frame of proto 90 from the channel of party `from`.
 *
 *  Returns  QK_OK
 *           QK_E_FOREIGN    another sid: dropped
 *           QK_E_STATE      from is no participant, or the machine is STOPPED: dropped
 *           QK_E_DENIED     from is fenced: dropped
 *           QK_E_MALFORMED  dropped; a strike for from
 *           QK_E_PROOF      a statement does not verify: nothing of the frame is used; a strike for
 *                           from, who should have verified what it forwards
 *           QK_E_CORRUPT    STOPPED: a peer holds our vote or abort and we do not (K17, B-12)
 *           other 5xx       nothing changed, or STOPPED if it could not go on
 */
QK_MUST_USE qk_err mpc_epoch_receive(struct mpc_epoch *epoch, uint16_t from, struct qk_bytes frame);
/** Tell every unfenced peer all we hold and ask for all it holds (rule 5). */
QK_MUST_USE qk_err mpc_epoch_ask(struct mpc_epoch *epoch);
/** Give the run up from PREPARED (rule 5). The caller waits 30 s, asking, before it does this.
 *  QK_E_DENIED if any vote is known, or a full set of preps: then it must go on. QK_E_STATE in
 *  other states. */
QK_MUST_USE qk_err mpc_epoch_abort(struct mpc_epoch *epoch);
/** Rule 8: destroy a creation in which we have not voted; the caller waits 24 h before it does.
 *  QK_E_DENIED if base is not 0, or once we voted. */
QK_MUST_USE qk_err mpc_epoch_forget(struct mpc_epoch *epoch);
/** Rule 6, for runs that make the same epoch of the same key. A node may take part in a second one
 *  although it has voted in the first, if it holds the first before it prepares the second: a HELD
 *  run does not become DONE even if it is Complete. Once the second can not become Complete here
 *  (we aborted it, or an abort certificate is known), release; once it is DONE, supersede.
 *  docs/protocols/epoch.md, "Several attempts", says why no two nodes end with different ones.
 *
 *  hold       VOTED -> HELD. release HELD -> VOTED, or at once to its end. supersede HELD or
 * ABORTING
 *             -> SUPERSEDED, with WIPE "new". QK_E_STATE in other states. */
QK_MUST_USE qk_err mpc_epoch_hold(struct mpc_epoch *epoch);
QK_MUST_USE qk_err mpc_epoch_release(struct mpc_epoch *epoch);
QK_MUST_USE qk_err mpc_epoch_supersede(struct mpc_epoch *epoch);
/** Rule 9: a certified record says that this participant is lost for good. Irreversible. */
QK_MUST_USE qk_err mpc_epoch_fence(struct mpc_epoch *epoch, uint16_t id);

/** The next effect, or false. data is valid until the next call. */
bool mpc_epoch_next_effect(struct mpc_epoch *epoch, struct mpc_effect *out);
/** An effect failed: forget the queued ones and refuse everything from now on. */
void mpc_epoch_stop(struct mpc_epoch *epoch);

enum mpc_epoch_state mpc_epoch_state(const struct mpc_epoch *epoch);
const struct mpc_epoch_run *mpc_epoch_run(const struct mpc_epoch *epoch);
/** Votes of unfenced participants that verified, ours included. */
size_t mpc_epoch_votes(const struct mpc_epoch *epoch);
/** Rule 4: with t votes the new epoch is the one to use, by whoever holds its share. For a creation
 *  rule 8 is stricter: announce and use only with mpc_epoch_complete. */
bool mpc_epoch_usable(const struct mpc_epoch *epoch);
/** Rule 2: votes of all unfenced participants, and at least t. */
bool mpc_epoch_complete(const struct mpc_epoch *epoch);
/** An unfenced participant has signed that it will never vote: while nobody signs both, this run
 * can not become Complete. */
bool mpc_epoch_doomed(const struct mpc_epoch *epoch);
/** Check B-10: a participant of which we hold a vote and an abort, or 0. Proof: fence it. */
uint16_t mpc_epoch_double_signer(const struct mpc_epoch *epoch);

/** Rule 7: append the votes we hold, the certificate of rec for the store. QK_E_STATE below t. */
QK_MUST_USE qk_err mpc_epoch_certificate(const struct mpc_epoch *epoch, struct qk_buf *out);
/** Verify such a certificate. run: as the verifier knows it (self is not looked at).
 *  QK_OK and *n_votes (distinct participants, at least t), else QK_E_MALFORMED or QK_E_PROOF. */
QK_MUST_USE qk_err mpc_epoch_certificate_verify(const struct mpc_epoch_run *run,
    const struct mpc_signer *signer, struct qk_bytes in, size_t *n_votes);

#endif
