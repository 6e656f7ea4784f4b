/* Records of HMAC keys, their imported material, and what is answered about them. */
#include "qktest/qktest.h"

#include <jansson.h>
#include <stdio.h>
#include "kms/response.h"
#include "kmskit.h"

#define ALICE KIT_ALICE
#define KEY   "{\"KeyId\":\"%s\"}"
#define DAY   86400000ull
#define OP    "TrentService.ImportKeyMaterial"
#define IMPORT(more)                                                                               \
    "{\"KeyId\":\"%s\",\"ImportToken\":\"AA==\",\"EncryptedKeyMaterial\":\"AA==\"" more "}"
#define FOREVER    ",\"ExpirationModel\":\"KEY_MATERIAL_DOES_NOT_EXPIRE\""
#define HMAC(more) "{\"KeySpec\":\"HMAC_384\",\"KeyUsage\":\"GENERATE_VERIFY_MAC\"" more "}"
#define EXTERNAL   HMAC(",\"Origin\":\"EXTERNAL\"")
#define STRICT     ",\"Tags\":[{\"TagKey\":\"qkms:mac-profile\",\"TagValue\":\"strict\"}]"
#define MAC        "{\"KeyId\":\"%s\",\"Message\":\"aGk=\",\"MacAlgorithm\":\"HMAC_SHA_384\"}"

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

static const struct kms_version *version(struct kit_world *w)
{
    return &kit_version(w, 1)->version_of;
}

/* ---- records ---- */

QK_TEST(mac_record, create_key_makes_two_records)
{
    struct kit_world w;
    kit_world_init(&w);
    kit_symmetric(&w, HMAC(STRICT));
    cr_expect_eq(key(&w)->state, KMS_STATE_ENABLED);
    cr_expect_eq(key(&w)->origin, KMS_ORIGIN_AWS_KMS);
    cr_expect_eq(key(&w)->sym.modes, KMS_MODES_MAC_S);
    cr_expect_eq(key(&w)->sym.current, 1);
    cr_expect_eq(key(&w)->sym.n_versions, 1);
    cr_expect_eq(key(&w)->pkrec.len, 0);
    cr_assert_not_null(kit_version(&w, 1));
    cr_expect_arr_eq(version(&w)->material_id, key(&w)->sym.material_id, 32);
    cr_expect(version(&w)->imported);
    kit_world_free(&w);
}

QK_TEST(mac_record, round_trips_and_hostile_bytes)
{
    static const char *const specs[] = {HMAC(""), HMAC(STRICT), EXTERNAL};
    struct kit_world w;
    kit_world_init(&w);
    for (size_t s = 0; s < QK_COUNT(specs); s++) {
        struct kms_record got;
        QK_AUTO_BUF a = QK_BUF(KMS_RECORD_ENCODED_MAX);
        QK_AUTO_BUF b = QK_BUF(KMS_RECORD_ENCODED_MAX);
        kit_symmetric(&w, specs[s]);
        if (s == 2) act(&w, "ImportKeyMaterial", IMPORT(FOREVER));
        qk_assert_ok(kms_record_encode(kit_key(&w), &a));
        qk_assert_ok(kms_record_decode(qk_buf_view(&a), &got));
        qk_assert_ok(kms_record_encode(&got, &b));
        cr_assert(qk_bytes_eq(qk_buf_view(&a), qk_buf_view(&b)));
        for (size_t n = 0; n < b.len; n++)
            cr_assert_neq(kms_record_decode(qk_bytes(b.p, n), &got), QK_OK);
        for (size_t at = 0; at < 8 * b.len; at++) {
            b.p[at / 8] ^= (uint8_t)(1u << at % 8);
            if (kms_record_decode(qk_buf_view(&b), &got) == QK_OK)
                cr_assert(memcmp(got.hash, kit_key(&w)->hash, 32) != 0);
            b.p[at / 8] ^= (uint8_t)(1u << at % 8);
        }
    }
    kit_world_free(&w);
}

#define KEY_BEND(name, what)                                                                       \
    static void name(struct kms_record *r)                                                         \
    {                                                                                              \
        what;                                                                                      \
    }
KEY_BEND(no_modes, r->key.sym.modes = 0)
KEY_BEND(symmetric_modes, r->key.sym.modes = KMS_MODES_FV)
KEY_BEND(both_profiles, r->key.sym.modes = KMS_MODES_MAC_N | KMS_MODES_MAC_S)
KEY_BEND(two_versions, r->key.sym.n_versions = r->key.sym.current = 2)
KEY_BEND(rotating, r->key.sym.rotating = true; r->key.sym.period_days = 90;
         r->key.sym.next_rotation_ms = 1)
KEY_BEND(period_alone, r->key.sym.period_days = 90)
KEY_BEND(date_alone, r->key.sym.next_rotation_ms = 1)
KEY_BEND(was_rotated, r->key.sym.last_rotation_ms = 1)
KEY_BEND(on_demand, r->key.sym.on_demand = 1)
KEY_BEND(pending, r->key.sym.pending = 1)
KEY_BEND(no_material, memset(r->key.sym.material_id, 0, 32))
KEY_BEND(with_pkrec, r->key.pkrec = qk_str("x"))
KEY_BEND(with_spki, r->key.spki = qk_str("x"))
KEY_BEND(another_family, r->key.spec = kms_keyspec_by_id(KMS_SPEC_SYMMETRIC_DEFAULT))

QK_TEST(mac_record, fields_have_bounds)
{
    static void (*const bends[])(struct kms_record *) = {no_modes, symmetric_modes, both_profiles,
        two_versions, rotating, period_alone, date_alone, was_rotated, on_demand, pending,
        no_material, with_pkrec, with_spki, another_family};
    static const char *const specs[] = {HMAC(""), EXTERNAL};
    struct kit_world w;
    kit_world_init(&w);
    for (size_t s = 0; s < QK_COUNT(specs); s++) {
        kit_symmetric(&w, specs[s]);
        if (s == 1) act(&w, "ImportKeyMaterial", IMPORT(FOREVER));
        for (size_t i = 0; i < QK_COUNT(bends); i++) {
            struct kms_record bent = *kit_key(&w);
            QK_AUTO_BUF b = QK_BUF(KMS_RECORD_ENCODED_MAX);
            qk_assert_ok(kms_record_encode(&bent, &b));
            qk_buf_clear(&b);
            bends[i](&bent);
            cr_expect_eq(kms_record_encode(&bent, &b), QK_E_STATE, "bend %zu of %zu", i, s);
        }
    }
    kit_world_free(&w);
}

/* A symmetric key must not borrow a profile. */
QK_TEST(mac_record, a_symmetric_key_has_no_profile)
{
    struct kit_world w;
    kit_world_init(&w);
    kit_symmetric(&w, "{}");
    for (unsigned modes = KMS_MODES_FV + 1; modes <= 2 * KMS_MODES_MAC_S; modes++) {
        struct kms_record bent = *kit_key(&w);
        QK_AUTO_BUF b = QK_BUF(KMS_RECORD_ENCODED_MAX);
        bent.key.sym.modes = (uint8_t)modes;
        qk_assert_err(kms_record_encode(&bent, &b), QK_E_STATE);
    }
    kit_world_free(&w);
}

/* ---- imported material ---- */

QK_TEST(mac_record, a_key_waits_for_its_one_material)
{
    struct kit_world w;
    struct kms_decision d;
    uint8_t id[32];
    kit_world_init(&w);
    kit_symmetric(&w, EXTERNAL);
    cr_expect_eq(key(&w)->state, KMS_STATE_PENDING_IMPORT);
    cr_expect_null(kit_version(&w, 1));
    kit_expect_decision(&w, ALICE, "TrentService.GetParametersForImport",
        "{\"KeyId\":\"%s\",\"WrappingAlgorithm\":\"RSA_AES_KEY_WRAP_SHA_256\",\"WrappingKeySpec\":"
        "\"RSA_2048\"}",
        KMS_DO_IMPORT_PARAMETERS, &d);
    kit_expect_decision(&w, ALICE, "TrentService.DeleteImportedKeyMaterial", KEY, KMS_DO_READ, &d);
    kit_expect_decision(&w, ALICE, OP, IMPORT(FOREVER), KMS_DO_IMPORT, &d);
    cr_expect_eq(d.ver, 1);
    cr_expect_eq(d.modes, KMS_MODES_MAC_N);
    cr_expect_null(d.version_record);
    cr_expect_str_eq(d.spec->name, "HMAC_384");
    act(&w, "ImportKeyMaterial", IMPORT(FOREVER));
    cr_expect_eq(key(&w)->state, KMS_STATE_ENABLED);
    memcpy(id, version(&w)->material_id, 32);
    kit_expect_decision(&w, ALICE, "TrentService.GenerateMac", MAC, KMS_DO_GENERATE_MAC, &d);
    /* what comes next is about the same version, whatever is in it: the nodes compare */
    kit_expect_decision(&w, ALICE, OP, IMPORT(FOREVER), KMS_DO_IMPORT, &d);
    cr_expect_eq(d.ver, 1);
    cr_expect_eq(d.version_record, kit_version(&w, 1));
    act(&w, "DeleteImportedKeyMaterial", KEY);
    cr_expect_eq(key(&w)->state, KMS_STATE_PENDING_IMPORT);
    cr_expect_not(version(&w)->imported);
    kit_expect(&w, ALICE, "TrentService.GenerateMac", MAC, "KMSInvalidStateException",
        "%K is pending import.");
    act(&w, "ImportKeyMaterial", IMPORT(FOREVER));
    cr_expect_eq(key(&w)->state, KMS_STATE_ENABLED);
    cr_expect_eq(key(&w)->sym.n_versions, 1);
    cr_expect_arr_eq(version(&w)->material_id, id, 32, "its id is that of the first time");
    kit_world_free(&w);
}

QK_TEST(mac_record, there_is_nothing_to_choose_name_or_describe)
{
    static const char *const what[] = {"ImportType", "KeyMaterialId", "KeyMaterialDescription"};
    static const char *const values[] = {"NEW_KEY_MATERIAL",
        "1111111111111111111111111111111111111111111111111111111111111111", "mine"};
    struct kit_world w;
    kit_world_init(&w);
    kit_symmetric(&w, EXTERNAL);
    for (size_t again = 0; again < 2; again++) {
        for (size_t i = 0; i < QK_COUNT(what); i++) {
            char body[512], want[256];
            snprintf(body, sizeof body,
                "{\"KeyId\":\"%s\",\"ImportToken\":\"AA==\",\"EncryptedKeyMaterial\":\"AA==\","
                "\"ExpirationModel\":\"KEY_MATERIAL_DOES_NOT_EXPIRE\",\"%s\":\"%s\"}",
                w.key, what[i], values[i]);
            snprintf(want, sizeof want,
                "%s is valid only for symmetric encryption keys, not for KeySpec HMAC_384.",
                what[i]);
            kit_expect(&w, ALICE, OP, body, "ValidationException", want);
        }
        act(&w, "ImportKeyMaterial", IMPORT(FOREVER));
    }
    char hex[65], body[256];
    qk_hex(version(&w)->material_id, 32, hex);
    snprintf(body, sizeof body, "{\"KeyId\":\"%s\",\"KeyMaterialId\":\"%s\"}", w.key, hex);
    kit_expect(&w, ALICE, "TrentService.DeleteImportedKeyMaterial", body, "ValidationException",
        "KeyMaterialId is valid only for symmetric encryption keys, not for KeySpec HMAC_384.");
    kit_world_free(&w);
}

QK_TEST(mac_record, material_that_expires_is_gone_by_every_clock)
{
    struct kit_world w;
    struct kms_decision d;
    kit_world_init(&w);
    kit_symmetric(&w, EXTERNAL);
    kit_expect(&w, ALICE, OP, IMPORT(""), "ValidationException",
        "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES");
    act(&w, "ImportKeyMaterial", IMPORT(",\"ValidTo\":1790000100"));
    cr_expect_eq(version(&w)->valid_to_ms, 1790000100000u);
    kit_expect_decision(&w, ALICE, "TrentService.GenerateMac", MAC, KMS_DO_GENERATE_MAC, &d);
    w.ctx.now_ms = 1790000100000u;
    kit_expect(&w, ALICE, "TrentService.GenerateMac", MAC, "KMSInvalidStateException",
        "%K is pending import.");
    cr_expect_eq(kms_due_of(key(&w), w.ctx.now_ms), KMS_DUE_EXPIRE);
    qk_assert_ok(kit_due(&w, KMS_DUE_EXPIRE));
    cr_expect_eq(key(&w)->state, KMS_STATE_PENDING_IMPORT);
    act(&w, "ImportKeyMaterial", IMPORT(FOREVER));
    cr_expect_eq(version(&w)->valid_to_ms, 0);
    kit_expect_decision(&w, ALICE, "TrentService.GenerateMac", MAC, KMS_DO_GENERATE_MAC, &d);
    kit_world_free(&w);
}

QK_TEST(mac_record, generated_material_is_not_imported)
{
    static const char *const ops[] = {"ImportKeyMaterial", "DeleteImportedKeyMaterial"};
    struct kit_world w;
    kit_world_init(&w);
    kit_symmetric(&w, HMAC(""));
    for (size_t i = 0; i < QK_COUNT(ops); i++) {
        char target[64];
        snprintf(target, sizeof target, "TrentService.%s", ops[i]);
        kit_expect(&w, ALICE, target, IMPORT(FOREVER), "UnsupportedOperationException",
            "%K origin is AWS_KMS which is not valid for this operation.");
    }
    kit_world_free(&w);
}

/* ---- answers ---- */

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

#define ARN "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-4000-8000-000000000000"
#define METADATA(enabled, state, origin, more)                                                     \
    "{\"KeyMetadata\":{\"AWSAccountId\":\"123456789012\",\"KeyId\":\"00000000-0000-4000-8000-"     \
    "000000000000\",\"Arn\":\"" ARN "\",\"CreationDate\":1790000000.0,\"Enabled\":" enabled        \
    ",\"Description\":\"\",\"KeyUsage\":\"GENERATE_VERIFY_MAC\",\"KeyState\":\"" state             \
    "\",\"Origin\":\"" origin "\",\"KeyManager\":\"CUSTOMER\",\"KeySpec\":\"HMAC_224\","           \
    "\"CustomerMasterKeySpec\":\"HMAC_224\",\"MacAlgorithms\":[\"HMAC_SHA_224\"]," more            \
    "\"MultiRegion\":false}}"

static struct kms_key fixed_key(void)
{
    struct kms_key k = {.account = qk_str(KIT_ACCOUNT),
        .region = qk_str(KIT_REGION),
        .spec = kms_keyspec_by_id(KMS_SPEC_HMAC_224),
        .state = KMS_STATE_ENABLED,
        .origin = KMS_ORIGIN_AWS_KMS,
        .created_ms = KIT_NOW,
        .sym = {.modes = KMS_MODES_MAC_N, .n_versions = 1, .current = 1}};
    k.key_id[6] = 0x40;
    k.key_id[8] = 0x80;
    memset(k.sym.material_id, 0x11, 32);
    return k;
}

QK_TEST(mac_record, metadata_names_no_material)
{
    struct kms_key k = fixed_key();
    uint8_t packed[KMS_MATERIAL_LEN];
    struct kms_material m = {.here = true, .valid_to_ms = KIT_NOW + 5000};
    QK_AUTO_BUF b = QK_BUF(65536);
    kms_answer_key(&k, &b);
    json_is(&b, METADATA("true", "Enabled", "AWS_KMS", ""));
    k.origin = KMS_ORIGIN_EXTERNAL;
    memset(m.material_id, 0x11, 32);
    kms_material_put(&m, packed);
    k.sym.materials = QK_BYTES(packed);
    kms_material_derive(&k.sym);
    kms_answer_key(&k, &b);
    json_is(&b, METADATA("true", "Enabled", "EXTERNAL",
                    "\"ExpirationModel\":\"KEY_MATERIAL_EXPIRES\",\"ValidTo\":1790000005.0,"));
    k.state = KMS_STATE_PENDING_IMPORT;
    k.sym = (struct kms_symmetric){.modes = KMS_MODES_MAC_N};
    kms_answer_key(&k, &b);
    json_is(&b, METADATA("false", "PendingImport", "EXTERNAL", ""));
}

QK_TEST(mac_record, answers_have_exactly_these_members)
{
    struct kms_key k = fixed_key();
    struct kms_version v = {.ver = 1, .imported = true};
    QK_AUTO_BUF b = QK_BUF(65536);
    memset(v.material_id, 0x11, 32);
    kms_answer_mac(&k, qk_str("\1\2\3"), &b);
    json_is(&b, "{\"KeyId\":\"" ARN "\",\"Mac\":\"AQID\",\"MacAlgorithm\":\"HMAC_SHA_224\"}");
    kms_answer_mac_valid(&k, &b);
    json_is(&b, "{\"KeyId\":\"" ARN "\",\"MacValid\":true,\"MacAlgorithm\":\"HMAC_SHA_224\"}");
    kms_answer_import(&k, &v, &b);
    json_is(&b, "{\"KeyId\":\"" ARN "\"}");
    kms_answer_rotation_status(&k, &b);
    json_is(&b, "{\"KeyId\":\"" ARN "\",\"KeyRotationEnabled\":false}");
    cr_expect(!kms_answer_is_empty(KMS_OP_GENERATE_MAC));
}

/* M-16: what is said about a bad MAC is its name and nothing else. */
QK_TEST(mac_record, M_16_a_bad_mac_is_told_in_one_word)
{
    struct kms_fault fault, relayed;
    QK_AUTO_BUF b = QK_BUF(4096);
    qk_assert_err(kms_fault_bad_mac(&fault), QK_E_DENIED);
    kms_fault_json(&fault, &b);
    json_is(&b, "{\"__type\":\"KMSInvalidMacException\"}");
    cr_expect_eq(fault.http_status, 400);
    qk_assert_ok(kms_fault_from_parts(qk_str(fault.type), qk_bytes(NULL, 0), false, &relayed));
    cr_expect_not(relayed.has_message);
}

QK_TEST(mac_record, digests_of_every_spec)
{
    static const struct {
        enum kms_spec_id id;
        const char *empty; /* the digest of nothing, FIPS 180-4 */
    } rows[] = {{KMS_SPEC_HMAC_224, "d14a028c2a3a2bc9476102bb288234c4"},
        {KMS_SPEC_HMAC_256, "e3b0c44298fc1c149afbf4c8996fb924"},
        {KMS_SPEC_HMAC_384, "38b060a751ac96384cd9327eb1b1e36a"},
        {KMS_SPEC_HMAC_512, "cf83e1357eefb8bdf1542850d66d8007"}};
    for (size_t i = 0; i < QK_COUNT(rows); i++) {
        const struct kms_keyspec *spec = kms_keyspec_by_id(rows[i].id);
        uint8_t digest[KMS_DIGEST_MAX];
        char hex[33];
        size_t len = 0;
        qk_assert_ok(kms_hash(spec->hash, qk_bytes(NULL, 0), digest, &len));
        cr_expect_eq(len, spec->digest_len);
        qk_hex(digest, 16, hex);
        cr_expect_str_eq(hex, rows[i].empty);
    }
}
