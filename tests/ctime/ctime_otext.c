/* E-24: the OT extension with Delta, all seeds and the choice bits secret. */
#include "ctime.h"

#include "ecdsa/otext.h"

static uint8_t pairs[OT_KAPPA_MAX * 64], seeds[OT_KAPPA_MAX * 32], delta[32], x[OT_NB_MAX];
static uint8_t u[OT_KAPPA_MAX * OT_NB_MAX], xh[16], th[OT_KAPPA_MAX * 16];
static uint8_t rows[OT_XI_MAX * OT_ROW_MAX];

static void choose(const struct ot_dims *d)
{
    ct_secret_random(pairs, sizeof pairs);
    ct_secret_random(delta, sizeof delta);
    ct_secret_random(x, sizeof x);
    for (size_t k = 0; k < d->kappa; k++) {
        uint8_t mask = (uint8_t)(0 - ot_bit(delta, k));
        for (size_t i = 0; i < 32; i++)
            seeds[32 * k + i] =
                (uint8_t)((pairs[64 * k + i] & ~mask) | (pairs[64 * k + 32 + i] & mask));
    }
}

static void one(struct ot_dims d)
{
    static const uint8_t pm[32] = {1};
    choose(&d);
    /* u is masked by the pads of the other branch before it enters the challenge; it is sent. */
    CT_OK(otext_bob(&d, pm, pairs, x, u, xh, th, rows));
    ct_public(u, sizeof u);
    ct_public(xh, sizeof xh);
    ct_public(th, sizeof th);
    struct otext_msg msg = {{u, ot_u_len(&d)}, {xh, 16}, {th, ot_th_len(&d)}};
    CT_OK(otext_alice(&d, pm, delta, seeds, &msg, rows)); /* the one result is made public */
}

CT_MAIN
{
    for (unsigned id = MPC_SECP256K1; id <= MPC_P521; id++) one(ot_dims_sign(mpc_curve_get(id)));
    one(ot_dims_derive(MPC_OT_L1));
    one(ot_dims_derive(MPC_OT_L2));
}
