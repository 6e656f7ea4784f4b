/* M-2, M-8 .. M-11, M-16, M-18: tags are HMAC, runs are bound to their statement, objects refuse
 * what does not belong to them. */
#include "mac3.h"

static const uint8_t key20[20] = {0x0b, 1, 2, 3};

static struct m3_key *any_key(unsigned alg, unsigned profile, uint16_t n)
{
    return m3_key_new(alg, profile, n, QK_BYTES(key20), 21);
}

static void expect_hmac(
    const struct m3_key *k, unsigned permutation, struct qk_bytes key, struct qk_bytes message)
{
    uint8_t tag[MPC_MAC_DIGEST_MAX], want[EVP_MAX_MD_SIZE];
    m3_tag(k, permutation, message, tag);
    HMAC(mac_md(k->rec.alg), key.p, (int)key.len, message.p, message.len, want, NULL);
    cr_assert_eq(memcmp(tag, want, mpc_mac_digest_len(k->rec.alg)), 0,
        "M-2: alg %u, profile %u, roles %u, %zu bytes", k->rec.alg, k->rec.profile, permutation,
        message.len);
}

/* ---- M-2 ---- */

static void one_vector(const char *line)
{
    char key_hex[512], data_hex[512], tag_hex[4][256];
    uint8_t key[160], data[200], want[MPC_MAC_DIGEST_MAX], tag[MPC_MAC_DIGEST_MAX];
    unsigned n;
    cr_assert_eq(sscanf(line, "%u %511s %511s %255s %255s %255s %255s", &n, key_hex, data_hex,
                     tag_hex[0], tag_hex[1], tag_hex[2], tag_hex[3]),
        7);
    size_t key_len = strlen(key_hex) / 2, data_len = strlen(data_hex) / 2;
    qk_assert_ok(qk_unhex(qk_str(key_hex), key, key_len));
    qk_assert_ok(qk_unhex(qk_str(data_hex), data, data_len));
    for (size_t a = 0; a < 4; a++) {
        size_t len = mpc_mac_digest_len(mac_algs[a]);
        qk_assert_ok(qk_unhex(qk_str(tag_hex[a]), want, len));
        for (unsigned profile = MPC_MAC_N; profile <= MPC_MAC_S; profile += 8) {
            struct m3_key *k = m3_key_new(mac_algs[a], profile, 3, qk_bytes(key, key_len), n);
            m3_tag(k, n % 6, qk_bytes(data, data_len), tag);
            cr_assert_eq(memcmp(tag, want, len), 0, "M-2: case %u, alg %u", n, mac_algs[a]);
            free(k);
        }
    }
}

QK_TEST(mac3, M_2_vectors_of_RFC_4231)
{
    char line[2048];
    unsigned n = 0;
    FILE *f = fopen(QK_VECTORS "/rfc4231.txt", "r");
    cr_assert(f != NULL);
    while (fgets(line, sizeof line, f)) {
        if (line[0] == '#') continue;
        one_vector(line);
        n++;
    }
    fclose(f);
    cr_assert_eq(n, 6);
}

QK_TEST(mac3, M_2_tags_are_the_librarys_at_every_edge_of_the_padding)
{
    static const size_t lens[] = {1, 55, 56, 63, 64, 111, 112, 119, 120, 128, 300, 4096};
    static uint8_t msg[4096];
    struct qkt_rng rng;
    qkt_rng_init(&rng, 22, 0);
    qk_assert_ok(qk_rng_fill(&rng.rng, msg, sizeof msg));
    for (size_t a = 0; a < QK_COUNT(mac_algs); a++) {
        struct m3_key *k = any_key(mac_algs[a], MPC_MAC_N, 3);
        for (size_t i = 0; i < QK_COUNT(lens); i++)
            expect_hmac(k, (unsigned)i, QK_BYTES(key20), qk_bytes(msg, lens[i]));
        free(k);
        k = any_key(mac_algs[a], MPC_MAC_S, 3);
        for (size_t i = 0; i < QK_COUNT(lens) - 1; i++)
            expect_hmac(k, (unsigned)i, QK_BYTES(key20), qk_bytes(msg, lens[i]));
        free(k);
    }
    struct m3_key *k = any_key(MPC_MAC_256, MPC_MAC_S, 3);
    expect_hmac(k, 4, QK_BYTES(key20), QK_BYTES(msg));
    free(k);
}

QK_TEST(mac3, M_2_a_padding_block_too_many_or_too_few_would_show)
{
    static const uint8_t zero[200];
    for (size_t a = 0; a < QK_COUNT(mac_algs); a++) {
        unsigned alg = mac_algs[a];
        size_t block = mpc_mac_block_len(alg), edge = block - 1 - block / 8;
        cr_assert_eq(mac_sha2_blocks(alg, edge), 1, "M-2: fits exactly");
        cr_assert_eq(mac_sha2_blocks(alg, edge + 1), 2, "M-2: one byte more");
        cr_assert_eq(mac_sha2_blocks(alg, block + edge), 2, "M-2");
        cr_assert_eq(mac_sha2_blocks(alg, block + edge + 1), 3, "M-2");
        for (size_t len = edge; len < block + 1; len++) {
            uint8_t state[MPC_MAC_STATE_MAX] = {1, 2, 3}, b[MPC_MAC_BLOCK_MAX], h[64];
            qk_assert_ok(mpc_mac_inner(h, alg, state, qk_bytes(zero, len)));
            for (unsigned i = 0; i < mac_sha2_blocks(alg, len); i++) {
                mac_sha2_block(alg, qk_bytes(zero, len), i, b);
                mac_compress(alg, state, b);
            }
            cr_assert_eq(memcmp(h, state, mpc_mac_digest_len(alg)), 0, "M-2: %zu bytes", len);
        }
    }
}

QK_TEST(mac3, every_permutation_and_a_fourth_node_give_the_same_tag)
{
    static const uint8_t msg[] = "the same";
    for (uint16_t n = 3; n <= 4; n++) {
        struct m3_key *k = any_key(MPC_MAC_256, MPC_MAC_N, n);
        for (unsigned p = 0; p < 6; p++) expect_hmac(k, p, QK_BYTES(key20), QK_BYTES(msg));
        free(k);
    }
    /* with node 4 in a role and node 1 outside */
    struct m3_key *k = any_key(MPC_MAC_384, MPC_MAC_N, 4);
    struct m3 m;
    uint8_t tag[MPC_MAC_DIGEST_MAX], want[EVP_MAX_MD_SIZE];
    m3_init(&m, k, 0, QK_BYTES(msg), 9);
    m.task.roles = (struct mpc_mac_roles){.g1 = 4, .g2 = 2, .e = 3};
    m3_garble(&m);
    qk_assert_ok(m3_evaluate(&m));
    qk_assert_ok(m3_combine(&m, tag));
    HMAC(mac_md(MPC_MAC_384), key20, sizeof key20, msg, sizeof msg, want, NULL);
    cr_assert_eq(memcmp(tag, want, 48), 0);
    m3_end(&m);
    free(k);
}

/* The self-test's way: a digest in place of h. */
QK_TEST(mac3, a_digest_takes_the_place_of_h_and_excludes_a_message)
{
    struct m3_key *k = any_key(MPC_MAC_256, MPC_MAC_N, 3);
    uint8_t h[32], tag[32], want[32];
    struct m3 m;
    qk_assert_ok(mpc_mac_inner(h, MPC_MAC_256, k->share[0].ist, qk_str("abc")));
    m3_init(&m, k, 0, qk_bytes(NULL, 0), 1);
    m.task.digest = h;
    m3_garble(&m);
    qk_assert_ok(m3_evaluate(&m));
    qk_assert_ok(m3_combine(&m, tag));
    HMAC(EVP_sha256(), key20, sizeof key20, (const uint8_t *)"abc", 3, want, NULL);
    cr_assert_eq(memcmp(tag, want, 32), 0);
    m.task.message = qk_str("abc");
    uint8_t id[32];
    qk_assert_err(mpc_mac_run_id(id, &m.task), QK_E_STATE);
    m3_end(&m);
    free(k);
}

/* ---- M-8, M-10: what a run is bound to ---- */

struct change {
    const char *what;
    void (*apply)(struct mpc_mac_task *task, struct mpc_mac_record *rec);
};

static void other_message(struct mpc_mac_task *t, struct mpc_mac_record *rec)
{
    (void)rec;
    t->message = qk_str("other");
}
static void other_mid(struct mpc_mac_task *t, struct mpc_mac_record *rec)
{
    (void)rec;
    t->mid[31] ^= 1;
}
static void other_e(struct mpc_mac_task *t, struct mpc_mac_record *rec)
{
    (void)rec;
    t->roles.e = 4;
}
static void other_epoch(struct mpc_mac_task *t, struct mpc_mac_record *rec)
{
    (void)t;
    rec->e_net++;
}
static void other_version(struct mpc_mac_task *t, struct mpc_mac_record *rec)
{
    (void)t;
    rec->ver++;
}
static void other_key(struct mpc_mac_task *t, struct mpc_mac_record *rec)
{
    (void)t;
    rec->key_id[15] ^= 1;
}
static void other_piece(struct mpc_mac_task *t, struct mpc_mac_record *rec)
{
    (void)t;
    rec->pk[3][0] ^= 1;
}

static const struct change changes[] = {{"message", other_message}, {"mid", other_mid},
    {"roles", other_e}, {"epoch", other_epoch}, {"version", other_version}, {"key", other_key},
    {"piece", other_piece}};

/* Garbler G2 is told something else than G1: another run, other labels, and no Y. */
QK_TEST(mac3, M_8_M_10_nodes_told_different_things_have_different_runs_and_abort)
{
    for (size_t i = 0; i < QK_COUNT(changes); i++) {
        struct m3_key *k = any_key(MPC_MAC_256, MPC_MAC_N, 4);
        struct mpc_mac_record rec = k->rec;
        struct m3 m;
        m3_init(&m, k, 0, qk_str("message"), 1);
        m3_garble_1(&m);
        struct mpc_mac_task first = m.task;
        m.task.rec = &rec;
        changes[i].apply(&m.task, &rec);
        m3_garble_2(&m);
        cr_assert_neq(
            memcmp(mpc_mac_g1_run(m.g1), mpc_mac_g2_run(m.g2), 32), 0, "M-8: %s", changes[i].what);
        m.task = first;
        qk_assert_err(m3_evaluate(&m), QK_E_PROOF);
        m3_expect_no_y(&m, changes[i].what, true, true);
        m3_end(&m);
        free(k);
    }
}

/* E told something else: the GMAC key is bound to its run. */
QK_TEST(mac3, M_8_M_10_an_evaluator_told_something_else_gives_nothing)
{
    for (size_t i = 0; i < QK_COUNT(changes); i++) {
        struct m3_key *k = any_key(MPC_MAC_512, MPC_MAC_N, 4);
        struct mpc_mac_record rec = k->rec;
        struct m3 m;
        if (changes[i].apply == other_e) { /* that E would not be called */
            free(k);
            continue;
        }
        m3_init(&m, k, 3, qk_str("message"), 1);
        m3_garble(&m);
        m.task.rec = &rec;
        changes[i].apply(&m.task, &rec);
        m3_e_new(&m);
        cr_assert_neq(
            memcmp(mpc_mac_g1_run(m.g1), mpc_mac_e_run(m.e), 32), 0, "M-8: %s", changes[i].what);
        qk_err err = m3_evaluate(&m);
        cr_assert(err == QK_E_PROOF || err == QK_E_MALFORMED, "M-8: %s", changes[i].what);
        cr_assert(!mpc_mac_e_done(m.e));
        m3_end(&m);
        free(k);
    }
}

QK_TEST(mac3, M_8_algorithm_and_profile_are_bound)
{
    uint8_t id[4][32];
    unsigned n = 0;
    for (unsigned alg = MPC_MAC_256; alg <= MPC_MAC_512; alg += 2)
        for (unsigned profile = MPC_MAC_N; profile <= MPC_MAC_S; profile += 8) {
            struct m3_key *k = any_key(alg, profile, 3);
            memset(k->rec.pk, 0, sizeof k->rec.pk); /* so that nothing else differs */
            struct m3 m;
            m3_init(&m, k, 0, qk_str("message"), 1);
            qk_assert_ok(mpc_mac_run_id(id[n++], m3_task(&m, 1)));
            free(k);
        }
    for (unsigned i = 0; i < n; i++)
        for (unsigned j = 0; j < i; j++) cr_assert_neq(memcmp(id[i], id[j], 32), 0, "M-8");
}

/* All 24 ways to give three roles to four nodes. */
QK_TEST(mac3, M_8_every_role_is_bound)
{
    struct m3_key *k = any_key(MPC_MAC_256, MPC_MAC_N, 4);
    uint8_t id[24][32];
    unsigned n = 0;
    for (unsigned x = 0; x < 64; x++) {
        uint16_t g1 = (uint16_t)(x % 4 + 1), g2 = (uint16_t)(x / 4 % 4 + 1);
        uint16_t e = (uint16_t)(x / 16 + 1);
        struct m3 m;
        if (g1 == g2 || g1 == e || g2 == e) continue;
        m3_init(&m, k, 0, qk_str("message"), 1);
        m.task.roles = (struct mpc_mac_roles){.g1 = g1, .g2 = g2, .e = e};
        qk_assert_ok(mpc_mac_run_id(id[n], m3_task(&m, e)));
        for (unsigned j = 0; j < n; j++) cr_assert_neq(memcmp(id[j], id[n], 32), 0, "M-8");
        n++;
    }
    cr_assert_eq(n, 24);
    free(k);
}

/* The same bytes once as h and once as the message: the field has two meanings, so two labels. */
QK_TEST(mac3, M_8_a_message_is_not_taken_for_a_digest)
{
    struct m3_key *n = any_key(MPC_MAC_256, MPC_MAC_N, 3), *s = any_key(MPC_MAC_256, MPC_MAC_S, 3);
    static const uint8_t bytes[32] = {5};
    uint8_t id[2][32];
    struct m3 m;
    memcpy(s->rec.pk, n->rec.pk, sizeof s->rec.pk);
    m3_init(&m, n, 0, qk_bytes(NULL, 0), 1);
    m.task.digest = bytes;
    qk_assert_ok(mpc_mac_run_id(id[0], m3_task(&m, 1)));
    m3_init(&m, s, 0, QK_BYTES(bytes), 1);
    qk_assert_ok(mpc_mac_run_id(id[1], m3_task(&m, 1)));
    cr_assert_neq(memcmp(id[0], id[1], 32), 0, "M-8");
    free(n);
    free(s);
}

/* The map from seeds to what is garbled under them. kh is the first thing a seed gives: equal kh is
 * an equal seed, and then everything sent must be equal too, in both garblers. */
struct seen {
    uint8_t kh[16], sent[32];
};

static void remember(struct seen *seen, size_t *n, const struct m3 *m)
{
    struct seen s;
    SHA256_CTX c;
    const uint8_t *kh = m->out1.p + 32;
    SHA256_Init(&c);
    for (size_t i = 0; i < m->n_chunks; i++) SHA256_Update(&c, m->chunk[i], m->chunk_len[i]);
    SHA256_Final(s.sent, &c);
    memcpy(s.kh, kh, 16);
    for (size_t i = 0; i < *n; i++)
        if (memcmp(seen[i].kh, s.kh, 16) == 0)
            cr_assert_eq(memcmp(seen[i].sent, s.sent, 32), 0, "M-8: two circuits on one seed");
    seen[(*n)++] = s;
}

QK_TEST(mac3, M_8_M_12_one_seed_never_serves_two_circuits)
{
    struct seen seen[64];
    size_t n = 0, different = 0;
    struct m3_key *k = any_key(MPC_MAC_256, MPC_MAC_N, 4);
    for (unsigned i = 0; i < 24; i++) { /* each statement twice */
        char text[] = "message 0";
        struct mpc_mac_record rec = k->rec;
        struct m3 m;
        text[8] = (char)('0' + i / 2 % 3);
        m3_init(&m, k, i / 2 % 6, qk_str(text), (uint8_t)(i / 2 % 4));
        m.task.rec = &rec;
        if (i / 2 == 11) rec.e_net = 2;
        m3_garble_1(&m);
        remember(seen, &n, &m);
        m3_end(&m);
    }
    for (size_t i = 0; i < n; i++) {
        bool again = false;
        for (size_t j = 0; j < i; j++) again |= memcmp(seen[i].kh, seen[j].kh, 16) == 0;
        different += !again;
    }
    cr_assert_eq(different, 12, "M-12: %zu kh for 12 statements", different);
    free(k);
}

/* ---- M-11 ---- */

QK_TEST(mac3, M_11_another_link_secret_gives_other_labels_for_the_same_request)
{
    struct m3_key *k = any_key(MPC_MAC_256, MPC_MAC_N, 3);
    struct m3 m, again;
    m3_init(&m, k, 0, qk_str("message"), 1);
    m3_garble_1(&m);
    k->kappa[0][1][5] ^= 1; /* the link between nodes 1 and 2 began anew */
    m3_init(&again, k, 0, qk_str("message"), 1);
    m3_garble_1(&again);
    cr_assert_eq(memcmp(mpc_mac_g1_run(m.g1), mpc_mac_g1_run(again.g1), 32), 0);
    cr_assert_neq(memcmp(m.out1.p + 32, again.out1.p + 32, 16), 0, "M-11: kh");
    size_t same = 0;
    for (size_t i = 0; i + 16 <= 4096; i += 16)
        same += memcmp(m.chunk[0] + i, again.chunk[0] + i, 16) == 0;
    cr_assert_eq(same, 0, "M-11: labels");
    m3_end(&m);
    m3_end(&again);
    free(k);
}

/* ---- M-9 ---- */

QK_TEST(mac3, M_9_roles_must_be_three_nodes_of_the_record_and_mine_among_them)
{
    static const struct {
        const char *what;
        struct mpc_mac_roles roles;
        uint16_t self; /* tries to be the role of that place */
        unsigned place;
    } bad[] = {
        {"garblers are one", {1, 1, 3}, 1, 1},
        {"garbler 1 evaluates", {1, 2, 1}, 1, 1},
        {"garbler 2 evaluates", {1, 2, 2}, 2, 2},
        {"all one", {1, 1, 1}, 1, 1},
        {"an outsider garbles", {1, 9, 3}, 1, 1},
        {"an outsider evaluates", {1, 2, 9}, 1, 1},
        {"nobody", {0, 2, 3}, 2, 2},
        {"I am the other garbler", {1, 2, 3}, 1, 2},
        {"I am a garbler", {1, 2, 3}, 1, 3},
        {"I am the evaluator", {1, 2, 3}, 3, 1},
        {"I am not there", {1, 2, 3}, 4, 1},
        {"I am not there", {1, 2, 3}, 4, 3},
    };
    struct m3_key *k = any_key(MPC_MAC_256, MPC_MAC_N, 4);
    uint8_t id[32];
    for (size_t i = 0; i < QK_COUNT(bad); i++) {
        struct mpc_mac_g1 *g1 = NULL;
        struct mpc_mac_g2 *g2 = NULL;
        struct mpc_mac_e *e = NULL;
        struct m3 m;
        qk_err err;
        m3_init(&m, k, 0, qk_str("message"), 1);
        m.task.roles = bad[i].roles;
        m.task.share = &k->share[bad[i].self - 1];
        if (bad[i].place == 1)
            err = mpc_mac_g1_new(&g1, &m.task, k->kappa[0][1]);
        else if (bad[i].place == 2)
            err = mpc_mac_g2_new(&g2, &m.task, k->kappa[0][1], k->kappa[1][2]);
        else
            err = mpc_mac_e_new(&e, &m.task, k->kappa[1][2]);
        cr_assert_eq(err, QK_E_STATE, "M-9: %s gave %s", bad[i].what, qk_err_name(err));
        cr_assert(g1 == NULL && g2 == NULL && e == NULL, "M-9: %s", bad[i].what);
        bool other = strstr(bad[i].what, "I am a") || strstr(bad[i].what, "I am the");
        cr_assert_eq(mpc_mac_run_id(id, &m.task), other ? QK_OK : QK_E_STATE, "M-9: %s",
            bad[i].what); /* that run exists, with me in another place */
    }
    free(k);
}

QK_TEST(mac3, tasks_out_of_bounds_are_refused)
{
    static const uint8_t big[MPC_MAC_MESSAGE_MAX + 1];
    struct m3_key *k = any_key(MPC_MAC_256, MPC_MAC_N, 3), *s = any_key(MPC_MAC_256, MPC_MAC_S, 3);
    struct mpc_mac_sizes sizes;
    uint8_t id[32];
    struct m3 m;
    m3_init(&m, k, 0, QK_BYTES(big), 1);
    qk_assert_err(mpc_mac_run_id(id, m3_task(&m, 1)), QK_E_STATE);
    m.task.message.len = 0;
    qk_assert_err(mpc_mac_run_id(id, m3_task(&m, 1)), QK_E_STATE);
    m.task.message.len = 1;
    qk_assert_ok(mpc_mac_run_id(id, m3_task(&m, 1)));
    m.task.share = &s->share[0]; /* of a key with the other profile */
    qk_assert_err(mpc_mac_run_id(id, &m.task), QK_E_STATE);
    qk_assert_ok(mpc_mac_sizes(&sizes, m3_task(&m, 1)));
    m3_garble(&m);
    size_t total = 0;
    for (size_t i = 0; i < m.n_chunks; i++) total += m.chunk_len[i];
    cr_assert_eq(total, sizes.stream);
    cr_assert_eq(m.lb.len, sizes.labels_b);
    cr_assert_eq(m.out1.len, sizes.g1);
    m3_end(&m);
    free(k);
    free(s);
}

/* ---- M-16, M-18 ---- */

QK_TEST(mac3, M_16_only_the_whole_tag_is_equal)
{
    uint8_t tag[MPC_MAC_DIGEST_MAX], mac[MPC_MAC_DIGEST_MAX + 1] = {0};
    for (size_t a = 0; a < QK_COUNT(mac_algs); a++) {
        unsigned alg = mac_algs[a];
        size_t len = mpc_mac_digest_len(alg);
        for (size_t i = 0; i < len; i++) tag[i] = mac[i] = (uint8_t)(i * 7);
        cr_assert(mpc_mac_equal(alg, tag, qk_bytes(mac, len)));
        for (size_t l = 0; l <= len + 1; l++)
            if (l != len) cr_assert(!mpc_mac_equal(alg, tag, qk_bytes(mac, l)), "M-16: %zu", l);
        for (size_t bit = 0; bit < 8 * len; bit++) {
            mac[bit / 8] ^= (uint8_t)(1 << bit % 8);
            cr_assert(!mpc_mac_equal(alg, tag, qk_bytes(mac, len)), "M-16: bit %zu", bit);
            mac[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
    cr_assert(!mpc_mac_equal(9, tag, qk_bytes(mac, 0)), "M-16: no algorithm, no tag");
}

/* A long stream, nothing from G2: two chunks wait, the third is not taken, and later it is. */
QK_TEST(mac3, M_18_an_evaluator_holds_two_chunks_and_no_more)
{
    static const uint8_t msg[300] = {1};
    struct m3_key *k = any_key(MPC_MAC_256, MPC_MAC_S, 3);
    struct m3 m;
    uint8_t tag[32], want[32];
    m3_init(&m, k, 5, QK_BYTES(msg), 1);
    m3_garble(&m);
    cr_assert_gt(m.n_chunks, 10);
    m3_e_new(&m);
    for (uint32_t i = 0; i < 2; i++)
        qk_assert_ok(mpc_mac_e_chunk(m.e, i, qk_bytes(m.chunk[i], m.chunk_len[i])));
    struct qk_bytes third = qk_bytes(m.chunk[2], m.chunk_len[2]);
    qk_assert_err(mpc_mac_e_chunk(m.e, 2, third), QK_E_EARLY);
    qk_assert_err(mpc_mac_e_chunk(m.e, 2, third), QK_E_EARLY);
    qk_assert_ok(mpc_mac_e_gmac(m.e, QK_BYTES(m.gmac))); /* before its time: kept */
    qk_assert_ok(mpc_mac_e_labels(m.e, qk_buf_view(&m.lb)));
    for (uint32_t i = 2; i < m.n_chunks; i++) {
        cr_assert(!mpc_mac_e_done(m.e));
        qk_assert_ok(mpc_mac_e_chunk(m.e, i, qk_bytes(m.chunk[i], m.chunk_len[i])));
    }
    cr_assert(mpc_mac_e_done(m.e));
    qk_assert_ok(mpc_mac_e_take(m.e, &m.y));
    qk_assert_ok(m3_combine(&m, tag));
    HMAC(EVP_sha256(), key20, sizeof key20, msg, sizeof msg, want, NULL);
    cr_assert_eq(memcmp(tag, want, 32), 0);
    m3_end(&m);
    free(k);
}
