#include "qktest/qktest.h"

#include <stdio.h>
#include "kms/request.h"
#include "kms/response.h"
#include "kmskit.h"

QK_TEST(request, create_key_fills_in_the_defaults)
{
    struct kms_request r;
    struct kms_fault f;
    qk_assert_ok(kit_parse("TrentService.CreateKey", "", &r, &f));
    cr_assert(qk_bytes_is(r.spec_name, "SYMMETRIC_DEFAULT"));
    cr_assert(qk_bytes_is(r.origin, "AWS_KMS"));
    cr_assert_eq(r.usage.len, 0);
    cr_assert_not(r.both_specs);
    kms_request_free(&r);
    qk_assert_ok(kit_parse("TrentService.CreateKey",
        "{\"CustomerMasterKeySpec\":\"ECC_NIST_P384\",\"KeyUsage\":\"SIGN_VERIFY\",\"Description\":"
        "\"d\"}",
        &r, &f));
    cr_assert(qk_bytes_is(r.spec_name, "ECC_NIST_P384"));
    cr_assert(qk_bytes_is(r.usage, "SIGN_VERIFY"));
    cr_assert(qk_bytes_is(r.description, "d"));
    kms_request_free(&r);
}

QK_TEST(request, sign_and_verify_carry_decoded_bytes)
{
    struct kms_request r;
    struct kms_fault f;
    qk_assert_ok(kit_parse("TrentService.Verify",
        "{\"KeyId\":\"k\",\"Message\":\"aGVsbG8=\",\"Signature\":\"MAA=\",\"SigningAlgorithm\":"
        "\"ECDSA_SHA_256\",\"MessageType\":\"DIGEST\",\"DryRun\":true}",
        &r, &f));
    cr_assert_eq(r.op, KMS_OP_VERIFY);
    cr_assert(qk_bytes_is(r.message, "hello"));
    cr_assert_eq(r.signature.len, 2);
    cr_assert_eq(r.message_type, KMS_MESSAGE_DIGEST);
    cr_assert(r.dry_run);
    kms_request_free(&r);
}

QK_TEST(request, lists_take_limits_and_only_our_markers)
{
    struct kms_request r;
    struct kms_fault f;
    char body[256];
    QK_AUTO_BUF marker = QK_BUF(256);
    kms_marker_encode(qk_str("0a0b"), &marker);
    snprintf(body, sizeof body, "{\"Limit\":7,\"Marker\":\"%s\"}", qk_buf_cstr(&marker));
    qk_assert_ok(kit_parse("TrentService.ListKeys", body, &r, &f));
    cr_assert_eq(r.limit, 7);
    cr_assert(qk_bytes_is(r.after, "0a0b"));
    kms_request_free(&r);
    qk_assert_ok(kit_parse("TrentService.ListKeys", "{}", &r, &f));
    cr_assert_eq(r.limit, 100);
    cr_assert_eq(r.after.len, 0);
    kms_request_free(&r);
    static const char *const bad[] = {"{\"Marker\":\"x\"}", "{\"Marker\":\"bTE6\"}",
        "{\"Marker\":\"eDE6YQ==\"}", "{\"Marker\":\"bTE6AA==\"}"};
    for (size_t i = 0; i < QK_COUNT(bad); i++) {
        qk_assert_err(kit_parse("TrentService.ListKeys", bad[i], &r, &f), QK_E_DENIED);
        cr_assert_str_eq(f.type, "InvalidMarkerException");
    }
}

QK_TEST(request, users_are_allowed_everything_only_as_administrators)
{
    struct kms_request r;
    struct kms_fault f;
    qk_assert_ok(kit_parse("QkmsAdmin.CreateUser", "{\"UserName\":\"a\",\"Admin\":true}", &r, &f));
    cr_assert_eq(r.n_allow, 1);
    cr_assert(qk_bytes_is(r.allow[0], "kms:*"));
    kms_request_free(&r);
    qk_assert_ok(kit_parse("QkmsAdmin.CreateUser", "{\"UserName\":\"a\"}", &r, &f));
    cr_assert_eq(r.n_allow, 0);
    kms_request_free(&r);
    qk_assert_ok(kit_parse(
        "QkmsAdmin.CreateUser", "{\"UserName\":\"a\",\"Admin\":true,\"Allow\":[]}", &r, &f));
    cr_assert_eq(r.n_allow, 0);
    kms_request_free(&r);
}

static struct kms_raw form(const char *body)
{
    struct kms_raw raw = kit_raw(NULL, body);
    raw.headers[1].value = qk_str("application/x-www-form-urlencoded; charset=utf-8");
    return raw;
}

QK_TEST(request, sts_speaks_forms)
{
    struct kms_request r;
    struct kms_fault f;
    struct kms_raw raw = form("Action=GetCallerIdentity&Version=2011-06-15");
    cr_assert_eq(kms_service_of(&raw), KMS_SERVICE_STS);
    qk_assert_ok(kms_request_parse(&raw, &r, &f));
    cr_assert_eq(r.op, KMS_OP_GET_CALLER_IDENTITY);
    kms_request_free(&r);
    static const char *const bad[] = {"", "Action=GetCallerIdentity",
        "Action=AssumeRole&Version=2011-06-15", "Action=GetCallerIdentity&Version=2010-01-01",
        "Action=GetCallerIdentity&Action=GetCallerIdentity&Version=2011-06-15",
        "Action=GetCaller%49dentity&Version=2011-06-15", "Action=CreateKey&Version=2011-06-15"};
    for (size_t i = 0; i < QK_COUNT(bad); i++) {
        raw = form(bad[i]);
        qk_assert_err(kms_request_parse(&raw, &r, &f), QK_E_DENIED);
        cr_expect_str_eq(f.type, "UnknownOperationException", "%s", bad[i]);
    }
}

QK_TEST(request, a_body_that_is_only_a_hash_cannot_be_parsed)
{
    struct kms_request r;
    struct kms_fault f;
    uint8_t hash[32] = {0};
    struct kms_raw raw = kit_raw("TrentService.Encrypt", "");
    raw.body = QK_BYTES(hash);
    raw.body_is_hash = true;
    qk_assert_err(kms_request_parse(&raw, &r, &f), QK_E_STATE);
    cr_assert_str_eq(f.type, "KMSInternalException");
    cr_assert_eq(f.http_status, 500);
}
