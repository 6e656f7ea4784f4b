/* Parameters of the operations of symmetric keys, and the claims of Encrypt. */
#include "qktest/qktest.h"

#include <stdio.h>
#include <stdlib.h>
#include <jansson.h>
#include "kmskit.h"

static struct kms_request r;
static struct kms_fault f;

static void parse(const char *op, const char *body)
{
    char target[96];
    snprintf(target, sizeof target, "TrentService.%s", op);
    qk_err err = kit_parse(target, body, &r, &f);
    cr_assert_eq(err, QK_OK, "%s %s gave %s", op, body, f.message);
}

static void refuse(const char *op, const char *body, const char *type, const char *text)
{
    char target[96];
    snprintf(target, sizeof target, "TrentService.%s", op);
    qk_assert_err(kit_parse(target, body, &r, &f), QK_E_DENIED);
    cr_expect_str_eq(f.type, type);
    if (text) cr_expect_str_eq(f.message, text);
}

static struct qk_bytes value_of(const struct kms_context_map *map, const char *key)
{
    for (size_t i = 0; i < map->n; i++)
        if (qk_bytes_is(map->pairs[i].key, key)) return map->pairs[i].value;
    return qk_bytes(NULL, 0);
}

QK_TEST(symmetric_request, encrypt_and_decrypt_with_context)
{
    parse("Encrypt",
        "{\"KeyId\":\"k\",\"Plaintext\":\"aGVsbG8=\",\"EncryptionContext\":{\"b\":\"2\","
        "\"a\":\"\"},\"GrantTokens\":[\"t\"]}");
    cr_expect(qk_bytes_is(r.plaintext, "hello"));
    cr_expect(qk_bytes_is(r.enc_algorithm, "SYMMETRIC_DEFAULT"));
    cr_expect_eq(r.context.n, 2);
    cr_expect(qk_bytes_is(value_of(&r.context, "b"), "2"));
    cr_expect_eq(value_of(&r.context, "a").len, 0);
    kms_request_free(&r);
    parse("Decrypt", "{\"CiphertextBlob\":\"AQID\",\"EncryptionContext\":null}");
    cr_expect_eq(r.blob.len, 3);
    cr_expect_null(r.key_id.p);
    cr_expect_eq(r.context.n, 0);
    cr_expect_not(r.recipient);
    cr_expect_not(r.ignore_ciphertext);
    kms_request_free(&r);
    parse("Decrypt", "{\"KeyId\":\"k\",\"DryRun\":true,\"DryRunModifiers\":[\"IGNORE_CIPHERTEXT\"],"
                     "\"Recipient\":{},\"EncryptionAlgorithm\":\"RSAES_OAEP_SHA_1\"}");
    cr_expect_null(r.blob.p);
    cr_expect(r.ignore_ciphertext);
    cr_expect(r.recipient);
    cr_expect(qk_bytes_is(r.enc_algorithm, "RSAES_OAEP_SHA_1"));
    kms_request_free(&r);
}

QK_TEST(symmetric_request, re_encrypt_has_two_sides)
{
    parse("ReEncrypt", "{\"CiphertextBlob\":\"AQID\",\"DestinationKeyId\":\"d\",\"SourceKeyId\":"
                       "\"s\",\"SourceEncryptionContext\":{\"a\":\"1\"},"
                       "\"DestinationEncryptionContext\":{\"a\":\"2\",\"b\":\"3\"}}");
    cr_expect(qk_bytes_is(r.key_id, "s"));
    cr_expect(qk_bytes_is(r.dest_key_id, "d"));
    cr_expect(qk_bytes_is(value_of(&r.context, "a"), "1"));
    cr_expect(qk_bytes_is(value_of(&r.dest_context, "a"), "2"));
    cr_expect_eq(r.dest_context.n, 2);
    cr_expect(qk_bytes_is(r.dest_algorithm, "SYMMETRIC_DEFAULT"));
    kms_request_free(&r);
}

QK_TEST(symmetric_request, sizes_of_data_keys)
{
    static const struct {
        const char *body;
        uint32_t want;
    } rows[] = {{"{\"KeyId\":\"k\",\"KeySpec\":\"AES_128\"}", 16},
        {"{\"KeyId\":\"k\",\"KeySpec\":\"AES_256\"}", 32},
        {"{\"KeyId\":\"k\",\"NumberOfBytes\":1024}", 1024}, {"{\"KeyId\":\"k\"}", 0},
        {"{\"KeyId\":\"k\",\"NumberOfBytes\":32,\"KeySpec\":\"AES_256\"}", UINT32_MAX}};
    for (size_t i = 0; i < QK_COUNT(rows); i++) {
        parse("GenerateDataKey", rows[i].body);
        cr_expect_eq(r.n_bytes, rows[i].want);
        kms_request_free(&r);
    }
    parse("GenerateRandom", "{\"NumberOfBytes\":7,\"CustomKeyStoreId\":\"c\"}");
    cr_expect_eq(r.n_bytes, 7);
    cr_expect(r.custom_key_store);
    kms_request_free(&r);
    parse("GenerateDataKeyPair", "{\"KeyId\":\"k\",\"KeyPairSpec\":\"RSA_2048\"}");
    cr_expect(qk_bytes_is(r.pair_spec, "RSA_2048"));
    kms_request_free(&r);
}

QK_TEST(symmetric_request, modes_are_a_tag)
{
    static const struct {
        const char *tags;
        uint8_t modes;
        size_t other;
    } rows[] = {{"[]", KMS_MODES_FV, 0},
        {"[{\"TagKey\":\"qkms:modes\",\"TagValue\":\"F\"}]", KMS_MODES_F, 0},
        {"[{\"TagKey\":\"qkms:modes\",\"TagValue\":\"V\"}]", KMS_MODES_V, 0},
        {"[{\"TagKey\":\"qkms:modes\",\"TagValue\":\"FV\"},{\"TagKey\":\"x\",\"TagValue\":\"\"}]",
            KMS_MODES_FV, 1},
        {"[{\"TagKey\":\"qkms:modes\",\"TagValue\":\"VF\"}]", 0, 0},
        {"[{\"TagKey\":\"QKMS:modes\",\"TagValue\":\"V\"}]", KMS_MODES_FV, 1}};
    char body[512];
    for (size_t i = 0; i < QK_COUNT(rows); i++) {
        snprintf(body, sizeof body, "{\"Tags\":%s}", rows[i].tags);
        parse("CreateKey", body);
        cr_expect_eq(r.modes, rows[i].modes, "%s", body);
        cr_expect_eq(r.n_other_tags, rows[i].other, "%s", body);
        kms_request_free(&r);
    }
    refuse("CreateKey",
        "{\"Tags\":[{\"TagKey\":\"qkms:modes\",\"TagValue\":\"F\"},{\"TagKey\":\"qkms:modes\","
        "\"TagValue\":\"F\"}]}",
        "TagException", "Duplicate tag keys");
}

QK_TEST(symmetric_request, rotation_and_import)
{
    parse("EnableKeyRotation", "{\"KeyId\":\"k\"}");
    cr_expect_eq(r.period_days, 365);
    kms_request_free(&r);
    parse("ListKeyRotations",
        "{\"KeyId\":\"k\",\"IncludeKeyMaterial\":\"ALL_KEY_MATERIAL\",\"Limit\":9}");
    cr_expect(r.all_material);
    cr_expect_eq(r.limit, 9);
    kms_request_free(&r);
    parse("GetParametersForImport",
        "{\"KeyId\":\"k\",\"WrappingAlgorithm\":\"RSAES_OAEP_SHA_256\",\"WrappingKeySpec\":\"RSA_"
        "3072\"}");
    cr_expect(qk_bytes_is(r.wrapping_spec, "RSA_3072"));
    kms_request_free(&r);
    parse("ImportKeyMaterial",
        "{\"KeyId\":\"k\",\"ImportToken\":\"AQ==\",\"EncryptedKeyMaterial\":\"AgM=\","
        "\"ValidTo\":1790000001.5}");
    cr_expect_eq(r.import_token.len, 1);
    cr_expect_eq(r.encrypted_material.len, 2);
    cr_expect(r.expires);
    cr_expect_eq(r.valid_to_ms, 1790000001500);
    cr_expect_eq(r.import_new, -1);
    cr_expect_null(r.material_id.p);
    kms_request_free(&r);
    parse("ImportKeyMaterial",
        "{\"KeyId\":\"k\",\"ImportToken\":\"AQ==\",\"EncryptedKeyMaterial\":\"AgM=\","
        "\"ExpirationModel\":\"KEY_MATERIAL_DOES_NOT_EXPIRE\",\"ImportType\":\"EXISTING_KEY_"
        "MATERIAL\",\"KeyMaterialDescription\":\"d 1\"}");
    cr_expect_not(r.expires);
    cr_expect_eq(r.import_new, 0);
    cr_expect(qk_bytes_is(r.material_description, "d 1"));
    kms_request_free(&r);
}

QK_TEST(symmetric_request, no_time_is_taken_for_an_absent_one)
{
    static const struct {
        const char *at;
        uint64_t want;
    } rows[] = {{"0", 1}, {"-5", 1}, {"-1e300", 1}, {"1e300", 9000000000000000u}, {"1", 1000}};
    char body[256];
    for (size_t i = 0; i < QK_COUNT(rows); i++) {
        snprintf(body, sizeof body,
            "{\"KeyId\":\"k\",\"ImportToken\":\"AQ==\",\"EncryptedKeyMaterial\":\"AgM=\","
            "\"ValidTo\":%s}",
            rows[i].at);
        parse("ImportKeyMaterial", body);
        cr_expect_eq(r.valid_to_ms, rows[i].want, "%s", rows[i].at);
        kms_request_free(&r);
    }
}

/* S-10: what the context is must be beyond doubt: no key twice, strings only, and no more of it
 * than its canonical form may hold. */
QK_TEST(symmetric_request, S_10_contexts_are_maps_of_strings_within_8192_bytes)
{
    QK_AUTO_BUF body = QK_BUF(32768);
    for (int over = 0; over < 2; over++) {
        qk_buf_clear(&body);
        qk_buf_add_str(&body, "{\"KeyId\":\"k\",\"KeySpec\":\"AES_256\",\"EncryptionContext\":{\"");
        for (int i = 0; i < 4000; i++) qk_buf_add_u8(&body, 'a');
        qk_buf_add_str(&body, "\":\"");
        for (int i = 0; i < 8192 - 2 - 8 - 4000 + over; i++) qk_buf_add_u8(&body, 'v');
        qk_buf_add_str(&body, "\"}}");
        if (over == 0) {
            parse("GenerateDataKey", qk_buf_cstr(&body));
            kms_request_free(&r);
        } else
            refuse("GenerateDataKey", qk_buf_cstr(&body), "ValidationException",
                "EncryptionContext is larger than 8192 bytes.");
    }
    static const char *const bad[] = {"{\"a\":1}", "{\"a\":true}", "{\"a\":null}", "[]", "\"a\"",
        "{\"a\":\"1\",\"a\":\"2\"}", "{\"a\":{\"b\":\"c\"}}", "{\"a\":\"\\u0000\"}"};
    for (size_t i = 0; i < QK_COUNT(bad); i++) {
        char text[256];
        snprintf(
            text, sizeof text, "{\"CiphertextBlob\":\"AQ==\",\"EncryptionContext\":%s}", bad[i]);
        refuse("Decrypt", text, "SerializationException", NULL);
    }
}

/* ---- claims ---- */

#define ENCRYPT "TrentService.Encrypt"

static struct kms_raw hashed(void)
{
    static const uint8_t hash[32];
    struct kms_raw raw = kit_raw(ENCRYPT, "");
    raw.body = QK_BYTES(hash);
    raw.body_is_hash = true;
    return raw;
}

/* S-15: the plaintext is nowhere in what nodes get, whatever name it came under. */
QK_TEST(symmetric_request, S_15_a_claim_says_everything_but_the_plaintext)
{
    QK_AUTO_BUF claim = QK_BUF(65536);
    struct kms_raw raw = kit_raw(ENCRYPT,
        "{\"Plaintext\":\"TUFSS0VS\",\"KeyId\":\"a\\\"b\",\"EncryptionContext\":{\"k\":"
        "\"v\\u00e9\"},"
        "\"plaintext\":\"TUFSS0VS\",\"DryRun\":true,\"GrantTokens\":[\"TUFSS0VS\"],\"X\":{\"y\":"
        "\"TUFSS0VS\"}}");
    qk_assert_ok(kms_claim_make(&raw, &claim));
    cr_assert_null(strstr(qk_buf_cstr(&claim), "TUFSS0VS"));
    struct kms_raw relayed = hashed();
    qk_assert_ok(kms_claim_parse(&relayed, qk_buf_view(&claim), &r, &f));
    cr_expect_eq(r.op, KMS_OP_ENCRYPT);
    cr_expect(qk_bytes_is(r.key_id, "a\"b"));
    cr_expect(r.dry_run);
    cr_expect(qk_bytes_is(value_of(&r.context, "k"), "v\xc3\xa9"));
    cr_expect_eq(r.plaintext.len, 1);
    kms_request_free(&r);
    raw = kit_raw("TrentService.Decrypt", "{\"CiphertextBlob\":\"AQ==\"}");
    qk_assert_err(kms_claim_make(&raw, &claim), QK_E_STATE);
    raw = kit_raw(ENCRYPT, "{");
    qk_assert_err(kms_claim_make(&raw, &claim), QK_E_STATE);
    qk_assert_err(kms_claim_make(&relayed, &claim), QK_E_STATE);
}

QK_TEST(symmetric_request, the_longest_claim_fits_its_call)
{
    QK_AUTO_BUF body = QK_BUF(KMS_RAW_BODY_MAX);
    QK_AUTO_BUF claim = QK_BUF(65536);
    qk_buf_add_str(&body, "{\"Plaintext\":\"AA==\",\"KeyId\":\"");
    for (int i = 0; i < 2048; i++) qk_buf_add_str(&body, "\\u0001");
    qk_buf_add_str(&body, "\",\"EncryptionContext\":{\"k\":\"");
    for (int i = 0; i < 8192 - 2 - 8 - 1; i++) qk_buf_add_str(&body, "\\u0001");
    qk_buf_add_str(&body, "\"},\"EncryptionAlgorithm\":\"RSAES_OAEP_SHA_256\",\"DryRun\":false}");
    struct kms_raw raw = kit_raw(ENCRYPT, "");
    raw.body = qk_buf_view(&body);
    qk_assert_ok(kms_request_parse(&raw, &r, &f));
    kms_request_free(&r);
    qk_assert_ok(kms_claim_make(&raw, &claim));
}

/* S-15: a node takes no claim that could carry a plaintext, none beside a body, none for another
 * operation; each is the coordinator's doing, not the caller's. */
QK_TEST(symmetric_request, S_15_other_claims_are_the_coordinators_fault)
{
    static const char *const bad[] = {"{\"KeyId\":\"k\"}",
        "{\"KeyId\":\"k\",\"Plaintext\":\"AQ==\"}", "{\"KeyId\":\"k\",\"Plaintext\":\"AAA=\"}",
        "{\"KeyId\":\"k\",\"Plaintext\":null}", "", "{", "[]",
        "{\"KeyId\":\"k\",\"Plaintext\":\"AA==\",\"Plaintext\":\"AA==\"}"};
    struct kms_raw raw = hashed();
    for (size_t i = 0; i < QK_COUNT(bad); i++) {
        cr_expect_eq(kms_claim_parse(&raw, qk_str(bad[i]), &r, &f), QK_E_MALFORMED, "%s", bad[i]);
        cr_expect_str_eq(f.type, "KMSInternalException");
    }
    struct qk_bytes good = qk_str("{\"KeyId\":\"k\",\"Plaintext\":\"AA==\"}");
    qk_assert_ok(kms_claim_parse(&raw, good, &r, &f));
    kms_request_free(&r);
    raw.body_is_hash = false;
    qk_assert_err(kms_claim_parse(&raw, good, &r, &f), QK_E_STATE);
    raw = hashed();
    raw.headers[2].value = qk_str("TrentService.GenerateDataKey");
    qk_assert_err(kms_claim_parse(&raw, good, &r, &f), QK_E_MALFORMED);
    raw = hashed();
    qk_assert_err(kms_claim_parse(&raw, qk_str("{\"Plaintext\":\"AA==\"}"), &r, &f), QK_E_DENIED);
    cr_expect_str_eq(f.type, "ValidationException");
}

/* Scratch memory of the JSON reader is given back wiped: a plaintext does not lie about. */
QK_TEST(symmetric_request, what_the_json_reader_frees_is_wiped)
{
    json_malloc_t take;
    json_free_t give;
    json_get_alloc_funcs(&take, &give);
    cr_assert_neq(give, (json_free_t)free);
}
