#include "rounds/imports.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdlib.h>
#include "rounds/pairs.h"

enum {
    DER_MAX = 2560, /* PKCS#8 of RSA_4096 */
    RANDOM_MS = 2000,
    AES_KEY = 32,
    TOKEN_VERSION = 1,
    UNWRAPPED_MAX = COORD_MATERIAL_MAX,
};

struct offer {
    uint64_t valid_to_ms; /* 0: free */
    uint8_t id[16], key_id[16];
    bool aes_wrap, sha1;
    size_t der_len;
    uint8_t der[DER_MAX]; /* PKCS#8 */
};

struct coord_imports {
    pthread_mutex_t mutex;
    uint8_t mac_key[32];
    struct offer *offers; /* max, locked memory; NULL until the first */
    size_t max;
};

qk_err coord_imports_new(struct coord_imports **out, size_t max)
{
    QK_ENSURE(max >= 1 && max <= COORD_IMPORTS_MAX, QK_E_STATE);
    struct coord_imports *s = calloc(1, sizeof *s);
    QK_ENSURE(s != NULL, QK_E_NOMEM);
    qk_err err = qk_rng_fill(qk_rng_system(), s->mac_key, sizeof s->mac_key);
    if (err != QK_OK) {
        free(s);
        return err;
    }
    (void)pthread_mutex_init(&s->mutex, NULL);
    s->max = max;
    *out = s;
    return QK_OK;
}

void coord_imports_free(struct coord_imports *s)
{
    if (s == NULL) return;
    qk_locked_free(s->offers);
    (void)pthread_mutex_destroy(&s->mutex);
    OPENSSL_clear_free(s, sizeof *s);
}

/* ---- tokens: u8 version || id 16 || key_id 16 || u64 valid_to_ms || MAC 32 ---- */

static qk_err token_mac(struct coord_imports *s, const uint8_t *token, uint8_t mac[static 32])
{
    unsigned len = 32;
    const unsigned char *got = HMAC(
        EVP_sha256(), s->mac_key, sizeof s->mac_key, token, COORD_IMPORT_TOKEN_LEN - 32, mac, &len);
    return got != NULL ? QK_OK : QK_E_CRYPTO;
}

static qk_err token_write(struct coord_imports *s, const struct offer *o, struct qk_buf *out)
{
    uint8_t t[COORD_IMPORT_TOKEN_LEN] = {TOKEN_VERSION};
    memcpy(t + 1, o->id, 16);
    memcpy(t + 17, o->key_id, 16);
    qk_put_u64(t + 33, o->valid_to_ms);
    QK_TRY(token_mac(s, t, t + 41));
    qk_buf_add(out, t, sizeof t);
    return out->err;
}

static bool token_is_ours(struct coord_imports *s, struct qk_bytes token)
{
    uint8_t mac[32];
    if (token_mac(s, token.p, mac) != QK_OK) return false;
    return CRYPTO_memcmp(mac, token.p + 41, sizeof mac) == 0;
}

/* ---- offers; with the lock ---- */

static size_t count_of(const struct coord_imports *s, const uint8_t *key_id)
{
    size_t n = 0;
    for (size_t i = 0; i < s->max; i++)
        n += s->offers[i].valid_to_ms != 0 && memcmp(s->offers[i].key_id, key_id, 16) == 0;
    return n;
}

/* The oldest of those whose key has at least so many; of this key, unless it is NULL. */
static struct offer *oldest_of(struct coord_imports *s, const uint8_t *key_id, size_t at_least)
{
    struct offer *oldest = NULL;
    for (size_t i = 0; i < s->max; i++) {
        struct offer *o = &s->offers[i];
        if (o->valid_to_ms == 0 || (oldest != NULL && o->valid_to_ms >= oldest->valid_to_ms))
            continue;
        if (key_id != NULL && memcmp(o->key_id, key_id, 16) != 0) continue;
        if (count_of(s, o->key_id) >= at_least) oldest = o;
    }
    return oldest;
}

static struct offer *free_place(struct coord_imports *s, uint64_t now_ms)
{
    struct offer *place = NULL;
    for (size_t i = 0; i < s->max; i++) {
        struct offer *o = &s->offers[i];
        if (o->valid_to_ms <= now_ms) qk_wipe(o, sizeof *o);
        if (o->valid_to_ms == 0) place = o;
    }
    return place;
}

/* When all are taken, a key that has several gives up its oldest, else the oldest of all goes: its
 * owner asks for parameters again, which is better than that nobody else can for a day. */
static struct offer *place(struct coord_imports *s, const uint8_t *key_id, uint64_t now_ms)
{
    struct offer *unused = free_place(s, now_ms);
    if (count_of(s, key_id) >= COORD_IMPORTS_OF_KEY) return oldest_of(s, key_id, 1);
    if (unused != NULL) return unused;
    struct offer *spare = oldest_of(s, NULL, 2);
    return spare != NULL ? spare : oldest_of(s, NULL, 1);
}

static qk_err keep(struct coord_imports *s, struct offer *o, struct qk_bytes der, uint64_t now_ms)
{
    if (s->offers == NULL) s->offers = qk_locked_alloc(s->max * sizeof *s->offers);
    QK_ENSURE(s->offers != NULL, QK_E_NOMEM);
    QK_ENSURE(der.len <= DER_MAX, QK_E_TOO_LARGE);
    struct offer *to = place(s, o->key_id, now_ms);
    qk_wipe(to, sizeof *to);
    *to = *o;
    to->der_len = der.len;
    memcpy(to->der, der.p, der.len);
    return QK_OK;
}

qk_err coord_imports_offer(struct coord_imports *s, struct coord_randpool *random,
    const uint8_t key_id[static 16], struct qk_bytes algorithm, struct qk_bytes spec,
    uint64_t now_ms, struct qk_buf *token, struct qk_buf *spki, uint64_t *valid_to_ms)
{
    uint8_t seed[COORD_PAIR_SEED];
    QK_AUTO_BUF der = QK_BUF_SECRET(DER_MAX);
    struct offer o = {.valid_to_ms = now_ms + COORD_IMPORT_MS}; /* without the secret part */
    memcpy(o.key_id, key_id, 16);
    o.aes_wrap = qk_bytes_is(algorithm, "RSA_AES_KEY_WRAP_SHA_1") ||
                 qk_bytes_is(algorithm, "RSA_AES_KEY_WRAP_SHA_256");
    o.sha1 = qk_bytes_is(algorithm, "RSA_AES_KEY_WRAP_SHA_1") ||
             qk_bytes_is(algorithm, "RSAES_OAEP_SHA_1");
    QK_TRY(qk_rng_fill(qk_rng_system(), o.id, sizeof o.id));
    QK_TRY(coord_randpool_wait(random, seed, sizeof seed, RANDOM_MS));
    qk_err err = coord_pair_make(spec, seed, &der, spki);
    qk_wipe(seed, sizeof seed);
    QK_TRY(err);
    (void)pthread_mutex_lock(&s->mutex);
    err = keep(s, &o, qk_buf_view(&der), now_ms);
    (void)pthread_mutex_unlock(&s->mutex);
    QK_TRY(err);
    *valid_to_ms = o.valid_to_ms;
    return token_write(s, &o, token);
}

/* ---- unwrapping ---- */

static bool oaep(EVP_PKEY *key, bool sha1, struct qk_bytes in, uint8_t *out, size_t *len)
{
    const EVP_MD *md = sha1 ? EVP_sha1() : EVP_sha256();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    bool good = ctx != NULL && EVP_PKEY_decrypt_init(ctx) == 1 &&
                EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
                EVP_PKEY_CTX_set_rsa_oaep_md(ctx, md) == 1 &&
                EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) == 1 &&
                EVP_PKEY_decrypt(ctx, out, len, in.p, in.len) == 1;
    EVP_PKEY_CTX_free(ctx);
    return good;
}

/* AES key wrap with padding, RFC 5649. out: as long as in. */
static bool aes_kwp(const uint8_t key[AES_KEY], struct qk_bytes in, uint8_t *out, size_t *len)
{
    int n = 0;
    if (in.len < 16 || in.len % 8 != 0 || in.len > UNWRAPPED_MAX) return false;
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-WRAP-PAD", NULL);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (ctx != NULL) EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    bool good = cipher != NULL && ctx != NULL &&
                EVP_DecryptInit_ex2(ctx, cipher, key, NULL, NULL) == 1 &&
                EVP_DecryptUpdate(ctx, out, &n, in.p, (int)in.len) == 1 && n > 0;
    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(cipher);
    *len = (size_t)n;
    return good;
}

/* RSA-OAEP of the material, or of an AES key under which the material follows. */
static bool unwrap(
    EVP_PKEY *key, const struct offer *o, struct qk_bytes in, uint8_t *out, size_t *len)
{
    size_t modulus = (size_t)EVP_PKEY_get_size(key);
    if (!o->aes_wrap) return in.len == modulus && oaep(key, o->sha1, in, out, len);
    uint8_t aes[UNWRAPPED_MAX];
    size_t n = sizeof aes;
    bool good = in.len > modulus && oaep(key, o->sha1, qk_bytes(in.p, modulus), aes, &n) &&
                n == AES_KEY && aes_kwp(aes, qk_bytes(in.p + modulus, in.len - modulus), out, len);
    qk_wipe(aes, sizeof aes);
    return good;
}

static EVP_PKEY *load(const struct offer *o)
{
    const unsigned char *p = o->der;
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)o->der_len);
    EVP_PKEY *key = info == NULL ? NULL : EVP_PKCS82PKEY(info);
    PKCS8_PRIV_KEY_INFO_free(info);
    return key;
}

static qk_err wrong_length(const struct coord_material_len *len, struct kms_fault *fault)
{
    static const char type[] = "IncorrectKeyMaterialException";
    if (len->least == len->most)
        return kms_fault_set(
            fault, type, "The key material in the request is not %zu bytes long.", len->least);
    return kms_fault_set(fault, type,
        "The key material in the request is not %zu to %zu bytes long.", len->least, len->most);
}

static qk_err open_with(const struct offer *o, struct qk_bytes wrapped,
    const struct coord_material_len *len, struct qk_buf *out, struct kms_fault *fault)
{
    uint8_t material[UNWRAPPED_MAX];
    size_t n = sizeof material;
    EVP_PKEY *key = load(o);
    if (key == NULL) return kms_fault_internal(fault, QK_E_CRYPTO);
    bool good = unwrap(key, o, wrapped, material, &n);
    EVP_PKEY_free(key);
    bool fits = good && n >= len->least && n <= len->most;
    if (fits) qk_buf_add(out, material, n);
    qk_wipe(material, sizeof material);
    if (!good) return kms_fault_bare(fault, "InvalidCiphertextException");
    if (!fits) return wrong_length(len, fault);
    return out->err == QK_OK ? QK_OK : kms_fault_internal(fault, out->err);
}

/* The offer that the token names, copied; its secret part is o's owner's to wipe. */
static qk_err find(struct coord_imports *s, struct qk_bytes token, const uint8_t *key_id,
    uint64_t now_ms, struct offer *out, struct kms_fault *fault)
{
    bool ours = token.len == COORD_IMPORT_TOKEN_LEN && token.p[0] == TOKEN_VERSION &&
                memcmp(token.p + 17, key_id, 16) == 0;
    if (!ours) return kms_fault_bare(fault, "InvalidImportTokenException");
    bool found = false;
    (void)pthread_mutex_lock(&s->mutex);
    for (size_t i = 0; i < s->max && s->offers != NULL && !found; i++) {
        const struct offer *o = &s->offers[i];
        found = o->valid_to_ms != 0 && memcmp(o->id, token.p + 1, 16) == 0;
        if (found) *out = *o;
    }
    (void)pthread_mutex_unlock(&s->mutex);
    if (found && !token_is_ours(s, token))
        return kms_fault_bare(fault, "InvalidImportTokenException");
    if (!found || out->valid_to_ms <= now_ms) /* of an earlier process, or made room since */
        return kms_fault_bare(fault, "ExpiredImportTokenException");
    return QK_OK;
}

qk_err coord_imports_unwrap(struct coord_imports *s, const uint8_t key_id[static 16],
    struct qk_bytes token, struct qk_bytes wrapped, uint64_t now_ms,
    const struct coord_material_len *len, struct qk_buf *out, struct kms_fault *fault)
{
    struct offer o = {.valid_to_ms = 0};
    qk_err err = find(s, token, key_id, now_ms, &o, fault);
    if (err == QK_OK) err = open_with(&o, wrapped, len, out, fault);
    qk_wipe(&o, sizeof o);
    return err;
}
