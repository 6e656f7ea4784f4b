/** The operations that the load can consist of. */
#ifndef BENCH_OPS_H
#define BENCH_OPS_H

#include <openssl/evp.h>
#include "api/loop.h"

enum { BENCH_KEY_ID_MAX = 128, BENCH_DIGEST_MAX = 64, BENCH_SIG_B64_MAX = 256 };

enum bench_op {
    BENCH_SIGN,
    BENCH_DESCRIBE_KEY,
    BENCH_GET_PUBLIC_KEY,
    BENCH_VERIFY,
    BENCH_DISABLE_KEY,
    BENCH_ENCRYPT,
    BENCH_DECRYPT,
    BENCH_GENERATE_DATA_KEY,
    BENCH_GENERATE_RANDOM,
    BENCH_GENERATE_MAC,
    BENCH_VERIFY_MAC,
};

/** Its name on the command line; NULL past the last. */
const char *bench_op_name(unsigned op);
/** Its API action. turn: how many requests this connection has sent; BENCH_DISABLE_KEY takes turns
 *  with EnableKey, so that each is a change. */
const char *bench_op_action(enum bench_op op, uint64_t turn);
/** Do two of them at a time on one key get in each other's way? */
bool bench_op_changes(enum bench_op op);
struct bench_spec;
/** What kind of key it takes. */
enum bench_family { BENCH_SIGNING, BENCH_SYMMETRIC, BENCH_MAC };
enum bench_family bench_op_family(enum bench_op op);
/** The spec of its key when none is asked for; NULL: it has to be. */
const struct bench_spec *bench_op_spec(enum bench_op op);
/** Does it use a key at all? */
bool bench_op_keyed(enum bench_op op);

/** A key spec that the load knows. */
struct bench_spec {
    const char *name, *usage;
    enum bench_family family;
    const char *algorithm; /* of signatures and MACs; NULL: symmetric */
    size_t digest_len;     /* of signatures */
};

/** NULL: unknown. */
const struct bench_spec *bench_spec_find(struct qk_bytes name);

struct bench_kms_key {
    char id[BENCH_KEY_ID_MAX];
    const struct bench_spec *spec;
    EVP_PKEY *public_key; /* NULL: not asked for */
    bool created;         /* by us */
    /* One good signature, for BENCH_VERIFY; for BENCH_VERIFY_MAC the MAC of a message that begins
     * with `digest`. Base64. */
    uint8_t digest[BENCH_DIGEST_MAX];
    char signature[BENCH_SIG_B64_MAX];
};

/** A ciphertext and what it must open to; or a MAC and its message. */
struct bench_blob {
    char *ciphertext, *plaintext;    /* base64 */
    const struct bench_kms_key *key; /* of a MAC */
};

/** Append the JSON body of an operation.
 *
 *  key    NULL for BENCH_GENERATE_RANDOM
 *  blob   for BENCH_DECRYPT
 *  fresh  what this request alone holds: the digest of a BENCH_SIGN, the beginning of the plaintext
 *         of a BENCH_ENCRYPT, the message of a BENCH_GENERATE_MAC (zeros follow, to `bytes`)
 *  bytes  of plaintext, message, data key or random bytes, 1..4096
 */
QK_MUST_USE qk_err bench_body(enum bench_op op, const struct bench_kms_key *key,
    const struct bench_blob *blob, const uint8_t fresh[static BENCH_FRESH_MAX], size_t bytes,
    struct qk_buf *out);
/** Append the base64 of that plaintext or message. */
void bench_plaintext_add(
    const uint8_t fresh[static BENCH_FRESH_MAX], size_t bytes, struct qk_buf *out);
/** Verify a signature (base64) with OpenSSL. QK_E_MALFORMED, QK_E_PROOF, QK_E_CRYPTO. */
QK_MUST_USE qk_err bench_check_signature(
    const struct bench_kms_key *k, const uint8_t *digest, struct qk_bytes base64);

#endif
