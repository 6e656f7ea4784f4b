/* One party cheats, in every position and on every curve: nodes 1, 2, 3 and D, 2 of 3. */
#include "dkgcheat.h"
#include "qktest/qktest.h"
#include "tape.h"

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
    qkt_run_attack(&(struct qkt_attack){.hook = bend_rho, .cls = 'P', .check = "D-1"});
    qkt_run_attack(&(struct qkt_attack){.hook = bend_opening, .cls = 'P', .check = "D-1"});
}

static void hold_back(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    (void)net;
    const struct qkt_attack *a = ctx;
    if (!a->done && (f->round == 1 || f->round == 2)) f->drop = true;
}

/* Send the broadcast of `model` in this round as the cheater's own. */
static void copy_as_own(
    struct qkt_net *net, const struct qkt_tape *t, unsigned round, uint16_t model)
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
            struct qkt_attack a = {0};
            struct qkt_tape *t = qkt_tape_new();
            struct qkt_net *net = qkt_dkg_cheat(curve, qkt_everybody[k], rngs);
            net->hook = hold_back;
            net->hook_ctx = &a;
            net->tap = qkt_tape_record;
            net->tap_ctx = t;
            qkt_run(net);
            for (size_t i = 0; i < t->n; i++)
                cr_assert(t->round[i] <= 1, "D-1: an opening left before the last com came");
            /* Then the cheater repeats com and opening of an honest node. */
            uint16_t model = qkt_other_than(net->cheater);
            copy_as_own(net, t, 1, model);
            qkt_run(net);
            copy_as_own(net, t, 2, model);
            for (size_t i = 0; i < 3; i++) { /* complete the round with some shares */
                if (qkt_nodes[i] == net->cheater) continue;
                for (size_t j = 0; j < t->n; j++) {
                    struct mpc_envelope env;
                    if (t->round[j] != 2 || t->to[j] != qkt_nodes[i]) continue;
                    qk_assert_ok(mpc_envelope_decode(qk_buf_view(&t->frame[j]), &env));
                    if (env.to != qkt_nodes[i]) continue;
                    env.from = net->cheater;
                    QK_AUTO_BUF again = QK_BUF(1 << 20);
                    qkt_frame_encode(&again, &env);
                    qkt_inject(net, net->cheater, qkt_nodes[i], qk_buf_view(&again));
                    break;
                }
            }
            qkt_run(net);
            qkt_expire(net);
            qkt_expect_attack(net, 0, 'P', net->cheater, "D-1");
            qkt_net_free(net);
            qkt_tape_free(t);
        }
}

/* ---- D-2: vectors of the wrong length ---- */

static void bend_length(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    const struct qkt_attack *a = ctx;
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
        qkt_run_attack(
            &(struct qkt_attack){.hook = bend_length, .cls = 'P', .check = "C-7", .variant = v});
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
        struct qkt_attack a = {.variant = 1};
        struct qkt_net *net = qkt_dkg_cheat(curve, 0, rngs);
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
    struct qkt_attack *a = ctx;
    if (f->round != 1) return;
    struct mpc_party *party = qkt_party(net, f->from)->party;
    struct mpc_dkg *st = party->state;
    const struct mpc_curve *c = party->curve;
    uint8_t sid[32];
    memcpy(sid, party->sid, 32);
    if (a->variant == 0) sid[31] ^= 1;
    uint16_t id = (uint16_t)(party->s.self - (a->variant == 1));
    const char *role = mpc_dkg_role(party, id);
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
    qkt_recommit(net, f);
}

QK_TEST(dkg_hostile, D_3_proof_of_knowledge_for_other_sid_id_role_or_key)
{
    for (int v = 0; v < 6; v++)
        qkt_run_attack(
            &(struct qkt_attack){.hook = bend_proof, .cls = 'P', .check = "D-3", .variant = v});
}

/* ---- D-4: shares ---- */

static void bend_share(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    struct qkt_attack *a = ctx;
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
    struct qkt_attack *a = ctx;
    if (f->round != 2 || !qkt_field(f, "s").len) return;
    uint16_t victim = qkt_other_than(f->from);
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

static void run_share_attack(const struct qkt_attack *what)
{
    for (unsigned curve = 1; curve <= 4; curve++)
        for (size_t k = 0; k < 3; k++) {
            struct qkt_attack a = *what;
            struct qkt_rng rngs[4];
            struct qkt_net *net = qkt_dkg_cheat(curve, qkt_everybody[k], rngs);
            net->hook = a.hook;
            net->hook_ctx = &a;
            qkt_run(net);
            qkt_expire(net);
            for (size_t i = 0; i < 3; i++) {
                bool hit = qkt_nodes[i] != net->cheater &&
                           (a.victim == 0 || qkt_nodes[i] == qkt_other_than(net->cheater));
                if (hit) qkt_expect_blame(net, qkt_nodes[i], 'P', net->cheater, "D-4");
            }
            qkt_expect_nothing(net);
            qkt_net_free(net);
        }
}

QK_TEST(dkg_hostile, D_4_share_off_by_one_out_of_range_or_meant_for_another)
{
    for (int v = 0; v < 4; v++)
        run_share_attack(&(struct qkt_attack){.hook = bend_share, .variant = v});
    run_share_attack(&(struct qkt_attack){.hook = mix_shares, .victim = 1});
}
