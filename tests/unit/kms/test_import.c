/* Imported material: what may be imported when, where it goes, and what becomes of the key. */
#include "qktest/qktest.h"

#include <stdio.h>
#include "kmskit.h"

#define ALICE KIT_ALICE
#define KEY   "{\"KeyId\":\"%s\"}"
#define DAY   86400000ull
#define OP    "TrentService.ImportKeyMaterial"
#define IMPORT(more)                                                                               \
    "{\"KeyId\":\"%s\",\"ImportToken\":\"AA==\",\"EncryptedKeyMaterial\":\"AA==\"" more "}"
#define FOREVER ",\"ExpirationModel\":\"KEY_MATERIAL_DOES_NOT_EXPIRE\""
#define NEW     ",\"ImportType\":\"NEW_KEY_MATERIAL\""
#define AGAIN   ",\"ImportType\":\"EXISTING_KEY_MATERIAL\""

static void act(struct kit_world *w, const char *op, const char *body)
{
    char target[64];
    snprintf(target, sizeof target, "TrentService.%s", op);
    qk_err err = kit_do(w, ALICE, target, kit_body(w, body));
    cr_assert_eq(err, QK_OK, "%s gave %s: %s", op, qk_err_name(err), w->fault.message);
}

static const struct kms_key *key(struct kit_world *w)
{
    return &kit_key(w)->key;
}

static void world(struct kit_world *w)
{
    kit_world_init(w);
    kit_symmetric(w, "{\"Origin\":\"EXTERNAL\"}");
}

/* Body naming the material of version ver. */
static const char *naming(struct kit_world *w, uint32_t ver, const char *more)
{
    static char body[512];
    char hex[65];
    qk_hex(kit_version(w, ver)->version_of.material_id, 32, hex);
    snprintf(body, sizeof body,
        "{\"KeyId\":\"%s\",\"ImportToken\":\"AA==\",\"EncryptedKeyMaterial\":\"AA==\","
        "\"KeyMaterialId\":\"%s\"%s}",
        w->key, hex, more);
    return body;
}

QK_TEST(import, a_new_key_waits_for_its_material)
{
    struct kit_world w;
    world(&w);
    const struct kms_key *k = key(&w);
    cr_expect_eq(k->state, KMS_STATE_PENDING_IMPORT);
    cr_expect_eq(k->origin, KMS_ORIGIN_EXTERNAL);
    cr_expect_eq(k->sym.n_versions, 0);
    cr_expect_null(kit_version(&w, 1));
    static const struct {
        const char *op, *body;
    } ops[] = {{"Encrypt", "{\"KeyId\":\"%s\",\"Plaintext\":\"aGk=\"}"},
        {"GenerateDataKey", "{\"KeyId\":\"%s\",\"KeySpec\":\"AES_256\"}"}, {"EnableKey", KEY},
        {"DisableKey", KEY}, {"RotateKeyOnDemand", KEY}};
    for (size_t i = 0; i < QK_COUNT(ops); i++) {
        char target[64];
        snprintf(target, sizeof target, "TrentService.%s", ops[i].op);
        kit_expect(
            &w, ALICE, target, ops[i].body, "KMSInvalidStateException", "%K is pending import.");
    }
    static const char *const wrong[] = {
        "EnableKeyRotation", "DisableKeyRotation", "GetKeyRotationStatus"};
    for (size_t i = 0; i < QK_COUNT(wrong); i++) {
        char target[64];
        snprintf(target, sizeof target, "TrentService.%s", wrong[i]);
        kit_expect(&w, ALICE, target, KEY, "UnsupportedOperationException",
            "%K origin is EXTERNAL which is not valid for this operation.");
    }
    kit_expect(&w, ALICE, "TrentService.CancelKeyDeletion", KEY, "KMSInvalidStateException",
        "%K is not pending deletion.");
    act(&w, "UpdateKeyDescription", "{\"KeyId\":\"%s\",\"Description\":\"d\"}");
    act(&w, "ScheduleKeyDeletion", KEY);
    act(&w, "CancelKeyDeletion", KEY);
    cr_expect_eq(key(&w)->state, KMS_STATE_PENDING_IMPORT, "there is nothing to be disabled");
    kit_world_free(&w);
}

QK_TEST(import, the_first_material_is_the_current_one)
{
    struct kit_world w;
    struct kms_decision d;
    world(&w);
    kit_expect_decision(&w, ALICE, OP, IMPORT(FOREVER), KMS_DO_IMPORT, &d);
    cr_expect_eq(d.ver, 1);
    cr_expect_null(d.version_record);
    act(&w, "ImportKeyMaterial", IMPORT(FOREVER ",\"KeyMaterialDescription\":\"one\""));
    const struct kms_version *v = &kit_version(&w, 1)->version_of;
    cr_expect_eq(key(&w)->state, KMS_STATE_ENABLED);
    cr_expect_eq(key(&w)->sym.current, 1);
    cr_expect_arr_eq(key(&w)->sym.material_id, v->material_id, 32);
    cr_expect(v->imported);
    cr_expect_eq(v->valid_to_ms, 0);
    cr_expect(qk_bytes_is(v->material_description, "one"));
    kit_expect_decision(&w, ALICE, "TrentService.Encrypt",
        "{\"KeyId\":\"%s\",\"Plaintext\":\"aGk=\"}", KMS_DO_ENCRYPT, &d);
    kit_expect_decision(&w, ALICE, "TrentService.GetKeyRotationStatus", KEY, KMS_DO_READ, &d);
    kit_expect(&w, ALICE, "TrentService.EnableKeyRotation", KEY, "UnsupportedOperationException",
        "%K origin is EXTERNAL which is not valid for this operation.");
    kit_world_free(&w);
}

QK_TEST(import, new_material_waits_for_the_rotation)
{
    struct kit_world w;
    char want[512], hex[65];
    world(&w);
    act(&w, "ImportKeyMaterial", IMPORT(FOREVER));
    kit_expect(&w, ALICE, "TrentService.RotateKeyOnDemand", KEY, "KMSInvalidStateException",
        "No available key material pending rotation for the key: %K.");
    act(&w, "ImportKeyMaterial", IMPORT(FOREVER NEW));
    cr_expect_eq(key(&w)->sym.current, 1);
    cr_expect_eq(key(&w)->sym.pending, 2);
    cr_expect_eq(kit_version(&w, 2)->version_of.rotated_ms, 0);
    qk_hex(kit_version(&w, 2)->version_of.material_id, 32, hex);
    snprintf(want, sizeof want,
        "New key material cannot be imported into KMS key %s, because another key material (id: "
        "%s) is pending rotation.",
        w.arn, hex);
    kit_expect(&w, ALICE, OP, IMPORT(FOREVER NEW), "KMSInvalidStateException", want);
    /* a blob cannot be of a version that no Encrypt ever used */
    char body[512];
    snprintf(body, sizeof body, "{\"CiphertextBlob\":\"%s\"}", kit_blob(w.key_id, 2, 201));
    kit_expect(&w, ALICE, "TrentService.Decrypt", body, "InvalidCiphertextException", NULL);
    w.ctx.now_ms += DAY;
    act(&w, "RotateKeyOnDemand", KEY);
    cr_expect_eq(key(&w)->sym.current, 2);
    cr_expect_eq(key(&w)->sym.pending, 0);
    cr_expect_eq(key(&w)->sym.on_demand, 1);
    cr_expect_eq(kit_version(&w, 2)->version_of.rotation, KMS_ROTATION_ON_DEMAND);
    cr_expect_eq(kit_version(&w, 2)->version_of.rotated_ms, KIT_NOW + DAY);
    cr_expect_eq(kit_version(&w, 2)->version, 2);
    cr_expect_arr_eq(key(&w)->sym.material_id, kit_version(&w, 2)->version_of.material_id, 32);
    kit_world_free(&w);
}

QK_TEST(import, the_same_material_may_come_again)
{
    struct kit_world w;
    struct kms_decision d;
    uint8_t id[32];
    world(&w);
    kit_expect(&w, ALICE, OP, IMPORT(FOREVER AGAIN), "IncorrectKeyMaterialException",
        "No such key material was ever imported into KMS key %K.");
    act(&w, "ImportKeyMaterial", IMPORT(FOREVER));
    memcpy(id, kit_version(&w, 1)->version_of.material_id, 32);
    kit_expect_decision(&w, ALICE, OP, IMPORT(FOREVER), KMS_DO_IMPORT, &d);
    cr_expect_eq(d.ver, 1, "after the first one, EXISTING is what is meant");
    cr_expect_eq(d.version_record, kit_version(&w, 1));
    act(&w, "ImportKeyMaterial", IMPORT(",\"ValidTo\":1790086400"));
    cr_expect_eq(kit_version(&w, 1)->version_of.valid_to_ms, 1790086400000);
    cr_expect_arr_eq(kit_version(&w, 1)->version_of.material_id, id, 32, "its id stays");
    cr_expect_eq(key(&w)->sym.n_versions, 1);
    cr_expect_eq(key(&w)->sym.next_expiry_ms, 1790086400000);
    kit_expect_decision(&w, ALICE, OP, naming(&w, 1, FOREVER), KMS_DO_IMPORT, &d);
    cr_expect_eq(d.ver, 1);
    kit_expect(&w, ALICE, OP, naming(&w, 1, FOREVER NEW), "ValidationException",
        "A KeyMaterialId must not be set if the ImportType is NEW_KEY_MATERIAL");
    kit_expect(&w, ALICE, OP,
        IMPORT(
            FOREVER ",\"KeyMaterialId\":\"00000000000000000000000000000000000000000000000000000000"
                    "0000abcd\""),
        "IncorrectKeyMaterialException", "No such key material was ever imported into KMS key %K.");
    kit_world_free(&w);
}

QK_TEST(import, expiry_is_asked_for_and_within_a_year)
{
    static const struct {
        const char *body, *text;
    } bad[] = {
        {IMPORT(""), "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES"},
        {IMPORT(FOREVER ",\"ValidTo\":1790086400"),
            "A validTo date must not be set if the ExpirationModel is "
            "KEY_MATERIAL_DOES_NOT_EXPIRE"},
        {IMPORT(",\"ValidTo\":1790000000"),
            "The validTo date must be in the future and at most 365 days from now"},
        {IMPORT(",\"ValidTo\":0"),
            "The validTo date must be in the future and at most 365 days from now"},
        {IMPORT(",\"ValidTo\":1821536001"),
            "The validTo date must be in the future and at most 365 days from now"},
        {IMPORT(",\"ValidTo\":1e300"),
            "The validTo date must be in the future and at most 365 days from now"},
    };
    struct kit_world w;
    struct kms_decision d;
    world(&w);
    for (size_t i = 0; i < QK_COUNT(bad); i++)
        kit_expect(&w, ALICE, OP, bad[i].body, "ValidationException", bad[i].text);
    kit_expect_decision(&w, ALICE, OP, IMPORT(",\"ValidTo\":1821536000"), KMS_DO_IMPORT, &d);
    kit_world_free(&w);
}

QK_TEST(import, deleted_material_makes_the_key_wait)
{
    struct kit_world w;
    struct kms_decision d;
    world(&w);
    kit_expect_decision(&w, ALICE, "TrentService.DeleteImportedKeyMaterial", KEY, KMS_DO_READ, &d);
    cr_expect_null(d.version_record);
    act(&w, "ImportKeyMaterial", IMPORT(FOREVER));
    act(&w, "ImportKeyMaterial", IMPORT(FOREVER NEW));
    act(&w, "RotateKeyOnDemand", KEY);
    kit_expect_decision(
        &w, ALICE, "TrentService.DeleteImportedKeyMaterial", naming(&w, 1, ""), KMS_DO_CHANGE, &d);
    cr_expect_eq(d.ver, 1);
    act(&w, "DisableKey", KEY);
    act(&w, "DeleteImportedKeyMaterial", KEY); /* the current one */
    cr_expect_eq(key(&w)->state, KMS_STATE_PENDING_IMPORT);
    cr_expect_eq(key(&w)->sym.missing, 1);
    cr_expect_not(kit_version(&w, 2)->version_of.imported);
    cr_expect_eq(key(&w)->sym.current, 2);
    kit_expect_decision(&w, ALICE, "TrentService.DeleteImportedKeyMaterial", KEY, KMS_DO_READ, &d);
    cr_expect_eq(d.version_record, kit_version(&w, 2));
    qk_assert_ok(kit_do(&w, ALICE, "TrentService.DeleteImportedKeyMaterial", naming(&w, 1, "")));
    cr_expect_eq(key(&w)->sym.missing, 2);
    /* unnamed, material is taken for the first that is not here */
    kit_expect_decision(&w, ALICE, OP, IMPORT(FOREVER), KMS_DO_IMPORT, &d);
    cr_expect_eq(d.ver, 1);
    act(&w, "ImportKeyMaterial", IMPORT(FOREVER));
    cr_expect_eq(key(&w)->state, KMS_STATE_PENDING_IMPORT, "all of it must be here");
    act(&w, "ImportKeyMaterial", IMPORT(FOREVER));
    cr_expect_eq(key(&w)->state, KMS_STATE_ENABLED);
    cr_expect(kit_version(&w, 2)->version_of.imported);
    kit_expect(&w, ALICE, "TrentService.DeleteImportedKeyMaterial",
        "{\"KeyId\":\"%s\",\"KeyMaterialId\":"
        "\"000000000000000000000000000000000000000000000000000000000000abcd\"}",
        "NotFoundException",
        "Key material '000000000000000000000000000000000000000000000000000000000000abcd' does not "
        "exist");
    kit_world_free(&w);
}

QK_TEST(import, pending_material_that_is_gone_cannot_be_rotated_to)
{
    struct kit_world w;
    world(&w);
    act(&w, "ImportKeyMaterial", IMPORT(FOREVER));
    act(&w, "ImportKeyMaterial", IMPORT(FOREVER NEW));
    qk_assert_ok(kit_do(&w, ALICE, "TrentService.DeleteImportedKeyMaterial", naming(&w, 2, "")));
    cr_expect_eq(key(&w)->state, KMS_STATE_ENABLED, "it is not in use");
    kit_expect(&w, ALICE, "TrentService.RotateKeyOnDemand", KEY, "KMSInvalidStateException",
        "No available key material pending rotation for the key: %K.");
    act(&w, "ImportKeyMaterial", IMPORT(FOREVER AGAIN));
    act(&w, "RotateKeyOnDemand", KEY);
    cr_expect_eq(key(&w)->sym.current, 2);
    kit_world_free(&w);
}

QK_TEST(import, material_expires_one_version_after_the_other)
{
    struct kit_world w;
    world(&w);
    act(&w, "ImportKeyMaterial", IMPORT(",\"ValidTo\":1790172800"));     /* two days */
    act(&w, "ImportKeyMaterial", IMPORT(NEW ",\"ValidTo\":1790086400")); /* one day */
    cr_expect_eq(key(&w)->sym.expiring, 2);
    cr_expect_eq(kms_due_of(key(&w), KIT_NOW + DAY - 1), KMS_DUE_NOTHING);
    cr_expect_eq(kms_due_of(key(&w), KIT_NOW + DAY), KMS_DUE_EXPIRE);
    qk_assert_err(kit_due(&w, KMS_DUE_EXPIRE), QK_E_EARLY);
    w.ctx.now_ms = KIT_NOW + 3 * DAY;
    qk_assert_ok(kit_due(&w, KMS_DUE_EXPIRE));
    cr_expect_not(kit_version(&w, 2)->version_of.imported);
    cr_expect_eq(kit_version(&w, 2)->version_of.valid_to_ms, 0);
    cr_expect_eq(key(&w)->state, KMS_STATE_ENABLED, "the pending one is not in use");
    cr_expect_eq(key(&w)->sym.expiring, 1);
    cr_expect_eq(kms_due_of(key(&w), w.ctx.now_ms), KMS_DUE_EXPIRE);
    qk_assert_ok(kit_due(&w, KMS_DUE_EXPIRE));
    cr_expect_eq(key(&w)->state, KMS_STATE_PENDING_IMPORT);
    cr_expect_eq(key(&w)->sym.expiring, 0);
    cr_expect_eq(kms_due_of(key(&w), UINT64_MAX), KMS_DUE_NOTHING);
    kit_world_free(&w);
}

/* No coordinator has to say so first: each node goes by its own clock. */
QK_TEST(import, material_whose_date_has_passed_is_not_used)
{
    struct kit_world w;
    struct kms_decision d;
    char opens[512];
    world(&w);
    act(&w, "ImportKeyMaterial", IMPORT(",\"ValidTo\":1790172800"));     /* two days */
    act(&w, "ImportKeyMaterial", IMPORT(NEW ",\"ValidTo\":1790086400")); /* one day; pending */
    snprintf(opens, sizeof opens, "{\"CiphertextBlob\":\"%s\"}", kit_blob(w.key_id, 1, 201));
    static const char seal[] = "{\"KeyId\":\"%s\",\"KeySpec\":\"AES_256\"}";
    w.ctx.now_ms = KIT_NOW + 2 * DAY - 1;
    kit_expect_decision(&w, ALICE, "TrentService.GenerateDataKey", seal, KMS_DO_ENCRYPT, &d);
    kit_expect_decision(&w, ALICE, "TrentService.Decrypt", opens, KMS_DO_DECRYPT, &d);
    w.ctx.now_ms = KIT_NOW + 2 * DAY;
    kit_expect(&w, ALICE, "TrentService.GenerateDataKey", seal, "KMSInvalidStateException",
        "%K is pending import.");
    kit_expect(&w, ALICE, "TrentService.Decrypt", opens, "KMSInvalidStateException",
        "%K is pending import.");
    kit_world_free(&w);
}

QK_TEST(import, expiry_takes_only_the_version_it_is_about)
{
    static struct kms_change out;
    struct kit_world w;
    world(&w);
    act(&w, "ImportKeyMaterial", IMPORT(",\"ValidTo\":1790086400"));
    act(&w, "ImportKeyMaterial", IMPORT(FOREVER NEW));
    struct kms_record *k = kit_key(&w);
    uint64_t now = KIT_NOW + 2 * DAY;
    qk_assert_err(
        kms_transition_due(k, kit_version(&w, 2), KMS_DUE_EXPIRE, now, NULL, &out), QK_E_STATE);
    qk_assert_err(kms_transition_due(k, NULL, KMS_DUE_EXPIRE, now, NULL, &out), QK_E_STATE);
    qk_assert_err(kms_transition_due(k, k, KMS_DUE_EXPIRE, now, NULL, &out), QK_E_STATE);
    kit_world_free(&w);
}

QK_TEST(import, a_leaving_key_loses_its_material_all_the_same)
{
    struct kit_world w;
    world(&w);
    act(&w, "ImportKeyMaterial", IMPORT(",\"ValidTo\":1790086400"));
    act(&w, "ScheduleKeyDeletion", KEY);
    kit_expect(
        &w, ALICE, OP, IMPORT(FOREVER), "KMSInvalidStateException", "%K is pending deletion.");
    w.ctx.now_ms = KIT_NOW + DAY;
    qk_assert_ok(kit_due(&w, KMS_DUE_EXPIRE));
    cr_expect_eq(key(&w)->state, KMS_STATE_PENDING_DELETION);
    act(&w, "CancelKeyDeletion", KEY);
    cr_expect_eq(key(&w)->state, KMS_STATE_PENDING_IMPORT);
    kit_world_free(&w);
}

QK_TEST(import, only_external_keys_take_material)
{
    static const char *const ops[] = {
        "GetParametersForImport", "ImportKeyMaterial", "DeleteImportedKeyMaterial"};
    struct kit_world w;
    kit_world_init(&w);
    for (int symmetric = 0; symmetric < 2; symmetric++) {
        if (symmetric) kit_symmetric(&w, "{}");
        for (size_t i = 0; i < QK_COUNT(ops); i++) {
            char target[64];
            snprintf(target, sizeof target, "TrentService.%s", ops[i]);
            kit_expect(&w, ALICE, target,
                IMPORT(FOREVER ",\"WrappingAlgorithm\":\"RSAES_OAEP_SHA_256\",\"WrappingKeySpec\":"
                               "\"RSA_2048\""),
                "UnsupportedOperationException",
                "%K origin is AWS_KMS which is not valid for this operation.");
        }
    }
    kit_world_free(&w);
}

QK_TEST(import, parameters_are_those_of_rsa)
{
    static const char *const good[] = {"RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256",
        "RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256"};
    struct kit_world w;
    struct kms_decision d;
    char body[256];
    world(&w);
    for (size_t i = 0; i < QK_COUNT(good); i++) {
        snprintf(body, sizeof body,
            "{\"KeyId\":\"%s\",\"WrappingAlgorithm\":\"%s\",\"WrappingKeySpec\":\"RSA_4096\"}",
            w.key, good[i]);
        kit_expect_decision(
            &w, ALICE, "TrentService.GetParametersForImport", body, KMS_DO_IMPORT_PARAMETERS, &d);
    }
    kit_expect(&w, ALICE, "TrentService.GetParametersForImport",
        "{\"KeyId\":\"%s\",\"WrappingAlgorithm\":\"RSAES_PKCS1_V1_5\",\"WrappingKeySpec\":\"RSA_"
        "2048\"}",
        "UnsupportedOperationException",
        "WrappingAlgorithm RSAES_PKCS1_V1_5 is not supported by this service.");
    kit_expect(&w, ALICE, "TrentService.GetParametersForImport",
        "{\"KeyId\":\"%s\",\"WrappingAlgorithm\":\"RSAES_OAEP_SHA_256\",\"WrappingKeySpec\":"
        "\"SM2\"}",
        "UnsupportedOperationException", "WrappingKeySpec SM2 is not supported by this service.");
    kit_world_free(&w);
}

QK_TEST(import, a_key_has_at_most_26_materials)
{
    struct kit_world w;
    world(&w);
    act(&w, "ImportKeyMaterial", IMPORT(FOREVER));
    for (uint32_t i = 0; i < KMS_ROTATIONS_ON_DEMAND_MAX; i++) {
        act(&w, "ImportKeyMaterial", IMPORT(FOREVER NEW));
        act(&w, "RotateKeyOnDemand", KEY);
    }
    cr_expect_eq(key(&w)->sym.current, KMS_MATERIALS_MAX);
    kit_expect(&w, ALICE, OP, IMPORT(FOREVER NEW), "LimitExceededException",
        "The on-demand rotations limit has been reached for the given keyId. No more on-demand "
        "rotations can be performed for this key: %K");
    kit_world_free(&w);
}
