/* The OT extension: correlation, its consistency check (E-6), and the four-lane hash under it. */
#include "ecdsa/xof.h"
#include "ecdsa_cheat.h"
#include "ecdsa_mul.h"

QK_TEST(otext, rows_are_correlated)
{
    struct seeded rng = seeded_new("otext");
    EACH_CURVE(c)
    {
        struct mul_world *w = mul_random(c, &rng.base);
        mul_bob_sends(w);
        qk_assert_ok(mul_alice_checks(w));
        size_t n = ot_row_len(&w->v.d);
        for (size_t j = 0; j < w->v.d.xi; j++)
            for (size_t i = 0; i < n; i++)
                cr_assert_eq(w->q_rows[j * n + i],
                    w->t_rows[j * n + i] ^ (ot_bit(w->x, j) ? w->delta[i] : 0), "%s row %zu",
                    c->name, j);
        free(w);
    }
}

/* E-6: for each k: one flipped bit of u_k, xhat and that recomputed: accepted iff Delta_k = 0. */
QK_TEST(otext, E_6_every_row_is_checked)
{
    struct seeded rng = seeded_new("otext");
    EACH_CURVE(c)
    {
        struct mul_world *w = mul_random(c, &rng.base);
        const struct ot_dims *d = &w->v.d;
        mul_bob_sends(w);
        for (size_t k = 0; k < d->kappa; k++) {
            size_t bit = (size_t)(seeded_u64(&rng) % (8u * d->nb));
            uint8_t *at = w->u + k * d->nb + bit / 8;
            *at ^= (uint8_t)(1u << bit % 8);
            cheat_refold(d, w->v.pm, w->pairs, w->x, w->u, w->xh, w->th);
            cr_expect_eq(mul_alice_checks(w), ot_bit(w->delta, k) ? QK_E_PROOF : QK_OK,
                "E-6: %s row %zu bit %zu", c->name, k, bit);
            *at ^= (uint8_t)(1u << bit % 8);
        }
        cheat_refold(d, w->v.pm, w->pairs, w->x, w->u, w->xh, w->th);
        qk_assert_ok(mul_alice_checks(w));
        free(w);
    }
}

/* E-6: flips in xhat and in any single that_k. xhat alone goes unseen only if Delta = 0. */
QK_TEST(otext, E_6_xhat_and_every_that_are_checked)
{
    struct seeded rng = seeded_new("otext");
    EACH_CURVE(c)
    {
        struct mul_world *w = mul_random(c, &rng.base);
        mul_bob_sends(w);
        for (size_t i = 0; i < 16; i++) {
            w->xh[i] ^= 0x20;
            cr_expect_eq(mul_alice_checks(w), QK_E_PROOF, "E-6: xhat byte %zu", i);
            w->xh[i] ^= 0x20;
        }
        for (size_t k = 0; k < w->v.d.kappa; k++) {
            w->th[16 * k + k % 16] ^= 1;
            cr_expect_eq(mul_alice_checks(w), QK_E_PROOF, "E-6: that %zu", k);
            w->th[16 * k + k % 16] ^= 1;
        }
        qk_assert_ok(mul_alice_checks(w));
        free(w);
    }
}

QK_TEST(otext, the_fast_expand_is_the_expand_of_the_transcript)
{
    struct seeded rng = seeded_new("otext");
    static const char *const labels[] = {"ot-pad", "another"};
    for (size_t var_len = 16; var_len <= 32; var_len += 16) {
        for (size_t i = 0; i < QK_COUNT(labels); i++) {
            struct xof x;
            uint8_t pm[32], var[XOF_LANES][32], out[XOF_LANES][XOF_OUT_MAX], want[XOF_OUT_MAX];
            const uint8_t *views[XOF_LANES] = {var[0], var[1], var[2], var[3]};
            qk_assert_ok(qk_rng_fill(&rng.base, pm, 32));
            qk_assert_ok(qk_rng_fill(&rng.base, var, sizeof var));
            qk_assert_ok(xof_init(&x, labels[i], pm, var_len));
            xof_run4(&x, 509, views, 246, out);
            for (unsigned l = 0; l < XOF_LANES; l++) {
                qk_assert_ok(mpc_expand(want, 246, labels[i],
                    MPC_FIELDS({pm, 32}, MPC_U16(509 + l), {var[l], var_len})));
                cr_expect(memcmp(out[l], want, 246) == 0, "%s lane %u", labels[i], l);
            }
        }
    }
    struct xof x;
    uint8_t pm[32] = {0};
    qk_assert_err(xof_init(&x, "ot-pad", pm, 64), QK_E_STATE); /* does not fit one block */
}
