#include "tlscert.h"

#include "qk/file.h"
#include "qk/rng.h"

#include <arpa/inet.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

struct made {
    EVP_PKEY *ca_key, *key;
    X509 *ca, *cert;
};

static void made_free(struct made *m)
{
    EVP_PKEY_free(m->ca_key);
    EVP_PKEY_free(m->key);
    X509_free(m->ca);
    X509_free(m->cert);
}

static bool is_ip(const char *host)
{
    unsigned char bin[16];
    return inet_pton(AF_INET, host, bin) == 1 || inet_pton(AF_INET6, host, bin) == 1;
}

static bool is_host(const char *host)
{
    size_t len = strlen(host);
    if (len == 0 || len > 253) return false;
    return is_ip(host) ||
           strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") == len;
}

static qk_err set_name(X509_NAME *name, const char *text)
{
    QK_ENSURE(X509_NAME_add_entry_by_txt(
                  name, "CN", MBSTRING_UTF8, (const unsigned char *)text, -1, -1, 0) == 1,
        QK_E_CRYPTO);
    return QK_OK;
}

static qk_err set_serial(X509 *cert)
{
    uint8_t serial[16];
    QK_TRY(qk_rng_fill(qk_rng_system(), serial, sizeof serial));
    serial[0] = (uint8_t)((serial[0] & 0x3f) | 0x40); /* positive, full length */
    BIGNUM *n = BN_bin2bn(serial, sizeof serial, NULL);
    bool good = n != NULL && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert)) != NULL;
    BN_free(n);
    QK_ENSURE(good, QK_E_CRYPTO);
    return QK_OK;
}

static qk_err begin(X509 **out, EVP_PKEY *key, const char *name, unsigned days)
{
    X509 *cert = X509_new();
    QK_ENSURE(cert != NULL, QK_E_NOMEM);
    *out = cert;
    QK_ENSURE(X509_set_version(cert, X509_VERSION_3) == 1, QK_E_CRYPTO);
    QK_TRY(set_serial(cert));
    /* an hour of slack for clients whose clock is behind */
    QK_ENSURE(X509_gmtime_adj(X509_getm_notBefore(cert), -3600) != NULL, QK_E_CRYPTO);
    QK_ENSURE(X509_time_adj_ex(X509_getm_notAfter(cert), (int)days, 0, NULL) != NULL, QK_E_CRYPTO);
    QK_ENSURE(X509_set_pubkey(cert, key) == 1, QK_E_CRYPTO);
    return set_name(X509_get_subject_name(cert), name);
}

static qk_err extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool good = ext != NULL && X509_add_ext(cert, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    QK_ENSURE(good, QK_E_CRYPTO);
    return QK_OK;
}

static qk_err make_ca(struct made *m, unsigned days)
{
    QK_TRY(begin(&m->ca, m->ca_key, "qkms one-time authority", days));
    QK_ENSURE(X509_set_issuer_name(m->ca, X509_get_subject_name(m->ca)) == 1, QK_E_CRYPTO);
    QK_TRY(extend(m->ca, m->ca, NID_basic_constraints, "critical,CA:TRUE,pathlen:0"));
    QK_TRY(extend(m->ca, m->ca, NID_key_usage, "critical,keyCertSign,cRLSign"));
    QK_TRY(extend(m->ca, m->ca, NID_subject_key_identifier, "hash"));
    QK_TRY(extend(m->ca, m->ca, NID_authority_key_identifier, "keyid:always"));
    QK_ENSURE(X509_sign(m->ca, m->ca_key, EVP_sha256()) > 0, QK_E_CRYPTO);
    return QK_OK;
}

static qk_err alt_names(const char *const *hosts, size_t n_hosts, struct qk_buf *out)
{
    for (size_t i = 0; i < n_hosts; i++)
        qk_buf_printf(out, "%s%s:%s", i > 0 ? "," : "", is_ip(hosts[i]) ? "IP" : "DNS", hosts[i]);
    return out->err;
}

static qk_err make_cert(struct made *m, const char *const *hosts, size_t n_hosts, unsigned days)
{
    QK_AUTO_BUF names = QK_BUF(8192);
    QK_TRY(alt_names(hosts, n_hosts, &names));
    QK_TRY(begin(&m->cert, m->key, hosts[0], days));
    QK_ENSURE(X509_set_issuer_name(m->cert, X509_get_subject_name(m->ca)) == 1, QK_E_CRYPTO);
    QK_TRY(extend(m->cert, m->ca, NID_basic_constraints, "critical,CA:FALSE"));
    QK_TRY(extend(m->cert, m->ca, NID_key_usage, "critical,digitalSignature"));
    QK_TRY(extend(m->cert, m->ca, NID_ext_key_usage, "serverAuth"));
    QK_TRY(extend(m->cert, m->ca, NID_subject_key_identifier, "hash"));
    QK_TRY(extend(m->cert, m->ca, NID_authority_key_identifier, "keyid:always"));
    QK_TRY(extend(m->cert, m->ca, NID_subject_alt_name, qk_buf_cstr(&names)));
    QK_ENSURE(X509_sign(m->cert, m->ca_key, EVP_sha256()) > 0, QK_E_CRYPTO);
    return QK_OK;
}

static qk_err write_bio(const char *path, BIO *bio, unsigned mode)
{
    char *data = NULL;
    long len = BIO_get_mem_data(bio, &data);
    QK_ENSURE(len > 0, QK_E_CRYPTO);
    return qk_file_write(path, qk_bytes(data, (size_t)len), mode);
}

static qk_err write_certs(const char *path, X509 *first, X509 *second)
{
    BIO *bio = BIO_new(BIO_s_mem());
    QK_ENSURE(bio != NULL, QK_E_NOMEM);
    qk_err err = QK_OK;
    if (PEM_write_bio_X509(bio, first) != 1) err = QK_E_CRYPTO;
    if (second != NULL && PEM_write_bio_X509(bio, second) != 1) err = QK_E_CRYPTO;
    if (err == QK_OK) err = write_bio(path, bio, 0644);
    BIO_free(bio);
    return err;
}

static qk_err write_key(const char *path, EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    QK_ENSURE(bio != NULL, QK_E_NOMEM);
    bool good = PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1;
    qk_err err = good ? write_bio(path, bio, 0600) : QK_E_CRYPTO;
    BIO_free(bio);
    return err;
}

qk_err qkms_tls_create(
    const struct qkms_tls_files *files, const char *const *hosts, size_t n_hosts, unsigned days)
{
    __attribute__((cleanup(made_free))) struct made m = {.ca_key = NULL};
    QK_ENSURE(n_hosts >= 1 && n_hosts <= QKMS_TLS_HOSTS_MAX, QK_E_STATE);
    for (size_t i = 0; i < n_hosts; i++) QK_ENSURE(is_host(hosts[i]), QK_E_MALFORMED);
    m.ca_key = EVP_EC_gen("P-256");
    m.key = EVP_EC_gen("P-256");
    QK_ENSURE(m.ca_key != NULL && m.key != NULL, QK_E_CRYPTO);
    QK_TRY(make_ca(&m, days));
    QK_TRY(make_cert(&m, hosts, n_hosts, days));
    QK_TRY(write_key(files->key, m.key));
    QK_TRY(write_certs(files->cert, m.cert, m.ca));
    return write_certs(files->ca, m.ca, NULL);
}
