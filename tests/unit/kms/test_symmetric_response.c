/* Answers about symmetric keys: exactly these members. */
#include "qktest/qktest.h"

#include <jansson.h>
#include <stdio.h>
#include "kms/response.h"
#include "kmskit.h"

static void json_is(struct qk_buf *got, const char *want)
{
    json_error_t e;
    qk_assert_ok(got->err);
    json_t *a = json_loadb((const char *)got->p, got->len, JSON_REJECT_DUPLICATES, &e);
    cr_assert_not_null(a, "%s in %.*s", e.text, (int)got->len, (const char *)got->p);
    json_t *b = json_loads(want, 0, &e);
    cr_assert_not_null(b, "%s in %s", e.text, want);
    cr_assert(json_equal(a, b), "%.*s is not %s", (int)got->len, (const char *)got->p, want);
    json_decref(a);
    json_decref(b);
    qk_buf_clear(got);
}

#define ARN     "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-4000-8000-000000000000"
#define ID1     "1111111111111111111111111111111111111111111111111111111111111111"
#define ID2     "2222222222222222222222222222222222222222222222222222222222222222"
#define KEYID   "\"KeyId\":\"" ARN "\""
#define DEFAULT "\"SYMMETRIC_DEFAULT\""

static struct kms_key fixed_key(void)
{
    struct kms_key k = {.account = qk_str(KIT_ACCOUNT),
        .region = qk_str(KIT_REGION),
        .spec = kms_keyspec_by_id(KMS_SPEC_SYMMETRIC_DEFAULT),
        .state = KMS_STATE_ENABLED,
        .origin = KMS_ORIGIN_AWS_KMS,
        .created_ms = KIT_NOW,
        .sym = {.modes = KMS_MODES_FV, .n_versions = 1, .current = 1}};
    k.key_id[6] = 0x40;
    k.key_id[8] = 0x80;
    memset(k.sym.material_id, 0x11, 32);
    return k;
}

static struct kms_version fixed_version(uint32_t ver, uint8_t id)
{
    struct kms_version v = {.ver = ver, .imported = true};
    memset(v.material_id, id, 32);
    return v;
}

#define METADATA(enabled, state, origin, more)                                                     \
    "{\"KeyMetadata\":{\"AWSAccountId\":\"123456789012\",\"KeyId\":\"00000000-0000-4000-8000-"     \
    "000000000000\",\"Arn\":\"" ARN "\",\"CreationDate\":1790000000.0,\"Enabled\":" enabled        \
    ",\"Description\":\"\",\"KeyUsage\":\"ENCRYPT_DECRYPT\",\"KeyState\":\"" state                 \
    "\",\"Origin\":\"" origin "\",\"KeyManager\":\"CUSTOMER\",\"KeySpec\":" DEFAULT                \
    ",\"CustomerMasterKeySpec\":" DEFAULT ",\"EncryptionAlgorithms\":[" DEFAULT "]," more          \
    "\"MultiRegion\":false}}"

QK_TEST(symmetric_response, metadata_of_generated_keys)
{
    struct kms_key k = fixed_key();
    QK_AUTO_BUF b = QK_BUF(65536);
    kms_answer_key(&k, &b);
    json_is(&b, METADATA("true", "Enabled", "AWS_KMS", "\"CurrentKeyMaterialId\":\"" ID1 "\","));
}

QK_TEST(symmetric_response, metadata_of_imported_keys)
{
    struct kms_key k = fixed_key();
    uint8_t packed[2 * KMS_MATERIAL_LEN];
    struct kms_material m = {.here = true};
    QK_AUTO_BUF b = QK_BUF(65536);
    k.origin = KMS_ORIGIN_EXTERNAL;
    k.state = KMS_STATE_PENDING_IMPORT;
    k.sym = (struct kms_symmetric){.modes = KMS_MODES_FV};
    kms_answer_key(&k, &b);
    json_is(&b, METADATA("false", "PendingImport", "EXTERNAL", ""));

    memset(m.material_id, 0x11, 32);
    kms_material_put(&m, packed);
    memset(m.material_id, 0x22, 32);
    m.valid_to_ms = KIT_NOW + 5000; /* pending: says nothing about the key yet */
    kms_material_put(&m, packed + KMS_MATERIAL_LEN);
    k.state = KMS_STATE_ENABLED;
    k.sym = fixed_key().sym;
    k.sym.n_versions = k.sym.pending = 2;
    k.sym.materials = QK_BYTES(packed);
    kms_material_derive(&k.sym);
    kms_answer_key(&k, &b);
    json_is(&b, METADATA("true", "Enabled", "EXTERNAL",
                    "\"ExpirationModel\":\"KEY_MATERIAL_DOES_NOT_EXPIRE\","
                    "\"CurrentKeyMaterialId\":\"" ID1 "\","));
    k.sym.current = 2;
    k.sym.pending = 0;
    memset(k.sym.material_id, 0x22, 32);
    kms_answer_key(&k, &b);
    json_is(&b, METADATA("true", "Enabled", "EXTERNAL",
                    "\"ExpirationModel\":\"KEY_MATERIAL_EXPIRES\",\"ValidTo\":1790000005.0,"
                    "\"CurrentKeyMaterialId\":\"" ID2 "\","));
    memset(packed + KMS_MATERIAL_LEN + 32, 0, 9);
    k.state = KMS_STATE_PENDING_IMPORT;
    kms_material_derive(&k.sym);
    kms_answer_key(&k, &b);
    json_is(&b, METADATA("false", "PendingImport", "EXTERNAL", ""));
}

QK_TEST(symmetric_response, cryptography)
{
    struct kms_key k = fixed_key();
    struct kms_version one = fixed_version(1, 0x11), two = fixed_version(2, 0x22);
    struct qk_bytes none = {NULL, 0}, abc = qk_str("abc"), def = qk_str("def"), ghi = qk_str("ghi");
    QK_AUTO_BUF b = QK_BUF_SECRET(65536);
    kms_answer_encrypt(&k, abc, &b);
    json_is(&b, "{\"CiphertextBlob\":\"YWJj\"," KEYID ",\"EncryptionAlgorithm\":" DEFAULT "}");
    kms_answer_decrypt(&k, &one, abc, &b);
    json_is(&b, "{\"Plaintext\":\"YWJj\"," KEYID ",\"EncryptionAlgorithm\":" DEFAULT
                ",\"KeyMaterialId\":\"" ID1 "\"}");
    kms_answer_re_encrypt(&k, &one, &k, &two, abc, &b);
    json_is(&b,
        "{\"CiphertextBlob\":\"YWJj\"," KEYID ",\"SourceKeyId\":\"" ARN
        "\",\"SourceEncryptionAlgorithm\":" DEFAULT ",\"DestinationEncryptionAlgorithm\":" DEFAULT
        ",\"SourceKeyMaterialId\":\"" ID1 "\",\"DestinationKeyMaterialId\":\"" ID2 "\"}");
    kms_answer_data_key(&k, &two, def, abc, &b);
    json_is(&b, "{\"CiphertextBlob\":\"YWJj\",\"Plaintext\":\"ZGVm\"," KEYID
                ",\"KeyMaterialId\":\"" ID2 "\"}");
    kms_answer_data_key(&k, &two, none, abc, &b);
    json_is(&b, "{\"CiphertextBlob\":\"YWJj\"," KEYID ",\"KeyMaterialId\":\"" ID2 "\"}");
    kms_answer_data_key_pair(&k, &two, qk_str("RSA_2048"), def, ghi, abc, &b);
    json_is(&b, "{\"PrivateKeyCiphertextBlob\":\"YWJj\",\"PrivateKeyPlaintext\":\"ZGVm\","
                "\"PublicKey\":\"Z2hp\",\"KeyPairSpec\":\"RSA_2048\"," KEYID
                ",\"KeyMaterialId\":\"" ID2 "\"}");
    kms_answer_data_key_pair(&k, &two, qk_str("RSA_2048"), none, ghi, abc, &b);
    json_is(&b, "{\"PrivateKeyCiphertextBlob\":\"YWJj\",\"PublicKey\":\"Z2hp\",\"KeyPairSpec\":"
                "\"RSA_2048\"," KEYID ",\"KeyMaterialId\":\"" ID2 "\"}");
    kms_answer_random(abc, &b);
    json_is(&b, "{\"Plaintext\":\"YWJj\"}");
}

QK_TEST(symmetric_response, rotation_status)
{
    struct kms_key k = fixed_key();
    QK_AUTO_BUF b = QK_BUF(65536);
    kms_answer_rotation_status(&k, &b);
    json_is(&b, "{" KEYID ",\"KeyRotationEnabled\":false}");
    k.sym.rotating = true;
    k.sym.period_days = 90;
    k.sym.next_rotation_ms = KIT_NOW + 250;
    kms_answer_rotation_status(&k, &b);
    json_is(&b, "{" KEYID ",\"KeyRotationEnabled\":true,\"RotationPeriodInDays\":90,"
                "\"NextRotationDate\":1790000000.25}");
    k.state = KMS_STATE_PENDING_DELETION;
    kms_answer_rotation_status(&k, &b);
    json_is(&b, "{" KEYID ",\"KeyRotationEnabled\":false}");
    kms_answer_rotate(&k, &b);
    json_is(&b, "{" KEYID "}");
    cr_expect(kms_answer_is_empty(KMS_OP_ENABLE_KEY_ROTATION));
    cr_expect(kms_answer_is_empty(KMS_OP_DISABLE_KEY_ROTATION));
    cr_expect_not(kms_answer_is_empty(KMS_OP_ROTATE_KEY_ON_DEMAND));
}

QK_TEST(symmetric_response, rotations_hide_what_was_never_rotated_to)
{
    struct kms_key k = fixed_key();
    struct kms_version one = fixed_version(1, 0x11), two = fixed_version(2, 0x22);
    const struct kms_version *page[] = {&one, &two};
    QK_AUTO_BUF b = QK_BUF(65536);
    k.sym.n_versions = k.sym.current = 2;
    two.rotated_ms = KIT_NOW;
    two.rotation = KMS_ROTATION_AUTOMATIC;
#define ENTRY2                                                                                     \
    "{" KEYID ",\"KeyMaterialId\":\"" ID2                                                          \
    "\",\"KeyMaterialState\":\"CURRENT\",\"RotationDate\":1790000000.0,\"RotationType\":"          \
    "\"AUTOMATIC\"}"
    kms_answer_rotations(&k, page, 2, false, false, &b);
    json_is(&b, "{\"Rotations\":[" ENTRY2 "],\"Truncated\":false}");
    kms_answer_rotations(&k, page, 2, false, true, &b);
    json_is(&b, "{\"Rotations\":[{" KEYID ",\"KeyMaterialId\":\"" ID1
                "\",\"KeyMaterialState\":\"NON_CURRENT\"}," ENTRY2 "],\"Truncated\":false}");
    kms_answer_rotations(&k, page, 1, true, false, &b);
    json_is(&b, "{\"Rotations\":[],\"Truncated\":true,\"NextMarker\":\"bTE6MQ==\"}");
    kms_answer_rotations(&k, page, 0, false, true, &b);
    json_is(&b, "{\"Rotations\":[],\"Truncated\":false}");
}

QK_TEST(symmetric_response, rotations_of_imported_keys_say_what_is_here)
{
    struct kms_key k = fixed_key();
    struct kms_version one = fixed_version(1, 0x11), two = fixed_version(2, 0x22);
    const struct kms_version *page[] = {&one, &two};
    QK_AUTO_BUF b = QK_BUF(65536);
    k.origin = KMS_ORIGIN_EXTERNAL;
    k.sym.n_versions = k.sym.pending = 2;
    one.valid_to_ms = KIT_NOW;
    one.material_description = qk_str("d");
    two.imported = false;
    kms_answer_rotations(&k, page, 2, false, true, &b);
    json_is(&b, "{\"Rotations\":[{" KEYID ",\"KeyMaterialId\":\"" ID1
                "\",\"KeyMaterialState\":\"CURRENT\",\"ImportState\":\"IMPORTED\","
                "\"ExpirationModel\":\"KEY_MATERIAL_EXPIRES\",\"ValidTo\":1790000000.0,"
                "\"KeyMaterialDescription\":\"d\"},{" KEYID ",\"KeyMaterialId\":\"" ID2
                "\",\"KeyMaterialState\":\"PENDING_ROTATION\",\"ImportState\":"
                "\"PENDING_IMPORT\"}],\"Truncated\":false}");
}

QK_TEST(symmetric_response, import)
{
    struct kms_key k = fixed_key();
    struct kms_version one = fixed_version(1, 0x11);
    QK_AUTO_BUF b = QK_BUF(65536);
    kms_answer_import_parameters(&k, qk_str("abc"), qk_str("def"), KIT_NOW, &b);
    json_is(&b, "{" KEYID ",\"ImportToken\":\"YWJj\",\"PublicKey\":\"ZGVm\",\"ParametersValidTo\":"
                "1790000000.0}");
    kms_answer_import(&k, &one, &b);
    json_is(&b, "{" KEYID ",\"KeyMaterialId\":\"" ID1 "\"}");
    kms_answer_import(&k, NULL, &b);
    json_is(&b, "{" KEYID "}");
}
