#include "seeded.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include "group/modulus.h"

/* OpenSSL's numbers are the independent implementation here. */
struct ref {
    BN_CTX *ctx;
    EC_GROUP *group;
    const BIGNUM *q;
    BIGNUM *a, *b, *r;
};

static struct ref ref_new(const struct mpc_curve *c)
{
    struct ref ref = {.ctx = BN_CTX_new(), .group = EC_GROUP_new_by_curve_name(c->nid)};
    ref.q = EC_GROUP_get0_order(ref.group);
    ref.a = BN_new();
    ref.b = BN_new();
    ref.r = BN_new();
    return ref;
}

static void ref_free(struct ref *ref)
{
    BN_free(ref->a);
    BN_free(ref->b);
    BN_free(ref->r);
    EC_GROUP_free(ref->group);
    BN_CTX_free(ref->ctx);
}

static void to_bn(BIGNUM *out, const uint64_t *w, size_t n)
{
    uint8_t le[8 * 2 * MPC_SCALAR_WORDS];
    for (size_t i = 0; i < 8 * n; i++) le[i] = (uint8_t)(w[i / 8] >> (8 * (i % 8)));
    BN_lebin2bn(le, (int)(8 * n), out);
}

static void from_bn(struct mpc_scalar *out, const BIGNUM *v)
{
    uint8_t le[8 * MPC_SCALAR_WORDS];
    cr_assert_eq(BN_bn2lebinpad(v, le, sizeof le), (int)sizeof le);
    *out = (struct mpc_scalar){{0}};
    for (size_t i = 0; i < sizeof le; i++) out->w[i / 8] |= (uint64_t)le[i] << (8 * (i % 8));
}

static void assert_equals(const struct mpc_scalar *got, const BIGNUM *want, const char *what)
{
    struct mpc_scalar w;
    from_bn(&w, want);
    cr_assert_eq(memcmp(got, &w, sizeof w), 0, "%s", what);
}

enum { N_EDGES = 12, N_RANDOM = 40 };

/* 0, 1, 2, q-1, q-2, (q-1)/2, (q+1)/2, words of ones, R mod q, then random values. */
static void sample(const struct mpc_curve *c, struct mpc_scalar *v, struct seeded *rng)
{
    const struct mpc_modulus *m = mpc_modulus_of(c);
    struct mpc_scalar one, half;
    memset(v, 0, N_EDGES * sizeof *v);
    mpc_scalar_set_u64(&one, 1);
    memcpy(half.w, m->half, sizeof half.w);
    v[1] = one;
    mpc_scalar_set_u64(&v[2], 2);
    mpc_scalar_sub(c, &v[3], &v[0], &one);
    mpc_scalar_sub(c, &v[4], &v[0], &v[2]);
    v[5] = half;
    mpc_scalar_add(c, &v[6], &half, &one);
    v[7].w[0] = UINT64_MAX;
    for (unsigned i = 0; i + 1 < m->n; i++) v[8].w[i] = UINT64_MAX;
    memcpy(v[9].w, m->r1, sizeof v[9].w);
    memcpy(v[10].w, m->r2, sizeof v[10].w);
    v[11].w[m->n - 1] = 1;
    for (int i = N_EDGES; i < N_EDGES + N_RANDOM; i++)
        qk_assert_ok(mpc_scalar_random(c, &v[i], &rng->base));
}

QK_TEST(scalar, constants_are_those_of_openssl)
{
    EACH_CURVE(c)
    {
        struct ref ref = ref_new(c);
        const struct mpc_modulus *m = mpc_modulus_of(c);
        struct mpc_scalar v;
        cr_assert_eq(BN_num_bits(ref.q), c->q_bits);
        cr_assert_eq((c->q_bits + 7) / 8, c->lq);
        cr_assert_eq((c->q_bits + 128 + 7) / 8, c->lh);
        cr_assert_eq((EC_GROUP_get_degree(ref.group) + 7) / 8, c->lp);
        cr_assert_eq(1 + c->lp, c->pt);
        cr_assert_eq((c->q_bits + 63) / 64, c->n_words);
        cr_assert_eq(m->n, c->n_words);
        memcpy(v.w, m->q, sizeof v.w);
        assert_equals(&v, ref.q, "q");
        BN_rshift1(ref.a, ref.q);
        memcpy(v.w, m->half, sizeof v.w);
        assert_equals(&v, ref.a, "half");
        BN_one(ref.a);
        BN_lshift(ref.a, ref.a, (int)(64 * m->n));
        BN_nnmod(ref.r, ref.a, ref.q, ref.ctx);
        memcpy(v.w, m->r1, sizeof v.w);
        assert_equals(&v, ref.r, "r1");
        BN_mod_sqr(ref.r, ref.r, ref.q, ref.ctx);
        memcpy(v.w, m->r2, sizeof v.w);
        assert_equals(&v, ref.r, "r2");
        cr_assert_eq(m->n0 * m->q[0], UINT64_MAX); /* n0 * q = -1 */
        BN_one(ref.a);
        BN_lshift(ref.a, ref.a, (int)(64 * (m->n + 2)));
        BN_div(ref.r, NULL, ref.a, ref.q, ref.ctx);
        v = (struct mpc_scalar){{m->mu[0], m->mu[1], m->mu[2]}};
        assert_equals(&v, ref.r, "mu");
        ref_free(&ref);
    }
    cr_assert_null(mpc_curve_get(0));
    cr_assert_null(mpc_curve_get(5));
}

static void check_pair(const struct mpc_curve *c, struct ref *ref, const struct mpc_scalar *a,
    const struct mpc_scalar *b)
{
    struct mpc_scalar r, mont;
    to_bn(ref->a, a->w, MPC_SCALAR_WORDS);
    to_bn(ref->b, b->w, MPC_SCALAR_WORDS);
    mpc_scalar_add(c, &r, a, b);
    BN_mod_add(ref->r, ref->a, ref->b, ref->q, ref->ctx);
    assert_equals(&r, ref->r, "add");
    mpc_scalar_sub(c, &r, a, b);
    BN_mod_sub(ref->r, ref->a, ref->b, ref->q, ref->ctx);
    assert_equals(&r, ref->r, "sub");
    mpc_scalar_mul(c, &r, a, b);
    BN_mod_mul(ref->r, ref->a, ref->b, ref->q, ref->ctx);
    assert_equals(&r, ref->r, "mul");
    mpc_scalar_to_mont(c, &mont, b);
    mpc_scalar_mul_mont(c, &r, a, &mont);
    assert_equals(&r, ref->r, "mul_mont");
    r = *a; /* in place, both operands */
    mpc_scalar_mul(c, &r, &r, b);
    assert_equals(&r, ref->r, "mul in place of a");
    r = *b;
    mpc_scalar_mul(c, &r, a, &r);
    assert_equals(&r, ref->r, "mul in place of b");
    uint64_t same = BN_cmp(ref->a, ref->b) == 0 ? UINT64_MAX : 0;
    cr_assert_eq(mpc_scalar_eq_mask(a, b), same);
}

static void check_single(const struct mpc_curve *c, struct ref *ref, const struct mpc_scalar *a)
{
    struct mpc_scalar r;
    uint8_t enc[MPC_SCALAR_MAX];
    to_bn(ref->a, a->w, MPC_SCALAR_WORDS);
    BN_zero(ref->b);
    mpc_scalar_neg(c, &r, a);
    BN_mod_sub(ref->r, ref->b, ref->a, ref->q, ref->ctx);
    assert_equals(&r, ref->r, "neg");
    mpc_scalar_inv(c, &r, a);
    BN_zero(ref->r);
    if (!BN_is_zero(ref->a)) BN_mod_inverse(ref->r, ref->a, ref->q, ref->ctx);
    assert_equals(&r, ref->r, "inv");
    cr_assert_eq(mpc_scalar_zero_mask(a), BN_is_zero(ref->a) ? UINT64_MAX : 0);
    BN_rshift1(ref->b, ref->q);
    cr_assert_eq(mpc_scalar_high_mask(c, a), BN_cmp(ref->a, ref->b) > 0 ? UINT64_MAX : 0);
    mpc_scalar_encode(c, enc, a);
    BN_bin2bn(enc, c->lq, ref->b);
    cr_assert_eq(BN_cmp(ref->a, ref->b), 0, "encode");
    qk_assert_ok(mpc_scalar_decode(c, &r, qk_bytes(enc, c->lq)));
    cr_assert_eq(memcmp(&r, a, sizeof r), 0, "decode");
}

QK_TEST(scalar, arithmetic_agrees_with_openssl)
{
    struct seeded rng = seeded_new("arithmetic_agrees_with_openssl");
    static struct mpc_scalar v[N_EDGES + N_RANDOM];
    EACH_CURVE(c)
    {
        struct ref ref = ref_new(c);
        sample(c, v, &rng);
        for (int i = 0; i < N_EDGES + N_RANDOM; i++) {
            check_single(c, &ref, &v[i]);
            for (int j = 0; j < N_EDGES + N_RANDOM; j++) check_pair(c, &ref, &v[i], &v[j]);
        }
        ref_free(&ref);
    }
}

static void check_reduce(
    const struct mpc_curve *c, struct ref *ref, const uint8_t *bytes, size_t len)
{
    struct mpc_scalar r;
    qk_assert_ok(mpc_scalar_reduce(c, &r, qk_bytes(bytes, len)));
    BN_bin2bn(bytes, (int)len, ref->a);
    BN_nnmod(ref->r, ref->a, ref->q, ref->ctx);
    assert_equals(&r, ref->r, "reduce");
}

QK_TEST(scalar, reduction_of_any_length_agrees_with_openssl)
{
    struct seeded rng = seeded_new("reduction_of_any_length_agrees_with_openssl");
    EACH_CURVE(c)
    {
        struct ref ref = ref_new(c);
        size_t max = 16u * c->n_words < MPC_WIDE_MAX ? 16u * c->n_words : MPC_WIDE_MAX;
        uint8_t buf[MPC_WIDE_MAX + 1] = {0};
        struct mpc_scalar r;
        for (size_t len = 0; len <= max; len++) {
            memset(buf, 0xff, len);
            check_reduce(c, &ref, buf, len);
            memset(buf, 0, len);
            check_reduce(c, &ref, buf, len);
            for (int i = 0; i < 30; i++) {
                qk_assert_ok(qk_rng_fill(&rng.base, buf, len));
                check_reduce(c, &ref, buf, len);
            }
        }
        for (int i = 0; i < 1000; i++) { /* the length that hashes and draws use */
            qk_assert_ok(qk_rng_fill(&rng.base, buf, c->lh));
            check_reduce(c, &ref, buf, c->lh);
        }
        qk_assert_err(mpc_scalar_reduce(c, &r, qk_bytes(buf, max + 1)), QK_E_STATE);
        ref_free(&ref);
    }
}

/* Multiples of q and their neighbours, where an estimated quotient goes wrong first. */
QK_TEST(scalar, reduction_at_multiples_of_the_order)
{
    struct seeded rng = seeded_new("reduction_at_multiples_of_the_order");
    EACH_CURVE(c)
    {
        struct ref ref = ref_new(c);
        uint8_t buf[MPC_WIDE_MAX];
        for (int i = 0; i < 300; i++) {
            qk_assert_ok(qk_rng_fill(&rng.base, buf, c->lh));
            if (i < 3) memset(buf, 0xff, c->lh); /* the largest multiple */
            BN_bin2bn(buf, c->lh, ref.a);
            BN_nnmod(ref.r, ref.a, ref.q, ref.ctx);
            BN_sub(ref.a, ref.a, ref.r);
            if (i % 3 == 1) BN_sub_word(ref.a, 1);
            if (i % 3 == 2) BN_add_word(ref.a, 1);
            cr_assert_eq(BN_bn2binpad(ref.a, buf, c->lh), c->lh);
            check_reduce(c, &ref, buf, c->lh);
        }
        ref_free(&ref);
    }
}

/* q plus a small number as len bytes, big-endian. */
static void put_q_plus(const struct mpc_curve *c, int more, uint8_t *out, size_t len)
{
    struct ref ref = ref_new(c);
    BN_copy(ref.a, ref.q);
    more < 0 ? BN_sub_word(ref.a, (BN_ULONG)-more) : BN_add_word(ref.a, (BN_ULONG)more);
    cr_assert_eq(BN_bn2binpad(ref.a, out, (int)len), (int)len);
    ref_free(&ref);
}

/* C-2: fixed length and value < q. */
QK_TEST(scalar, C_2_decode_rejects_all_but_canonical_scalars)
{
    EACH_CURVE(c)
    {
        uint8_t b[MPC_SCALAR_MAX + 1] = {0};
        struct mpc_scalar r, before;
        put_q_plus(c, -1, b, c->lq);
        qk_assert_ok(mpc_scalar_decode(c, &r, qk_bytes(b, c->lq)));
        before = r;
        put_q_plus(c, 0, b, c->lq);
        qk_assert_err(mpc_scalar_decode(c, &r, qk_bytes(b, c->lq)), QK_E_MALFORMED);
        put_q_plus(c, 1, b, c->lq);
        qk_assert_err(mpc_scalar_decode(c, &r, qk_bytes(b, c->lq)), QK_E_MALFORMED);
        memset(b, 0xff, sizeof b);
        qk_assert_err(mpc_scalar_decode(c, &r, qk_bytes(b, c->lq)), QK_E_MALFORMED);
        memset(b, 0, sizeof b);
        b[1] = 1; /* a small value, but one byte short, one too long, none at all */
        qk_assert_err(mpc_scalar_decode(c, &r, qk_bytes(b, c->lq - 1u)), QK_E_MALFORMED);
        qk_assert_err(mpc_scalar_decode(c, &r, qk_bytes(b, c->lq + 1u)), QK_E_MALFORMED);
        qk_assert_err(mpc_scalar_decode(c, &r, qk_bytes(NULL, 0)), QK_E_MALFORMED);
        cr_assert_eq(memcmp(&r, &before, sizeof r), 0, "a rejected scalar must not be stored");
        qk_assert_ok(mpc_scalar_decode(c, &r, qk_bytes(b, c->lq)));
    }
}

QK_TEST(scalar, select_and_mask_take_whole_values)
{
    struct seeded rng = seeded_new("select_and_mask_take_whole_values");
    EACH_CURVE(c)
    {
        struct mpc_scalar a, b, r;
        qk_assert_ok(mpc_scalar_random(c, &a, &rng.base));
        qk_assert_ok(mpc_scalar_random(c, &b, &rng.base));
        mpc_scalar_select(&r, UINT64_MAX, &a, &b);
        cr_assert_eq(memcmp(&r, &a, sizeof r), 0);
        mpc_scalar_select(&r, 0, &a, &b);
        cr_assert_eq(memcmp(&r, &b, sizeof r), 0);
        mpc_scalar_mask(&r, UINT64_MAX, &a);
        cr_assert_eq(memcmp(&r, &a, sizeof r), 0);
        mpc_scalar_mask(&r, 0, &a);
        cr_assert_eq(mpc_scalar_zero_mask(&r), UINT64_MAX);
    }
}

static qk_err zeros(struct qk_rng *rng, uint8_t *out, size_t len)
{
    (void)rng;
    memset(out, 0, len);
    return QK_OK;
}

static qk_err broken(struct qk_rng *rng, uint8_t *out, size_t len)
{
    (void)rng;
    memset(out, 1, len);
    return QK_E_RNG;
}

QK_TEST(scalar, a_broken_generator_gives_no_scalar)
{
    struct qk_rng dead = {broken}, flat = {zeros};
    EACH_CURVE(c)
    {
        struct mpc_scalar r = {{7}};
        qk_assert_err(mpc_scalar_random(c, &r, &dead), QK_E_RNG);
        qk_assert_err(mpc_scalar_random_nonzero(c, &r, &dead), QK_E_RNG);
        qk_assert_err(mpc_scalar_random_nonzero(c, &r, &flat), QK_E_RNG);
        cr_assert_eq(r.w[0], 7);
    }
}
