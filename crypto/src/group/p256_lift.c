#include "p256_lift.h"

#include <string.h>
#include "modulus.h"

/* p = 2^256 - 2^224 + 2^192 + 2^96 - 1 (FIPS 186-4 D.1.2.3), so n0 = 1; R = 2^256. */
static const struct mpc_modulus field = {
    .q = {0xffffffffffffffff, 0x00000000ffffffff, 0x0000000000000000, 0xffffffff00000001},
    .r1 = {0x0000000000000001, 0xffffffff00000000, 0xffffffffffffffff, 0x00000000fffffffe},
    .r2 = {0x0000000000000003, 0xfffffffbffffffff, 0xfffffffffffffffe, 0x00000004fffffffd},
    .n0 = 1,
    .n = 4,
};
/* Of y^2 = x^3 - 3x + b, in Montgomery form. */
static const uint64_t three[4] = {
    0x0000000000000003, 0xfffffffd00000000, 0xffffffffffffffff, 0x00000002fffffffc};
static const uint64_t curve_b[4] = {
    0xd89cdf6229c4bddf, 0xacf005cd78843090, 0xe5a220abf7212ed6, 0xdc30061d04874834};

/* Nine words, since that is what the functions of modulus.h write. */
struct fe {
    uint64_t w[MPC_SCALAR_WORDS];
};

static void mul(struct fe *r, const struct fe *a, const struct fe *b)
{
    mpc_mont_mul(&field, r->w, a->w, b->w);
}

static void square_n(struct fe *r, unsigned n)
{
    for (unsigned i = 0; i < n; i++) mul(r, r, r);
}

/* r = a^((p+1)/4), (p+1)/4 = 2^94 (2^128 (2^32 - 1) + 2^96 + 1): a root of a if a has one. */
static void root(struct fe *r, const struct fe *a)
{
    struct fe x = *a, half;
    for (unsigned bits = 1; bits < 32; bits *= 2) { /* x = a^(2^bits - 1) */
        half = x;
        square_n(&x, bits);
        mul(&x, &x, &half);
    }
    square_n(&x, 32);
    mul(&x, &x, a);
    square_n(&x, 96);
    mul(&x, &x, a);
    square_n(&x, 94);
    *r = x;
}

bool p256_lift_var(uint8_t y[static 32], const uint8_t x[static 32], unsigned y_odd)
{
    static const struct fe one = {{1}}, zero = {{0}};
    struct fe v = {{0}}, t, rhs, sq;
    for (unsigned i = 0; i < 4; i++) v.w[i] = qk_get_u64(x + 8 * (3 - i));
    if (mpc_words_less(v.w, field.q, 4) == 0) return false;
    mpc_mont_mul(&field, v.w, v.w, field.r2);
    mul(&t, &v, &v);
    mpc_mod_sub(&field, t.w, t.w, three);
    mul(&t, &t, &v);
    mpc_mod_add(&field, rhs.w, t.w, curve_b);
    root(&t, &rhs);
    mul(&sq, &t, &t);
    if (memcmp(sq.w, rhs.w, 4 * sizeof *sq.w) != 0) return false;
    mul(&t, &t, &one);
    if ((t.w[0] & 1) != y_odd) mpc_mod_sub(&field, t.w, zero.w, t.w);
    if ((t.w[0] & 1) != y_odd) return false; /* y = 0 has no odd twin */
    for (unsigned i = 0; i < 4; i++) qk_put_u64(y + 8 * (3 - i), t.w[i]);
    return true;
}
