/** Hashes of this library: one-shot SHA-2, HMAC-SHA-256, and the length framing `fr(x) = u32(len x)
 * || x`. */
#ifndef KMS_DIGEST_H
#define KMS_DIGEST_H

#include <openssl/types.h>
#include "qk/bytes.h"

/** One digest over data. QK_E_CRYPTO. */
QK_MUST_USE qk_err kms_digest(const EVP_MD *md, struct qk_bytes data, uint8_t *out);
QK_MUST_USE qk_err kms_sha256(struct qk_bytes data, uint8_t out[static 32]);
/** Lower-case hexadecimal SHA-256 and NUL. */
QK_MUST_USE qk_err kms_sha256_hex(struct qk_bytes data, char out[static 65]);
/** HMAC-SHA-256; key and out may be secret. */
QK_MUST_USE qk_err kms_hmac256(struct qk_bytes key, struct qk_bytes data, uint8_t out[static 32]);
/** Append u32(len) || v. */
void kms_frame(struct qk_buf *b, struct qk_bytes v);

#endif
