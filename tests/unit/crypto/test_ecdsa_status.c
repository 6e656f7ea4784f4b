/* The status rules of setups under parallel cheating, and what the library does not export. */
#include "ecdsa_cheat.h"
#include "ecdsa_world.h"

static const uint16_t ids3[] = {1, 2, 3};

/* ---- E-7: 64 cheating sessions at once on one setup ---- */

enum { N_PARALLEL = 64 };

struct parallel {
    struct ew_run r;
    struct mpc_party *party[2]; /* 0 the victim, 1 the cheater */
};

/* Take the only SEND of this round for the other party out of a party's effects. */
static struct qkt_frame take_frame(struct mpc_party *party)
{
    struct qkt_frame f = {.data = QK_BUF(1 << 20)};
    struct mpc_effect e;
    while (mpc_party_next_effect(party, &e))
        if (e.kind == MPC_EFFECT_SEND) qk_buf_add(&f.data, e.data.p, e.data.len);
    cr_assert_eq(f.data.err, QK_OK);
    return f;
}

static void deliver(struct mpc_party *to, uint16_t from, struct qkt_frame *f, qk_err want)
{
    qk_err err = mpc_party_receive(to, from, qk_buf_view(&f->data));
    cr_assert_eq(err, want, "%s", qk_err_name(err));
    qk_buf_free(&f->data);
}

/* Up to the point where the victim has the bent round 1 and acts on nothing yet. */
static bool run_to_check(struct parallel *p, size_t row)
{
    for (size_t i = 0; i < 2; i++) qk_assert_ok(ew_start_one(&p->r, i, &p->party[i]));
    struct qkt_frame a = take_frame(p->party[0]), b = take_frame(p->party[1]);
    deliver(p->party[0], 2, &b, QK_OK);
    deliver(p->party[1], 1, &a, QK_OK);
    struct qkt_frame mine = take_frame(p->party[0]), bent = take_frame(p->party[1]);
    qk_buf_free(&mine.data);
    struct sign *s = p->party[1]->state;
    struct sign_peer *me = &s->peers[0];
    const struct ot_dims *d = &me->bob.d;
    uint8_t xh[16];
    static uint8_t u[OT_KAPPA_MAX * OT_NB_MAX], th[OT_KAPPA_MAX * 16];
    memcpy(u, qkt_field(&bent, "u").p, ot_u_len(d));
    u[row * d->nb + 3] ^= 8;
    cheat_refold(d, me->bob.pm, me->setup->pairs, me->x, u, xh, th);
    qkt_set_field(&bent, "u", qk_bytes(u, ot_u_len(d)));
    qkt_set_field(&bent, "xh", QK_BYTES(xh));
    qkt_set_field(&bent, "th", qk_bytes(th, ot_th_len(d)));
    bool fails = ot_bit(p->r.k->setups[0][1]->delta, row);
    deliver(p->party[0], 2, &bent, fails ? QK_E_PROOF : QK_OK);
    return fails;
}

/* What a node does with the victim's effects, under the setup's lock. Returns frames of round 2. */
static unsigned act(struct mpc_party *victim, bool *poisoned)
{
    struct mpc_effect e;
    unsigned sent = 0;
    while (mpc_party_next_effect(victim, &e)) {
        struct mpc_envelope env;
        if (e.kind == MPC_EFFECT_SETUP_POISON) *poisoned = true;
        if (e.kind == MPC_EFFECT_SETUP_USE && *poisoned) mpc_party_expire(victim);
        if (e.kind != MPC_EFFECT_SEND) continue;
        qk_assert_ok(mpc_envelope_decode(e.data, &env));
        sent += env.round == 2;
        cr_expect(env.round == 2 || env.round == 255);
    }
    return sent;
}

QK_TEST(ecdsa_status, E_7_parallel_cheating_sessions_learn_one_failure)
{
    static const unsigned curves[] = {MPC_P256, MPC_P384};
    for (size_t n = 0; n < QK_COUNT(curves); n++) {
        struct ew_key k;
        static struct parallel p[N_PARALLEL];
        unsigned first_failure = N_PARALLEL, failures = 0;
        ew_deal(&k, 5200 + n, curves[n], 3, 2, 0, NULL);
        ew_deal_setups(&k);
        for (unsigned i = 0; i < N_PARALLEL; i++) {
            ew_session(&p[i].r, &k, 5200 + i, ids3, 2, true);
            bool fails = run_to_check(&p[i], i);
            failures += fails;
            if (fails && first_failure == N_PARALLEL) first_failure = i;
        }
        cr_assert(failures > 1 && first_failure < N_PARALLEL - 1);
        bool poisoned = false;
        unsigned sent = 0;
        for (unsigned i = 0; i < N_PARALLEL; i++) {
            unsigned now = act(p[i].party[0], &poisoned);
            cr_expect(!poisoned || now == 0, "E-7: session %u sent after the failure", i);
            sent += now;
        }
        cr_expect(poisoned);
        cr_expect_eq(sent, first_failure, "E-7: only the sessions before the failure went on");
        for (unsigned i = 0; i < N_PARALLEL; i++) {
            mpc_party_free(p[i].party[0]);
            mpc_party_free(p[i].party[1]);
        }
        ew_free(&k);
    }
}

/* E-7: the poison is the very first effect of a failure, before the abort message. */
QK_TEST(ecdsa_status, E_7_poison_precedes_every_visible_reaction)
{
    struct ew_key k;
    struct parallel p = {0};
    size_t row = 0;
    ew_deal(&k, 5300, MPC_P256, 3, 2, 0, NULL);
    ew_deal_setups(&k);
    while (!ot_bit(k.setups[0][1]->delta, row)) row++;
    ew_session(&p.r, &k, 5300, ids3, 2, true);
    cr_assert(run_to_check(&p, row));
    struct mpc_effect e;
    cr_assert(mpc_party_next_effect(p.party[0], &e));
    cr_expect_eq(e.kind, MPC_EFFECT_SETUP_POISON);
    cr_expect_eq(e.to, 2);
    cr_expect(memcmp(e.id, k.setups[0][1]->id, 32) == 0);
    mpc_party_free(p.party[0]);
    mpc_party_free(p.party[1]);
    ew_free(&k);
}

/* E-7: a peer whose answer of round 2 lies here before its round 1 makes two rounds run at once.
 * The sends of the first must not stand before the poison of the second: the peer has closed its
 * link by then, and a caller stops at the send that fails. */
QK_TEST(ecdsa_status, E_7_no_send_of_an_earlier_round_precedes_the_poison)
{
    struct ew_key k;
    struct ew_run r;
    struct mpc_party *party[2];
    struct mpc_effect e;
    ew_deal(&k, 5400, MPC_P256, 3, 2, 0, NULL);
    ew_deal_setups(&k);
    ew_session(&r, &k, 5400, ids3, 2, true);
    for (size_t i = 0; i < 2; i++) qk_assert_ok(ew_start_one(&r, i, &party[i]));
    struct qkt_frame a = take_frame(party[0]), b = take_frame(party[1]);
    deliver(party[0], 2, &b, QK_OK);
    deliver(party[1], 1, &a, QK_OK);
    struct qkt_frame mine = take_frame(party[0]), theirs = take_frame(party[1]);
    deliver(party[1], 1, &mine, QK_OK);
    struct qkt_frame bent = take_frame(party[1]);
    qkt_flip(&bent, "mu", 0, 1);
    deliver(party[0], 2, &bent, QK_OK); /* one round early: kept */
    deliver(party[0], 2, &theirs, QK_E_PROOF);
    cr_expect_str_eq(mpc_party_blame(party[0]).check, "E-8");
    cr_assert(mpc_party_next_effect(party[0], &e));
    cr_expect_eq(e.kind, MPC_EFFECT_SETUP_POISON, "E-7: %d comes before the poison", e.kind);
    cr_expect_null(e.data.p, "E-7: a poison needs no memory, so it cannot fail for want of it");
    cr_assert(mpc_party_next_effect(party[0], &e));
    cr_expect_eq(e.kind, MPC_EFFECT_SEND);
    struct mpc_envelope env;
    qk_assert_ok(mpc_envelope_decode(e.data, &env));
    cr_expect_eq(env.round, MPC_ROUND_ABORT, "E-7: nothing of the dead session is sent");
    cr_expect_not(mpc_party_next_effect(party[0], &e));
    for (size_t i = 0; i < 2; i++) mpc_party_free(party[i]);
    ew_free(&k);
}

/* E-7 (20 section 7.1): every setup is asked for before round 2 leaves and once more when the party
 * is done, for another session may have poisoned it in between. */
struct asked {
    const struct ew_key *k;
    unsigned n[EW_MAX][EW_MAX][2]; /* by party, peer, done or not */
};

static qk_err note_use(
    struct qkt_net *net, struct qkt_party *who, const struct mpc_effect *e, void *ctx)
{
    struct asked *a = ctx;
    (void)net;
    cr_assert_eq(e->kind, MPC_EFFECT_SETUP_USE);
    size_t i = ew_index(a->k, who->id), j = ew_index(a->k, e->to);
    cr_expect(memcmp(e->id, a->k->setups[i][j]->id, 32) == 0);
    a->n[i][j][mpc_party_state(who->party) == MPC_DONE]++;
    return QK_OK;
}

QK_TEST(ecdsa_status, E_7_setups_are_asked_for_again_before_the_result)
{
    struct ew_key k;
    struct ew_run r;
    ew_deal(&k, 5500, MPC_P256, 3, 3, 0, NULL);
    ew_deal_setups(&k);
    struct asked a = {.k = &k};
    ew_session(&r, &k, 5500, ids3, 3, true);
    ew_start(&r, 5500);
    r.net->in_order = true; /* one round in a receive: who is DONE is at the end */
    r.net->on_effect = note_use;
    r.net->effect_ctx = &a;
    qkt_run(r.net);
    for (size_t i = 0; i < 3; i++) {
        qkt_expect_done(r.net, ids3[i]);
        for (size_t j = 0; j < 3; j++)
            for (size_t done = 0; done < 2; done++)
                cr_expect_eq(a.n[i][j][done], i != j, "E-7: %zu of %zu, %zu", i, j, done);
    }
    ew_end(&r);
    ew_free(&k);
}

/* ---- E-25 ---- */

/* Everything that the ECDSA module lets a caller do. A new name here needs a look at E-25: nothing
 * may hand out r_i, phi_i, b_ij, choice bits or pads. */
static const char *const exported[] = {"mpc_ecdsa_combine", "mpc_ecdsa_der_decode",
    "mpc_ecdsa_der_encode", "mpc_ecdsa_digest_len", "mpc_ecdsa_part_decode",
    "mpc_ecdsa_part_encode", "mpc_ecdsa_part_len", "mpc_ecdsa_start", "mpc_ecdsa_take_part",
    "mpc_ecdsa_take_presig", "mpc_ecdsa_verify", "mpc_ot_class_of", "mpc_ot_setup_binding",
    "mpc_ot_setup_class", "mpc_ot_setup_deserialize", "mpc_ot_setup_free", "mpc_ot_setup_id",
    "mpc_ot_setup_ref", "mpc_ot_setup_root_id", "mpc_ot_setup_serialize", "mpc_otderive_start",
    "mpc_otsetup_key_session", "mpc_otsetup_root_session", "mpc_otsetup_start", "mpc_otsetup_take",
    "mpc_presig_burn", "mpc_presig_free", "mpc_presig_sid", "mpc_presig_use",
    "mpc_presig_uses_setup"};

static bool is_exported(const char *name)
{
    for (size_t i = 0; i < QK_COUNT(exported); i++)
        if (strcmp(exported[i], name) == 0) return true;
    return false;
}

QK_TEST(ecdsa_status, E_25_no_symbol_opens_an_ephemeral_secret)
{
    static const char cmd[] = "d=$(dirname \"$(readlink /proc/$PPID/exe)\"); nm -g --defined-only "
                              "\"$d\"/../crypto/libqk_crypto.a";
    FILE *f = popen(cmd, "r");
    char line[512], name[256], kind;
    unsigned found = 0;
    cr_assert_not_null(f);
    while (fgets(line, sizeof line, f)) {
        if (sscanf(line, "%*s %c %255s", &kind, name) != 2 || kind != 'T') continue;
        if (strncmp(name, "mpc_ecdsa", 9) != 0 && strncmp(name, "mpc_ot", 6) != 0 &&
            strncmp(name, "mpc_presig", 10) != 0)
            continue;
        found++;
        cr_expect(is_exported(name), "E-25: %s is new", name);
    }
    pclose(f);
    cr_expect_eq(found, QK_COUNT(exported), "%u names found", found);
}
