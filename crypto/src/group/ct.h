/** Constant-time masks. A mask is all ones or zero.
 *
 *  The barrier hides a value's range from the compiler, which would otherwise
 *  be free to turn a mask back into a branch (clang does so).
 */
#ifndef MPC_GROUP_CT_H
#define MPC_GROUP_CT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t ct_barrier(uint64_t v)
{
    __asm__("" : "+r"(v));
    return v;
}

/** 1 gives all ones, 0 gives zero. */
static inline uint64_t ct_mask_of_bit(uint64_t bit)
{
    return ct_barrier(0 - bit);
}

/** All ones iff v == 0. */
static inline uint64_t ct_is_zero(uint64_t v)
{
    return ct_mask_of_bit(1 ^ ((v | (0 - v)) >> 63));
}

/** mask ? a : b. */
static inline uint64_t ct_select(uint64_t mask, uint64_t a, uint64_t b)
{
    return b ^ (mask & (a ^ b));
}

/** r = mask ? a : b, bytewise. r may alias either. */
static inline void ct_select_bytes(
    uint8_t *r, uint64_t mask, const uint8_t *a, const uint8_t *b, size_t len)
{
    uint8_t m = (uint8_t)ct_barrier(mask);
    for (size_t i = 0; i < len; i++) r[i] = (uint8_t)(b[i] ^ (m & (a[i] ^ b[i])));
}

/** Wipe a local array on the way out; inlined, for leaf arithmetic where a call of OPENSSL_cleanse
 *  would cost as much as the work. The empty asm makes the compiler believe the zeros are read. */
static inline __attribute__((always_inline)) void ct_wipe_local(void *p, size_t len)
{
    memset(p, 0, len);
    __asm__ volatile("" : : "r"(p) : "memory");
}

#endif
