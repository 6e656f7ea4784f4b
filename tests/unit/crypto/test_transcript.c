#include "seeded.h"

#include "mpc/transcript.h"

static const char *const KAT = "kat-common.txt";

QK_TEST(transcript, known_answers_of_T_H32_and_Expand)
{
    uint8_t one[] = {1}, out[100];
    struct mpc_fields f = MPC_FIELDS(QK_BYTES(one), {NULL, 0});
    QK_AUTO_BUF t = QK_BUF(100);
    qk_assert_ok(mpc_transcript(&t, "kat-h", f));
    cr_assert_eq(t.len, 33);
    kat_assert(KAT, "T kat-h", t.p, t.len);
    qk_assert_ok(mpc_h32(out, "kat-h", f));
    kat_assert(KAT, "H32 kat-h", out, 32);
    qk_assert_ok(mpc_expand(out, 100, "kat-x", MPC_FIELDS(qk_str("abc"))));
    kat_assert(KAT, "Expand kat-x last 16", out + 84, 16);
}

/* C-15: Lh bytes are reduced, not Lq. */
QK_TEST(transcript, C_15_H2S_known_answers_and_no_shortcut)
{
    EACH_CURVE(c)
    {
        struct mpc_scalar s, biased;
        uint8_t b[MPC_SCALAR_MAX], wide[MPC_WIDE_MAX];
        char name[32];
        qk_assert_ok(mpc_h2s(c, &s, "kat-s", MPC_FIELDS(qk_str("abc"))));
        mpc_scalar_encode(c, b, &s);
        snprintf(name, sizeof name, "H2S kat-s %s", c->name);
        kat_assert(KAT, name, b, c->lq);
        cr_assert_geq(8u * c->lh, c->q_bits + 128u);
        qk_assert_ok(mpc_expand(wide, c->lh, "kat-s", MPC_FIELDS(qk_str("abc"))));
        qk_assert_ok(mpc_scalar_reduce(c, &biased, qk_bytes(wide, c->lq)));
        cr_assert_eq(mpc_scalar_eq_mask(&s, &biased), 0, "only |q| bits were reduced");
    }
}

/* C-8: nobody knows the logarithm of H2P; hash*G is not a substitute. */
QK_TEST(transcript, C_8_H2P_known_answers_and_not_hash_times_G)
{
    static const unsigned curves[] = {MPC_P256, MPC_P521};
    for (size_t i = 0; i < QK_COUNT(curves); i++) {
        const struct mpc_curve *c = mpc_curve_get(curves[i]);
        MPC_POINT(p);
        MPC_POINT(known);
        struct mpc_scalar s;
        uint8_t b[MPC_POINT_MAX];
        char name[32];
        qk_assert_ok(mpc_point_init(&p, c));
        qk_assert_ok(mpc_point_init(&known, c));
        qk_assert_ok(mpc_h2p_var(&p, "kat-p", MPC_FIELDS(qk_str("abc"))));
        qk_assert_ok(mpc_point_encode(b, &p));
        snprintf(name, sizeof name, "H2P kat-p %s", c->name);
        kat_assert(KAT, name, b, c->pt);
        qk_assert_ok(mpc_h2s(c, &s, "kat-p", MPC_FIELDS(qk_str("abc"))));
        qk_assert_ok(mpc_point_mul_base(&known, &s));
        cr_assert_not(mpc_point_eq_var(&p, &known));
        mpc_scalar_neg(c, &s, &s);
        qk_assert_ok(mpc_point_mul_base(&known, &s));
        cr_assert_not(mpc_point_eq_var(&p, &known));
    }
}

QK_TEST(transcript, H2P_exists_for_two_curves_only)
{
    MPC_POINT(p);
    qk_assert_ok(mpc_point_init(&p, mpc_curve_get(MPC_SECP256K1)));
    qk_assert_err(mpc_h2p_var(&p, "kat-p", MPC_FIELDS(qk_str("abc"))), QK_E_STATE);
    mpc_point_clear(&p);
    qk_assert_ok(mpc_point_init(&p, mpc_curve_get(MPC_P384)));
    qk_assert_err(mpc_h2p_var(&p, "kat-p", MPC_FIELDS(qk_str("abc"))), QK_E_STATE);
}

static void be16(uint8_t *p, unsigned v)
{
    qk_put_u16(p, (uint16_t)v);
}

/* The formula of section 4, composed by hand. */
QK_TEST(transcript, known_answer_of_a_session_id)
{
    uint8_t version[2], key_id[16], e_net[4] = {0, 0, 0, 1}, e_del[4] = {0}, rec[32];
    uint8_t plist[2 * 34], t[2], req[32], n1[32], n3[32], sid[32];
    uint8_t curve[1] = {2}, access[1] = {0};
    be16(version, 1);
    for (int i = 0; i < 16; i++) key_id[i] = (uint8_t)i;
    memset(rec, 0x77, 32);
    be16(plist, 1);
    memset(plist + 2, 0x11, 32);
    be16(plist + 34, 3);
    memset(plist + 36, 0x33, 32);
    be16(t, 2);
    memset(req, 0xaa, 32);
    memset(n1, 0x01, 32);
    memset(n3, 0x03, 32);
    qk_assert_ok(mpc_h32(sid, MPC_L_SID,
        MPC_FIELDS(qk_str("ecdsa"), QK_BYTES(version), QK_BYTES(curve), QK_BYTES(key_id),
            QK_BYTES(e_net), QK_BYTES(e_del), QK_BYTES(rec), QK_BYTES(plist), QK_BYTES(t),
            QK_BYTES(access), QK_BYTES(req), QK_BYTES(n1), QK_BYTES(n3))));
    kat_assert(KAT, "sid", sid, 32);
}

/* C-4: no two field lists share a transcript. */
QK_TEST(transcript, C_4_moving_bytes_between_fields_changes_the_hash)
{
    uint8_t h[7][64];
    qk_assert_ok(mpc_h(h[0], "l", MPC_FIELDS(qk_str("ab"), qk_str("c"))));
    qk_assert_ok(mpc_h(h[1], "l", MPC_FIELDS(qk_str("a"), qk_str("bc"))));
    qk_assert_ok(mpc_h(h[2], "l", MPC_FIELDS(qk_str("abc"))));
    qk_assert_ok(mpc_h(h[3], "l", MPC_FIELDS(qk_str("ab"), qk_str("c"), qk_str(""))));
    qk_assert_ok(mpc_h(h[4], "l", MPC_FIELDS(qk_str(""), qk_str("ab"), qk_str("c"))));
    qk_assert_ok(mpc_h(h[5], "la", MPC_FIELDS(qk_str("b"), qk_str("c"))));
    qk_assert_ok(mpc_h(h[6], "", MPC_FIELDS(qk_str("lab"), qk_str("c"))));
    for (int i = 0; i < 7; i++)
        for (int j = 0; j < i; j++) cr_expect_neq(memcmp(h[i], h[j], 64), 0, "C-4: %d, %d", i, j);
}

/* C-4: a field that imitates framing stays one field. */
QK_TEST(transcript, C_4_a_field_cannot_imitate_its_neighbours)
{
    uint8_t fake[] = {'a', 0, 0, 0, 1, 'b'}, h1[64], h2[64];
    qk_assert_ok(mpc_h(h1, "l", MPC_FIELDS(QK_BYTES(fake))));
    qk_assert_ok(mpc_h(h2, "l", MPC_FIELDS(qk_str("a"), qk_str("b"))));
    cr_assert_neq(memcmp(h1, h2, 64), 0);
}

QK_TEST(transcript, shorter_outputs_are_prefixes)
{
    uint8_t full[64], h32[32], x[200], y[200];
    struct mpc_fields f = MPC_FIELDS(qk_str("field"));
    qk_assert_ok(mpc_h(full, "l", f));
    qk_assert_ok(mpc_h32(h32, "l", f));
    cr_assert_eq(memcmp(full, h32, 32), 0);
    qk_assert_ok(mpc_expand(x, sizeof x, "l", f));
    cr_assert_neq(memcmp(full, x, 64), 0, "Expand appends a counter");
    for (size_t len = 0; len <= sizeof y; len++) {
        memset(y, 0xee, sizeof y);
        qk_assert_ok(mpc_expand(y, len, "l", f));
        cr_assert_eq(memcmp(x, y, len), 0);
        if (len < sizeof y) cr_assert_eq(y[len], 0xee, "wrote beyond the end");
    }
}

QK_TEST(transcript, lengths_that_cannot_be_framed_are_refused)
{
    uint8_t out[64], *big = malloc((1u << 20) + 1u);
    cr_assert_not_null(big);
    /* Never read: the length alone is refused. */
    struct mpc_fields f = MPC_FIELDS({out, (size_t)UINT32_MAX + 1});
    qk_assert_err(mpc_h(out, "l", f), QK_E_STATE);
    qk_assert_err(mpc_expand(out, 64, "l", f), QK_E_STATE);
    f = MPC_FIELDS(qk_str("x"));
    qk_assert_ok(mpc_expand(big, 1u << 20, "l", f));
    qk_assert_err(mpc_expand(big, (1u << 20) + 1u, "l", f), QK_E_STATE);
    free(big);
}

QK_TEST(hasher, pieces_give_the_same_hash_as_fields)
{
    uint8_t want[64], got[64];
    MPC_HASHER(h);
    qk_assert_ok(mpc_h(want, "l", MPC_FIELDS(qk_str("abcdef"), qk_str(""), qk_str("xyz"))));
    qk_assert_ok(mpc_hasher_begin(&h, "l", 3));
    mpc_hasher_field_begin(&h, 6);
    mpc_hasher_part(&h, "ab", 2);
    mpc_hasher_part(&h, "", 0);
    mpc_hasher_part(&h, "cdef", 4);
    mpc_hasher_field(&h, qk_str(""));
    mpc_hasher_field(&h, qk_str("xyz"));
    qk_assert_ok(mpc_hasher_end(&h, got));
    cr_assert_eq(memcmp(want, got, 64), 0);
    qk_assert_err(mpc_hasher_end(&h, got), QK_E_STATE); /* it is used up */
}

/* C-4: the announced shape is enforced, so pieces cannot blur fields. */
QK_TEST(hasher, C_4_missing_short_or_extra_fields_are_refused)
{
    for (int wrong = 0; wrong < 5; wrong++) {
        uint8_t out[64] = {9};
        MPC_HASHER(h);
        qk_assert_ok(mpc_hasher_begin(&h, "l", 2));
        mpc_hasher_field(&h, qk_str("a"));
        if (wrong >= 1) mpc_hasher_field_begin(&h, 3);
        if (wrong >= 1) mpc_hasher_part(&h, "bc", 2);      /* 1: a byte is missing */
        if (wrong == 2) mpc_hasher_part(&h, "de", 2);      /* one too many */
        if (wrong == 3) mpc_hasher_field(&h, qk_str("d")); /* a field inside a field */
        if (wrong == 4) mpc_hasher_part(&h, "d", 1);
        if (wrong == 4) mpc_hasher_field(&h, qk_str("more")); /* a third field */
        cr_expect_eq(mpc_hasher_end(&h, out), QK_E_STATE, "case %d", wrong);
        cr_expect_eq(out[0], 9, "no output");
    }
}
