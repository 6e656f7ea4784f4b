/* One party cheats about the result, or the result is impossible (D-5 to D-9), and what the wire
 * gives away (D-16). Every position, every curve. */
#include "dkgcheat.h"
#include "epochworld.h"
#include "qktest/qktest.h"
#include "tape.h"

/* ---- D-5: evaluation to O ---- */

static void vanish_at(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    struct qkt_attack *a = ctx;
    if (f->round != 1) return;
    struct mpc_party *party = qkt_party(net, f->from)->party;
    struct mpc_dkg *st = party->state;
    if (!a->done) { /* f(x) = a1 * (x - victim) */
        struct mpc_scalar v;
        mpc_scalar_set_u64(&v, qkt_other_than(f->from));
        mpc_scalar_mul(party->curve, &v, &v, &st->coeffs[1]);
        mpc_scalar_neg(party->curve, &st->coeffs[0], &v);
        qkt_recompute(party, &a->rng.rng);
        a->done = true;
    }
    qkt_recommit(net, f);
}

QK_TEST(dkg_results, D_5_polynomial_that_is_zero_at_a_node_is_accepted)
{
    for (unsigned curve = 1; curve <= 4; curve++)
        for (size_t k = 0; k < 3; k++) {
            struct qkt_rng rngs[4];
            struct qkt_attack a = {0};
            struct qkt_key key;
            struct qkt_net *net = qkt_dkg_cheat(curve, qkt_nodes[k], rngs);
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
    struct qkt_attack *a = ctx;
    if (f->round != 1) return;
    struct mpc_party *party = qkt_party(net, f->from)->party;
    struct mpc_dkg *st = party->state;
    size_t at = (st->n_coeffs - 1) * party->curve->pt;
    if (a->variant == 0) memset(st->enc_c + at, 0, party->curve->pt);        /* O, as zeros */
    if (a->variant == 1) memset(st->enc_c + at + 1, 0xff, party->curve->lp); /* x >= p */
    if (a->variant == 2) st->enc_c[at] = 4;                                  /* prefix */
    qkt_recommit(net, f);
}

QK_TEST(dkg_results, D_5_and_C_3_O_or_an_invalid_point_in_C_is_refused)
{
    for (int v = 0; v < 3; v++)
        qkt_run_attack(
            &(struct qkt_attack){.hook = bend_points, .cls = 'P', .check = "C-3", .variant = v});
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

QK_TEST(dkg_results, D_6_a_wrong_sum_ends_locally)
{
    for (unsigned curve = 1; curve <= 4; curve++)
        for (size_t k = 0; k < 3; k++) {
            struct qkt_rng rngs[4];
            bool done = false;
            struct qkt_net *net = qkt_dkg_cheat(curve, qkt_nodes[k], rngs);
            net->before = disturb;
            net->hook_ctx = &done;
            net->in_order = true;
            qkt_run(net);
            qkt_expire(net);
            cr_assert(done);
            qkt_expect_blame(net, qkt_nodes[k], 'N', 0, "D-6");
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
    struct qkt_tape *t = ctx;
    if (f->round != 1 || (f->from != net->cheater && f->to != net->cheater)) return;
    if (f->to == net->cheater) qkt_tape_record(f, t);
    f->drop = true;
}

static void run_cancel(unsigned curve, uint16_t cheater, uint16_t at)
{
    struct qkt_rng rngs[4], rng;
    struct qkt_tape *t = qkt_tape_new();
    struct qkt_net *net = qkt_dkg_cheat(curve, cheater, rngs);
    qkt_rng_init(&rng, curve, 97);
    net->hook = hold_round_1;
    net->hook_ctx = t;
    net->hook_all = true;
    qkt_run(net);
    struct mpc_party *party = qkt_party(net, cheater)->party;
    struct mpc_dkg *st = party->state;
    struct mpc_scalar sum = {{0}}, rest;
    honest_sum(net, at, &sum);
    /* a_0 = -(sum of the others + the rest of our own polynomial at that point) */
    mpc_scalar_set_u64(&st->coeffs[0], 0);
    mpc_poly_eval(party->curve, &rest, st->coeffs, st->n_coeffs, at);
    mpc_scalar_add(party->curve, &sum, &sum, &rest);
    mpc_scalar_neg(party->curve, &st->coeffs[0], &sum);
    qkt_recompute(party, &rng.rng);
    struct mpc_envelope env = {.proto = MPC_PROTO_DKG, .round = 1, .from = cheater};
    memcpy(env.sid, party->sid, 32);
    static const uint8_t body[] = {0x81, 0xa3, 'c', 'o', 'm', 0xc4, 0};
    env.body = QK_BYTES(body);
    struct qkt_frame f = {.from = cheater, .round = 1, .data = QK_BUF(4096)};
    qkt_frame_encode(&f.data, &env);
    qkt_recommit(net, &f);
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
    qkt_tape_free(t);
}

QK_TEST(dkg_results, D_7_cancelling_constants_give_no_key)
{
    for (unsigned curve = 1; curve <= 4; curve++)
        for (size_t k = 0; k < 4; k++) {
            run_cancel(curve, qkt_everybody[k], 0); /* pk = O */
            if (qkt_everybody[k] != MPC_DELEGATE)
                run_cancel(curve, qkt_everybody[k], qkt_other_than(qkt_everybody[k])); /* X_m = O */
        }
}

/* ---- D-8, D-9 ---- */

static void bend_v(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    (void)net;
    (void)ctx;
    if (f->round == 3 && f->to == qkt_other_than(f->from)) qkt_flip(f, "V", 5, 4);
}

QK_TEST(dkg_results, D_8_who_sees_another_V_has_no_key)
{
    for (unsigned curve = 1; curve <= 4; curve++)
        for (size_t k = 0; k < 4; k++) {
            struct qkt_rng rngs[4];
            struct qkt_net *net = qkt_dkg_cheat(curve, qkt_everybody[k], rngs);
            net->hook = bend_v;
            qkt_run(net);
            uint16_t victim = qkt_other_than(net->cheater);
            qkt_expect_blame(net, victim, 'N', 0, "D-8");
            struct mpc_key_share share;
            struct mpc_key_record record;
            qk_assert_err(mpc_dkg_take(qkt_party(net, victim)->party, &share, &record), QK_E_STATE);
            qkt_net_free(net);
        }
}

/* What D-8 means in the end: a party that saw another V stores nothing and gives no prep, so nobody
 * votes and no key appears, although the others finished the DKG. */
QK_TEST(dkg_results, D_8_and_B_13_without_every_prep_nobody_votes)
{
    for (unsigned curve = 1; curve <= 4; curve++)
        for (size_t k = 0; k < 3; k++) {
            struct qkt_rng rngs[4];
            struct qkt_net *net = qkt_dkg_cheat(curve, qkt_everybody[k], rngs);
            struct qkt_world *w = qkt_world_new(3, 2, 0);
            net->hook = bend_v;
            qkt_run(net);
            for (size_t i = 0; i < 3; i++) {
                struct mpc_key_record record;
                MPC_KEY_SHARE(share);
                if (mpc_dkg_take(net->p[i].party, &share, &record) != QK_OK) continue;
                qk_assert_ok(mpc_record_hash(&record, w->run.rec));
                memcpy(w->run.sid, record.sid, 32);
                qkt_world_begin(w, i);
            }
            qkt_world_rest(w);
            qkt_world_ask(w);
            for (size_t i = 0; i < 3; i++) {
                cr_assert_not(w->node[i].said_vote, "D-8: a vote without every prep");
                if (!w->node[i].epoch) continue;
                cr_assert_eq(mpc_epoch_state(w->node[i].epoch), MPC_EPOCH_PREPARED);
                cr_assert_not(mpc_epoch_complete(w->node[i].epoch), "B-13");
                qk_assert_ok(mpc_epoch_abort(w->node[i].epoch)); /* 30 s later */
                qkt_world_effects(w, i);
            }
            qkt_world_rest(w);
            qkt_world_free(w);
            qkt_net_free(net);
        }
}

/* com with another rho for one peer, and the opening that fits it; the echo that this peer expects
 * is served too, so only the honest parties' echoes can tell. */
static void equivocate(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    (void)ctx;
    struct mpc_party *party = qkt_party(net, f->from)->party;
    uint16_t victim = qkt_other_than(f->from);
    if (f->to != victim) return;
    if (f->round == 1) {
        QK_AUTO_BUF data = QK_BUF(4096);
        uint8_t com[64], rho[32];
        memset(rho, 0x5a, sizeof rho);
        qk_assert_ok(mpc_commit(com, party->sid, party->s.self, mpc_dkg_role(party, party->s.self),
            qkt_own_opening(party, &data), rho));
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

QK_TEST(dkg_results, D_9_two_openings_of_two_coms)
{
    qkt_run_attack(
        &(struct qkt_attack){.hook = equivocate, .cls = 'N', .check = "C-9", .victim = 1});
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

QK_TEST(dkg_results, C_9_and_D_9_wrong_echoes_blame_nobody)
{
    qkt_run_attack(&(struct qkt_attack){.hook = bend_echo1, .cls = 'N', .check = "C-9"});
    qkt_run_attack(&(struct qkt_attack){.hook = bend_echo2, .cls = 'N', .check = "C-9"});
}

/* ---- D-16 ---- */

static bool contains(struct qk_bytes hay, const uint8_t *needle, size_t len)
{
    return memmem(hay.p, hay.len, needle, len) != NULL;
}

QK_TEST(dkg_results, D_16_private_fields_travel_to_their_addressee_only)
{
    for (unsigned curve = 1; curve <= 4; curve++) {
        struct qkt_rng rngs[4];
        struct qkt_tape *t = qkt_tape_new();
        struct qkt_net *net = qkt_dkg_cheat(curve, 0, rngs);
        const struct mpc_curve *c = mpc_curve_get(curve);
        net->tap = qkt_tape_record;
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
        qkt_tape_free(t);
    }
}

/* ---- the machine lets us down ---- */

QK_TEST(dkg_results, a_failing_generator_ends_the_session_and_blames_nobody)
{
    for (int draw = 1; draw < 8; draw++) {
        struct qkt_rng rngs[4];
        struct qkt_net *net = qkt_dkg_net(7, MPC_P256, qkt_nodes, 3, 2, 1, rngs);
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
