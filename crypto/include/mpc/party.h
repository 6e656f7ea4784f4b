/** One running protocol party: the interface that every protocol shares.
 *
 *  Source: protocols/00-common.md sections 4, 6, 7, 8 and 11. A party is a
 *  value: feed it frames, take effects out. It does no I/O, reads no clock,
 *  starts no thread; given the same rng it does the same again.
 *
 *  Who does what: the protocol (mpc/dkg.h, mpc/ecdsa.h, ...) has a start
 *  function that makes a party and a result function that reads its outcome.
 *  The caller (a node, a test, later a delegate) owns the party, carries its
 *  frames and executes its effects in order:
 *
 *      qk_err err = mpc_party_receive(party, from, frame);
 *      struct mpc_effect e;
 *      while (mpc_party_next_effect(party, &e))
 *          if (execute(&e) != QK_OK) { mpc_party_expire(party); break; }
 *
 *  Not thread-safe: one caller at a time.
 */
#ifndef MPC_PARTY_H
#define MPC_PARTY_H

#include "qk/bytes.h"
#include "qk/rng.h"

enum {
    MPC_NODES_MAX = 32,
    MPC_PARTIES_MAX = 33,   /* nodes and a delegate */
    MPC_DELEGATE = 65535,   /* the party id of D */
    MPC_FRAME_MAX = 196608, /* 192 KiB, envelope included */
};

/** Protocol numbers on the wire. */
enum mpc_proto {
    MPC_PROTO_DKG = 1,
    MPC_PROTO_RESHARE = 2, /* document 10 section 2: not built yet, the number is taken */
    MPC_PROTO_OT_SETUP = 3,
    MPC_PROTO_ECDSA = 4,
    MPC_PROTO_OT_DERIVE = 5,
    MPC_PROTO_SYM_GEN = 50,
    MPC_PROTO_SYM_EVAL = 51,
    MPC_PROTO_SYM_MOVE = 52, /* document 50 section 9: not built yet, the number is taken */
    MPC_PROTO_DPRF_SYSTEM = 53,
    MPC_PROTO_MAC = 60, /* frames of node and wire, no party: see mpc/mac.h */
    MPC_PROTO_MAC_GEN = 61,
    MPC_PROTO_RAND = 65,
    MPC_PROTO_EPOCH = 90,
};

/** A participant: its id and idh = H32("id-key"; DER of its identity public key). */
struct mpc_peer {
    uint16_t id;
    uint8_t idh[32];
};

/** Every input of the session id but the nonces (protocols/00 section 4). Equal at all parties. */
struct mpc_session {
    uint8_t curve;
    uint8_t key_id[16];
    uint32_t e_net;
    uint32_t e_del;
    uint8_t rec[32]; /* hash of the public key record; zeros before a key exists */
    uint16_t t;
    uint8_t access; /* 0 nodes, 1 delegate AND nodes */
    uint8_t req[32];
    uint16_t n_peers;
    struct mpc_peer peers[MPC_PARTIES_MAX]; /* ascending ids; self is among them */
    uint16_t self;
};

enum mpc_state { MPC_RUNNING, MPC_DONE, MPC_ABORTED };

/** What the caller must do, in the order given. data is valid until the next call on the party. */
enum mpc_effect_kind {
    MPC_EFFECT_SEND, /* put data (an envelope) on the link to party `to`; 0: to every other party */
    MPC_EFFECT_PERSIST,   /* durably store data under key_id as described by the protocol, read it
                             back, and only then go on */
    MPC_EFFECT_WIPE,      /* destroy what `name` names in the protocol's terms */
    MPC_EFFECT_SETUP_USE, /* document 20 section 7: under the lock of setup `id` and up to the end
                             of this batch of effects: if it is poisoned, fail; else mark PROVEN */
    MPC_EFFECT_SETUP_POISON, /* mark setup `id` (made with party `to`) POISONED, sync to disk,
                                before anything visible happens */
};

struct mpc_effect {
    enum mpc_effect_kind kind;
    uint16_t to;
    uint8_t id[32];
    const char *name;     /* static text */
    struct qk_bytes data; /* may be secret for PERSIST and private SENDs */
};

/** Abort classes of protocols/00 section 8. */
enum mpc_blame_class {
    MPC_BLAME_NONE = 0,
    MPC_BLAME_N = 'N',
    MPC_BLAME_P = 'P',
    MPC_BLAME_X = 'X'
};

struct mpc_blame {
    enum mpc_blame_class cls;
    uint16_t party; /* 0 for class N */
    const char
        *check; /* "D-4", "E-6", ... or "timeout"; static text, for the local audit log only */
};

struct mpc_party;

/** The 32 bytes that route round-0 frames: H32("open"; the sid fields without the nonces). */
void mpc_party_open_id(const struct mpc_party *party, uint8_t out[static 32]);
/** The session id; false until every nonce is in. */
bool mpc_party_sid(const struct mpc_party *party, uint8_t out[static 32]);

/** Feed one frame that the authenticated channel of party `from` delivered.
 *
 *  Routing: by (proto, s) of the envelope; s is the open id in round 0 and the sid after it. Until
 *  its sid is known a party keeps one frame of round 1 per sender and kind, unchecked. A node with
 *  several openings under way holds frames of unknown sid itself, bounded, and offers them to the
 *  party whose mpc_party_sid becomes theirs.
 *
 *  Returns  QK_OK            taken (or an identical copy ignored); effects may wait
 *           QK_E_FOREIGN     another session, or bytes that name none: dropped, no check was run,
 *                            nobody blamed (C-5, C-6)
 *           QK_E_EARLY       more than one round ahead, or the sid is not known yet and the one
 *                            place for such a frame is taken: dropped, offer it again later
 *           QK_E_MALFORMED,  the frame or its sender is at fault: the party is ABORTED, see
 *           QK_E_UNEXPECTED, mpc_party_blame; effects may wait (poison, wipe, abort messages)
 *           QK_E_PROOF
 *           QK_E_MISMATCH    class N, also when a peer says abort
 *           QK_E_STATE       the party has ended, or from is not a peer: dropped
 *           5xx              local trouble: ABORTED, class N
 */
QK_MUST_USE qk_err mpc_party_receive(struct mpc_party *party, uint16_t from, struct qk_bytes frame);
/** The next effect, or false. */
bool mpc_party_next_effect(struct mpc_party *party, struct mpc_effect *out);
/** Give up: timeout, a failed effect, shutdown. Class N; wipes and drops what was queued; effects
 *  (abort messages to the peers, poisoning) may wait afterwards. No-op once ended. */
void mpc_party_expire(struct mpc_party *party);

enum mpc_state mpc_party_state(const struct mpc_party *party);
/** Why an ABORTED party ended. */
struct mpc_blame mpc_party_blame(const struct mpc_party *party);
/** The round whose messages are awaited, for logs. */
unsigned mpc_party_round(const struct mpc_party *party);
/** Wipe and free; NULL is allowed. */
void mpc_party_free(struct mpc_party *party);

/* ---- envelopes (protocols/00 section 6), for routing before a party is found ---- */

struct mpc_envelope {
    uint8_t proto;
    uint8_t sid[32]; /* the open id in round 0 */
    uint8_t round;
    uint16_t from;
    uint16_t to;          /* 0 = broadcast */
    struct qk_bytes body; /* the body map, encoded; points into the frame */
};

/** Bounds and canonical form of the envelope only; the body stays opaque. QK_E_MALFORMED. */
QK_MUST_USE qk_err mpc_envelope_decode(struct qk_bytes frame, struct mpc_envelope *out);

#endif
