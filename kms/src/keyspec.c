#include "kms/keyspec.h"

#include <openssl/evp.h>
#include "digest.h"

static const struct kms_keyspec specs[] = {
    {KMS_SPEC_ECC_SECG_P256K1, "ECC_SECG_P256K1", "SIGN_VERIFY", 1, "ECDSA_SHA_256", KMS_SHA256, 32,
        88},
    {KMS_SPEC_ECC_NIST_P256, "ECC_NIST_P256", "SIGN_VERIFY", 2, "ECDSA_SHA_256", KMS_SHA256, 32,
        91},
    {KMS_SPEC_ECC_NIST_P384, "ECC_NIST_P384", "SIGN_VERIFY", 3, "ECDSA_SHA_384", KMS_SHA384, 48,
        120},
    {KMS_SPEC_ECC_NIST_P521, "ECC_NIST_P521", "SIGN_VERIFY", 4, "ECDSA_SHA_512", KMS_SHA512, 64,
        158},
    {KMS_SPEC_SYMMETRIC_DEFAULT, "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", 0, "SYMMETRIC_DEFAULT",
        (enum kms_hash)0, 0, 0},
    {KMS_SPEC_HMAC_224, "HMAC_224", "GENERATE_VERIFY_MAC", 0, "HMAC_SHA_224", KMS_SHA224, 28, 0},
    {KMS_SPEC_HMAC_256, "HMAC_256", "GENERATE_VERIFY_MAC", 0, "HMAC_SHA_256", KMS_SHA256, 32, 0},
    {KMS_SPEC_HMAC_384, "HMAC_384", "GENERATE_VERIFY_MAC", 0, "HMAC_SHA_384", KMS_SHA384, 48, 0},
    {KMS_SPEC_HMAC_512, "HMAC_512", "GENERATE_VERIFY_MAC", 0, "HMAC_SHA_512", KMS_SHA512, 64, 0},
};

const struct kms_keyspec *kms_keyspec_by_name(struct qk_bytes name)
{
    for (size_t i = 0; i < QK_COUNT(specs); i++)
        if (qk_bytes_is(name, specs[i].name)) return &specs[i];
    return NULL;
}

const struct kms_keyspec *kms_keyspec_by_id(uint64_t id)
{
    for (size_t i = 0; i < QK_COUNT(specs); i++)
        if ((uint64_t)specs[i].id == id) return &specs[i];
    return NULL;
}

const struct kms_keyspec *kms_keyspec_by_curve(uint8_t curve)
{
    for (size_t i = 0; i < QK_COUNT(specs); i++)
        if (curve != 0 && specs[i].curve == curve) return &specs[i];
    return NULL;
}

bool kms_keyspec_is_symmetric(const struct kms_keyspec *spec)
{
    return spec->id == KMS_SPEC_SYMMETRIC_DEFAULT;
}

bool kms_keyspec_is_mac(const struct kms_keyspec *spec)
{
    return spec->id >= KMS_SPEC_HMAC_224 && spec->id <= KMS_SPEC_HMAC_512;
}

bool kms_keyspec_has_versions(const struct kms_keyspec *spec)
{
    return kms_keyspec_is_symmetric(spec) || kms_keyspec_is_mac(spec);
}

qk_err kms_hash(enum kms_hash hash, struct qk_bytes message, uint8_t out[static KMS_DIGEST_MAX],
    size_t *out_len)
{
    const EVP_MD *md = hash == KMS_SHA224   ? EVP_sha224()
                       : hash == KMS_SHA256 ? EVP_sha256()
                       : hash == KMS_SHA384 ? EVP_sha384()
                                            : EVP_sha512();
    QK_TRY(kms_digest(md, message, out));
    *out_len = (size_t)EVP_MD_get_size(md);
    return QK_OK;
}
