#include "pem.h"

#include "qk/file.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

enum { PEM_FILE_MAX = 65536 };

static qk_err add_der(struct qk_buf *out, unsigned char *der, int len)
{
    if (len <= 0) return QK_E_MALFORMED;
    qk_buf_add(out, der, (size_t)len);
    OPENSSL_free(der);
    return out->err;
}

static qk_err cert_from(BIO *bio, bool spki_only, struct qk_buf *out)
{
    unsigned char *der = NULL;
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    QK_ENSURE(cert != NULL, QK_E_MALFORMED);
    int len = spki_only ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der) : i2d_X509(cert, &der);
    X509_free(cert);
    return add_der(out, der, len);
}

static qk_err key_from(BIO *bio, struct qk_buf *out)
{
    unsigned char *der = NULL;
    EVP_PKEY *key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    QK_ENSURE(key != NULL, QK_E_MALFORMED);
    int len = i2d_PUBKEY(key, &der);
    EVP_PKEY_free(key);
    return add_der(out, der, len);
}

static qk_err from_file(const char *path, bool spki_only, struct qk_buf *out)
{
    QK_AUTO_BUF text = QK_BUF(PEM_FILE_MAX);
    QK_TRY(qk_file_read(path, &text));
    BIO *bio = BIO_new_mem_buf(text.p, (int)text.len);
    QK_ENSURE(bio != NULL, QK_E_NOMEM);
    qk_err err = cert_from(bio, spki_only, out);
    if (err == QK_E_MALFORMED && spki_only) {
        (void)BIO_reset(bio);
        err = key_from(bio, out);
    }
    BIO_free(bio);
    ERR_clear_error();
    return err;
}

qk_err qkms_pem_cert(const char *path, struct qk_buf *der)
{
    return from_file(path, false, der);
}

qk_err qkms_pem_spki(const char *path, struct qk_buf *spki)
{
    return from_file(path, true, spki);
}
