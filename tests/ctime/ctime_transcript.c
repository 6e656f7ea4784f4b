/* Hashing and hashing to scalars of secret fields; SHA-512 is checked along with it. */
#include "ctime.h"

#include "mpc/transcript.h"

CT_MAIN
{
    uint8_t secret[100], out[200];
    ct_secret_random(secret, sizeof secret);
    struct mpc_fields f = MPC_FIELDS(QK_BYTES(secret), qk_str("public"));
    CT_OK(mpc_h(out, "ctime", f));
    CT_OK(mpc_h32(out, "ctime", f));
    CT_OK(mpc_expand(out, sizeof out, "ctime", f));
    for (unsigned id = MPC_SECP256K1; id <= MPC_P521; id++) {
        struct mpc_scalar r;
        CT_OK(mpc_h2s(mpc_curve_get(id), &r, "ctime", f));
    }
    MPC_HASHER(h);
    CT_OK(mpc_hasher_begin(&h, "ctime", 1));
    mpc_hasher_field(&h, QK_BYTES(secret));
    CT_OK(mpc_hasher_end(&h, out));
}
