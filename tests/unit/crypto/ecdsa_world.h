/** A dealt ECDSA key, dealt pair setups and signing nets: what every ECDSA test starts from.
 *
 *  The dealer exists only here: tests want a known secret key and setups without their cost. The
 *  protocols that make both are tested on their own.
 */
#ifndef TEST_ECDSA_WORLD_H
#define TEST_ECDSA_WORLD_H

#include "driver.h"
#include "ecdsa/setup.h"
#include "ecdsa/sign.h"
#include "mpc/ecdsa.h"
#include "mpc/transcript.h"
#include "qktest/qktest.h"

enum { EW_MAX = 6 }; /* parties of one key */

struct ew_key {
    uint64_t seed;
    struct qkt_rng rng;
    const struct mpc_curve *c;
    struct mpc_key_record rec;
    struct mpc_scalar sk;
    size_t n; /* nodes, and D last */
    struct mpc_peer peers[EW_MAX];
    struct mpc_scalar x[EW_MAX];
    struct mpc_ot_setup *setups[EW_MAX][EW_MAX]; /* [i][j]: what i holds with j */
};

static inline void ew_point(const struct mpc_scalar *k, const struct mpc_curve *c, uint8_t *out)
{
    MPC_POINT(p);
    qk_assert_ok(mpc_point_init(&p, c));
    qk_assert_ok(mpc_point_mul_base(&p, k));
    qk_assert_ok(mpc_point_encode(out, &p));
}

static inline void ew_bytes(struct ew_key *k, void *out, size_t len)
{
    qk_assert_ok(qk_rng_fill(&k->rng.rng, out, len));
}

static inline void ew_scalar(struct ew_key *k, struct mpc_scalar *s)
{
    qk_assert_ok(mpc_scalar_random_nonzero(k->c, s, &k->rng.rng));
}

/* ---- the dealer ---- */

static inline void ew_deal_shares(struct ew_key *k, const struct mpc_scalar *sk)
{
    struct mpc_scalar f[MPC_NODES_MAX];
    for (size_t i = 0; i < k->rec.t; i++) ew_scalar(k, &f[i]);
    if (sk)
        k->sk = *sk;
    else
        ew_scalar(k, &k->sk);
    f[0] = k->sk;
    if (k->rec.access) {
        ew_scalar(k, &k->x[k->n - 1]);
        mpc_scalar_sub(k->c, &f[0], &f[0], &k->x[k->n - 1]);
        ew_point(&k->x[k->n - 1], k->c, k->rec.big_x_d);
    }
    for (size_t i = 0; i < k->rec.n; i++) {
        mpc_poly_eval(k->c, &k->x[i], f, k->rec.t, k->peers[i].id);
        ew_point(&k->x[i], k->c, k->rec.big_x[i]);
    }
    ew_point(&k->sk, k->c, k->rec.pk);
}

/* sk: NULL for a random one. Nodes 1..n. */
static inline void ew_deal(struct ew_key *k, uint64_t seed, unsigned curve, unsigned n, unsigned t,
    unsigned access, const struct mpc_scalar *sk)
{
    memset(k, 0, sizeof *k);
    k->seed = seed;
    qkt_rng_init(&k->rng, seed, 0xdea1);
    k->c = mpc_curve_get(curve);
    k->n = n + access;
    k->rec = (struct mpc_key_record){.curve = (uint8_t)curve,
        .access = (uint8_t)access,
        .t = (uint16_t)t,
        .n = (uint16_t)n,
        .e_net = 1,
        .e_del = access};
    ew_bytes(k, k->rec.key_id, sizeof k->rec.key_id);
    ew_bytes(k, k->rec.sid, sizeof k->rec.sid);
    for (unsigned i = 0; i < k->n; i++) {
        k->peers[i].id = i < n ? (uint16_t)(i + 1) : MPC_DELEGATE;
        ew_bytes(k, k->peers[i].idh, 32);
    }
    memcpy(k->rec.nodes, k->peers, n * sizeof *k->peers);
    if (access) k->rec.delegate = k->peers[n];
    ew_deal_shares(k, sk);
}

static inline size_t ew_index(const struct ew_key *k, uint16_t id)
{
    for (size_t i = 0; i < k->n; i++)
        if (k->peers[i].id == id) return i;
    cr_assert_fail("no party %u", id);
    return 0;
}

static inline void ew_binding(
    const struct ew_key *k, size_t self, size_t peer, struct mpc_ot_binding *b)
{
    *b = (struct mpc_ot_binding){.curve = k->rec.curve,
        .e_net = k->rec.e_net,
        .e_del = k->rec.e_del,
        .self = k->peers[self],
        .peer = k->peers[peer]};
    memcpy(b->key_id, k->rec.key_id, sizeof b->key_id);
    qk_assert_ok(mpc_record_hash(&k->rec, b->rec));
}

/* Two setup objects of one pair; from as A toward to. */
static inline void ew_link(struct ew_key *k, struct mpc_ot_setup *from, struct mpc_ot_setup *to)
{
    ew_bytes(k, from->psid_alice, 32);
    memcpy(to->psid_bob, from->psid_alice, 32);
    ew_bytes(k, from->delta, from->kappa / 8u);
    ew_bytes(k, to->pairs, 64u * to->kappa);
    for (size_t i = 0; i < from->kappa; i++)
        memcpy(from->seeds + 32 * i, to->pairs + 64 * i + 32u * ot_bit(from->delta, i), 32);
}

static inline void ew_deal_pair(struct ew_key *k, size_t i, size_t j)
{
    struct mpc_ot_binding a, b;
    ew_binding(k, i, j, &a);
    ew_binding(k, j, i, &b);
    qk_assert_ok(ot_setup_new(&k->setups[i][j], &a));
    qk_assert_ok(ot_setup_new(&k->setups[j][i], &b));
    struct mpc_ot_setup *x = k->setups[i][j], *y = k->setups[j][i];
    ew_link(k, x, y);
    ew_link(k, y, x);
    ew_bytes(k, x->id, 32);
    memcpy(y->id, x->id, 32);
    ew_bytes(k, x->k, 32);
    memcpy(y->k, x->k, 32);
    qk_assert_ok(ot_setup_finish(x));
    qk_assert_ok(ot_setup_finish(y));
}

static inline void ew_deal_setups(struct ew_key *k)
{
    for (size_t i = 0; i < k->n; i++)
        for (size_t j = i + 1; j < k->n; j++)
            if (!k->setups[i][j]) ew_deal_pair(k, i, j);
}

static inline void ew_free(struct ew_key *k)
{
    for (size_t i = 0; i < EW_MAX; i++)
        for (size_t j = 0; j < EW_MAX; j++) mpc_ot_setup_free(k->setups[i][j]);
    memset(k, 0, sizeof *k);
}

/* ---- sessions ---- */

struct ew_run {
    struct ew_key *k;
    struct mpc_session s;
    uint16_t ids[EW_MAX];
    size_t n;
    uint8_t digest[MPC_ECDSA_DIGEST_MAX];
    size_t digest_len; /* 0: presign */
    struct qkt_rng rngs[EW_MAX];
    struct qk_rng *force[EW_MAX]; /* instead of rngs[i], if set */
    struct qkt_net *net;
};

/* A session of these node ids (and D with access 1) on a digest made from the seed. */
static inline void ew_session(struct ew_run *r, struct ew_key *k, uint64_t seed,
    const uint16_t *node_ids, size_t n_ids, bool online)
{
    memset(r, 0, sizeof *r);
    r->k = k;
    uint8_t req[32];
    struct qkt_rng rng;
    qkt_rng_init(&rng, seed, 0x5e55);
    qk_assert_ok(qk_rng_fill(&rng.rng, req, 32));
    qk_assert_ok(qk_rng_fill(&rng.rng, r->digest, sizeof r->digest));
    r->digest_len = online ? mpc_ecdsa_digest_len(k->c->id) : 0;
    qk_assert_ok(mpc_record_session(&k->rec, node_ids, n_ids, node_ids[0], req, &r->s));
    r->n = r->s.n_peers;
    for (size_t i = 0; i < r->n; i++) {
        r->ids[i] = r->s.peers[i].id;
        qkt_rng_init(&r->rngs[i], seed, r->ids[i]);
    }
}

static inline qk_err ew_start_one(struct ew_run *r, size_t i, struct mpc_party **out)
{
    struct mpc_ot_setup *setups[EW_MAX];
    size_t self = ew_index(r->k, r->ids[i]), n = 0;
    struct mpc_session s = r->s;
    s.self = r->ids[i];
    for (size_t j = 0; j < r->n; j++)
        if (j != i) setups[n++] = r->k->setups[self][ew_index(r->k, r->ids[j])];
    struct mpc_ecdsa_params p = {.session = &s,
        .rec = &r->k->rec,
        .share = &r->k->x[self],
        .setups = setups,
        .n_setups = n,
        .digest = {r->digest, r->digest_len},
        .rng = r->force[i] ? r->force[i] : &r->rngs[i].rng};
    return mpc_ecdsa_start(out, &p);
}

static inline void ew_start(struct ew_run *r, uint64_t seed)
{
    r->net = qkt_net_new(seed);
    for (size_t i = 0; i < r->n; i++) {
        struct mpc_party *party;
        qk_assert_ok(ew_start_one(r, i, &party));
        qkt_add(r->net, r->ids[i], party);
    }
}

static inline void ew_end(struct ew_run *r)
{
    qkt_net_free(r->net);
    r->net = NULL;
}

/* ---- results ---- */

static inline void ew_parts(struct ew_run *r, struct mpc_ecdsa_part *parts)
{
    for (size_t i = 0; i < r->n; i++) {
        qkt_expect_done(r->net, r->ids[i]);
        qk_assert_ok(mpc_ecdsa_take_part(qkt_party(r->net, r->ids[i])->party, &parts[i]));
    }
}

static inline qk_err ew_combine(struct ew_run *r, const struct mpc_ecdsa_part *parts,
    const struct mpc_ecdsa_offset *offset, struct qk_buf *der)
{
    return mpc_ecdsa_combine(&r->k->rec, parts, r->n,
        qk_bytes(r->digest, mpc_ecdsa_digest_len(r->k->c->id)), offset, der);
}

/* Nobody got a part, and nobody can. */
static inline void ew_expect_no_output(struct ew_run *r)
{
    for (size_t i = 0; i < r->n; i++) {
        struct mpc_ecdsa_part part;
        struct mpc_presig *presig;
        if (r->ids[i] == r->net->cheater) continue;
        struct mpc_party *party = qkt_party(r->net, r->ids[i])->party;
        qk_assert_err(mpc_ecdsa_take_part(party, &part), QK_E_STATE);
        qk_assert_err(mpc_ecdsa_take_presig(party, &presig), QK_E_STATE);
    }
}

/* The state of a party in this process: what a cheater knows of herself. */
static inline struct sign *ew_state(struct ew_run *r, uint16_t id)
{
    return qkt_party(r->net, id)->party->state;
}

static inline struct sign_peer *ew_toward(struct ew_run *r, uint16_t self, uint16_t peer)
{
    struct sign *s = ew_state(r, self);
    for (size_t i = 0; i < s->n_peers; i++)
        if (s->peers[i].id == peer) return &s->peers[i];
    cr_assert_fail("party %u does not know %u", self, peer);
    return NULL;
}

#endif
