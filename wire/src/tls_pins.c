#include "tls_pins.h"

#include <pthread.h>
#include <openssl/err.h>
#include "identity_priv.h"

/* Where a connection keeps the pin that the verify callback found: index for SSL_get_ex_data. */
static int peer_index = -1;
static pthread_once_t peer_index_once = PTHREAD_ONCE_INIT;

static void make_peer_index(void)
{
    peer_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

qk_err tls_pins_copy(struct tls_pins *out, const struct wire_tls_pin *pins, size_t n)
{
    QK_ENSURE(n >= 1 && n <= WIRE_TLS_PINS_MAX, QK_E_STATE);
    for (size_t i = 0; i < n; i++) {
        struct tls_pin *pin = &out->pin[i];
        pin->tag = pins[i].tag;
        pin->exact = pins[i].cert.len != 0;
        memcpy(pin->spki, wire_key_spki(pins[i].key).p, WIRE_SPKI_LEN);
        if (pin->exact && EVP_Digest(pins[i].cert.p, pins[i].cert.len, pin->cert_sha256, NULL,
                              EVP_sha256(), NULL) != 1)
            return QK_E_CRYPTO;
    }
    out->n = n;
    return QK_OK;
}

static const struct tls_pin *find_pin(const struct tls_pins *pins, X509 *cert)
{
    uint8_t sha256[32], *spki = NULL;
    const struct tls_pin *found = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &spki);
    if (len == WIRE_SPKI_LEN && X509_digest(cert, EVP_sha256(), sha256, NULL) == 1) {
        for (size_t i = 0; i < pins->n && found == NULL; i++) {
            const struct tls_pin *pin = &pins->pin[i];
            if (memcmp(pin->spki, spki, WIRE_SPKI_LEN) == 0 &&
                (!pin->exact || memcmp(pin->cert_sha256, sha256, sizeof sha256) == 0))
                found = pin;
        }
    }
    OPENSSL_free(spki);
    return found;
}

/* Stands in for all of OpenSSL's chain building. Possession of the key is proved by the
 * CertificateVerify message, which OpenSSL checks against this certificate. */
static int verify_pinned(X509_STORE_CTX *store, void *arg)
{
    const struct tls_pins *pins = arg;
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    X509 *cert = X509_STORE_CTX_get0_cert(store);
    const struct tls_pin *pin = cert != NULL ? find_pin(pins, cert) : NULL;
    if (pin == NULL || ssl == NULL) {
        X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_UNTRUSTED);
        return 0;
    }
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return SSL_set_ex_data(ssl, peer_index, (void *)(uintptr_t)pin);
}

static bool ctx_fill(SSL_CTX *ctx, const struct tls_pins *pins, const struct wire_identity *id)
{
    bool ok = SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
              SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1 &&
              SSL_CTX_set_ciphersuites(ctx, "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256") == 1 &&
              SSL_CTX_set1_groups_list(ctx, "X25519:P-256") == 1 &&
              SSL_CTX_set1_sigalgs_list(ctx, "ECDSA+SHA256") == 1 &&
              SSL_CTX_set1_client_sigalgs_list(ctx, "ECDSA+SHA256") == 1 &&
              SSL_CTX_set_num_tickets(ctx, 0) == 1 && SSL_CTX_use_certificate(ctx, id->x509) == 1 &&
              SSL_CTX_use_PrivateKey(ctx, id->pkey) == 1;
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_max_cert_list(ctx, 2 * WIRE_CERT_MAX);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, verify_pinned, (void *)(uintptr_t)pins);
    return ok;
}

SSL_CTX *tls_ctx_new(const struct tls_pins *pins, const struct wire_identity *identity)
{
    (void)pthread_once(&peer_index_once, make_peer_index);
    SSL_CTX *ctx = peer_index >= 0 ? SSL_CTX_new(TLS_method()) : NULL;
    if (ctx != NULL && ctx_fill(ctx, pins, identity)) return ctx;
    SSL_CTX_free(ctx);
    ERR_clear_error();
    return NULL;
}

const struct tls_pin *tls_peer_pin(const SSL *ssl)
{
    return SSL_get_ex_data(ssl, peer_index);
}
