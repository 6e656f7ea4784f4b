/** GF(2^128), for the consistency check of the OT extension.
 *
 *  Source: protocols/20-ecdsa.md section 1. An element is 16 bytes; bit i (of
 *  byte i/8, least significant bit first) is the coefficient of X^i; the
 *  modulus is X^128 + X^7 + X^2 + X + 1. This is not the bit order of GCM.
 *
 *  Timing: constant in every argument.
 *  Threads: reentrant.
 */
#ifndef MPC_GF128_H
#define MPC_GF128_H

#include <stdint.h>

/** r = a + b (exclusive or). r may alias either. */
static inline void mpc_gf128_add(
    uint8_t r[static 16], const uint8_t a[static 16], const uint8_t b[static 16])
{
    for (int i = 0; i < 16; i++) r[i] = (uint8_t)(a[i] ^ b[i]);
}

/** r = a * b. r may alias either. PCLMULQDQ where the processor has it. */
void mpc_gf128_mul(uint8_t r[static 16], const uint8_t a[static 16], const uint8_t b[static 16]);

/** r = r + a * b. r must not alias a or b. */
void mpc_gf128_mul_add(
    uint8_t r[static 16], const uint8_t a[static 16], const uint8_t b[static 16]);

/** The same product without special instructions; what mpc_gf128_mul falls back to. */
void mpc_gf128_mul_portable(
    uint8_t r[static 16], const uint8_t a[static 16], const uint8_t b[static 16]);

#endif
