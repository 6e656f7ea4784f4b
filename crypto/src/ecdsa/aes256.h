/** AES-256 on whole arrays of blocks, for the masks of the OT extension.
 *
 *  Source: FIPS 197. With the AES instructions of x86-64 eight blocks run side
 *  by side; without them OpenSSL's ECB mode computes the same. Not a mode of
 *  operation: callers say in their own header what they make of the blocks.
 *
 *  Timing: constant in keys and blocks with AES instructions; otherwise as
 *  OpenSSL's AES (constant on x86-64 with SSSE3 and on ARMv8).
 *  Threads: reentrant; one struct belongs to one thread.
 */
#ifndef MPC_ECDSA_AES256_H
#define MPC_ECDSA_AES256_H

#include <stddef.h>
#include <stdint.h>
#include "qk/err.h"

enum { AES256_BLOCK = 16, AES256_KEY = 32, AES256_ROUND_KEYS = 15 };

/** An expanded key; secret. */
struct aes256 {
    _Alignas(16) uint8_t round_key[AES256_ROUND_KEYS][16]; /* with AES instructions */
    void *evp;                                             /* without: an EVP_CIPHER_CTX */
};

/** Expand a key; over an earlier one too. QK_E_NOMEM, QK_E_CRYPTO. */
QK_MUST_USE qk_err aes256_key(struct aes256 *a, const uint8_t key[static AES256_KEY]);
/** Wipe and release. A zeroed struct is allowed. */
void aes256_clear(struct aes256 *a);

/* An AES key that must still be set, cleared on every way out of its scope. */
#define AES256(name) __attribute__((cleanup(aes256_clear))) struct aes256 name = {.evp = NULL}

/** Encrypt n_blocks independent blocks in place. QK_E_CRYPTO. */
QK_MUST_USE qk_err aes256_blocks(const struct aes256 *a, uint8_t *blocks, size_t n_blocks);

/** out block i = AES(start xor i), i as a little-endian integer of 16 bytes: counter mode whose
 *  counter is xored. out takes n_blocks * 16 bytes, at most 256 blocks. */
QK_MUST_USE qk_err aes256_counter(
    const struct aes256 *a, const uint8_t start[static 16], uint8_t *out, size_t n_blocks);

/** aes256_key, but through OpenSSL from then on, whatever the processor has; for the tests. */
QK_MUST_USE qk_err aes256_key_portable(struct aes256 *a, const uint8_t key[static AES256_KEY]);

#endif
