#include "qktest/qktest.h"

#include <jansson.h>
#include "kms/response.h"
#include "kmskit.h"

/* Written by hand, read by a parser: what comes out must be exactly this JSON value. */
static void json_is(struct qk_buf *got, const char *want)
{
    json_error_t e;
    qk_assert_ok(got->err);
    json_t *a = json_loadb((const char *)got->p, got->len, JSON_REJECT_DUPLICATES, &e);
    cr_assert_not_null(a, "%s in %.*s", e.text, (int)got->len, (const char *)got->p);
    json_t *b = json_loads(want, 0, &e);
    cr_assert_not_null(b, "%s", e.text);
    cr_assert(json_equal(a, b), "%.*s is not %s", (int)got->len, (const char *)got->p, want);
    json_decref(a);
    json_decref(b);
    qk_buf_clear(got);
}

static struct kms_record fixed_key(void)
{
    static const uint8_t spki[91] = {0};
    struct kms_record r = {
        .kind = KMS_KIND_KEY, .id = "00000000-0000-4000-8000-000000000000", .version = 1};
    r.key = (struct kms_key){.account = qk_str(KIT_ACCOUNT),
        .region = qk_str(KIT_REGION),
        .spec = kms_keyspec_by_name(qk_str("ECC_NIST_P256")),
        .state = KMS_STATE_ENABLED,
        .description = qk_str("a \"quoted\" \xc3\xa9"),
        .created_ms = KIT_NOW + 7,
        .spki = QK_BYTES(spki)};
    r.key.key_id[6] = 0x40;
    r.key.key_id[8] = 0x80;
    return r;
}

#define ARN "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-4000-8000-000000000000"
#define METADATA(enabled, state, more)                                                             \
    "{\"KeyMetadata\":{\"AWSAccountId\":\"123456789012\",\"KeyId\":\"00000000-0000-4000-8000-"     \
    "000000000000\",\"Arn\":\"" ARN "\",\"CreationDate\":1790000000.007,\"Enabled\":" enabled      \
    ",\"Description\":\"a \\\"quoted\\\" "                                                         \
    "\xc3\xa9\",\"KeyUsage\":\"SIGN_VERIFY\",\"KeyState\":\"" state "\"," more                     \
    "\"Origin\":\"AWS_KMS\",\"KeyManager\":\"CUSTOMER\",\"KeySpec\":\"ECC_NIST_P256\","            \
    "\"CustomerMasterKeySpec\":\"ECC_NIST_P256\",\"SigningAlgorithms\":[\"ECDSA_SHA_256\"],"       \
    "\"MultiRegion\":false}}"

QK_TEST(response, key_metadata_has_exactly_its_members)
{
    struct kms_record r = fixed_key();
    QK_AUTO_BUF b = QK_BUF(65536);
    kms_answer_key(&r.key, &b);
    json_is(&b, METADATA("true", "Enabled", ""));
    r.key.state = KMS_STATE_PENDING_DELETION;
    r.key.deletion_ms = 1790604800000;
    r.key.pending_days = 7;
    kms_answer_key(&r.key, &b);
    json_is(&b, METADATA("false", "PendingDeletion", "\"DeletionDate\":1790604800.000,"));
    kms_answer_schedule_deletion(&r.key, &b);
    json_is(&b,
        "{\"KeyId\":\"" ARN "\",\"DeletionDate\":1790604800.0,\"KeyState\":\"PendingDeletion\","
        "\"PendingWindowInDays\":7}");
    kms_answer_cancel_deletion(&r.key, &b);
    json_is(&b, "{\"KeyId\":\"" ARN "\"}");
}

QK_TEST(response, uses_of_a_key)
{
    struct kms_record r = fixed_key();
    QK_AUTO_BUF b = QK_BUF(65536);
    kms_answer_sign(&r.key, qk_bytes("\x30\x00", 2), &b);
    json_is(&b,
        "{\"KeyId\":\"" ARN "\",\"Signature\":\"MAA=\",\"SigningAlgorithm\":\"ECDSA_SHA_256\"}");
    kms_answer_verify(&r.key, &b);
    json_is(&b,
        "{\"KeyId\":\"" ARN "\",\"SignatureValid\":true,\"SigningAlgorithm\":\"ECDSA_SHA_256\"}");
    r.key.spki = qk_bytes("abc", 3);
    kms_answer_public_key(&r.key, &b);
    json_is(&b,
        "{\"KeyId\":\"" ARN "\",\"PublicKey\":\"YWJj\",\"CustomerMasterKeySpec\":\"ECC_NIST_P256\","
        "\"KeySpec\":\"ECC_NIST_P256\",\"KeyUsage\":\"SIGN_VERIFY\",\"SigningAlgorithms\":["
        "\"ECDSA_SHA_256\"]}");
}

QK_TEST(response, lists_page_with_a_marker_that_reads_back)
{
    struct kms_record r = fixed_key();
    const struct kms_record *page[] = {&r};
    struct kms_fault f;
    QK_AUTO_BUF b = QK_BUF(65536);
    QK_AUTO_BUF marker = QK_BUF(256);
    QK_AUTO_BUF after = QK_BUF(256);
    kms_answer_keys(page, 0, false, &b);
    json_is(&b, "{\"Keys\":[],\"Truncated\":false}");
    kms_answer_keys(page, 1, false, &b);
    json_is(&b, "{\"Keys\":[{\"KeyId\":\"00000000-0000-4000-8000-000000000000\",\"KeyArn\":\"" ARN
                "\"}],\"Truncated\":false}");
    kms_answer_keys(page, 1, true, &b);
    cr_assert_not_null(strstr(qk_buf_cstr(&b), "\"Truncated\":true,\"NextMarker\":\""));
    kms_marker_encode(qk_str(r.id), &marker);
    cr_assert_not_null(strstr(qk_buf_cstr(&b), qk_buf_cstr(&marker)));
    qk_assert_ok(kms_marker_decode(qk_buf_view(&marker), &after, &f));
    cr_assert_str_eq(qk_buf_cstr(&after), r.id);
}

QK_TEST(response, users_and_access_keys)
{
    struct kit_world w;
    struct kms_ref ref;
    QK_AUTO_BUF b = QK_BUF(65536);
    kit_world_init(&w);
    qk_assert_ok(kms_ref_user(KIT_ACCOUNT, qk_str("alice"), &ref));
    const struct kms_record *user = kit_find(&w, &ref), *users[] = {user};
    kms_answer_user(&user->user, &b);
    json_is(&b,
        "{\"User\":{\"UserName\":\"alice\",\"UserId\":\"AIDAALICEALICEALICEAL\",\"Arn\":"
        "\"arn:aws:iam::123456789012:user/alice\",\"CreateDate\":1790000000.0,\"Admin\":true,"
        "\"Allow\":[\"kms:*\"]}}");
    kms_answer_users(users, 1, false, &b);
    json_is(&b,
        "{\"Users\":[{\"UserName\":\"alice\",\"UserId\":\"AIDAALICEALICEALICEAL\",\"Arn\":"
        "\"arn:aws:iam::123456789012:user/alice\",\"CreateDate\":1790000000.0,\"Admin\":true,"
        "\"Allow\":[\"kms:*\"]}],\"Truncated\":false}");
    qk_assert_ok(kms_ref_credential(qk_str(KIT_ALICE), &ref));
    const struct kms_record *c = kit_find(&w, &ref), *list[] = {c};
    kms_answer_access_keys(list, 1, false, &b);
    json_is(&b, "{\"AccessKeys\":[{\"UserName\":\"alice\",\"AccessKeyId\":\"" KIT_ALICE
                "\",\"Status\":\"Active\",\"CreateDate\":1790000000.0}],\"Truncated\":false}");
    const struct kms_sealed_part parts[] = {{1, qk_str("abc")}, {3, qk_str("def")}};
    kms_answer_access_key(&c->credential, qk_str("pk"), parts, 2, &b);
    json_is(&b,
        "{\"AccessKey\":{\"UserName\":\"alice\",\"AccessKeyId\":\"" KIT_ALICE
        "\",\"Status\":\"Active\",\"CreateDate\":1790000000.0,\"Serial\":1},\"SystemKey\":\"cGs=\","
        "\"Sealed\":[{\"Node\":1,\"Value\":\"YWJj\"},{\"Node\":3,\"Value\":\"ZGVm\"}]}");
    kms_answer_caller_identity(&user->user, "id-1", &b);
    cr_assert_str_eq(qk_buf_cstr(&b),
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
        "<GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/alice</Arn><UserId>"
        "AIDAALICEALICEALICEAL</UserId><Account>123456789012</Account></GetCallerIdentityResult>"
        "<ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></"
        "GetCallerIdentityResponse>");
    kit_world_free(&w);
}

QK_TEST(response, empty_answers_are_those_of_the_model)
{
    cr_assert(kms_answer_is_empty(KMS_OP_ENABLE_KEY));
    cr_assert(kms_answer_is_empty(KMS_OP_DISABLE_KEY));
    cr_assert(kms_answer_is_empty(KMS_OP_UPDATE_KEY_DESCRIPTION));
    cr_assert_not(kms_answer_is_empty(KMS_OP_CANCEL_KEY_DELETION));
    cr_assert_not(kms_answer_is_empty(KMS_OP_SIGN));
}
