#include "mpc/gf128.h"

#include <string.h>
#include "ct.h"

struct elem {
    uint64_t lo, hi;
};

static struct elem load(const uint8_t *p)
{
    struct elem e = {0, 0};
    for (int i = 7; i >= 0; i--) {
        e.lo = (e.lo << 8) | p[i];
        e.hi = (e.hi << 8) | p[i + 8];
    }
    return e;
}

static void store(uint8_t *p, struct elem e)
{
    for (int i = 0; i < 8; i++) {
        p[i] = (uint8_t)(e.lo >> (8 * i));
        p[i + 8] = (uint8_t)(e.hi >> (8 * i));
    }
}

/* Shift and add, one bit of b a step, with masks in place of branches. */
void mpc_gf128_mul_portable(
    uint8_t r[static 16], const uint8_t a[static 16], const uint8_t b[static 16])
{
    struct elem x = load(a);
    struct elem y = load(b);
    struct elem sum = {0, 0};
    for (int i = 0; i < 128; i++) {
        uint64_t take = ct_mask_of_bit((i < 64 ? y.lo >> i : y.hi >> (i - 64)) & 1);
        sum.lo ^= take & x.lo;
        sum.hi ^= take & x.hi;
        uint64_t carry = ct_mask_of_bit(x.hi >> 63);
        x.hi = (x.hi << 1) | (x.lo >> 63);
        x.lo = (x.lo << 1) ^ (carry & 0x87);
    }
    store(r, sum);
}

#if defined(__x86_64__)
#include <immintrin.h>

/* Four carry-less products, then the upper half folded twice by X^7+X^2+X+1 (0x87). */
__attribute__((target("pclmul,sse2"))) static __m128i mul_clmul(__m128i a, __m128i b)
{
    __m128i lo = _mm_clmulepi64_si128(a, b, 0x00);
    __m128i hi = _mm_clmulepi64_si128(a, b, 0x11);
    __m128i mid = _mm_xor_si128(_mm_clmulepi64_si128(a, b, 0x01), _mm_clmulepi64_si128(a, b, 0x10));
    lo = _mm_xor_si128(lo, _mm_slli_si128(mid, 8));
    hi = _mm_xor_si128(hi, _mm_srli_si128(mid, 8));

    const __m128i poly = _mm_set_epi64x(0, 0x87);
    __m128i top = _mm_clmulepi64_si128(hi, poly, 0x01); /* upper half of hi times 0x87 */
    lo = _mm_xor_si128(lo, _mm_slli_si128(top, 8));
    hi = _mm_xor_si128(hi, _mm_srli_si128(top, 8));
    return _mm_xor_si128(lo, _mm_clmulepi64_si128(hi, poly, 0x00));
}

__attribute__((target("pclmul,sse2"))) static void mul_add_clmul(
    uint8_t *r, const uint8_t *base, const uint8_t *a, const uint8_t *b)
{
    __m128i v = mul_clmul(_mm_loadu_si128((const void *)a), _mm_loadu_si128((const void *)b));
    if (base != NULL) v = _mm_xor_si128(v, _mm_loadu_si128((const void *)base));
    _mm_storeu_si128((void *)r, v);
}

static int has_clmul(void)
{
    return __builtin_cpu_supports("pclmul");
}
#else
static void mul_add_clmul(uint8_t *r, const uint8_t *base, const uint8_t *a, const uint8_t *b)
{
    (void)r, (void)base, (void)a, (void)b;
}

static int has_clmul(void)
{
    return 0;
}
#endif

void mpc_gf128_mul(uint8_t r[static 16], const uint8_t a[static 16], const uint8_t b[static 16])
{
    if (has_clmul())
        mul_add_clmul(r, NULL, a, b);
    else
        mpc_gf128_mul_portable(r, a, b);
}

void mpc_gf128_mul_add(uint8_t r[static 16], const uint8_t a[static 16], const uint8_t b[static 16])
{
    if (has_clmul()) {
        mul_add_clmul(r, r, a, b);
        return;
    }
    uint8_t product[16];
    mpc_gf128_mul_portable(product, a, b);
    mpc_gf128_add(r, r, product);
    ct_wipe_local(product, sizeof product);
}
