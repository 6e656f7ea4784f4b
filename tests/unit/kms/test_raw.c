#include "qktest/qktest.h"

#include "kms/raw.h"
#include "kmskit.h"

static void encode(const struct kms_raw *raw, struct qk_buf *out)
{
    qk_assert_ok(kms_raw_encode(raw, out));
}

QK_TEST(raw, round_trip_keeps_every_byte_and_order)
{
    struct kms_raw raw = kit_raw("TrentService.Sign", "{\"a\":1}"), got;
    QK_AUTO_BUF b = QK_BUF(KMS_RAW_ENCODED_MAX);
    raw.query = qk_str("async=1");
    qk_assert_ok(kms_raw_add_header(&raw, qk_str("X-A"), qk_str("1")));
    qk_assert_ok(kms_raw_add_header(&raw, qk_str("x-a"), qk_bytes("\xff ", 2)));
    encode(&raw, &b);
    qk_assert_ok(kms_raw_decode(qk_buf_view(&b), &got));
    cr_assert_eq(got.n_headers, 5);
    cr_assert_eq(kms_raw_header_count(&got, "x-a"), 2);
    cr_assert(qk_bytes_is(*kms_raw_header(&got, "x-a"), "1"));
    cr_assert(qk_bytes_is(got.query, "async=1"));
    cr_assert(qk_bytes_eq(got.body, raw.body));
    cr_assert_null(kms_raw_header(&got, "x-b"));
}

QK_TEST(raw, every_truncation_and_extension_is_refused)
{
    struct kms_raw raw = kit_raw("TrentService.Sign", "{}"), got;
    QK_AUTO_BUF b = QK_BUF(KMS_RAW_ENCODED_MAX);
    encode(&raw, &b);
    for (size_t n = 0; n < b.len; n++) cr_assert_neq(kms_raw_decode(qk_bytes(b.p, n), &got), QK_OK);
    qk_buf_add_u8(&b, 0);
    qk_assert_err(kms_raw_decode(qk_buf_view(&b), &got), QK_E_MALFORMED);
}

QK_TEST(raw, bounds_and_characters_are_checked)
{
    static char big[KMS_RAW_BODY_MAX + 1];
    memset(big, 'a', sizeof big);
    struct kms_raw raw = kit_raw("T.x", "");
    raw.body = qk_bytes(big, sizeof big);
    qk_assert_err(kms_raw_check(&raw), QK_E_TOO_LARGE);
    raw = kit_raw("T.x", "");
    qk_assert_ok(kms_raw_add_header(&raw, qk_str("x"), qk_bytes(big, KMS_RAW_HEAD_MAX)));
    qk_assert_err(kms_raw_check(&raw), QK_E_TOO_LARGE);
    raw = kit_raw("T.x", "");
    raw.body_is_hash = true;
    qk_assert_err(kms_raw_check(&raw), QK_E_MALFORMED);

    static const struct {
        const char *name;
        struct qk_bytes value;
    } bad[] = {
        {"", {(const uint8_t *)"v", 1}},
        {"a b", {(const uint8_t *)"v", 1}},
        {"a:", {(const uint8_t *)"v", 1}},
        {"x", {(const uint8_t *)"a\nb", 3}},
        {"x", {(const uint8_t *)"a\rb", 3}},
        {"x", {(const uint8_t *)"a\0b", 3}},
    };
    for (size_t i = 0; i < QK_COUNT(bad); i++) {
        raw = kit_raw("T.x", "");
        qk_assert_ok(kms_raw_add_header(&raw, qk_str(bad[i].name), bad[i].value));
        qk_assert_err(kms_raw_check(&raw), QK_E_MALFORMED);
    }
    static const char *const paths[] = {"", "x", "/a b", "/a?b", "/\x7f"};
    for (size_t i = 0; i < QK_COUNT(paths); i++) {
        raw = kit_raw("T.x", "");
        raw.path = qk_str(paths[i]);
        qk_assert_err(kms_raw_check(&raw), QK_E_MALFORMED);
    }
}

QK_TEST(raw, the_header_table_is_bounded)
{
    struct kms_raw raw = kit_raw("T.x", "");
    while (raw.n_headers < KMS_RAW_HEADERS_MAX)
        qk_assert_ok(kms_raw_add_header(&raw, qk_str("x"), qk_str("y")));
    qk_assert_err(kms_raw_add_header(&raw, qk_str("x"), qk_str("y")), QK_E_TOO_LARGE);
}
