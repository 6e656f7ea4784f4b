#include "qktest/qktest.h"
#include "qk/pack.h"

QK_TEST(pack, round_trip_in_smallest_form)
{
    QK_AUTO_BUF b = QK_BUF(1024);
    qk_pack_map(&b, 2);
    qk_pack_key_uint(&b, "n", 300);
    qk_pack_key_bin(&b, "v", qk_str("abc"));
    qk_assert_ok(b.err);
    struct qk_unpack u = qk_unpack(qk_buf_view(&b));
    uint64_t n;
    struct qk_bytes v;
    qk_assert_ok(qk_unpack_map(&u, 2));
    qk_assert_ok(qk_unpack_key_uint(&u, "n", 1000, &n));
    qk_assert_ok(qk_unpack_key_bin(&u, "v", 3, 3, &v));
    qk_assert_ok(qk_unpack_end(&u));
    cr_assert_eq(n, 300);
    cr_assert(qk_bytes_is(v, "abc"));
}

QK_TEST(pack, C_7_refuses_every_form_that_is_not_canonical)
{
    static const struct {
        const char *what;
        uint8_t bytes[8];
        size_t len;
    } bad[] = {
        {"uint8 that fits fixint", {0xcc, 0x7f}, 2},
        {"uint16 that fits uint8", {0xcd, 0x00, 0xff}, 3},
        {"uint32 that fits uint16", {0xce, 0, 0, 0xff, 0xff}, 5},
        {"negative", {0xff}, 1},
        {"nil", {0xc0}, 1},
        {"float", {0xca, 0, 0, 0, 0}, 5},
        {"extension", {0xd4, 1, 1}, 3},
        {"array of 268 million", {0xdd, 0x0f, 0xff, 0xff, 0xff}, 5},
        {"bin of 4 GiB", {0xc6, 0xff, 0xff, 0xff, 0xff}, 5},
        {"bin16 that fits bin8", {0xc5, 0x00, 0x01, 0x41}, 4},
        {"truncated", {0xcd, 0x01}, 2},
        {"str with invalid UTF-8", {0xa1, 0xff}, 2},
        {"map with half a pair", {0x81, 0xa1, 0x61}, 3},
        {"nothing", {0}, 0},
    };
    for (size_t i = 0; i < QK_COUNT(bad); i++) {
        struct qk_unpack u = qk_unpack(qk_bytes(bad[i].bytes, bad[i].len));
        struct qk_bytes raw;
        cr_expect_eq(qk_unpack_raw(&u, 100, &raw), QK_E_MALFORMED, "%s", bad[i].what);
    }
    uint8_t deep[16];
    memset(deep, 0x91, sizeof deep);
    deep[15] = 0;
    struct qk_unpack u = qk_unpack(QK_BYTES(deep));
    struct qk_bytes raw;
    qk_assert_err(qk_unpack_raw(&u, 100, &raw), QK_E_MALFORMED);
}

QK_TEST(pack, C_7_trailing_byte_wrong_key_and_wrong_count_are_refused)
{
    QK_AUTO_BUF b = QK_BUF(64);
    qk_pack_map(&b, 1);
    qk_pack_key_uint(&b, "a", 1);
    qk_buf_add_u8(&b, 0);
    uint64_t v;
    struct qk_unpack u = qk_unpack(qk_buf_view(&b));
    qk_assert_ok(qk_unpack_map(&u, 1));
    qk_assert_ok(qk_unpack_key_uint(&u, "a", 9, &v));
    qk_assert_err(qk_unpack_end(&u), QK_E_MALFORMED);
    u = qk_unpack(qk_buf_view(&b));
    qk_assert_err(qk_unpack_map(&u, 2), QK_E_MALFORMED);
    qk_assert_err(qk_unpack_key(&u, "a"), QK_E_MALFORMED); /* the error sticks */
    u = qk_unpack(qk_buf_view(&b));
    qk_assert_ok(qk_unpack_map(&u, 1));
    qk_assert_err(qk_unpack_key(&u, "b"), QK_E_MALFORMED);
}
