/* Symmetric keys: the known answers of document 50 section 12, and the values they are made of. */
#include <openssl/sha.h>
#include "dprf/point.h"
#include "mpc/labels.h"
#include "mpc/sym_record.h"
#include "mpc/transcript.h"
#include "qktest/qktest.h"
#include "sym/prf.h"
#include "sym/values.h"

static void expect(const uint8_t *got, const char *hex, const char *what)
{
    uint8_t want[64];
    size_t len = strlen(hex) / 2;
    qk_assert_ok(qk_unhex(qk_str(hex), want, len));
    cr_assert_eq(memcmp(got, want, len), 0, "%s", what);
}

static void count_up(uint8_t *out, size_t len, uint8_t first)
{
    for (size_t i = 0; i < len; i++) out[i] = (uint8_t)(first + i);
}

/* ---- section 12 ---- */

QK_TEST(sym_values, known_answer_of_the_aes_prf)
{
    uint8_t k_a[32], ke[32], x[1][32], value[1][32], tag[1][16];
    struct sym_prf prf;
    count_up(k_a, 32, 0);
    count_up(x[0], 32, 0x20);
    qk_assert_ok(mpc_h32(ke, MPC_L_CNF_ENC, MPC_FIELDS(QK_BYTES(k_a))));
    expect(ke, "b68aa3766db1e10db73110f0a4376fd4d8b3546b2e7b35884ae420e1b2c2e006", "ke");
    qk_assert_ok(sym_prf_init(&prf, k_a));
    qk_assert_ok(sym_prf_values(&prf, (const uint8_t(*)[32])x, 1, value));
    qk_assert_ok(sym_prf_tags(&prf, (const uint8_t(*)[32])x, 1, tag));
    expect(value[0], "70a736b60c5b159a9216d387eda9667065dceb5d3cebbedb3986a06b8977cd84", "F(X)");
    expect(tag[0], "1fbf684778c3cda585cb3aaab9f1dbc0", "tag");
    sym_prf_clear(&prf);
}

/* The Encrypt of section 12 up to X. */
struct kat {
    struct mpc_sym_item item;
    uint8_t d_ec[32], rho[32], m[32], t[32], x[32];
    struct qk_buf ec, tk;
};

static void kat_init(struct kat *k, uint8_t mode, uint8_t flags)
{
    static const struct mpc_sym_pair pairs[] = {
        {{(const uint8_t *)"b", 1}, {(const uint8_t *)"2", 1}},
        {{(const uint8_t *)"a", 1}, {(const uint8_t *)"1", 1}}};
    struct mpc_sym_ticket tickets[3];
    *k = (struct kat){.item = {.ver = 1, .mode = mode, .flags = flags},
        .ec = QK_BUF(MPC_SYM_EC_MAX),
        .tk = QK_BUF(1024)};
    count_up(k->item.key_id, 16, 0);
    memset(k->rho, 7, 32);
    memset(k->m, 9, 32);
    for (unsigned i = 0; i < 3; i++) {
        tickets[i] = (struct mpc_sym_ticket){.node = (uint16_t)(i + 1), .ctr = 5 + i};
        memset(tickets[i].chan, (int)i + 1, 16);
    }
    qk_assert_ok(mpc_sym_ec_encode(pairs, 2, &k->ec));
    mpc_sym_tickets_encode(tickets, 3, &k->tk);
    k->item.ec = qk_buf_view(&k->ec);
    k->item.tk = qk_buf_view(&k->tk);
    qk_assert_ok(mpc_sym_ec_hash(k->d_ec, k->item.ec));
    qk_assert_ok(sym_alpha(k->item.alpha, k->item.key_id, 1, k->d_ec, k->rho, QK_BYTES(k->m)));
    qk_assert_ok(mpc_sym_tickets_hash(k->t, k->item.tk));
    qk_assert_ok(mpc_sym_x(k->x, &k->item, k->d_ec, k->t));
}

static void kat_free(struct kat *k)
{
    qk_buf_free(&k->ec);
    qk_buf_free(&k->tk);
}

QK_TEST(sym_values, known_answers_of_context_commitment_tickets_and_x)
{
    struct kat k;
    kat_init(&k, MPC_SYM_F, MPC_SYM_FLAG_TAGS);
    expect(k.d_ec, "ec6ff91e8f1f9f4dd4e735946df27ae25384b81eea2edbb4b13b1f1f36e33cb1", "d_ec");
    expect(
        k.item.alpha, "4cac1c643c66f0381ad32c1e2bfc1e04b70ea1225cd0d7de4c0c0bdee2a24860", "alpha");
    expect(k.t, "a958a6a97f15d525a8475fe019c30e7d19e6bd01411af5e8e166aa4729d5f5ac", "T");
    expect(k.x, "f42c6aec413d4d64464eb41d5e6c5563b568ddadde670d795f5efe622a278a28", "X");
    kat_free(&k);
}

QK_TEST(sym_values, known_answer_of_a_whole_blob)
{
    struct kat k;
    struct qk_sec32 w = {{0}};
    uint8_t tags[3][16], plain[64], e[64], digest[32];
    kat_init(&k, MPC_SYM_F, MPC_SYM_FLAG_TAGS);
    for (unsigned a = 0; a < 3; a++) {
        uint8_t k_a[32], value[1][32];
        struct sym_prf prf;
        memset(k_a, 0xa1 + (int)a, 32);
        qk_assert_ok(sym_prf_init(&prf, k_a));
        qk_assert_ok(sym_prf_values(&prf, (const uint8_t(*)[32])k.x, 1, value));
        qk_assert_ok(sym_prf_tags(&prf, (const uint8_t(*)[32])k.x, 1, &tags[a]));
        for (size_t i = 0; i < 32; i++) w.b[i] ^= value[0][i];
        sym_prf_clear(&prf);
    }
    expect(w.b, "643481128670e6e2c2d3481366942f7b7202f9bfde15985c23533e5bc8760ad4", "w");
    memcpy(plain, k.rho, 32);
    memcpy(plain + 32, k.m, 32);
    qk_assert_ok(sym_pad(e, QK_BYTES(plain), k.x, &w));
    struct mpc_sym_blob blob = {.mode = MPC_SYM_F,
        .flags = MPC_SYM_FLAG_TAGS,
        .ver = 1,
        .tags = qk_bytes(tags, sizeof tags),
        .e = QK_BYTES(e)};
    memcpy(blob.key_id, k.item.key_id, 16);
    memcpy(blob.alpha, k.item.alpha, 32);
    memcpy(blob.t, k.t, 32);
    QK_AUTO_BUF out = QK_BUF(MPC_SYM_BLOB_MAX);
    qk_assert_ok(mpc_sym_blob_build(&blob, &out));
    cr_assert_eq(out.len, 201);
    SHA256(out.p, out.len, digest);
    expect(digest, "1090e530463f853887c1f20eda5f417c476039940191d3502e12444a9f80ecaa", "blob");
    kat_free(&k);
}

QK_TEST(sym_values, known_answers_of_mode_v)
{
    struct kat k;
    struct mpc_scalar s;
    struct qk_sec32 w;
    uint8_t enc[33];
    MPC_POINT(p);
    kat_init(&k, MPC_SYM_V, 0);
    qk_assert_ok(mpc_dprf_point(&p, k.x));
    qk_assert_ok(mpc_point_encode(enc, &p));
    expect(enc, "03eca4a3be7bb4d6adf9a3bce3c153f20f40144f1bc3d9724d05655c14d2e8d5e1", "P");
    qk_assert_ok(
        mpc_h2s(mpc_curve_get(MPC_P256), &s, "kat-s", MPC_FIELDS({(const uint8_t *)"x", 1})));
    qk_assert_ok(mpc_point_mul(&p, &s, &p));
    qk_assert_ok(mpc_point_encode(enc, &p));
    qk_assert_ok(sym_v_value(&w, k.x, enc));
    expect(w.b, "a4d46a47659c62adccefe4acd58dc5170bf41222a6211548479e9817ba0acc46", "w");
    kat_free(&k);
}

/* ---- the PRF ---- */

/* S-13: all 256 bits of the input count. */
QK_TEST(sym_values, S_13_inputs_that_differ_in_one_half_or_one_bit_give_unrelated_values)
{
    uint8_t k_a[32] = {1}, x[4][32], value[4][32], tag[4][16];
    struct sym_prf prf;
    for (unsigned i = 0; i < 4; i++) count_up(x[i], 32, 0x40);
    x[1][16] ^= 0x80; /* X1 only */
    x[2][31] ^= 1;    /* the last bit only */
    x[3][0] ^= 1;     /* X0 only */
    qk_assert_ok(sym_prf_init(&prf, k_a));
    qk_assert_ok(sym_prf_values(&prf, (const uint8_t(*)[32])x, 4, value));
    qk_assert_ok(sym_prf_tags(&prf, (const uint8_t(*)[32])x, 4, tag));
    for (unsigned i = 0; i < 4; i++)
        for (unsigned j = 0; j < i; j++) {
            cr_assert_neq(memcmp(value[i], value[j], 16), 0, "S-13: first half of %u, %u", i, j);
            cr_assert_neq(memcmp(value[i] + 16, value[j] + 16, 16), 0, "S-13: second half");
            cr_assert_neq(memcmp(tag[i], tag[j], 16), 0, "S-13: tags of %u, %u", i, j);
        }
    sym_prf_clear(&prf);
}

QK_TEST(sym_values, a_batch_gives_what_single_evaluations_give)
{
    uint8_t k_a[32] = {9}, x[SYM_PRF_BATCH][32], values[SYM_PRF_BATCH][32], one[1][32];
    uint8_t tags[SYM_PRF_BATCH][16], one_tag[1][16];
    struct sym_prf prf;
    for (unsigned i = 0; i < SYM_PRF_BATCH; i++) count_up(x[i], 32, (uint8_t)(3 * i));
    qk_assert_ok(sym_prf_init(&prf, k_a));
    qk_assert_ok(sym_prf_values(&prf, (const uint8_t(*)[32])x, SYM_PRF_BATCH, values));
    qk_assert_ok(sym_prf_tags(&prf, (const uint8_t(*)[32])x, SYM_PRF_BATCH, tags));
    for (unsigned i = 0; i < SYM_PRF_BATCH; i++) {
        qk_assert_ok(sym_prf_values(&prf, (const uint8_t(*)[32])x[i], 1, one));
        qk_assert_ok(sym_prf_tags(&prf, (const uint8_t(*)[32])x[i], 1, one_tag));
        cr_assert_eq(memcmp(values[i], one[0], 32), 0, "value %u", i);
        cr_assert_eq(memcmp(tags[i], one_tag[0], 16), 0, "tag %u", i);
    }
    qk_assert_err(
        sym_prf_values(&prf, (const uint8_t(*)[32])x, SYM_PRF_BATCH + 1, values), QK_E_STATE);
    sym_prf_clear(&prf);
}

/* ---- structures: the table of document 50 section 2 ---- */

QK_TEST(sym_values, sets_are_numbered_lexicographically_and_as_many_as_the_table_says)
{
    static const struct {
        unsigned t, n, d, per_node, copies;
    } table[] = {{2, 3, 3, 2, 2}, {2, 4, 4, 3, 3}, {2, 5, 5, 4, 4}, {3, 5, 10, 6, 3},
        {3, 6, 15, 10, 4}, {3, 7, 21, 15, 5}, {4, 7, 35, 20, 4}};
    struct mpc_sym_sets s;
    for (size_t i = 0; i < QK_COUNT(table); i++) {
        qk_assert_ok(mpc_sym_sets_make(&s, table[i].n, table[i].t));
        cr_assert_eq(s.d, table[i].d);
        cr_assert_eq(s.per_node, table[i].per_node);
        cr_assert_eq(s.holders, table[i].copies);
    }
    qk_assert_ok(mpc_sym_sets_make(&s, 3, 2));
    cr_assert(s.members[0] == 3 && s.members[1] == 5 && s.members[2] == 6, "{1,2} {1,3} {2,3}");
    qk_assert_ok(mpc_sym_sets_make(&s, 5, 3));
    cr_assert(s.members[0] == 7 && s.members[1] == 11 && s.members[9] == 28);
}

QK_TEST(sym_values, structures_without_checked_copies_or_with_too_many_sets_are_refused)
{
    struct mpc_sym_sets s;
    qk_assert_err(mpc_sym_sets_make(&s, 3, 1), QK_E_STATE);
    qk_assert_err(mpc_sym_sets_make(&s, 2, 2), QK_E_STATE);
    qk_assert_err(mpc_sym_sets_make(&s, 4, 3), QK_E_STATE);
    qk_assert_err(mpc_sym_sets_make(&s, 9, 5), QK_E_STATE);  /* d = 126 */
    qk_assert_err(mpc_sym_sets_make(&s, 12, 3), QK_E_STATE); /* d = 66 */
    qk_assert_err(mpc_sym_sets_make(&s, 33, 2), QK_E_STATE);
    qk_assert_ok(mpc_sym_sets_make(&s, 32, 2));
    qk_assert_ok(mpc_sym_sets_make(&s, 8, 4));
}

/* ---- contexts ---- */

static struct mpc_sym_pair pair(const char *key, const char *value)
{
    return (struct mpc_sym_pair){qk_str(key), qk_str(value)};
}

static void encode(struct qk_buf *out, const struct mpc_sym_pair *pairs, size_t n)
{
    qk_buf_clear(out);
    qk_assert_ok(mpc_sym_ec_encode(pairs, n, out));
    qk_assert_ok(mpc_sym_ec_check(qk_buf_view(out)));
}

/* S-10: equal maps and only they have equal encodings. */
QK_TEST(sym_values, S_10_contexts_are_equal_exactly_when_their_maps_are)
{
    QK_AUTO_BUF a = QK_BUF(MPC_SYM_EC_MAX);
    QK_AUTO_BUF b = QK_BUF(MPC_SYM_EC_MAX);
    struct mpc_sym_pair base[] = {pair("a", "1"), pair("bc", "2"), pair("", "x")};
    struct mpc_sym_pair order[] = {base[2], base[1], base[0]};
    struct mpc_sym_pair moved[] = {pair("a", "1"), pair("b", "c2"), pair("", "x")};
    struct mpc_sym_pair changed[] = {pair("a", "1"), pair("bc", "3"), pair("", "x")};
    struct mpc_sym_pair empty_value[] = {pair("a", "1"), pair("bc", "2"), pair("", "")};
    encode(&a, base, 3);
    encode(&b, order, 3);
    cr_assert(qk_bytes_eq(qk_buf_view(&a), qk_buf_view(&b)), "S-10: order must not matter");
    encode(&b, moved, 3);
    cr_assert_not(qk_bytes_eq(qk_buf_view(&a), qk_buf_view(&b)), "S-10: split moved");
    encode(&b, changed, 3);
    cr_assert_not(qk_bytes_eq(qk_buf_view(&a), qk_buf_view(&b)), "S-10: changed");
    encode(&b, base, 2);
    cr_assert_not(qk_bytes_eq(qk_buf_view(&a), qk_buf_view(&b)), "S-10: removed");
    encode(&b, empty_value, 3);
    cr_assert_not(qk_bytes_eq(qk_buf_view(&a), qk_buf_view(&b)), "S-10: value emptied");
    encode(&a, NULL, 0);
    encode(&b, base, 0);
    cr_assert(qk_bytes_eq(qk_buf_view(&a), qk_buf_view(&b)), "S-10: absent is empty");
    cr_assert_eq(a.len, 2);
}

QK_TEST(sym_values, contexts_read_back_in_byte_order)
{
    QK_AUTO_BUF ec = QK_BUF(MPC_SYM_EC_MAX);
    struct mpc_sym_pair in[] = {pair("b", "2"), pair("a", "1"), pair("ab", "")}, out;
    static const char *const keys[] = {"a", "ab", "b"};
    size_t at = 0, n = 0;
    encode(&ec, in, 3);
    for (; mpc_sym_ec_next(qk_buf_view(&ec), &at, &out); n++)
        cr_assert(qk_bytes_is(out.key, keys[n]));
    cr_assert_eq(n, 3);
}

QK_TEST(sym_values, contexts_that_are_no_maps_are_refused)
{
    QK_AUTO_BUF ec = QK_BUF(2 * MPC_SYM_EC_MAX);
    static char big[MPC_SYM_EC_MAX];
    struct mpc_sym_pair twice[] = {pair("a", "1"), pair("b", "2"), pair("a", "3")};
    struct mpc_sym_pair latin[] = {pair("a", "\xe9")};
    memset(big, 'x', sizeof big - 1);
    struct mpc_sym_pair large[] = {pair("a", big)};
    qk_assert_err(mpc_sym_ec_encode(twice, 3, &ec), QK_E_MALFORMED);
    qk_assert_err(mpc_sym_ec_encode(latin, 1, &ec), QK_E_MALFORMED);
    qk_assert_err(mpc_sym_ec_encode(large, 1, &ec), QK_E_MALFORMED);
    big[MPC_SYM_EC_MAX - 2 - 9] = 0; /* 2 + 4 + 1 + 4 + value = 8192 */
    large[0] = pair("a", big);
    qk_assert_ok(mpc_sym_ec_encode(large, 1, &ec));
    cr_assert_eq(ec.len, MPC_SYM_EC_MAX);

    static const char *const bad[] = {"", "00", "0001", "000000", "0000ff",
        "0001000000016100000001310a",               /* trailing */
        "000100000001610000000231",                 /* value too short */
        "0002000000016200000000000000016100000000", /* descending */
        "0002000000016100000000000000016100000000", /* twice */
        "000100000001ff00000000",                   /* not UTF-8 */
        "0001ffffffff"};
    for (size_t i = 0; i < QK_COUNT(bad); i++) {
        uint8_t bytes[64];
        size_t len = strlen(bad[i]) / 2;
        qk_assert_ok(qk_unhex(qk_str(bad[i]), bytes, len));
        cr_assert_eq(mpc_sym_ec_check(qk_bytes(bytes, len)), QK_E_MALFORMED, "%s", bad[i]);
    }
}

/* ---- pad ---- */

QK_TEST(sym_values, the_pad_undoes_itself_and_depends_on_x_and_w)
{
    uint8_t m[100], e[100], back[100], x[32] = {1};
    struct qk_sec32 w = {{2}};
    count_up(m, sizeof m, 0);
    qk_assert_ok(sym_pad(e, QK_BYTES(m), x, &w));
    qk_assert_ok(sym_pad(back, QK_BYTES(e), x, &w));
    cr_assert_eq(memcmp(m, back, sizeof m), 0);
    x[31] ^= 1;
    qk_assert_ok(sym_pad(back, QK_BYTES(e), x, &w));
    cr_assert_neq(memcmp(m, back, 32), 0);
    x[31] ^= 1;
    w.b[31] ^= 1;
    qk_assert_ok(sym_pad(back, QK_BYTES(e), x, &w));
    cr_assert_neq(memcmp(m, back, 32), 0);
}
