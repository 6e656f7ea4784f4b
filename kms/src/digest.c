#include "digest.h"

#include <openssl/evp.h>
#include "qk/sha256.h"

qk_err kms_digest(const EVP_MD *md, struct qk_bytes data, uint8_t *out)
{
    QK_ENSURE(EVP_Digest(data.p, data.len, out, NULL, md, NULL) == 1, QK_E_CRYPTO);
    return QK_OK;
}

qk_err kms_sha256(struct qk_bytes data, uint8_t out[static 32])
{
    qk_sha256_of(data, out);
    return QK_OK;
}

qk_err kms_sha256_hex(struct qk_bytes data, char out[static 65])
{
    uint8_t hash[32];
    QK_TRY(kms_sha256(data, hash));
    qk_hex(hash, sizeof hash, out);
    return QK_OK;
}

qk_err kms_hmac256(struct qk_bytes key, struct qk_bytes data, uint8_t out[static 32])
{
    qk_hmac256_of(key, data, out);
    return QK_OK;
}

void kms_frame(struct qk_buf *b, struct qk_bytes v)
{
    qk_buf_add_u32(b, (uint32_t)v.len);
    qk_buf_add(b, v.p, v.len);
}
