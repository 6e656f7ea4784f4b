/** Key pairs for callers (GenerateDataKeyPair), made from random bytes that no single machine
 * chose.
 *
 *  Source: protocols/65-random.md section 1: a DRBG seeded with at least 48 bytes of RAND for each
 * pair. OpenSSL draws the numbers of a private key from the calling thread's private DRBG (CTR-DRBG
 * with AES-256); it is reseeded with 64 bytes of the pool just before, on top of its own entropy,
 * so the pair is good if either source is.
 */
#ifndef COORD_PAIRS_H
#define COORD_PAIRS_H

#include "qk/bytes.h"

enum { COORD_PAIR_SEED = 64 };

/** Make a pair. Takes a second or more for the longest RSA keys, of which only so many are made at
 * one time that a processor stays free; the others wait. Never on a quick thread.
 *
 *  spec         name of the API: RSA_2048, RSA_3072, RSA_4096, ECC_NIST_P256, _P384, _P521,
 *               ECC_SECG_P256K1, ECC_NIST_EDWARDS25519
 *  seed         from the pool; secret, wiped by the caller
 *  private_key  PKCS#8 DER appended: rsaEncryption; ECPrivateKey with its public key under a named
 *               curve; RFC 8410. A QK_BUF_SECRET
 *  public_key   SubjectPublicKeyInfo DER appended
 *
 *  QK_E_NOT_FOUND: no such spec; QK_E_CRYPTO; QK_E_NOMEM, QK_E_TOO_LARGE: the buffers.
 */
QK_MUST_USE qk_err coord_pair_make(struct qk_bytes spec, const uint8_t seed[static COORD_PAIR_SEED],
    struct qk_buf *private_key, struct qk_buf *public_key);

#endif
