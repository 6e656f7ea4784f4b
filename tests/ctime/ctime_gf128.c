/* Both implementations of the product. */
#include "ctime.h"

#include "mpc/gf128.h"

CT_MAIN
{
    uint8_t a[16], b[16], r[16];
    ct_secret_random(a, sizeof a);
    ct_secret_random(b, sizeof b);
    mpc_gf128_mul(r, a, b);
    mpc_gf128_mul_portable(r, r, b);
    mpc_gf128_mul_add(r, a, b);
    mpc_gf128_add(r, r, a);
}
