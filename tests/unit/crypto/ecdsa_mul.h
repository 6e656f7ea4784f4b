/** One multiplication between two honest parties, with every intermediate value in reach. */
#ifndef TEST_ECDSA_MUL_H
#define TEST_ECDSA_MUL_H

#include "ecdsa/rvole.h"
#include "ecdsa_kat.h"

struct mul_world {
    struct rvole v;
    struct mpc_scalar gadget[OT_XI_MAX];
    uint8_t pairs[OT_KAPPA_MAX * 64], seeds[OT_KAPPA_MAX * 32], delta[32], x[OT_NB_MAX];
    struct mpc_scalar a[3];
    uint8_t u[OT_KAPPA_MAX * OT_NB_MAX], xh[16], th[OT_KAPPA_MAX * 16];
    uint8_t t_rows[OT_XI_MAX * OT_ROW_MAX], q_rows[OT_XI_MAX * OT_ROW_MAX];
    uint8_t at[3 * OT_XI_MAX * MPC_SCALAR_MAX], eta[MPC_SCALAR_MAX], mu[64];
    struct mpc_scalar b, cs[2], ds[2];
};

static inline struct mul_world *mul_new(const struct mpc_curve *c, const uint8_t psid[32])
{
    struct mul_world *w = calloc(1, sizeof *w);
    cr_assert_not_null(w);
    w->v = (struct rvole){.c = c, .d = ot_dims_sign(c), .gadget_mont = w->gadget};
    qk_assert_ok(rvole_gadget(c, psid, w->gadget));
    return w;
}

static inline void mul_choose_seeds(struct mul_world *w)
{
    for (size_t k = 0; k < w->v.d.kappa; k++)
        memcpy(w->seeds + 32 * k, w->pairs + 64 * k + 32u * ot_bit(w->delta, k), 32);
}

/* The fixed inputs of section 11. */
static inline struct mul_world *mul_kat(const struct mpc_curve *c)
{
    uint8_t psid[32];
    kat_bytes("ps", 2, psid, 32);
    struct mul_world *w = mul_new(c, psid);
    const struct ot_dims *d = &w->v.d;
    kat_bytes("pm", 2, w->v.pm, 32);
    for (unsigned k = 0; k < d->kappa; k++) {
        for (unsigned b = 0; b < 2; b++) {
            char n[7] = {'s', 'e', 'e', 'd', (char)(k >> 8), (char)k, (char)b};
            kat_bytes(n, 7, w->pairs + 64 * k + 32 * b, 32);
        }
    }
    kat_bytes("delta", 5, w->delta, d->kappa / 8u);
    kat_bytes("beta", 4, w->x, d->xi / 8u);
    kat_bytes("tau", 3, w->x + d->xi / 8u, 16);
    mul_choose_seeds(w);
    w->a[0] = kat_scalar(c, "a0", 2);
    w->a[1] = kat_scalar(c, "a1", 2);
    w->a[2] = kat_scalar(c, "ahat", 4);
    return w;
}

static inline struct mul_world *mul_random(const struct mpc_curve *c, struct qk_rng *rng)
{
    uint8_t psid[32];
    qk_assert_ok(qk_rng_fill(rng, psid, 32));
    struct mul_world *w = mul_new(c, psid);
    qk_assert_ok(qk_rng_fill(rng, w->v.pm, 32));
    qk_assert_ok(qk_rng_fill(rng, w->pairs, sizeof w->pairs));
    qk_assert_ok(qk_rng_fill(rng, w->delta, sizeof w->delta));
    qk_assert_ok(qk_rng_fill(rng, w->x, sizeof w->x));
    mul_choose_seeds(w);
    for (size_t i = 0; i < 3; i++) qk_assert_ok(mpc_scalar_random(c, &w->a[i], rng));
    return w;
}

static inline struct otext_msg mul_msg(const struct mul_world *w)
{
    return (struct otext_msg){{w->u, ot_u_len(&w->v.d)}, {w->xh, 16}, {w->th, ot_th_len(&w->v.d)}};
}

static inline struct rvole_answer mul_answer(const struct mul_world *w)
{
    return (struct rvole_answer){
        {w->at, rvole_at_len(w->v.c, &w->v.d)}, {w->eta, w->v.c->lq}, {w->mu, 64}};
}

static inline void mul_bob_sends(struct mul_world *w)
{
    rvole_b(&w->v, w->x, &w->b);
    qk_assert_ok(otext_bob(&w->v.d, w->v.pm, w->pairs, w->x, w->u, w->xh, w->th, w->t_rows));
}

static inline qk_err mul_alice_checks(struct mul_world *w)
{
    struct otext_msg m = mul_msg(w);
    return otext_alice(&w->v.d, w->v.pm, w->delta, w->seeds, &m, w->q_rows);
}

static inline void mul_alice_answers(struct mul_world *w)
{
    struct otext_msg m = mul_msg(w);
    qk_assert_ok(rvole_alice(&w->v, w->delta, w->q_rows, &m, w->a, w->at, w->eta, w->mu, w->cs));
}

static inline qk_err mul_bob_checks(struct mul_world *w)
{
    struct otext_msg m = mul_msg(w);
    struct rvole_answer a = mul_answer(w);
    return rvole_bob(&w->v, w->x, w->t_rows, &m, &a, w->ds);
}

static inline void mul_run(struct mul_world *w)
{
    mul_bob_sends(w);
    qk_assert_ok(mul_alice_checks(w));
    mul_alice_answers(w);
    qk_assert_ok(mul_bob_checks(w));
}

#endif
