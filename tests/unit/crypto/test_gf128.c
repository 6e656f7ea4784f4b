#include "seeded.h"

#include "mpc/gf128.h"
#include "mpc/transcript.h"

static void kat(uint8_t out[16], const char *n)
{
    qk_assert_ok(mpc_expand(out, 16, "kat", MPC_FIELDS(qk_str(n))));
}

QK_TEST(gf128, known_answers)
{
    uint8_t a[16], b[16], r[16];
    uint8_t x[16] = {2}, x127[16] = {[15] = 0x80};
    kat(a, "gf-a");
    kat(b, "gf-b");
    mpc_gf128_mul(r, a, b);
    kat_assert("kat-gf128.txt", "gf-a times gf-b", r, 16);
    mpc_gf128_mul_portable(r, a, b);
    kat_assert("kat-gf128.txt", "gf-a times gf-b", r, 16);
    mpc_gf128_mul(r, x127, x);
    kat_assert("kat-gf128.txt", "X^127 times X", r, 16);
    mpc_gf128_mul_portable(r, x127, x);
    kat_assert("kat-gf128.txt", "X^127 times X", r, 16);
}

static void assert_same(const uint8_t *a, const uint8_t *b)
{
    cr_assert_eq(memcmp(a, b, 16), 0);
}

QK_TEST(gf128, both_implementations_agree_and_form_a_ring)
{
    struct seeded rng = seeded_new("both_implementations_agree_and_form_a_ring");
    uint8_t one[16] = {1}, zero[16] = {0};
    for (int i = 0; i < 3000; i++) {
        uint8_t a[16], b[16], c[16], r[16], s[16], t[16];
        qk_assert_ok(qk_rng_fill(&rng.base, a, 16));
        qk_assert_ok(qk_rng_fill(&rng.base, b, 16));
        qk_assert_ok(qk_rng_fill(&rng.base, c, 16));
        mpc_gf128_mul(r, a, b);
        mpc_gf128_mul_portable(s, a, b);
        assert_same(r, s);
        mpc_gf128_mul(s, b, a);
        assert_same(r, s);
        memcpy(t, c, 16); /* c + a*b */
        mpc_gf128_mul_add(t, a, b);
        mpc_gf128_add(s, r, c);
        assert_same(t, s);
        mpc_gf128_add(s, a, b); /* (a + b)*c = a*c + b*c */
        mpc_gf128_mul(s, s, c);
        mpc_gf128_mul(t, a, c);
        mpc_gf128_mul_add(t, b, c);
        assert_same(s, t);
        mpc_gf128_mul(s, r, c); /* (a*b)*c = a*(b*c) */
        mpc_gf128_mul(t, b, c);
        mpc_gf128_mul(t, a, t);
        assert_same(s, t);
        mpc_gf128_mul(s, a, one);
        assert_same(s, a);
        mpc_gf128_mul(s, a, zero);
        assert_same(s, zero);
        memcpy(s, a, 16); /* in place */
        mpc_gf128_mul(s, s, b);
        assert_same(s, r);
        memcpy(s, b, 16);
        mpc_gf128_mul_portable(s, a, s);
        assert_same(s, r);
    }
}

/* Every product of single powers, against shifting by hand. */
QK_TEST(gf128, powers_of_x_multiply_as_powers)
{
    uint8_t powers[255][16] = {{1}};
    for (int i = 1; i < 255; i++) {
        unsigned carry = powers[i - 1][15] >> 7;
        for (int k = 15; k > 0; k--)
            powers[i][k] = (uint8_t)((powers[i - 1][k] << 1) | (powers[i - 1][k - 1] >> 7));
        powers[i][0] = (uint8_t)((powers[i - 1][0] << 1) ^ (carry ? 0x87 : 0));
    }
    for (int i = 0; i < 128; i++)
        for (int j = 0; j < 127; j++) {
            uint8_t r[16];
            mpc_gf128_mul(r, powers[i], powers[j]);
            assert_same(r, powers[i + j]);
            mpc_gf128_mul_portable(r, powers[i], powers[j]);
            assert_same(r, powers[i + j]);
        }
}
