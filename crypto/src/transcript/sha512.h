/** SHA-512 with its state on the stack. Private to crypto/src/transcript.
 *
 *  This wraps OpenSSL's low-level functions, deprecated in OpenSSL 3 but not
 *  gone. One ECDSA signature hashes about 4500 short transcripts: for 100
 *  bytes a fetched EVP_MD with a reused context takes 240 ns, these 175 ns,
 *  they cannot fail, and a state is copied by assignment, so no per-thread
 *  object that holds secrets is needed. Should OpenSSL drop them, only
 *  sha512.c changes.
 */
#ifndef MPC_TRANSCRIPT_SHA512_H
#define MPC_TRANSCRIPT_SHA512_H

#include <stddef.h>
#include <stdint.h>

/* Wipe with sha512_wipe: the state holds the last block of input. */
struct sha512 {
    uint64_t state[28];
};

void sha512_init(struct sha512 *s);
void sha512_update(struct sha512 *s, const void *p, size_t len);
void sha512_final(struct sha512 *s, uint8_t out[static 64]);
void sha512_wipe(struct sha512 *s);

#define AUTO_SHA512 __attribute__((cleanup(sha512_wipe))) struct sha512

#endif
