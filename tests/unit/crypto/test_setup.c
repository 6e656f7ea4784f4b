/* Pair setups, direct and derived, and the blobs they are stored as. */
#include "ecdsa_world.h"
#include "ecdsa/pvw.h"
#include "ecdsa/setup_run.h"
#include "seeded.h"

/* ---- pairs ---- */

struct pair {
    struct qkt_net *net;
    struct qkt_rng rngs[2];
    struct mpc_ot_setup *s[2];
};

static void root_session(struct mpc_session *s, enum mpc_ot_class cls, uint64_t seed, uint16_t self)
{
    struct mpc_peer a = {.id = 1}, b = {.id = 3};
    uint8_t req[32] = {0};
    memset(a.idh, 0xa1, 32);
    memset(b.idh, 0xb3, 32);
    qk_put_u64(req, seed);
    qk_assert_ok(mpc_otsetup_root_session(s, cls, &b, &a, self, req));
}

/* The same two nodes with a key of this curve. */
static void key_session(struct mpc_session *s, unsigned curve, uint64_t seed, uint16_t self)
{
    root_session(s, (enum mpc_ot_class)mpc_ot_class_of(curve), seed, self);
    s->curve = (uint8_t)curve;
    memset(s->key_id, 0x4b, sizeof s->key_id);
    memset(s->rec, 0x5c, sizeof s->rec);
    s->e_net = 7;
}

static void direct_net(struct pair *p, enum mpc_ot_class cls, uint64_t seed)
{
    memset(p, 0, sizeof *p);
    p->net = qkt_net_new(seed);
    for (uint16_t i = 0; i < 2; i++) {
        struct mpc_session s;
        struct mpc_party *party;
        root_session(&s, cls, seed, (uint16_t)(1 + 2 * i));
        qkt_rng_init(&p->rngs[i], seed, i);
        qk_assert_ok(mpc_otsetup_start(&party, &s, &p->rngs[i].rng));
        qkt_add(p->net, s.self, party);
    }
}

static void take_both(struct pair *p)
{
    for (uint16_t i = 0; i < 2; i++) {
        uint16_t id = (uint16_t)(1 + 2 * i);
        qkt_expect_done(p->net, id);
        qk_assert_ok(mpc_otsetup_take(qkt_party(p->net, id)->party, &p->s[i]));
        struct mpc_ot_setup *again;
        qk_assert_err(mpc_otsetup_take(qkt_party(p->net, id)->party, &again), QK_E_STATE);
    }
}

static void expect_no_setup(struct pair *p)
{
    for (uint16_t id = 1; id <= 3; id += 2) {
        struct mpc_ot_setup *s;
        if (id == p->net->cheater) continue;
        qk_assert_err(mpc_otsetup_take(qkt_party(p->net, id)->party, &s), QK_E_STATE);
    }
}

static void end(struct pair *p)
{
    qkt_net_free(p->net);
    mpc_ot_setup_free(p->s[0]);
    mpc_ot_setup_free(p->s[1]);
    memset(p, 0, sizeof *p);
}

static bool correlated(const struct mpc_ot_setup *a, const struct mpc_ot_setup *b)
{
    bool ok = memcmp(a->psid_alice, b->psid_bob, 32) == 0;
    for (size_t k = 0; k < a->kappa; k++) {
        const uint8_t *pair = b->pairs + 64 * k;
        uint8_t bit = ot_bit(a->delta, k);
        ok &= memcmp(a->seeds + 32 * k, pair + 32u * bit, 32) == 0;
        ok &= memcmp(a->seeds + 32 * k, pair + 32u * (1u - bit), 32) != 0;
    }
    return ok;
}

static void expect_good(const struct pair *p)
{
    const struct mpc_ot_setup *a = p->s[0], *b = p->s[1];
    cr_expect(correlated(a, b) && correlated(b, a), "seeds do not fit");
    cr_expect(memcmp(a->id, b->id, 32) == 0 && memcmp(a->k, b->k, 32) == 0);
    cr_expect(memcmp(a->psid_alice, a->psid_bob, 32) != 0, "E-2: directions share a psid");
    cr_expect(memcmp(a->delta, b->delta, a->kappa / 8u) != 0);
}

QK_TEST(setup, direct_gives_correlated_seeds_in_both_classes)
{
    for (unsigned cls = MPC_OT_L1; cls <= MPC_OT_L2; cls++) {
        struct pair p;
        direct_net(&p, (enum mpc_ot_class)cls, cls);
        qkt_run(p.net);
        take_both(&p);
        expect_good(&p);
        cr_expect_null(mpc_ot_setup_root_id(p.s[0]));
        cr_expect_eq(mpc_ot_setup_class(p.s[0]), cls);
        end(&p);
    }
}

/* ---- a generator that dies ---- */

static qk_err zeros(struct qk_rng *rng, uint8_t *out, size_t len)
{
    (void)rng;
    memset(out, 0, len);
    return QK_OK;
}

static void kill_rng(struct qkt_net *net, struct mpc_party *party, void *ctx)
{
    (void)net;
    if (mpc_party_round(party) == 1) ((struct qkt_rng *)ctx)->rng.fill = zeros;
}

/* s = t = 0 gives E = O whatever the peer sent: redrawing for ever would hang the node. */
QK_TEST(setup, a_generator_that_gives_zeros_ends_the_session)
{
    struct pair p;
    direct_net(&p, MPC_OT_L1, 77);
    p.net->in_order = true;
    p.net->cheater = 1; /* whose frames pass kill_rng; it sends nothing wrong */
    p.net->before = kill_rng;
    p.net->hook_ctx = &p.rngs[0];
    qkt_run(p.net);
    qkt_expect_blame(p.net, 1, 'N', 0, "QK_E_RNG");
    end(&p);
}

/* ---- E-1 ---- */

struct bad_points {
    const char *key;
    size_t at; /* number of the point */
    uint8_t prefix;
};

/* A point that is O in one of the forms somebody might accept, or off the curve. */
static void put_bad_point(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    const struct bad_points *b = ctx;
    (void)net;
    struct qk_bytes v = qkt_field(f, b->key);
    if (v.len == 0) return;
    size_t pt = v.len % 33 == 0 ? 33 : 67;
    uint8_t *copy = malloc(v.len);
    cr_assert_not_null(copy);
    memcpy(copy, v.p, v.len);
    memset(copy + b->at * pt, 0, pt);
    copy[b->at * pt] = b->prefix;
    qkt_set_field(f, b->key, qk_bytes(copy, v.len));
    free(copy);
}

QK_TEST(setup, E_1_refuses_points_that_are_O_or_invalid)
{
    static const struct bad_points bad[] = {
        {"UW", 0, 0x00}, {"UW", 255, 0x00}, {"UW", 3, 0x05}, {"E", 0, 0x00}, {"E", 254, 0x04}};
    for (size_t i = 0; i < QK_COUNT(bad); i++) {
        for (uint16_t cheater = 1; cheater <= 3; cheater += 2) {
            struct bad_points b = bad[i];
            struct pair p;
            direct_net(&p, MPC_OT_L1, 100 + i);
            p.net->cheater = cheater;
            p.net->hook = put_bad_point;
            p.net->hook_ctx = &b;
            qkt_run(p.net);
            qkt_expect_blame(p.net, (uint16_t)(4 - cheater), 'P', cheater, "E-1");
            expect_no_setup(&p);
            end(&p);
        }
    }
}

QK_TEST(setup, E_1_on_the_larger_group)
{
    struct bad_points b = {"UW", 511, 0x00};
    struct pair p;
    direct_net(&p, MPC_OT_L2, 110);
    p.net->cheater = 3;
    p.net->hook = put_bad_point;
    p.net->hook_ctx = &b;
    qkt_run(p.net);
    qkt_expect_blame(p.net, 1, 'P', 3, "E-1");
    end(&p);
}

/* ---- E-3: confirm, and blobs ---- */

static void flip_field(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    (void)net;
    if (qkt_field(f, ctx).len) qkt_flip(f, ctx, 5, 1);
}

QK_TEST(setup, E_3_an_unequal_confirm_is_nobodys_fault)
{
    for (uint16_t cheater = 1; cheater <= 3; cheater += 2) {
        char key[] = "confirm";
        struct pair p;
        direct_net(&p, MPC_OT_L1, 120);
        p.net->cheater = cheater;
        p.net->hook = flip_field;
        p.net->hook_ctx = key;
        qkt_run(p.net);
        qkt_expect_blame(p.net, (uint16_t)(4 - cheater), 'N', 0, "E-3");
        expect_no_setup(&p);
        end(&p);
    }
}

/* E-3: a changed body gives other confirm values at the two ends, so no setup. */
QK_TEST(setup, E_3_confirm_covers_zs)
{
    char key[] = "zs";
    struct pair p;
    direct_net(&p, MPC_OT_L1, 121);
    p.net->cheater = 1;
    p.net->hook = flip_field;
    p.net->hook_ctx = key;
    qkt_run(p.net);
    qkt_expect_blame(p.net, 3, 'N', 0, "E-3");
    expect_no_setup(&p);
    end(&p);
}

static void expect_refused(
    struct qk_bytes blob, const struct mpc_ot_binding *want, const char *what)
{
    struct mpc_ot_setup *s;
    qk_err err = mpc_ot_setup_deserialize(&s, blob, want);
    cr_expect_eq(err, QK_E_CORRUPT, "E-3: %s: %s", what, qk_err_name(err));
    if (err == QK_OK) mpc_ot_setup_free(s);
}

QK_TEST(setup, E_3_a_blob_is_bound_to_pair_epoch_and_record)
{
    EACH_CURVE(c)
    {
        struct ew_key k;
        struct mpc_ot_binding want, bent;
        struct mpc_ot_setup *back;
        QK_AUTO_BUF blob = QK_BUF_SECRET(MPC_OT_BLOB_MAX);
        ew_deal(&k, 130 + c->id, c->id, 3, 2, 0, NULL);
        ew_deal_setups(&k);
        ew_binding(&k, 0, 1, &want);
        qk_assert_ok(mpc_ot_setup_serialize(k.setups[0][1], &blob));
        qk_assert_ok(mpc_ot_setup_deserialize(&back, qk_buf_view(&blob), &want));
        cr_expect(memcmp(back->secret, k.setups[0][1]->secret, back->secret_len) == 0);
        cr_expect(memcmp(back->id, k.setups[0][1]->id, 32) == 0);
        mpc_ot_setup_free(back);
        bent = want, bent.e_net++;
        expect_refused(qk_buf_view(&blob), &bent, "another node epoch");
        bent = want, bent.e_del++;
        expect_refused(qk_buf_view(&blob), &bent, "another delegate epoch");
        bent = want, bent.rec[31] ^= 1;
        expect_refused(qk_buf_view(&blob), &bent, "another record");
        bent = want, bent.key_id[0] ^= 1;
        expect_refused(qk_buf_view(&blob), &bent, "another key");
        ew_binding(&k, 0, 2, &bent);
        expect_refused(qk_buf_view(&blob), &bent, "the setup of another pair");
        ew_binding(&k, 1, 0, &bent);
        expect_refused(qk_buf_view(&blob), &bent, "the other end's setup");
        bent = want, bent.peer.idh[0] ^= 1;
        expect_refused(qk_buf_view(&blob), &bent, "a peer with a new identity key");
        expect_refused(qk_bytes(blob.p, blob.len - 1), &want, "cut short");
        for (size_t at = 0; at < 120; at++) {
            blob.p[at] ^= 0x10;
            expect_refused(qk_buf_view(&blob), &want, "a flipped bit");
            blob.p[at] ^= 0x10;
        }
        ew_free(&k);
    }
}

/* ---- derived ---- */

static void deal_roots(struct pair *p, enum mpc_ot_class cls, uint64_t seed)
{
    struct ew_key dealer = {0};
    qkt_rng_init(&dealer.rng, seed, 0x7007);
    for (uint16_t i = 0; i < 2; i++) {
        struct mpc_session s;
        struct mpc_ot_binding b;
        root_session(&s, cls, seed, (uint16_t)(1 + 2 * i));
        qk_assert_ok(ot_binding_of_session(&b, &s));
        qk_assert_ok(ot_setup_new(&p->s[i], &b));
    }
    ew_link(&dealer, p->s[0], p->s[1]);
    ew_link(&dealer, p->s[1], p->s[0]);
    ew_bytes(&dealer, p->s[0]->id, 32);
    memcpy(p->s[1]->id, p->s[0]->id, 32);
}

static void derive_net(struct pair *p, const struct pair *roots, unsigned curve, uint64_t seed)
{
    memset(p, 0, sizeof *p);
    p->net = qkt_net_new(seed);
    for (uint16_t i = 0; i < 2; i++) {
        struct mpc_session s;
        struct mpc_party *party;
        key_session(&s, curve, seed, (uint16_t)(1 + 2 * i));
        qkt_rng_init(&p->rngs[i], seed, i);
        qk_assert_ok(mpc_otderive_start(&party, &s, roots->s[i], &p->rngs[i].rng));
        qkt_add(p->net, s.self, party);
    }
}

QK_TEST(setup, derived_gives_correlated_seeds_on_every_curve)
{
    EACH_CURVE(c)
    {
        struct pair roots = {0}, p;
        deal_roots(&roots, (enum mpc_ot_class)mpc_ot_class_of(c->id), 200 + c->id);
        derive_net(&p, &roots, c->id, 210 + c->id);
        qkt_run(p.net);
        take_both(&p);
        expect_good(&p);
        cr_expect(memcmp(mpc_ot_setup_root_id(p.s[0]), roots.s[0]->id, 32) == 0);
        cr_expect(memcmp(p.s[0]->delta, roots.s[0]->delta, p.s[0]->kappa / 8u) != 0);
        end(&p);
        end(&roots);
    }
}

QK_TEST(setup, E_4_two_different_roots_are_nobodys_fault)
{
    struct pair roots = {0}, p;
    deal_roots(&roots, MPC_OT_L1, 220);
    roots.s[1]->id[0] ^= 1; /* one side renewed its root, the other did not */
    derive_net(&p, &roots, MPC_P256, 220);
    qkt_run(p.net);
    qkt_expect_blame(p.net, 1, 'N', 0, NULL);
    qkt_expect_blame(p.net, 3, 'N', 0, NULL);
    cr_expect_eq(qkt_party(p.net, 1)->n_poisons + qkt_party(p.net, 3)->n_poisons, 0);
    expect_no_setup(&p);
    end(&p);
    end(&roots);
}

static qk_err record_effect(
    struct qkt_net *net, struct qkt_party *who, const struct mpc_effect *e, void *ctx)
{
    (void)net;
    struct mpc_effect *last = ctx;
    if (who->id == 3 && (e->kind == MPC_EFFECT_SETUP_POISON || e->kind == MPC_EFFECT_SETUP_USE))
        *last = *e;
    return QK_OK;
}

/* E-6 under a root: one flipped bit of that_k fails whatever Delta is; the root is poisoned. */
QK_TEST(setup, E_6_a_failed_derivation_poisons_the_root)
{
    EACH_CURVE(c)
    {
        char key[] = "th";
        struct pair roots = {0}, p;
        struct mpc_effect last = {0};
        deal_roots(&roots, (enum mpc_ot_class)mpc_ot_class_of(c->id), 230 + c->id);
        derive_net(&p, &roots, c->id, 230 + c->id);
        p.net->cheater = 1;
        p.net->hook = flip_field;
        p.net->hook_ctx = key;
        p.net->on_effect = record_effect;
        p.net->effect_ctx = &last;
        qkt_run(p.net);
        qkt_expect_blame(p.net, 3, 'X', 1, "E-6");
        cr_expect_eq(last.kind, MPC_EFFECT_SETUP_POISON);
        cr_expect(memcmp(last.id, roots.s[1]->id, 32) == 0);
        expect_no_setup(&p);
        end(&p);
        end(&roots);
    }
}

/* E-7: a root that another session poisoned in the meantime: the effect fails, nothing is sent. */
static qk_err refuse_use(
    struct qkt_net *net, struct qkt_party *who, const struct mpc_effect *e, void *ctx)
{
    (void)net;
    (void)who;
    (void)ctx;
    return e->kind == MPC_EFFECT_SETUP_USE ? QK_E_DENIED : QK_OK;
}

QK_TEST(setup, E_7_no_derivation_under_a_poisoned_root)
{
    struct pair roots = {0}, p;
    deal_roots(&roots, MPC_OT_L1, 240);
    derive_net(&p, &roots, MPC_P256, 240);
    p.net->on_effect = refuse_use;
    qkt_run(p.net);
    qkt_expect_nothing(p.net);
    expect_no_setup(&p);
    end(&p);
    end(&roots);
}

QK_TEST(setup, a_root_belongs_to_one_pair_and_class)
{
    struct pair roots = {0};
    struct mpc_session s;
    struct mpc_party *party;
    struct qkt_rng rng;
    qkt_rng_init(&rng, 250, 0);
    deal_roots(&roots, MPC_OT_L1, 250);
    key_session(&s, MPC_P384, 250, 1);
    qk_assert_err(mpc_otderive_start(&party, &s, roots.s[0], &rng.rng), QK_E_STATE);
    key_session(&s, MPC_P256, 250, 1);
    s.peers[1].idh[0] ^= 1;
    qk_assert_err(mpc_otderive_start(&party, &s, roots.s[0], &rng.rng), QK_E_STATE);
    key_session(&s, MPC_P256, 250, 1);
    qk_assert_err(mpc_otderive_start(&party, &s, roots.s[1], &rng.rng), QK_E_STATE);
    root_session(&s, MPC_OT_L1, 250, 1);
    qk_assert_err(mpc_otderive_start(&party, &s, roots.s[0], &rng.rng), QK_E_STATE);
    end(&roots);
}
