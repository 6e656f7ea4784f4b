/** The engine under every interactive protocol: what a struct mpc_party is inside.
 *
 *  Private to crypto/. A protocol is one static struct mpc_proto_def: a flat
 *  table of its messages, and one function per round that runs when the round
 *  is complete. The engine does the rest of protocols/00-common.md: round 0
 *  and the session id (section 4), envelopes and exact bodies (section 6),
 *  echo hashes (section 7), abort classes (section 8), buffering and
 *  duplicates (section 11), wiping.
 *
 *      static const struct mpc_field round1[] = { { "com", mpc_len_64 } };
 *      static const struct mpc_row rows[] = {
 *          { 1, MPC_TO_ALL, MPC_CLASS_ANY, MPC_CLASS_ANY, MPC_NO_ECHO, round1, 1 },
 *          ...
 *      };
 *      static qk_err (*const rounds[])(struct mpc_party *) = { send_com, check_com_send_open, ...
 * };
 *
 *  Life: start function -> mpc_engine_new -> fill the state -> mpc_engine_begin.
 *  rounds[0] runs when the sid is known and sends round 1; rounds[r] runs when
 *  every expected message of round r is in, does that round's checks in the
 *  written order, and sends round r+1 or calls mpc_engine_done. A round in
 *  which nobody sends anything to me is complete at once.
 *
 *  A round function that fails returns its error after mpc_fail_p / mpc_fail_x
 *  / mpc_fail_n named class, culprit and check. The engine then drops every
 *  SEND, PERSIST and SETUP_USE which that function queued, keeps its
 *  SETUP_POISON and WIPE, tells the peers `abort` and wipes. A failure without
 *  a name is class N. (mpc_party_expire drops those of earlier rounds too, and
 *  so does a SETUP_POISON: nothing waits in front of it.)
 *
 *  What has no peer on the other end (a part for a combiner) is no message:
 *  keep it in the state and let the protocol's result function hand it out.
 */
#ifndef MPC_ENGINE_H
#define MPC_ENGINE_H

#include "mpc/labels.h"
#include "mpc/party.h"
#include "mpc/session.h"
#include "mpc/transcript.h"
#include "qk/secret.h"

enum {
    MPC_ROUNDS_MAX = 8,    /* rounds 0..7 */
    MPC_FIELDS_MAX = 12,   /* fields of one body */
    MPC_EFFECTS_MAX = 256, /* queued at one time */
    MPC_ROUND_ABORT = 255, /* the round number of an abort frame; body { "code": bin 01 } */
    MPC_NO_ECHO = -1,
};

/* Who sends or receives a row. The two lower bits are set by the engine unless the protocol has a
 * class_of of its own; the others are the protocol's (dealers, newcomers). */
enum {
    MPC_CLASS_NODE = 1,
    MPC_CLASS_DELEGATE = 2,
    MPC_CLASS_A = 4,
    MPC_CLASS_B = 8,
    MPC_CLASS_ANY = 255
};

enum mpc_way { MPC_TO_ALL = 0, MPC_TO_ONE = 1 };

/** One field of a body: bin of exactly len(party) bytes. */
struct mpc_field {
    const char *key;
    size_t (*len)(const struct mpc_party *party);
};

/* Lengths that every protocol needs. */
size_t mpc_len_16(const struct mpc_party *party);
size_t mpc_len_32(const struct mpc_party *party);
size_t mpc_len_64(const struct mpc_party *party);
size_t mpc_len_scalar(const struct mpc_party *party);   /* lq */
size_t mpc_len_point(const struct mpc_party *party);    /* pt */
size_t mpc_len_points_t(const struct mpc_party *party); /* t * pt */

/** One kind of message. At most one row per (round, way, class of the sender). */
struct mpc_row {
    uint8_t round; /* 1..MPC_ROUNDS_MAX-1 */
    uint8_t way;   /* enum mpc_way */
    uint8_t from;  /* classes that send it */
    uint8_t to;    /* classes that receive it; MPC_CLASS_ANY for MPC_TO_ALL */
    int8_t echo;   /* MPC_TO_ONE only: the index of the field that is the same for every addressee
                      and enters the echo as a one-field body (document 20 round 1); else
                      MPC_NO_ECHO. A MPC_TO_ALL body always enters as a whole. */
    const struct mpc_field *fields;
    uint8_t n_fields;
};

struct mpc_proto_def {
    uint8_t proto;    /* enum mpc_proto */
    const char *name; /* the proto name inside sid: "dkg", "ecdsa", ... */
    const struct mpc_row *rows;
    size_t n_rows;
    qk_err (*const *rounds)(struct mpc_party *party); /* n_rounds functions, see above */
    size_t n_rounds;
    size_t state_len; /* bytes of the protocol's own state, zeroed at first */
    /** Release what the state points to (points, buffers, references). The engine wipes the bytes
     *  themselves. Called once: on abort, or at mpc_party_free. May be NULL. */
    void (*clear)(void *state);
    /** The class of a party, or NULL for node / delegate by id. */
    uint8_t (*class_of)(const struct mpc_party *party, uint16_t id);
};

/** One stored body; `field` points into `body`. Wiped when released. */
struct mpc_msg {
    struct qk_buf body;
    struct qk_bytes field[MPC_FIELDS_MAX];
};

/** What the engine remembers of one (round, sender, way). */
struct mpc_seen {
    bool have;
    uint8_t digest[32];  /* H32("bc"; body) once msg is released; in round 0 the nonce */
    struct mpc_msg *msg; /* NULL once released */
};

struct mpc_queue {
    struct mpc_effect e[MPC_EFFECTS_MAX];
    struct qk_buf data[MPC_EFFECTS_MAX]; /* owned bytes of e[i].data */
    size_t head, n;
    struct qk_buf taken; /* of the effect handed out last */
};

/** A frame of round 1 that came before the sid was known. */
struct mpc_early {
    bool have;
    struct qk_buf frame;
};

struct mpc_party {
    /* For protocols to read. */
    const struct mpc_proto_def *def;
    struct mpc_session s;
    const struct mpc_curve *curve;
    struct qk_rng *rng;
    size_t self_ix;  /* index of self in s.peers */
    uint8_t sid[32]; /* valid from rounds[0] on */
    unsigned round;  /* awaited now */
    void *state;     /* def->state_len bytes */

    /* The engine's own. */
    enum mpc_state phase;
    struct mpc_blame blame;
    bool have_sid;
    uint8_t open_id[32];
    uint8_t nonce[MPC_PARTIES_MAX][32];
    struct mpc_seen seen[MPC_ROUNDS_MAX][MPC_PARTIES_MAX][2];
    bool bc_have[MPC_ROUNDS_MAX][MPC_PARTIES_MAX];
    uint8_t bc[MPC_ROUNDS_MAX][MPC_PARTIES_MAX][32]; /* H32("bc"; body), own messages included */
    struct mpc_early early[MPC_PARTIES_MAX][2];
    struct mpc_queue queue;
};

/* ------------------------------------------------------- start and end -- */

/** Check the session and make a party; the state is zeroed and nothing is queued yet.
 *
 *  Checks (C-1): 1..33 peers with strictly ascending ids, each 1..255, or D as the last and only
 *  with access 1; at least one node, at most 32; self among them; curve known; 1 <= t <= 32;
 *  access 0 or 1.
 *  Copies s; borrows def and rng for the life of the party.
 *  Returns QK_OK, QK_E_STATE, 5xx.
 */
QK_MUST_USE qk_err mpc_engine_new(struct mpc_party **out, const struct mpc_proto_def *def,
    const struct mpc_session *s, struct qk_rng *rng);
/** Draw the nonce, queue round 0, and go as far as possible (with one party: to the end). On an
 *  error the party is ABORTED; free it. */
QK_MUST_USE qk_err mpc_engine_begin(struct mpc_party *party);
/** From the last round function: MPC_DONE. The state stays for the result function; bodies are
 *  wiped. Wipe from the state whatever is no result. */
void mpc_engine_done(struct mpc_party *party);
/** The state of a DONE party of this protocol, or NULL: how a result function begins. */
void *mpc_engine_result(struct mpc_party *party, uint8_t proto);

/* ------------------------------------------------------------ messages -- */

/** Queue a row's message. to: 0 for MPC_TO_ALL, else a peer's id. fields: the values in the row's
 *  order, with exactly the row's lengths (QK_E_STATE otherwise). Copied into wiped memory. Enters
 *  our own echo; an MPC_TO_ALL body can be read back with mpc_engine_field(.., self_ix, ..). */
QK_MUST_USE qk_err mpc_engine_send(
    struct mpc_party *party, size_t row, uint16_t to, const struct qk_bytes *fields);

/** Field k of the message of party number ix (an index in s.peers): exactly the row's length. An
 *  empty view if there is none.
 *  Lifetime: MPC_TO_ALL bodies stay for the session; MPC_TO_ONE bodies are wiped when the function
 *  of their round returns: copy what a later round needs. */
struct qk_bytes mpc_engine_field(
    const struct mpc_party *party, unsigned round, size_t ix, enum mpc_way way, size_t k);

/** echo_r over the broadcast bodies of round r. QK_E_STATE if a sender of that round is missing. */
QK_MUST_USE qk_err mpc_engine_echo(struct mpc_party *party, unsigned r, uint8_t out[static 32]);
/** Check C-9 for one peer: its echo of round r equals mine, else class N and QK_E_MISMATCH. */
QK_MUST_USE qk_err mpc_engine_check_echo(
    struct mpc_party *party, unsigned r, struct qk_bytes theirs);

/* ------------------------------------------------------------- effects -- */

/** Queue an effect other than SEND. data is copied; id may be NULL (zeros). */
QK_MUST_USE qk_err mpc_engine_effect(struct mpc_party *party, enum mpc_effect_kind kind,
    uint16_t to, const uint8_t *id, const char *name, struct qk_bytes data);

/* The queue itself, for machines that are no parties (crypto/src/epoch). */
QK_MUST_USE qk_err mpc_queue_push(struct mpc_queue *q, enum mpc_effect_kind kind, uint16_t to,
    const uint8_t *id, const char *name, struct qk_bytes data);
bool mpc_queue_pop(struct mpc_queue *q, struct mpc_effect *out);
/** Wipe and free everything queued. */
void mpc_queue_clear(struct mpc_queue *q);

/* --------------------------------------------------------------- blame -- */

/** Record the reason and give err back: `return mpc_fail_p(party, id, "D-4", QK_E_PROOF);`. The
 *  first reason wins. check: static text. */
QK_MUST_USE qk_err mpc_fail_p(struct mpc_party *party, uint16_t id, const char *check, qk_err err);
QK_MUST_USE qk_err mpc_fail_x(struct mpc_party *party, uint16_t id, const char *check, qk_err err);
QK_MUST_USE qk_err mpc_fail_n(struct mpc_party *party, const char *check, qk_err err);

/* ----------------------------------------------------------- utilities -- */

uint8_t mpc_engine_class(const struct mpc_party *party, uint16_t id);
/** The index of a party id in s.peers, or -1. */
int mpc_engine_index(const struct mpc_party *party, uint16_t id);
/** The row of (round, way, class of the sender), or NULL. */
const struct mpc_row *mpc_engine_row(
    const struct mpc_party *party, unsigned round, enum mpc_way way, uint16_t from);

/** u16 as two bytes, for transcripts: MPC_U16(x) is a view with the lifetime of the block. */
#define MPC_U16(v) qk_bytes((const uint8_t[2]){(uint8_t)((v) >> 8), (uint8_t)(v)}, 2)
#define MPC_U8(v)  qk_bytes((const uint8_t[1]){(uint8_t)(v)}, 1)
#define MPC_U32(v)                                                                                 \
    qk_bytes((const uint8_t[4]){(uint8_t)((uint32_t)(v) >> 24), (uint8_t)((uint32_t)(v) >> 16),    \
                 (uint8_t)((uint32_t)(v) >> 8), (uint8_t)(v)},                                     \
        4)

#endif
