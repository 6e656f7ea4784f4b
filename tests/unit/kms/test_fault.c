#include "qktest/qktest.h"

#include "kms/fault.h"

static void json_is(const struct kms_fault *f, const char *want)
{
    QK_AUTO_BUF b = QK_BUF(16384);
    kms_fault_json(f, &b);
    cr_assert_str_eq(qk_buf_cstr(&b), want);
}

QK_TEST(fault, json_bodies)
{
    struct kms_fault f;
    qk_assert_err(
        kms_fault_set(&f, "NotFoundException", "Key '%s' does not exist", "a\"b"), QK_E_DENIED);
    json_is(&f, "{\"__type\":\"NotFoundException\",\"message\":\"Key 'a\\\"b' does not exist\"}");
    qk_assert_err(kms_fault_bad_signature(&f), QK_E_DENIED);
    json_is(&f, "{\"__type\":\"KMSInvalidSignatureException\"}");
    qk_assert_err(kms_fault_throttled(&f), QK_E_DENIED);
    json_is(&f, "{\"__type\":\"ThrottlingException\",\"message\":\"You have exceeded the rate at "
                "which you may "
                "call KMS. Reduce the frequency of your calls.\"}");
    qk_assert_err(kms_fault_unknown_client(&f), QK_E_DENIED);
    json_is(&f, "{\"__type\":\"UnrecognizedClientException\",\"message\":\"The security token "
                "included in the "
                "request is invalid.\"}");
}

QK_TEST(fault, status_is_400_for_callers_and_5xx_for_us)
{
    struct kms_fault f;
    qk_assert_err(kms_fault_throttled(&f), QK_E_DENIED);
    cr_assert_eq(f.http_status, 400);
    qk_assert_err(kms_fault_internal(&f, QK_E_NOMEM), QK_E_NOMEM);
    cr_assert_eq(f.http_status, 500);
    cr_assert_str_eq(f.type, "KMSInternalException");
    qk_assert_err(kms_fault_unavailable(&f), QK_E_DENIED);
    cr_assert_eq(f.http_status, 500);
    qk_assert_err(kms_fault_timeout(&f), QK_E_DENIED);
    cr_assert_eq(f.http_status, 503);
}

QK_TEST(fault, sts_answers_xml_with_its_own_names)
{
    struct kms_fault f;
    QK_AUTO_BUF b = QK_BUF(4096);
    qk_assert_err(kms_fault_set(&f, "AccessDeniedException", "a<b> & c"), QK_E_DENIED);
    cr_assert_eq(kms_fault_sts_xml(&f, "id-1", &b), 403);
    cr_assert_str_eq(qk_buf_cstr(&b),
        "<ErrorResponse "
        "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>"
        "<Code>AccessDenied</Code><Message>a&lt;b&gt; &amp; c</Message></Error><RequestId>id-1"
        "</RequestId></ErrorResponse>");
    static const struct {
        const char *ours, *theirs;
        int status;
    } map[] = {
        {"UnrecognizedClientException", "<Code>InvalidClientTokenId<", 403},
        {"InvalidSignatureException", "<Code>SignatureDoesNotMatch<", 403},
        {"MissingAuthenticationTokenException", "<Code>MissingAuthenticationToken<", 403},
        {"ExpiredTokenException", "<Code>ExpiredToken<", 403},
        {"IncompleteSignatureException", "<Code>IncompleteSignature<", 400},
        {"ValidationException", "<Code>ValidationError<", 400},
        {"UnknownOperationException", "<Code>InvalidAction<", 400},
        {"KMSInternalException", "<Type>Receiver</Type><Code>InternalFailure<", 500},
    };
    for (size_t i = 0; i < QK_COUNT(map); i++) {
        qk_buf_clear(&b);
        f.http_status = map[i].status == 500 ? 500 : 400;
        f.type = map[i].ours;
        cr_expect_eq(kms_fault_sts_xml(&f, "x", &b), map[i].status, "%s", map[i].ours);
        cr_expect_not_null(strstr(qk_buf_cstr(&b), map[i].theirs), "%s", map[i].ours);
    }
}

QK_TEST(fault, a_fault_from_the_wire_must_be_one_of_ours)
{
    struct kms_fault f;
    qk_assert_ok(kms_fault_from_parts(qk_str("DependencyTimeoutException"), qk_str("t"), true, &f));
    cr_assert_eq(f.http_status, 503);
    cr_assert_str_eq(f.message, "t");
    qk_assert_err(kms_fault_from_parts(qk_str("Evil"), qk_str("t"), true, &f), QK_E_MALFORMED);
    qk_assert_err(kms_fault_from_parts(qk_str("NotFoundException"), qk_str("\xff"), true, &f),
        QK_E_MALFORMED);
    qk_assert_err(kms_fault_from_parts(qk_str("NotFoundException"), qk_bytes("a\0b", 3), true, &f),
        QK_E_MALFORMED);
    qk_assert_err(
        kms_fault_from_parts(qk_str("NotFoundException"), qk_str("t"), false, &f), QK_E_MALFORMED);
}

QK_TEST(fault, a_long_echo_is_cut_at_a_character)
{
    static char text[2 * KMS_FAULT_TEXT_MAX];
    struct kms_fault f;
    for (size_t i = 0; i + 3 < sizeof text; i += 3) memcpy(text + i, "\xe2\x82\xac", 3);
    qk_assert_err(kms_fault_set(&f, "NotFoundException", "x%s", text), QK_E_DENIED);
    size_t len = strlen(f.message);
    cr_assert_leq(len, KMS_FAULT_TEXT_MAX);
    cr_assert_gt(len, KMS_FAULT_TEXT_MAX - 4);
    cr_assert_eq((len - 1) % 3, 0);
}

QK_TEST(fault, bytes_that_are_not_utf8_are_not_echoed)
{
    struct kms_fault f, again;
    qk_assert_err(kms_fault_set(&f, "NotFoundException",
                      "a\xff"
                      "b\xc3\xa9 and more"),
        QK_E_DENIED);
    cr_assert_str_eq(f.message, "a?b?? and more");
    qk_assert_ok(kms_fault_from_parts(qk_str(f.type), qk_str(f.message), true, &again));
    qk_assert_err(kms_fault_set(&f, "NotFoundException", "b\xc3\xa9"), QK_E_DENIED);
    cr_assert_str_eq(f.message, "b\xc3\xa9");
}

QK_TEST(fault, texts_that_repeat_the_authorization_header_are_not_for_logs)
{
    static const struct {
        const char *type, *message;
        bool kept;
    } rows[] = {
        {"IncompleteSignatureException", "'x' not a valid key=value pair", false},
        {"InvalidSignatureException", "Credential should be scoped to a valid region.", false},
        {"InvalidSignatureException", "Signature expired: ...", true},
        {"ValidationException", "1 validation error", true},
        {"IncompleteSignatureException", "", true},
    };
    for (size_t i = 0; i < QK_COUNT(rows); i++) {
        struct qk_bytes text = kms_fault_log_text(qk_str(rows[i].type), qk_str(rows[i].message));
        cr_expect_eq(qk_bytes_is(text, rows[i].message), rows[i].kept, "%s", rows[i].message);
    }
}
