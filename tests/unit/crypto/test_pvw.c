/* The base OT: known answers, and why nobody may know a logarithm of the CRS (E-2). */
#include "ecdsa/pvw.h"
#include "ecdsa_kat.h"

static void kat_one(unsigned curve, uint8_t delta)
{
    const struct mpc_curve *c = mpc_curve_get(curve);
    uint8_t psid[32], uw[2 * MPC_POINT_MAX], e[2 * MPC_POINT_MAX], seed[2][32], mine[32], h[32];
    struct mpc_scalar r = kat_scalar(c, "r", 1);
    kat_bytes("ps", 2, psid, 32);
    PVW(x);
    MPC_POINT(u);
    MPC_POINT(w);
    qk_assert_ok(pvw_init(&x, c, psid));
    qk_assert_ok(mpc_point_init(&u, c));
    qk_assert_ok(mpc_point_init(&w, c));
    qk_assert_ok(pvw_choose(&x, delta, &r, uw));
    qk_assert_ok(mpc_point_decode_var(&u, qk_bytes(uw, c->pt)));
    qk_assert_ok(mpc_point_decode_var(&w, qk_bytes(uw + c->pt, c->pt)));
    for (uint8_t b = 0; b < 2; b++) {
        char sn[2] = {'s', (char)b}, tn[2] = {'t', (char)b};
        struct mpc_scalar s = kat_scalar(c, sn, 2), t = kat_scalar(c, tn, 2);
        qk_assert_ok(pvw_answer(&x, 7, b, uw, &u, &w, &s, &t, e + b * c->pt, seed[b]));
    }
    qk_assert_ok(mpc_h32(h, "kat-pvw",
        MPC_FIELDS({uw, c->pt}, {uw + c->pt, c->pt}, {e, c->pt}, {e + c->pt, c->pt}, {seed[0], 32},
            {seed[1], 32})));
    ecdsa_kat_assert("pvw", c->name, delta ? "1" : "0", h, 32);
    qk_assert_ok(pvw_open(&x, 7, delta, &r, uw, e, mine));
    cr_expect(memcmp(mine, seed[delta], 32) == 0, "the receiver finds her seed");
    cr_expect(memcmp(mine, seed[1 - delta], 32) != 0, "and not the other one");
}

QK_TEST(pvw, known_answers)
{
    for (uint8_t delta = 0; delta < 2; delta++) {
        kat_one(MPC_P256, delta);
        kat_one(MPC_P521, delta);
    }
}

/* r = k*G */
static void base(const struct mpc_curve *c, struct mpc_point *r, const struct mpc_scalar *k)
{
    mpc_point_clear(r);
    qk_assert_ok(mpc_point_init(r, c));
    qk_assert_ok(mpc_point_mul_base(r, k));
}

/* E-2: with g1 = a*G, h0 = x*G, h1 = x*g1 a receiver who knows a opens both branches: V = r*E_0 and
 * V = (r/a)*E_1. So the CRS must come from H2P. */
QK_TEST(pvw, E_2_a_known_logarithm_opens_both_branches)
{
    const struct mpc_curve *c = mpc_curve_get(MPC_P256);
    struct seeded rng = seeded_new("pvw");
    struct mpc_scalar a, x, ax, r, s, t, inv;
    uint8_t psid[32] = {1}, uw[2 * MPC_POINT_MAX], e[2 * MPC_POINT_MAX], seed[2][32], got[32];
    struct mpc_scalar *all[] = {&a, &x, &r, &s, &t};
    for (size_t i = 0; i < QK_COUNT(all); i++)
        qk_assert_ok(mpc_scalar_random_nonzero(c, all[i], &rng.base));
    mpc_scalar_mul(c, &ax, &a, &x);
    PVW(crs);
    MPC_POINT(u);
    MPC_POINT(w);
    qk_assert_ok(pvw_init(&crs, c, psid));
    base(c, &crs.g[1], &a);
    base(c, &crs.h[0], &x);
    base(c, &crs.h[1], &ax);
    qk_assert_ok(pvw_choose(&crs, 0, &r, uw));
    qk_assert_ok(mpc_point_init(&u, c));
    qk_assert_ok(mpc_point_init(&w, c));
    qk_assert_ok(mpc_point_decode_var(&u, qk_bytes(uw, c->pt)));
    qk_assert_ok(mpc_point_decode_var(&w, qk_bytes(uw + c->pt, c->pt)));
    for (uint8_t b = 0; b < 2; b++)
        qk_assert_ok(pvw_answer(&crs, 0, b, uw, &u, &w, &s, &t, e + b * c->pt, seed[b]));
    qk_assert_ok(pvw_open(&crs, 0, 0, &r, uw, e, got));
    cr_expect(memcmp(got, seed[0], 32) == 0);
    mpc_scalar_inv(c, &inv, &a);
    mpc_scalar_mul(c, &inv, &inv, &r);
    qk_assert_ok(pvw_open(&crs, 0, 1, &inv, uw, e, got));
    cr_expect(memcmp(got, seed[1], 32) == 0, "the attack of the fixture works");
}

/* E-2, C-8: the real CRS is not hash*G, and differs by direction and setup. */
QK_TEST(pvw, E_2_the_crs_has_no_known_logarithm_and_is_never_shared)
{
    static const char *const labels[] = {"pvw-h0", "pvw-g1", "pvw-h1"};
    static const unsigned groups[] = {MPC_P256, MPC_P521};
    for (size_t i = 0; i < QK_COUNT(groups); i++) {
        const struct mpc_curve *c = mpc_curve_get(groups[i]);
        uint8_t psid[2][32] = {{1}, {2}};
        PVW(x);
        PVW(y);
        MPC_POINT(p);
        qk_assert_ok(pvw_init(&x, c, psid[0]));
        qk_assert_ok(pvw_init(&y, c, psid[1]));
        qk_assert_ok(mpc_point_init(&p, c));
        const struct mpc_point *crs[] = {&x.h[0], &x.g[1], &x.h[1]};
        const struct mpc_point *other[] = {&y.h[0], &y.g[1], &y.h[1]};
        for (size_t k = 0; k < 3; k++) {
            struct mpc_scalar s;
            qk_assert_ok(mpc_h2s(c, &s, labels[k], MPC_FIELDS({psid[0], 32})));
            qk_assert_ok(mpc_point_mul_base(&p, &s));
            cr_expect(!mpc_point_eq_var(crs[k], &p), "%s is hash*G", labels[k]);
            cr_expect(!mpc_point_eq_var(crs[k], other[k]), "%s is shared", labels[k]);
            for (size_t l = 0; l < k; l++) cr_expect(!mpc_point_eq_var(crs[k], crs[l]));
        }
    }
}
