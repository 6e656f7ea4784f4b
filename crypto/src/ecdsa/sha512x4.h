/** SHA-512 of four one-block messages at once.
 *
 *  Source: FIPS 180-4. The OT extension hashes thousands of short, equally
 *  long inputs per signature; four run side by side in one set of vector
 *  registers. Not a general hash: callers pad their block themselves.
 *
 *  Timing: constant. Threads: reentrant.
 */
#ifndef MPC_SHA512X4_H
#define MPC_SHA512X4_H

#include <stdint.h>

enum { SHA512X4_LANES = 4 };

/** out[l] = SHA-512 of the message whose padded single block is block[l]. */
void sha512x4(uint8_t out[SHA512X4_LANES][64], uint8_t block[SHA512X4_LANES][128]);

#endif
