/* The presignature pool: bounds, age, one use. Real presignatures of a real key of two nodes; the
 * node has no vault here, so nothing of the pool can reach a disk. */
#include "qktest/qktest.h"

#include <pthread.h>
#include <stdlib.h>
#include "core/node.h"
#include "core/presigs.h"
#include "mpc/dkg.h"
#include "mpc/ecdsa.h"

static const uint16_t ids[2] = {1, 2};

struct pair {
    struct mpc_party *party[2];
};

struct key {
    struct mpc_key_record rec;
    struct mpc_key_share share[2];
    struct mpc_ot_setup *setup[2];
    struct node_key node_key;
};

/* Carry what one party sends to the other, in turn, until both are silent. */
static void run(struct pair *p)
{
    for (unsigned idle = 0, i = 0; idle < 2; i ^= 1) {
        struct mpc_effect e;
        idle++;
        while (mpc_party_next_effect(p->party[i], &e)) {
            if (e.kind != MPC_EFFECT_SEND) continue;
            qk_assert_ok(mpc_party_receive(p->party[i ^ 1], ids[i], e.data));
            idle = 0;
        }
    }
    for (size_t i = 0; i < 2; i++) cr_assert_eq(mpc_party_state(p->party[i]), MPC_DONE);
}

static void end(struct pair *p)
{
    for (size_t i = 0; i < 2; i++) mpc_party_free(p->party[i]);
}

static void make_key(struct key *k)
{
    struct pair p;
    static const uint8_t req[32];
    struct mpc_session s = {.curve = MPC_P256,
        .key_id = {7},
        .t = 2,
        .n_peers = 2,
        .peers = {{.id = 1, .idh = {1}}, {.id = 2, .idh = {2}}}};
    memset(k, 0, sizeof *k);
    for (size_t i = 0; i < 2; i++) {
        s.self = ids[i];
        qk_assert_ok(mpc_dkg_start(&p.party[i], &s, qk_rng_system()));
    }
    run(&p);
    for (size_t i = 0; i < 2; i++) qk_assert_ok(mpc_dkg_take(p.party[i], &k->share[i], &k->rec));
    end(&p);
    for (size_t i = 0; i < 2; i++) {
        qk_assert_ok(mpc_otsetup_key_session(&s, &k->rec, 1, 2, ids[i], req));
        qk_assert_ok(mpc_otsetup_start(&p.party[i], &s, qk_rng_system()));
    }
    run(&p);
    for (size_t i = 0; i < 2; i++) qk_assert_ok(mpc_otsetup_take(p.party[i], &k->setup[i]));
    end(&p);
    memcpy(k->node_key.key_id, k->rec.key_id, 16);
    k->node_key.rec = k->rec;
}

static void free_key(struct key *k)
{
    for (size_t i = 0; i < 2; i++) {
        mpc_ot_setup_free(k->setup[i]);
        mpc_key_share_wipe(&k->share[i]);
    }
}

/* Node 1's half of a new presignature. */
static struct mpc_presig *presign(struct key *k)
{
    struct pair p;
    struct mpc_presig *presig;
    uint8_t req[32];
    qk_assert_ok(qk_rng_fill(qk_rng_system(), req, sizeof req));
    for (size_t i = 0; i < 2; i++) {
        struct mpc_session s;
        qk_assert_ok(mpc_record_session(&k->rec, ids, 2, ids[i], req, &s));
        struct mpc_ecdsa_params params = {.session = &s,
            .rec = &k->rec,
            .share = &k->share[i].x,
            .setups = &k->setup[i],
            .n_setups = 1,
            .rng = qk_rng_system()};
        qk_assert_ok(mpc_ecdsa_start(&p.party[i], &params));
    }
    run(&p);
    qk_assert_ok(mpc_ecdsa_take_presig(p.party[0], &presig));
    end(&p);
    return presig;
}

/* Node 2 of the two: the lowest signer, who starts new ones, is another node. A use of the key
 * makes the group. */
static struct node *make_node(
    const struct key *k, uint64_t per_key, uint64_t total, uint64_t age_ms)
{
    struct node *node = calloc(1, sizeof *node);
    cr_assert_not_null(node);
    node->conf.node_id = 2;
    node->conf.presign_per_key = per_key;
    node->conf.presign_total = total;
    node->conf.presign_age_ms = age_ms;
    qk_assert_ok(node_presigs_new(&node->presigs, node));
    QK_AUTO_BUF names = QK_BUF(64);
    node_presigs_offer(node, &k->node_key, ids, 2, 2, &names);
    cr_assert_eq(names.len, 0);
    return node;
}

static void free_node(struct node *node)
{
    node_presigs_free(node->presigs);
    free(node);
}

static qk_err spend(struct node *node, const struct key *k, const uint8_t sid[static 32])
{
    static const uint8_t digest[32] = {1}, req[32];
    struct mpc_ecdsa_part part;
    return node_presig_use(node, sid, &k->rec, ids, 2, QK_BYTES(digest), req, &part);
}

QK_TEST(presigs, E_20_the_65th_is_refused_and_a_restart_is_empty)
{
    struct key k;
    make_key(&k);
    struct node *node = make_node(&k, 64, 1000, 900000);
    uint8_t sid[32];
    for (unsigned i = 0; i < 64; i++) {
        struct mpc_presig *presig = presign(&k);
        memcpy(sid, mpc_presig_sid(presig), 32);
        qk_assert_ok(node_presigs_add(node, &k.node_key, ids, 2, presig));
    }
    qk_assert_err(node_presigs_add(node, &k.node_key, ids, 2, presign(&k)), QK_E_BUSY);
    cr_expect_eq(node_presigs_count(node), 64, "E-20");
    node_presigs_tick(node);
    cr_expect_eq(node_presigs_count(node), 64, "E-20: too young to be dropped");
    qk_assert_ok(spend(node, &k, sid));
    qk_assert_err(spend(node, &k, sid), QK_E_NOT_FOUND); /* E-17 */
    cr_expect_eq(node_presigs_count(node), 63);
    free_node(node);
    node = make_node(&k, 64, 1000, 900000);
    cr_expect_eq(node_presigs_count(node), 0, "E-20: restart");
    free_node(node);
    free_key(&k);
}

QK_TEST(presigs, E_20_expired_ones_go_and_the_total_is_bounded)
{
    struct key k;
    make_key(&k);
    struct node *node = make_node(&k, 64, 2, 0);
    struct mpc_presig *presig = presign(&k);
    uint8_t sid[32];
    memcpy(sid, mpc_presig_sid(presig), 32);
    qk_assert_ok(node_presigs_add(node, &k.node_key, ids, 2, presig));
    qk_assert_ok(node_presigs_add(node, &k.node_key, ids, 2, presign(&k)));
    qk_assert_err(node_presigs_add(node, &k.node_key, ids, 2, presign(&k)), QK_E_BUSY);
    node_presigs_tick(node);
    cr_expect_eq(node_presigs_count(node), 0, "E-20: expired");
    qk_assert_err(spend(node, &k, sid), QK_E_NOT_FOUND);
    static const uint16_t others[2] = {1, 3}; /* E-18: of signers that never used the key */
    qk_assert_err(node_presigs_add(node, &k.node_key, others, 2, presign(&k)), QK_E_BUSY);
    free_node(node);
    free_key(&k);
}

QK_TEST(presigs, E_20_an_expired_one_is_not_spent_before_the_ticker_comes)
{
    struct key k;
    make_key(&k);
    struct node *node = make_node(&k, 64, 64, 0);
    struct mpc_presig *presig = presign(&k);
    uint8_t sid[32];
    memcpy(sid, mpc_presig_sid(presig), 32);
    qk_assert_ok(node_presigs_add(node, &k.node_key, ids, 2, presig));
    qk_assert_err(spend(node, &k, sid), QK_E_NOT_FOUND); /* E-20 */
    cr_expect_eq(node_presigs_count(node), 0, "E-20: and it is gone");
    free_node(node);
    free_key(&k);
}

/* E-18, E-7: what a poisoned setup or a lost key leaves behind cannot be spent. */
QK_TEST(presigs, E_18_poison_and_loss_of_the_key_burn)
{
    struct key k;
    make_key(&k);
    for (int by_key = 0; by_key < 2; by_key++) {
        static const uint8_t other[32] = {9};
        struct node *node = make_node(&k, 64, 64, 900000);
        struct mpc_presig *presig = presign(&k);
        uint8_t sid[32];
        memcpy(sid, mpc_presig_sid(presig), 32);
        qk_assert_ok(node_presigs_add(node, &k.node_key, ids, 2, presig));
        node_presigs_burn_setup(node, other);
        node_presigs_burn_key(node, other);
        cr_expect_eq(node_presigs_count(node), 1);
        if (by_key)
            node_presigs_burn_key(node, k.rec.key_id);
        else
            node_presigs_burn_setup(node, mpc_ot_setup_id(k.setup[0]));
        cr_expect_eq(node_presigs_count(node), 0, "E-18");
        qk_assert_err(spend(node, &k, sid), QK_E_NOT_FOUND);
        free_node(node);
    }
    free_key(&k);
}

/* ---- E-17 ---- */

struct racer {
    struct node *node;
    const struct key *k;
    const uint8_t *sid;
    pthread_barrier_t *start;
    qk_err err;
};

static void *race(void *arg)
{
    struct racer *r = arg;
    pthread_barrier_wait(r->start);
    r->err = spend(r->node, r->k, r->sid);
    return NULL;
}

QK_TEST(presigs, E_17_two_requests_get_one_answer)
{
    struct key k;
    make_key(&k);
    struct node *node = make_node(&k, 64, 64, 900000);
    for (unsigned n = 0; n < 20; n++) {
        struct mpc_presig *presig = presign(&k);
        pthread_barrier_t start;
        pthread_t t[2];
        uint8_t sid[32];
        memcpy(sid, mpc_presig_sid(presig), 32);
        qk_assert_ok(node_presigs_add(node, &k.node_key, ids, 2, presig));
        pthread_barrier_init(&start, NULL, 2);
        struct racer r[2] = {{node, &k, sid, &start, QK_OK}, {node, &k, sid, &start, QK_OK}};
        for (size_t i = 0; i < 2; i++) cr_assert_eq(pthread_create(&t[i], NULL, race, &r[i]), 0);
        for (size_t i = 0; i < 2; i++) pthread_join(t[i], NULL);
        cr_expect((r[0].err == QK_OK) != (r[1].err == QK_OK), "E-17: %d %d", r[0].err, r[1].err);
        pthread_barrier_destroy(&start);
    }
    free_node(node);
    free_key(&k);
}
