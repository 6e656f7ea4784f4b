#include "identity_priv.h"

#include <stdlib.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include "sig.h"

static bool is_p256(const EVP_PKEY *pkey)
{
    char group[32];
    size_t len;
    return EVP_PKEY_is_a(pkey, "EC") == 1 &&
           EVP_PKEY_get_group_name(pkey, group, sizeof group, &len) == 1 &&
           strcmp(group, "prime256v1") == 0;
}

qk_err wire_key_from_pkey(struct wire_key **out, EVP_PKEY *pkey)
{
    QK_ENSURE(is_p256(pkey), QK_E_MALFORMED);
    uint8_t *der = NULL;
    int len = i2d_PUBKEY(pkey, &der);
    if (len != WIRE_SPKI_LEN) {
        OPENSSL_free(der);
        return QK_E_MALFORMED;
    }
    struct wire_key *key = calloc(1, sizeof *key);
    if (key != NULL) {
        memcpy(key->spki, der, WIRE_SPKI_LEN);
        EVP_PKEY_up_ref(pkey);
        key->pkey = pkey;
        *out = key;
    }
    OPENSSL_free(der);
    return key == NULL ? QK_E_NOMEM : QK_OK;
}

qk_err wire_key_from_spki(struct wire_key **out, struct qk_bytes spki)
{
    QK_ENSURE(spki.len == WIRE_SPKI_LEN, QK_E_MALFORMED);
    const uint8_t *p = spki.p;
    EVP_PKEY *pkey = d2i_PUBKEY(NULL, &p, WIRE_SPKI_LEN);
    ERR_clear_error();
    QK_ENSURE(pkey != NULL, QK_E_MALFORMED);
    struct wire_key *key = NULL;
    qk_err err = wire_key_from_pkey(&key, pkey);
    EVP_PKEY_free(pkey);
    QK_TRY(err);
    /* one encoding only: what was read must be what we would write */
    if (!qk_bytes_eq(wire_key_spki(key), spki)) {
        wire_key_free(key);
        return QK_E_MALFORMED;
    }
    *out = key;
    return QK_OK;
}

qk_err wire_key_from_cert(struct wire_key **out, struct qk_bytes cert)
{
    QK_ENSURE(cert.len >= 1 && cert.len <= WIRE_CERT_MAX, QK_E_MALFORMED);
    const uint8_t *p = cert.p;
    X509 *x509 = d2i_X509(NULL, &p, (long)cert.len);
    EVP_PKEY *pkey = x509 != NULL ? X509_get0_pubkey(x509) : NULL;
    qk_err err = QK_E_MALFORMED;
    if (pkey != NULL && p == cert.p + cert.len) err = wire_key_from_pkey(out, pkey);
    X509_free(x509);
    ERR_clear_error();
    return err;
}

void wire_key_free(struct wire_key *key)
{
    if (key == NULL) return;
    EVP_PKEY_free(key->pkey);
    free(key);
}

struct qk_bytes wire_key_spki(const struct wire_key *key)
{
    return qk_bytes(key->spki, WIRE_SPKI_LEN);
}

qk_err wire_sig_digest(struct qk_bytes msg, uint8_t digest[static 32])
{
    static const char label[] = "QKMS identity signature v1"; /* hashed with its NUL */
    QK_ENSURE(msg.len <= UINT32_MAX, QK_E_STATE);
    uint8_t len[4];
    qk_put_u32(len, (uint32_t)msg.len);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    QK_ENSURE(md != NULL, QK_E_NOMEM);
    bool ok = EVP_DigestInit_ex2(md, EVP_sha256(), NULL) == 1 &&
              EVP_DigestUpdate(md, label, sizeof label) == 1 &&
              EVP_DigestUpdate(md, len, sizeof len) == 1 &&
              EVP_DigestUpdate(md, msg.p, msg.len) == 1 &&
              EVP_DigestFinal_ex(md, digest, NULL) == 1;
    EVP_MD_CTX_free(md);
    return ok ? QK_OK : QK_E_CRYPTO;
}

/* r || s to DER; out of range values are left to the verifier, which refuses them. */
static int sig_to_der(const uint8_t sig[static WIRE_SIG_LEN], uint8_t **der)
{
    int len = -1;
    ECDSA_SIG *parsed = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(sig, 32, NULL);
    BIGNUM *s = BN_bin2bn(sig + 32, 32, NULL);
    if (parsed != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(parsed, r, s) == 1) {
        r = s = NULL; /* parsed owns them now */
        len = i2d_ECDSA_SIG(parsed, der);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(parsed);
    return len;
}

qk_err wire_key_verify_digest(
    const struct wire_key *key, const uint8_t digest[static 32], struct qk_bytes der_sig)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
    QK_ENSURE(ctx != NULL, QK_E_NOMEM);
    bool ok = EVP_PKEY_verify_init(ctx) == 1 &&
              EVP_PKEY_verify(ctx, der_sig.p, der_sig.len, digest, 32) == 1;
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return ok ? QK_OK : QK_E_PROOF;
}

qk_err wire_key_verify(const struct wire_key *key, struct qk_bytes msg, struct qk_bytes sig)
{
    QK_ENSURE(sig.len == WIRE_SIG_LEN, QK_E_PROOF);
    uint8_t digest[32];
    QK_TRY(wire_sig_digest(msg, digest));
    uint8_t *der = NULL;
    int len = sig_to_der(sig.p, &der);
    QK_ENSURE(len > 0, QK_E_NOMEM);
    qk_err err = wire_key_verify_digest(key, digest, qk_bytes(der, (size_t)len));
    OPENSSL_free(der);
    return err;
}
