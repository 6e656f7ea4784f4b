/** A caller's HTTP request as received: what SigV4 signs and what the coordinator relays verbatim.
 *
 *  Views borrow; whoever holds the request keeps the bytes they point into alive.
 *  Header names and values are raw bytes in arrival order, repeated names kept.
 */
#ifndef KMS_RAW_H
#define KMS_RAW_H

#include "qk/bytes.h"

#define KMS_RAW_HEADERS_MAX 64
#define KMS_RAW_HEAD_MAX    16384u /* method + path + query + all names and values */
#define KMS_RAW_BODY_MAX    (1024u * 1024u)
/* Room for any encoded request. */
#define KMS_RAW_ENCODED_MAX (KMS_RAW_BODY_MAX + KMS_RAW_HEAD_MAX + 1024u)

struct kms_raw_header {
    struct qk_bytes name;  /* 1.. bytes, HTTP token characters, any case */
    struct qk_bytes value; /* without outer white space; no CR, LF or NUL */
};

struct kms_raw {
    struct qk_bytes method; /* "POST" */
    struct qk_bytes path;   /* as received, from '/' up to '?', still escaped */
    struct qk_bytes query;  /* after '?', without it; may be empty */
    struct kms_raw_header headers[KMS_RAW_HEADERS_MAX];
    size_t n_headers;
    struct qk_bytes body;
    /* true: body is the 32-byte SHA-256 of the body, which stays with the coordinator (Encrypt,
     * where the body is the plaintext). The signature can be verified, the request not parsed. */
    bool body_is_hash;
};

/** QK_OK iff every bound and character rule above holds; QK_E_MALFORMED, QK_E_TOO_LARGE. */
QK_MUST_USE qk_err kms_raw_check(const struct kms_raw *raw);
/** Append one header (views kept). QK_E_TOO_LARGE when the table is full. */
QK_MUST_USE qk_err kms_raw_add_header(
    struct kms_raw *raw, struct qk_bytes name, struct qk_bytes value);
/** The value of the first header of this name (lower case); NULL if there is none. */
const struct qk_bytes *kms_raw_header(const struct kms_raw *raw, const char *lower_name);
/** How many headers of this name there are. */
size_t kms_raw_header_count(const struct kms_raw *raw, const char *lower_name);
/** SHA-256 of the body (or the given hash). QK_E_CRYPTO. */
QK_MUST_USE qk_err kms_raw_body_hash(const struct kms_raw *raw, uint8_t out[static 32]);

/** Canonical msgpack: map {"method","path","query","headers":[[name,value],...],"hashed","body"},
 * every text a bin. out->max should be KMS_RAW_ENCODED_MAX. */
QK_MUST_USE qk_err kms_raw_encode(const struct kms_raw *raw, struct qk_buf *out);
/** Views into `in`, which must outlive raw. Bounds and characters are checked (kms_raw_check). */
QK_MUST_USE qk_err kms_raw_decode(struct qk_bytes in, struct kms_raw *raw);

#endif
