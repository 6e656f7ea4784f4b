#include "seeded.h"

#include <pthread.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/x509.h>

/* OpenSSL's plain EC_POINT on the same curve, secp256k1 included. */
static void ref_mul_base(const struct mpc_curve *c, const struct mpc_scalar *k, uint8_t *out)
{
    uint8_t b[MPC_SCALAR_MAX];
    mpc_scalar_encode(c, b, k);
    EC_GROUP *g = EC_GROUP_new_by_curve_name(c->nid);
    EC_POINT *p = EC_POINT_new(g);
    BIGNUM *bn = BN_bin2bn(b, c->lq, NULL);
    cr_assert_eq(EC_POINT_mul(g, p, bn, NULL, NULL, NULL), 1);
    size_t n = EC_POINT_point2oct(g, p, POINT_CONVERSION_COMPRESSED, out, c->pt, NULL);
    cr_assert_eq(n, c->pt);
    BN_free(bn);
    EC_POINT_free(p);
    EC_GROUP_free(g);
}

static void assert_point_is(const struct mpc_point *p, const uint8_t *want)
{
    uint8_t got[MPC_POINT_MAX];
    qk_assert_ok(mpc_point_encode(got, p));
    cr_assert_eq(memcmp(got, want, p->c->pt), 0);
}

/* 1, 2, q-1, q-2, then random. */
static void sample(const struct mpc_curve *c, struct mpc_scalar *k, int i, struct seeded *rng)
{
    mpc_scalar_set_u64(k, i % 2 ? 2 : 1);
    if (i == 2 || i == 3) mpc_scalar_neg(c, k, k);
    if (i >= 4) qk_assert_ok(mpc_scalar_random_nonzero(c, k, &rng->base));
}

QK_TEST(point, multiples_of_the_generator_agree_with_openssl)
{
    struct seeded rng = seeded_new("multiples_of_the_generator_agree_with_openssl");
    EACH_CURVE(c)
    {
        MPC_POINT(g);
        MPC_POINT(p);
        qk_assert_ok(mpc_point_init(&g, c));
        qk_assert_ok(mpc_point_init(&p, c));
        qk_assert_ok(mpc_point_set_generator(&g));
        for (int i = 0; i < 16; i++) {
            struct mpc_scalar k;
            uint8_t want[MPC_POINT_MAX];
            sample(c, &k, i, &rng);
            ref_mul_base(c, &k, want);
            qk_assert_ok(mpc_point_mul_base(&p, &k));
            assert_point_is(&p, want);
            qk_assert_ok(mpc_point_mul(&p, &k, &g));
            assert_point_is(&p, want);
        }
    }
}

struct triple {
    struct mpc_scalar a, b, sum;
    struct mpc_point pa, pb, psum, r;
};

static void triple_init(struct triple *t, const struct mpc_curve *c)
{
    qk_assert_ok(mpc_point_init(&t->pa, c));
    qk_assert_ok(mpc_point_init(&t->pb, c));
    qk_assert_ok(mpc_point_init(&t->psum, c));
    qk_assert_ok(mpc_point_init(&t->r, c));
}

static void triple_clear(struct triple *t)
{
    mpc_point_clear(&t->pa);
    mpc_point_clear(&t->pb);
    mpc_point_clear(&t->psum);
    mpc_point_clear(&t->r);
}

/* (a + b)G = aG + bG = 1*(aG) + b*G, also when a + b = 0, a = b or one of them is 0. */
static void check_sum(const struct mpc_curve *c, struct triple *t)
{
    struct mpc_scalar one;
    mpc_scalar_set_u64(&one, 1);
    mpc_scalar_add(c, &t->sum, &t->a, &t->b);
    qk_assert_ok(mpc_point_mul_base(&t->pa, &t->a));
    qk_assert_ok(mpc_point_mul_base(&t->pb, &t->b));
    qk_assert_ok(mpc_point_mul_base(&t->psum, &t->sum));
    qk_assert_ok(mpc_point_add(&t->r, &t->pa, &t->pb));
    cr_assert(mpc_point_eq_var(&t->r, &t->psum));
    qk_assert_ok(mpc_point_copy(&t->r, &t->pa)); /* in place */
    qk_assert_ok(mpc_point_add(&t->r, &t->r, &t->pb));
    cr_assert(mpc_point_eq_var(&t->r, &t->psum));
    qk_assert_ok(mpc_point_mul_add_var(&t->r, &t->b, &one, &t->pa));
    cr_assert(mpc_point_eq_var(&t->r, &t->psum));
    bool zero = mpc_scalar_zero_mask(&t->sum) != 0;
    cr_assert_eq(mpc_point_is_infinity(&t->psum), zero);
    cr_assert_eq(mpc_point_is_infinity(&t->r), zero);
}

QK_TEST(point, addition_is_complete)
{
    struct seeded rng = seeded_new("addition_is_complete");
    EACH_CURVE(c)
    {
        struct triple t = {0};
        triple_init(&t, c);
        for (int i = 0; i < 6; i++) { /* O + O, O + P, P + O, P + P, P - P, P + Q */
            mpc_scalar_set_u64(&t.a, 0);
            t.b = t.a;
            if (i >= 2) qk_assert_ok(mpc_scalar_random_nonzero(c, &t.a, &rng.base));
            if (i == 3) t.b = t.a;
            if (i == 4) mpc_scalar_neg(c, &t.b, &t.a);
            if (i == 1 || i == 5) qk_assert_ok(mpc_scalar_random_nonzero(c, &t.b, &rng.base));
            check_sum(c, &t);
        }
        triple_clear(&t);
    }
}

QK_TEST(point, multiplication_is_complete_and_composes)
{
    struct seeded rng = seeded_new("multiplication_is_complete_and_composes");
    EACH_CURVE(c)
    {
        struct triple t = {0};
        struct mpc_scalar zero = {{0}}, ab;
        triple_init(&t, c);
        qk_assert_ok(mpc_scalar_random_nonzero(c, &t.a, &rng.base));
        qk_assert_ok(mpc_scalar_random_nonzero(c, &t.b, &rng.base));
        mpc_scalar_mul(c, &ab, &t.a, &t.b);
        qk_assert_ok(mpc_point_mul_base(&t.psum, &ab));
        qk_assert_ok(mpc_point_mul_base(&t.pa, &t.a));
        qk_assert_ok(mpc_point_mul(&t.r, &t.b, &t.pa));
        cr_assert(mpc_point_eq_var(&t.r, &t.psum), "b(aG) = (ab)G");
        qk_assert_ok(mpc_point_mul_add_var(&t.r, &zero, &t.b, &t.pa));
        cr_assert(mpc_point_eq_var(&t.r, &t.psum), "0G + b(aG)");
        qk_assert_ok(mpc_point_mul_add_var(&t.r, &t.a, &zero, &t.psum));
        cr_assert(mpc_point_eq_var(&t.r, &t.pa), "aG + 0P");
        qk_assert_ok(mpc_point_mul(&t.r, &zero, &t.pa));
        cr_assert(mpc_point_is_infinity(&t.r), "0P = O");
        qk_assert_ok(mpc_point_mul_base(&t.r, &zero));
        cr_assert(mpc_point_is_infinity(&t.r), "0G = O");
        qk_assert_ok(mpc_point_mul(&t.r, &t.a, &t.r));
        cr_assert(mpc_point_is_infinity(&t.r), "aO = O");
        qk_assert_ok(mpc_point_mul_add_var(&t.pb, &t.a, &t.b, &t.r));
        cr_assert(mpc_point_eq_var(&t.pb, &t.pa), "aG + bO = aG");
        qk_assert_ok(mpc_point_neg(&t.pb, &t.pa));
        qk_assert_ok(mpc_point_add(&t.r, &t.pb, &t.pa));
        cr_assert(mpc_point_is_infinity(&t.r), "-P + P = O");
        qk_assert_ok(mpc_point_neg(&t.r, &t.r));
        cr_assert(mpc_point_is_infinity(&t.r), "-O = O");
        triple_clear(&t);
    }
}

QK_TEST(point, polynomials_in_the_exponent_may_hit_infinity)
{
    struct seeded rng = seeded_new("polynomials_in_the_exponent_may_hit_infinity");
    static const uint16_t at[] = {0, 1, 3, 255, 65535};
    EACH_CURVE(c)
    {
        struct mpc_scalar f[3], y;
        struct mpc_point big_f[3] = {0};
        MPC_POINT(want);
        MPC_POINT(got);
        qk_assert_ok(mpc_point_init(&want, c));
        qk_assert_ok(mpc_point_init(&got, c));
        for (int k = 0; k < 3; k++) qk_assert_ok(mpc_scalar_random(c, &f[k], &rng.base));
        /* f(3) = 0: move the constant term. */
        mpc_poly_eval(c, &y, f, 3, 3);
        mpc_scalar_sub(c, &f[0], &f[0], &y);
        for (int k = 0; k < 3; k++) {
            qk_assert_ok(mpc_point_init(&big_f[k], c));
            qk_assert_ok(mpc_point_mul_base(&big_f[k], &f[k]));
        }
        for (size_t i = 0; i < QK_COUNT(at); i++) {
            mpc_poly_eval(c, &y, f, 3, at[i]);
            qk_assert_ok(mpc_point_mul_base(&want, &y));
            qk_assert_ok(mpc_point_poly_eval_var(&got, big_f, 3, at[i]));
            cr_assert(mpc_point_eq_var(&got, &want));
            cr_assert_eq(mpc_point_is_infinity(&got), at[i] == 3);
        }
        for (int k = 0; k < 3; k++) mpc_point_clear(&big_f[k]);
    }
}

QK_TEST(point, select_takes_one_of_two_points)
{
    struct seeded rng = seeded_new("select_takes_one_of_two_points");
    EACH_CURVE(c)
    {
        struct triple t = {0};
        triple_init(&t, c);
        qk_assert_ok(mpc_scalar_random_nonzero(c, &t.a, &rng.base));
        qk_assert_ok(mpc_point_mul_base(&t.pa, &t.a));
        qk_assert_ok(mpc_point_set_generator(&t.pb));
        qk_assert_ok(mpc_point_select(&t.r, UINT64_MAX, &t.pa, &t.pb));
        cr_assert(mpc_point_eq_var(&t.r, &t.pa));
        qk_assert_ok(mpc_point_select(&t.r, 0, &t.pa, &t.pb));
        cr_assert(mpc_point_eq_var(&t.r, &t.pb));
        qk_assert_ok(mpc_point_select(&t.pa, 0, &t.pa, &t.pb)); /* in place */
        cr_assert(mpc_point_eq_var(&t.pa, &t.pb));
        qk_assert_err(mpc_point_select(&t.r, 0, &t.psum, &t.pb), QK_E_STATE); /* O */
        triple_clear(&t);
    }
}

QK_TEST(point, infinity_has_no_encoding)
{
    EACH_CURVE(c)
    {
        uint8_t out[2 * MPC_POINT_MAX];
        struct mpc_scalar x;
        MPC_POINT(o);
        QK_AUTO_BUF der = QK_BUF(1000);
        qk_assert_ok(mpc_point_init(&o, c));
        qk_assert_err(mpc_point_encode(out, &o), QK_E_STATE);
        qk_assert_err(mpc_point_encode_uncompressed(out, &o), QK_E_STATE);
        qk_assert_err(mpc_point_x_mod_q(&x, &o), QK_E_STATE);
        qk_assert_err(mpc_point_spki(&der, &o), QK_E_STATE);
    }
}

QK_TEST(point, points_of_two_curves_do_not_mix)
{
    MPC_POINT(a);
    MPC_POINT(b);
    struct mpc_scalar one;
    mpc_scalar_set_u64(&one, 1);
    qk_assert_ok(mpc_point_init(&a, mpc_curve_get(MPC_P256)));
    qk_assert_ok(mpc_point_init(&b, mpc_curve_get(MPC_SECP256K1)));
    qk_assert_err(mpc_point_add(&a, &a, &b), QK_E_STATE);
    qk_assert_err(mpc_point_mul(&b, &one, &a), QK_E_STATE);
    qk_assert_err(mpc_point_mul_add_var(&b, &one, &one, &a), QK_E_STATE);
    qk_assert_err(mpc_point_copy(&b, &a), QK_E_STATE);
    qk_assert_err(mpc_point_neg(&b, &a), QK_E_STATE);
    qk_assert_err(mpc_point_init(&b, NULL), QK_E_STATE);
    qk_assert_err(mpc_point_check_eq_var(&a, &b), QK_E_STATE); /* ours: it blames no peer */
    qk_assert_ok(mpc_point_check_eq_var(&a, &a));
    cr_assert_not(mpc_point_eq_var(&a, &b));
}

/* r = x(kG) mod q is what ECDSA needs; OpenSSL computes the coordinate. */
QK_TEST(point, x_mod_q_reduces_the_coordinate)
{
    struct seeded rng = seeded_new("x_mod_q_reduces_the_coordinate");
    EACH_CURVE(c)
    {
        struct mpc_scalar k, x, want;
        uint8_t enc[1 + 2 * MPC_SCALAR_MAX], comp[MPC_POINT_MAX];
        MPC_POINT(p);
        qk_assert_ok(mpc_point_init(&p, c));
        qk_assert_ok(mpc_scalar_random_nonzero(c, &k, &rng.base));
        qk_assert_ok(mpc_point_mul_base(&p, &k));
        ref_mul_base(c, &k, comp);
        qk_assert_ok(mpc_point_x_mod_q(&x, &p));
        qk_assert_ok(mpc_scalar_reduce(c, &want, qk_bytes(comp + 1, c->lp)));
        cr_assert_eq(mpc_scalar_eq_mask(&x, &want), UINT64_MAX);
        qk_assert_ok(mpc_point_encode_uncompressed(enc, &p));
        cr_assert_eq(enc[0], 4);
        cr_assert_eq(memcmp(enc + 1, comp + 1, c->lp), 0);
        cr_assert_eq(enc[2 * c->lp] & 1, comp[0] & 1);
    }
}

QK_TEST(point, spki_is_what_openssl_writes)
{
    EACH_CURVE(c)
    {
        MPC_POINT(g);
        QK_AUTO_BUF der = QK_BUF(1000);
        qk_assert_ok(mpc_point_init(&g, c));
        qk_assert_ok(mpc_point_set_generator(&g));
        qk_assert_ok(mpc_point_spki(&der, &g));
        const uint8_t *p = der.p;
        EVP_PKEY *key = d2i_PUBKEY(NULL, &p, (long)der.len);
        cr_assert_not_null(key);
        cr_assert_eq(p, der.p + der.len);
        uint8_t *again = NULL;
        int len = i2d_PUBKEY(key, &again);
        cr_assert_eq((size_t)len, der.len);
        cr_assert_eq(memcmp(again, der.p, der.len), 0);
        OPENSSL_free(again);
        EVP_PKEY_free(key);
    }
}

static void *work(void *arg)
{
    (void)arg;
    EACH_CURVE(c)
    {
        struct mpc_scalar k;
        MPC_POINT(p);
        mpc_scalar_set_u64(&k, 77);
        if (mpc_point_init(&p, c) != QK_OK || mpc_point_mul_base(&p, &k) != QK_OK) return arg;
        if (mpc_point_mul(&p, &k, &p) != QK_OK) return arg;
    }
    return NULL;
}

/* The groups and the context are made by whoever comes first. */
QK_TEST(point, first_use_from_several_threads_is_safe)
{
    pthread_t t[8];
    for (int i = 0; i < 8; i++) cr_assert_eq(pthread_create(&t[i], NULL, work, &t), 0);
    for (int i = 0; i < 8; i++) {
        void *failed = &t;
        cr_assert_eq(pthread_join(t[i], &failed), 0);
        cr_assert_null(failed);
    }
}
