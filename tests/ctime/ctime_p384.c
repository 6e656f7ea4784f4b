/* Our own multiplication on P-384, scalar and point secret. */
#include "ctime.h"

#include "group/p384.h"

CT_MAIN
{
    const struct mpc_curve *c = mpc_curve_get(MPC_P384);
    struct mpc_scalar k;
    struct p384_affine a, b;
    CT_OK(mpc_scalar_random_nonzero(c, &k, qk_rng_system()));
    ct_secret(&k, sizeof k);
    (void)p384_mul_base(&a, &k);
    (void)p384_mul(&b, &k, &a); /* a is still secret */
}
