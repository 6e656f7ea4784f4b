/* GenerateMac, VerifyMac and CreateKey of HMAC keys: what is decided, and in which order it is
 * refused. */
#include "qktest/qktest.h"

#include <stdarg.h>
#include <stdio.h>
#include "kmskit.h"

#define ALICE    KIT_ALICE
#define BOB      KIT_BOB
#define GENERATE "TrentService.GenerateMac"
#define VERIFY   "TrentService.VerifyMac"
#define BODY     "{\"KeyId\":\"%s\",\"Message\":\"aGk=\",\"MacAlgorithm\":\"HMAC_SHA_256\"}"
#define MAC32    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define VERIFYING(mac, more)                                                                       \
    "{\"KeyId\":\"%s\",\"Message\":\"aGk=\",\"MacAlgorithm\":\"HMAC_SHA_256\",\"Mac\":\"" mac      \
    "\"" more "}"
#define HMAC(bits, more)                                                                           \
    "{\"KeySpec\":\"HMAC_" #bits "\",\"KeyUsage\":\"GENERATE_VERIFY_MAC\"" more "}"
#define TAG(key, value) ",\"Tags\":[{\"TagKey\":\"" key "\",\"TagValue\":\"" value "\"}]"
#define DRY             "The request would have succeeded, but the DryRun option is set."

static void world(struct kit_world *w)
{
    kit_world_init(w);
    kit_symmetric(w, HMAC(256, ""));
}

static void act(struct kit_world *w, const char *op, const char *body)
{
    char target[64];
    snprintf(target, sizeof target, "TrentService.%s", op);
    qk_err err = kit_do(w, ALICE, target, kit_body(w, body));
    cr_assert_eq(err, QK_OK, "%s gave %s: %s", op, qk_err_name(err), w->fault.message);
}

QK_TEST(mac_decide, create_key_takes_four_specs_and_two_profiles)
{
    static const struct {
        const char *body;
        const char *spec;
        size_t len;
        uint8_t modes;
    } rows[] = {{HMAC(224, ""), "HMAC_224", 28, KMS_MODES_MAC_N},
        {HMAC(256, ""), "HMAC_256", 32, KMS_MODES_MAC_N},
        {HMAC(384, ""), "HMAC_384", 48, KMS_MODES_MAC_N},
        {HMAC(512, ",\"Origin\":\"AWS_KMS\""), "HMAC_512", 64, KMS_MODES_MAC_N},
        {HMAC(256, TAG("qkms:mac-profile", "strict")), "HMAC_256", 32, KMS_MODES_MAC_S}};
    struct kit_world w;
    struct kms_decision d;
    kit_world_init(&w);
    for (size_t i = 0; i < QK_COUNT(rows); i++) {
        kit_expect_decision(
            &w, ALICE, "TrentService.CreateKey", rows[i].body, KMS_DO_CREATE_KEY, &d);
        cr_expect_str_eq(d.spec->name, rows[i].spec);
        cr_expect_eq(d.spec->digest_len, rows[i].len);
        cr_expect_eq(d.modes, rows[i].modes);
        cr_expect_eq(d.ver, 1);
        cr_expect(kms_keyspec_is_mac(d.spec) && !kms_keyspec_is_symmetric(d.spec));
    }
    kit_expect_decision(&w, ALICE, "TrentService.CreateKey",
        HMAC(512, ",\"Origin\":\"EXTERNAL\"" TAG("qkms:mac-profile", "strict")), KMS_DO_CHANGE, &d);
    cr_expect_eq(d.modes, KMS_MODES_MAC_S);
    cr_expect_eq(d.ver, 0);
    kit_world_free(&w);
}

QK_TEST(mac_decide, create_key_says_what_is_wrong)
{
    static const struct {
        const char *body, *type, *text;
    } bad[] = {
        {"{\"KeySpec\":\"HMAC_256\"}", "ValidationException",
            "You must specify a KeyUsage value for all KMS keys except for symmetric encryption "
            "keys."},
        {"{\"KeySpec\":\"HMAC_384\",\"KeyUsage\":\"SIGN_VERIFY\"}", "ValidationException",
            "KeyUsage SIGN_VERIFY is not compatible with KeySpec HMAC_384"},
        {"{\"KeySpec\":\"HMAC_384\",\"KeyUsage\":\"KEY_AGREEMENT\"}", "ValidationException",
            "KeyUsage KEY_AGREEMENT is not compatible with KeySpec HMAC_384"},
        {"{\"KeyUsage\":\"GENERATE_VERIFY_MAC\"}", "ValidationException",
            "KeyUsage GENERATE_VERIFY_MAC is not compatible with KeySpec SYMMETRIC_DEFAULT"},
        {HMAC(256, TAG("qkms:mac-profile", "S")), "ValidationException",
            "Tag qkms:mac-profile must be strict."},
        {HMAC(256, TAG("qkms:mac-profile", "")), "ValidationException",
            "Tag qkms:mac-profile must be strict."},
        {HMAC(256, TAG("qkms:modes", "F")), "UnsupportedOperationException",
            "Tag qkms:modes of a key of KeySpec HMAC_256 is not supported by this service."},
        {"{\"KeySpec\":\"SYMMETRIC_DEFAULT\"" TAG("qkms:mac-profile", "strict") "}",
            "UnsupportedOperationException",
            "Tag qkms:mac-profile of a key of KeySpec SYMMETRIC_DEFAULT is not supported by this "
            "service."},
        {"{\"KeySpec\":\"ECC_NIST_P256\",\"KeyUsage\":\"SIGN_VERIFY\"" TAG(
             "qkms:mac-profile", "strict") "}",
            "UnsupportedOperationException",
            "Tag qkms:mac-profile of a key of KeySpec ECC_NIST_P256 is not supported by this "
            "service."},
        {HMAC(256, TAG("a", "strict")), "UnsupportedOperationException",
            "A key with Tags is not supported by this service."},
        {HMAC(256, ",\"Origin\":\"AWS_CLOUDHSM\""), "UnsupportedOperationException",
            "Origin AWS_CLOUDHSM is not supported by this service."},
    };
    struct kit_world w;
    kit_world_init(&w);
    for (size_t i = 0; i < QK_COUNT(bad); i++)
        kit_expect(&w, ALICE, "TrentService.CreateKey", bad[i].body, bad[i].type, bad[i].text);
    kit_expect(&w, ALICE, "TrentService.CreateKey",
        HMAC(256, ",\"Tags\":[{\"TagKey\":\"qkms:mac-profile\",\"TagValue\":\"strict\"},"
                  "{\"TagKey\":\"qkms:mac-profile\",\"TagValue\":\"strict\"}]"),
        "TagException", "Duplicate tag keys");
    kit_world_free(&w);
}

QK_TEST(mac_decide, both_operations_use_the_one_version)
{
    struct kit_world w;
    struct kms_decision d;
    kit_world_init(&w);
    kit_symmetric(&w, HMAC(256, TAG("qkms:mac-profile", "strict")));
    kit_expect_decision(&w, ALICE, GENERATE, BODY, KMS_DO_GENERATE_MAC, &d);
    cr_expect_eq(d.key, kit_key(&w));
    cr_expect_eq(d.version_record, kit_version(&w, 1));
    cr_expect_eq(d.ver, 1);
    cr_expect_eq(d.modes, KMS_MODES_MAC_S);
    cr_expect_str_eq(d.spec->name, "HMAC_256");
    kit_expect_decision(&w, ALICE, VERIFY, VERIFYING(MAC32, ""), KMS_DO_VERIFY_MAC, &d);
    cr_expect_eq(d.version_record, kit_version(&w, 1));
    cr_expect_eq(d.modes, KMS_MODES_MAC_S);
    kit_world_free(&w);
}

QK_TEST(mac_decide, what_is_parsed_is_what_was_sent)
{
    struct kms_request r;
    struct kms_fault f;
    qk_assert_ok(kit_parse(VERIFY,
        "{\"KeyId\":\"k\",\"Message\":\"aGVsbG8=\",\"MacAlgorithm\":\"HMAC_SHA_384\",\"Mac\":"
        "\"AQID\",\"DryRun\":true,\"GrantTokens\":[\"t\"]}",
        &r, &f));
    cr_expect(qk_bytes_is(r.key_id, "k"));
    cr_expect(qk_bytes_is(r.message, "hello"));
    cr_expect(qk_bytes_is(r.algorithm, "HMAC_SHA_384"));
    cr_expect(qk_bytes_is(r.mac, "\1\2\3"));
    cr_expect(r.dry_run);
    kms_request_free(&r);
    qk_assert_ok(kit_parse(GENERATE,
        "{\"KeyId\":\"k\",\"Message\":\"aGVsbG8=\",\"MacAlgorithm\":\"HMAC_SHA_224\",\"Mac\":"
        "\"AQID\"}",
        &r, &f));
    cr_expect_eq(r.mac.len, 0, "GenerateMac has no Mac");
    cr_expect(!r.dry_run);
    kms_request_free(&r);
}

QK_TEST(mac_decide, sizes_and_names_are_held_to_the_model)
{
    static const struct {
        const char *target, *body, *type, *text;
    } bad[] = {
        {GENERATE, "{\"KeyId\":\"k\",\"Message\":\"\",\"MacAlgorithm\":\"HMAC_SHA_256\"}",
            "ValidationException",
            "1 validation error detected: Value at 'message' failed to satisfy constraint: Member "
            "must have length greater than or equal to 1"},
        {GENERATE, "{\"KeyId\":\"k\",\"Message\":\"aA==\",\"MacAlgorithm\":\"HMAC_SHA_1\"}",
            "ValidationException",
            "1 validation error detected: Value 'HMAC_SHA_1' at 'macAlgorithm' failed to satisfy "
            "constraint: Member must satisfy enum value set: [HMAC_SHA_224, HMAC_SHA_256, "
            "HMAC_SHA_384, HMAC_SHA_512]"},
        {VERIFY, "{\"KeyId\":\"k\",\"Message\":\"aA==\",\"MacAlgorithm\":\"HMAC_SHA_256\"}",
            "ValidationException",
            "1 validation error detected: Value null at 'mac' failed to satisfy constraint: Member "
            "must not be null"},
        {GENERATE, "{\"KeyId\":\"k\",\"Message\":\"?\",\"MacAlgorithm\":\"HMAC_SHA_256\"}",
            "SerializationException", "Value at 'message' is not valid base64."},
    };
    struct kms_request r;
    struct kms_fault f;
    for (size_t i = 0; i < QK_COUNT(bad); i++) {
        qk_assert_err(kit_parse(bad[i].target, bad[i].body, &r, &f), QK_E_DENIED);
        cr_expect_str_eq(f.type, bad[i].type);
        cr_expect_str_eq(f.message, bad[i].text);
    }
    for (size_t len = 4096; len <= 4097; len++) {
        static char message[4097], body[8192];
        QK_AUTO_BUF b64 = QK_BUF(8192);
        qk_base64_add(&b64, qk_bytes(message, len));
        snprintf(body, sizeof body,
            "{\"KeyId\":\"k\",\"MacAlgorithm\":\"HMAC_SHA_256\",\"Message\":\"%s\"}",
            qk_buf_cstr(&b64));
        qk_err err = kit_parse(GENERATE, body, &r, &f);
        cr_expect_eq(err, len <= 4096 ? QK_OK : QK_E_DENIED);
        if (err == QK_OK) kms_request_free(&r);
    }
}

/* M-16: a MAC that was truncated or extended is refused, with no word on why, and nobody is asked
 * to compute one. A good length says nothing yet. */
QK_TEST(mac_decide, M_16_a_mac_of_another_length_is_invalid)
{
    struct kit_world w;
    struct kms_decision d;
    world(&w);
    for (size_t len = 1; len <= 64; len++) {
        static const uint8_t zeros[64];
        char body[512];
        QK_AUTO_BUF b64 = QK_BUF(128);
        qk_base64_add(&b64, qk_bytes(zeros, len));
        snprintf(body, sizeof body,
            "{\"KeyId\":\"%s\",\"Message\":\"aA==\",\"MacAlgorithm\":\"HMAC_SHA_256\",\"Mac\":\"%s"
            "\"}",
            w.key, qk_buf_cstr(&b64));
        if (len == 32)
            kit_expect_decision(&w, ALICE, VERIFY, body, KMS_DO_VERIFY_MAC, &d);
        else
            kit_expect(&w, ALICE, VERIFY, body, "KMSInvalidMacException", NULL);
    }
    kit_world_free(&w);
}

QK_TEST(mac_decide, an_algorithm_is_of_one_spec)
{
    static const char *const specs[] = {HMAC(224, ""), HMAC(256, ""), HMAC(384, ""), HMAC(512, "")};
    static const char *const bits[] = {"224", "256", "384", "512"};
    struct kit_world w;
    struct kms_decision d;
    kit_world_init(&w);
    for (size_t s = 0; s < 4; s++) {
        kit_symmetric(&w, specs[s]);
        for (size_t a = 0; a < 4; a++) {
            char body[256], want[128];
            snprintf(body, sizeof body,
                "{\"KeyId\":\"%s\",\"Message\":\"aA==\",\"MacAlgorithm\":\"HMAC_SHA_%s\"}", w.key,
                bits[a]);
            snprintf(want, sizeof want,
                "Algorithm HMAC_SHA_%s is incompatible with key spec HMAC_%s.", bits[a], bits[s]);
            if (a == s)
                kit_expect_decision(&w, ALICE, GENERATE, body, KMS_DO_GENERATE_MAC, &d);
            else
                kit_expect(&w, ALICE, GENERATE, body, "InvalidKeyUsageException", want);
        }
    }
    kit_world_free(&w);
}

QK_TEST(mac_decide, families_do_not_mix)
{
    static const struct {
        const char *op, *body;
    } ops[] = {{"Encrypt", "{\"KeyId\":\"%s\",\"Plaintext\":\"aGk=\"}"},
        {"GenerateDataKey", "{\"KeyId\":\"%s\",\"KeySpec\":\"AES_256\"}"},
        {"Decrypt", "{\"KeyId\":\"%s\",\"CiphertextBlob\":\"AQID\"}"},
        {"Sign", "{\"KeyId\":\"%s\",\"Message\":\"aA==\",\"SigningAlgorithm\":\"ECDSA_SHA_256\"}"}};
    struct kit_world w;
    char target[64], want[256];
    world(&w);
    for (size_t i = 0; i < QK_COUNT(ops); i++) {
        snprintf(target, sizeof target, "TrentService.%s", ops[i].op);
        snprintf(want, sizeof want,
            "%%K key usage is GENERATE_VERIFY_MAC which is not valid for %s.", ops[i].op);
        kit_expect(&w, ALICE, target, ops[i].body, "InvalidKeyUsageException", want);
    }
    kit_expect(&w, ALICE, "TrentService.GetPublicKey", "{\"KeyId\":\"%s\"}",
        "UnsupportedOperationException", NULL);
    char blob[512];
    snprintf(blob, sizeof blob, "{\"CiphertextBlob\":\"%s\"}", kit_blob(w.key_id, 1, 201));
    kit_expect(&w, ALICE, "TrentService.Decrypt", blob, "InvalidCiphertextException", NULL);
    kit_symmetric(&w, "{}");
    kit_expect(&w, ALICE, GENERATE, BODY, "InvalidKeyUsageException",
        "%K key usage is ENCRYPT_DECRYPT which is not valid for GenerateMac.");
    kit_expect(&w, ALICE, VERIFY, VERIFYING("AA==", ""), "InvalidKeyUsageException",
        "%K key usage is ENCRYPT_DECRYPT which is not valid for VerifyMac.");
    kit_world_free(&w);
}

QK_TEST(mac_decide, every_state_of_the_table)
{
    struct kit_world w;
    struct kms_decision d;
    world(&w);
    static const char *const targets[] = {GENERATE, VERIFY};
    act(&w, "DisableKey", "{\"KeyId\":\"%s\"}");
    for (size_t i = 0; i < 2; i++)
        kit_expect(
            &w, ALICE, targets[i], VERIFYING(MAC32, ""), "DisabledException", "%K is disabled.");
    act(&w, "EnableKey", "{\"KeyId\":\"%s\"}");
    kit_expect_decision(&w, ALICE, GENERATE, BODY, KMS_DO_GENERATE_MAC, &d);
    act(&w, "ScheduleKeyDeletion", "{\"KeyId\":\"%s\",\"PendingWindowInDays\":7}");
    for (size_t i = 0; i < 2; i++)
        kit_expect(&w, ALICE, targets[i], VERIFYING(MAC32, ""), "KMSInvalidStateException",
            "%K is pending deletion.");
    kit_expect_decision(
        &w, ALICE, "TrentService.DescribeKey", "{\"KeyId\":\"%s\"}", KMS_DO_READ, &d);
    act(&w, "CancelKeyDeletion", "{\"KeyId\":\"%s\"}");
    cr_expect_eq(kit_key(&w)->key.state, KMS_STATE_DISABLED);
    act(&w, "ScheduleKeyDeletion", "{\"KeyId\":\"%s\",\"PendingWindowInDays\":7}");
    w.ctx.now_ms += 8ull * 86400000;
    cr_expect_eq(kms_due_of(&kit_key(&w)->key, w.ctx.now_ms), KMS_DUE_DELETE);
    qk_assert_ok(kit_due(&w, KMS_DUE_DELETE));
    for (size_t i = 0; i < 2; i++)
        kit_expect(&w, ALICE, targets[i], VERIFYING(MAC32, ""), "NotFoundException",
            "Key '%K' does not exist");
    kit_symmetric(&w, HMAC(256, ",\"Origin\":\"EXTERNAL\""));
    for (size_t i = 0; i < 2; i++)
        kit_expect(&w, ALICE, targets[i], VERIFYING(MAC32, ""), "KMSInvalidStateException",
            "%K is pending import.");
    kit_world_free(&w);
}

/* State before usage before algorithm before the DryRun answer, which knows nothing of the MAC. */
QK_TEST(mac_decide, dry_run_comes_last)
{
    struct kit_world w;
    world(&w);
    kit_expect(&w, ALICE, GENERATE,
        "{\"KeyId\":\"%s\",\"Message\":\"aA==\",\"MacAlgorithm\":\"HMAC_SHA_256\",\"DryRun\":true}",
        "DryRunOperationException", DRY);
    kit_expect(
        &w, ALICE, VERIFY, VERIFYING(MAC32, ",\"DryRun\":true"), "DryRunOperationException", DRY);
    kit_expect(
        &w, ALICE, VERIFY, VERIFYING("AA==", ",\"DryRun\":true"), "DryRunOperationException", DRY);
    kit_expect(&w, ALICE, GENERATE,
        "{\"KeyId\":\"%s\",\"Message\":\"aA==\",\"MacAlgorithm\":\"HMAC_SHA_512\",\"DryRun\":true}",
        "InvalidKeyUsageException",
        "Algorithm HMAC_SHA_512 is incompatible with key spec HMAC_256.");
    act(&w, "DisableKey", "{\"KeyId\":\"%s\"}");
    kit_expect(&w, ALICE, GENERATE,
        "{\"KeyId\":\"%s\",\"Message\":\"aA==\",\"MacAlgorithm\":\"HMAC_SHA_512\",\"DryRun\":true}",
        "DisabledException", "%K is disabled.");
    kit_expect(&w, BOB, VERIFY, VERIFYING(MAC32, ",\"DryRun\":true"), "AccessDeniedException",
        "User: arn:aws:iam::123456789012:user/bob is not authorized to perform: kms:VerifyMac on "
        "resource: %K because no identity-based policy allows the kms:VerifyMac action");
    kit_world_free(&w);
}

/* Who may verify may not therefore generate. */
QK_TEST(mac_decide, every_operation_needs_its_own_permission)
{
    static const char carol[] = "AKIACAROLCAROLCAROLC";
    struct kit_world w;
    struct kms_decision d;
    world(&w);
    qk_assert_ok(kit_do(&w, ALICE, "QkmsAdmin.CreateUser",
        "{\"UserName\":\"carol\",\"Allow\":[\"kms:VerifyMac\"]}"));
    qk_assert_ok(kit_access_key(&w, "carol", carol));
    kit_expect_decision(&w, carol, VERIFY, VERIFYING(MAC32, ""), KMS_DO_VERIFY_MAC, &d);
    kit_expect(&w, carol, GENERATE, BODY, "AccessDeniedException",
        "User: arn:aws:iam::123456789012:user/carol is not authorized to perform: kms:GenerateMac "
        "on resource: %K because no identity-based policy allows the kms:GenerateMac action");
    kit_world_free(&w);
}

/* The VERSION record is somewhere: not to have it is our trouble, and retryable. */
QK_TEST(mac_decide, a_missing_version_record_is_no_answer_about_the_mac)
{
    struct kit_world w;
    struct kms_request req;
    struct kms_records recs;
    struct kms_decision d;
    world(&w);
    qk_assert_ok(kit_parse(VERIFY, kit_body(&w, VERIFYING("AA==", "")), &req, &w.fault));
    kit_load(&w, ALICE, &req, NULL, &recs);
    recs.slot[KMS_SLOT_VERSION] = NULL;
    qk_assert_err(kms_decide(&w.ctx, false, &req, &recs, NULL, &d, &w.fault), QK_E_CORRUPT);
    cr_expect_str_eq(w.fault.type, "KMSInternalException");
    kms_request_free(&req);
    kit_world_free(&w);
}

QK_TEST(mac_decide, an_hmac_key_does_not_rotate)
{
    static const char *const refused[] = {
        "EnableKeyRotation", "DisableKeyRotation", "RotateKeyOnDemand", "ListKeyRotations"};
    static const char *const specs[] = {HMAC(256, ""), HMAC(256, ",\"Origin\":\"EXTERNAL\"")};
    struct kit_world w;
    struct kms_decision d;
    kit_world_init(&w);
    for (size_t s = 0; s < QK_COUNT(specs); s++) {
        kit_symmetric(&w, specs[s]);
        for (size_t i = 0; i < QK_COUNT(refused); i++) {
            char target[64];
            snprintf(target, sizeof target, "TrentService.%s", refused[i]);
            kit_expect(
                &w, ALICE, target, "{\"KeyId\":\"%s\"}", "UnsupportedOperationException", NULL);
        }
        kit_expect_decision(
            &w, ALICE, "TrentService.GetKeyRotationStatus", "{\"KeyId\":\"%s\"}", KMS_DO_READ, &d);
    }
    kit_world_free(&w);
}
