/* Must be reported: a secret that reaches a _var function of ours (00-common section 10). It shows
 * that marks survive our own arithmetic and enter the libraries. */
#include "ctime.h"

#include "mpc/group.h"

CT_MAIN
{
    const struct mpc_curve *c = mpc_curve_get(MPC_SECP256K1);
    struct mpc_scalar k, two;
    MPC_POINT(g);
    CT_OK(mpc_point_init(&g, c));
    CT_OK(mpc_point_set_generator(&g));
    CT_OK(mpc_scalar_random_nonzero(c, &k, qk_rng_system()));
    mpc_scalar_set_u64(&two, 2);
    ct_secret(&k, sizeof k);
    mpc_scalar_mul(c, &k, &k, &two);
    CT_OK(mpc_point_mul_add_var(&g, &two, &k, &g));
}
