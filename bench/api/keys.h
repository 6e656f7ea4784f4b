/** The keys that the load uses, and what each operation asks of them. */
#ifndef BENCH_KEYS_H
#define BENCH_KEYS_H

#include <openssl/evp.h>
#include "api/call.h"

enum { BENCH_KEY_ID_MAX = 256, BENCH_DIGEST_MAX = 64, BENCH_SIG_B64_MAX = 256 };

enum bench_op {
    BENCH_SIGN,
    BENCH_DESCRIBE_KEY,
    BENCH_GET_PUBLIC_KEY,
    BENCH_VERIFY,
    BENCH_DISABLE_KEY
};

/** Its name on the command line and its API action; NULL past the last. */
const char *bench_op_name(unsigned op);
/** turn: how many requests this connection has sent; BENCH_DISABLE_KEY takes turns with EnableKey,
 * so that each is a change. */
const char *bench_op_action(enum bench_op op, uint64_t turn);
/** Do two of them at a time on one key get in each other's way? */
bool bench_op_changes(enum bench_op op);

/** Is it a key spec that bench_kms_key_create takes? */
bool bench_spec_known(const char *spec);

struct bench_kms_key {
    char id[BENCH_KEY_ID_MAX];
    const char *algorithm; /* "ECDSA_SHA_256", ... */
    size_t digest_len;
    EVP_PKEY *public_key;
    bool created; /* by us */
    /* One good signature, for BENCH_VERIFY. */
    uint8_t digest[BENCH_DIGEST_MAX];
    char signature[BENCH_SIG_B64_MAX];
};

/** Learn spec and public key of an existing key. Failures are told on stderr; QK_E_NOT_FOUND when
 *  the service refuses, QK_E_MALFORMED for an answer or a key spec that is not understood. */
QK_MUST_USE qk_err bench_kms_key_open(
    struct bench_conn *c, const char *id, struct bench_kms_key *out);
/** CreateKey with this spec (SIGN_VERIFY), then open it. */
QK_MUST_USE qk_err bench_kms_key_create(
    struct bench_conn *c, const char *spec, struct bench_kms_key *out);
/** Sign once and keep digest and signature; the signature is checked with OpenSSL. */
QK_MUST_USE qk_err bench_kms_key_prepare_verify(struct bench_conn *c, struct bench_kms_key *k);
/** ScheduleKeyDeletion after the shortest window the API has, 7 days. */
QK_MUST_USE qk_err bench_kms_key_drop(struct bench_conn *c, struct bench_kms_key *k);
void bench_kms_key_free(struct bench_kms_key *k);

/** Append the JSON body of an operation. digest (k->digest_len bytes) is for BENCH_SIGN. */
QK_MUST_USE qk_err bench_body(
    enum bench_op op, const struct bench_kms_key *k, const uint8_t *digest, struct qk_buf *out);
/** Verify the signature in a Sign answer with OpenSSL. QK_E_MALFORMED, QK_E_PROOF, QK_E_CRYPTO. */
QK_MUST_USE qk_err bench_check_signature(
    const struct bench_kms_key *k, const uint8_t *digest, struct qk_bytes reply_body);

#endif
