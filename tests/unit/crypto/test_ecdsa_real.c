/* The whole way with nothing dealt: key generation, roots, derived and direct setups, stored and
 * read back, signatures and presignatures. */
#include "dkgrun.h"
#include "mpc/ecdsa.h"
#include "qktest/qktest.h"
#include "seeded.h"

enum { HOLDERS_MAX = 4 };

struct world {
    struct qkt_key key;
    struct mpc_ot_setup *root[HOLDERS_MAX][HOLDERS_MAX], *setup[HOLDERS_MAX][HOLDERS_MAX];
    uint64_t seed;
};

static uint16_t id_of(const struct world *w, size_t i)
{
    return i < w->key.record.n ? w->key.record.nodes[i].id : MPC_DELEGATE;
}

/* What a node does between two uses: the setup goes to disk and comes back. */
static struct mpc_ot_setup *stored(struct mpc_ot_setup *s)
{
    struct mpc_ot_setup *back;
    QK_AUTO_BUF blob = QK_BUF_SECRET(MPC_OT_BLOB_MAX);
    struct mpc_ot_binding want = *mpc_ot_setup_binding(s);
    qk_assert_ok(mpc_ot_setup_serialize(s, &blob));
    mpc_ot_setup_free(s);
    qk_assert_ok(mpc_ot_setup_deserialize(&back, qk_buf_view(&blob), &want));
    return back;
}

enum setup_kind { ROOT, DERIVED, DIRECT };

static void start_end(struct world *w, struct qkt_net *net, struct qkt_rng *rng, size_t i, size_t j,
    enum setup_kind kind)
{
    const struct mpc_key_record *rec = &w->key.record;
    uint8_t req[32] = {(uint8_t)kind};
    struct mpc_session s;
    struct mpc_party *party;
    qkt_rng_init(rng, w->seed + (uint64_t)kind, 16 * i + j);
    if (kind == ROOT)
        qk_assert_ok(mpc_otsetup_root_session(&s, (enum mpc_ot_class)mpc_ot_class_of(rec->curve),
            &rec->nodes[i], &rec->nodes[j], id_of(w, i), req));
    else
        qk_assert_ok(mpc_otsetup_key_session(&s, rec, id_of(w, i), id_of(w, j), id_of(w, i), req));
    if (kind == DERIVED)
        qk_assert_ok(mpc_otderive_start(&party, &s, w->root[i][j], &rng->rng));
    else
        qk_assert_ok(mpc_otsetup_start(&party, &s, &rng->rng));
    qkt_add(net, s.self, party);
}

static void make_pair(struct world *w, size_t i, size_t j, enum setup_kind kind)
{
    struct qkt_net *net = qkt_net_new(w->seed + 16 * i + j);
    struct qkt_rng rngs[2];
    struct mpc_ot_setup *(*into)[HOLDERS_MAX] = kind == ROOT ? w->root : w->setup;
    start_end(w, net, &rngs[0], i, j, kind);
    start_end(w, net, &rngs[1], j, i, kind);
    qkt_run(net);
    qkt_expect_done(net, id_of(w, i));
    qkt_expect_done(net, id_of(w, j));
    qk_assert_ok(mpc_otsetup_take(qkt_party(net, id_of(w, i))->party, &into[i][j]));
    qk_assert_ok(mpc_otsetup_take(qkt_party(net, id_of(w, j))->party, &into[j][i]));
    into[i][j] = stored(into[i][j]);
    into[j][i] = stored(into[j][i]);
    qkt_net_free(net);
}

static void open_world(struct world *w, uint64_t seed, unsigned curve, unsigned access)
{
    memset(w, 0, sizeof *w);
    w->seed = seed;
    qkt_make_key(&w->key, seed, curve, 3, 2, access);
}

static void close_world(struct world *w)
{
    for (size_t i = 0; i < HOLDERS_MAX; i++)
        for (size_t j = 0; j < HOLDERS_MAX; j++) {
            mpc_ot_setup_free(w->root[i][j]);
            mpc_ot_setup_free(w->setup[i][j]);
        }
    memset(w, 0, sizeof *w);
}

/* Signers by index of holder; online or presigned. */
static void sign(struct world *w, const size_t *who, size_t n, bool online)
{
    const struct mpc_key_record *rec = &w->key.record;
    uint16_t nodes[HOLDERS_MAX], ids[HOLDERS_MAX];
    uint8_t digest[MPC_ECDSA_DIGEST_MAX], req[32] = {1}, sid[32];
    struct qkt_rng rngs[HOLDERS_MAX];
    struct mpc_ecdsa_part parts[HOLDERS_MAX];
    struct qk_bytes hash = {digest, mpc_ecdsa_digest_len(rec->curve)};
    struct qkt_net *net = qkt_net_new(w->seed);
    memset(digest, 0x2d, sizeof digest);
    for (size_t i = 0; i < n; i++) nodes[i] = ids[i] = id_of(w, who[i]);
    for (size_t i = 0; i < n; i++) {
        struct mpc_session s;
        struct mpc_party *party;
        struct mpc_ot_setup *setups[HOLDERS_MAX];
        size_t n_setups = 0;
        for (size_t j = 0; j < n; j++)
            if (j != i) setups[n_setups++] = w->setup[who[i]][who[j]];
        qkt_rng_init(&rngs[i], w->seed + 99, i);
        qk_assert_ok(mpc_record_session(rec, nodes, rec->t, ids[i], req, &s));
        struct mpc_ecdsa_params p = {.session = &s,
            .rec = rec,
            .share = &w->key.shares[who[i]].x,
            .setups = setups,
            .n_setups = n_setups,
            .digest = online ? hash : qk_bytes(NULL, 0),
            .rng = &rngs[i].rng};
        qk_assert_ok(mpc_ecdsa_start(&party, &p));
        qkt_add(net, ids[i], party);
    }
    qkt_run(net);
    for (size_t i = 0; i < n; i++) {
        struct mpc_party *party = qkt_party(net, ids[i])->party;
        struct mpc_presig *presig = NULL;
        qkt_expect_done(net, ids[i]);
        if (online) {
            qk_assert_ok(mpc_ecdsa_take_part(party, &parts[i]));
            continue;
        }
        qk_assert_ok(mpc_ecdsa_take_presig(party, &presig));
        memcpy(sid, mpc_presig_sid(presig), 32);
        qk_assert_ok(mpc_presig_use(presig, rec, ids, n, hash, req, &parts[i]));
        mpc_presig_free(presig);
    }
    QK_AUTO_BUF der = QK_BUF(MPC_ECDSA_DER_MAX);
    struct mpc_ecdsa_offset offset = {sid, req};
    qk_assert_ok(mpc_ecdsa_combine(rec, parts, n, hash, online ? NULL : &offset, &der));
    qk_assert_ok(mpc_ecdsa_verify(rec->curve, rec->pk, hash, qk_buf_view(&der)));
    qkt_net_free(net);
}

static void roots_and_derived(unsigned curve)
{
    static const size_t who[] = {0, 2};
    struct world w;
    open_world(&w, 7000 + curve, curve, 0);
    make_pair(&w, 0, 2, ROOT);
    make_pair(&w, 0, 2, DERIVED);
    sign(&w, who, 2, true);
    sign(&w, who, 2, false);
    close_world(&w);
}

QK_TEST(ecdsa_real, signs_with_setups_derived_under_a_root_l1)
{
    roots_and_derived(MPC_SECP256K1);
    roots_and_derived(MPC_P256);
}

QK_TEST(ecdsa_real, signs_with_setups_derived_under_a_root_l2)
{
    roots_and_derived(MPC_P521);
}

QK_TEST(ecdsa_real, signs_with_a_direct_setup_of_the_key_l2)
{
    static const size_t who[] = {1, 2};
    struct world w;
    open_world(&w, 7100, MPC_P384, 0);
    make_pair(&w, 1, 2, DIRECT);
    sign(&w, who, 2, true);
    close_world(&w);
}

QK_TEST(ecdsa_real, a_delegate_sets_up_with_each_node_and_signs)
{
    static const size_t who[] = {0, 1, 3};
    struct world w;
    open_world(&w, 7200, MPC_SECP256K1, 1);
    make_pair(&w, 0, 1, ROOT);
    make_pair(&w, 0, 1, DERIVED);
    make_pair(&w, 0, 3, DIRECT);
    make_pair(&w, 1, 3, DIRECT);
    sign(&w, who, 3, true);
    sign(&w, who, 3, false);
    close_world(&w);
}

QK_TEST(ecdsa_real, pair_sessions_take_holders_of_the_key_only)
{
    struct world w;
    struct mpc_session s;
    uint8_t req[32] = {0};
    open_world(&w, 7300, MPC_P256, 0);
    const struct mpc_key_record *rec = &w.key.record;
    qk_assert_err(mpc_otsetup_key_session(&s, rec, 1, 1, 1, req), QK_E_STATE);
    qk_assert_err(mpc_otsetup_key_session(&s, rec, 1, 2, 3, req), QK_E_STATE);
    qk_assert_err(mpc_otsetup_key_session(&s, rec, 1, 9, 1, req), QK_E_NOT_FOUND);
    qk_assert_err(mpc_otsetup_key_session(&s, rec, 1, MPC_DELEGATE, 1, req), QK_E_NOT_FOUND);
    qk_assert_err(mpc_otsetup_root_session(
                      &s, MPC_OT_L1, &rec->nodes[0], &rec->nodes[0], rec->nodes[0].id, req),
        QK_E_STATE);
    close_world(&w);
}

/* Whatever draw of the generator fails: class N, nothing out, nothing leaked. */
QK_TEST(ecdsa_real, a_failing_generator_ends_the_session)
{
    static const size_t who[] = {0, 1};
    struct world w;
    open_world(&w, 7400, MPC_P256, 0);
    make_pair(&w, 0, 1, DIRECT);
    for (int draw = 0; draw < 6; draw++) {
        struct qkt_rng rngs[2];
        uint16_t ids[] = {1, 2};
        uint8_t req[32] = {2}, digest[32] = {5};
        struct qkt_net *net = qkt_net_new(7400);
        bool started = true;
        for (size_t i = 0; i < 2; i++) {
            struct mpc_session s;
            struct mpc_party *party;
            qkt_rng_init(&rngs[i], 7400, i);
            if (i == 0) rngs[i].fail_after = draw;
            qk_assert_ok(mpc_record_session(&w.key.record, ids, 2, ids[i], req, &s));
            struct mpc_ecdsa_params p = {.session = &s,
                .rec = &w.key.record,
                .share = &w.key.shares[who[i]].x,
                .setups = &w.setup[who[i]][who[1 - i]],
                .n_setups = 1,
                .digest = QK_BYTES(digest),
                .rng = &rngs[i].rng};
            qk_err err = mpc_ecdsa_start(&party, &p);
            cr_expect_eq(err, i == 0 && draw == 0 ? QK_E_RNG : QK_OK);
            if (err == QK_OK) qkt_add(net, ids[i], party);
            started &= err == QK_OK;
        }
        if (started) {
            struct mpc_ecdsa_part part;
            qkt_run(net);
            qkt_expect_blame(net, 1, 'N', 0, NULL);
            qk_assert_err(mpc_ecdsa_take_part(qkt_party(net, 1)->party, &part), QK_E_STATE);
        }
        qkt_net_free(net);
    }
    close_world(&w);
}
