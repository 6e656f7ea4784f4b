#include "http/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include "qk/bytes.h"
#include "qk/file.h"

#define PEM_MAX 65536

struct coord_http_tls {
    SSL_CTX *ctx;
};

void coord_http_tls_free(struct coord_http_tls *tls)
{
    if (tls == NULL) return;
    SSL_CTX_free(tls->ctx);
    free(tls);
}

/* A client that offers protocols must offer ours (RFC 7301, section 3.2). */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
    const unsigned char *in, unsigned in_len, void *arg)
{
    (void)ssl;
    (void)arg;
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen;
    int r = SSL_select_next_proto(&chosen, out_len, ours, sizeof ours - 1, in, in_len);
    *out = chosen;
    return r == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static qk_err set_policy(SSL_CTX *ctx)
{
    QK_ENSURE(SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1, QK_E_CRYPTO);
    QK_ENSURE(SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1, QK_E_CRYPTO);
    QK_ENSURE(SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384") == 1, QK_E_CRYPTO);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    QK_ENSURE(SSL_CTX_set_num_tickets(ctx, 0) == 1, QK_E_CRYPTO);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    return QK_OK;
}

/* An encrypted key file is refused: nobody is there to type a passphrase. */
static int no_passphrase(char *buf, int size, int rwflag, void *arg)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    (void)arg;
    return -1;
}

static qk_err load_key(SSL_CTX *ctx, const char *file)
{
    QK_AUTO_BUF pem = QK_BUF_SECRET(PEM_MAX);
    QK_TRY(qk_file_read_secret(file, &pem));
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.len);
    QK_ENSURE(bio != NULL, QK_E_NOMEM);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    QK_ENSURE(key != NULL, QK_E_MALFORMED);
    int ok = SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1;
    EVP_PKEY_free(key);
    return ok ? QK_OK : QK_E_MALFORMED;
}

static qk_err load_chain(SSL_CTX *ctx, const char *file)
{
    QK_AUTO_BUF probe = QK_BUF(PEM_MAX);
    QK_TRY(qk_file_read(file, &probe)); /* tells a missing file from a bad one */
    return SSL_CTX_use_certificate_chain_file(ctx, file) == 1 ? QK_OK : QK_E_MALFORMED;
}

static qk_err set_up(SSL_CTX *ctx, const char *cert_file, const char *key_file)
{
    QK_TRY(set_policy(ctx));
    QK_TRY(load_chain(ctx, cert_file));
    return load_key(ctx, key_file);
}

qk_err coord_http_tls_new(struct coord_http_tls **out, const char *cert_file, const char *key_file)
{
    QK_ENSURE(cert_file != NULL && key_file != NULL, QK_E_STATE);
    struct coord_http_tls *tls = calloc(1, sizeof *tls);
    QK_ENSURE(tls != NULL, QK_E_NOMEM);
    tls->ctx = SSL_CTX_new(TLS_server_method());
    qk_err err = tls->ctx != NULL ? set_up(tls->ctx, cert_file, key_file) : QK_E_NOMEM;
    ERR_clear_error();
    if (err != QK_OK) {
        coord_http_tls_free(tls);
        return err;
    }
    *out = tls;
    return QK_OK;
}

SSL *coord_http_tls_accept(struct coord_http_tls *tls, int fd)
{
    SSL *ssl = SSL_new(tls->ctx);
    if (ssl == NULL) return NULL;
    if (SSL_set_fd(ssl, fd) != 1) {
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_accept_state(ssl);
    return ssl;
}
