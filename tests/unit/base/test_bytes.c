#include <stdlib.h>

#include "qk/bytes.h"
#include "qktest/qktest.h"

QK_TEST(bytes, hexadecimal_goes_both_ways_and_refuses_the_rest)
{
    static const uint8_t v[] = {0x00, 0xff, 0x1a};
    char text[7];
    uint8_t back[3];
    qk_hex(v, sizeof v, text);
    cr_assert_str_eq(text, "00ff1a");
    qk_assert_ok(qk_unhex(qk_str("00FF1a"), back, 3));
    cr_assert_eq(memcmp(back, v, 3), 0);
    qk_assert_err(qk_unhex(qk_str("00ff1"), back, 3), QK_E_MALFORMED);
    qk_assert_err(qk_unhex(qk_str("00ff1g"), back, 3), QK_E_MALFORMED);
    qk_assert_err(qk_unhex(qk_str("00ff1a00"), back, 3), QK_E_MALFORMED);
}

/* RFC 4648 section 10 */
QK_TEST(bytes, base64_vectors_of_the_rfc)
{
    static const char *const v[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < QK_COUNT(v); i++) {
        QK_AUTO_BUF enc = QK_BUF(64);
        QK_AUTO_BUF dec = QK_BUF(64);
        qk_base64_add(&enc, qk_str(v[i][0]));
        cr_assert(qk_bytes_is(qk_buf_view(&enc), v[i][1]), "%s", v[i][0]);
        qk_assert_ok(qk_unbase64(qk_str(v[i][1]), &dec));
        cr_assert(qk_bytes_is(qk_buf_view(&dec), v[i][0]), "%s", v[i][1]);
    }
}

QK_TEST(bytes, base64_has_one_text_per_value)
{
    static const char *const bad[] = {"Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Zm8",
        "=g==", "Z===", "Zm9v\n", "Zm 9v===", "Zm9v====", "Zm-_", "Zg==Zg=="};
    for (size_t i = 0; i < QK_COUNT(bad); i++) {
        QK_AUTO_BUF out = QK_BUF(64);
        cr_expect_eq(qk_unbase64(qk_str(bad[i]), &out), QK_E_MALFORMED, "%s", bad[i]);
    }
}

QK_TEST(bytes, a_buffer_never_grows_past_its_bound)
{
    QK_AUTO_BUF b = QK_BUF(4);
    qk_buf_add(&b, "abcd", 4);
    qk_assert_ok(b.err);
    qk_buf_add_u8(&b, 'e');
    cr_assert_eq(b.err, QK_E_TOO_LARGE);
    cr_assert_eq(b.len, 4);
    qk_buf_add(&b, "", 0); /* the error sticks */
    cr_assert_eq(b.err, QK_E_TOO_LARGE);
    cr_assert_null(qk_buf_extend(&b, 0));
    qk_buf_clear(&b);
    qk_buf_printf(&b, "%d", 12345);
    cr_assert_eq(b.err, QK_E_TOO_LARGE);
}

QK_TEST(bytes, a_text_with_a_nul_inside_is_no_string)
{
    char *s = qk_strndup(qk_str("plain"));
    cr_assert_str_eq(s, "plain");
    free(s);
    cr_assert_null(qk_strndup(qk_bytes("a\0b", 3)));
}
