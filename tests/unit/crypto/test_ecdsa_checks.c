/* Cheating signers, through the driver: every check of rounds 1 and 2. A cheater knows all of her
 * own secrets and makes every other field of her message right again. */
#include "ecdsa_cheat.h"
#include "ecdsa_world.h"
#include "mpc/proof.h"
#include "seeded.h"

/* ---- the stage: 2 or 3 signers, one of them a cheater ---- */

struct stage {
    struct ew_key k;
    struct ew_run r;
    uint16_t cheater, victim; /* the victim is the one whose message is bent, if it matters */
    size_t field;             /* for hooks that want a parameter */
    uint8_t bit;              /* what a hook saw of the secret that decides */
    uint8_t saved[3][MPC_POINT_MAX];
    struct qk_buf q_rows;      /* of the cheater as Alice toward the victim */
    struct qk_buf victims_msg; /* u, xh, th of the victim's round 1 */
    unsigned n_poisons, n_uses;
    bool poison_after_use;
};

typedef void (*hook_fn)(struct qkt_net *net, struct qkt_frame *frame, void *ctx);
typedef void (*before_fn)(struct qkt_net *net, struct mpc_party *party, void *ctx);

static qk_err count(
    struct qkt_net *net, struct qkt_party *who, const struct mpc_effect *e, void *ctx)
{
    struct stage *st = ctx;
    if (who->id == net->cheater) return QK_OK;
    st->n_poisons += e->kind == MPC_EFFECT_SETUP_POISON;
    st->n_uses += e->kind == MPC_EFFECT_SETUP_USE;
    return QK_OK;
}

static void stage_open(
    struct stage *st, unsigned curve, unsigned n, uint16_t cheater, uint64_t seed)
{
    static const uint16_t ids[] = {1, 2, 3};
    memset(st, 0, sizeof *st);
    ew_deal(&st->k, seed, curve, 3, n, 0, NULL);
    ew_deal_setups(&st->k);
    ew_session(&st->r, &st->k, seed, ids, n, true);
    ew_start(&st->r, seed);
    st->cheater = cheater;
    st->victim = cheater == 1 ? 2 : 1;
    st->q_rows = (struct qk_buf)QK_BUF(1 << 20);
    st->victims_msg = (struct qk_buf)QK_BUF(1 << 20);
    st->r.net->cheater = cheater;
    st->r.net->on_effect = count;
    st->r.net->effect_ctx = st;
}

static void stage_run(struct stage *st, hook_fn hook, before_fn before)
{
    st->r.net->hook = hook;
    st->r.net->before = before;
    /* A hook that reads or changes the cheater's state needs her to stand still between rounds. */
    if (before || st->r.net->tap) st->r.net->in_order = true;
    st->r.net->hook_ctx = st;
    qkt_run(st->r.net);
}

static void stage_close(struct stage *st)
{
    ew_end(&st->r);
    ew_free(&st->k);
    qk_buf_free(&st->q_rows);
    qk_buf_free(&st->victims_msg);
}

/* One honest party's verdict, no output anywhere, and poison iff X. */
static void expect(struct stage *st, uint16_t id, char cls, const char *check)
{
    qkt_expect_blame(st->r.net, id, cls, cls == 'N' ? 0 : st->cheater, check);
    ew_expect_no_output(&st->r);
    cr_expect_eq(st->n_poisons > 0, cls == 'X', "class %c with %u poisons", cls, st->n_poisons);
}

/* Every curve and each position of two signers. */
static void each_stage(hook_fn hook, before_fn before, char cls, const char *check, uint64_t seed)
{
    EACH_CURVE(c)
    {
        for (uint16_t cheater = 1; cheater <= 2; cheater++) {
            struct stage st;
            stage_open(&st, c->id, 2, cheater, seed + 10 * c->id + cheater);
            stage_run(&st, hook, before);
            expect(&st, st.victim, cls, check);
            stage_close(&st);
        }
    }
}

/* ---- E-4 and E-5 ---- */

static void other_su(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    (void)net;
    (void)ctx;
    if (f->round == 1) qkt_flip(f, "su", 0, 1);
}

QK_TEST(ecdsa_checks, E_4_a_peer_with_another_setup_is_not_blamed)
{
    each_stage(other_su, NULL, 'N', "E-4", 1000);
}

static void other_su_and_garbage(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    other_su(net, f, ctx);
    if (f->round == 1) qkt_flip(f, "u", 3, 0xff);
}

/* E-5: the setup id comes before the OT check, so garbage does not poison anything. */
QK_TEST(ecdsa_checks, E_5_the_setup_id_is_compared_before_any_ot_work)
{
    each_stage(other_su_and_garbage, NULL, 'N', "E-4", 1100);
}

static void foreign_twin(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    struct stage *st = ctx;
    if (f->round != 1 || st->bit) return;
    struct qkt_frame twin = {.from = f->from, .to = f->to, .round = 1, .data = QK_BUF(1 << 20)};
    struct mpc_envelope env;
    st->bit = 1;
    qk_buf_add(&twin.data, f->data.p, f->data.len);
    qkt_flip(&twin, "u", 0, 0xff);
    qk_assert_ok(mpc_envelope_decode(qk_buf_view(&twin.data), &env));
    env.sid[0] ^= 1;
    QK_AUTO_BUF out = QK_BUF(1 << 20);
    qkt_frame_encode(&out, &env);
    qkt_inject(net, f->from, f->to, qk_buf_view(&out));
    qk_buf_free(&twin.data);
}

/* E-5: wrong sid with garbage u: dropped, and the session goes on. */
QK_TEST(ecdsa_checks, E_5_a_foreign_sid_is_dropped_before_anything_else)
{
    EACH_CURVE(c)
    {
        struct stage st;
        stage_open(&st, c->id, 2, 2, 1200 + c->id);
        stage_run(&st, foreign_twin, NULL);
        qkt_expect_done(st.r.net, 1);
        qkt_expect_done(st.r.net, 2);
        cr_expect_eq(st.bit, 1);
        cr_expect_eq(st.n_poisons, 0);
        stage_close(&st);
    }
}

/* ---- E-6 ---- */

/* Flip one bit of u_k and make xhat and that right again. */
static void bent_u(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    struct stage *st = ctx;
    (void)net;
    if (f->round != 1 || f->to != st->victim) return;
    struct sign_peer *me = ew_toward(&st->r, st->cheater, st->victim);
    const struct ot_dims *d = &me->bob.d;
    uint8_t *u = malloc(ot_u_len(d)), *th = malloc(ot_th_len(d)), xh[16];
    cr_assert(u && th);
    memcpy(u, qkt_field(f, "u").p, ot_u_len(d));
    u[st->field * d->nb] ^= 1;
    cheat_refold(d, me->bob.pm, me->setup->pairs, me->x, u, xh, th);
    qkt_set_field(f, "u", qk_bytes(u, ot_u_len(d)));
    qkt_set_field(f, "xh", QK_BYTES(xh));
    qkt_set_field(f, "th", qk_bytes(th, ot_th_len(d)));
    free(u);
    free(th);
}

/* E-6: the cheater learns one bit of Delta, and the setup dies if it is one. */
QK_TEST(ecdsa_checks, E_6_a_bent_row_of_u_passes_iff_delta_is_zero_there)
{
    EACH_CURVE(c)
    {
        unsigned seen[2] = {0, 0};
        for (size_t row = 0; row < 6 || !seen[0] || !seen[1]; row++) {
            struct stage st;
            stage_open(&st, c->id, 2, (uint16_t)(1 + row % 2), 1300 + 100 * c->id + row);
            st.field = row;
            size_t v = st.victim - 1u, ch = st.cheater - 1u;
            uint8_t delta = ot_bit(st.k.setups[v][ch]->delta, row);
            seen[delta]++;
            stage_run(&st, bent_u, NULL);
            if (delta) {
                expect(&st, st.victim, 'X', "E-6");
                cr_expect_eq(st.n_uses, 0, "round 2 was allowed");
            } else {
                cr_expect_eq(st.n_poisons, 0);
                cr_expect(mpc_party_blame(qkt_party(st.r.net, st.victim)->party).cls != 'X');
            }
            stage_close(&st);
        }
    }
}

static void bent_th(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    (void)net;
    (void)ctx;
    if (f->round == 1) qkt_flip(f, "th", 77, 4);
}

QK_TEST(ecdsa_checks, E_6_a_bent_that_poisons)
{
    each_stage(bent_th, NULL, 'X', "E-6", 1900);
}

/* Among three signers: only the setup with the cheater dies, and nothing is sent to anyone. */
QK_TEST(ecdsa_checks, E_6_poisons_only_the_pair_with_the_cheater)
{
    for (uint16_t cheater = 1; cheater <= 3; cheater++) {
        struct stage st;
        stage_open(&st, MPC_P256, 3, cheater, 1950 + cheater);
        stage_run(&st, bent_th, NULL);
        for (uint16_t id = 1; id <= 3; id++) {
            if (id == cheater) continue;
            struct mpc_blame b = mpc_party_blame(qkt_party(st.r.net, id)->party);
            cr_expect(
                b.cls == 'N' || (b.cls == 'X' && b.party == cheater), "%u says %c", id, b.cls);
        }
        cr_expect(st.n_poisons >= 1 && st.n_poisons <= 2);
        cr_expect_eq(st.n_uses, 0);
        ew_expect_no_output(&st.r);
        stage_close(&st);
    }
}

/* ---- E-8 ---- */

/* The cheater as Alice: keep the victim's message, with which the rows can be computed again. */
static void tap_victim(const struct qkt_frame *f, void *ctx)
{
    struct stage *st = ctx;
    if (f->round != 1 || f->from != st->victim || f->to != st->cheater) return;
    static const char *const keys[] = {"u", "xh", "th"};
    qk_buf_clear(&st->victims_msg);
    for (size_t i = 0; i < 3; i++) {
        struct qk_bytes v = qkt_field(f, keys[i]);
        qk_buf_add(&st->victims_msg, v.p, v.len);
    }
}

static struct otext_msg victims_msg(const struct stage *st, const struct ot_dims *d)
{
    const uint8_t *p = st->victims_msg.p;
    return (struct otext_msg){
        {p, ot_u_len(d)}, {p + ot_u_len(d), 16}, {p + ot_u_len(d) + 16, ot_th_len(d)}};
}

/* a-hat = eta - theta_0 r - theta_1 sk, from the honest answer */
static void recover_ahat(struct cheat_alice *x, const uint8_t *at, struct qk_bytes eta)
{
    struct mpc_scalar theta[2], t;
    cheat_thetas(x, at, theta);
    qk_assert_ok(mpc_scalar_decode(x->c, &x->a[2], eta));
    for (size_t i = 0; i < 2; i++) {
        mpc_scalar_mul(x->c, &t, &theta[i], &x->a[i]);
        mpc_scalar_sub(x->c, &x->a[2], &x->a[2], &t);
    }
}

static void bent_at(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    struct stage *st = ctx;
    (void)net;
    if (f->round != 2 || f->to != st->victim) return;
    struct sign *s = ew_state(&st->r, st->cheater);
    struct sign_peer *me = ew_toward(&st->r, st->cheater, st->victim);
    const struct mpc_curve *c = st->k.c;
    struct cheat_alice x = {.c = c, .d = me->alice.d, .pm = me->alice.pm, .a = {s->r, s->sk}};
    x.msg = victims_msg(st, &x.d);
    uint8_t *rows = qk_buf_extend(&st->q_rows, x.d.xi * ot_row_len(&x.d));
    cr_assert_not_null(rows);
    qk_assert_ok(otext_alice(&x.d, x.pm, me->setup->delta, me->setup->seeds, &x.msg, rows));
    x.q_rows = rows;
    struct qk_bytes old = qkt_field(f, "at");
    uint8_t *at = malloc(old.len), eta[MPC_SCALAR_MAX], mu[64];
    cr_assert_not_null(at);
    memcpy(at, old.p, old.len);
    recover_ahat(&x, at, qkt_field(f, "eta"));
    cheat_add_one(c, at + 3 * st->field * c->lq);
    cheat_reanswer(&x, at, eta, mu);
    qkt_set_field(f, "at", qk_bytes(at, old.len));
    qkt_set_field(f, "eta", qk_bytes(eta, c->lq));
    qkt_set_field(f, "mu", QK_BYTES(mu));
    free(at);
    /* The victim is at round 2 or still at round 1; her choice bits are there in both. */
    st->bit = ot_bit(ew_toward(&st->r, st->victim, st->cheater)->x, st->field);
}

/* E-8: wrong in one slot, all else recomputed: fails iff beta_j = 1. */
QK_TEST(ecdsa_checks, E_8_a_bent_row_of_the_answer_fails_iff_beta_is_one)
{
    EACH_CURVE(c)
    {
        unsigned seen[2] = {0, 0};
        for (size_t j = 0; j < 4 || !seen[0] || !seen[1]; j++) {
            struct stage st;
            stage_open(&st, c->id, 2, (uint16_t)(1 + j % 2), 2000 + 100 * c->id + j);
            st.field = j;
            st.r.net->tap = tap_victim;
            st.r.net->tap_ctx = &st;
            stage_run(&st, bent_at, NULL);
            seen[st.bit]++;
            if (st.bit) {
                expect(&st, st.victim, 'X', "E-8");
            } else {
                qkt_expect_done(st.r.net, st.victim);
                cr_expect_eq(st.n_poisons, 0);
            }
            stage_close(&st);
        }
    }
}

static void bent_mu(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    (void)net;
    (void)ctx;
    if (f->round == 2) qkt_flip(f, "mu", 63, 1);
}

static void bent_eta(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    struct stage *st = ctx;
    (void)net;
    if (f->round != 2) return;
    uint8_t eta[MPC_SCALAR_MAX];
    memcpy(eta, qkt_field(f, "eta").p, st->k.c->lq);
    cheat_add_one(st->k.c, eta);
    qkt_set_field(f, "eta", qk_bytes(eta, st->k.c->lq));
}

static void swapped_rows(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    struct stage *st = ctx;
    (void)net;
    if (f->round != 2) return;
    size_t row = 3u * st->k.c->lq;
    struct qk_bytes old = qkt_field(f, "at");
    uint8_t *at = malloc(old.len);
    cr_assert_not_null(at);
    memcpy(at, old.p, old.len);
    memcpy(at, old.p + row, row);
    memcpy(at + row, old.p, row);
    qkt_set_field(f, "at", qk_bytes(at, old.len));
    free(at);
}

QK_TEST(ecdsa_checks, E_8_mu_eta_and_swapped_rows_poison)
{
    each_stage(bent_mu, NULL, 'X', "E-8", 2500);
    each_stage(bent_eta, NULL, 'X', "E-8", 2600);
    each_stage(swapped_rows, NULL, 'X', "E-8", 2700);
}

/* ---- E-9 ---- */

static const struct {
    const char *key;
    bool last; /* the last scalar of the vector, else the first */
} scalar_slots[] = {{"at", false}, {"at", true}, {"eta", false}, {"psi", false}};

static void scalar_of_q(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    struct stage *st = ctx;
    (void)net;
    if (f->round != 2) return;
    const char *key = scalar_slots[st->field].key;
    struct qk_bytes old = qkt_field(f, key);
    uint8_t *v = malloc(old.len);
    cr_assert_not_null(v);
    memcpy(v, old.p, old.len);
    cheat_q(st->k.c, v + (scalar_slots[st->field].last ? old.len - st->k.c->lq : 0));
    qkt_set_field(f, key, qk_bytes(v, old.len));
    free(v);
}

QK_TEST(ecdsa_checks, E_9_a_scalar_of_q_is_malformed)
{
    EACH_CURVE(c)
    {
        for (size_t i = 0; i < QK_COUNT(scalar_slots); i++) {
            struct stage st;
            stage_open(&st, c->id, 2, (uint16_t)(1 + i % 2), 2800 + 10 * c->id + i);
            st.field = i;
            stage_run(&st, scalar_of_q, NULL);
            expect(&st, st.victim, 'P', "E-9");
            stage_close(&st);
        }
    }
}

static void point_of_zeros(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    static const char *const keys[] = {"R", "P", "Gu", "Gv"};
    static const uint8_t zeros[MPC_POINT_MAX];
    struct stage *st = ctx;
    (void)net;
    if (f->round == 2) qkt_set_field(f, keys[st->field], qk_bytes(zeros, st->k.c->pt));
}

QK_TEST(ecdsa_checks, C_3_every_point_is_validated)
{
    EACH_CURVE(c)
    {
        for (size_t i = 0; i < 4; i++) {
            struct stage st;
            stage_open(&st, c->id, 2, (uint16_t)(1 + i % 2), 2900 + 10 * c->id + i);
            st.field = i;
            stage_run(&st, point_of_zeros, NULL);
            expect(&st, st.victim, 'P', "C-3");
            stage_close(&st);
        }
    }
}

/* ---- C-9 and E-10 ---- */

static void another_r(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    struct stage *st = ctx;
    (void)net;
    if (f->round != 2) return;
    uint8_t p[MPC_POINT_MAX];
    memcpy(p, qkt_field(f, "Gu").p, st->k.c->pt);
    qkt_set_field(f, "R", qk_bytes(p, st->k.c->pt));
}

QK_TEST(ecdsa_checks, E_10_r_is_what_was_committed)
{
    each_stage(another_r, NULL, 'P', "E-10", 3000);
}

/* Party 3 repeats the commitment of party 1 as her own, consistently, and later its opening. */
static void copied_com(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    struct stage *st = ctx;
    struct mpc_party *party = qkt_party(net, 3)->party;
    struct sign *source = ew_state(&st->r, 1);
    if (f->round == 1) {
        uint8_t com[64];
        qk_assert_ok(mpc_commit(
            com, party->sid, 1, "ecdsa-R", qk_bytes(source->out_r, st->k.c->pt), source->rho));
        qkt_set_field(f, "com", QK_BYTES(com));
        QK_AUTO_BUF body = QK_BUF(128);
        qk_buf_add_u8(&body, 0x81); /* the one-field body {com} that enters the echo */
        qk_buf_add(&body,
            "\xa3"
            "com\xc4\x40",
            6);
        qk_buf_add(&body, com, 64);
        qk_assert_ok(mpc_h32(party->bc[1][party->self_ix], "bc", MPC_FIELDS(qk_buf_view(&body))));
    } else if (f->round == 2) {
        qkt_set_field(f, "R", qk_bytes(source->out_r, st->k.c->pt));
        qkt_set_field(f, "rho", QK_BYTES(source->rho));
    }
}

QK_TEST(ecdsa_checks, E_10_a_copied_commitment_cannot_be_opened)
{
    EACH_CURVE(c)
    {
        struct stage st;
        stage_open(&st, c->id, 3, 3, 3100 + c->id);
        st.r.net->in_order = true; /* party 1 has drawn her nonce before party 3 answers */
        stage_run(&st, copied_com, NULL);
        bool found = false;
        for (uint16_t id = 1; id <= 2; id++) {
            struct mpc_blame b = mpc_party_blame(qkt_party(st.r.net, id)->party);
            found |= b.cls == 'P' && b.party == 3 && strcmp(b.check, "E-10") == 0;
        }
        cr_expect(found, "%s: nobody saw it", c->name);
        ew_expect_no_output(&st.r);
        cr_expect_eq(st.n_poisons, 0);
        stage_close(&st);
    }
}

static void two_coms(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    struct stage *st = ctx;
    (void)net;
    if (f->round == 1 && f->to == st->victim) qkt_flip(f, "com", 0, 1);
}

QK_TEST(ecdsa_checks, C_9_two_different_commitments_are_seen_in_the_echo)
{
    EACH_CURVE(c)
    {
        for (uint16_t cheater = 1; cheater <= 3; cheater++) {
            struct stage st;
            stage_open(&st, c->id, 3, cheater, 3200 + 10 * c->id + cheater);
            stage_run(&st, two_coms, NULL);
            qkt_expect_blame(st.r.net, st.victim, 'N', 0, NULL);
            ew_expect_no_output(&st.r);
            cr_expect_eq(st.n_poisons, 0);
            stage_close(&st);
        }
    }
}

/* ---- E-11, E-12: inputs of the multiplication that differ from R and P ---- */

static void add_one(const struct mpc_curve *c, struct mpc_scalar *s)
{
    struct mpc_scalar one;
    mpc_scalar_set_u64(&one, 1);
    mpc_scalar_add(c, s, s, &one);
}

/* Once R is fixed and before the products are made. */
static void other_r_in_product(struct qkt_net *net, struct mpc_party *party, void *ctx)
{
    struct stage *st = ctx;
    struct sign *s = party->state;
    (void)net;
    if (mpc_party_state(party) != MPC_RUNNING || mpc_party_round(party) != 1 || st->bit) return;
    st->bit = 1;
    add_one(st->k.c, &s->r);
}

QK_TEST(ecdsa_checks, E_11_alice_multiplies_another_r)
{
    each_stage(NULL, other_r_in_product, 'X', "E-11", 3300);
}

static void other_sk_in_product(struct qkt_net *net, struct mpc_party *party, void *ctx)
{
    struct stage *st = ctx;
    struct sign *s = party->state;
    (void)net;
    if (mpc_party_state(party) != MPC_RUNNING || mpc_party_round(party) != 1 || st->bit) return;
    st->bit = 1;
    add_one(st->k.c, &s->sk);
}

QK_TEST(ecdsa_checks, E_12_alice_multiplies_another_key_share)
{
    each_stage(NULL, other_sk_in_product, 'X', "E-12", 3400);
}

/* The Gamma^v of the first frame goes into the second one. */
static void gamma_of_another_pair(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    struct stage *st = ctx;
    (void)net;
    if (f->round != 2) return;
    if (!st->bit) {
        memcpy(st->saved[0], qkt_field(f, "Gv").p, st->k.c->pt);
        st->bit = 1;
    } else {
        st->victim = f->to;
        qkt_set_field(f, "Gv", qk_bytes(st->saved[0], st->k.c->pt));
    }
}

QK_TEST(ecdsa_checks, E_12_gamma_of_another_pair)
{
    EACH_CURVE(c)
    {
        for (uint16_t cheater = 1; cheater <= 3; cheater++) {
            struct stage st;
            stage_open(&st, c->id, 3, cheater, 3500 + 10 * c->id + cheater);
            stage_run(&st, gamma_of_another_pair, NULL);
            qkt_expect_blame(st.r.net, st.victim, 'X', cheater, "E-12");
            cr_expect_eq(st.n_poisons, 1);
            stage_close(&st);
        }
    }
}
