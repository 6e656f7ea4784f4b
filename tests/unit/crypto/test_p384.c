/* Our own P-384 multiplication against OpenSSL's. */
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include "group/p384.h"
#include "seeded.h"

struct ref {
    EC_GROUP *g;
    EC_POINT *p;
    BIGNUM *x, *y, *k;
};

static struct ref ref_new(void)
{
    struct ref ref = {.g = EC_GROUP_new_by_curve_name(NID_secp384r1)};
    ref.p = EC_POINT_new(ref.g);
    ref.x = BN_new();
    ref.y = BN_new();
    ref.k = BN_new();
    return ref;
}

static void ref_free(struct ref *ref)
{
    BN_free(ref->x);
    BN_free(ref->y);
    BN_free(ref->k);
    EC_POINT_free(ref->p);
    EC_GROUP_free(ref->g);
}

static void set_scalar(struct ref *ref, const struct mpc_scalar *k)
{
    uint8_t b[MPC_SCALAR_MAX];
    mpc_scalar_encode(mpc_curve_get(MPC_P384), b, k);
    BN_bin2bn(b, 48, ref->k);
}

/* ref->p as we give points; false for O. */
static bool ref_affine(struct ref *ref, struct p384_affine *out)
{
    *out = (struct p384_affine){{0}, {0}};
    if (EC_POINT_is_at_infinity(ref->g, ref->p)) return false;
    cr_assert_eq(EC_POINT_get_affine_coordinates(ref->g, ref->p, ref->x, ref->y, NULL), 1);
    BN_bn2binpad(ref->x, out->x, 48);
    BN_bn2binpad(ref->y, out->y, 48);
    return true;
}

static void check_base(struct ref *ref, const struct mpc_scalar *k)
{
    struct p384_affine got, want;
    set_scalar(ref, k);
    cr_assert_eq(EC_POINT_mul(ref->g, ref->p, ref->k, NULL, NULL, NULL), 1);
    bool finite = ref_affine(ref, &want);
    cr_assert_eq(p384_mul_base(&got, k), finite);
    cr_assert_eq(memcmp(&got, &want, sizeof got), 0, "k*G");
}

static void check_mul(struct ref *ref, const struct mpc_scalar *k, const struct mpc_scalar *l)
{
    struct p384_affine a, got, want;
    set_scalar(ref, l);
    cr_assert_eq(EC_POINT_mul(ref->g, ref->p, ref->k, NULL, NULL, NULL), 1);
    cr_assert(ref_affine(ref, &a));
    set_scalar(ref, k);
    cr_assert_eq(EC_POINT_mul(ref->g, ref->p, NULL, ref->p, ref->k, NULL), 1);
    bool finite = ref_affine(ref, &want);
    cr_assert_eq(p384_mul(&got, k, &a), finite);
    cr_assert_eq(memcmp(&got, &want, sizeof got), 0, "k*P");
    p384_mul(&a, k, &a);
    cr_assert_eq(memcmp(&a, &want, sizeof a), 0, "k*P in place");
}

/* 0 to 34 and their negatives: the windows where the sum meets its own summand or O. Then every
 * single digit in some window, long runs of ones, and random scalars. */
static struct mpc_scalar scalar_number(unsigned i, struct seeded *rng)
{
    const struct mpc_curve *c = mpc_curve_get(MPC_P384);
    struct mpc_scalar k = {{0}};
    if (i < 70) {
        mpc_scalar_set_u64(&k, i / 2);
        if (i % 2 == 1) mpc_scalar_neg(c, &k, &k);
    } else if (i < 85) {
        k.w[i % 6] = (uint64_t)(i - 69) << (4 * (i % 15));
    } else if (i < 90) {
        for (unsigned j = 0; j < i - 84; j++) k.w[j] = UINT64_MAX;
    } else {
        qk_assert_ok(mpc_scalar_random(c, &k, &rng->base));
    }
    return k;
}

QK_TEST(p384, multiples_of_the_generator_agree_with_openssl)
{
    struct seeded rng = seeded_new("p384");
    struct ref ref = ref_new();
    for (unsigned i = 0; i < 150; i++) {
        struct mpc_scalar k = scalar_number(i, &rng);
        check_base(&ref, &k);
    }
    ref_free(&ref);
}

QK_TEST(p384, multiples_of_any_point_agree_with_openssl)
{
    struct seeded rng = seeded_new("p384");
    struct ref ref = ref_new();
    for (unsigned i = 0; i < 150; i++) {
        struct mpc_scalar k = scalar_number(i, &rng), l;
        qk_assert_ok(mpc_scalar_random_nonzero(mpc_curve_get(MPC_P384), &l, &rng.base));
        check_mul(&ref, &k, &l);
    }
    ref_free(&ref);
}

/* Field elements at the edges: points whose x is small or just below p. */
QK_TEST(p384, coordinates_at_the_ends_of_the_field)
{
    struct seeded rng = seeded_new("p384");
    struct ref ref = ref_new();
    BIGNUM *p = BN_new();
    EC_GROUP_get_curve(ref.g, p, NULL, NULL, NULL);
    unsigned found = 0;
    for (unsigned i = 0; i < 60; i++) {
        struct p384_affine a, got, want;
        BN_set_word(ref.x, i / 2);
        if (i % 2 == 1) BN_sub(ref.x, p, ref.x);
        if (BN_cmp(ref.x, p) >= 0) continue;
        if (EC_POINT_set_compressed_coordinates(ref.g, ref.p, ref.x, (int)(i % 2), NULL) != 1)
            continue;
        cr_assert(ref_affine(&ref, &a));
        struct mpc_scalar k = scalar_number(90, &rng);
        set_scalar(&ref, &k);
        cr_assert_eq(EC_POINT_mul(ref.g, ref.p, NULL, ref.p, ref.k, NULL), 1);
        cr_assert(ref_affine(&ref, &want));
        cr_assert(p384_mul(&got, &k, &a));
        cr_assert_eq(memcmp(&got, &want, sizeof got), 0, "number %u", i);
        found++;
    }
    cr_assert_gt(found, 10);
    BN_free(p);
    ref_free(&ref);
}
