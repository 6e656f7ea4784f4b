/* E-24: the multiplication with Delta, beta, rows and both inputs (nonce and key share) secret. */
#include "ctime.h"

#include "ecdsa/rvole.h"

static struct mpc_scalar gadget[OT_XI_MAX];
static uint8_t u[OT_KAPPA_MAX * OT_NB_MAX], xh[16], th[OT_KAPPA_MAX * 16];
static uint8_t q_rows[OT_XI_MAX * OT_ROW_MAX], t_rows[OT_XI_MAX * OT_ROW_MAX];
static uint8_t at[3 * OT_XI_MAX * MPC_SCALAR_MAX], eta[MPC_SCALAR_MAX], mu[64];

static void correlate(const struct ot_dims *d, const uint8_t *delta, const uint8_t *beta)
{
    size_t n = ot_row_len(d);
    ct_secret_random(t_rows, sizeof t_rows);
    for (size_t j = 0; j < d->xi; j++) {
        uint8_t mask = (uint8_t)(0 - ot_bit(beta, j));
        for (size_t i = 0; i < n; i++) q_rows[j * n + i] = t_rows[j * n + i] ^ (mask & delta[i]);
    }
}

static void one(const struct mpc_curve *c)
{
    static const uint8_t psid[32] = {2};
    struct rvole v = {.c = c, .d = ot_dims_sign(c), .pm = {3}, .gadget_mont = gadget};
    struct mpc_scalar a[3], b, cs[2], ds[2];
    uint8_t delta[OT_ROW_MAX], beta[OT_NB_MAX];
    CT_OK(rvole_gadget(c, psid, gadget));
    ct_secret_random(delta, sizeof delta);
    ct_secret_random(beta, sizeof beta);
    correlate(&v.d, delta, beta);
    for (size_t i = 0; i < 3; i++) CT_OK(mpc_scalar_random(c, &a[i], qk_rng_system()));
    ct_secret(a, sizeof a);
    rvole_b(&v, beta, &b);
    struct otext_msg msg = {{u, ot_u_len(&v.d)}, {xh, 16}, {th, ot_th_len(&v.d)}};
    CT_OK(rvole_alice(&v, delta, q_rows, &msg, a, at, eta, mu, cs));
    ct_public(at, sizeof at); /* the answer is sent to the peer */
    ct_public(eta, sizeof eta);
    ct_public(mu, sizeof mu);
    struct rvole_answer answer = {{at, rvole_at_len(c, &v.d)}, {eta, c->lq}, {mu, 64}};
    CT_OK(rvole_bob(&v, beta, t_rows, &msg, &answer, ds)); /* the one result is made public */
}

CT_MAIN
{
    for (unsigned id = MPC_SECP256K1; id <= MPC_P521; id++) one(mpc_curve_get(id));
}
