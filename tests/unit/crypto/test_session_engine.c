/* The engine under a toy protocol: half-broadcast messages, what survives an abort, early frames.
 */
#include "driver.h"
#include "qktest/qktest.h"
#include "session/engine.h"

static const uint16_t ids[] = {1, 2, 3};

/* Round 1: a private message whose first field is the same for all (document 20, round 1).
 * Round 2: the echo of round 1. */
struct toy {
    int fail_in; /* 2: X; 3: local */
    uint8_t com[32];
};

enum { TOY_HALF, TOY_ECHO };
static const struct mpc_field half[] = {{"com", mpc_len_32}, {"u", mpc_len_16}};
static const struct mpc_field echo[] = {{"echo1", mpc_len_32}};
static const struct mpc_row rows[] = {
    {1, MPC_TO_ONE, MPC_CLASS_ANY, MPC_CLASS_ANY, 0, half, 2},
    {2, MPC_TO_ALL, MPC_CLASS_ANY, MPC_CLASS_ANY, MPC_NO_ECHO, echo, 1},
};

static qk_err say_half(struct mpc_party *party)
{
    struct toy *st = party->state;
    QK_TRY(qk_rng_fill(party->rng, st->com, 32));
    for (size_t j = 0; j < party->s.n_peers; j++) {
        uint8_t u[16];
        if (j == party->self_ix) continue;
        QK_TRY(qk_rng_fill(party->rng, u, 16));
        struct qk_bytes fields[] = {QK_BYTES(st->com), QK_BYTES(u)};
        QK_TRY(mpc_engine_send(party, TOY_HALF, party->s.peers[j].id, fields));
    }
    return QK_OK;
}

static qk_err say_echo(struct mpc_party *party)
{
    struct toy *st = party->state;
    uint8_t e[32], setup[32] = {9};
    QK_TRY(mpc_engine_echo(party, 1, e));
    QK_TRY(mpc_engine_effect(party, MPC_EFFECT_SETUP_USE, 2, setup, "use", qk_bytes(NULL, 0)));
    QK_TRY(mpc_engine_send(party, TOY_ECHO, 0, &QK_BYTES(e)));
    if (st->fail_in == 0) return QK_OK;
    QK_TRY(mpc_engine_effect(party, MPC_EFFECT_PERSIST, 0, NULL, "p", qk_bytes("x", 1)));
    QK_TRY(
        mpc_engine_effect(party, MPC_EFFECT_SETUP_POISON, 3, setup, "poison", qk_bytes(NULL, 0)));
    QK_TRY(mpc_engine_effect(party, MPC_EFFECT_WIPE, 0, setup, "w", qk_bytes(NULL, 0)));
    if (st->fail_in == 2) return mpc_fail_x(party, 3, "E-6", QK_E_PROOF);
    return QK_E_NOMEM;
}

static qk_err check(struct mpc_party *party)
{
    for (size_t j = 0; j < party->s.n_peers; j++)
        if (j != party->self_ix)
            QK_TRY(mpc_engine_check_echo(party, 1, mpc_engine_field(party, 2, j, MPC_TO_ALL, 0)));
    cr_assert_eq(mpc_engine_field(party, 1, 0, MPC_TO_ONE, 1).len, 0, "private bodies are gone");
    mpc_engine_done(party);
    return QK_OK;
}

static qk_err (*const rounds[])(struct mpc_party *) = {say_half, say_echo, check};
static const struct mpc_proto_def toy = {.proto = 200,
    .name = "toy",
    .rows = rows,
    .n_rows = 2,
    .rounds = rounds,
    .n_rounds = 3,
    .state_len = sizeof(struct toy)};

static struct qkt_net *start(struct qkt_rng *rngs, int fail_at, int fail_in)
{
    struct qkt_net *net = qkt_net_new(5);
    struct mpc_session s;
    qkt_session(&s, 5, MPC_P256, ids, 3, 2, 0);
    for (size_t i = 0; i < 3; i++) {
        struct mpc_party *party;
        s.self = ids[i];
        qkt_rng_init(&rngs[i], 5, i);
        qk_assert_ok(mpc_engine_new(&party, &toy, &s, &rngs[i].rng));
        if (ids[i] == fail_at) ((struct toy *)party->state)->fail_in = fail_in;
        qk_assert_ok(mpc_engine_begin(party));
        qkt_add(net, ids[i], party);
    }
    return net;
}

QK_TEST(engine, half_broadcast_messages_end_well)
{
    struct qkt_rng rngs[3];
    struct qkt_net *net = start(rngs, 0, 0);
    qkt_run(net);
    for (size_t i = 0; i < 3; i++) qkt_expect_done(net, ids[i]);
    qkt_net_free(net);
}

static void two_coms(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    (void)net;
    (void)ctx;
    if (f->round == 1 && f->to == (f->from == 2 ? 3 : 2)) qkt_flip(f, "com", 0, 1);
}

QK_TEST(engine, C_9_two_coms_in_half_broadcasts_are_found)
{
    for (size_t k = 0; k < 3; k++) {
        struct qkt_rng rngs[3];
        struct qkt_net *net = start(rngs, 0, 0);
        net->cheater = ids[k];
        net->hook = two_coms;
        net->mute_aborts = true;
        qkt_run(net);
        qkt_expire(net);
        for (size_t i = 0; i < 3; i++)
            if (i != k) qkt_expect_blame(net, ids[i], 'N', 0, "C-9");
        qkt_net_free(net);
    }
}

/* What a failed step leaves to be done: poison first, wipe, then the abort; no send, no store. */
static qk_err note(
    struct qkt_net *net, struct qkt_party *who, const struct mpc_effect *e, void *ctx)
{
    (void)net;
    (void)who;
    unsigned *seen = ctx;
    seen[e->kind]++;
    return QK_OK;
}

QK_TEST(engine, a_failed_step_leaves_poison_and_wipe_and_nothing_else)
{
    for (int fail_in = 2; fail_in < 4; fail_in++) {
        struct qkt_rng rngs[3];
        unsigned seen[8] = {0};
        struct qkt_net *net = start(rngs, 1, fail_in);
        net->on_effect = note;
        net->effect_ctx = seen;
        qkt_run(net);
        if (fail_in == 2)
            qkt_expect_blame(net, 1, 'X', 3, "E-6");
        else
            qkt_expect_blame(net, 1, 'N', 0, NULL);
        cr_assert_eq(seen[MPC_EFFECT_PERSIST], 0);
        cr_assert_eq(seen[MPC_EFFECT_SETUP_POISON], 1);
        cr_assert_eq(seen[MPC_EFFECT_WIPE], 1);
        cr_assert_leq(seen[MPC_EFFECT_SETUP_USE], 2); /* those of 2 and 3 at most */
        for (size_t i = 1; i < 3; i++) qkt_expect_blame(net, ids[i], 'N', 0, "peer aborted");
        qkt_net_free(net);
    }
}

QK_TEST(engine, a_failing_effect_ends_the_session)
{
    struct qkt_rng rngs[3];
    struct qkt_net *net = start(rngs, 0, 0);
    struct mpc_effect e;
    struct mpc_party *one = net->p[0].party;
    mpc_party_expire(one);
    cr_assert(mpc_party_next_effect(one, &e));
    cr_assert_eq(e.kind, MPC_EFFECT_SEND); /* the abort; the nonce was dropped */
    struct mpc_envelope env;
    qk_assert_ok(mpc_envelope_decode(e.data, &env));
    cr_assert_eq(env.round, MPC_ROUND_ABORT);
    cr_assert_not(mpc_party_next_effect(one, &e));
    cr_assert_null(one->state, "the state is wiped and gone");
    qkt_net_free(net);
}

QK_TEST(engine, sends_that_do_not_fit_the_table_are_our_own_fault)
{
    struct qkt_rng rngs[3];
    struct qkt_net *net = start(rngs, 0, 0);
    struct mpc_party *one = net->p[0].party;
    uint8_t v[33] = {0};
    struct qk_bytes good[] = {qk_bytes(v, 32), qk_bytes(v, 16)};
    struct qk_bytes bad[] = {qk_bytes(v, 33), qk_bytes(v, 16)};
    qk_assert_err(mpc_engine_send(one, 7, 2, good), QK_E_STATE);
    qk_assert_err(mpc_engine_send(one, TOY_HALF, 1, good), QK_E_STATE); /* to ourselves */
    qk_assert_err(mpc_engine_send(one, TOY_HALF, 9, good), QK_E_STATE);
    qk_assert_err(mpc_engine_send(one, TOY_HALF, 0, good), QK_E_STATE);
    qk_assert_err(mpc_engine_send(one, TOY_ECHO, 2, good), QK_E_STATE);
    qk_assert_err(mpc_engine_send(one, TOY_HALF, 2, bad), QK_E_STATE);
    qk_assert_ok(mpc_engine_send(one, TOY_HALF, 2, good));
    v[0] = 1; /* another shared field to the next peer: we would equivocate ourselves */
    qk_assert_err(mpc_engine_send(one, TOY_HALF, 3, good), QK_E_STATE);
    qkt_net_free(net);
}
