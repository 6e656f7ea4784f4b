/** 64-bit words with carries, and the sum of products in one column. Private to crypto/src/group.
 *
 *  Compilers turn 128-bit C into add and adc, but spill or recompute carries;
 *  on x86-64 the few instructions are therefore written down. The C versions
 *  are what they compute.
 *
 *  Timing: constant.
 */
#ifndef MPC_GROUP_WORD_H
#define MPC_GROUP_WORD_H

#include <stdint.h>

typedef unsigned __int128 word2;

/** A column of a product: 192 bits. */
struct column {
    uint64_t c0, c1, c2;
};

#if defined(__x86_64__)
#include <immintrin.h>

/** *r = a + b + carry; returns the carry out. Carries are 0 or 1. */
static inline uint8_t word_add(uint8_t carry, uint64_t a, uint64_t b, uint64_t *r)
{
    unsigned long long v;
    carry = _addcarry_u64(carry, a, b, &v);
    *r = v;
    return carry;
}

/** *r = a - b - borrow; returns the borrow out. */
static inline uint8_t word_sub(uint8_t borrow, uint64_t a, uint64_t b, uint64_t *r)
{
    unsigned long long v;
    borrow = _subborrow_u64(borrow, a, b, &v);
    *r = v;
    return borrow;
}

#ifdef __clang__ /* takes "rm" for memory always */
#define WORD_OPERAND "r"
#else
#define WORD_OPERAND "rm"
#endif

/** col += a * b */
static inline __attribute__((always_inline)) void column_mul(
    struct column *col, uint64_t a, uint64_t b)
{
    __asm__("mulq %[b]\n\t"
            "addq %%rax, %[c0]\n\t"
            "adcq %%rdx, %[c1]\n\t"
            "adcq $0, %[c2]"
            : [c0] "+r"(col->c0), [c1] "+r"(col->c1), [c2] "+r"(col->c2), "+a"(a)
            : [b] WORD_OPERAND(b)
            : "rdx", "cc");
}

/** col -= a * b; columns are two's complement numbers then */
static inline __attribute__((always_inline)) void column_mul_sub(
    struct column *col, uint64_t a, uint64_t b)
{
    __asm__("mulq %[b]\n\t"
            "subq %%rax, %[c0]\n\t"
            "sbbq %%rdx, %[c1]\n\t"
            "sbbq $0, %[c2]"
            : [c0] "+r"(col->c0), [c1] "+r"(col->c1), [c2] "+r"(col->c2), "+a"(a)
            : [b] WORD_OPERAND(b)
            : "rdx", "cc");
}

/** col += a */
static inline __attribute__((always_inline)) void column_add(struct column *col, uint64_t a)
{
    __asm__("addq %[a], %[c0]\n\t"
            "adcq $0, %[c1]\n\t"
            "adcq $0, %[c2]"
            : [c0] "+r"(col->c0), [c1] "+r"(col->c1), [c2] "+r"(col->c2)
            : [a] WORD_OPERAND(a)
            : "cc");
}

/** col -= a */
static inline __attribute__((always_inline)) void column_sub(struct column *col, uint64_t a)
{
    __asm__("subq %[a], %[c0]\n\t"
            "sbbq $0, %[c1]\n\t"
            "sbbq $0, %[c2]"
            : [c0] "+r"(col->c0), [c1] "+r"(col->c1), [c2] "+r"(col->c2)
            : [a] WORD_OPERAND(a)
            : "cc");
}
#else
static inline uint8_t word_add(uint8_t carry, uint64_t a, uint64_t b, uint64_t *r)
{
    word2 v = (word2)a + b + carry;
    *r = (uint64_t)v;
    return (uint8_t)(v >> 64);
}

static inline uint8_t word_sub(uint8_t borrow, uint64_t a, uint64_t b, uint64_t *r)
{
    word2 v = (word2)a - b - borrow;
    *r = (uint64_t)v;
    return (uint8_t)(v >> 64) & 1;
}

static inline void column_add2(struct column *col, word2 v)
{
    word2 low = ((word2)col->c1 << 64) | col->c0;
    low += v;
    col->c2 += low < v;
    col->c0 = (uint64_t)low;
    col->c1 = (uint64_t)(low >> 64);
}

static inline void column_mul(struct column *col, uint64_t a, uint64_t b)
{
    column_add2(col, (word2)a * b);
}

static inline void column_add(struct column *col, uint64_t a)
{
    column_add2(col, a);
}

static inline void column_sub2(struct column *col, word2 v)
{
    word2 low = ((word2)col->c1 << 64) | col->c0;
    col->c2 -= low < v;
    low -= v;
    col->c0 = (uint64_t)low;
    col->c1 = (uint64_t)(low >> 64);
}

static inline void column_mul_sub(struct column *col, uint64_t a, uint64_t b)
{
    column_sub2(col, (word2)a * b);
}

static inline void column_sub(struct column *col, uint64_t a)
{
    column_sub2(col, a);
}
#endif

/** The lowest word of col, which then goes on to the next column. */
static inline uint64_t column_shift(struct column *col)
{
    uint64_t low = col->c0;
    *col = (struct column){col->c1, col->c2, 0};
    return low;
}

/** The same for a column that may be negative. */
static inline uint64_t column_shift_signed(struct column *col)
{
    uint64_t low = col->c0;
    *col = (struct column){col->c1, col->c2, 0 - (col->c2 >> 63)};
    return low;
}

#endif
