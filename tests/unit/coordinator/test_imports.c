/* Wrapping keys and tokens of imports: what is bound to what, and for how long. */
#include "qktest/qktest.h"
#include "coordsym.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include "qk/clock.h"
#include "rounds/imports.h"

static const uint8_t key_a[16] = {1}, key_b[16] = {2};
static const uint8_t material[140] = "thirty-two bytes of key material";
static const struct coord_material_len symmetric = {32, 32};

struct bench {
    struct cw_world w;
    struct coord_imports *imports;
    struct qk_buf token, spki;
    uint64_t now_ms, valid_to_ms;
    struct kms_fault fault;
};

static struct bench *bench_new(void)
{
    struct bench *b = calloc(1, sizeof *b);
    cr_assert(b != NULL);
    cw_init_sym(&b->w, MPC_SYM_FV);
    qk_assert_ok(coord_imports_new(&b->imports, COORD_IMPORTS_MAX));
    b->token = (struct qk_buf)QK_BUF(256);
    b->spki = (struct qk_buf)QK_BUF(1024);
    b->now_ms = qk_now_ms();
    return b;
}

static void bench_free(struct bench *b)
{
    coord_imports_free(b->imports);
    qk_buf_free(&b->token);
    qk_buf_free(&b->spki);
    cw_free(&b->w);
    free(b);
}

static void offer(struct bench *b, const uint8_t *key, const char *algorithm)
{
    qk_buf_clear(&b->token);
    qk_buf_clear(&b->spki);
    qk_assert_ok(coord_imports_offer(b->imports, b->w.engine.random, key, qk_str(algorithm),
        qk_str("RSA_2048"), b->now_ms, &b->token, &b->spki, &b->valid_to_ms));
}

static size_t oaep(struct bench *b, bool sha1, const uint8_t *in, size_t len, uint8_t *out)
{
    const unsigned char *p = b->spki.p;
    size_t n = 512;
    const EVP_MD *md = sha1 ? EVP_sha1() : EVP_sha256();
    EVP_PKEY *key = d2i_PUBKEY(NULL, &p, (long)b->spki.len);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    cr_assert(EVP_PKEY_encrypt_init(ctx) == 1 &&
              EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
              EVP_PKEY_CTX_set_rsa_oaep_md(ctx, md) == 1 &&
              EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) == 1 &&
              EVP_PKEY_encrypt(ctx, out, &n, in, len) == 1);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(key);
    return n;
}

static size_t kwp(const uint8_t key[32], const uint8_t *in, size_t len, uint8_t *out)
{
    int n = 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    EVP_CIPHER *c = EVP_CIPHER_fetch(NULL, "AES-256-WRAP-PAD", NULL);
    EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    cr_assert(EVP_EncryptInit_ex2(ctx, c, key, NULL, NULL) == 1 &&
              EVP_EncryptUpdate(ctx, out, &n, in, (int)len) == 1);
    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(c);
    return (size_t)n;
}

static size_t wrap(struct bench *b, const char *algorithm, size_t len, uint8_t out[600])
{
    bool sha1 = strcmp(algorithm + strlen(algorithm) - 5, "SHA_1") == 0;
    if (strncmp(algorithm, "RSAES", 5) == 0) return oaep(b, sha1, material, len, out);
    uint8_t aes[32];
    memset(aes, 9, sizeof aes);
    size_t n = oaep(b, sha1, aes, sizeof aes, out);
    return n + kwp(aes, material, len, out + n);
}

static qk_err unwrap_len(struct bench *b, const uint8_t *key, struct qk_bytes wrapped,
    const struct coord_material_len *len)
{
    QK_AUTO_BUF k = QK_BUF_SECRET(COORD_MATERIAL_MAX);
    qk_err err = coord_imports_unwrap(
        b->imports, key, qk_buf_view(&b->token), wrapped, b->now_ms, len, &k, &b->fault);
    if (err == QK_OK) cr_expect_eq(memcmp(k.p, material, k.len), 0);
    cr_expect(err == QK_OK ? k.len >= len->least && k.len <= len->most : k.len == 0);
    return err;
}

static qk_err unwrap(struct bench *b, const uint8_t *key, struct qk_bytes wrapped)
{
    return unwrap_len(b, key, wrapped, &symmetric);
}

static void expect_fault(struct bench *b, qk_err err, const char *type)
{
    cr_expect_eq(err, QK_E_DENIED, "%s", type);
    cr_expect_str_eq(b->fault.type, type);
}

static const char *const algorithms[] = {
    "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256"};

QK_TEST(imports, material_wrapped_under_any_algorithm_comes_out)
{
    struct bench *b = bench_new();
    uint8_t w[600];
    for (size_t i = 0; i < QK_COUNT(algorithms); i++) {
        offer(b, key_a, algorithms[i]);
        size_t n = wrap(b, algorithms[i], 32, w);
        qk_assert_ok(unwrap(b, key_a, qk_bytes(w, n)));
        expect_fault(b, unwrap(b, key_a, qk_bytes(w, n - 1)), "InvalidCiphertextException");
        w[n - 1] ^= 1;
        expect_fault(b, unwrap(b, key_a, qk_bytes(w, n)), "InvalidCiphertextException");
        w[n - 1] ^= 1;
        w[3] ^= 1;
        expect_fault(b, unwrap(b, key_a, qk_bytes(w, n)), "InvalidCiphertextException");
        n = wrap(b, algorithms[(i + 1) % 4], 32, w); /* of another algorithm */
        expect_fault(b, unwrap(b, key_a, qk_bytes(w, n)), "InvalidCiphertextException");
        n = wrap(b, algorithms[i], 31, w);
        expect_fault(b, unwrap(b, key_a, qk_bytes(w, n)), "IncorrectKeyMaterialException");
        n = wrap(b, algorithms[i], 33, w);
        expect_fault(b, unwrap(b, key_a, qk_bytes(w, n)), "IncorrectKeyMaterialException");
    }
    expect_fault(b, unwrap(b, key_a, (struct qk_bytes){w, 0}), "InvalidCiphertextException");
    bench_free(b);
}

QK_TEST(imports, material_of_an_HMAC_key_has_a_range_of_lengths)
{
    static const struct coord_material_len mac = {28, 128};
    static const struct {
        size_t len;
        bool good;
    } cases[] = {{1, false}, {27, false}, {28, true}, {29, true}, {64, true}, {127, true},
        {128, true}, {129, false}};
    struct bench *b = bench_new();
    uint8_t w[600];
    for (size_t a = 1; a < QK_COUNT(algorithms); a += 2) {
        offer(b, key_a, algorithms[a]);
        for (size_t i = 0; i < QK_COUNT(cases); i++) {
            size_t n = wrap(b, algorithms[a], cases[i].len, w);
            qk_err err = unwrap_len(b, key_a, qk_bytes(w, n), &mac);
            if (cases[i].good)
                qk_assert_ok(err);
            else
                expect_fault(b, err, "IncorrectKeyMaterialException");
        }
    }
    bench_free(b);
}

QK_TEST(imports, a_token_is_good_for_its_key_its_day_and_its_process)
{
    struct bench *b = bench_new();
    uint8_t w[600];
    offer(b, key_a, algorithms[1]);
    size_t n = wrap(b, algorithms[1], 32, w);
    cr_assert_eq(b->valid_to_ms, b->now_ms + COORD_IMPORT_MS);
    expect_fault(b, unwrap(b, key_b, qk_bytes(w, n)), "InvalidImportTokenException");
    for (size_t i = 0; i < b->token.len; i++) { /* every byte is bound */
        b->token.p[i] ^= 1;
        cr_expect_eq(unwrap(b, key_a, qk_bytes(w, n)), QK_E_DENIED, "byte %zu", i);
        b->token.p[i] ^= 1;
    }
    b->token.len--;
    expect_fault(b, unwrap(b, key_a, qk_bytes(w, n)), "InvalidImportTokenException");
    b->token.len++;
    b->now_ms = b->valid_to_ms - 1;
    qk_assert_ok(unwrap(b, key_a, qk_bytes(w, n)));
    b->now_ms = b->valid_to_ms;
    expect_fault(b, unwrap(b, key_a, qk_bytes(w, n)), "ExpiredImportTokenException");
    b->now_ms -= 1000;
    coord_imports_free(b->imports); /* restarted */
    qk_assert_ok(coord_imports_new(&b->imports, COORD_IMPORTS_MAX));
    expect_fault(b, unwrap(b, key_a, qk_bytes(w, n)), "ExpiredImportTokenException");
    bench_free(b);
}

QK_TEST(imports, one_key_cannot_take_all_places)
{
    struct bench *b = bench_new();
    uint8_t w[600];
    offer(b, key_b, algorithms[1]);
    QK_AUTO_BUF token_b = QK_BUF(256);
    qk_buf_add(&token_b, b->token.p, b->token.len);
    size_t n = wrap(b, algorithms[1], 32, w);
    for (unsigned i = 0; i < COORD_IMPORTS_OF_KEY + 1; i++) {
        b->now_ms++;
        offer(b, key_a, algorithms[1]);
    }
    memcpy(b->token.p, token_b.p, token_b.len);
    qk_assert_ok(unwrap(b, key_b, qk_bytes(w, n)));
    bench_free(b);
}

/* Offers to key 1, 2, ...; wrapped[i] and token[i] are what its owner has in hand. */
struct offered {
    struct qk_buf token;
    uint8_t key[16], wrapped[600];
    size_t len;
};

static void offer_to(struct bench *b, uint8_t key, struct offered *o)
{
    *o = (struct offered){.token = QK_BUF(256), .key = {key}};
    b->now_ms++;
    offer(b, o->key, algorithms[1]);
    o->len = wrap(b, algorithms[1], 32, o->wrapped);
    qk_buf_add(&o->token, b->token.p, b->token.len);
}

static bool still_good(struct bench *b, const struct offered *o)
{
    qk_buf_clear(&b->token);
    qk_buf_add(&b->token, o->token.p, o->token.len);
    return unwrap(b, o->key, qk_bytes(o->wrapped, o->len)) == QK_OK;
}

QK_TEST(imports, when_all_places_are_taken_the_oldest_makes_room)
{
    struct bench *b = bench_new();
    struct offered o[6];
    coord_imports_free(b->imports);
    qk_assert_ok(coord_imports_new(&b->imports, 3));
    offer_to(b, 1, &o[0]);
    offer_to(b, 2, &o[1]);
    offer_to(b, 2, &o[2]);
    offer_to(b, 3, &o[3]); /* key 2 has two */
    cr_expect(still_good(b, &o[0]), "key 1 has only this one");
    cr_expect_not(still_good(b, &o[1]));
    cr_expect(still_good(b, &o[2]) && still_good(b, &o[3]));
    offer_to(b, 4, &o[4]); /* each has one */
    cr_expect_not(still_good(b, &o[0]), "the oldest of all");
    cr_expect(still_good(b, &o[2]) && still_good(b, &o[3]) && still_good(b, &o[4]));
    b->now_ms = b->valid_to_ms + 1;
    offer_to(b, 5, &o[5]);
    cr_expect(still_good(b, &o[5]));
    for (size_t i = 0; i < QK_COUNT(o); i++) qk_buf_free(&o[i].token);
    bench_free(b);
}
