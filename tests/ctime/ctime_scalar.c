/* Arithmetic mod q on every curve, all operands secret. */
#include "ctime.h"

#include "mpc/group.h"

static void secret_scalar(const struct mpc_curve *c, struct mpc_scalar *s)
{
    CT_OK(mpc_scalar_random(c, s, qk_rng_system()));
    ct_secret(s, sizeof *s);
}

static void arithmetic(const struct mpc_curve *c)
{
    struct mpc_scalar a, b, r, mont;
    secret_scalar(c, &a);
    secret_scalar(c, &b);
    mpc_scalar_add(c, &r, &a, &b);
    mpc_scalar_sub(c, &r, &r, &b);
    mpc_scalar_neg(c, &r, &r);
    mpc_scalar_mul(c, &r, &r, &b);
    mpc_scalar_to_mont(c, &mont, &a);
    mpc_scalar_mul_mont(c, &r, &r, &mont);
    mpc_scalar_inv(c, &r, &r);
    mpc_poly_eval(c, &r, (struct mpc_scalar[]){a, b, r}, 3, 7);
}

static void masks(const struct mpc_curve *c)
{
    struct mpc_scalar a, b, r;
    secret_scalar(c, &a);
    secret_scalar(c, &b);
    mpc_scalar_select(&r, mpc_scalar_eq_mask(&a, &b), &a, &b);
    mpc_scalar_mask(&r, mpc_scalar_high_mask(c, &a), &r);
    mpc_scalar_select(&r, mpc_scalar_zero_mask(&r), &b, &r);
    uint8_t enc[MPC_SCALAR_MAX];
    mpc_scalar_encode(c, enc, &r);
}

static void reduction(const struct mpc_curve *c)
{
    uint8_t wide[MPC_WIDE_MAX];
    struct mpc_scalar r;
    ct_secret_random(wide, sizeof wide);
    CT_OK(mpc_scalar_reduce(c, &r, qk_bytes(wide, c->lh)));
    CT_OK(mpc_scalar_reduce(c, &r, qk_bytes(wide, c->lq)));
}

CT_MAIN
{
    for (unsigned id = MPC_SECP256K1; id <= MPC_P521; id++) {
        arithmetic(mpc_curve_get(id));
        masks(mpc_curve_get(id));
        reduction(mpc_curve_get(id));
    }
}
