/* The random vector multiplication: known answers, correctness, and what a cheater can do. */
#include "ecdsa/rvole.h"
#include "ecdsa_kat.h"
#include "ecdsa_cheat.h"
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

/* E-8: a-tilde_{j,l} changed by one with eta and mu recomputed passes iff beta_j = 0. */
QK_TEST(rvole, E_8_a_changed_row_fails_iff_its_choice_bit_is_one)
{
    struct seeded rng = seeded_new("rvole");
    EACH_CURVE(c)
    {
        struct mul_world *w = mul_random(c, &rng.base);
        mul_run(w);
        struct cheat_alice x = {
            c, w->v.d, w->v.pm, w->q_rows, mul_msg(w), {w->a[0], w->a[1], w->a[2]}};
        unsigned seen[2] = {0, 0};
        for (unsigned j = 0; j < 12; j++) {
            uint8_t *slot = w->at + (3 * j + j % 3) * c->lq, keep[MPC_SCALAR_MAX];
            memcpy(keep, slot, c->lq);
            cheat_add_one(c, slot);
            cheat_reanswer(&x, w->at, w->eta, w->mu);
            uint8_t beta = ot_bit(w->x, j);
            seen[beta]++;
            cr_expect_eq(
                mul_bob_checks(w), beta ? QK_E_PROOF : QK_OK, "E-8: %s, row %u", c->name, j);
            memcpy(slot, keep, c->lq);
        }
        cheat_reanswer(&x, w->at, w->eta, w->mu);
        qk_assert_ok(mul_bob_checks(w));
        free(w);
    }
}

QK_TEST(rvole, E_8_eta_mu_and_the_order_of_rows_are_checked)
{
    struct seeded rng = seeded_new("rvole");
    EACH_CURVE(c)
    {
        struct mul_world *w = mul_random(c, &rng.base);
        mul_run(w);
        cheat_add_one(c, w->eta);
        cr_expect_eq(mul_bob_checks(w), QK_E_PROOF, "E-8: eta + 1");
        mul_alice_answers(w);
        w->mu[63] ^= 1;
        cr_expect_eq(mul_bob_checks(w), QK_E_PROOF, "E-8: one bit of mu");
        mul_alice_answers(w);
        uint8_t row[3 * MPC_SCALAR_MAX];
        memcpy(row, w->at, 3u * c->lq);
        memcpy(w->at, w->at + 3u * c->lq, 3u * c->lq);
        memcpy(w->at + 3u * c->lq, row, 3u * c->lq);
        cr_expect_eq(mul_bob_checks(w), QK_E_PROOF, "E-8: two rows swapped");
        free(w);
    }
}

QK_TEST(rvole, E_9_no_scalar_of_the_answer_is_q_or_more)
{
    struct seeded rng = seeded_new("rvole");
    EACH_CURVE(c)
    {
        struct mul_world *w = mul_random(c, &rng.base);
        mul_run(w);
        cheat_q(c, w->at + (3u * w->v.d.xi - 1) * c->lq);
        cr_expect_eq(mul_bob_checks(w), QK_E_MALFORMED, "E-9: a-tilde");
        mul_alice_answers(w);
        cheat_q(c, w->eta);
        cr_expect_eq(mul_bob_checks(w), QK_E_MALFORMED, "E-9: eta");
        free(w);
    }
}
