/* SHA-256 and HMAC-SHA-256 against published vectors (FIPS 180-4 examples, RFC 4231) and EVP. */
#include "qktest/qktest.h"
#include "qk/sha256.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>

static void is_hex(const uint8_t got[static 32], const char *want)
{
    char hex[65];
    qk_hex(got, 32, hex);
    cr_assert_str_eq(hex, want);
}

QK_TEST(sha256, published_digests)
{
    static const struct {
        const char *text, *digest;
    } known[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    uint8_t out[32];
    for (size_t i = 0; i < QK_COUNT(known); i++) {
        qk_sha256_of(qk_str(known[i].text), out);
        is_hex(out, known[i].digest);
    }
    uint8_t many[1000];
    memset(many, 'a', sizeof many);
    struct qk_sha256 s;
    qk_sha256_begin(&s);
    for (int i = 0; i < 1000; i++) qk_sha256_add(&s, many, sizeof many);
    qk_sha256_end(&s, out);
    is_hex(out, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* RFC 4231, test cases 1, 2 and 6. */
QK_TEST(sha256, published_macs)
{
    uint8_t key[131], out[32];
    memset(key, 0x0b, 20);
    qk_hmac256_of(qk_bytes(key, 20), qk_str("Hi There"), out);
    is_hex(out, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    qk_hmac256_of(qk_str("Jefe"), qk_str("what do ya want for nothing?"), out);
    is_hex(out, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    qk_hmac256_of(
        QK_BYTES(key), qk_str("Test Using Larger Than Block-Size Key - Hash Key First"), out);
    is_hex(out, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

QK_TEST(sha256, every_length_as_evp_has_it)
{
    uint8_t data[300], got[32], want[32];
    unsigned len;
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)(i * 7);
    for (size_t n = 0; n <= sizeof data; n++) {
        qk_sha256_of(qk_bytes(data, n), got);
        cr_assert_eq(EVP_Digest(data, n, want, NULL, EVP_sha256(), NULL), 1);
        cr_assert_arr_eq(got, want, 32);
        qk_hmac256_of(qk_bytes(data, n), qk_bytes(data + n, sizeof data - n), got);
        cr_assert_not_null(HMAC(EVP_sha256(), data, (int)n, data + n, sizeof data - n, want, &len));
        cr_assert_arr_eq(got, want, 32, "key of %zu bytes", n);
    }
    memcpy(got, data, 32);
    qk_hmac256_of(QK_BYTES(got), qk_str("x"), got); /* in place */
    cr_assert_not_null(HMAC(EVP_sha256(), data, 32, (const uint8_t *)"x", 1, want, &len));
    cr_assert_arr_eq(got, want, 32);
}
