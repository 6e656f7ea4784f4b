/* Sums of products that are reduced once. */
#include "group/wide.h"
#include "seeded.h"

/* q - 1 */
static struct mpc_scalar largest(const struct mpc_curve *c)
{
    struct mpc_scalar one, v;
    mpc_scalar_set_u64(&one, 1);
    mpc_scalar_neg(c, &v, &one);
    return v;
}

static void check_sum(const struct mpc_curve *c, const struct mpc_scalar *a,
    const struct mpc_scalar *b, const struct mpc_scalar *plus, size_t n)
{
    MPC_WIDE(sum);
    struct mpc_scalar want = *plus, got, term;
    for (size_t i = 0; i < n; i++) {
        mpc_wide_mul_add(c, &sum, &a[i], &b[i]);
        mpc_scalar_mul_mont(c, &term, &a[i], &b[i]);
        mpc_scalar_add(c, &want, &want, &term);
    }
    mpc_wide_add_mont(c, &sum, plus);
    mpc_wide_redc(c, &got, &sum);
    cr_assert(mpc_scalar_eq_mask(&got, &want), "%s, %zu products", c->name, n);
}

QK_TEST(wide, sums_agree_with_scalar_arithmetic)
{
    struct seeded rng = seeded_new("wide");
    static struct mpc_scalar a[1024], b[1024];
    EACH_CURVE(c)
    {
        struct mpc_scalar plus;
        for (size_t i = 0; i < 1024; i++) {
            qk_assert_ok(mpc_scalar_random(c, &a[i], &rng.base));
            qk_assert_ok(mpc_scalar_random(c, &b[i], &rng.base));
        }
        qk_assert_ok(mpc_scalar_random(c, &plus, &rng.base));
        for (size_t n = 0; n <= 4; n++) check_sum(c, a, b, &plus, n);
        check_sum(c, a, b, &plus, 1024);
    }
}

/* The bound of the header: 1024 times the largest product, and the largest addend. */
QK_TEST(wide, the_largest_sum_does_not_overflow)
{
    static struct mpc_scalar a[1024];
    EACH_CURVE(c)
    {
        for (size_t i = 0; i < 1024; i++) a[i] = largest(c);
        check_sum(c, a, a, &a[0], 1024);
        check_sum(c, a, a, &a[0], 1);
    }
}
