/* M-4 .. M-7: each role lies, in every place and with full knowledge of its own secrets; nothing
 * wrong ever comes out, and the right ones are suspected. */
#include "mac3.h"

static const uint8_t key32[32] = {0xc4, 1, 2, 3};
static const uint8_t text[] = "message";

/* A run with everything sent and nothing delivered. */
static struct m3_key *scene(struct m3 *m, unsigned alg, unsigned profile, unsigned permutation)
{
    struct m3_key *k = m3_key_new(alg, profile, 3, QK_BYTES(key32), 31 + permutation);
    m3_init(m, k, permutation, QK_BYTES(text), 1);
    m3_garble(m);
    return k;
}

static void leave(struct m3 *m, struct m3_key *k)
{
    m3_end(m);
    free(k);
}

/* What the evaluator of this run starts from: layout, inputs; read-only. */
static void opened(struct mac_task_run *t, struct m3 *m, uint16_t self)
{
    qk_assert_ok(mac_task_open(t, m3_task(m, self), self));
}

static size_t m1_offset(struct m3 *m)
{
    MAC_TASK_RUN(t);
    opened(&t, m, m->task.roles.e);
    return 16 * (size_t)t.run.layout.n_a;
}

static uint8_t *stream_byte(struct m3 *m, size_t at)
{
    return &m->chunk[at / MPC_MAC_CHUNK][at % MPC_MAC_CHUNK];
}

/* ---- M-4 ---- */

QK_TEST(mac3_cheats, M_4_one_flipped_bit_anywhere_in_M1_and_no_Y_leaves_E)
{
    for (unsigned p = 0; p < 6; p++) {
        MAC_TASK_RUN(t);
        struct m3 m;
        struct m3_key *k = scene(&m, mac_algs[p % 4], MPC_MAC_N, p);
        opened(&t, &m, m.task.roles.e);
        const struct mac_layout l = t.run.layout;
        const struct {
            const char *what;
            size_t at;
        } bent[] = {{"kh", 3}, {"first digest of A", 16}, {"last digest of A", 15 + 32 * l.n_a},
            {"first digest of B", 16 + 32 * l.n_a}, {"last digest of B", l.head_len - 1},
            {"first table", l.head_len}, {"a table in the middle", l.m1_len / 2},
            {"last table", (size_t)l.m1_len - 1}};
        for (size_t i = 0; i < QK_COUNT(bent); i++) {
            uint8_t *at = stream_byte(&m, m1_offset(&m) + bent[i].at);
            *at ^= (uint8_t)(1 << (i + p) % 8);
            m3_e_new(&m);
            qk_assert_err(m3_evaluate(&m), QK_E_PROOF);
            m3_expect_no_y(&m, bent[i].what, true, true);
            qk_assert_err(mpc_mac_e_gmac(m.e, QK_BYTES(m.gmac)), QK_E_STATE);
            mpc_mac_e_free(m.e);
            *at ^= (uint8_t)(1 << (i + p) % 8);
        }
        m3_e_new(&m);
        qk_assert_ok(m3_evaluate(&m)); /* M-4: and unharmed it goes through */
        leave(&m, k);
    }
}

QK_TEST(mac3_cheats, M_4_a_wrong_GMAC_stops_Y)
{
    struct m3 m;
    struct m3_key *k = scene(&m, MPC_MAC_256, MPC_MAC_N, 2);
    for (unsigned bit = 0; bit < 128; bit += 9) {
        m.gmac[bit / 8] ^= (uint8_t)(1 << bit % 8);
        m3_e_new(&m);
        qk_assert_err(m3_evaluate(&m), QK_E_PROOF);
        m3_expect_no_y(&m, "M-4: GMAC", true, true);
        mpc_mac_e_free(m.e);
        m.gmac[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    m.e = NULL;
    leave(&m, k);
}

static qk_err chunk(struct m3 *m, uint32_t number, size_t from, size_t len)
{
    return mpc_mac_e_chunk(m->e, number, qk_bytes(m->chunk[from], len));
}

QK_TEST(mac3_cheats, M_4_chunks_dropped_doubled_reordered_truncated_or_too_many)
{
    struct m3 m;
    struct m3_key *k = scene(&m, MPC_MAC_256, MPC_MAC_N, 1);
    const size_t full = MPC_MAC_CHUNK, last = m.n_chunks - 1;
    static const char *const what[] = {"dropped", "doubled", "second first", "renumbered",
        "truncated", "too long", "last one truncated", "all as one number"};
    cr_assert_geq(last, 3);
    for (unsigned i = 0; i < QK_COUNT(what); i++) {
        qk_err err = QK_OK;
        m3_e_new(&m);
        qk_assert_ok(mpc_mac_e_labels(m.e, qk_buf_view(&m.lb)));
        qk_assert_ok(mpc_mac_e_gmac(m.e, QK_BYTES(m.gmac)));
        if (i == 2) err = chunk(&m, 1, 1, full);
        if (i != 2) qk_assert_ok(chunk(&m, 0, 0, full));
        if (i == 0) err = chunk(&m, 2, 2, full);
        if (i == 1) err = chunk(&m, 0, 0, full);
        if (i == 3) err = chunk(&m, 3, 1, full);
        if (i == 4) err = chunk(&m, 1, 1, full - 1);
        if (i == 5) err = mpc_mac_e_chunk(m.e, 1, qk_bytes(m.chunk[1], full + 1));
        if (i == 6) {
            for (uint32_t c = 1; c < last; c++) qk_assert_ok(chunk(&m, c, c, full));
            err = chunk(&m, (uint32_t)last, last, m.chunk_len[last] - 32);
        }
        if (i == 7) err = chunk(&m, UINT32_MAX, 1, full);
        cr_assert_eq(err, i >= 4 && i <= 6 ? QK_E_MALFORMED : QK_E_UNEXPECTED, "M-4: %s gave %s",
            what[i], qk_err_name(err));
        m3_expect_no_y(&m, what[i], true, false);
        qk_assert_err(chunk(&m, 1, 1, full), QK_E_STATE);
        mpc_mac_e_free(m.e);
    }
    m.e = NULL;
    leave(&m, k);
}

/* Two chunks swapped but numbered as if they were not: only GMAC can tell. */
QK_TEST(mac3_cheats, M_4_chunks_exchanged_under_right_numbers)
{
    struct m3 m;
    struct m3_key *k = scene(&m, MPC_MAC_512, MPC_MAC_N, 4);
    uint8_t *one = m.chunk[1];
    m.chunk[1] = m.chunk[2];
    m.chunk[2] = one;
    qk_assert_err(m3_evaluate(&m), QK_E_PROOF);
    m3_expect_no_y(&m, "M-4", true, true);
    leave(&m, k);
}

QK_TEST(mac3_cheats, M_4_nothing_leaves_E_before_the_last_thing_is_there)
{
    struct m3 m;
    struct m3_key *k = scene(&m, MPC_MAC_384, MPC_MAC_N, 3);
    for (unsigned missing = 0; missing < 3; missing++) {
        m3_e_new(&m);
        if (missing != 0) qk_assert_ok(mpc_mac_e_labels(m.e, qk_buf_view(&m.lb)));
        if (missing != 1) qk_assert_ok(mpc_mac_e_gmac(m.e, QK_BYTES(m.gmac)));
        size_t n = missing == 0 ? 2 : m.n_chunks - (missing == 2);
        for (uint32_t i = 0; i < n; i++) qk_assert_ok(chunk(&m, i, i, m.chunk_len[i]));
        m3_expect_no_y(&m, "M-4: something is missing", false, false);
        mpc_mac_e_free(m.e);
    }
    m.e = NULL;
    leave(&m, k);
}

QK_TEST(mac3_cheats, M_4_labels_and_GMAC_of_the_wrong_size_or_doubled_are_G2s_fault)
{
    struct m3 m;
    struct m3_key *k = scene(&m, MPC_MAC_256, MPC_MAC_N, 0);
    for (unsigned i = 0; i < 5; i++) {
        struct qk_bytes lb = qk_buf_view(&m.lb);
        qk_err err = QK_OK;
        m3_e_new(&m);
        if (i == 0) err = mpc_mac_e_labels(m.e, qk_bytes(lb.p, lb.len - 1));
        if (i == 1) err = mpc_mac_e_labels(m.e, qk_bytes(lb.p, 0));
        if (i == 2) err = mpc_mac_e_gmac(m.e, qk_bytes(m.gmac, 15));
        if (i == 3) qk_assert_ok(mpc_mac_e_labels(m.e, lb));
        if (i == 3) err = mpc_mac_e_labels(m.e, lb);
        if (i == 4) qk_assert_ok(mpc_mac_e_gmac(m.e, QK_BYTES(m.gmac)));
        if (i == 4) err = mpc_mac_e_gmac(m.e, QK_BYTES(m.gmac));
        cr_assert_eq(err, i < 3 ? QK_E_MALFORMED : QK_E_UNEXPECTED, "M-4: %u", i);
        m3_expect_no_y(&m, "M-4", false, true);
        mpc_mac_e_free(m.e);
    }
    m.e = NULL;
    leave(&m, k);
}

/* ---- M-5 ---- */

enum lie { OTHER, RANDOM, SWAP, LIES };

/* What the garbler `self` would send for the other bits: it draws the seed again. */
static void other_labels(struct m3 *m, uint16_t self, bool of_a, uint8_t *out)
{
    MAC_TASK_RUN(t);
    struct mac_garbler *g;
    uint8_t seed[32];
    opened(&t, m, self);
    qk_assert_ok(mac_seed(seed, m3_kappa(m, m->task.roles.g1, m->task.roles.g2), t.run.run));
    qk_assert_ok(mac_garbler_new(&g, &t.run.layout, seed, t.run.c));
    for (size_t i = 0; i < sizeof t.run.b; i++) t.run.a[i] ^= 0xff, t.run.b[i] ^= 0xff;
    if (of_a)
        mac_garbler_labels_a(g, t.run.a, out);
    else
        mac_garbler_labels_b(g, t.run.b, out);
    mac_garbler_free(g);
}

static void lie_in(uint8_t *labels, const uint8_t *other, enum lie lie, unsigned j)
{
    uint8_t *l = labels + 16 * (size_t)j, t[16];
    switch (lie) {
    case OTHER:
        memcpy(l, other + 16 * (size_t)j, 16);
        break;
    case RANDOM:
        for (size_t i = 0; i < 16; i++) l[i] ^= (uint8_t)(17 * i + 5);
        break;
    default:
        memcpy(t, l, 16);
        memcpy(l, l + 16, 16);
        memcpy(l + 16, t, 16);
    }
}

/* One wire whose bit is 0 and one whose bit is 1 meet the same answer, whichever garbler lies. */
QK_TEST(mac3_cheats, M_5_a_label_of_another_bit_or_wire_or_none_and_the_bit_does_not_matter)
{
    uint8_t *other = malloc(16 * MAC_STREAM_INPUTS_MAX);
    for (unsigned i = 0; i < 2 * LIES * 2; i++) {
        bool of_a = i & 1;
        enum lie lie = (enum lie)(i / 2 % LIES);
        MAC_TASK_RUN(t);
        struct m3 m;
        struct m3_key *k = scene(&m, mac_algs[i % 4], i < 2 * LIES ? MPC_MAC_N : MPC_MAC_S, i % 6);
        const struct mpc_mac_roles *r = &m.task.roles;
        opened(&t, &m, r->e);
        other_labels(&m, of_a ? r->g1 : r->g2, of_a, other);
        uint8_t *labels = of_a ? m.chunk[0] : m.lb.p;
        uint8_t honest[64];
        for (unsigned bit = 0; bit < 2; bit++) {
            unsigned j = 11, n = mac_word_bits(k->rec.alg);
            while (mac_bit(of_a ? t.run.a : t.run.b, n, j) != bit) j++;
            memcpy(honest, labels + 16 * (size_t)j, 32);
            lie_in(labels, other, lie, j);
            m3_e_new(&m);
            qk_assert_err(m3_evaluate(&m), QK_E_PROOF);
            m3_expect_no_y(&m, "M-5", of_a, !of_a);
            cr_assert_str_eq(mpc_mac_e_suspects(m.e).check, "M-5");
            mpc_mac_e_free(m.e);
            memcpy(labels + 16 * (size_t)j, honest, 32);
        }
        m.e = NULL;
        leave(&m, k);
    }
    free(other);
}

/* Both garblers' labels are looked at, the last wire too. */
QK_TEST(mac3_cheats, M_5_every_wire_is_looked_at)
{
    struct m3 m;
    struct m3_key *k = scene(&m, MPC_MAC_256, MPC_MAC_N, 0);
    for (unsigned i = 0; i < 256; i += 15) {
        m.chunk[0][16 * i + i % 16] ^= 1;
        m.lb.p[16 * (255 - i) + i % 16] ^= 0x80;
        m3_e_new(&m);
        qk_assert_err(m3_evaluate(&m), QK_E_PROOF);
        m3_expect_no_y(&m, "M-5: both", true, true);
        mpc_mac_e_free(m.e);
        m.chunk[0][16 * i + i % 16] ^= 1;
        m.lb.p[16 * (255 - i) + i % 16] ^= 0x80;
    }
    m.e = NULL;
    leave(&m, k);
}

/* ---- M-6 ---- */

/* GMAC as G2 makes it, over M1 as it lies in the chunks. */
static void vouch(struct m3 *m)
{
    const struct mpc_mac_roles *r = &m->task.roles;
    size_t from = m1_offset(m);
    struct mac_gmac g = {0};
    qk_assert_ok(
        mac_gmac_init(&g, m3_kappa(m, r->g2, r->e), mpc_mac_g2_run(m->g2), stream_byte(m, from)));
    for (size_t i = 0; i < m->n_chunks; i++, from = 0)
        qk_assert_ok(mac_gmac_add(&g, qk_bytes(m->chunk[i] + from, m->chunk_len[i] - from)));
    qk_assert_ok(mac_gmac_end(&g, m->gmac));
    mac_gmac_clear(&g);
}

/* G2 vouches for an M1 in which the digest of a 1 is wrong for one wire of A, whose bit it does not
 * know; or G1 sends such an M1. Whatever the bit is, the answer is the same. */
QK_TEST(mac3_cheats, M_6_a_wrong_digest_of_a_one_tells_nothing_about_the_bit)
{
    for (unsigned liar = 1; liar <= 2; liar++) {
        MAC_TASK_RUN(t);
        struct m3 m;
        struct m3_key *k = scene(&m, MPC_MAC_256, MPC_MAC_N, liar);
        opened(&t, &m, m.task.roles.e);
        for (unsigned bit = 0; bit < 2; bit++) {
            unsigned j = 5;
            while (mac_bit(t.run.a, 32, j) != bit) j++;
            uint8_t *d1 = stream_byte(&m, m1_offset(&m) + 16 + 32 * (size_t)j + 16);
            *d1 ^= 1;
            if (liar == 2) {
                vouch(&m);
                *d1 ^= 1; /* G1 is honest */
            }
            m3_e_new(&m);
            qk_assert_err(m3_evaluate(&m), QK_E_PROOF);
            m3_expect_no_y(&m, "M-6", true, true);
            cr_assert_str_eq(mpc_mac_e_suspects(m.e).check, "M-4");
            mpc_mac_e_free(m.e);
            if (liar == 1) *d1 ^= 1;
        }
        m.e = NULL;
        leave(&m, k);
    }
}

/* That the test above means something: vouched for and sent alike, M1 passes M-4. */
QK_TEST(mac3_cheats, M_6_the_tests_own_GMAC_is_the_real_one)
{
    struct m3 m;
    struct m3_key *k = scene(&m, MPC_MAC_384, MPC_MAC_S, 5);
    uint8_t real[16];
    memcpy(real, m.gmac, 16);
    vouch(&m);
    cr_assert_eq(memcmp(real, m.gmac, 16), 0, "M-6");
    leave(&m, k);
}

/* ---- M-7 ---- */

static struct m3_key *evaluated(struct m3 *m, unsigned alg, unsigned permutation)
{
    struct m3_key *k = scene(m, alg, MPC_MAC_N, permutation);
    qk_assert_ok(m3_evaluate(m));
    return k;
}

static void expect_no_tag(struct m3 *m, const char *what, qk_err want, uint16_t a, uint16_t b)
{
    uint8_t tag[MPC_MAC_DIGEST_MAX];
    memset(tag, 0xee, sizeof tag);
    qk_err err = m3_combine(m, tag);
    cr_assert_eq(err, want, "M-7: %s gave %s", what, qk_err_name(err));
    for (size_t i = 0; i < sizeof tag; i++) cr_assert_eq(tag[i], 0xee, "M-7: %s", what);
    cr_assert_eq(m->why.n, b != 0 ? 2 : 1, "M-7: %s", what);
    cr_assert_eq(m->why.node[0], a, "M-7: %s", what);
    if (b != 0) cr_assert_eq(m->why.node[1], b, "M-7: %s", what);
}

QK_TEST(mac3_cheats, M_7_garblers_who_disagree_give_no_tag)
{
    for (unsigned p = 0; p < 6; p++) {
        struct m3 m;
        struct m3_key *k = evaluated(&m, mac_algs[p % 4], p);
        const struct mpc_mac_roles *r = &m.task.roles;
        uint8_t *ot = m.out1.p + 48, t[16];
        size_t at[] = {0, 32, 48 + 32 * 3 + 7, m.out1.len - 1};
        for (size_t i = 0; i < QK_COUNT(at); i++) {
            m.out1.p[at[i]] ^= 4;
            expect_no_tag(&m, "run, kh or OT", QK_E_PROOF, r->g1, r->g2);
            m.out1.p[at[i]] ^= 4;
        }
        memcpy(t, ot + 64, 16);
        memcpy(ot + 64, ot + 80, 16);
        memcpy(ot + 80, t, 16);
        expect_no_tag(&m, "G1 swaps the entries of a bit", QK_E_PROOF, r->g1, r->g2);
        memcpy(ot + 80, ot + 64, 16);
        memcpy(ot + 64, t, 16);
        m.out2.p[31] ^= 1;
        expect_no_tag(&m, "G2 lies", QK_E_PROOF, r->g1, r->g2);
        leave(&m, k);
    }
}

QK_TEST(mac3_cheats, M_7_an_evaluator_with_random_stale_or_foreign_labels_gives_no_tag)
{
    for (unsigned p = 0; p < 6; p++) {
        struct m3 m, stale;
        struct m3_key *k = evaluated(&m, mac_algs[p % 4], p);
        const uint16_t e = m.task.roles.e;
        uint8_t keep[16];
        for (size_t j = 0; j < m.y.len / 16; j += 37) {
            uint8_t *y = m.y.p + 16 * j;
            memcpy(keep, y, 16);
            y[j % 16] ^= 2;
            expect_no_tag(&m, "random label", QK_E_PROOF, e, 0);
            memcpy(y, m.y.p + 16 * ((j + 1) % (m.y.len / 16)), 16);
            expect_no_tag(&m, "label of another wire", QK_E_PROOF, e, 0);
            memset(y, 0, 16);
            expect_no_tag(&m, "zeros", QK_E_PROOF, e, 0);
            memcpy(y, keep, 16);
        }
        m3_init(&stale, k, p, QK_BYTES(text), 2);
        m3_garble(&stale);
        qk_assert_ok(m3_evaluate(&stale));
        memcpy(m.y.p, stale.y.p, m.y.len);
        expect_no_tag(&m, "stale", QK_E_PROOF, e, 0);
        m3_end(&stale);
        leave(&m, k);
    }
}

/* One label that fits both entries decodes to nothing. Takes two lying garblers; the check is there
 * all the same. */
QK_TEST(mac3_cheats, M_7_a_label_that_is_both_is_neither)
{
    struct m3 m;
    struct m3_key *k = evaluated(&m, MPC_MAC_256, 0);
    MAC_PI(pi);
    mac_wire y[256];
    uint8_t bits[256], d[2][16 * 256];
    memcpy(y, m.y.p, sizeof y);
    qk_assert_ok(mac_pi_init(&pi, m.out1.p + 32, MAC_ENGINE_BEST));
    for (unsigned b = 0; b < 2; b++) {
        memset(bits, (int)b, sizeof bits);
        mac_active_digests(&pi, d[b], MAC_KIND_Y, y, bits, 256);
        memcpy(m.out1.p + 48 + 32 * 9 + 16 * b, d[b] + 16 * 9, 16);
    }
    qk_assert_ok(mac_out_digest(m.out2.p, qk_buf_view(&m.out1)));
    expect_no_tag(&m, "both", QK_E_PROOF, m.task.roles.e, 0);
    leave(&m, k);
}

QK_TEST(mac3_cheats, M_7_messages_of_another_length_are_their_senders_fault)
{
    struct m3 m;
    struct m3_key *k = evaluated(&m, MPC_MAC_384, 1);
    const struct mpc_mac_roles *r = &m.task.roles;
    struct qk_buf *all[] = {&m.out1, &m.out2, &m.y};
    const uint16_t who[] = {r->g1, r->g2, r->e};
    for (size_t i = 0; i < 3; i++) {
        size_t len = all[i]->len;
        all[i]->len = len - 1;
        expect_no_tag(&m, "short", QK_E_MALFORMED, who[i], 0);
        all[i]->len = 0;
        expect_no_tag(&m, "empty", QK_E_MALFORMED, who[i], 0);
        all[i]->len = len;
    }
    uint8_t tag[MPC_MAC_DIGEST_MAX];
    qk_assert_ok(m3_combine(&m, tag));
    qk_assert_err(mpc_mac_combine(tag, 7, r, qk_buf_view(&m.out1), qk_buf_view(&m.out2),
                      qk_buf_view(&m.y), &m.why),
        QK_E_STATE);
    leave(&m, k);
}
