/* Encrypt, Decrypt, ReEncrypt, data keys, random bytes: what is decided, and in which order it is
 * refused. */
#include "qktest/qktest.h"

#include <stdarg.h>
#include <stdio.h>
#include "kmskit.h"

#define ALICE   KIT_ALICE
#define BOB     KIT_BOB
#define CAROL   "AKIACAROLCAROLCAROLC"
#define ENCRYPT "{\"KeyId\":\"%s\",\"Plaintext\":\"aGk=\"}"
#define CORRECT "The key ID in the request does not identify a CMK that can perform this operation."

QK_PRINTF(1, 2)
static const char *text(const char *fmt, ...)
{
    static char body[16384];
    va_list args;
    va_start(args, fmt);
    vsnprintf(body, sizeof body, fmt, args);
    va_end(args);
    return body;
}

static const char *decrypt(struct kit_world *w, uint32_t ver)
{
    return text("{\"CiphertextBlob\":\"%s\"}", kit_blob(w->key_id, ver, 201));
}

/* A user with one permission; alice keeps hers. */
static void carol(struct kit_world *w, const char *action)
{
    char body[256];
    snprintf(body, sizeof body, "{\"UserName\":\"carol\",\"Allow\":[\"%s\"]}", action);
    qk_assert_ok(kit_do(w, ALICE, "QkmsAdmin.CreateUser", body));
    qk_assert_ok(kit_access_key(w, "carol", CAROL));
}

static void world(struct kit_world *w)
{
    kit_world_init(w);
    kit_symmetric(w, "{}");
}

QK_TEST(symmetric_decide, create_key_makes_generated_and_external_keys)
{
    struct kit_world w;
    struct kms_decision d;
    kit_world_init(&w);
    kit_expect_decision(&w, ALICE, "TrentService.CreateKey", "{}", KMS_DO_CREATE_KEY, &d);
    cr_expect_eq(d.modes, KMS_MODES_FV);
    cr_expect_eq(d.ver, 1);
    cr_expect_eq(d.spec->curve, 0);
    kit_expect_decision(&w, ALICE, "TrentService.CreateKey",
        "{\"KeyUsage\":\"ENCRYPT_DECRYPT\",\"Tags\":[{\"TagKey\":\"qkms:modes\",\"TagValue\":\"V\"}"
        "]}",
        KMS_DO_CREATE_KEY, &d);
    cr_expect_eq(d.modes, KMS_MODES_V);
    kit_expect_decision(
        &w, ALICE, "TrentService.CreateKey", "{\"Origin\":\"EXTERNAL\"}", KMS_DO_CHANGE, &d);
    cr_expect_eq(d.ver, 0);
    kit_world_free(&w);
}

QK_TEST(symmetric_decide, create_key_says_what_is_wrong)
{
    static const struct {
        const char *body, *type, *text;
    } bad[] = {
        {"{\"KeyUsage\":\"SIGN_VERIFY\"}", "ValidationException",
            "KeyUsage SIGN_VERIFY is not compatible with KeySpec SYMMETRIC_DEFAULT"},
        {"{\"KeyUsage\":\"KEY_AGREEMENT\"}", "ValidationException",
            "KeyUsage KEY_AGREEMENT is not compatible with KeySpec SYMMETRIC_DEFAULT"},
        {"{\"Origin\":\"AWS_CLOUDHSM\"}", "UnsupportedOperationException",
            "Origin AWS_CLOUDHSM is not supported by this service."},
        {"{\"Tags\":[{\"TagKey\":\"qkms:modes\",\"TagValue\":\"X\"}]}", "ValidationException",
            "Tag qkms:modes must be FV, F or V."},
        {"{\"Tags\":[{\"TagKey\":\"a\",\"TagValue\":\"b\"}]}", "UnsupportedOperationException",
            "A key with Tags is not supported by this service."},
        {"{\"KeySpec\":\"ECC_NIST_P256\",\"KeyUsage\":\"SIGN_VERIFY\",\"Tags\":[{\"TagKey\":\"qkms:"
         "modes\",\"TagValue\":\"F\"}]}",
            "UnsupportedOperationException",
            "Tag qkms:modes of a key of KeySpec ECC_NIST_P256 is not supported by this service."},
        {"{\"MultiRegion\":true}", "UnsupportedOperationException",
            "MultiRegion true is not supported by this service."},
    };
    struct kit_world w;
    kit_world_init(&w);
    for (size_t i = 0; i < QK_COUNT(bad); i++)
        kit_expect(&w, ALICE, "TrentService.CreateKey", bad[i].body, bad[i].type, bad[i].text);
    carol(&w, "kms:CreateKey");
    kit_expect(&w, CAROL, "TrentService.CreateKey",
        "{\"Tags\":[{\"TagKey\":\"qkms:modes\",\"TagValue\":\"F\"}]}", "AccessDeniedException",
        "User: arn:aws:iam::123456789012:user/carol is not authorized to perform: kms:TagResource "
        "on resource: * because no identity-based policy allows the kms:TagResource action");
    kit_world_free(&w);
}

QK_TEST(symmetric_decide, encryption_uses_the_current_version)
{
    static const struct {
        const char *target, *body;
    } rows[] = {{"TrentService.Encrypt", ENCRYPT},
        {"TrentService.GenerateDataKey", "{\"KeyId\":\"%s\",\"KeySpec\":\"AES_256\"}"},
        {"TrentService.GenerateDataKeyWithoutPlaintext",
            "{\"KeyId\":\"%s\",\"NumberOfBytes\":1024}"},
        {"TrentService.GenerateDataKeyPair", "{\"KeyId\":\"%s\",\"KeyPairSpec\":\"RSA_4096\"}"},
        {"TrentService.GenerateDataKeyPairWithoutPlaintext",
            "{\"KeyId\":\"%s\",\"KeyPairSpec\":\"ECC_NIST_EDWARDS25519\"}"}};
    struct kit_world w;
    struct kms_decision d;
    world(&w);
    qk_assert_ok(
        kit_do(&w, ALICE, "TrentService.RotateKeyOnDemand", kit_body(&w, "{\"KeyId\":\"%s\"}")));
    for (size_t i = 0; i < QK_COUNT(rows); i++) {
        kit_expect_decision(&w, ALICE, rows[i].target, rows[i].body, KMS_DO_ENCRYPT, &d);
        cr_expect_eq(d.key, kit_key(&w));
        cr_expect_eq(d.version_record, kit_version(&w, 2));
        cr_expect_eq(d.ver, 2);
        cr_expect_eq(d.modes, KMS_MODES_FV);
    }
    kit_world_free(&w);
}

/* The blob says which key and which version; what the request says besides must agree. */
QK_TEST(symmetric_decide, decryption_finds_key_and_version_from_the_blob)
{
    struct kit_world w;
    struct kms_decision d;
    world(&w);
    qk_assert_ok(
        kit_do(&w, ALICE, "TrentService.RotateKeyOnDemand", kit_body(&w, "{\"KeyId\":\"%s\"}")));
    for (uint32_t ver = 1; ver <= 2; ver++) {
        kit_expect_decision(
            &w, ALICE, "TrentService.Decrypt", decrypt(&w, ver), KMS_DO_DECRYPT, &d);
        cr_expect_eq(d.version_record, kit_version(&w, ver));
        cr_expect_eq(d.key, kit_key(&w));
        cr_expect_eq(d.ver, ver);
    }
    kit_expect_decision(&w, ALICE, "TrentService.Decrypt",
        text("{\"CiphertextBlob\":\"%s\",\"KeyId\":\"%s\"}", kit_blob(w.key_id, 1, 201), w.arn),
        KMS_DO_DECRYPT, &d);
    cr_expect_eq(d.version_record, kit_version(&w, 1));
    kit_world_free(&w);
}

/* S-11, S-12: whatever is wrong with a blob, the answer is one of two, and says nothing more. */
QK_TEST(symmetric_decide, S_11_S_12_a_bad_blob_has_two_answers)
{
    struct kit_world w;
    uint8_t other[16], ecc[16];
    kit_world_init(&w);
    memcpy(ecc, w.key_id, 16);
    kit_symmetric(&w, "{}");
    memcpy(other, w.key_id, 16);
    kit_symmetric(&w, "{}");
    uint8_t nowhere[16];
    memcpy(nowhere, w.key_id, 16);
    nowhere[15] ^= 1;
    const struct {
        const uint8_t *key;
        uint32_t ver;
        size_t len;
        bool named;
    } invalid[] = {{w.key_id, 0, 201, false}, {w.key_id, 2, 201, false},
        {w.key_id, UINT32_MAX, 201, false}, {w.key_id, 1, 121, false}, {w.key_id, 1, 1, false},
        {w.key_id, 1, 19, false}, {nowhere, 1, 201, false}, {ecc, 1, 201, false},
        {w.key_id, 2, 201, true}, {w.key_id, 0, 201, true}, {w.key_id, 1, 121, true},
        {w.key_id, 1, 3, true}};
    for (size_t i = 0; i < QK_COUNT(invalid); i++) {
        const char *blob = kit_blob(invalid[i].key, invalid[i].ver, invalid[i].len);
        const char *body = invalid[i].named
                               ? text("{\"CiphertextBlob\":\"%s\",\"KeyId\":\"%s\"}", blob, w.key)
                               : text("{\"CiphertextBlob\":\"%s\"}", blob);
        kit_expect(&w, ALICE, "TrentService.Decrypt", body, "InvalidCiphertextException", NULL);
    }
    const uint8_t *const elsewhere[] = {other, nowhere, ecc};
    for (size_t i = 0; i < QK_COUNT(elsewhere); i++) {
        kit_expect(&w, ALICE, "TrentService.Decrypt",
            text("{\"CiphertextBlob\":\"%s\",\"KeyId\":\"%s\"}", kit_blob(elsewhere[i], 1, 201),
                w.key),
            "IncorrectKeyException", CORRECT);
        kit_expect(&w, ALICE, "TrentService.ReEncrypt",
            text("{\"CiphertextBlob\":\"%s\",\"SourceKeyId\":\"%s\",\"DestinationKeyId\":\"%s\"}",
                kit_blob(elsewhere[i], 1, 201), w.key, w.key),
            "IncorrectKeyException", CORRECT);
    }
    kit_world_free(&w);
}

QK_TEST(symmetric_decide, another_blob_format_is_an_invalid_ciphertext)
{
    struct kit_world w;
    world(&w);
    char blob[512];
    snprintf(blob, sizeof blob, "%s", kit_blob(w.key_id, 1, 201));
    blob[1] = 'g'; /* version byte 2 */
    blob[0] = 'A';
    kit_expect(&w, ALICE, "TrentService.Decrypt", text("{\"CiphertextBlob\":\"%s\"}", blob),
        "InvalidCiphertextException", NULL);
    kit_world_free(&w);
}

/* A deleted key exists no more, for blobs either. */
QK_TEST(symmetric_decide, a_blob_of_a_deleted_key_is_an_invalid_ciphertext)
{
    struct kit_world w;
    world(&w);
    qk_assert_ok(
        kit_do(&w, ALICE, "TrentService.ScheduleKeyDeletion", kit_body(&w, "{\"KeyId\":\"%s\"}")));
    w.ctx.now_ms += 31ull * 86400000;
    qk_assert_ok(kit_due(&w, KMS_DUE_DELETE));
    kit_expect(
        &w, ALICE, "TrentService.Decrypt", decrypt(&w, 1), "InvalidCiphertextException", NULL);
    kit_expect(
        &w, ALICE, "TrentService.Encrypt", ENCRYPT, "NotFoundException", "Key '%K' does not exist");
    kit_world_free(&w);
}

/* A version that the certified key record counts but whose own record is missing is trouble of ours
 * and retryable: never "your ciphertext is bad". */
QK_TEST(symmetric_decide, a_missing_version_record_is_no_answer_about_the_blob)
{
    struct kit_world w;
    struct kms_request req;
    struct kms_records recs;
    struct kms_decision d;
    world(&w);
    qk_assert_ok(kit_parse("TrentService.Decrypt", decrypt(&w, 1), &req, &w.fault));
    kit_load(&w, ALICE, &req, NULL, &recs);
    recs.slot[KMS_SLOT_VERSION] = NULL;
    qk_assert_err(kms_decide(&w.ctx, false, &req, &recs, NULL, &d, &w.fault), QK_E_CORRUPT);
    cr_expect_str_eq(w.fault.type, "KMSInternalException");
    kms_request_free(&req);
    kit_world_free(&w);
}

/* S-16: who may encrypt may not therefore decrypt, and each side of ReEncrypt is asked for. */
QK_TEST(symmetric_decide, S_16_every_operation_needs_its_own_permission)
{
    static const struct {
        const char *allow, *target, *denied;
    } rows[] = {
        {"kms:Encrypt", "Decrypt", "kms:Decrypt"},
        {"kms:Decrypt", "ReEncrypt", "kms:ReEncryptFrom"},
        {"kms:ReEncryptFrom", "ReEncrypt", "kms:ReEncryptTo"},
    };
    for (size_t i = 0; i < QK_COUNT(rows); i++) {
        struct kit_world w;
        char target[64], want[512];
        world(&w);
        carol(&w, rows[i].allow);
        snprintf(target, sizeof target, "TrentService.%s", rows[i].target);
        snprintf(want, sizeof want,
            "User: arn:aws:iam::123456789012:user/carol is not authorized to perform: %s on "
            "resource: %s because no identity-based policy allows the %s action",
            rows[i].denied, w.arn, rows[i].denied);
        kit_expect(&w, CAROL, target,
            text("{\"CiphertextBlob\":\"%s\",\"DestinationKeyId\":\"%s\"}",
                kit_blob(w.key_id, 1, 201), w.key),
            "AccessDeniedException", want);
        kit_world_free(&w);
    }
}

QK_TEST(symmetric_decide, re_encrypt_has_source_and_destination)
{
    struct kit_world w;
    struct kms_decision d;
    char first[KMS_UUID_LEN + 1];
    uint8_t first_id[16];
    world(&w);
    memcpy(first_id, w.key_id, 16);
    snprintf(first, sizeof first, "%s", w.key);
    kit_symmetric(&w, "{}");
    qk_assert_ok(
        kit_do(&w, ALICE, "TrentService.RotateKeyOnDemand", kit_body(&w, "{\"KeyId\":\"%s\"}")));
    kit_expect_decision(&w, ALICE, "TrentService.ReEncrypt",
        text("{\"CiphertextBlob\":\"%s\",\"DestinationKeyId\":\"%s\"}", kit_blob(first_id, 1, 201),
            w.arn),
        KMS_DO_REENCRYPT, &d);
    cr_expect_str_eq(d.key->id, first);
    cr_expect_eq(d.version_record->version_of.ver, 1);
    cr_expect_eq(d.dest_key, kit_key(&w));
    cr_expect_eq(d.dest_version, kit_version(&w, 2));
    kit_expect(&w, ALICE, "TrentService.ReEncrypt",
        text("{\"CiphertextBlob\":\"%s\",\"DestinationKeyId\":\"nonsense\"}",
            kit_blob(first_id, 1, 201)),
        "NotFoundException", "Invalid keyId 'nonsense'");
    qk_assert_ok(kit_do(&w, ALICE, "TrentService.DisableKey", kit_body(&w, "{\"KeyId\":\"%s\"}")));
    kit_expect(&w, ALICE, "TrentService.ReEncrypt",
        text("{\"CiphertextBlob\":\"%s\",\"DestinationKeyId\":\"%s\"}", kit_blob(first_id, 1, 201),
            w.key),
        "DisabledException", "%K is disabled.");
    kit_expect_decision(&w, ALICE, "TrentService.ReEncrypt",
        text("{\"CiphertextBlob\":\"%s\",\"DestinationKeyId\":\"%s\",\"SourceKeyId\":\"%s\"}",
            kit_blob(first_id, 1, 201), first, first),
        KMS_DO_REENCRYPT, &d);
    cr_expect_eq(d.key, d.dest_key);
    kit_world_free(&w);
}

QK_TEST(symmetric_decide, families_and_algorithms_do_not_mix)
{
    struct kit_world w;
    kit_world_init(&w); /* an ECC key */
    static const char usage[] = "%K key usage is SIGN_VERIFY which is not valid for ";
    char want[256];
    static const struct {
        const char *op, *body;
    } ops[] = {{"Encrypt", ENCRYPT},
        {"GenerateDataKey", "{\"KeyId\":\"%s\",\"KeySpec\":\"AES_256\"}"},
        {"GenerateDataKeyPair", "{\"KeyId\":\"%s\",\"KeyPairSpec\":\"ML_KEM_512\"}"},
        {"Decrypt", "{\"KeyId\":\"%s\",\"CiphertextBlob\":\"AQID\"}"}};
    for (size_t i = 0; i < QK_COUNT(ops); i++) {
        char target[64];
        snprintf(target, sizeof target, "TrentService.%s", ops[i].op);
        snprintf(want, sizeof want, "%s%s.", usage, ops[i].op);
        kit_expect(&w, ALICE, target, ops[i].body, "InvalidKeyUsageException", want);
    }
    kit_symmetric(&w, "{}");
    kit_expect(&w, ALICE, "TrentService.Sign",
        "{\"KeyId\":\"%s\",\"Message\":\"aA==\",\"SigningAlgorithm\":\"ECDSA_SHA_256\"}",
        "InvalidKeyUsageException", "%K key usage is ENCRYPT_DECRYPT which is not valid for Sign.");
    kit_expect(&w, ALICE, "TrentService.GetPublicKey", "{\"KeyId\":\"%s\"}",
        "UnsupportedOperationException", NULL);
    kit_expect(&w, ALICE, "TrentService.Encrypt",
        "{\"KeyId\":\"%s\",\"Plaintext\":\"aGk=\",\"EncryptionAlgorithm\":\"RSAES_OAEP_SHA_256\"}",
        "InvalidKeyUsageException",
        "Algorithm RSAES_OAEP_SHA_256 is incompatible with key spec SYMMETRIC_DEFAULT.");
    kit_expect(&w, ALICE, "TrentService.Decrypt",
        text("{\"CiphertextBlob\":\"%s\",\"EncryptionAlgorithm\":\"RSAES_OAEP_SHA_1\"}",
            kit_blob(w.key_id, 1, 201)),
        "InvalidKeyUsageException",
        "Algorithm RSAES_OAEP_SHA_1 is incompatible with key spec SYMMETRIC_DEFAULT.");
    kit_world_free(&w);
}

QK_TEST(symmetric_decide, data_keys_have_a_size_and_a_known_spec)
{
    static const char either[] = "Please specify either number of bytes or key spec.";
    struct kit_world w;
    world(&w);
    kit_expect(&w, ALICE, "TrentService.GenerateDataKey", "{\"KeyId\":\"%s\"}",
        "ValidationException", either);
    kit_expect(&w, ALICE, "TrentService.GenerateDataKeyWithoutPlaintext",
        "{\"KeyId\":\"%s\",\"KeySpec\":\"AES_128\",\"NumberOfBytes\":16}", "ValidationException",
        either);
    kit_expect(&w, ALICE, "TrentService.GenerateDataKeyPair",
        "{\"KeyId\":\"%s\",\"KeyPairSpec\":\"SM2\"}", "UnsupportedOperationException",
        "KeyPairSpec SM2 is not supported by this service.");
    kit_world_free(&w);
}

/* No attestation can be verified here: never answer as if one had been. */
QK_TEST(symmetric_decide, a_recipient_fails_closed)
{
    static const char why[] =
        "Recipient is not supported by this service: it verifies no attestation documents.";
    static const struct {
        const char *op, *body;
    } ops[] = {{"GenerateDataKey", "{\"KeyId\":\"%s\",\"KeySpec\":\"AES_256\",\"Recipient\":{}}"},
        {"GenerateDataKeyPair",
            "{\"KeyId\":\"%s\",\"KeyPairSpec\":\"RSA_2048\",\"Recipient\":{"
            "\"KeyEncryptionAlgorithm\":\"RSAES_OAEP_SHA_256\",\"AttestationDocument\":\"AA==\"}}"},
        {"Decrypt", "{\"KeyId\":\"%s\",\"CiphertextBlob\":\"AQID\",\"Recipient\":{}}"},
        {"GenerateRandom", "{\"NumberOfBytes\":8,\"Recipient\":{}}"}};
    struct kit_world w;
    world(&w);
    for (size_t i = 0; i < QK_COUNT(ops); i++) {
        char target[64];
        snprintf(target, sizeof target, "TrentService.%s", ops[i].op);
        kit_expect(&w, ALICE, target, ops[i].body, "ValidationException", why);
    }
    kit_world_free(&w);
}

QK_TEST(symmetric_decide, dry_run_comes_last_and_may_leave_the_blob_out)
{
    static const char dry[] = "The request would have succeeded, but the DryRun option is set.";
    struct kit_world w;
    world(&w);
    kit_expect(&w, ALICE, "TrentService.Encrypt",
        "{\"KeyId\":\"%s\",\"Plaintext\":\"aGk=\",\"DryRun\":true}", "DryRunOperationException",
        dry);
    kit_expect(&w, ALICE, "TrentService.Decrypt",
        text("{\"CiphertextBlob\":\"%s\",\"DryRun\":true}", kit_blob(w.key_id, 1, 201)),
        "DryRunOperationException", dry);
    kit_expect(&w, ALICE, "TrentService.Decrypt",
        text("{\"CiphertextBlob\":\"%s\",\"DryRun\":true}", kit_blob(w.key_id, 7, 201)),
        "InvalidCiphertextException", NULL);
    kit_expect(&w, ALICE, "TrentService.Decrypt", "{\"DryRun\":true}", "ValidationException",
        "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: "
        "Member must not be null");
    kit_expect(&w, ALICE, "TrentService.Decrypt",
        "{\"KeyId\":\"%s\",\"DryRun\":true,\"DryRunModifiers\":[\"IGNORE_CIPHERTEXT\"]}",
        "DryRunOperationException", dry);
    kit_expect(&w, ALICE, "TrentService.ReEncrypt",
        text("{\"SourceKeyId\":\"%s\",\"DestinationKeyId\":\"%s\",\"DryRun\":true,"
             "\"DryRunModifiers\":[\"IGNORE_CIPHERTEXT\"]}",
            w.key, w.key),
        "DryRunOperationException", dry);
    static const char needs[] = "DryRunModifiers IGNORE_CIPHERTEXT requires DryRun and a key id.";
    kit_expect(&w, ALICE, "TrentService.Decrypt",
        "{\"KeyId\":\"%s\",\"DryRunModifiers\":[\"IGNORE_CIPHERTEXT\"]}", "ValidationException",
        needs);
    kit_expect(&w, ALICE, "TrentService.Decrypt",
        "{\"DryRun\":true,\"DryRunModifiers\":[\"IGNORE_CIPHERTEXT\"]}", "ValidationException",
        needs);
    kit_expect(&w, BOB, "TrentService.Decrypt",
        "{\"KeyId\":\"%s\",\"DryRun\":true,\"DryRunModifiers\":[\"IGNORE_CIPHERTEXT\"]}",
        "AccessDeniedException",
        "User: arn:aws:iam::123456789012:user/bob is not authorized to perform: kms:Decrypt on "
        "resource: %K because no identity-based policy allows the kms:Decrypt action");
    kit_world_free(&w);
}

QK_TEST(symmetric_decide, random_bytes_need_a_length_and_the_permission)
{
    struct kit_world w;
    struct kms_decision d;
    kit_world_init(&w);
    kit_expect_decision(
        &w, ALICE, "TrentService.GenerateRandom", "{\"NumberOfBytes\":1024}", KMS_DO_RANDOM, &d);
    kit_expect(&w, ALICE, "TrentService.GenerateRandom", "{}", "ValidationException",
        "NumberOfBytes is required.");
    kit_expect(&w, ALICE, "TrentService.GenerateRandom",
        "{\"NumberOfBytes\":8,\"CustomKeyStoreId\":\"c\"}", "CustomKeyStoreNotFoundException",
        "The custom key store does not exist: this service has none.");
    kit_expect(&w, BOB, "TrentService.GenerateRandom", "{\"NumberOfBytes\":8}",
        "AccessDeniedException",
        "User: arn:aws:iam::123456789012:user/bob is not authorized to perform: kms:GenerateRandom "
        "on resource: * because no identity-based policy allows the kms:GenerateRandom action");
    kit_world_free(&w);
}
