/* Generation and import of HMAC keys among honest nodes: what comes out is HMAC. */
#include "macworld.h"
#include "qktest/qktest.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include "mac/flow.h"
#include "mac/keystate.h"

static const uint16_t three[] = {1, 2, 3};
static const uint16_t four[] = {2, 5, 9, 200};

static const EVP_MD *hash_of(unsigned alg)
{
    static const char *const names[] = {"", "SHA224", "SHA256", "SHA384", "SHA512"};
    return EVP_get_digestbyname(names[alg]);
}

static void hmac(uint8_t *out, unsigned alg, struct qk_bytes key, struct qk_bytes message)
{
    unsigned n = MPC_MAC_DIGEST_MAX;
    cr_assert_not_null(HMAC(hash_of(alg), key.p, (int)key.len, message.p, message.len, out, &n));
}

static struct mpc_mac_spec spec_of(unsigned alg, unsigned profile)
{
    return (struct mpc_mac_spec){
        .key_id = {3, 1, 4}, .ver = 1, .alg = (uint8_t)alg, .profile = (uint8_t)profile};
}

/* ---- K, put together by a test that sees into all nodes ---- */

static void spy(struct qkt_mac *w, const struct mpc_mac_gen_step *step, size_t ix)
{
    uint8_t *k = w->ctx;
    const struct mac_run *run = w->gen[ix]->run;
    if (strcmp(step->what, "mac-derive") != 0) return;
    size_t len = mpc_mac_digest_len(w->spec.alg);
    for (size_t i = 0; i < len; i++) {
        if (step->g1) k[i] ^= run->a[i] ^ run->c[i];
        if (step->e) k[i] ^= run->b[i];
    }
}

/* ist and ost are those of one K; K and they are with nobody else. */
static void check_states(const struct qkt_mac *w, const uint8_t *k)
{
    uint8_t ist[MPC_MAC_STATE_MAX], ost[MPC_MAC_STATE_MAX], secret[MPC_MAC_SECRET_MAX];
    size_t len = mpc_mac_state_len(w->spec.alg);
    qk_assert_ok(
        mac_key_states(ist, ost, w->spec.alg, qk_bytes(k, mpc_mac_digest_len(w->spec.alg))));
    qkt_mac_secret(w, secret);
    bool strict = w->spec.profile == MPC_MAC_S;
    cr_assert_eq(memcmp(secret + (strict ? len : 0), ost, len), 0, "ost");
    if (strict) cr_assert_eq(memcmp(secret, ist, len), 0, "shared ist");
    for (size_t i = 0; i < w->n && !strict; i++)
        cr_assert_eq(memcmp(w->share[i].ist, ist, len), 0, "ist of node %zu", i);
}

static void check_tag(
    struct qkt_mac *w, const struct mpc_mac_roles *roles, struct qk_bytes key, struct qk_bytes m)
{
    uint8_t want[MPC_MAC_DIGEST_MAX], tag[MPC_MAC_DIGEST_MAX];
    hmac(want, w->spec.alg, key, m);
    qk_assert_ok(qkt_mac_tag(w, roles, m, tag));
    cr_assert_eq(memcmp(tag, want, mpc_mac_digest_len(w->spec.alg)), 0, "tag by %u %u %u",
        roles->g1, roles->g2, roles->e);
}

/* ---- generation ---- */

static void make_and_use(
    unsigned alg, unsigned profile, const uint16_t *ids, size_t n, uint64_t seed)
{
    uint8_t k[MPC_MAC_DIGEST_MAX] = {0};
    struct mpc_mac_spec spec = spec_of(alg, profile);
    struct qkt_mac *w = qkt_mac_new(seed, ids, n, &spec);
    w->meddle = spy;
    w->ctx = k;
    cr_assert(qkt_mac_make(w), "%s: %d (seed %llu)", w->failed, w->err, (unsigned long long)seed);
    check_states(w, k);
    cr_assert(w->record.e_net == 1 && w->record.n == n && w->record.alg == alg);
    for (unsigned p = 0; p < 6; p++) {
        const uint16_t abc[] = {ids[n - 3], ids[n - 2], ids[n - 1]};
        struct mpc_mac_roles roles = mpc_mac_roles_permute(abc, p);
        check_tag(w, &roles, qk_bytes(k, mpc_mac_digest_len(alg)), qk_str("to be tagged"));
    }
    qkt_mac_free(w);
}

QK_TEST(mac_gen, makes_hmac_keys_of_every_algorithm)
{
    for (unsigned alg = MPC_MAC_224; alg <= MPC_MAC_512; alg++)
        make_and_use(alg, MPC_MAC_N, three, 3, alg);
}

QK_TEST(mac_gen, makes_strict_keys_of_every_algorithm)
{
    for (unsigned alg = MPC_MAC_224; alg <= MPC_MAC_512; alg++)
        make_and_use(alg, MPC_MAC_S, three, 3, 10 + alg);
}

/* The three with the highest ids use what the three with the lowest made. */
QK_TEST(mac_gen, four_nodes_make_a_key_that_any_three_use)
{
    make_and_use(MPC_MAC_256, MPC_MAC_N, four, 4, 20);
    make_and_use(MPC_MAC_512, MPC_MAC_S, four, 4, 21);
}

/* All six assignments of roles come about, and all orders of frames. */
QK_TEST(mac_gen, comes_out_whatever_the_roles_and_the_order_of_frames)
{
    unsigned seen = 0;
    for (uint64_t seed = 100; seed < 130; seed++) {
        struct mpc_mac_spec spec = spec_of(MPC_MAC_224, MPC_MAC_N);
        struct qkt_mac *w = qkt_mac_new(seed, four, 4, &spec);
        uint8_t k[MPC_MAC_DIGEST_MAX] = {0};
        w->meddle = spy;
        w->ctx = k;
        cr_assert(
            qkt_mac_make(w), "%s: %d (seed %llu)", w->failed, w->err, (unsigned long long)seed);
        check_states(w, k);
        seen++;
        qkt_mac_free(w);
    }
    cr_assert_eq(seen, 30);
}

QK_TEST(mac_gen, two_keys_have_nothing_in_common)
{
    struct mpc_mac_spec spec = spec_of(MPC_MAC_256, MPC_MAC_N);
    struct qkt_mac *a = qkt_mac_new(1, three, 3, &spec), *b = qkt_mac_new(2, three, 3, &spec);
    cr_assert(qkt_mac_make(a) && qkt_mac_make(b));
    cr_assert_neq(memcmp(a->record.st, b->record.st, 32), 0);
    cr_assert_neq(memcmp(a->record.ist, b->record.ist, 32), 0);
    for (size_t j = 0; j < 3; j++) cr_assert_neq(memcmp(a->record.pk[j], b->record.pk[j], 32), 0);
    qkt_mac_free(a);
    qkt_mac_free(b);
}

/* ---- M-8: another circuit is another run ---- */

static void spy_run(struct qkt_mac *w, const struct mpc_mac_gen_step *step, size_t ix)
{
    uint8_t *out = w->ctx;
    if (strcmp(step->what, "mac-derive") != 0 || ix != 0) return;
    memcpy(out, w->gen[ix]->sid, 32);
    memcpy(out + 32, w->gen[ix]->outputs->run, 32);
}

/* The same randomness everywhere, so the same sid and the same link secrets: only the hash of the
 * statement keeps two circuits from one seed. */
QK_TEST(mac_gen, M_8_the_statement_of_a_derivation_binds_its_circuit)
{
    uint8_t seen[8][64];
    size_t n = 0;
    for (unsigned alg = MPC_MAC_224; alg <= MPC_MAC_512; alg++)
        for (unsigned profile = MPC_MAC_N; profile <= MPC_MAC_S; profile += MPC_MAC_S - MPC_MAC_N) {
            struct mpc_mac_spec spec = spec_of(alg, profile);
            struct qkt_mac *w = qkt_mac_new(80, three, 3, &spec);
            w->meddle = spy_run;
            w->ctx = seen[n];
            cr_assert(qkt_mac_make(w));
            qkt_mac_free(w);
            cr_assert_eq(memcmp(seen[n], seen[0], 32), 0, "the sid is another");
            for (size_t i = 0; i < n; i++) cr_assert_neq(memcmp(seen[n] + 32, seen[i] + 32, 32), 0);
            n++;
        }
    cr_assert_eq(n, 8);
}

struct runs {
    uint8_t id[8][32];
    size_t n;
};

static void note_run(struct qkt_mac *w, const struct mpc_mac_gen_step *step, size_t ix)
{
    struct runs *r = w->ctx;
    (void)ix;
    if (step->g1) memcpy(r->id[r->n++], mpc_mac_g1_run(step->g1), 32);
}

/* In profile S two runs of the self-test differ in the secret alone: on one seed they would give
 * both labels of its wires. */
QK_TEST(mac_gen, M_8_no_two_runs_of_a_generation_share_a_seed)
{
    struct mpc_mac_spec spec = spec_of(MPC_MAC_256, MPC_MAC_S);
    struct qkt_mac *w = qkt_mac_new(81, three, 3, &spec);
    struct runs r = {.n = 0};
    w->meddle = note_run;
    w->ctx = &r;
    cr_assert(qkt_mac_make(w));
    cr_assert_eq(r.n, 7);
    for (size_t i = 0; i < r.n; i++)
        for (size_t j = 0; j < i; j++) cr_assert_neq(memcmp(r.id[i], r.id[j], 32), 0);
    qkt_mac_free(w);
}

/* ---- M-28, network: one node's pieces are worth nothing ---- */

QK_TEST(mac_gen, M_28_all_pieces_of_one_node_do_not_give_ost)
{
    struct mpc_mac_spec spec = spec_of(MPC_MAC_256, MPC_MAC_N);
    struct qkt_mac *w = qkt_mac_new(30, four, 4, &spec);
    uint8_t ost[MPC_MAC_SECRET_MAX];
    cr_assert(qkt_mac_make(w));
    qkt_mac_secret(w, ost);
    for (size_t i = 0; i < 4; i++)
        for (unsigned some = 0; some < 16; some++) { /* any of its pieces, in any combination */
            uint8_t sum[MPC_MAC_SECRET_MAX] = {0};
            for (size_t j = 0; j < 4; j++)
                for (size_t b = 0; b < 32 && some >> j & 1; b++) sum[b] ^= w->share[i].piece[j][b];
            cr_assert_neq(memcmp(sum, ost, 32), 0, "node %zu, pieces %x", i, some);
        }
    /* Nor is it let play two roles (M-9): then it would know every input. */
    struct mpc_mac_inputs in;
    struct mpc_mac_roles alone = {.g1 = 2, .g2 = 5, .e = 2};
    qk_assert_err(mpc_mac_inputs_of(&in, &w->record, &w->share[0], &alone), QK_E_STATE);
    alone = (struct mpc_mac_roles){.g1 = 2, .g2 = 2, .e = 5};
    qk_assert_err(mpc_mac_inputs_of(&in, &w->record, &w->share[0], &alone), QK_E_STATE);
    qkt_mac_free(w);
}

/* ---- M-14, M-17: what is sent to whom ---- */

struct traffic {
    struct qk_buf to[4];    /* by index of the addressee: everything it was ever sent */
    struct qk_buf combiner; /* what E was sent to combine, and what it does not send itself */
    uint16_t g1;            /* of the derivation */
    uint8_t k[MPC_MAC_DIGEST_MAX];
};

static void listen(
    struct qkt_mac *w, const char *what, uint16_t from, uint16_t to, struct qk_bytes bytes)
{
    struct traffic *t = w->ctx;
    (void)what, (void)from;
    qk_buf_add(&t->to[qkt_mac_index(w, to)], bytes.p, bytes.len);
}

static void spy_roles(struct qkt_mac *w, const struct mpc_mac_gen_step *step, size_t ix)
{
    struct traffic *t = w->ctx;
    if (strcmp(step->what, "mac-derive") == 0) t->g1 = step->roles.g1;
    w->ctx = t->k;
    spy(w, step, ix);
    w->ctx = t;
}

static bool contains(const struct qk_buf *b, const uint8_t *what, size_t len)
{
    for (size_t i = 0; i + len <= b->len; i++)
        if (b->p[i] == what[0] && memcmp(b->p + i, what, len) == 0) return true;
    return false;
}

QK_TEST(mac_gen, M_14_G1_never_hears_y_and_nobody_ever_K_or_ost)
{
    for (unsigned profile = MPC_MAC_N; profile <= MPC_MAC_S; profile += MPC_MAC_S - MPC_MAC_N) {
        struct mpc_mac_spec spec = spec_of(MPC_MAC_256, profile);
        struct qkt_mac *w = qkt_mac_new(40 + profile, four, 4, &spec);
        struct traffic t = {.g1 = 0};
        uint8_t secret[MPC_MAC_SECRET_MAX];
        for (size_t i = 0; i < 4; i++) t.to[i] = (struct qk_buf)QK_BUF_SECRET(1 << 24);
        w->tap = listen;
        w->meddle = spy_roles;
        w->ctx = &t;
        cr_assert(qkt_mac_make(w), "%s", w->failed);
        qkt_mac_secret(w, secret);
        size_t g1 = qkt_mac_index(w, t.g1), len = mpc_mac_secret_len(MPC_MAC_256, profile);
        const uint8_t *y = w->share[g1 == 0 ? 1 : 0].piece[g1];
        for (size_t i = 0; i < 4; i++) {
            qk_assert_ok(t.to[i].err);
            cr_assert(!contains(&t.to[i], t.k, 32), "K went to node %zu", i);
            cr_assert(!contains(&t.to[i], secret + len - 32, 32), "ost went to node %zu", i);
            bool has_y = contains(&t.to[i], y, 32) || contains(&t.to[i], y + len - 32, 32);
            if (i == g1) cr_assert(!has_y, "G1 was told y");
            /* A node outside the three is told y, and E computes it: so the search works. */
            if (i == 3) cr_assert(has_y);
        }
        uint8_t none[MPC_MAC_SECRET_MAX] = {0};
        cr_assert_eq(memcmp(w->share[g1].piece[g1], none, sizeof none), 0);
        for (size_t i = 0; i < 4; i++) qk_buf_free(&t.to[i]);
        qkt_mac_free(w);
    }
}

/* What a coordinator gets of a MAC, and the record, hold neither ist nor a piece. */
static void listen_out(
    struct qkt_mac *w, const char *what, uint16_t from, uint16_t to, struct qk_bytes bytes)
{
    struct traffic *t = w->ctx;
    (void)from, (void)to;
    if (strcmp(what, "mac") != 0) return;
    if (bytes.len == MPC_MAC_G2_LEN || bytes.len == 48 + 32 * 256)
        qk_buf_add(&t->combiner, bytes.p, bytes.len);
}

QK_TEST(mac_gen, M_17_no_coordinator_is_ever_told_ist)
{
    struct mpc_mac_spec spec = spec_of(MPC_MAC_256, MPC_MAC_N);
    struct qkt_mac *w = qkt_mac_new(50, three, 3, &spec);
    struct traffic t = {.combiner = QK_BUF(1 << 20)};
    struct mpc_mac_roles roles = {.g1 = 1, .g2 = 2, .e = 3};
    uint8_t tag[MPC_MAC_DIGEST_MAX];
    cr_assert(qkt_mac_make(w));
    w->tap = listen_out;
    w->ctx = &t;
    qk_assert_ok(qkt_mac_tag(w, &roles, qk_str("m"), tag));
    cr_assert_gt(t.combiner.len, 8000);
    qk_assert_ok(mpc_mac_record_encode(&w->record, &t.combiner));
    cr_assert(!contains(&t.combiner, w->share[0].ist, 32));
    for (size_t j = 1; j < 3; j++) cr_assert(!contains(&t.combiner, w->share[0].piece[j], 32));
    qk_buf_free(&t.combiner);
    qkt_mac_free(w);
}

/* ---- import ---- */

static void deal_to(struct qkt_mac *w, struct mpc_mac_part *parts, struct qk_bytes key)
{
    qk_assert_ok(mpc_mac_import_deal(parts, &w->spec, w->ids, w->n, key, &w->dice.rng));
}

static void import_and_use(unsigned alg, unsigned profile, struct qk_bytes key, uint64_t seed)
{
    struct mpc_mac_spec spec = spec_of(alg, profile);
    struct qkt_mac *w = qkt_mac_new(seed, four, 4, &spec);
    struct mpc_mac_part parts[4];
    struct mpc_mac_record first;
    deal_to(w, parts, key);
    cr_assert(qkt_mac_import(w, parts, NULL), "%s: %d", w->failed, w->err);
    struct mpc_mac_roles roles = {.g1 = 9, .g2 = 2, .e = 200};
    check_tag(w, &roles, key, qk_str("to be tagged"));
    first = w->record;
    deal_to(w, parts, key);
    cr_assert(qkt_mac_import(w, parts, &first), "again: %s: %d", w->failed, w->err);
    cr_assert(w->record.e_net == 2 && memcmp(w->record.st, first.st, 32) == 0);
    cr_assert_eq(memcmp(w->record.ist, first.ist, 32), 0);
    cr_assert_neq(memcmp(w->record.pk, first.pk, sizeof first.pk), 0);
    check_tag(w, &roles, key, qk_str("to be tagged"));
    qkt_mac_free(w);
}

QK_TEST(mac_gen, imported_keys_are_hmac_at_once_and_after_they_came_again)
{
    uint8_t key[MPC_MAC_BLOCK_MAX];
    for (size_t i = 0; i < sizeof key; i++) key[i] = (uint8_t)(0xc3 ^ i * 5);
    import_and_use(MPC_MAC_224, MPC_MAC_N, qk_bytes(key, 28), 60);
    import_and_use(MPC_MAC_256, MPC_MAC_N, qk_bytes(key, 128), 61); /* longer than a block */
    import_and_use(MPC_MAC_384, MPC_MAC_S, qk_bytes(key, 48), 62);
    import_and_use(MPC_MAC_512, MPC_MAC_N, qk_bytes(key, 128), 63);
    import_and_use(MPC_MAC_256, MPC_MAC_S, qk_bytes(key, 65), 64);
}

/* ---- misuse ---- */

QK_TEST(mac_gen, a_session_that_is_none_of_this_key_is_refused)
{
    struct mpc_mac_spec spec = spec_of(MPC_MAC_256, MPC_MAC_N);
    struct qkt_mac *w = qkt_mac_new(70, three, 3, &spec);
    struct mpc_mac_gen *gen;
    struct mpc_session s = w->session;
    struct mpc_mac_spec other = spec;
#define REFUSED                                                                                    \
    qk_assert_err(mpc_mac_gen_start(&gen, &s, &other, &w->links[0], &w->dice.rng), QK_E_STATE);    \
    s = w->session;                                                                                \
    other = spec
    s.t = 3;
    REFUSED;
    s.n_peers = 2;
    REFUSED;
    s.e_net = 1;
    REFUSED;
    s.rec[0] = 1;
    REFUSED;
    s.curve = MPC_P384;
    REFUSED;
    s.key_id[0] ^= 1;
    REFUSED;
    other.ver = 2;
    REFUSED;
    other.alg = 5;
    REFUSED;
    other.profile = 1;
    REFUSED;
#undef REFUSED
    qkt_mac_free(w);
}

QK_TEST(mac_gen, no_step_can_be_left_out)
{
    struct mpc_mac_spec spec = spec_of(MPC_MAC_256, MPC_MAC_N);
    struct qkt_mac *w = qkt_mac_new(71, three, 3, &spec);
    struct mpc_mac_gen *gen;
    struct mpc_mac_gen_step step;
    struct mpc_mac_suspects why;
    struct mpc_mac_share share;
    struct mpc_mac_record rec;
    qk_assert_ok(mpc_mac_gen_start(&gen, &w->session, &spec, &w->links[0], &w->dice.rng));
    qk_assert_err(mpc_mac_gen_take(gen, &share, &rec), QK_E_STATE);
    qk_assert_ok(mpc_mac_gen_next(gen, &step));
    cr_assert_eq(step.kind, MPC_MAC_GEN_SESSION);
    qk_assert_err(
        mpc_mac_gen_tested(gen, qk_str("x"), qk_str("y"), &why), QK_E_STATE); /* no test yet */
    qk_assert_err(mpc_mac_gen_take(gen, &share, &rec), QK_E_STATE);
    qk_assert_err(mpc_mac_gen_next(gen, &step), QK_E_STATE); /* its party still runs */
    qk_assert_err(mpc_mac_gen_next(gen, &step), QK_E_STATE); /* and that was the end */
    mpc_mac_gen_free(gen);
    mpc_mac_gen_free(NULL);
    qkt_mac_free(w);
}
