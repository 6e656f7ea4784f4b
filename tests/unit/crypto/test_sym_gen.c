/* CNFGEN and import: nobody is DONE when somebody cheats. */
#include "dkgrun.h"
#include "mpc/sym_gen.h"
#include "qktest/qktest.h"

static const uint16_t ids[] = {1, 2, 3};

static void session_of(struct mpc_session *s, struct mpc_sym_spec *spec, uint64_t seed)
{
    qkt_session(s, seed, MPC_P256, ids, 3, 2, 0);
    s->e_net = s->e_del = 0;
    qk_assert_ok(mpc_sym_version_id(s->key_id, spec->key_id, spec->ver));
}

/* ---- S-1 ---- */

static void other_r(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    (void)net, (void)ctx;
    if (f->round == 2 && qkt_field(f, "open").len > 0) qkt_flip(f, "open", 0, 1);
}
static void wrong_rho(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    (void)net, (void)ctx;
    if (f->round == 2 && qkt_field(f, "open").len > 0) qkt_flip(f, "open", 40, 1);
}
static void bent_kcv(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    (void)net, (void)ctx;
    if (f->round == 3) qkt_flip(f, "kcv", 0, 1);
}
static void split_com(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    (void)net, (void)ctx;
    if (f->round == 1 && f->to == (f->from == 1 ? 2 : 1)) qkt_flip(f, "com", 0, 1);
}
static void bent_v(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    (void)net, (void)ctx;
    if (f->round == 4) qkt_flip(f, "V", 0, 1);
}

QK_TEST(sym_gen, S_1_a_cheat_in_any_position_leaves_no_key)
{
    static void (*const hooks[])(struct qkt_net *, struct qkt_frame *, void *) = {
        other_r, wrong_rho, bent_kcv, split_com, bent_v};
    struct mpc_sym_spec spec = {.key_id = {3}, .ver = 2, .modes = MPC_SYM_F};
    for (size_t k = 0; k < QK_COUNT(hooks); k++)
        for (unsigned c = 0; c < 3; c++) {
            struct qkt_net *net = qkt_net_new(40 + k);
            struct qkt_rng rng[3];
            struct mpc_session s;
            session_of(&s, &spec, 50 + k);
            for (unsigned i = 0; i < 3; i++) {
                struct mpc_party *p;
                s.self = ids[i];
                qkt_rng_init(&rng[i], k, i);
                qk_assert_ok(mpc_cnfgen_start(&p, &s, &spec, &rng[i].rng));
                qkt_add(net, ids[i], p);
            }
            net->cheater = ids[c];
            net->mute_aborts = true;
            net->hook = hooks[k];
            qkt_run(net);
            qkt_expire(net);
            qkt_expect_nothing(net);
            for (unsigned i = 0; i < 3; i++)
                if (ids[i] != net->cheater && k < 2)
                    qkt_expect_blame(net, ids[i], 'P', net->cheater, "S-1");
            qkt_net_free(net);
        }
}

/* ---- S-21, S-20 ---- */

static void import(struct mpc_sym_part *parts, const struct mpc_sym_record *old, bool good,
    struct mpc_sym_share *share, struct mpc_sym_record *rec, uint64_t seed)
{
    struct mpc_sym_spec spec = {.key_id = {4}, .ver = 1, .modes = MPC_SYM_FV};
    struct qkt_net *net = qkt_net_new(seed);
    struct qkt_rng rng[3];
    struct mpc_session s;
    session_of(&s, &spec, seed);
    if (old != NULL) {
        s.e_net = old->e_net;
        memcpy(s.peers, old->nodes, 3 * sizeof s.peers[0]);
        qk_assert_ok(mpc_sym_record_hash(old, s.rec));
    }
    for (unsigned i = 0; i < 3; i++) {
        struct mpc_party *p;
        s.self = ids[i];
        qkt_rng_init(&rng[i], seed, i);
        qk_assert_ok(mpc_sym_import_start(&p, &s, &spec, old, &parts[i], &rng[i].rng));
        qkt_add(net, ids[i], p);
    }
    qkt_run(net);
    qkt_expire(net);
    if (!good) qkt_expect_nothing(net);
    for (unsigned i = 0; good && i < 3; i++) {
        qkt_expect_done(net, ids[i]);
        qk_assert_ok(mpc_sym_import_take(net->p[i].party, &share[i], rec));
        qk_assert_ok(mpc_sym_share_check(&share[i], rec));
    }
    qkt_net_free(net);
}

QK_TEST(sym_gen, S_21_only_the_same_material_comes_back)
{
    static const uint8_t key_id[16] = {4};
    struct mpc_sym_part parts[3], other[3];
    struct mpc_sym_share share[3];
    struct mpc_sym_record first, again;
    struct qk_sec32 k = {{1, 2, 3}};
    struct qkt_rng rng;
    qkt_rng_init(&rng, 9, 9);
    qk_assert_ok(mpc_sym_import_deal(parts, key_id, MPC_SYM_FV, 2, ids, 3, &k, &rng.rng));
    import(parts, NULL, true, share, &first, 70);
    qk_assert_ok(mpc_sym_import_deal(parts, key_id, MPC_SYM_FV, 2, ids, 3, &k, &rng.rng));
    for (unsigned i = 0; i < 3; i++) qk_assert_ok(mpc_sym_import_matches(&parts[i], &first));
    import(parts, &first, true, share, &again, 71);
    cr_assert_eq(again.e_net, 2);
    cr_assert_eq(memcmp(again.kcv, first.kcv, sizeof first.kcv), 0);
    cr_assert_eq(memcmp(again.pk, first.pk, 33), 0);
    k.b[31] ^= 1;
    qk_assert_ok(mpc_sym_import_deal(other, key_id, MPC_SYM_FV, 2, ids, 3, &k, &rng.rng));
    for (unsigned i = 0; i < 3; i++)
        qk_assert_err(mpc_sym_import_matches(&other[i], &first), QK_E_MISMATCH); /* S-21 */
    import(other, &first, false, share, &again, 72);
    other[0] = parts[0]; /* two nodes with parts of another key */
    import(other, NULL, false, share, &again, 73);
}
