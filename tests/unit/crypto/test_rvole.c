/* The random vector multiplication: known answers, correctness, and what a cheater can do. */
#include "ecdsa/rvole.h"
#include "ecdsa_kat.h"
#include "ecdsa_mul.h"

QK_TEST(rvole, known_answers_on_every_curve)
{
    EACH_CURVE(c)
    {
        struct mul_world *w = mul_kat(c);
        mul_run(w);
        uint8_t h[32], enc[4 * MPC_SCALAR_MAX];
        ecdsa_kat_assert("rvole", c->name, "xh", w->xh, 16);
        struct qk_buf m = QK_BUF(1 << 20);
        qk_buf_add(&m, w->u, ot_u_len(&w->v.d));
        qk_buf_add(&m, w->xh, 16);
        qk_buf_add(&m, w->th, ot_th_len(&w->v.d));
        qk_assert_ok(mpc_h32(h, "kat-m1", MPC_FIELDS(qk_buf_view(&m))));
        qk_buf_free(&m);
        ecdsa_kat_assert("rvole", c->name, "m1", h, 32);
        mpc_scalar_encode(c, enc, &w->b);
        ecdsa_kat_assert("rvole", c->name, "b-tail", enc + c->lq - 8, 8);
        qk_assert_ok(mpc_h32(h, "kat-m2",
            MPC_FIELDS({w->at, rvole_at_len(c, &w->v.d)}, {w->eta, c->lq}, {w->mu, 64})));
        ecdsa_kat_assert("rvole", c->name, "m2", h, 32);
        for (size_t i = 0; i < 2; i++) {
            mpc_scalar_encode(c, enc + i * c->lq, &w->cs[i]);
            mpc_scalar_encode(c, enc + (2 + i) * c->lq, &w->ds[i]);
        }
        qk_assert_ok(mpc_h32(h, "kat-cd",
            MPC_FIELDS({enc, c->lq}, {enc + c->lq, c->lq}, {enc + 2 * c->lq, c->lq},
                {enc + 3 * c->lq, c->lq})));
        ecdsa_kat_assert("rvole", c->name, "cd", h, 32);
        free(w);
    }
}

QK_TEST(rvole, shares_add_up_to_the_product)
{
    struct seeded rng = seeded_new("rvole");
    EACH_CURVE(c)
    {
        struct mul_world *w = mul_random(c, &rng.base);
        mul_run(w);
        for (size_t i = 0; i < 2; i++) {
            struct mpc_scalar sum, product;
            mpc_scalar_add(c, &sum, &w->cs[i], &w->ds[i]);
            mpc_scalar_mul(c, &product, &w->a[i], &w->b);
            cr_expect(mpc_scalar_eq_mask(&sum, &product), "%s, product %zu", c->name, i);
        }
        free(w);
    }
}
