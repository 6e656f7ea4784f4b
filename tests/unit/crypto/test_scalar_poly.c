/* Party ids, Lagrange coefficients, polynomials. */
#include "seeded.h"

static void assert_is_fraction(
    const struct mpc_curve *c, const struct mpc_scalar *got, int num, int den)
{
    struct mpc_scalar n, d;
    mpc_scalar_set_u64(&n, (uint64_t)abs(num));
    mpc_scalar_set_u64(&d, (uint64_t)den);
    if (num < 0) mpc_scalar_neg(c, &n, &n);
    mpc_scalar_mul(c, &d, &d, got);
    cr_assert_eq(mpc_scalar_eq_mask(&n, &d), UINT64_MAX);
}

/* RFC 9591 and protocols/10-dkg.md section 5: for {1,3} they are 3/2 and -1/2. */
QK_TEST(poly, lagrange_coefficients_of_1_and_3)
{
    static const uint16_t ids[] = {1, 3};
    EACH_CURVE(c)
    {
        struct mpc_scalar l;
        qk_assert_ok(mpc_lagrange_var(c, &l, ids, 2, 1));
        assert_is_fraction(c, &l, 3, 2);
        qk_assert_ok(mpc_lagrange_var(c, &l, ids, 2, 3));
        assert_is_fraction(c, &l, -1, 2);
    }
}

static void check_interpolation(
    const struct mpc_curve *c, const uint16_t *ids, size_t n, struct seeded *rng)
{
    struct mpc_scalar coeffs[5], sum = {{0}};
    for (size_t k = 0; k < n; k++) qk_assert_ok(mpc_scalar_random(c, &coeffs[k], &rng->base));
    for (size_t k = 0; k < n; k++) {
        struct mpc_scalar l, y;
        qk_assert_ok(mpc_lagrange_var(c, &l, ids, n, ids[k]));
        mpc_poly_eval(c, &y, coeffs, n, ids[k]);
        mpc_scalar_mul(c, &y, &y, &l);
        mpc_scalar_add(c, &sum, &sum, &y);
    }
    cr_assert_eq(mpc_scalar_eq_mask(&sum, &coeffs[0]), UINT64_MAX);
}

QK_TEST(poly, t_values_interpolate_to_the_constant_term)
{
    struct seeded rng = seeded_new("t_values_interpolate_to_the_constant_term");
    static const uint16_t ids[][5] = {
        {1}, {255}, {1, 2}, {2, 255}, {1, 2, 3}, {5, 100, 254, 255}, {1, 2, 3, 4, 5}};
    static const size_t n[] = {1, 1, 2, 2, 3, 4, 5};
    EACH_CURVE(c)
    {
        for (size_t i = 0; i < QK_COUNT(n); i++) check_interpolation(c, ids[i], n[i], &rng);
    }
}

QK_TEST(poly, evaluation_is_the_sum_of_powers)
{
    struct seeded rng = seeded_new("evaluation_is_the_sum_of_powers");
    EACH_CURVE(c)
    {
        struct mpc_scalar coeffs[4], x, pow, term, want = {{0}}, got;
        mpc_scalar_set_u64(&x, 65535);
        mpc_scalar_set_u64(&pow, 1);
        for (int k = 0; k < 4; k++) {
            qk_assert_ok(mpc_scalar_random(c, &coeffs[k], &rng.base));
            mpc_scalar_mul(c, &term, &coeffs[k], &pow);
            mpc_scalar_add(c, &want, &want, &term);
            mpc_scalar_mul(c, &pow, &pow, &x);
        }
        mpc_poly_eval(c, &got, coeffs, 4, 65535);
        cr_assert_eq(mpc_scalar_eq_mask(&got, &want), UINT64_MAX);
        mpc_poly_eval(c, &got, coeffs, 4, 0);
        cr_assert_eq(mpc_scalar_eq_mask(&got, &coeffs[0]), UINT64_MAX);
        mpc_poly_eval(c, &got, coeffs, 0, 3);
        cr_assert_eq(mpc_scalar_zero_mask(&got), UINT64_MAX);
    }
}

/* C-1: ids are the integers 1..255, strictly ascending. */
QK_TEST(poly, C_1_bad_party_lists_are_refused_before_any_evaluation)
{
    static const struct {
        const char *what;
        uint16_t ids[3];
        size_t n;
    } bad[] = {
        {"empty", {0}, 0},
        {"id 0", {0, 1, 2}, 3},
        {"duplicate", {1, 2, 2}, 3},
        {"descending", {3, 2, 1}, 3},
        {"id above 255: 1 mod 255", {1, 2, 256}, 3},
        {"the delegate among nodes", {1, 2, 65535}, 3},
    };
    const struct mpc_curve *c = mpc_curve_get(MPC_P256);
    for (size_t i = 0; i < QK_COUNT(bad); i++) {
        struct mpc_scalar l = {{5}};
        cr_expect_eq(mpc_ids_check(bad[i].ids, bad[i].n), QK_E_MALFORMED, "%s", bad[i].what);
        cr_expect_eq(
            mpc_lagrange_var(c, &l, bad[i].ids, bad[i].n, 1), QK_E_STATE, "%s", bad[i].what);
        cr_expect_eq(l.w[0], 5, "%s: no output", bad[i].what);
    }
    static const uint16_t good[] = {1, 2, 255};
    struct mpc_scalar l;
    qk_assert_ok(mpc_ids_check(good, 3));
    qk_assert_err(mpc_lagrange_var(c, &l, good, 3, 3), QK_E_STATE); /* not among them */
}

/* C-1, the other half: an id that equals another mod q cannot be written down. As bytes, id + q is
 * not a scalar, and as an id it does not fit. */
QK_TEST(poly, C_1_an_id_congruent_to_another_mod_q_is_not_representable)
{
    EACH_CURVE(c)
    {
        struct mpc_scalar id, r;
        uint8_t b[MPC_SCALAR_MAX];
        mpc_scalar_set_u64(&id, 1);
        mpc_scalar_neg(c, &id, &id); /* q - 1 */
        mpc_scalar_encode(c, b, &id);
        /* q + 2, which is 2 mod q; no last byte of q - 1 is near a carry. */
        b[c->lq - 1] = (uint8_t)(b[c->lq - 1] + 3);
        qk_assert_err(mpc_scalar_decode(c, &r, qk_bytes(b, c->lq)), QK_E_MALFORMED);
    }
}
