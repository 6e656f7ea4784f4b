#include "identity_priv.h"

#include <stdlib.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include "qk/file.h"
#include "qk/secret.h"
#include "sig.h"

#define PEM_MAX     16384
#define VALID_DAYS  (30 * 365)
#define CLOCK_SLACK 86400 /* a day: another machine's clock may be behind ours */

bool wire_name_valid(const char *name)
{
    size_t len = strlen(name);
    static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    return len >= 1 && len <= WIRE_NAME_MAX && strspn(name, set) == len;
}

/* Takes over pkey and x509, also when it fails. */
static qk_err assemble(struct wire_identity **out, EVP_PKEY *pkey, X509 *x509)
{
    struct wire_identity *id = calloc(1, sizeof *id);
    if (id == NULL) {
        EVP_PKEY_free(pkey);
        X509_free(x509);
        return QK_E_NOMEM;
    }
    id->pkey = pkey;
    id->x509 = x509;
    int len = i2d_X509(x509, NULL);
    qk_err err = QK_E_CORRUPT;
    if (len > 0 && len <= WIRE_CERT_MAX && X509_check_private_key(x509, pkey) == 1) {
        uint8_t *p = id->cert;
        id->cert_len = (size_t)i2d_X509(x509, &p);
        err = wire_key_from_cert(&id->key, wire_identity_cert(id));
    }
    ERR_clear_error();
    if (err != QK_OK) {
        wire_identity_free(id);
        return err == QK_E_NOMEM ? err : QK_E_CORRUPT;
    }
    *out = id;
    return QK_OK;
}

static bool set_serial(X509 *x509)
{
    BIGNUM *serial = BN_new();
    bool ok = serial != NULL && BN_rand(serial, 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
              BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(x509)) != NULL;
    BN_free(serial);
    return ok;
}

static bool fill_certificate(X509 *x509, EVP_PKEY *pkey, const char *common_name)
{
    X509_NAME *name = X509_get_subject_name(x509);
    return X509_set_version(x509, X509_VERSION_3) == 1 && set_serial(x509) &&
           X509_gmtime_adj(X509_getm_notBefore(x509), -CLOCK_SLACK) != NULL &&
           X509_time_adj_ex(X509_getm_notAfter(x509), VALID_DAYS, 0, NULL) != NULL &&
           X509_NAME_add_entry_by_txt(
               name, "CN", MBSTRING_ASC, (const uint8_t *)common_name, -1, -1, 0) == 1 &&
           X509_set_issuer_name(x509, name) == 1 && X509_set_pubkey(x509, pkey) == 1 &&
           X509_sign(x509, pkey, EVP_sha256()) > 0;
}

qk_err wire_identity_generate(struct wire_identity **out, const char *common_name)
{
    QK_ENSURE(wire_name_valid(common_name), QK_E_STATE);
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    X509 *x509 = X509_new();
    if (pkey == NULL || x509 == NULL || !fill_certificate(x509, pkey, common_name)) {
        EVP_PKEY_free(pkey);
        X509_free(x509);
        ERR_clear_error();
        return QK_E_CRYPTO;
    }
    return assemble(out, pkey, x509);
}

static void bio_free(BIO **bio)
{
    BIO_free(*bio); /* a memory BIO of the secure kind wipes itself */
}
#define AUTO_BIO __attribute__((cleanup(bio_free))) BIO

static qk_err save(BIO *bio, const char *path, unsigned mode)
{
    char *text;
    long len = BIO_get_mem_data(bio, &text);
    QK_ENSURE(len > 0, QK_E_CRYPTO);
    return qk_file_write(path, qk_bytes(text, (size_t)len), mode);
}

qk_err wire_identity_save(
    const struct wire_identity *id, const char *key_path, const char *cert_path)
{
    AUTO_BIO *key = BIO_new(BIO_s_secmem());
    AUTO_BIO *cert = BIO_new(BIO_s_mem());
    QK_ENSURE(key != NULL && cert != NULL, QK_E_NOMEM);
    QK_ENSURE(PEM_write_bio_PKCS8PrivateKey(key, id->pkey, NULL, NULL, 0, NULL, NULL) == 1 &&
                  PEM_write_bio_X509(cert, id->x509) == 1,
        QK_E_CRYPTO);
    QK_TRY(save(key, key_path, 0600));
    return save(cert, cert_path, 0644);
}

/* Never ask a terminal for a passphrase. */
static int no_passphrase(char *buf, int size, int rwflag, void *arg)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    (void)arg;
    return -1;
}

qk_err wire_identity_load(struct wire_identity **out, const char *key_path, const char *cert_path)
{
    QK_AUTO_BUF key_pem = QK_BUF_SECRET(PEM_MAX);
    QK_AUTO_BUF cert_pem = QK_BUF(PEM_MAX);
    QK_TRY(qk_file_read_secret(key_path, &key_pem));
    QK_TRY(qk_file_read(cert_path, &cert_pem));
    AUTO_BIO *key = BIO_new_mem_buf(key_pem.p, (int)key_pem.len);
    AUTO_BIO *cert = BIO_new_mem_buf(cert_pem.p, (int)cert_pem.len);
    QK_ENSURE(key != NULL && cert != NULL, QK_E_CORRUPT); /* an empty file has no p */
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(key, NULL, no_passphrase, NULL);
    X509 *x509 = PEM_read_bio_X509(cert, NULL, no_passphrase, NULL);
    ERR_clear_error();
    if (pkey == NULL || x509 == NULL) {
        EVP_PKEY_free(pkey);
        X509_free(x509);
        return QK_E_CORRUPT;
    }
    return assemble(out, pkey, x509);
}

void wire_identity_free(struct wire_identity *id)
{
    if (id == NULL) return;
    EVP_PKEY_free(id->pkey);
    X509_free(id->x509);
    wire_key_free(id->key);
    free(id);
}

struct qk_bytes wire_identity_cert(const struct wire_identity *id)
{
    return qk_bytes(id->cert, id->cert_len);
}

const struct wire_key *wire_identity_key(const struct wire_identity *id)
{
    return id->key;
}

/* *len: in the room, out the bytes used. */
static qk_err sign_der(
    const struct wire_identity *id, const uint8_t digest[static 32], uint8_t *der, size_t *len)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, id->pkey, NULL);
    QK_ENSURE(ctx != NULL, QK_E_NOMEM);
    bool ok = EVP_PKEY_sign_init(ctx) == 1 && EVP_PKEY_sign(ctx, der, len, digest, 32) == 1;
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return ok ? QK_OK : QK_E_CRYPTO;
}

qk_err wire_identity_sign_digest(
    const struct wire_identity *id, const uint8_t digest[static 32], struct qk_buf *out)
{
    uint8_t der[WIRE_DER_SIG_MAX];
    size_t len = sizeof der;
    QK_TRY(sign_der(id, digest, der, &len));
    qk_buf_add(out, der, len);
    return out->err;
}

qk_err wire_identity_sign(
    const struct wire_identity *id, struct qk_bytes msg, uint8_t sig[static WIRE_SIG_LEN])
{
    uint8_t digest[32], der[WIRE_DER_SIG_MAX];
    size_t len = sizeof der;
    QK_TRY(wire_sig_digest(msg, digest));
    QK_TRY(sign_der(id, digest, der, &len));
    const uint8_t *p = der;
    ECDSA_SIG *parsed = d2i_ECDSA_SIG(NULL, &p, (long)len);
    QK_ENSURE(parsed != NULL, QK_E_CRYPTO);
    bool ok = BN_bn2binpad(ECDSA_SIG_get0_r(parsed), sig, 32) == 32 &&
              BN_bn2binpad(ECDSA_SIG_get0_s(parsed), sig + 32, 32) == 32;
    ECDSA_SIG_free(parsed);
    return ok ? QK_OK : QK_E_CRYPTO;
}
