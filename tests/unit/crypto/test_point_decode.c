/* C-3: what a point decoder must refuse. */
#include "seeded.h"

#include <openssl/bn.h>
#include <openssl/ec.h>

/* Writes p + x0 as lp bytes; false if that does not fit. */
static bool field_prime_plus(const struct mpc_curve *c, unsigned x0, uint8_t *out)
{
    EC_GROUP *g = EC_GROUP_new_by_curve_name(c->nid);
    BIGNUM *v = BN_new();
    EC_GROUP_get_curve(g, v, NULL, NULL, NULL);
    BN_add_word(v, x0);
    int n = BN_bn2binpad(v, out, c->lp);
    BN_free(v);
    EC_GROUP_free(g);
    return n == c->lp;
}

/* The smallest x >= from with (on) or without a point. */
static unsigned small_x(const struct mpc_curve *c, struct mpc_point *p, bool on, unsigned from)
{
    uint8_t b[MPC_POINT_MAX] = {0};
    for (unsigned x = from; x < from + 64; x++) {
        b[0] = 2;
        b[c->pt - 1] = (uint8_t)x;
        if ((mpc_point_decode_var(p, qk_bytes(b, c->pt)) == QK_OK) == on) return x;
    }
    cr_assert_fail("no such x");
    return 0;
}

static void assert_refused(struct mpc_point *p, const uint8_t *b, size_t len, const char *what)
{
    uint8_t before[MPC_POINT_MAX], after[MPC_POINT_MAX];
    qk_assert_ok(mpc_point_set_generator(p));
    qk_assert_ok(mpc_point_encode(before, p));
    cr_expect_eq(
        mpc_point_decode_var(p, qk_bytes(b, len)), QK_E_MALFORMED, "C-3: %s, %s", p->c->name, what);
    qk_assert_ok(mpc_point_encode(after, p));
    cr_expect_eq(memcmp(before, after, p->c->pt), 0, "%s: result written", what);
}

QK_TEST(point_decode, C_3_rejects_x_with_no_point)
{
    EACH_CURVE(c)
    {
        MPC_POINT(p);
        qk_assert_ok(mpc_point_init(&p, c));
        for (unsigned i = 0, x = 1; i < 5; i++, x++) {
            uint8_t b[MPC_POINT_MAX] = {2};
            x = small_x(c, &p, false, x);
            b[c->pt - 1] = (uint8_t)x;
            assert_refused(&p, b, c->pt, "x off the curve, even y");
            b[0] = 3;
            assert_refused(&p, b, c->pt, "x off the curve, odd y");
        }
    }
}

/* The same point under a second name: x + p. */
QK_TEST(point_decode, C_3_rejects_x_not_below_p)
{
    EACH_CURVE(c)
    {
        MPC_POINT(p);
        qk_assert_ok(mpc_point_init(&p, c));
        uint8_t b[MPC_POINT_MAX] = {2};
        cr_assert(field_prime_plus(c, 0, b + 1));
        assert_refused(&p, b, c->pt, "x = p");
        for (unsigned i = 0, x = 1; i < 5; i++, x++) {
            x = small_x(c, &p, true, x);
            cr_assert(field_prime_plus(c, x, b + 1));
            assert_refused(&p, b, c->pt, "x = p + the x of a point");
        }
        memset(b + 1, 0xff, c->lp);
        assert_refused(&p, b, c->pt, "x all ones");
    }
}

QK_TEST(point_decode, C_3_rejects_every_prefix_but_02_and_03)
{
    EACH_CURVE(c)
    {
        MPC_POINT(p);
        uint8_t b[MPC_POINT_MAX];
        qk_assert_ok(mpc_point_init(&p, c));
        qk_assert_ok(mpc_point_set_generator(&p));
        qk_assert_ok(mpc_point_encode(b, &p));
        for (unsigned prefix = 0; prefix < 256; prefix++) {
            if (prefix == 2 || prefix == 3) continue;
            b[0] = (uint8_t)prefix;
            assert_refused(&p, b, c->pt, "prefix");
        }
    }
}

QK_TEST(point_decode, C_3_rejects_every_length_but_pt)
{
    EACH_CURVE(c)
    {
        MPC_POINT(p);
        uint8_t b[2 * MPC_POINT_MAX] = {0};
        qk_assert_ok(mpc_point_init(&p, c));
        qk_assert_ok(mpc_point_set_generator(&p));
        qk_assert_ok(mpc_point_encode(b, &p));
        for (size_t len = 0; len < sizeof b; len++)
            if (len != c->pt) assert_refused(&p, b, len, "length");
        qk_assert_ok(mpc_point_encode_uncompressed(b, &p));
        assert_refused(&p, b, (size_t)(1 + 2 * c->lp), "uncompressed form");
        b[0] = (uint8_t)(6 + (b[2 * c->lp] & 1));
        assert_refused(&p, b, (size_t)(1 + 2 * c->lp), "hybrid form");
        assert_refused(&p, NULL, 0, "no bytes at all");
    }
}

QK_TEST(point_decode, C_3_rejects_every_spelling_of_infinity)
{
    EACH_CURVE(c)
    {
        MPC_POINT(p);
        uint8_t zeros[2 * MPC_POINT_MAX] = {0};
        qk_assert_ok(mpc_point_init(&p, c));
        assert_refused(&p, zeros, 1, "00");
        assert_refused(&p, zeros, c->pt, "pt zeros");
        assert_refused(&p, zeros, (size_t)(1 + 2 * c->lp), "uncompressed zeros");
    }
}

QK_TEST(point_decode, what_is_encoded_decodes_to_the_same_point)
{
    struct seeded rng = seeded_new("what_is_encoded_decodes_to_the_same_point");
    EACH_CURVE(c)
    {
        MPC_POINT(p);
        MPC_POINT(q);
        qk_assert_ok(mpc_point_init(&p, c));
        qk_assert_ok(mpc_point_init(&q, c));
        for (int i = 0; i < 20; i++) {
            struct mpc_scalar k;
            uint8_t b[MPC_POINT_MAX];
            qk_assert_ok(mpc_scalar_random_nonzero(c, &k, &rng.base));
            qk_assert_ok(mpc_point_mul_base(&p, &k));
            qk_assert_ok(mpc_point_encode(b, &p));
            qk_assert_ok(mpc_point_decode_var(&q, qk_bytes(b, c->pt)));
            cr_assert(mpc_point_eq_var(&p, &q));
            b[0] ^= 1; /* the other y */
            qk_assert_ok(mpc_point_decode_var(&q, qk_bytes(b, c->pt)));
            cr_assert_not(mpc_point_eq_var(&p, &q));
            qk_assert_ok(mpc_point_add(&q, &q, &p));
            cr_assert(mpc_point_is_infinity(&q));
        }
    }
}

/* P-256 decompresses with our own square root; half of all x have no point. */
QK_TEST(point_decode, C_3_p256_agrees_with_openssl_on_any_x)
{
    struct seeded rng = seeded_new("C_3_p256_agrees_with_openssl_on_any_x");
    const struct mpc_curve *c = mpc_curve_get(MPC_P256);
    EC_GROUP *g = EC_GROUP_new_by_curve_name(c->nid);
    EC_POINT *ref = EC_POINT_new(g);
    unsigned valid = 0;
    for (unsigned i = 0; i < 600; i++) {
        uint8_t in[33] = {0}, got[65], want[65];
        if (i >= 100) qk_assert_ok(qk_rng_fill(&rng.base, in, sizeof in));
        if (i < 100) in[32] = (uint8_t)(i / 2); /* small x */
        if (i >= 500) memset(in + 1, 0xff, 4);  /* x around p */
        in[0] = (uint8_t)(2 + i % 2);
        MPC_POINT(p);
        qk_assert_ok(mpc_point_init(&p, c));
        bool good = EC_POINT_oct2point(g, ref, in, sizeof in, NULL) == 1;
        cr_assert_eq(mpc_point_decode_var(&p, QK_BYTES(in)), good ? QK_OK : QK_E_MALFORMED);
        if (!good) continue;
        valid++;
        EC_POINT_point2oct(g, ref, POINT_CONVERSION_UNCOMPRESSED, want, sizeof want, NULL);
        qk_assert_ok(mpc_point_encode_uncompressed(got, &p));
        cr_assert_eq(memcmp(got, want, sizeof got), 0);
    }
    cr_assert(valid > 200 && valid < 400);
    EC_POINT_free(ref);
    EC_GROUP_free(g);
}
