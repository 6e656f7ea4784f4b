/** The test driver of protocols/00-common.md section 11.
 *
 *  n parties in one process over one queue. Frames are delivered in an order
 *  drawn from the seed (links keep no order, which is more hostile than TLS).
 *  One party may be a cheater: a hook sees each of its frames, one per
 *  addressee, and may change, drop, repeat or add frames. The cheater's own
 *  secrets are open to the hook through the private headers of crypto/src.
 *
 *      struct qkt_net *net = qkt_net_new(seed);
 *      qkt_add(net, 1, party1); qkt_add(net, 2, party2); ...   (the net owns them)
 *      net->cheater = 2; net->hook = bend; net->hook_ctx = &what;
 *      qkt_run(net);
 *      qkt_expect_blame(net, 1, 'P', 2, "D-4");
 *      qkt_net_free(net);
 */
#ifndef QKT_DRIVER_H
#define QKT_DRIVER_H

#include "mpc/party.h"

/* ---- deterministic randomness: exists in tests only ---- */

struct qkt_rng {
    struct qk_rng rng; /* pass &r->rng */
    uint8_t key[32];
    uint64_t draws;
    int fail_after; /* >= 0: the draw with this number fails with QK_E_RNG; -1: never */
};
/** A stream that depends on seed and stream only. */
void qkt_rng_init(struct qkt_rng *r, uint64_t seed, uint64_t stream);
uint64_t qkt_random(struct qkt_rng *r, uint64_t below);

/* ---- the net ---- */

struct qkt_frame {
    uint16_t from, to;
    unsigned round;     /* of the envelope when it was sent */
    struct qk_buf data; /* owned; the hook may rewrite it */
    bool drop;          /* set by the hook */
    unsigned delay;     /* set by the hook: wait for so many other deliveries first */
};

struct qkt_party {
    uint16_t id;
    struct mpc_party *party; /* owned */
    qk_err last_err;    /* of the last receive that failed with other than FOREIGN, EARLY, STATE */
    unsigned n_foreign; /* frames dropped as another session's */
    struct qk_buf stored; /* data of the last PERSIST */
    unsigned n_persists, n_poisons, n_wipes;
    bool persist_fails; /* the next PERSIST effect fails */
};

struct qkt_net {
    struct qkt_rng dice;
    uint64_t seed;
    struct qkt_party p[MPC_PARTIES_MAX];
    size_t n;
    struct qkt_frame *queue;
    size_t n_queue, cap_queue;
    bool in_order;    /* deliver oldest first instead of at random */
    bool mute_aborts; /* drop abort frames, so that everybody must find the fault alone */

    uint16_t cheater; /* its id, or 0 */
    bool hook_all;    /* the hook sees the frames of all parties */
    void (*hook)(struct qkt_net *net, struct qkt_frame *frame, void *ctx);
    /* Called before each frame is given to the cheater: change its state here. May be NULL. */
    void (*before)(struct qkt_net *net, struct mpc_party *party, void *ctx);
    void *hook_ctx;
    /* Every frame that goes over the wire, as a recorder of relay traffic sees it. May be NULL. */
    void (*tap)(const struct qkt_frame *frame, void *ctx);
    void *tap_ctx;
    /* Carries out effects other than SEND in place of the driver's counting. May be NULL. */
    qk_err (*on_effect)(
        struct qkt_net *net, struct qkt_party *who, const struct mpc_effect *e, void *ctx);
    void *effect_ctx;
};

struct qkt_net *qkt_net_new(uint64_t seed);
void qkt_net_free(struct qkt_net *net);
/** The net takes the party over. Its first effects are carried out by qkt_run. */
void qkt_add(struct qkt_net *net, uint16_t id, struct mpc_party *party);
struct qkt_party *qkt_party(struct qkt_net *net, uint16_t id);
/** Put a frame on the wire as if `from` had sent it (the channel vouches for from). */
void qkt_inject(struct qkt_net *net, uint16_t from, uint16_t to, struct qk_bytes data);
/** Deliver until nothing is under way; parties that still run then are stuck. */
void qkt_run(struct qkt_net *net);
/** Time out everybody who still runs, and deliver what that causes. */
void qkt_expire(struct qkt_net *net);

/* ---- claims about the outcome (each names the seed when it fails) ---- */

void qkt_expect_done(struct qkt_net *net, uint16_t id);
/** cls: 'N', 'P' or 'X'; who: 0 for N; check: NULL for any. The party must be ABORTED. */
void qkt_expect_blame(struct qkt_net *net, uint16_t id, char cls, uint16_t who, const char *check);
/** What every honest party says: those who saw the attack (victim: an id, or 0 for all) blame
 *  cls(who) check, the others that or N. Nobody is DONE, nobody has stored anything. Use it with
 *  mute_aborts and after qkt_expire. */
void qkt_expect_attack(
    struct qkt_net *net, uint16_t victim, char cls, uint16_t who, const char *check);
/** Every honest party is ABORTED and none has stored anything. */
void qkt_expect_nothing(struct qkt_net *net);

/* ---- reading and bending frames ---- */

/** The value of a field of the body, a view into the frame; empty if there is none. */
struct qk_bytes qkt_field(const struct qkt_frame *frame, const char *key);
/** Replace the value of one field (any length; the body is encoded anew). */
void qkt_set_field(struct qkt_frame *frame, const char *key, struct qk_bytes value);
/** Add a field at the end of the body. */
void qkt_add_field(struct qkt_frame *frame, const char *key, struct qk_bytes value);
/** Remove a field. */
void qkt_drop_field(struct qkt_frame *frame, const char *key);
/** Swap a field's bytes in place: xor of one byte. */
void qkt_flip(struct qkt_frame *frame, const char *key, size_t at, uint8_t mask);
/** Let the sending party's own echo hash follow a bent broadcast frame, as a cheater would. */
void qkt_fix_own_echo(struct qkt_net *net, const struct qkt_frame *frame);
/** A whole frame with this envelope. out is replaced. */
void qkt_frame_encode(struct qk_buf *out, const struct mpc_envelope *env);

/* ---- sessions for tests ---- */

/** A session of the nodes with these ids (and D, if access is 1) on this curve; idh, key_id and
 *  req are derived from the seed; self is set to ids[0]. */
void qkt_session(struct mpc_session *s, uint64_t seed, unsigned curve, const uint16_t *ids,
    size_t n_ids, unsigned t, unsigned access);

#endif
