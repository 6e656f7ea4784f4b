/* Identities: files, and signatures that an independent program agrees on. */
#include "qktest/qktest.h"
#include "wire/identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include "qk/file.h"

struct dir {
    char path[64], key[96], cert[96];
};

static void dir_init(struct dir *d)
{
    (void)snprintf(d->path, sizeof d->path, "/tmp/qkms-wire-XXXXXX");
    cr_assert_not_null(mkdtemp(d->path));
    (void)snprintf(d->key, sizeof d->key, "%s/key.pem", d->path);
    (void)snprintf(d->cert, sizeof d->cert, "%s/cert.pem", d->path);
}

static void dir_free(struct dir *d)
{
    (void)unlink(d->key);
    (void)unlink(d->cert);
    (void)rmdir(d->path);
}

QK_TEST(identity, survives_its_files)
{
    struct dir d;
    dir_init(&d);
    struct wire_identity *a, *b;
    qk_assert_ok(wire_identity_generate(&a, "node-1"));
    qk_assert_ok(wire_identity_save(a, d.key, d.cert));
    struct stat st;
    cr_assert_eq(stat(d.key, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0600);
    qk_assert_ok(wire_identity_load(&b, d.key, d.cert));
    cr_assert(qk_bytes_eq(wire_identity_cert(a), wire_identity_cert(b)));
    uint8_t sig[WIRE_SIG_LEN];
    qk_assert_ok(wire_identity_sign(b, qk_str("message"), sig));
    qk_assert_ok(wire_key_verify(wire_identity_key(a), qk_str("message"), QK_BYTES(sig)));
    wire_identity_free(a);
    wire_identity_free(b);
    dir_free(&d);
}

QK_TEST(identity, refuses_files_that_are_open_foreign_or_broken)
{
    struct dir d, other;
    dir_init(&d);
    dir_init(&other);
    struct wire_identity *a, *b, *got;
    qk_assert_ok(wire_identity_generate(&a, "a"));
    qk_assert_ok(wire_identity_generate(&b, "b"));
    qk_assert_ok(wire_identity_save(a, d.key, d.cert));
    qk_assert_ok(wire_identity_save(b, other.key, other.cert));
    qk_assert_err(wire_identity_load(&got, d.key, other.cert), QK_E_CORRUPT);
    qk_assert_err(wire_identity_load(&got, d.key, "/nonexistent"), QK_E_NOT_FOUND);
    cr_assert_eq(chmod(d.key, 0640), 0);
    qk_assert_err(wire_identity_load(&got, d.key, d.cert), QK_E_DENIED);
    qk_assert_ok(qk_file_write(d.key, qk_str(""), 0600));
    qk_assert_err(wire_identity_load(&got, d.key, d.cert), QK_E_CORRUPT);
    qk_assert_ok(qk_file_write(d.key, qk_str("-----BEGIN PRIVATE KEY-----\n"), 0600));
    qk_assert_err(wire_identity_load(&got, d.key, d.cert), QK_E_CORRUPT);
    wire_identity_free(a);
    wire_identity_free(b);
    dir_free(&d);
    dir_free(&other);
}

QK_TEST(identity, certificate_is_self_signed_p256_and_lasts)
{
    struct wire_identity *id;
    qk_assert_err(wire_identity_generate(&id, ""), QK_E_STATE);
    qk_assert_err(wire_identity_generate(&id, "no spaces"), QK_E_STATE);
    qk_assert_ok(wire_identity_generate(&id, "node-1"));
    struct qk_bytes der = wire_identity_cert(id);
    const uint8_t *p = der.p;
    X509 *x = d2i_X509(NULL, &p, (long)der.len);
    cr_assert_not_null(x);
    cr_assert_eq(X509_verify(x, X509_get0_pubkey(x)), 1);
    time_t in_ten_years = time(NULL) + 10L * 365 * 86400;
    cr_assert_gt(X509_cmp_time(X509_get0_notAfter(x), &in_ten_years), 0);
    cr_assert_lt(X509_cmp_current_time(X509_get0_notBefore(x)), 0);
    X509_free(x);
    wire_identity_free(id);
}

/* The other path: plain OpenSSL calls on the documented bytes, none of our code but the framing
 * written out. */
static int openssl_verify(struct qk_bytes spki, struct qk_bytes msg, const uint8_t sig[64])
{
    static const char label[26] = "QKMS identity signature v1";
    uint8_t der[72] = {0x30, 0}, len[5] = {0};
    size_t at = 2;
    qk_put_u32(len + 1, (uint32_t)msg.len);
    for (int i = 0; i < 2; i++) {
        const uint8_t *v = sig + 32 * i;
        size_t n = 32;
        while (n > 1 && v[0] == 0) v++, n--;
        der[at++] = 2;
        der[at++] = (uint8_t)(n + (v[0] >> 7));
        if (v[0] >> 7) der[at++] = 0;
        memcpy(der + at, v, n);
        at += n;
    }
    der[1] = (uint8_t)(at - 2);
    const uint8_t *p = spki.p;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &p, (long)spki.len);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    int ok = EVP_DigestVerifyInit(md, NULL, EVP_sha256(), NULL, key) == 1 &&
             EVP_DigestVerifyUpdate(md, label, sizeof label) == 1 &&
             EVP_DigestVerifyUpdate(md, len, 5) == 1 && /* the NUL, then the length */
             EVP_DigestVerifyUpdate(md, msg.p, msg.len) == 1 &&
             EVP_DigestVerifyFinal(md, der, at) == 1;
    EVP_MD_CTX_free(md);
    EVP_PKEY_free(key);
    return ok;
}

QK_TEST(identity, signatures_are_what_the_header_says)
{
    struct wire_identity *id;
    qk_assert_ok(wire_identity_generate(&id, "x"));
    for (unsigned i = 0; i < 200; i++) { /* short r and s turn up now and then */
        uint8_t msg[64], sig[WIRE_SIG_LEN];
        memset(msg, (int)i, sizeof msg);
        qk_assert_ok(wire_identity_sign(id, QK_BYTES(msg), sig));
        cr_assert(openssl_verify(wire_key_spki(wire_identity_key(id)), QK_BYTES(msg), sig));
        qk_assert_ok(wire_key_verify(wire_identity_key(id), QK_BYTES(msg), QK_BYTES(sig)));
    }
    wire_identity_free(id);
}

QK_TEST(identity, refuses_every_bent_signature)
{
    struct wire_identity *a, *b;
    qk_assert_ok(wire_identity_generate(&a, "a"));
    qk_assert_ok(wire_identity_generate(&b, "b"));
    const struct wire_key *key = wire_identity_key(a);
    uint8_t sig[WIRE_SIG_LEN + 1] = {0}, bent[WIRE_SIG_LEN];
    struct qk_bytes msg = qk_str("sixty-four bytes of a hash, say");
    qk_assert_ok(wire_identity_sign(a, msg, sig));
    qk_assert_err(wire_key_verify(key, msg, qk_bytes(sig, 63)), QK_E_PROOF);
    qk_assert_err(wire_key_verify(key, msg, qk_bytes(sig, 65)), QK_E_PROOF);
    qk_assert_err(wire_key_verify(key, msg, qk_bytes(sig, 0)), QK_E_PROOF);
    qk_assert_err(wire_key_verify(key, qk_str("another"), qk_bytes(sig, 64)), QK_E_PROOF);
    qk_assert_err(wire_key_verify(wire_identity_key(b), msg, qk_bytes(sig, 64)), QK_E_PROOF);
    for (unsigned i = 0; i < WIRE_SIG_LEN; i++) {
        memcpy(bent, sig, sizeof bent);
        bent[i] ^= 0x20;
        qk_assert_err(wire_key_verify(key, msg, QK_BYTES(bent)), QK_E_PROOF);
    }
    memset(bent, 0, sizeof bent);
    qk_assert_err(wire_key_verify(key, msg, QK_BYTES(bent)), QK_E_PROOF);
    memset(bent, 0xff, sizeof bent);
    qk_assert_err(wire_key_verify(key, msg, QK_BYTES(bent)), QK_E_PROOF);
    wire_identity_free(a);
    wire_identity_free(b);
}

QK_TEST(identity, an_operators_plain_signature_is_another_thing)
{
    struct wire_identity *id;
    qk_assert_ok(wire_identity_generate(&id, "alice"));
    const struct wire_key *key = wire_identity_key(id);
    uint8_t digest[32] = {7};
    QK_AUTO_BUF der = QK_BUF(WIRE_DER_SIG_MAX);
    qk_assert_ok(wire_identity_sign_digest(id, digest, &der));
    qk_assert_ok(wire_key_verify_digest(key, digest, qk_buf_view(&der)));
    qk_assert_err(wire_key_verify_digest(key, digest, qk_bytes(der.p, der.len - 1)), QK_E_PROOF);
    qk_assert_err(wire_key_verify(key, QK_BYTES(digest), qk_buf_view(&der)), QK_E_PROOF);
    der.p[der.len - 1] ^= 1;
    qk_assert_err(wire_key_verify_digest(key, digest, qk_buf_view(&der)), QK_E_PROOF);
    wire_identity_free(id);
}

QK_TEST(identity, public_keys_have_one_encoding)
{
    struct wire_identity *id;
    struct wire_key *key;
    qk_assert_ok(wire_identity_generate(&id, "x"));
    uint8_t spki[WIRE_SPKI_LEN + 1] = {0};
    memcpy(spki, wire_key_spki(wire_identity_key(id)).p, WIRE_SPKI_LEN);
    qk_assert_ok(wire_key_from_spki(&key, qk_bytes(spki, WIRE_SPKI_LEN)));
    wire_key_free(key);
    qk_assert_err(wire_key_from_spki(&key, qk_bytes(spki, WIRE_SPKI_LEN + 1)), QK_E_MALFORMED);
    qk_assert_err(wire_key_from_spki(&key, qk_bytes(spki, WIRE_SPKI_LEN - 1)), QK_E_MALFORMED);
    qk_assert_err(wire_key_from_spki(&key, qk_bytes(spki, 0)), QK_E_MALFORMED);
    for (unsigned i = 0; i < WIRE_SPKI_LEN; i++) { /* off the curve, or no such structure */
        spki[i] ^= 1;
        qk_assert_err(wire_key_from_spki(&key, qk_bytes(spki, WIRE_SPKI_LEN)), QK_E_MALFORMED);
        spki[i] ^= 1;
    }
    struct qk_bytes cert = wire_identity_cert(id);
    qk_assert_err(wire_key_from_cert(&key, qk_bytes(cert.p, cert.len - 1)), QK_E_MALFORMED);
    qk_assert_err(wire_key_from_cert(&key, qk_bytes(spki, WIRE_SPKI_LEN)), QK_E_MALFORMED);
    wire_identity_free(id);
}

QK_TEST(identity, other_curves_are_refused)
{
    struct wire_key *key;
    uint8_t *der = NULL;
    EVP_PKEY *k256 = EVP_EC_gen("secp256k1");
    int len = i2d_PUBKEY(k256, &der);
    cr_assert_gt(len, 0);
    qk_assert_err(wire_key_from_spki(&key, qk_bytes(der, (size_t)len)), QK_E_MALFORMED);
    OPENSSL_free(der);
    EVP_PKEY_free(k256);
}
