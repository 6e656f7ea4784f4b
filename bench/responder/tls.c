/* A certificate of a minute's making. */
#include <openssl/ec.h>
#include <openssl/x509v3.h>
#include "common/stream.h"
#include "responder/serve.h"

enum { VALID_S = 86400 };

static bool add_extension(X509 *x, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    bool ok = e && X509_add_ext(x, e, -1) == 1;
    X509_EXTENSION_free(e);
    return ok;
}

static bool fill(X509 *x, EVP_PKEY *key)
{
    X509_NAME *name = X509_get_subject_name(x);
    return X509_set_version(x, 2) == 1 && ASN1_INTEGER_set(X509_get_serialNumber(x), 1) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(x), -60) &&
           X509_gmtime_adj(X509_getm_notAfter(x), VALID_S) && X509_set_pubkey(x, key) == 1 &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
               (const unsigned char *)"qkms-bench responder", -1, -1, 0) == 1 &&
           X509_set_issuer_name(x, name) == 1 &&
           add_extension(x, NID_basic_constraints, "critical,CA:TRUE") &&
           add_extension(x, NID_subject_alt_name, "IP:127.0.0.1") &&
           X509_sign(x, key, EVP_sha256()) > 0;
}

/* As the coordinator's (docs/http.md), so that the same cipher is measured. */
static bool set_policy(SSL_CTX *ctx)
{
    SSL_CTX_set_options(
        ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    bench_stream_tune(ctx);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_num_tickets(ctx, 0) == 1;
}

qk_err bench_serve_tls(SSL_CTX **ctx, X509 **cert)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    SSL_CTX *c = SSL_CTX_new(TLS_server_method());
    bool ok = key && x && c && fill(x, key) && set_policy(c) &&
              SSL_CTX_use_certificate(c, x) == 1 && SSL_CTX_use_PrivateKey(c, key) == 1;
    EVP_PKEY_free(key);
    if (!ok) {
        X509_free(x);
        SSL_CTX_free(c);
        return QK_E_CRYPTO;
    }
    *ctx = c;
    *cert = x;
    return QK_OK;
}
