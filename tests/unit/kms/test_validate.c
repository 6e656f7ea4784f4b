#include "qktest/qktest.h"

#include <stdio.h>
#include <stdlib.h>
#include "kms/validate.h"
#include "kmskit.h"

static void expect(const char *target, const char *body, const char *type, const char *message)
{
    struct kms_request req;
    struct kms_fault fault = {0};
    qk_err err = kit_parse(target, body, &req, &fault);
    cr_assert_eq(err, QK_E_DENIED, "%s %s gave %s", target, body, qk_err_name(err));
    cr_expect_str_eq(fault.type, type, "%s", body);
    cr_expect_eq(fault.has_message, message != NULL);
    struct kms_fault relayed; /* every fault must survive the way from a node */
    qk_assert_ok(kms_fault_from_parts(
        qk_str(fault.type), qk_str(fault.message), fault.has_message, &relayed));
    if (message != NULL) cr_expect_str_eq(fault.message, message);
}

#define V1     "1 validation error detected: "
#define FAILED " failed to satisfy constraint: "
#define SPECS                                                                                      \
    "[ECC_NIST_EDWARDS25519, ECC_NIST_P256, ECC_NIST_P384, ECC_NIST_P521, ECC_SECG_P256K1, "       \
    "HMAC_224, HMAC_256, HMAC_384, HMAC_512, ML_DSA_44, ML_DSA_65, ML_DSA_87, ML_KEM_1024, "       \
    "ML_KEM_512, ML_KEM_768, RSA_2048, RSA_3072, RSA_4096, SM2, SYMMETRIC_DEFAULT]"

QK_TEST(validate, constraint_violations_have_the_texts_of_the_service)
{
    static const struct {
        const char *op, *body, *message;
    } bad[] = {
        {"DescribeKey", "{}", V1 "Value null at 'keyId'" FAILED "Member must not be null"},
        {"DescribeKey", "{\"KeyId\":null}",
            V1 "Value null at 'keyId'" FAILED "Member must not be null"},
        {"DescribeKey", "", V1 "Value null at 'keyId'" FAILED "Member must not be null"},
        {"DescribeKey", "{\"KeyId\":\"\"}",
            V1 "Value '' at 'keyId'" FAILED "Member must have length greater than or equal to 1"},
        {"CreateKey", "{\"KeySpec\":\"ECC\"}",
            V1 "Value 'ECC' at 'keySpec'" FAILED "Member must satisfy enum value set: " SPECS},
        {"ListKeys", "{\"Limit\":0}",
            V1 "Value '0' at 'limit'" FAILED "Member must have value greater than or equal to 1"},
        {"ListKeys", "{\"Limit\":1001}",
            V1 "Value '1001' at 'limit'" FAILED
               "Member must have value less than or equal to 1000"},
        {"ScheduleKeyDeletion", "{\"KeyId\":\"x\",\"PendingWindowInDays\":366}",
            V1 "Value '366' at 'pendingWindowInDays'" FAILED
               "Member must have value less than or equal to 365"},
        {"CreateAlias", "{\"AliasName\":\"alias/a b\",\"TargetKeyId\":\"x\"}",
            V1 "Value 'alias/a b' at 'aliasName'" FAILED
               "Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$"},
        {"CreateAlias", "{\"AliasName\":\"alias/a\\n\",\"TargetKeyId\":\"x\"}",
            V1 "Value 'alias/a\n' at 'aliasName'" FAILED
               "Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$"},
        {"Sign", "{\"KeyId\":\"x\",\"Message\":\"\",\"SigningAlgorithm\":\"ECDSA_SHA_256\"}",
            V1 "Value at 'message'" FAILED "Member must have length greater than or equal to 1"},
        {"TagResource", "{\"KeyId\":\"x\",\"Tags\":[{\"TagKey\":\"\",\"TagValue\":\"v\"}]}",
            V1 "Value '' at 'tags.1.member.tagKey'" FAILED
               "Member must have length greater than or equal to 1"},
        {"TagResource",
            "{\"KeyId\":\"x\",\"Tags\":[{\"TagKey\":\"a\",\"TagValue\":\"b\"},{\"TagKey\":\"c\"}]}",
            V1 "Value null at 'tags.2.member.tagValue'" FAILED "Member must not be null"},
        {"CreateKey", "{\"Policy\":\"\\u20ac\"}",
            V1 "Value '\xe2\x82\xac' at 'policy'" FAILED
               "Member must satisfy regular expression pattern: "
               "[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+"},
        {"ScheduleKeyDeletion", "{\"PendingWindowInDays\":0}",
            "2 validation errors detected: Value null at 'keyId'" FAILED "Member must not be null; "
            "Value '0' at 'pendingWindowInDays'" FAILED
            "Member must have value greater than or equal to 1"},
    };
    for (size_t i = 0; i < QK_COUNT(bad); i++) {
        char target[64];
        snprintf(target, sizeof target, "TrentService.%s", bad[i].op);
        expect(target, bad[i].body, "ValidationException", bad[i].message);
    }
}

QK_TEST(validate, administration_is_as_strict)
{
    expect("QkmsAdmin.CreateUser", "{\"UserName\":\"a b\"}", "ValidationException",
        V1 "Value 'a b' at 'userName'" FAILED
           "Member must satisfy regular expression pattern: ^[\\w+=,.@-]+$");
    expect("QkmsAdmin.CreateUser", "{\"UserName\":\"a\",\"Allow\":[\"qkms:*\"]}",
        "ValidationException",
        V1 "Value 'qkms:*' at 'allow.1.member'" FAILED
           "Member must satisfy regular expression pattern: ^(\\*|[kK][mM][sS]:[A-Za-z*?]+)$");
    expect("QkmsAdmin.CreateAccessKey", "{\"UserName\":\"a\",\"ResponseKey\":\"AQ==\"}",
        "ValidationException",
        V1 "Value at 'responseKey'" FAILED "Member must have length greater than or equal to 32");
    expect("QkmsAdmin.UpdateAccessKey",
        "{\"AccessKeyId\":\"AKIAALICEALICEALICEA\",\"Status\":\"active\"}", "ValidationException",
        V1 "Value 'active' at 'status'" FAILED
           "Member must satisfy enum value set: [Active, Inactive]");
}

QK_TEST(validate, wrong_json_types_are_serialization_faults)
{
    static const struct {
        const char *op, *body, *message;
    } bad[] = {
        {"ListKeys", "{\"Limit\":\"5\"}", "STRING_VALUE can not be converted to an Integer"},
        {"ListKeys", "{\"Limit\":1.5}", "DECIMAL_VALUE can not be converted to an Integer"},
        {"ListKeys", "{\"Limit\":99999999999}", "NUMBER_VALUE can not be converted to an Integer"},
        {"DescribeKey", "{\"KeyId\":5}", "NUMBER_VALUE can not be converted to a String"},
        {"DescribeKey", "{\"KeyId\":true}", "TRUE_VALUE can not be converted to a String"},
        {"DescribeKey", "{\"KeyId\":{}}", "Start of structure or map found where not expected."},
        {"DescribeKey", "{\"KeyId\":[]}", "Start of list found where not expected."},
        {"CreateKey", "{\"MultiRegion\":\"true\"}",
            "STRING_VALUE can not be converted to a Boolean"},
        {"Sign", "{\"KeyId\":\"x\",\"Message\":\"YQ\",\"SigningAlgorithm\":\"ECDSA_SHA_256\"}",
            "Value at 'message' is not valid base64."},
        {"Encrypt", "{\"KeyId\":\"x\",\"Plaintext\":\"YQ==\",\"EncryptionContext\":{\"a\":1}}",
            "NUMBER_VALUE can not be converted to a String"},
        {"DescribeKey", "{\"KeyId\":\"x\",\"GrantTokens\":[null]}",
            "NULL_VALUE can not be converted to a String"},
    };
    for (size_t i = 0; i < QK_COUNT(bad); i++) {
        char target[64];
        snprintf(target, sizeof target, "TrentService.%s", bad[i].op);
        expect(target, bad[i].body, "SerializationException", bad[i].message);
    }
}

#define NOT_JSON "The request body is not a JSON object this service reads."

QK_TEST(validate, hostile_json_is_refused)
{
    static const char *const bad[] = {"{", "[]", "\"x\"", "5", "nul", "{\"KeyId\":\"x\"} x",
        "{\"KeyId\":\"x\",\"KeyId\":\"y\"}", "{\"KeyId\":\"a\\u0000b\"}", "{\"KeyId\":\"\xff\"}",
        "{\"KeyId\":\"\xc0\xaf\"}", "{\"KeyId\":\"\xed\xa0\x80\"}", "{\"KeyId\":\"\\ud800\"}",
        "{\"a\":123456789012345678901234567890}", "{\"a\":1e999}", "{\"a\":01}", "{\"a\":NaN}",
        "\xef\xbb\xbf{}", "{'KeyId':'x'}", "{\"a\":1,}", "{\"a\":\"\x01\"}"};
    for (size_t i = 0; i < QK_COUNT(bad); i++)
        expect("TrentService.DescribeKey", bad[i], "SerializationException", NOT_JSON);
}

static char *nested(size_t depth, char open, char close)
{
    char *body = calloc(1, 16 + 2 * depth);
    size_t n = (size_t)sprintf(body, "{\"x\":");
    memset(body + n, open, depth);
    memset(body + n + depth, close, depth);
    body[n + 2 * depth] = '}';
    return body;
}

QK_TEST(validate, depth_is_bounded_before_the_parser_recurses)
{
    struct kms_fault fault;
    json_t *json;
    char *fits = nested(KMS_JSON_DEPTH_MAX - 1, '[', ']'),
         *deep = nested(KMS_JSON_DEPTH_MAX, '[', ']');
    char *huge = nested(400000, '[', ']');
    qk_assert_ok(kms_json_parse(qk_str(fits), &json, &fault));
    json_decref(json);
    qk_assert_err(kms_json_parse(qk_str(deep), &json, &fault), QK_E_DENIED);
    qk_assert_err(kms_json_parse(qk_str(huge), &json, &fault), QK_E_DENIED);
    qk_assert_ok(kms_json_parse(qk_str("{\"x\":\"[[[[[[[[[[[[[[[[[[[[[[\\\"[[\"}"), &json, &fault));
    json_decref(json);
    free(fits);
    free(deep);
    free(huge);
}

QK_TEST(validate, a_nul_byte_or_an_overlong_body_is_refused)
{
    struct kms_fault fault;
    json_t *json;
    static char big[KMS_RAW_BODY_MAX + 2];
    qk_assert_err(kms_json_parse(qk_bytes("{}\0", 3), &json, &fault), QK_E_DENIED);
    memset(big, ' ', sizeof big);
    big[0] = '{';
    big[KMS_RAW_BODY_MAX] = '}';
    qk_assert_err(kms_json_parse(qk_bytes(big, KMS_RAW_BODY_MAX + 1), &json, &fault), QK_E_DENIED);
    big[KMS_RAW_BODY_MAX - 1] = '}';
    qk_assert_ok(kms_json_parse(qk_bytes(big, KMS_RAW_BODY_MAX), &json, &fault));
    json_decref(json);
}

QK_TEST(validate, unknown_members_and_null_are_ignored)
{
    struct kms_fault fault;
    struct kms_request req;
    qk_assert_ok(kit_parse("TrentService.DescribeKey",
        " {\"KeyId\" : \"x\", \"Unknown\":{\"a\":[1]}, \"GrantTokens\":null} \n", &req, &fault));
    cr_assert(qk_bytes_is(req.key_id, "x"));
    kms_request_free(&req);
}

QK_TEST(validate, lengths_count_utf16_units)
{
    /* 8191 units and one pair: 8193 units, over 8192; with 8190 it fits. */
    static char body[9000];
    struct kms_fault fault;
    struct kms_request req;
    for (size_t n = 8190; n <= 8191; n++) {
        int at = sprintf(body, "{\"KeyId\":\"x\",\"Description\":\"");
        memset(body + at, 'a', n);
        strcpy(body + at + n, "\\ud83d\\ude00\"}");
        qk_err err = kit_parse("TrentService.UpdateKeyDescription", body, &req, &fault);
        cr_expect_eq(err, n == 8190 ? QK_OK : QK_E_DENIED, "%zu", n);
        if (err == QK_OK) kms_request_free(&req);
    }
}

QK_TEST(validate, many_violations_stay_bounded)
{
    static char body[200000];
    struct kms_fault fault;
    struct kms_request req;
    size_t at = (size_t)sprintf(body, "{\"KeyId\":\"x\",\"TagKeys\":[");
    for (int i = 0; i < 20000; i++) at += (size_t)sprintf(body + at, "%s\"\"", i ? "," : "");
    strcpy(body + at, "]}");
    qk_assert_err(kit_parse("TrentService.UntagResource", body, &req, &fault), QK_E_DENIED);
    cr_assert_leq(strlen(fault.message), KMS_FAULT_TEXT_MAX);
    cr_assert_str_eq(fault.type, "ValidationException");
}

QK_TEST(validate, every_operation_of_the_model_is_known_and_validated)
{
    size_t aws = 0;
    for (int op = 0; op < KMS_OP_COUNT; op++) {
        const struct kms_op_info *info = kms_op_info((enum kms_op)op);
        char target[96];
        struct kms_fault fault = {0};
        struct kms_request req;
        cr_assert_not_null(info->name, "%d", op);
        if (info->service != KMS_SERVICE_KMS) continue;
        aws += !info->admin;
        snprintf(
            target, sizeof target, "%s.%s", info->admin ? "QkmsAdmin" : "TrentService", info->name);
        qk_err err = kit_parse(target, "{}", &req, &fault);
        if (err == QK_OK)
            kms_request_free(&req);
        else
            cr_expect_str_eq(fault.type, "ValidationException", "%s", target);
    }
    cr_assert_eq(aws, 56);
}

QK_TEST(validate, unknown_targets_have_no_message)
{
    expect("TrentService.Nothing", "{}", "UnknownOperationException", NULL);
    expect("TrentService.CreateUser", "{}", "UnknownOperationException", NULL);
    expect("QkmsAdmin.CreateKey", "{}", "UnknownOperationException", NULL);
    expect("TrentService.", "{}", "UnknownOperationException", NULL);
    expect("CreateKey", "{}", "UnknownOperationException", NULL);
    expect(NULL, "{}", "UnknownOperationException", NULL);
}
