/** Key specs and their algorithms (kms-api.md section 6).
 *
 *  The specs that can be created and used now: four ECC ones, SYMMETRIC_DEFAULT, four HMAC ones.
 * Other names of the API model are valid names; CreateKey answers UnsupportedOperationException for
 * them.
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
    KMS_SPEC_HMAC_224 = 6,
    KMS_SPEC_HMAC_256 = 7,
    KMS_SPEC_HMAC_384 = 8,
    KMS_SPEC_HMAC_512 = 9,
};

enum kms_hash { KMS_SHA256 = 1, KMS_SHA384, KMS_SHA512, KMS_SHA224 };

#define KMS_DIGEST_MAX 64

struct kms_keyspec {
    enum kms_spec_id id;
    const char *name;      /* "ECC_NIST_P256" */
    const char *usage;     /* "SIGN_VERIFY" */
    uint8_t curve;         /* protocols/00 section 2: 1..4; 0: not on a curve */
    const char *algorithm; /* the one algorithm, "ECDSA_SHA_256", "HMAC_SHA_256" */
    enum kms_hash hash;    /* 0: none, of SYMMETRIC_DEFAULT */
    size_t digest_len;     /* 28, 32, 48 or 64, which is the length of an HMAC, too; 0 */
    size_t spki_len;       /* of the DER SubjectPublicKeyInfo; 0 */
};

/** NULL when there is none. */
const struct kms_keyspec *kms_keyspec_by_name(struct qk_bytes name);
const struct kms_keyspec *kms_keyspec_by_id(uint64_t id);
/** NULL for 0: that is no curve. */
const struct kms_keyspec *kms_keyspec_by_curve(uint8_t curve);
/** SYMMETRIC_DEFAULT. */
bool kms_keyspec_is_symmetric(const struct kms_keyspec *spec);
/** HMAC_224 to HMAC_512. */
bool kms_keyspec_is_mac(const struct kms_keyspec *spec);
/** Either of these: the material is in VERSION records of its own, and may be imported. */
bool kms_keyspec_has_versions(const struct kms_keyspec *spec);

/** Digest of message; out_len is 28, 32, 48 or 64. QK_E_CRYPTO. */
QK_MUST_USE qk_err kms_hash(enum kms_hash hash, struct qk_bytes message,
    uint8_t out[static KMS_DIGEST_MAX], size_t *out_len);

#endif
