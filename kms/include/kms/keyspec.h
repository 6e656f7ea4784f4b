/** Key specs and their algorithms (kms-api.md section 6).
 *
 *  The specs that can be created and used now: four ECC ones, SYMMETRIC_DEFAULT. Other names of the
 * API model are valid names; CreateKey answers UnsupportedOperationException for them.
 */
#ifndef KMS_KEYSPEC_H
#define KMS_KEYSPEC_H

#include "qk/bytes.h"

/* Values are stored in records: never renumber. */
enum kms_spec_id {
    KMS_SPEC_ECC_SECG_P256K1 = 1,
    KMS_SPEC_ECC_NIST_P256 = 2,
    KMS_SPEC_ECC_NIST_P384 = 3,
    KMS_SPEC_ECC_NIST_P521 = 4,
    KMS_SPEC_SYMMETRIC_DEFAULT = 5,
};

enum kms_hash { KMS_SHA256 = 1, KMS_SHA384, KMS_SHA512 };

#define KMS_DIGEST_MAX 64

struct kms_keyspec {
    enum kms_spec_id id;
    const char *name;      /* "ECC_NIST_P256" */
    const char *usage;     /* "SIGN_VERIFY" */
    uint8_t curve;         /* protocols/00 section 2: 1..4; 0: SYMMETRIC_DEFAULT */
    const char *algorithm; /* the one algorithm, "ECDSA_SHA_256", "SYMMETRIC_DEFAULT" */
    enum kms_hash hash;    /* 0: none, of a symmetric key */
    size_t digest_len;     /* 32, 48 or 64; 0 */
    size_t spki_len;       /* of the DER SubjectPublicKeyInfo; 0 */
};

/** NULL when there is none. */
const struct kms_keyspec *kms_keyspec_by_name(struct qk_bytes name);
const struct kms_keyspec *kms_keyspec_by_id(uint64_t id);
/** NULL for 0: that is no curve. */
const struct kms_keyspec *kms_keyspec_by_curve(uint8_t curve);
bool kms_keyspec_is_symmetric(const struct kms_keyspec *spec);

/** Digest of message; out_len is 32, 48 or 64. QK_E_CRYPTO. */
QK_MUST_USE qk_err kms_hash(enum kms_hash hash, struct qk_bytes message,
    uint8_t out[static KMS_DIGEST_MAX], size_t *out_len);

#endif
