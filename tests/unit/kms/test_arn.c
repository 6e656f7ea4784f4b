#include "qktest/qktest.h"

#include "kms/arn.h"
#include "kmskit.h"

#define UUID "1234abcd-12ab-34cd-56ef-1234567890ab"

static qk_err resolve(
    const char *text, enum kms_key_forms forms, bool *foreign, struct kms_fault *f)
{
    uint8_t id[16];
    return kms_key_resolve(qk_str(text), forms, KIT_ACCOUNT, KIT_REGION, id, foreign, f);
}

QK_TEST(arn, a_uuid_and_its_arn_name_the_same_key)
{
    struct kms_fault f;
    uint8_t a[16], b[16];
    bool foreign;
    char arn[KMS_ARN_MAX], text[KMS_UUID_LEN + 1];
    qk_assert_ok(kms_key_resolve(
        qk_str(UUID), KMS_FORMS_ID_OR_ARN, KIT_ACCOUNT, KIT_REGION, a, &foreign, &f));
    kms_key_arn(KIT_REGION, KIT_ACCOUNT, a, arn);
    cr_assert_str_eq(arn, "arn:aws:kms:us-east-1:123456789012:key/" UUID);
    qk_assert_ok(kms_key_resolve(
        qk_str(arn), KMS_FORMS_ID_OR_ARN, KIT_ACCOUNT, KIT_REGION, b, &foreign, &f));
    cr_assert_arr_eq(a, b, 16);
    kms_uuid_text(a, text);
    cr_assert_str_eq(text, UUID);
}

QK_TEST(arn, every_other_form_is_not_found_with_its_text)
{
    static const struct {
        const char *text;
        enum kms_key_forms forms;
        const char *message;
    } bad[] = {
        {"nonsense", KMS_FORMS_ANY, "Invalid keyId 'nonsense'"},
        {"1234ABCD-12AB-34CD-56EF-1234567890AB", KMS_FORMS_ANY,
            "Invalid keyId '1234ABCD-12AB-34CD-56EF-1234567890AB'"},
        {"1234abcd12ab34cd56ef1234567890abffff", KMS_FORMS_ANY,
            "Invalid keyId '1234abcd12ab34cd56ef1234567890abffff'"},
        {"mrk-1234abcd12ab34cd56ef1234567890ab", KMS_FORMS_ANY,
            "Key 'arn:aws:kms:us-east-1:123456789012:key/mrk-1234abcd12ab34cd56ef1234567890ab' "
            "does "
            "not exist"},
        {"alias/a", KMS_FORMS_ANY,
            "Alias arn:aws:kms:us-east-1:123456789012:alias/a is not found."},
        {"alias/a", KMS_FORMS_ID_OR_ARN, "Invalid keyId 'alias/a'"},
        {"arn:aws:kms:us-east-1:123456789012:alias/a", KMS_FORMS_ANY,
            "Alias arn:aws:kms:us-east-1:123456789012:alias/a is not found."},
        {"arn:aws:kms:us-east-1:123456789012:alias/a", KMS_FORMS_ID_OR_ARN,
            "Invalid keyId 'arn:aws:kms:us-east-1:123456789012:alias/a'"},
        {"arn:aws:kms:eu-west-1:123456789012:key/" UUID, KMS_FORMS_ANY, "Invalid arn eu-west-1"},
        {"arn:aws:iam:us-east-1:123456789012:key/" UUID, KMS_FORMS_ANY,
            "Invalid keyId 'arn:aws:iam:us-east-1:123456789012:key/" UUID "'"},
        {"arn:aws:kms", KMS_FORMS_ANY, "Invalid keyId 'arn:aws:kms'"},
        {"arn:aws:kms:us-east-1:123456789012:key/", KMS_FORMS_ANY,
            "Invalid keyId 'arn:aws:kms:us-east-1:123456789012:key/'"},
        {"arn:aws:kms:us-east-1:12345678901:key/" UUID, KMS_FORMS_ANY,
            "Invalid keyId 'arn:aws:kms:us-east-1:12345678901:key/" UUID "'"},
    };
    for (size_t i = 0; i < QK_COUNT(bad); i++) {
        struct kms_fault f = {0};
        bool foreign;
        qk_assert_err(resolve(bad[i].text, bad[i].forms, &foreign, &f), QK_E_DENIED);
        cr_expect_str_eq(f.type, "NotFoundException", "%s", bad[i].text);
        cr_expect_str_eq(f.message, bad[i].message);
    }
}

QK_TEST(arn, another_account_is_foreign)
{
    struct kms_fault f;
    bool foreign = false;
    qk_assert_ok(
        resolve("arn:aws:kms:us-east-1:999999999999:key/" UUID, KMS_FORMS_ANY, &foreign, &f));
    cr_assert(foreign);
}

QK_TEST(arn, names_have_bounds)
{
    cr_assert(kms_account_valid(qk_str("000000000000")));
    cr_assert_not(kms_account_valid(qk_str("00000000000")));
    cr_assert_not(kms_account_valid(qk_str("00000000000a")));
    static const char *const good[] = {"us-east-1", "us-gov-west-1", "eu-north-12"};
    static const char *const bad[] = {"", "us", "us-1", "us-east", "us-east-", "-east-1",
        "us--east-1", "US-east-1", "us-east-1a", "us-east-1-", "a-b-c-d-1"};
    for (size_t i = 0; i < QK_COUNT(good); i++)
        cr_expect(kms_region_valid(qk_str(good[i])), "%s", good[i]);
    for (size_t i = 0; i < QK_COUNT(bad); i++)
        cr_expect_not(kms_region_valid(qk_str(bad[i])), "%s", bad[i]);
    cr_assert(kms_user_name_valid(qk_str("a+b=c,d.e@f-g_H")));
    cr_assert_not(kms_user_name_valid(qk_str("a/b")));
    cr_assert_not(kms_user_name_valid(qk_str("")));
    cr_assert_not(kms_user_name_valid(qk_bytes("a\0b", 3)));
    cr_assert_not(
        kms_user_name_valid(qk_str("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")));
}

QK_TEST(arn, uuids_of_version_4_only)
{
    uint8_t id[16];
    qk_assert_ok(kms_uuid_parse(qk_str("00000000-0000-4000-8000-000000000000"), id));
    cr_assert(kms_uuid_is_v4(id));
    qk_assert_ok(kms_uuid_parse(qk_str("00000000-0000-1000-8000-000000000000"), id));
    cr_assert_not(kms_uuid_is_v4(id));
    qk_assert_ok(kms_uuid_parse(qk_str("00000000-0000-4000-c000-000000000000"), id));
    cr_assert_not(kms_uuid_is_v4(id));
    kms_uuid_make_v4(id);
    cr_assert(kms_uuid_is_v4(id));
}
