#include "rounds/pairs.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <unistd.h>

static const struct pair_spec {
    const char *name;
    const char *type; /* of OpenSSL */
    unsigned bits;    /* RSA */
    const char *curve;
} specs[] = {
    {"RSA_2048", "RSA", 2048, NULL},
    {"RSA_3072", "RSA", 3072, NULL},
    {"RSA_4096", "RSA", 4096, NULL},
    {"ECC_NIST_P256", "EC", 0, "P-256"},
    {"ECC_NIST_P384", "EC", 0, "P-384"},
    {"ECC_NIST_P521", "EC", 0, "P-521"},
    {"ECC_SECG_P256K1", "EC", 0, "secp256k1"},
    {"ECC_NIST_EDWARDS25519", "ED25519", 0, NULL},
};

static const struct pair_spec *find(struct qk_bytes name)
{
    for (size_t i = 0; i < QK_COUNT(specs); i++)
        if (qk_bytes_is(name, specs[i].name)) return &specs[i];
    return NULL;
}

/* RSA pairs take a second of a processor each: at least one stays free for everybody else. */
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t left;
    long running;
} rsa = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};

static EVP_PKEY *generate_rsa(unsigned bits)
{
    long most = sysconf(_SC_NPROCESSORS_ONLN) - 1;
    (void)pthread_mutex_lock(&rsa.mutex);
    while (rsa.running >= (most < 1 ? 1 : most)) (void)pthread_cond_wait(&rsa.left, &rsa.mutex);
    rsa.running++;
    (void)pthread_mutex_unlock(&rsa.mutex);
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits);
    (void)pthread_mutex_lock(&rsa.mutex);
    rsa.running--;
    (void)pthread_cond_signal(&rsa.left);
    (void)pthread_mutex_unlock(&rsa.mutex);
    return key;
}

static EVP_PKEY *generate(const struct pair_spec *s)
{
    if (s->bits != 0) return generate_rsa(s->bits);
    if (s->curve != NULL) return EVP_PKEY_Q_keygen(NULL, NULL, s->type, s->curve);
    return EVP_PKEY_Q_keygen(NULL, NULL, s->type);
}

static qk_err encode_private(const EVP_PKEY *key, struct qk_buf *out)
{
    unsigned char *der = NULL;
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
    int len = info == NULL ? -1 : i2d_PKCS8_PRIV_KEY_INFO(info, &der);
    PKCS8_PRIV_KEY_INFO_free(info);
    QK_ENSURE(len > 0, QK_E_CRYPTO);
    qk_buf_add(out, der, (size_t)len);
    OPENSSL_clear_free(der, (size_t)len);
    return out->err;
}

static qk_err encode_public(const EVP_PKEY *key, struct qk_buf *out)
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(key, &der);
    QK_ENSURE(len > 0, QK_E_CRYPTO);
    qk_buf_add(out, der, (size_t)len);
    OPENSSL_free(der);
    return out->err;
}

qk_err coord_pair_make(struct qk_bytes spec, const uint8_t seed[static COORD_PAIR_SEED],
    struct qk_buf *private_key, struct qk_buf *public_key)
{
    const struct pair_spec *s = find(spec);
    QK_ENSURE(s != NULL, QK_E_NOT_FOUND);
    QK_ENSURE(private_key->secret, QK_E_STATE);
    EVP_RAND_CTX *drbg = RAND_get0_private(NULL); /* of this thread */
    QK_ENSURE(drbg != NULL, QK_E_CRYPTO);
    QK_ENSURE(EVP_RAND_reseed(drbg, 0, seed, COORD_PAIR_SEED, NULL, 0) == 1, QK_E_CRYPTO);
    EVP_PKEY *key = generate(s);
    QK_ENSURE(key != NULL, QK_E_CRYPTO);
    qk_err err = encode_private(key, private_key);
    if (err == QK_OK) err = encode_public(key, public_key);
    EVP_PKEY_free(key);
    return err;
}
