/** SHA-256 and HMAC-SHA-256 (FIPS 180-4, RFC 2104) for what is done for every request.
 *
 *  The same code of libcrypto as EVP uses, called directly: EVP looks the algorithm up and
 * allocates two objects for each digest, which costs more than hashing a short text. Nothing here
 * allocates or fails. Timing depends on lengths only.
 */
#ifndef QK_SHA256_H
#define QK_SHA256_H

#include "qk/bytes.h"

/** One digest under way; on the stack. Wiped by qk_sha256_end. */
struct qk_sha256 {
    _Alignas(8) uint8_t state[128];
};
void qk_sha256_begin(struct qk_sha256 *s);
void qk_sha256_add(struct qk_sha256 *s, const void *p, size_t len);
void qk_sha256_end(struct qk_sha256 *s, uint8_t out[static 32]);

void qk_sha256_of(struct qk_bytes data, uint8_t out[static 32]);
/** key, data and out may be secret; out may be key. */
void qk_hmac256_of(struct qk_bytes key, struct qk_bytes data, uint8_t out[static 32]);

#endif
