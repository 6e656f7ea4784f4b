/* One party cheats, in every position and on every curve: nodes 1, 2, 3 and D, 2 of 3. */
#include "dkg/state.h"
#include "dkgrun.h"
#include "qktest/qktest.h"

#include <stdlib.h>

static const uint16_t ids[] = {1, 2, 3};
static const uint16_t everybody[] = {1, 2, 3, MPC_DELEGATE};

struct attack {
    void (*hook)(struct qkt_net *net, struct qkt_frame *frame, void *ctx);
    char cls;
    const char *check;
    uint16_t victim; /* 0: all */
    bool nodes_only; /* D sends no such message */
    int variant;
    bool done; /* the hook's own: recommitted already */
    struct qkt_rng rng;
};

static struct mpc_dkg *state_of(struct qkt_net *net, uint16_t id)
{
    return qkt_party(net, id)->party->state;
}

static struct qkt_net *start(unsigned curve, uint16_t cheater, struct qkt_rng *rngs)
{
    struct qkt_net *net = qkt_dkg_net(curve * 1000u + cheater % 10, curve, ids, 3, 2, 1, rngs);
    net->cheater = cheater;
    net->mute_aborts = true;
    return net;
}

/* Somebody who is not the cheater. */
static uint16_t other_than(uint16_t cheater)
{
    return cheater == 2 ? 3 : 2;
}

static void run_attack(const struct attack *what)
{
    for (unsigned curve = 1; curve <= 4; curve++)
        for (size_t k = 0; k < 4; k++) {
            if (what->nodes_only && everybody[k] == MPC_DELEGATE) continue;
            struct attack a = *what;
            struct qkt_rng rngs[4];
            struct qkt_net *net = start(curve, everybody[k], rngs);
            if (a.victim) a.victim = other_than(net->cheater);
            qkt_rng_init(&a.rng, curve, 99);
            net->hook = a.hook;
            net->hook_ctx = &a;
            qkt_run(net);
            qkt_expire(net);
            qkt_expect_attack(net, a.victim, a.cls, a.cls == 'N' ? 0 : net->cheater, a.check);
            qkt_net_free(net);
        }
}

/* ---- a cheater who makes everything consistent but the one thing ---- */

static struct qk_bytes own_data(const struct mpc_party *party, struct qk_buf *out)
{
    const struct mpc_dkg *st = party->state;
    size_t pt = party->curve->pt;
    qk_buf_clear(out);
    mpc_dkg_opening(out, qk_bytes(st->enc_c, st->n_coeffs * pt), qk_bytes(st->pok.a, pt),
        qk_bytes(st->pok.z, party->curve->lq));
    return qk_buf_view(out);
}

/* Commit anew to what the state holds now; the frame carries the new com. */
static void recommit(struct qkt_net *net, struct qkt_frame *frame)
{
    struct mpc_party *party = qkt_party(net, frame->from)->party;
    struct mpc_dkg *st = party->state;
    QK_AUTO_BUF data = QK_BUF(4096);
    uint8_t com[64];
    qk_assert_ok(mpc_commit(com, party->sid, party->s.self, mpc_dkg_role(party->s.self),
        own_data(party, &data), st->rho));
    qkt_set_field(frame, "com", QK_BYTES(com));
    qkt_fix_own_echo(net, frame);
}

/* C_k and, for k = 0, a right proof, from the coefficients. */
static void recompute(struct mpc_party *party, struct qk_rng *rng)
{
    struct mpc_dkg *st = party->state;
    MPC_POINT(p);
    qk_assert_ok(mpc_point_init(&p, party->curve));
    for (size_t k = st->n_coeffs; k-- > 0;) {
        qk_assert_ok(mpc_point_mul_base(&p, &st->coeffs[k]));
        qk_assert_ok(mpc_point_encode(st->enc_c + k * party->curve->pt, &p));
    }
    qk_assert_ok(mpc_pok_prove(&st->pok, party->curve, party->sid, party->s.self,
        mpc_dkg_role(party->s.self), &st->coeffs[0], &p, rng));
}

/* ---- D-1 ---- */

static void bend_rho(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    (void)net;
    (void)ctx;
    if (f->round == 2 && qkt_field(f, "rho").len) qkt_flip(f, "rho", 3, 1);
}

static void bend_opening(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    (void)ctx;
    if (f->round != 2 || !qkt_field(f, "rho").len) return;
    size_t pt = qkt_party(net, f->from)->party->curve->pt;
    struct qk_bytes c = qkt_field(f, f->from == MPC_DELEGATE ? "X" : "C");
    uint8_t point[MPC_POINT_MAX];
    memcpy(point, c.p, pt);
    qkt_set_field(f, "A", qk_bytes(point, pt)); /* a valid point, but not the committed one */
}

QK_TEST(dkg_hostile, D_1_opening_that_does_not_match_com)
{
    run_attack(&(struct attack){.hook = bend_rho, .cls = 'P', .check = "D-1"});
    run_attack(&(struct attack){.hook = bend_opening, .cls = 'P', .check = "D-1"});
}

/* What the wire carried, to be sent again under another name. */
struct tape {
    struct qk_buf frame[512];
    uint16_t from[512], to[512];
    unsigned round[512];
    size_t n;
};

static void record(const struct qkt_frame *f, void *ctx)
{
    struct tape *t = ctx;
    if (t->n == 512) return;
    t->frame[t->n] = (struct qk_buf)QK_BUF(1 << 20);
    qk_buf_add(&t->frame[t->n], f->data.p, f->data.len);
    t->from[t->n] = f->from;
    t->to[t->n] = f->to;
    t->round[t->n++] = f->round;
}

static void tape_free(struct tape *t)
{
    for (size_t i = 0; i < t->n; i++) qk_buf_free(&t->frame[i]);
    free(t);
}

static void hold_back(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    (void)net;
    const struct attack *a = ctx;
    if (!a->done && (f->round == 1 || f->round == 2)) f->drop = true;
}

/* Send the broadcast of `model` in this round as the cheater's own. */
static void copy_as_own(struct qkt_net *net, const struct tape *t, unsigned round, uint16_t model)
{
    size_t n = t->n;
    for (size_t i = 0; i < n; i++) {
        if (t->from[i] != model || t->round[i] != round) continue;
        struct mpc_envelope env;
        qk_assert_ok(mpc_envelope_decode(qk_buf_view(&t->frame[i]), &env));
        if (env.to != 0) continue;
        env.from = net->cheater;
        QK_AUTO_BUF again = QK_BUF(1 << 20);
        qkt_frame_encode(&again, &env);
        for (size_t j = 0; j < net->n; j++)
            if (net->p[j].id != net->cheater)
                qkt_inject(net, net->cheater, net->p[j].id, qk_buf_view(&again));
        return;
    }
    cr_assert_fail("nothing to copy");
}

QK_TEST(dkg_hostile, D_1_nobody_opens_before_every_com_is_fixed_and_copies_fail)
{
    for (unsigned curve = 1; curve <= 4; curve++)
        for (size_t k = 0; k < 3; k++) {
            struct qkt_rng rngs[4];
            struct attack a = {0};
            struct tape *t = calloc(1, sizeof *t);
            struct qkt_net *net = start(curve, everybody[k], rngs);
            net->hook = hold_back;
            net->hook_ctx = &a;
            net->tap = record;
            net->tap_ctx = t;
            qkt_run(net);
            for (size_t i = 0; i < t->n; i++)
                cr_assert(t->round[i] <= 1, "D-1: an opening left before the last com came");
            /* Then the cheater repeats com and opening of an honest node. */
            uint16_t model = other_than(net->cheater);
            copy_as_own(net, t, 1, model);
            qkt_run(net);
            copy_as_own(net, t, 2, model);
            for (size_t i = 0; i < 3; i++) { /* complete the round with some shares */
                if (ids[i] == net->cheater) continue;
                for (size_t j = 0; j < t->n; j++) {
                    struct mpc_envelope env;
                    if (t->round[j] != 2 || t->to[j] != ids[i]) continue;
                    qk_assert_ok(mpc_envelope_decode(qk_buf_view(&t->frame[j]), &env));
                    if (env.to != ids[i]) continue;
                    env.from = net->cheater;
                    QK_AUTO_BUF again = QK_BUF(1 << 20);
                    qkt_frame_encode(&again, &env);
                    qkt_inject(net, net->cheater, ids[i], qk_buf_view(&again));
                    break;
                }
            }
            qkt_run(net);
            qkt_expire(net);
            qkt_expect_attack(net, 0, 'P', net->cheater, "D-1");
            qkt_net_free(net);
            tape_free(t);
        }
}

/* ---- D-2: vectors of the wrong length ---- */

static void bend_length(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    const struct attack *a = ctx;
    if (f->round != 2 || !qkt_field(f, "rho").len) return;
    const char *key = f->from == MPC_DELEGATE ? "X" : "C";
    size_t pt = qkt_party(net, f->from)->party->curve->pt;
    struct qk_bytes c = qkt_field(f, key);
    uint8_t longer[4 * MPC_POINT_MAX];
    memcpy(longer, c.p, c.len);
    memcpy(longer + c.len, c.p, pt);
    size_t lens[] = {c.len - pt, c.len + pt, 0, c.len - 1, c.len + 1};
    if (a->variant < 5) qkt_set_field(f, key, qk_bytes(longer, lens[a->variant]));
    if (a->variant == 5) qkt_drop_field(f, "A");
    if (a->variant == 6) qkt_drop_field(f, "z");
}

QK_TEST(dkg_hostile, D_2_C_has_exactly_t_elements_and_a_proof)
{
    for (int v = 0; v < 7; v++)
        run_attack(&(struct attack){.hook = bend_length, .cls = 'P', .check = "C-7", .variant = v});
}

/* Two who add coefficients that would cancel: refused for the length alone, whatever they are. */
static void both_longer(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    if (f->from != 1 && f->from != 2) return;
    bend_length(net, f, ctx);
}

QK_TEST(dkg_hostile, D_2_two_colluders_whose_extra_coefficients_cancel)
{
    for (unsigned curve = 1; curve <= 4; curve++) {
        struct qkt_rng rngs[4];
        struct attack a = {.variant = 1};
        struct qkt_net *net = start(curve, 0, rngs);
        net->hook = both_longer;
        net->hook_ctx = &a;
        net->hook_all = true;
        qkt_run(net);
        qkt_expire(net);
        for (size_t i = 2; i < 4; i++) {
            struct mpc_blame b = mpc_party_blame(net->p[i].party);
            cr_assert(b.cls == MPC_BLAME_P && (b.party == 1 || b.party == 2), "D-2");
        }
        qkt_expect_nothing(net);
        qkt_net_free(net);
    }
}

/* ---- D-3: proofs of knowledge ---- */

static void bend_proof(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    struct attack *a = ctx;
    if (f->round != 1) return;
    struct mpc_party *party = qkt_party(net, f->from)->party;
    struct mpc_dkg *st = party->state;
    const struct mpc_curve *c = party->curve;
    uint8_t sid[32];
    memcpy(sid, party->sid, 32);
    if (a->variant == 0) sid[31] ^= 1;
    uint16_t id = (uint16_t)(party->s.self - (a->variant == 1));
    const char *role = mpc_dkg_role(id);
    if (a->variant == 2) role = party->s.self == MPC_DELEGATE ? MPC_L_DKG : MPC_L_DKG_DEL;
    if (!a->done) {
        MPC_POINT(x);
        MPC_POINT(g);
        qk_assert_ok(mpc_point_init(&x, c));
        qk_assert_ok(mpc_point_init(&g, c));
        qk_assert_ok(mpc_point_mul_base(&x, &st->coeffs[0]));
        if (a->variant < 3)
            qk_assert_ok(
                mpc_pok_prove(&st->pok, c, sid, id, role, &st->coeffs[0], &x, &a->rng.rng));
        if (a->variant == 3) { /* a key of which the cheater knows no logarithm */
            qk_assert_ok(mpc_point_set_generator(&g));
            qk_assert_ok(mpc_point_add(&x, &x, &g));
            qk_assert_ok(mpc_point_encode(st->enc_c, &x));
        }
        if (a->variant == 4) memset(st->pok.z, 0xff, c->lq);
        if (a->variant == 5) memset(st->pok.a, 0, c->pt);
        a->done = true;
    }
    recommit(net, f);
}

QK_TEST(dkg_hostile, D_3_proof_of_knowledge_for_other_sid_id_role_or_key)
{
    for (int v = 0; v < 6; v++)
        run_attack(&(struct attack){.hook = bend_proof, .cls = 'P', .check = "D-3", .variant = v});
}

/* ---- D-4: shares ---- */

static void bend_share(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    struct attack *a = ctx;
    if (f->round != 2 || !qkt_field(f, "s").len) return;
    const struct mpc_curve *c = qkt_party(net, f->from)->party->curve;
    uint8_t enc[MPC_SCALAR_MAX];
    struct mpc_scalar s, one;
    memcpy(enc, qkt_field(f, "s").p, c->lq);
    mpc_scalar_set_u64(&one, 1);
    qk_assert_ok(mpc_scalar_decode(c, &s, qk_bytes(enc, c->lq)));
    if (a->variant == 0) mpc_scalar_add(c, &s, &s, &one);
    mpc_scalar_encode(c, enc, &s);
    if (a->variant == 1) memset(enc, 0xff, c->lq);
    if (a->variant == 2) { /* q itself: q-1, plus one in the last byte (q is odd) */
        mpc_scalar_set_u64(&s, 0);
        mpc_scalar_sub(c, &s, &s, &one);
        mpc_scalar_encode(c, enc, &s);
        enc[c->lq - 1] ^= 1;
    }
    if (a->variant == 3) memset(enc, 0, c->lq);
    qkt_set_field(f, "s", qk_bytes(enc, c->lq));
}

/* One node gets what another one should get, and not its own. */
static void mix_shares(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    struct attack *a = ctx;
    if (f->round != 2 || !qkt_field(f, "s").len) return;
    uint16_t victim = other_than(f->from);
    f->drop = f->to == victim;
    if (f->to == victim || a->done) return;
    a->done = true;
    struct mpc_envelope env;
    qk_assert_ok(mpc_envelope_decode(qk_buf_view(&f->data), &env));
    env.to = victim;
    QK_AUTO_BUF other = QK_BUF(1 << 20);
    qkt_frame_encode(&other, &env);
    qkt_inject(net, f->from, victim, qk_buf_view(&other));
}

static void run_share_attack(const struct attack *what)
{
    for (unsigned curve = 1; curve <= 4; curve++)
        for (size_t k = 0; k < 3; k++) {
            struct attack a = *what;
            struct qkt_rng rngs[4];
            struct qkt_net *net = start(curve, everybody[k], rngs);
            net->hook = a.hook;
            net->hook_ctx = &a;
            qkt_run(net);
            qkt_expire(net);
            for (size_t i = 0; i < 3; i++) {
                bool hit =
                    ids[i] != net->cheater && (a.victim == 0 || ids[i] == other_than(net->cheater));
                if (hit) qkt_expect_blame(net, ids[i], 'P', net->cheater, "D-4");
            }
            qkt_expect_nothing(net);
            qkt_net_free(net);
        }
}

QK_TEST(dkg_hostile, D_4_share_off_by_one_out_of_range_or_meant_for_another)
{
    for (int v = 0; v < 4; v++)
        run_share_attack(&(struct attack){.hook = bend_share, .variant = v});
    run_share_attack(&(struct attack){.hook = mix_shares, .victim = 1});
}

/* ---- D-5: evaluation to O ---- */

static void vanish_at(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    struct attack *a = ctx;
    if (f->round != 1) return;
    struct mpc_party *party = qkt_party(net, f->from)->party;
    struct mpc_dkg *st = party->state;
    if (!a->done) { /* f(x) = a1 * (x - victim) */
        struct mpc_scalar v;
        mpc_scalar_set_u64(&v, other_than(f->from));
        mpc_scalar_mul(party->curve, &v, &v, &st->coeffs[1]);
        mpc_scalar_neg(party->curve, &st->coeffs[0], &v);
        recompute(party, &a->rng.rng);
        a->done = true;
    }
    recommit(net, f);
}

QK_TEST(dkg_hostile, D_5_polynomial_that_is_zero_at_a_node_is_accepted)
{
    for (unsigned curve = 1; curve <= 4; curve++)
        for (size_t k = 0; k < 3; k++) {
            struct qkt_rng rngs[4];
            struct attack a = {0};
            struct qkt_key key;
            struct qkt_net *net = start(curve, ids[k], rngs);
            qkt_rng_init(&a.rng, curve, 98);
            net->hook = vanish_at;
            net->hook_ctx = &a;
            qkt_run(net);
            cr_assert(a.done);
            qkt_dkg_take(net, &key);
            qk_assert_ok(mpc_record_check_points(&key.record));
            qkt_net_free(net);
        }
}

static void bend_points(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    struct attack *a = ctx;
    if (f->round != 1) return;
    struct mpc_party *party = qkt_party(net, f->from)->party;
    struct mpc_dkg *st = party->state;
    size_t at = (st->n_coeffs - 1) * party->curve->pt;
    if (a->variant == 0) memset(st->enc_c + at, 0, party->curve->pt);        /* O, as zeros */
    if (a->variant == 1) memset(st->enc_c + at + 1, 0xff, party->curve->lp); /* x >= p */
    if (a->variant == 2) st->enc_c[at] = 4;                                  /* prefix */
    recommit(net, f);
}

QK_TEST(dkg_hostile, D_5_and_C_3_O_or_an_invalid_point_in_C_is_refused)
{
    for (int v = 0; v < 3; v++)
        run_attack(&(struct attack){.hook = bend_points, .cls = 'P', .check = "C-3", .variant = v});
}

/* ---- D-6: a fault of our own machine ---- */

static void disturb(struct qkt_net *net, struct mpc_party *party, void *ctx)
{
    (void)net;
    struct mpc_dkg *st = party->state;
    bool *done = ctx;
    if (!st || party->round != 2 || *done) return;
    struct mpc_scalar one;
    mpc_scalar_set_u64(&one, 1);
    mpc_scalar_add(party->curve, &st->own, &st->own, &one);
    *done = true;
}

QK_TEST(dkg_hostile, D_6_a_wrong_sum_ends_locally)
{
    for (unsigned curve = 1; curve <= 4; curve++)
        for (size_t k = 0; k < 3; k++) {
            struct qkt_rng rngs[4];
            bool done = false;
            struct qkt_net *net = start(curve, ids[k], rngs);
            net->before = disturb;
            net->hook_ctx = &done;
            net->in_order = true;
            qkt_run(net);
            qkt_expire(net);
            cr_assert(done);
            qkt_expect_blame(net, ids[k], 'N', 0, "D-6");
            qkt_expect_nothing(net);
            qkt_net_free(net);
        }
}

/* ---- D-7: results that are O, by a cheater who knows everybody's secrets ---- */

/* Sum of the honest polynomials at x, and x_D if x is 0. */
static void honest_sum(struct qkt_net *net, uint16_t x, struct mpc_scalar *sum)
{
    for (size_t i = 0; i < net->n; i++) {
        struct mpc_dkg *st = net->p[i].party->state;
        struct mpc_scalar v;
        if (net->p[i].id == net->cheater) continue;
        if (net->p[i].id == MPC_DELEGATE && x != 0) continue;
        mpc_poly_eval(net->p[i].party->curve, &v, st->coeffs, st->n_coeffs, x);
        mpc_scalar_add(net->p[i].party->curve, sum, sum, &v);
    }
}

/* Keeps the cheater in round 1: its own com is dropped, those of the others wait on the tape. */
static void hold_round_1(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    struct tape *t = ctx;
    if (f->round != 1 || (f->from != net->cheater && f->to != net->cheater)) return;
    if (f->to == net->cheater) record(f, t);
    f->drop = true;
}

static void run_cancel(unsigned curve, uint16_t cheater, uint16_t at)
{
    struct qkt_rng rngs[4], rng;
    struct tape *t = calloc(1, sizeof *t);
    struct qkt_net *net = start(curve, cheater, rngs);
    qkt_rng_init(&rng, curve, 97);
    net->hook = hold_round_1;
    net->hook_ctx = t;
    net->hook_all = true;
    qkt_run(net);
    struct mpc_party *party = qkt_party(net, cheater)->party;
    struct mpc_dkg *st = state_of(net, cheater);
    struct mpc_scalar sum = {{0}}, rest;
    honest_sum(net, at, &sum);
    /* a_0 = -(sum of the others + the rest of our own polynomial at that point) */
    mpc_scalar_set_u64(&st->coeffs[0], 0);
    mpc_poly_eval(party->curve, &rest, st->coeffs, st->n_coeffs, at);
    mpc_scalar_add(party->curve, &sum, &sum, &rest);
    mpc_scalar_neg(party->curve, &st->coeffs[0], &sum);
    recompute(party, &rng.rng);
    struct mpc_envelope env = {.proto = MPC_PROTO_DKG, .round = 1, .from = cheater};
    memcpy(env.sid, party->sid, 32);
    static const uint8_t body[] = {0x81, 0xa3, 'c', 'o', 'm', 0xc4, 0};
    env.body = QK_BYTES(body);
    struct qkt_frame f = {.from = cheater, .round = 1, .data = QK_BUF(4096)};
    qkt_frame_encode(&f.data, &env);
    recommit(net, &f);
    for (size_t i = 0; i < net->n; i++)
        if (net->p[i].id != cheater) qkt_inject(net, cheater, net->p[i].id, qk_buf_view(&f.data));
    qk_buf_free(&f.data);
    net->hook = NULL;
    for (size_t i = 0; i < t->n; i++)
        qkt_inject(net, t->from[i], cheater, qk_buf_view(&t->frame[i]));
    qkt_run(net);
    qkt_expire(net);
    qkt_expect_attack(net, 0, 'N', 0, "D-7");
    qkt_net_free(net);
    tape_free(t);
}

QK_TEST(dkg_hostile, D_7_cancelling_constants_give_no_key)
{
    for (unsigned curve = 1; curve <= 4; curve++)
        for (size_t k = 0; k < 4; k++) {
            run_cancel(curve, everybody[k], 0); /* pk = O */
            if (everybody[k] != MPC_DELEGATE)
                run_cancel(curve, everybody[k], other_than(everybody[k])); /* X_m = O */
        }
}

/* ---- D-8, D-9 ---- */

static void bend_v(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    (void)net;
    (void)ctx;
    if (f->round == 3 && f->to == other_than(f->from)) qkt_flip(f, "V", 5, 4);
}

QK_TEST(dkg_hostile, D_8_who_sees_another_V_has_no_key)
{
    for (unsigned curve = 1; curve <= 4; curve++)
        for (size_t k = 0; k < 4; k++) {
            struct qkt_rng rngs[4];
            struct qkt_net *net = start(curve, everybody[k], rngs);
            net->hook = bend_v;
            qkt_run(net);
            uint16_t victim = other_than(net->cheater);
            qkt_expect_blame(net, victim, 'N', 0, "D-8");
            struct mpc_key_share share;
            struct mpc_key_record record;
            qk_assert_err(mpc_dkg_take(qkt_party(net, victim)->party, &share, &record), QK_E_STATE);
            qkt_net_free(net);
        }
}

/* com with another rho for one peer, and the opening that fits it; the echo that this peer expects
 * is served too, so only the honest parties' echoes can tell. */
static void equivocate(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    (void)ctx;
    struct mpc_party *party = qkt_party(net, f->from)->party;
    uint16_t victim = other_than(f->from);
    if (f->to != victim) return;
    if (f->round == 1) {
        QK_AUTO_BUF data = QK_BUF(4096);
        uint8_t com[64], rho[32];
        memset(rho, 0x5a, sizeof rho);
        qk_assert_ok(mpc_commit(com, party->sid, party->s.self, mpc_dkg_role(party->s.self),
            own_data(party, &data), rho));
        qkt_set_field(f, "com", QK_BYTES(com));
    }
    if (f->round == 2 && qkt_field(f, "rho").len) {
        uint8_t rho[32], echo[32];
        memset(rho, 0x5a, sizeof rho);
        qkt_set_field(f, "rho", QK_BYTES(rho));
        if (mpc_engine_echo(qkt_party(net, victim)->party, 1, echo) == QK_OK)
            qkt_set_field(f, "echo1", QK_BYTES(echo));
    }
}

QK_TEST(dkg_hostile, D_9_two_openings_of_two_coms)
{
    run_attack(&(struct attack){.hook = equivocate, .cls = 'N', .check = "C-9", .victim = 1});
}

/* The same com everywhere, another opening for one peer is D-1 there; an echo2 that is wrong: */
static void bend_echo2(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    (void)net;
    (void)ctx;
    if (f->round == 3) qkt_flip(f, "echo2", 0, 1);
}
static void bend_echo1(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    (void)net;
    (void)ctx;
    if (f->round == 2 && qkt_field(f, "echo1").len) qkt_flip(f, "echo1", 0, 1);
}

QK_TEST(dkg_hostile, C_9_and_D_9_wrong_echoes_blame_nobody)
{
    run_attack(&(struct attack){.hook = bend_echo1, .cls = 'N', .check = "C-9"});
    run_attack(&(struct attack){.hook = bend_echo2, .cls = 'N', .check = "C-9"});
}

/* ---- D-16 ---- */

static bool contains(struct qk_bytes hay, const uint8_t *needle, size_t len)
{
    return memmem(hay.p, hay.len, needle, len) != NULL;
}

QK_TEST(dkg_hostile, D_16_private_fields_travel_to_their_addressee_only)
{
    for (unsigned curve = 1; curve <= 4; curve++) {
        struct qkt_rng rngs[4];
        struct tape *t = calloc(1, sizeof *t);
        struct qkt_net *net = start(curve, 0, rngs);
        const struct mpc_curve *c = mpc_curve_get(curve);
        net->tap = record;
        net->tap_ctx = t;
        qkt_run(net);
        struct qkt_key key;
        qkt_dkg_take(net, &key);
        size_t n_private = 0;
        for (size_t i = 0; i < t->n; i++) {
            struct qkt_frame f = {.data = t->frame[i]};
            struct qk_bytes s = qkt_field(&f, "s");
            if (t->round[i] != 2 || s.len == 0) continue;
            n_private++;
            for (size_t j = 0; j < t->n; j++)
                if (j != i)
                    cr_assert_not(contains(qk_buf_view(&t->frame[j]), s.p, s.len),
                        "D-16: a share left for somebody else");
        }
        cr_assert_eq(n_private, 6);
        for (size_t i = 0; i < key.n; i++) {
            uint8_t x[MPC_SCALAR_MAX];
            mpc_scalar_encode(c, x, &key.shares[i].x);
            for (size_t j = 0; j < t->n; j++)
                cr_assert_not(
                    contains(qk_buf_view(&t->frame[j]), x, c->lq), "D-16: x_i on the wire");
        }
        qkt_net_free(net);
        tape_free(t);
    }
}

/* ---- the machine lets us down ---- */

QK_TEST(dkg_hostile, a_failing_generator_ends_the_session_and_blames_nobody)
{
    for (int draw = 1; draw < 8; draw++) {
        struct qkt_rng rngs[4];
        struct qkt_net *net = qkt_dkg_net(7, MPC_P256, ids, 3, 2, 1, rngs);
        rngs[1].fail_after = draw;
        qkt_run(net);
        qkt_expire(net);
        if (mpc_party_state(qkt_party(net, 2)->party) == MPC_DONE) {
            qkt_net_free(net);
            break;
        }
        cr_assert_lt(draw, 7);
        for (size_t i = 0; i < net->n; i++) qkt_expect_blame(net, net->p[i].id, 'N', 0, NULL);
        qkt_net_free(net);
    }
}
