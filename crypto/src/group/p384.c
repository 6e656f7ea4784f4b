#include "p384.h"

#include <pthread.h>
#include "ct.h"
#include "word.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 12")

enum { WORDS = 6, WINDOW = 4, ENTRIES = 1 << WINDOW, WINDOWS = 384 / WINDOW };

/* ---- the field: a value below p in Montgomery form, R = 2^384 ---- */

struct fe {
    uint64_t w[WORDS];
};

/* p = 2^384 - 2^128 - 2^96 + 2^32 - 1 (FIPS 186-4 D.1.2.4) */
static const struct fe p = {{0x00000000ffffffff, 0xffffffff00000000, 0xfffffffffffffffe,
    0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff}};
static const struct fe r2 = {{0xfffffffe00000001, 0x0000000200000000, 0xfffffffe00000000,
    0x0000000200000000, 0x0000000000000001, 0}}; /* R^2 mod p */
static const struct fe fe_one = {
    {0xffffffff00000001, 0x00000000ffffffff, 1, 0, 0, 0}}; /* R mod p */
static const struct fe fe_b = {{0x081188719d412dcc, 0xf729add87a4c32ec, 0x77f2209b1920022e,
    0xe3374bee94938ae2, 0xb62b21f41f022094, 0xcd08114b604fbff9}}; /* b of the curve */

/* r = (top, t) - p if that is not negative. */
INLINE void fe_once(struct fe *r, const uint64_t *t, uint64_t top)
{
    uint64_t d[WORDS];
    uint8_t borrow = 0;
    UNROLL for (unsigned i = 0; i < WORDS; i++) borrow = word_sub(borrow, t[i], p.w[i], &d[i]);
    uint64_t keep = ct_mask_of_bit(borrow & (top ^ 1));
    UNROLL for (unsigned i = 0; i < WORDS; i++) r->w[i] = ct_select(ct_barrier(keep), t[i], d[i]);
}

/* Montgomery multiplication by columns. -1/p mod 2^64 is 2^32 + 1, and k*p = k*2^384 - k*s with
 * s = 2^128 + 2^96 - 2^32 + 1, so a step of the reduction costs two products. */
INLINE void mul(struct fe *r, const struct fe *a, const struct fe *b)
{
    static const uint64_t s0 = 0xffffffff00000001, s1 = 0x00000000ffffffff; /* and 1 */
    uint64_t k[WORDS], t[WORDS];
    struct column col = {0, 0, 0};
    UNROLL for (unsigned i = 0; i < 2 * WORDS; i++)
    {
        UNROLL for (unsigned j = i < WORDS ? 0 : i - WORDS + 1; j <= i && j < WORDS; j++)
            column_mul(&col, a->w[j], b->w[i - j]);
        if (i >= 1 && i - 1 < WORDS) column_mul_sub(&col, k[i - 1], s1);
        if (i >= 2 && i - 2 < WORDS) column_sub(&col, k[i - 2]);
        if (i >= WORDS) column_add(&col, k[i - WORDS]);
        if (i < WORDS) {
            k[i] = col.c0 + (col.c0 << 32);
            column_mul_sub(&col, k[i], s0);
            column_shift_signed(&col);
        } else {
            t[i - WORDS] = column_shift_signed(&col);
        }
    }
    fe_once(r, t, col.c0);
}

static void fe_mul(struct fe *r, const struct fe *a, const struct fe *b)
{
    mul(r, a, b);
}

INLINE void fe_add(struct fe *r, const struct fe *a, const struct fe *b)
{
    uint64_t t[WORDS];
    uint8_t carry = 0;
    UNROLL for (unsigned i = 0; i < WORDS; i++) carry = word_add(carry, a->w[i], b->w[i], &t[i]);
    fe_once(r, t, carry);
}

INLINE void fe_sub(struct fe *r, const struct fe *a, const struct fe *b)
{
    uint64_t t[WORDS];
    uint8_t borrow = 0, carry = 0;
    UNROLL for (unsigned i = 0; i < WORDS; i++) borrow = word_sub(borrow, a->w[i], b->w[i], &t[i]);
    uint64_t below = ct_mask_of_bit(borrow);
    UNROLL for (unsigned i = 0; i < WORDS; i++) carry =
        word_add(carry, t[i], p.w[i] & ct_barrier(below), &r->w[i]);
}

/* r = 3*a */
INLINE void fe_triple(struct fe *r, const struct fe *a)
{
    struct fe two;
    fe_add(&two, a, a);
    fe_add(r, &two, a);
}

/* r = a^(p-2), 0 for 0: the exponent is public. */
static void fe_inv(struct fe *r, const struct fe *a)
{
    struct fe pow[16], acc = fe_one;
    pow[0] = fe_one;
    for (unsigned i = 1; i < 16; i++) fe_mul(&pow[i], &pow[i - 1], a);
    for (unsigned pos = 96; pos-- > 0;) {
        uint64_t word = p.w[pos / 16] - (pos < 16 ? 2 : 0);
        for (unsigned i = 0; i < 4; i++) fe_mul(&acc, &acc, &acc);
        unsigned digit = word >> (4 * (pos % 16)) & 15;
        if (digit != 0) fe_mul(&acc, &acc, &pow[digit]);
    }
    *r = acc;
    ct_wipe_local(pow, sizeof pow);
    ct_wipe_local(&acc, sizeof acc);
}

static void fe_load(struct fe *r, const uint8_t in[P384_COORDINATE])
{
    for (unsigned i = 0; i < WORDS; i++) r->w[i] = qk_get_u64(in + 8 * (WORDS - 1 - i));
    fe_mul(r, r, &r2);
}

static void fe_store(uint8_t out[P384_COORDINATE], const struct fe *a)
{
    static const struct fe one = {{1}};
    struct fe v;
    fe_mul(&v, a, &one);
    for (unsigned i = 0; i < WORDS; i++) qk_put_u64(out + 8 * (WORDS - 1 - i), v.w[i]);
    ct_wipe_local(&v, sizeof v);
}

/* ---- points: homogeneous coordinates, x = X/Z, y = Y/Z; O is (0:1:0) ---- */

struct pt {
    struct fe x, y, z;
};

static void pt_infinity(struct pt *r)
{
    *r = (struct pt){.y = fe_one};
}

/* What the two formulas share: from t0 = "XX", t1 = "YY", t2 = "ZZ" and "XZ" the values
 *     left = YY - 3(XZ - b ZZ),  right = YY + 3(XZ - b ZZ),
 *     n = 3(b XZ - 3 ZZ - XX),   m = 3 XX - 3 ZZ. */
struct terms {
    struct fe left, right, n, m;
};

INLINE void terms_of(struct terms *v, const struct fe *xx, const struct fe *yy, const struct fe *zz,
    const struct fe *xz)
{
    struct fe t, zz3;
    fe_mul(&t, &fe_b, zz);
    fe_sub(&t, xz, &t);
    fe_triple(&t, &t);
    fe_sub(&v->left, yy, &t);
    fe_add(&v->right, yy, &t);
    fe_triple(&zz3, zz);
    fe_mul(&t, &fe_b, xz);
    fe_sub(&t, &t, &zz3);
    fe_sub(&t, &t, xx);
    fe_triple(&v->n, &t);
    fe_triple(&t, xx);
    fe_sub(&v->m, &t, &zz3);
}

/* r = (a1 + a2)(b1 + b2) - a1 b1 - a2 b2, the last two given */
INLINE void cross(struct fe *r, const struct fe *a1, const struct fe *a2, const struct fe *b1,
    const struct fe *b2, const struct fe *a1b1, const struct fe *a2b2)
{
    struct fe s, t;
    fe_add(&s, a1, a2);
    fe_add(&t, b1, b2);
    fe_mul(&s, &s, &t);
    fe_add(&t, a1b1, a2b2);
    fe_sub(r, &s, &t);
}

/* Algorithm 4, a = -3. r may alias. */
static void pt_add(struct pt *r, const struct pt *a, const struct pt *b)
{
    struct fe xx, yy, zz, xy, yz, xz, t;
    struct terms v;
    fe_mul(&xx, &a->x, &b->x);
    fe_mul(&yy, &a->y, &b->y);
    fe_mul(&zz, &a->z, &b->z);
    cross(&xy, &a->x, &a->y, &b->x, &b->y, &xx, &yy);
    cross(&yz, &a->y, &a->z, &b->y, &b->z, &yy, &zz);
    cross(&xz, &a->x, &a->z, &b->x, &b->z, &xx, &zz);
    terms_of(&v, &xx, &yy, &zz, &xz);
    fe_mul(&r->y, &v.right, &v.left);
    fe_mul(&t, &v.m, &v.n);
    fe_add(&r->y, &r->y, &t);
    fe_mul(&r->x, &xy, &v.right);
    fe_mul(&t, &yz, &v.n);
    fe_sub(&r->x, &r->x, &t);
    fe_mul(&r->z, &yz, &v.left);
    fe_mul(&t, &xy, &v.m);
    fe_add(&r->z, &r->z, &t);
}

/* Algorithm 6, a = -3. r may alias. */
static void pt_double(struct pt *r, const struct pt *a)
{
    struct fe xx, yy, zz, xy, yz, xz, t;
    struct terms v;
    fe_mul(&xx, &a->x, &a->x);
    fe_mul(&yy, &a->y, &a->y);
    fe_mul(&zz, &a->z, &a->z);
    fe_mul(&xy, &a->x, &a->y);
    fe_add(&xy, &xy, &xy);
    fe_mul(&yz, &a->y, &a->z);
    fe_add(&yz, &yz, &yz);
    fe_mul(&xz, &a->x, &a->z);
    fe_add(&xz, &xz, &xz);
    terms_of(&v, &xx, &yy, &zz, &xz);
    fe_mul(&r->y, &v.right, &v.left);
    fe_mul(&t, &v.m, &v.n);
    fe_add(&r->y, &r->y, &t);
    fe_mul(&r->x, &xy, &v.right);
    fe_mul(&t, &yz, &v.n);
    fe_sub(&r->x, &r->x, &t);
    fe_mul(&t, &yz, &yy);
    fe_add(&t, &t, &t);
    fe_add(&r->z, &t, &t);
}

/* ---- windows ---- */

/* 0 to 15 times a point. */
struct table {
    struct pt v[ENTRIES];
};

static void table_make(struct table *t, const struct pt *a)
{
    pt_infinity(&t->v[0]);
    t->v[1] = *a;
    for (unsigned i = 2; i < ENTRIES; i++) pt_add(&t->v[i], &t->v[i - 1], a);
}

/* Every entry is read; the digit is secret. */
static void table_take(struct pt *r, const struct table *t, unsigned digit)
{
    const uint64_t *from = t->v[0].x.w;
    uint64_t out[3 * WORDS] = {0};
    for (unsigned e = 0; e < ENTRIES; e++, from += 3 * WORDS) {
        uint64_t mask = ct_is_zero(e ^ digit);
        for (unsigned i = 0; i < 3 * WORDS; i++) out[i] |= mask & from[i];
    }
    memcpy(r, out, sizeof out);
    ct_wipe_local(out, sizeof out);
}

_Static_assert(sizeof(struct pt) == 3 * WORDS * sizeof(uint64_t), "a point is its words");

static unsigned digit_of(const struct mpc_scalar *k, unsigned window)
{
    return (unsigned)(k->w[window / 16] >> (WINDOW * (window % 16))) & (ENTRIES - 1);
}

/* 16^i * G for every window i: 220 KB, public. */
static struct table base[WINDOWS];

static void base_make(void)
{
    static const struct pt generator = {
        {{0x3dd0756649c0b528, 0x20e378e2a0d6ce38, 0x879c3afc541b4d6e, 0x6454868459a30eff,
            0x812ff723614ede2b, 0x4d3aadc2299e1513}},
        {{0x23043dad4b03a4fe, 0xa1bfa8bf7bb4a9ac, 0x8bade7562e83b050, 0xc6c3521968f4ffd9,
            0xdd8002263969a840, 0x2b78abc25a15c5e9}},
        {{0xffffffff00000001, 0x00000000ffffffff, 1, 0, 0, 0}}};
    struct pt g = generator;
    for (unsigned i = 0; i < WINDOWS; i++) {
        table_make(&base[i], &g);
        pt_add(&g, &g, &base[i].v[ENTRIES - 1]);
    }
}

/* ---- in and out ---- */

static bool is_zero(const struct fe *a)
{
    uint64_t any = 0;
    for (unsigned i = 0; i < WORDS; i++) any |= a->w[i];
    return ct_is_zero(any) != 0;
}

/* Whether a result is O is public (mpc/group.h). Not inlined: tests/ctime/public.supp names it. */
static __attribute__((noinline)) bool to_affine(struct p384_affine *r, const struct pt *a)
{
    struct fe inv, v;
    *r = (struct p384_affine){{0}, {0}};
    if (is_zero(&a->z)) return false;
    fe_inv(&inv, &a->z);
    fe_mul(&v, &a->x, &inv);
    fe_store(r->x, &v);
    fe_mul(&v, &a->y, &inv);
    fe_store(r->y, &v);
    ct_wipe_local(&inv, sizeof inv);
    ct_wipe_local(&v, sizeof v);
    return true;
}

bool p384_mul_base(struct p384_affine *r, const struct mpc_scalar *k)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, base_make);
    struct pt sum, term;
    pt_infinity(&sum);
    for (unsigned i = 0; i < WINDOWS; i++) {
        table_take(&term, &base[i], digit_of(k, i));
        pt_add(&sum, &sum, &term);
    }
    bool finite = to_affine(r, &sum);
    ct_wipe_local(&sum, sizeof sum);
    ct_wipe_local(&term, sizeof term);
    return finite;
}

bool p384_mul(struct p384_affine *r, const struct mpc_scalar *k, const struct p384_affine *a)
{
    struct table t;
    struct pt point = {.z = fe_one}, sum, term;
    fe_load(&point.x, a->x);
    fe_load(&point.y, a->y);
    table_make(&t, &point);
    table_take(&sum, &t, digit_of(k, WINDOWS - 1));
    for (unsigned i = WINDOWS - 1; i-- > 0;) {
        for (unsigned d = 0; d < WINDOW; d++) pt_double(&sum, &sum);
        table_take(&term, &t, digit_of(k, i));
        pt_add(&sum, &sum, &term);
    }
    bool finite = to_affine(r, &sum);
    ct_wipe_local(&t, sizeof t);
    ct_wipe_local(&point, sizeof point);
    ct_wipe_local(&sum, sizeof sum);
    ct_wipe_local(&term, sizeof term);
    return finite;
}
