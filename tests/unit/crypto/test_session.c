/* The session engine, through a DKG: ids, foreign sessions, repeats, echoes, replays. */
#include "dkgrun.h"
#include "mpc/session.h"
#include "qktest/qktest.h"
#include "tape.h"

#include <sys/wait.h>
#include <unistd.h>

static const uint16_t ids[] = {1, 2, 3};

static struct qkt_net *start(uint64_t seed, unsigned curve, struct qkt_rng *rngs)
{
    return qkt_dkg_net(seed, curve, ids, 3, 2, 1, rngs);
}

/* ---- the sid ---- */

QK_TEST(session, sid_known_answer)
{
    struct mpc_session s = {.curve = 2, .e_net = 1, .t = 2, .n_peers = 2, .self = 1};
    uint8_t nonces[2][32], sid[32], want[32];
    for (int i = 0; i < 16; i++) s.key_id[i] = (uint8_t)i;
    memset(s.rec, 0x77, 32);
    memset(s.req, 0xaa, 32);
    s.peers[0].id = 1;
    s.peers[1].id = 3;
    memset(s.peers[0].idh, 0x11, 32);
    memset(s.peers[1].idh, 0x33, 32);
    memset(nonces[0], 1, 32);
    memset(nonces[1], 3, 32);
    qk_assert_ok(mpc_sid(sid, "ecdsa", &s, (const uint8_t(*)[32])nonces));
    qk_assert_ok(qk_unhex(
        qk_str("39ce99d2da7801ca768291a8f3d04619e82a2051343f160184ad2792b5096e96"), want, 32));
    cr_assert_eq(memcmp(sid, want, 32), 0);
}

QK_TEST(session, C_4_every_input_changes_sid_and_open_id)
{
    struct mpc_session s;
    uint8_t nonces[4][32] = {{0}}, first[32], other[32];
    qkt_session(&s, 1, MPC_P256, ids, 3, 2, 1);
    qk_assert_ok(mpc_sid(first, "dkg", &s, (const uint8_t(*)[32])nonces));
    for (int v = 0; v < 12; v++) {
        struct mpc_session b = s;
        uint8_t n[4][32] = {{0}};
        if (v == 0) b.curve = MPC_P384;
        if (v == 1) b.key_id[15] ^= 1;
        if (v == 2) b.e_net++;
        if (v == 3) b.e_del++;
        if (v == 4) b.rec[0] ^= 1;
        if (v == 5) b.peers[2].id = 4;
        if (v == 6) b.peers[1].idh[31] ^= 1;
        if (v == 7) b.t = 3;
        if (v == 8) b.access = 0;
        if (v == 9) b.req[5] ^= 1;
        if (v == 10) n[3][31] = 1;
        qk_assert_ok(mpc_sid(other, v == 11 ? "dkh" : "dkg", &b, (const uint8_t(*)[32])n));
        cr_assert_neq(memcmp(first, other, 32), 0, "C-4: input %d is not in the sid", v);
    }
    /* Not an input: who I am. */
    s.self = 2;
    qk_assert_ok(mpc_sid(other, "dkg", &s, (const uint8_t(*)[32])nonces));
    cr_assert_eq(memcmp(first, other, 32), 0);
}

/* ---- C-1 ---- */

QK_TEST(session, C_1_party_lists_that_are_refused)
{
    static const struct {
        const char *what;
        uint16_t id[4], n, self, t, access;
    } bad[] = {
        {"0 is no party", {0, 1, 2}, 3, 1, 2, 0},
        {"the same id twice", {1, 2, 2}, 3, 1, 2, 0},
        {"descending", {2, 1, 3}, 3, 1, 2, 0},
        {"256 is no node", {1, 2, 256}, 3, 1, 2, 0},
        {"65534 is no node", {1, 2, 65534}, 3, 1, 2, 0},
        {"a delegate without access 1", {1, 2, 65535}, 3, 1, 2, 0},
        {"access 1 without a delegate", {1, 2, 3}, 3, 1, 2, 1},
        {"only a delegate", {65535}, 1, 65535, 1, 1},
        {"self is not there", {1, 2, 3}, 3, 4, 2, 0},
        {"nobody", {0}, 0, 1, 1, 1},
        {"t above n", {1, 2, 3}, 3, 1, 4, 0},
        {"t of 0", {1, 2, 3}, 3, 1, 0, 0},
        {"t of 1 without a delegate", {1, 2, 3}, 3, 1, 1, 0},
        {"access 2", {1, 2, 3}, 3, 1, 2, 2},
    };
    for (unsigned curve = 0; curve <= 5; curve++)
        for (size_t i = 0; i < QK_COUNT(bad); i++) {
            struct mpc_session s = {.curve = (uint8_t)curve, .n_peers = bad[i].n};
            struct mpc_party *party = NULL;
            s.self = bad[i].self;
            s.t = bad[i].t;
            s.access = (uint8_t)bad[i].access;
            for (size_t k = 0; k < bad[i].n; k++) s.peers[k].id = bad[i].id[k];
            qk_assert_err(mpc_dkg_start(&party, &s, qk_rng_system()), QK_E_STATE);
            cr_assert_null(party, "C-1: %s", bad[i].what);
        }
}

QK_TEST(session, C_1_too_many_parties_and_unknown_curves_are_refused)
{
    struct mpc_session s = {.curve = MPC_P256, .t = 2, .self = 1};
    struct mpc_party *party = NULL;
    for (s.n_peers = 0; s.n_peers < MPC_PARTIES_MAX; s.n_peers++)
        s.peers[s.n_peers].id = (uint16_t)(s.n_peers + 1);
    qk_assert_err(mpc_dkg_start(&party, &s, qk_rng_system()), QK_E_STATE);
    s.n_peers = 60000;
    qk_assert_err(mpc_dkg_start(&party, &s, qk_rng_system()), QK_E_STATE);
    s.n_peers = 3;
    s.curve = 9;
    qk_assert_err(mpc_dkg_start(&party, &s, qk_rng_system()), QK_E_STATE);
    s.curve = MPC_P256;
    s.e_net = 1;
    qk_assert_err(mpc_dkg_start(&party, &s, qk_rng_system()), QK_E_STATE);
}

/* ---- recording ---- */

static struct qkt_tape *record_run(uint64_t seed, unsigned curve)
{
    struct qkt_rng rngs[4];
    struct qkt_tape *t = qkt_tape_new();
    struct qkt_net *net = start(seed, curve, rngs);
    net->tap = qkt_tape_record;
    net->tap_ctx = t;
    qkt_run(net);
    for (size_t i = 0; i < net->n; i++) qkt_expect_done(net, net->p[i].id);
    qkt_net_free(net);
    return t;
}

/* ---- C-5, C-6 ---- */

QK_TEST(session, C_5_every_message_of_another_session_is_dropped)
{
    for (unsigned curve = 1; curve <= 4; curve++) {
        struct qkt_tape *old = record_run(50, curve);
        struct qkt_rng rngs[4];
        struct qkt_net *net = start(51, curve, rngs);
        for (size_t i = 0; i < old->n; i++)
            qkt_inject(net, old->from[i], old->to[i], qk_buf_view(&old->frame[i]));
        qkt_run(net);
        unsigned dropped = 0;
        for (size_t i = 0; i < net->n; i++) {
            qkt_expect_done(net, net->p[i].id);
            dropped += net->p[i].n_foreign;
        }
        cr_assert_gt(dropped, 0, "C-5");
        qkt_net_free(net);
        qkt_tape_free(old);
    }
}

static void two_nonces(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    (void)net;
    (void)ctx;
    if (f->round == 0 && f->to == (f->from == 2 ? 3 : 2)) qkt_flip(f, "nonce", 0, 1);
}

QK_TEST(session, C_5_an_equivocated_nonce_ends_in_N_without_a_strike)
{
    static const uint16_t all[] = {1, 2, 3, MPC_DELEGATE};
    for (unsigned curve = 1; curve <= 4; curve++)
        for (size_t k = 0; k < 4; k++) {
            struct qkt_rng rngs[4];
            struct qkt_net *net = start(60 + k, curve, rngs);
            net->cheater = all[k];
            net->hook = two_nonces;
            qkt_run(net);
            qkt_expire(net);
            for (size_t i = 0; i < net->n; i++)
                if (net->p[i].id != net->cheater) qkt_expect_blame(net, net->p[i].id, 'N', 0, NULL);
            qkt_expect_nothing(net);
            qkt_net_free(net);
        }
}

QK_TEST(session, C_6_bytes_that_name_no_session_are_dropped)
{
    for (unsigned seed = 0; seed < 10; seed++) {
        struct qkt_rng rngs[4], dice;
        struct qkt_tape *t = record_run(70, MPC_P256);
        struct qkt_net *net = start(71, MPC_P256, rngs);
        qkt_rng_init(&dice, seed, 5);
        for (unsigned i = 0; i < 60; i++) {
            uint8_t junk[300];
            size_t len = (size_t)qkt_random(&dice, sizeof junk);
            qk_assert_ok(qk_rng_fill(&dice.rng, junk, len));
            qkt_inject(net, 1, 2, qk_bytes(junk, len));
            /* A frame of somebody's session with one bit flipped: authentic bytes never look so,
             * the channel drops them; what names another session then is not ours either. */
            struct qk_buf *f = &t->frame[qkt_random(&dice, t->n)];
            f->p[qkt_random(&dice, f->len)] ^= (uint8_t)(1u << qkt_random(&dice, 8));
            qkt_inject(net, 3, 2, qk_buf_view(f));
        }
        qkt_run(net);
        for (size_t i = 0; i < net->n; i++) qkt_expect_done(net, net->p[i].id);
        qkt_net_free(net);
        qkt_tape_free(t);
    }
}

/* ---- C-10 ---- */

static void twice(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    const int *variant = ctx;
    qkt_inject(net, f->from, f->to, qk_buf_view(&f->data));
    if (*variant == 0 || f->round != 1) return;
    qkt_flip(f, "com", 7, 1);
}

QK_TEST(session, C_10_an_identical_copy_is_ignored)
{
    for (unsigned curve = 1; curve <= 4; curve++)
        for (uint16_t k = 1; k <= 3; k++) {
            struct qkt_rng rngs[4];
            int variant = 0;
            struct qkt_net *net = start(80 + k, curve, rngs);
            net->cheater = k;
            net->hook = twice;
            net->hook_ctx = &variant;
            qkt_run(net);
            for (size_t i = 0; i < net->n; i++) qkt_expect_done(net, net->p[i].id);
            qkt_net_free(net);
        }
}

QK_TEST(session, C_10_a_second_different_message_blames_its_sender)
{
    static const uint16_t all[] = {1, 2, 3, MPC_DELEGATE};
    for (unsigned curve = 1; curve <= 4; curve++)
        for (size_t k = 0; k < 4; k++) {
            struct qkt_rng rngs[4];
            int variant = 1;
            struct qkt_net *net = start(90 + k, curve, rngs);
            net->cheater = all[k];
            net->hook = twice;
            net->hook_ctx = &variant;
            net->in_order = true;
            net->mute_aborts = true;
            qkt_run(net);
            qkt_expire(net);
            qkt_expect_attack(net, 0, 'P', net->cheater, "C-10");
            qkt_net_free(net);
        }
}

/* ---- C-12 ---- */

QK_TEST(session, C_12_replaying_a_whole_old_opening_moves_nobody)
{
    struct qkt_tape *old = record_run(100, MPC_P256);
    struct qkt_rng rng;
    struct mpc_session s;
    struct mpc_party *party;
    uint8_t sid[32], open_old[32], open_new[32];
    struct mpc_envelope env;
    qkt_session(&s, 100, MPC_P256, ids, 3, 2, 1); /* the same request, so the same open id */
    s.e_net = s.e_del = 0;
    qkt_rng_init(&rng, 101, 1);
    qk_assert_ok(mpc_dkg_start(&party, &s, &rng.rng));
    mpc_party_open_id(party, open_new);
    for (size_t i = 0; i < old->n; i++) {
        if (old->to[i] != 1) continue;
        qk_assert_ok(mpc_envelope_decode(qk_buf_view(&old->frame[i]), &env));
        if (env.round == 0) memcpy(open_old, env.sid, 32);
        qk_err err = mpc_party_receive(party, old->from[i], qk_buf_view(&old->frame[i]));
        cr_assert(err == QK_OK || err == QK_E_FOREIGN || err == QK_E_EARLY);
    }
    cr_assert_eq(memcmp(open_old, open_new, 32), 0);
    cr_assert(mpc_party_sid(party, sid), "the old nonces complete the opening");
    cr_assert_neq(memcmp(sid, env.sid, 32), 0, "C-12: my own nonce is not in the sid");
    cr_assert_eq(mpc_party_round(party), 1, "C-12: nothing old was taken in the new session");
    mpc_party_expire(party);
    cr_assert_eq(mpc_party_blame(party).cls, MPC_BLAME_N);
    mpc_party_free(party);
    qkt_tape_free(old);
}

/* ---- C-13 ---- */

QK_TEST(session, C_13_after_a_fork_the_draws_differ)
{
    struct qk_rng *rng = qk_rng_system();
    uint8_t mine[32], its[32];
    int fd[2];
    qk_assert_ok(qk_rng_fill(rng, mine, sizeof mine)); /* in use before the fork */
    cr_assert_eq(pipe(fd), 0);
    pid_t pid = fork();
    if (pid == 0) {
        bool ok = qk_rng_fill(rng, its, sizeof its) == QK_OK &&
                  write(fd[1], its, sizeof its) == (ssize_t)sizeof its;
        _exit(ok ? 0 : 1);
    }
    int status;
    qk_assert_ok(qk_rng_fill(rng, mine, sizeof mine));
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(status, 0);
    cr_assert_eq(read(fd[0], its, sizeof its), (ssize_t)sizeof its);
    cr_assert_neq(memcmp(mine, its, sizeof mine), 0, "C-13: parent and child draw the same");
    close(fd[0]);
    close(fd[1]);
}

/* ---- ends ---- */

QK_TEST(session, an_expired_party_takes_nothing_more_and_tells_its_peers)
{
    struct qkt_rng rngs[4];
    struct qkt_net *net = start(110, MPC_P256, rngs);
    mpc_party_expire(net->p[0].party);
    qkt_run(net);
    for (size_t i = 0; i < net->n; i++)
        qkt_expect_blame(net, net->p[i].id, 'N', 0, i == 0 ? "timeout" : "peer aborted");
    qk_assert_err(mpc_party_receive(net->p[0].party, 2, qk_bytes("x", 1)), QK_E_STATE);
    qkt_net_free(net);
}

QK_TEST(session, strangers_and_self_are_no_peers)
{
    struct qkt_rng rngs[4];
    struct qkt_net *net = start(111, MPC_P256, rngs);
    qk_assert_err(mpc_party_receive(net->p[0].party, 9, qk_bytes("x", 1)), QK_E_STATE);
    qk_assert_err(mpc_party_receive(net->p[0].party, 1, qk_bytes("x", 1)), QK_E_STATE);
    qkt_run(net);
    qkt_expect_done(net, 1);
    qkt_net_free(net);
}

QK_TEST(session, request_and_identity_hashes_bind_every_field)
{
    struct mpc_req r = {qk_str("Sign"), qk_str("user"), qk_str("ECDSA_SHA_256"), qk_str("d"), {7}};
    struct mpc_req moved = {qk_str("Sig"), qk_str("nuser"), r.algorithm, r.digest, {7}};
    uint8_t a[32], b[32], der[4] = {0x30, 2, 5, 0};
    qk_assert_ok(mpc_req_hash(a, &r));
    qk_assert_ok(mpc_req_hash(b, &moved));
    cr_assert_neq(memcmp(a, b, 32), 0, "C-4");
    qk_assert_ok(mpc_idh(a, QK_BYTES(der)));
    der[3] ^= 1;
    qk_assert_ok(mpc_idh(b, QK_BYTES(der)));
    cr_assert_neq(memcmp(a, b, 32), 0);
    qk_assert_err(mpc_idh(a, qk_bytes(der, 0)), QK_E_STATE);
}
