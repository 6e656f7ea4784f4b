#include "seal/seal.h"

#include <stdlib.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

enum { VERSION = 1, SALT = 32, TAG = 16, KEY = 32, IV = 12 };

static const char LABEL[] = "qkms-seal-v1";

/* KEY and iv of one blob; wiped when it leaves scope. */
struct subkey {
    uint8_t key[KEY];
    uint8_t iv[IV];
};

struct node_seal {
    struct qk_sec32 *key; /* qk_locked_alloc */
    EVP_KDF *hkdf;
    EVP_CIPHER *gcm;
    uint8_t cluster_id[16];
    uint16_t node_id;
};

static void subkey_wipe(struct subkey *k)
{
    qk_wipe(k, sizeof *k);
}

static qk_err fill(struct node_seal *s, struct node_keysource *source)
{
    s->key = qk_locked_alloc(sizeof *s->key);
    s->hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    s->gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    QK_ENSURE(s->key != NULL && s->hkdf != NULL && s->gcm != NULL, QK_E_NOMEM);
    return source->unlock(source, s->key);
}

qk_err node_seal_new(struct node_seal **out, struct node_keysource *source,
    const uint8_t cluster_id[static 16], uint16_t node_id)
{
    struct node_seal *s = calloc(1, sizeof *s);
    QK_ENSURE(s != NULL, QK_E_NOMEM);
    memcpy(s->cluster_id, cluster_id, sizeof s->cluster_id);
    s->node_id = node_id;
    qk_err err = fill(s, source);
    if (err != QK_OK) {
        node_seal_free(s);
        return err;
    }
    *out = s;
    return QK_OK;
}

void node_seal_free(struct node_seal *seal)
{
    if (seal == NULL) return;
    qk_locked_free(seal->key);
    EVP_KDF_free(seal->hkdf);
    EVP_CIPHER_free(seal->gcm);
    free(seal);
}

static qk_err derive(const struct node_seal *s, const struct node_seal_scope *scope,
    const uint8_t salt[static SALT], struct subkey *out)
{
    uint8_t info[sizeof LABEL - 1 + 16 + 2 + 1];
    memcpy(info, LABEL, sizeof LABEL - 1);
    memcpy(info + sizeof LABEL - 1, s->cluster_id, 16);
    qk_put_u16(info + sizeof LABEL - 1 + 16, s->node_id);
    info[sizeof info - 1] = (uint8_t)scope->purpose;

    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(s->hkdf);
    QK_ENSURE(ctx != NULL, QK_E_NOMEM);
    char digest[] = "SHA512";
    uint8_t salt_copy[SALT];
    memcpy(salt_copy, salt, SALT);
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, s->key->b, sizeof s->key->b),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, salt_copy, SALT),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, sizeof info),
        OSSL_PARAM_construct_end(),
    };
    int good = EVP_KDF_derive(ctx, (uint8_t *)out, sizeof *out, params);
    EVP_KDF_CTX_free(ctx); /* wipes its copy of the key */
    return good == 1 ? QK_OK : QK_E_CRYPTO;
}

enum { AAD = sizeof LABEL - 1 + 1 + 16 + 4 + 2 + 2 + 1 + 32 + 32 };

static void frame(const struct node_seal_scope *scope, uint8_t out[static AAD])
{
    uint8_t *p = out;
    memcpy(p, LABEL, sizeof LABEL - 1), p += sizeof LABEL - 1;
    *p++ = (uint8_t)scope->purpose;
    memcpy(p, scope->key_id, 16), p += 16;
    qk_put_u32(p, scope->epoch), p += 4;
    qk_put_u16(p, scope->party), p += 2;
    qk_put_u16(p, scope->peer), p += 2;
    *p++ = scope->cls;
    memcpy(p, scope->id, 32), p += 32;
    memcpy(p, scope->record, 32);
}

static bool encrypt(EVP_CIPHER_CTX *ctx, const struct node_seal *s, const struct subkey *k,
    const uint8_t aad[static AAD], struct qk_bytes plain, uint8_t *to)
{
    int n = 0;
    return EVP_EncryptInit_ex2(ctx, s->gcm, k->key, k->iv, NULL) == 1 &&
           EVP_EncryptUpdate(ctx, NULL, &n, aad, AAD) == 1 &&
           (plain.len == 0 || EVP_EncryptUpdate(ctx, to, &n, plain.p, (int)plain.len) == 1) &&
           EVP_EncryptFinal_ex(ctx, to + plain.len, &n) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG, to + plain.len) == 1;
}

qk_err node_seal_close(const struct node_seal *seal, const struct node_seal_scope *scope,
    struct qk_bytes plain, struct qk_buf *out)
{
    QK_ENSURE(plain.len <= NODE_SEAL_PLAIN_MAX, QK_E_TOO_LARGE);
    uint8_t salt[SALT], aad[AAD];
    __attribute__((cleanup(subkey_wipe))) struct subkey k;
    QK_TRY(qk_rng_fill(qk_rng_system(), salt, sizeof salt));
    QK_TRY(derive(seal, scope, salt, &k));
    frame(scope, aad);

    size_t before = out->len;
    uint8_t *to = qk_buf_extend(out, 1 + SALT + plain.len + TAG);
    QK_ENSURE(to != NULL, out->err);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    to[0] = VERSION;
    memcpy(to + 1, salt, SALT);
    bool good = ctx != NULL && encrypt(ctx, seal, &k, aad, plain, to + 1 + SALT);
    EVP_CIPHER_CTX_free(ctx);
    if (!good) out->len = before;
    return good ? QK_OK : QK_E_CRYPTO;
}

/* 1: opened; 0: does not authenticate; -1: the library failed. */
static int decrypt(EVP_CIPHER_CTX *ctx, const struct node_seal *s, const struct subkey *k,
    const uint8_t aad[static AAD], struct qk_bytes sealed, uint8_t *to)
{
    int n = 0;
    uint8_t tag[TAG];
    size_t len = sealed.len - TAG;
    memcpy(tag, sealed.p + len, TAG);
    if (EVP_DecryptInit_ex2(ctx, s->gcm, k->key, k->iv, NULL) != 1 ||
        EVP_DecryptUpdate(ctx, NULL, &n, aad, AAD) != 1 ||
        (len != 0 && EVP_DecryptUpdate(ctx, to, &n, sealed.p, (int)len) != 1) ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG, tag) != 1)
        return -1;
    return EVP_DecryptFinal_ex(ctx, to + len, &n) == 1;
}

qk_err node_seal_open(const struct node_seal *seal, const struct node_seal_scope *scope,
    struct qk_bytes blob, struct qk_buf *out)
{
    QK_ENSURE(out->secret, QK_E_STATE);
    QK_ENSURE(blob.len >= NODE_SEAL_OVERHEAD && blob.p[0] == VERSION, QK_E_CORRUPT);
    QK_ENSURE(blob.len - NODE_SEAL_OVERHEAD <= NODE_SEAL_PLAIN_MAX, QK_E_CORRUPT);
    uint8_t aad[AAD];
    __attribute__((cleanup(subkey_wipe))) struct subkey k;
    QK_TRY(derive(seal, scope, blob.p + 1, &k));
    frame(scope, aad);

    size_t before = out->len, len = blob.len - NODE_SEAL_OVERHEAD;
    static uint8_t nowhere[1]; /* of an empty plaintext; never written */
    uint8_t *to = len == 0 ? nowhere : qk_buf_extend(out, len);
    QK_ENSURE(to != NULL, out->err);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int got = ctx == NULL ? -1
                          : decrypt(ctx, seal, &k, aad,
                                qk_bytes(blob.p + 1 + SALT, blob.len - 1 - SALT), to);
    EVP_CIPHER_CTX_free(ctx);
    if (got == 1) return QK_OK;
    qk_wipe(to, len); /* unauthenticated bytes never reach the caller */
    out->len = before;
    return got == 0 ? QK_E_CORRUPT : QK_E_CRYPTO;
}
