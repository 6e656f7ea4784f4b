/** AWS Signature Version 4: verification for coordinator and nodes, signing for our own CLI and
 * bench.
 *
 *  Source: AWS General Reference, "Signature Version 4 signing process"; kms-api.md section 3 for
 * what we require beyond it. Order of use:
 *
 *      kms_sigv4_parse(&raw, now, region, kms_service_name(kms_service_of(&raw)), &auth, &fault)
 * public data only
 *      ... find the credential record of auth.access_key_id; obtain the signing key for auth.date
 * ... kms_sigv4_verify(&raw, &auth, &signing_key, &fault)
 *
 *  A request that passes both was signed by the holder of the secret, within 5 minutes of now, for
 * this region and service, over method, path, query, body, host, date, target and session token.
 *
 *  The DAY KEY is HMAC-SHA256("AWS4" || secret access key, "YYYYMMDD"): 32 bytes, valid for every
 *  region and service of one UTC day. The SIGNING KEY follows from it for one region and service;
 * it is what nodes keep, in locked memory, instead of the secret.
 */
#ifndef KMS_SIGV4_H
#define KMS_SIGV4_H

#include "qk/secret.h"
#include "kms/fault.h"
#include "kms/raw.h"

#define KMS_SKEW_MS        (5u * 60u * 1000u) /* accepted clock difference, both ways */
#define KMS_SECRET_KEY_MAX 128                /* characters of a secret access key */

enum kms_service { KMS_SERVICE_KMS, KMS_SERVICE_STS };

/** Which protocol a request speaks: STS iff it has no X-Amz-Target and a form body
 *  (application/x-www-form-urlencoded); everything else is treated as KMS. */
enum kms_service kms_service_of(const struct kms_raw *raw);
/** "kms" or "sts". */
const char *kms_service_name(enum kms_service service);

/** The parsed Authorization header. Views point into raw. */
struct kms_sigv4 {
    struct qk_bytes access_key_id; /* 1..128 characters [A-Za-z0-9] */
    struct qk_bytes date;          /* "YYYYMMDD" */
    struct qk_bytes region;
    struct qk_bytes service;
    struct qk_bytes signed_headers; /* "a;b;c" lower case, sorted, distinct */
    uint8_t signature[32];
    char amz_date[17]; /* "YYYYMMDDTHHMMSSZ" as signed */
    uint64_t time_ms;  /* the same moment */
};

/** Parse and check everything that needs no secret: presence and form of the header, the date
 * window around now_ms, scope date, region and service, required signed headers,
 * x-amz-content-sha256 against the body.
 *
 *  Faults, in this order: MissingAuthenticationTokenException, IncompleteSignatureException,
 *  InvalidSignatureException. Presigned queries (X-Amz-Signature in the query), other algorithms
 * and UNSIGNED-PAYLOAD are refused. A session token must be signed and is then unknown
 *  (UnrecognizedClientException): no temporary credentials exist. raw        passed kms_raw_check
 * region, service NUL-terminated, what this deployment is Timing     variable; all inputs public
 */
QK_MUST_USE qk_err kms_sigv4_parse(const struct kms_raw *raw, uint64_t now_ms, const char *region,
    const char *service, struct kms_sigv4 *auth, struct kms_fault *fault);

/** Recompute the signature and compare in constant time. auth must come from kms_sigv4_parse on the
 * same raw; signing_key is that of its date, region and service. InvalidSignatureException on
 * mismatch. Timing: constant in signing_key. */
QK_MUST_USE qk_err kms_sigv4_verify(const struct kms_raw *raw, const struct kms_sigv4 *auth,
    const struct qk_sec32 *signing_key, struct kms_fault *fault);

/** Day key of a secret access key (its text bytes) and a date "YYYYMMDD". QK_E_STATE if the lengths
 * are wrong, QK_E_CRYPTO. */
QK_MUST_USE qk_err kms_sigv4_day_key(
    struct qk_bytes secret, struct qk_bytes date, struct qk_sec32 *out);

/** Canonical request of raw over the named signed headers ("a;b;c"), appended to out. Exposed for
 * tests against AWS's public suite. payload_hash_hex is 64 characters. */
QK_MUST_USE qk_err kms_sigv4_canonical(const struct kms_raw *raw, struct qk_bytes signed_headers,
    const char *payload_hash_hex, struct qk_buf *out);
/** String to sign: algorithm, date, scope, hex SHA-256 of the canonical request. */
QK_MUST_USE qk_err kms_sigv4_string_to_sign(const char *amz_date, struct qk_bytes date,
    struct qk_bytes region, struct qk_bytes service, struct qk_bytes canonical, struct qk_buf *out);
/** HMAC chain over region, service, "aws4_request". QK_E_CRYPTO. */
QK_MUST_USE qk_err kms_sigv4_signing_key(const struct qk_sec32 *day_key, struct qk_bytes region,
    struct qk_bytes service, struct qk_sec32 *out);
/** HMAC of the string to sign. */
QK_MUST_USE qk_err kms_sigv4_signature(
    const struct qk_sec32 *signing_key, struct qk_bytes string_to_sign, uint8_t out[static 32]);

/** What a client signs with. */
struct kms_sigv4_signer {
    const char *access_key_id;
    struct qk_bytes secret; /* text; secret */
    const char *region;
    const char *service; /* "kms" or "sts" */
    uint64_t now_ms;
};

/** Storage for the two headers that signing adds. */
struct kms_sigv4_headers {
    char amz_date[17];
    char authorization[1024];
};

/** Sign raw, which already has host (and x-amz-target, content-type, ...): adds X-Amz-Date and
 *  Authorization, whose text lives in `headers` and must outlive raw's use. Every header present is
 * signed. QK_E_STATE if host is missing, QK_E_TOO_LARGE, QK_E_CRYPTO. */
QK_MUST_USE qk_err kms_sigv4_sign(
    struct kms_raw *raw, const struct kms_sigv4_signer *signer, struct kms_sigv4_headers *headers);

#endif
