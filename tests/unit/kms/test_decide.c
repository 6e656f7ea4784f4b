#include "qktest/qktest.h"

#include <stdio.h>
#include "kmskit.h"

#define ALICE KIT_ALICE
#define BOB   KIT_BOB

#define expect kit_expect

static void decide(struct kit_world *w, const char *who, const char *target, const char *body,
    struct kms_decision *d)
{
    struct kms_request req;
    struct kms_records recs;
    struct kms_proposal prop = {.now_ms = w->ctx.now_ms};
    const char *full = strstr(body, "%s") ? kit_body(w, body) : body;
    qk_assert_ok(kit_decide(w, who, target, full, &req, &recs, &prop, d));
    kms_request_free(&req);
}

#define SIGN(extra)                                                                                \
    "{\"KeyId\":\"%s\",\"Message\":\"aGVsbG8=\",\"SigningAlgorithm\":\"ECDSA_SHA_256\"" extra "}"

QK_TEST(decide, sign_hashes_the_callers_message_itself)
{
    static const char sha256_hello[] =
        "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    struct kit_world w;
    struct kms_decision d;
    char hex[65];
    kit_world_init(&w);
    decide(&w, BOB, "TrentService.Sign", SIGN(""), &d);
    cr_assert_eq(d.kind, KMS_DO_SIGN);
    cr_assert_eq(d.digest_len, 32);
    qk_hex(d.digest, 32, hex);
    cr_assert_str_eq(hex, sha256_hello);
    cr_assert_eq(d.key, kit_key(&w));
    cr_assert_eq(d.spec->curve, 2);
    kit_world_free(&w);
}

QK_TEST(decide, a_digest_is_taken_as_it_is_and_must_fit)
{
    struct kit_world w;
    struct kms_decision d;
    kit_world_init(&w);
    decide(&w, ALICE, "TrentService.Verify",
        "{\"KeyId\":\"%s\",\"Message\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\","
        "\"Signature\":"
        "\"MAA=\",\"SigningAlgorithm\":\"ECDSA_SHA_256\",\"MessageType\":\"DIGEST\"}",
        &d);
    cr_assert_eq(d.kind, KMS_DO_VERIFY);
    cr_assert_eq(d.digest_len, 32);
    cr_assert_eq(d.digest[0], 1);
    expect(&w, ALICE, "TrentService.Sign", SIGN(",\"MessageType\":\"DIGEST\""),
        "ValidationException", "Digest is invalid length for algorithm ECDSA_SHA_256.");
    expect(&w, ALICE, "TrentService.Sign", SIGN(",\"MessageType\":\"EXTERNAL_MU\""),
        "ValidationException", "MessageType EXTERNAL_MU is not valid for algorithm ECDSA_SHA_256.");
    kit_world_free(&w);
}

QK_TEST(decide, digests_of_the_four_specs)
{
    static const struct {
        const char *spec, *algorithm;
        size_t digest_len;
    } specs[] = {{"ECC_SECG_P256K1", "ECDSA_SHA_256", 32}, {"ECC_NIST_P256", "ECDSA_SHA_256", 32},
        {"ECC_NIST_P384", "ECDSA_SHA_384", 48}, {"ECC_NIST_P521", "ECDSA_SHA_512", 64}};
    for (size_t i = 0; i < QK_COUNT(specs); i++) {
        struct kit_world w;
        struct kms_decision d;
        char body[256], sign[256];
        kit_world_init(&w);
        snprintf(
            body, sizeof body, "{\"KeySpec\":\"%s\",\"KeyUsage\":\"SIGN_VERIFY\"}", specs[i].spec);
        qk_assert_ok(kit_do(&w, ALICE, "TrentService.CreateKey", body));
        snprintf(sign, sizeof sign,
            "{\"KeyId\":\"%s\",\"Message\":\"aA==\",\"SigningAlgorithm\":\"%s\"}", w.key,
            specs[i].algorithm);
        decide(&w, ALICE, "TrentService.Sign", sign, &d);
        cr_assert_eq(d.digest_len, specs[i].digest_len);
        cr_assert_eq(d.spec->curve, i + 1);
        kit_world_free(&w);
    }
}

QK_TEST(decide, checks_come_in_the_order_of_the_contract)
{
    struct kit_world w;
    kit_world_init(&w);
    /* constraints before key lookup */
    expect(&w, BOB, "TrentService.Sign", "{\"KeyId\":\"nonsense\"}", "ValidationException",
        "2 validation errors detected: Value null at 'message' failed to satisfy constraint: "
        "Member "
        "must not be null; Value null at 'signingAlgorithm' failed to satisfy constraint: Member "
        "must "
        "not be null");
    /* key lookup before authorization */
    expect(&w, BOB, "TrentService.ScheduleKeyDeletion", "{\"KeyId\":\"nonsense\"}",
        "NotFoundException", "Invalid keyId 'nonsense'");
    expect(&w, BOB, "TrentService.ScheduleKeyDeletion",
        "{\"KeyId\":\"1234abcd-12ab-44cd-86ef-1234567890ab\"}", "NotFoundException",
        "Key 'arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-44cd-86ef-1234567890ab' does "
        "not exist");
    /* authorization before key state */
    qk_assert_ok(kit_do(&w, ALICE, "TrentService.DisableKey", kit_body(&w, "{\"KeyId\":\"%s\"}")));
    expect(&w, BOB, "TrentService.GetPublicKey", "{\"KeyId\":\"%s\"}", "AccessDeniedException",
        "User: arn:aws:iam::123456789012:user/bob is not authorized to perform: kms:GetPublicKey "
        "on "
        "resource: %K because no identity-based policy allows the kms:GetPublicKey action");
    /* key state before algorithm, and DryRun last */
    expect(&w, BOB, "TrentService.Sign",
        "{\"KeyId\":\"%s\",\"Message\":\"aA==\",\"SigningAlgorithm\":\"ECDSA_SHA_384\",\"DryRun\":"
        "true}",
        "DisabledException", "%K is disabled.");
    qk_assert_ok(kit_do(&w, ALICE, "TrentService.EnableKey", kit_body(&w, "{\"KeyId\":\"%s\"}")));
    expect(&w, BOB, "TrentService.Sign",
        "{\"KeyId\":\"%s\",\"Message\":\"aA==\",\"SigningAlgorithm\":\"ECDSA_SHA_384\",\"DryRun\":"
        "true}",
        "InvalidKeyUsageException",
        "Algorithm ECDSA_SHA_384 is incompatible with key spec ECC_NIST_P256.");
    expect(&w, BOB, "TrentService.Sign", SIGN(",\"DryRun\":true"), "DryRunOperationException",
        "The request would have succeeded, but the DryRun option is set.");
    kit_world_free(&w);
}

QK_TEST(decide, a_foreign_key_is_denied_not_described)
{
    struct kit_world w;
    kit_world_init(&w);
    expect(&w, BOB, "TrentService.DescribeKey",
        "{\"KeyId\":\"arn:aws:kms:us-east-1:999999999999:key/"
        "1234abcd-12ab-44cd-86ef-1234567890ab\"}",
        "AccessDeniedException",
        "User: arn:aws:iam::123456789012:user/bob is not authorized to perform: kms:DescribeKey on "
        "this "
        "resource because the resource does not exist in this Region, no resource-based policies "
        "allow "
        "access, or a resource-based policy explicitly denies access");
    kit_world_free(&w);
}

QK_TEST(decide, callers_without_standing_are_unknown)
{
    struct kit_world w;
    kit_world_init(&w);
    static const char unknown[] = "The security token included in the request is invalid.";
    expect(&w, "AKIAAAAAAAAAAAAAAAAA", "TrentService.ListKeys", "{}", "UnrecognizedClientException",
        unknown);
    expect(&w, "nonsense", "TrentService.ListKeys", "{}", "UnrecognizedClientException", unknown);
    qk_assert_ok(kit_do(&w, ALICE, "QkmsAdmin.UpdateAccessKey",
        "{\"AccessKeyId\":\"" BOB "\",\"Status\":\"Inactive\"}"));
    expect(&w, BOB, "TrentService.DescribeKey", "{\"KeyId\":\"%s\"}", "UnrecognizedClientException",
        unknown);
    qk_assert_ok(kit_do(&w, ALICE, "QkmsAdmin.UpdateAccessKey",
        "{\"AccessKeyId\":\"" BOB "\",\"Status\":\"Active\"}"));
    struct kms_decision d;
    decide(&w, BOB, "TrentService.DescribeKey", "{\"KeyId\":\"%s\"}", &d);
    cr_assert_eq(d.kind, KMS_DO_READ);
    kit_world_free(&w);
}

QK_TEST(decide, create_key_says_what_is_wrong)
{
    static const struct {
        const char *body, *type, *text;
    } bad[] = {
        {"{\"KeySpec\":\"ECC_NIST_P256\"}", "ValidationException",
            "You must specify a KeyUsage value for all KMS keys except for symmetric encryption "
            "keys."},
        {"{\"KeySpec\":\"ECC_NIST_P256\",\"KeyUsage\":\"ENCRYPT_DECRYPT\"}", "ValidationException",
            "KeyUsage ENCRYPT_DECRYPT is not compatible with KeySpec ECC_NIST_P256"},
        {"{\"KeySpec\":\"ECC_SECG_P256K1\",\"KeyUsage\":\"KEY_AGREEMENT\"}", "ValidationException",
            "KeyUsage KEY_AGREEMENT is not compatible with KeySpec ECC_SECG_P256K1"},
        {"{\"KeySpec\":\"ECC_NIST_P256\",\"KeyUsage\":\"KEY_AGREEMENT\"}",
            "UnsupportedOperationException",
            "KeyUsage KEY_AGREEMENT is not supported by this service."},
        {"{\"KeySpec\":\"RSA_2048\",\"KeyUsage\":\"SIGN_VERIFY\"}", "UnsupportedOperationException",
            "KeySpec RSA_2048 is not supported by this service."},
        {"{\"KeySpec\":\"ECC_NIST_P256\",\"CustomerMasterKeySpec\":\"ECC_NIST_P256\"}",
            "ValidationException",
            "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. "
            "CustomerMasterKeySpec is deprecated."},
        {"{\"KeySpec\":\"ECC_NIST_P256\",\"KeyUsage\":\"SIGN_VERIFY\",\"Origin\":\"EXTERNAL\"}",
            "UnsupportedOperationException", "Origin EXTERNAL is not supported by this service."},
        {"{\"KeySpec\":\"ECC_NIST_P256\",\"KeyUsage\":\"SIGN_VERIFY\",\"MultiRegion\":true}",
            "UnsupportedOperationException", "MultiRegion true is not supported by this service."},
        {"{\"KeySpec\":\"ECC_NIST_P256\",\"KeyUsage\":\"SIGN_VERIFY\",\"Tags\":[{\"TagKey\":\"a\","
         "\"TagValue\":\"b\"}]}",
            "UnsupportedOperationException", "A key with Tags is not supported by this service."},
        {"{\"KeySpec\":\"ECC_NIST_P256\",\"KeyUsage\":\"SIGN_VERIFY\",\"CustomKeyStoreId\":\"x\"}",
            "CustomKeyStoreNotFoundException",
            "The custom key store does not exist: this service has none."},
        {"{\"KeySpec\":\"ECC_NIST_P256\",\"KeyUsage\":\"SIGN_VERIFY\",\"Policy\":\"x\"}",
            "MalformedPolicyDocumentException", "The policy is not a JSON object."},
    };
    struct kit_world w;
    kit_world_init(&w);
    for (size_t i = 0; i < QK_COUNT(bad); i++)
        expect(&w, ALICE, "TrentService.CreateKey", bad[i].body, bad[i].type, bad[i].text);
    expect(&w, BOB, "TrentService.CreateKey", "{}", "AccessDeniedException",
        "User: arn:aws:iam::123456789012:user/bob is not authorized to perform: kms:CreateKey on "
        "resource: * because no identity-based policy allows the kms:CreateKey action");
    kit_world_free(&w);
}

QK_TEST(decide, operations_that_are_not_served_say_so_after_validation)
{
    struct kit_world w;
    kit_world_init(&w);
    expect(&w, ALICE, "TrentService.ListAliases", "{}", "UnsupportedOperationException",
        "Operation ListAliases is not supported by this service.");
    expect(&w, ALICE, "TrentService.Encrypt", "{\"KeyId\":\"x\",\"Plaintext\":\"\"}",
        "ValidationException",
        "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member "
        "must "
        "have length greater than or equal to 1");
    expect(&w, "AKIAAAAAAAAAAAAAAAAA", "TrentService.ListAliases", "{}",
        "UnrecognizedClientException", "The security token included in the request is invalid.");
    kit_world_free(&w);
}

QK_TEST(decide, administration_needs_an_administrator)
{
    static const char *const targets[][2] = {
        {"QkmsAdmin.CreateUser", "{\"UserName\":\"x\",\"Admin\":true}"},
        {"QkmsAdmin.ListUsers", "{}"},
        {"QkmsAdmin.GetStatus", "{}"},
        {"QkmsAdmin.ListAccessKeys", "{}"},
        {"QkmsAdmin.UpdateAccessKey", "{\"AccessKeyId\":\"" ALICE "\",\"Status\":\"Inactive\"}"},
        {"QkmsAdmin.CreateAccessKey", "{\"UserName\":\"alice\",\"ResponseKey\":"
                                      "\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\"}"},
    };
    struct kit_world w;
    kit_world_init(&w);
    for (size_t i = 0; i < QK_COUNT(targets); i++) {
        char text[256], name[32];
        snprintf(name, sizeof name, "%s", strchr(targets[i][0], '.') + 1);
        snprintf(text, sizeof text,
            "User: arn:aws:iam::123456789012:user/bob is not authorized to perform: qkms:%s on "
            "resource: "
            "* because no identity-based policy allows the qkms:%s action",
            name, name);
        expect(&w, BOB, targets[i][0], targets[i][1], "AccessDeniedException", text);
    }
    kit_world_free(&w);
}

QK_TEST(decide, administration_checks_its_targets)
{
    struct kit_world w;
    kit_world_init(&w);
    expect(&w, ALICE, "QkmsAdmin.CreateUser", "{\"UserName\":\"bob\"}", "AlreadyExistsException",
        "A user with the name bob already exists");
    expect(&w, ALICE, "QkmsAdmin.CreateAccessKey",
        "{\"UserName\":\"x\",\"ResponseKey\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\"}",
        "NotFoundException", "User 'x' does not exist");
    expect(&w, ALICE, "QkmsAdmin.ListAccessKeys", "{\"UserName\":\"x\"}", "NotFoundException",
        "User 'x' does not exist");
    expect(&w, ALICE, "QkmsAdmin.UpdateAccessKey",
        "{\"AccessKeyId\":\"AKIAAAAAAAAAAAAAAAAA\",\"Status\":\"Active\"}", "NotFoundException",
        "Access key 'AKIAAAAAAAAAAAAAAAAA' does not exist");
    kit_world_free(&w);
}

#define INIT                                                                                       \
    "{\"AccountName\":\"E\",\"AdminUserName\":\"eve\",\"ResponseKey\":"                            \
    "\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\"}"

QK_TEST(decide, initialize_is_the_operators_and_happens_once)
{
    struct kit_world w;
    kit_world_init(&w);
    expect(&w, ALICE, "QkmsAdmin.Initialize", INIT, "AccessDeniedException",
        "Initialize requires the signature of an operator of this cluster.");
    expect(&w, "", "QkmsAdmin.Initialize", INIT, "AlreadyExistsException",
        "This cluster is already initialized.");
    expect(&w, "", "QkmsAdmin.ListUsers", "{}", "AccessDeniedException",
        "An operator's signature authorizes QkmsAdmin.Initialize only.");
    expect(&w, "", "TrentService.ListKeys", "{}", "AccessDeniedException",
        "An operator's signature authorizes QkmsAdmin.Initialize only.");
    kit_world_free(&w);
}

/* ---- the table of kms-api.md section 7 ---- */

#define KEY "{\"KeyId\":\"%s\"}"

enum cell { OK, D, P, N };
static const struct {
    const char *op, *body;
    enum cell enabled, disabled, pending;
} table[] = {
    {"Sign", SIGN(""), OK, D, P},
    {"Verify", SIGN(",\"Signature\":\"MAA=\""), OK, D, P},
    {"GetPublicKey", KEY, OK, D, P},
    {"EnableKey", KEY, OK, OK, P},
    {"DisableKey", KEY, OK, OK, P},
    {"ScheduleKeyDeletion", KEY, OK, OK, P},
    {"CancelKeyDeletion", KEY, N, N, OK},
    {"UpdateKeyDescription", "{\"KeyId\":\"%s\",\"Description\":\"new\"}", OK, OK, P},
    {"DescribeKey", KEY, OK, OK, OK},
};

static void check_cell(struct kit_world *w, const char *op, const char *body, enum cell cell)
{
    char target[64];
    struct kms_decision d;
    snprintf(target, sizeof target, "TrentService.%s", op);
    if (cell == OK)
        decide(w, ALICE, target, body, &d);
    else if (cell == D)
        expect(w, ALICE, target, body, "DisabledException", "%K is disabled.");
    else if (cell == P)
        expect(w, ALICE, target, body, "KMSInvalidStateException", "%K is pending deletion.");
    else
        expect(w, ALICE, target, body, "KMSInvalidStateException", "%K is not pending deletion.");
}

QK_TEST(decide, every_cell_of_the_state_table)
{
    struct kit_world w;
    kit_world_init(&w);
    for (size_t i = 0; i < QK_COUNT(table); i++)
        check_cell(&w, table[i].op, table[i].body, table[i].enabled);
    qk_assert_ok(kit_do(&w, ALICE, "TrentService.DisableKey", kit_body(&w, KEY)));
    for (size_t i = 0; i < QK_COUNT(table); i++)
        check_cell(&w, table[i].op, table[i].body, table[i].disabled);
    qk_assert_ok(kit_do(&w, ALICE, "TrentService.ScheduleKeyDeletion", kit_body(&w, KEY)));
    for (size_t i = 0; i < QK_COUNT(table); i++)
        check_cell(&w, table[i].op, table[i].body, table[i].pending);
    kit_world_free(&w);
}

QK_TEST(decide, a_deleted_key_does_not_exist_for_any_operation)
{
    struct kit_world w;
    kit_world_init(&w);
    struct kms_record *r = kit_key(&w);
    r->key.state = KMS_STATE_DELETED;
    for (size_t i = 0; i < QK_COUNT(table); i++) {
        char target[64];
        snprintf(target, sizeof target, "TrentService.%s", table[i].op);
        expect(&w, ALICE, target, table[i].body, "NotFoundException", "Key '%K' does not exist");
    }
    kit_world_free(&w);
}

QK_TEST(decide, the_waiting_period_is_7_to_30_days)
{
    struct kit_world w;
    struct kms_decision d;
    kit_world_init(&w);
    static const char text[] = "PendingWindowInDays must be between 7 and 30 days.";
    expect(&w, ALICE, "TrentService.ScheduleKeyDeletion",
        "{\"KeyId\":\"%s\",\"PendingWindowInDays\":6}", "ValidationException", text);
    expect(&w, ALICE, "TrentService.ScheduleKeyDeletion",
        "{\"KeyId\":\"%s\",\"PendingWindowInDays\":31}", "ValidationException", text);
    decide(&w, ALICE, "TrentService.ScheduleKeyDeletion",
        "{\"KeyId\":\"%s\",\"PendingWindowInDays\":7}", &d);
    cr_assert_eq(d.kind, KMS_DO_CHANGE);
    kit_world_free(&w);
}

QK_TEST(decide, nothing_to_change_is_a_read)
{
    struct kit_world w;
    struct kms_decision d;
    kit_world_init(&w);
    decide(&w, ALICE, "TrentService.EnableKey", KEY, &d);
    cr_assert_eq(d.kind, KMS_DO_READ);
    decide(&w, ALICE, "TrentService.UpdateKeyDescription",
        "{\"KeyId\":\"%s\",\"Description\":\"first\"}", &d);
    cr_assert_eq(d.kind, KMS_DO_READ);
    decide(&w, ALICE, "TrentService.DisableKey", KEY, &d);
    cr_assert_eq(d.kind, KMS_DO_CHANGE);
    kit_world_free(&w);
}

QK_TEST(decide, caller_identity_needs_no_permission)
{
    struct kit_world w;
    struct kms_records recs;
    struct kms_request req;
    struct kms_decision d;
    kit_world_init(&w);
    struct kms_raw raw = kit_raw(NULL, "Action=GetCallerIdentity&Version=2011-06-15");
    raw.headers[1].value = qk_str("application/x-www-form-urlencoded");
    qk_assert_ok(kms_request_parse(&raw, &req, &w.fault));
    kit_load(&w, BOB, &req, NULL, &recs);
    qk_assert_ok(kms_check_client(&w.ctx, qk_str(BOB), &recs, &w.fault));
    qk_assert_ok(kms_decide(&w.ctx, false, &req, &recs, NULL, &d, &w.fault));
    cr_assert_eq(d.kind, KMS_DO_READ);
    kms_request_free(&req);
    kit_world_free(&w);
}

/* ---- what the coordinator proposes ---- */

#define CREATE "{\"KeySpec\":\"ECC_NIST_P256\",\"KeyUsage\":\"SIGN_VERIFY\"}"

static void bend_early(struct kms_proposal *p)
{
    p->now_ms -= KMS_SKEW_MS + 1;
}
static void bend_late(struct kms_proposal *p)
{
    p->now_ms += KMS_SKEW_MS + 1;
}
static void bend_uuid(struct kms_proposal *p)
{
    p->key_id[6] = 0x10;
}
static void bend_variant(struct kms_proposal *p)
{
    p->key_id[8] = 0xc0;
}
static void bend_user(struct kms_proposal *p)
{
    strcpy(p->user_id, "AIDAALICEALICEALICEAL");
}
static void bend_akid(struct kms_proposal *p)
{
    strcpy(p->access_key_id, ALICE);
}

QK_TEST(decide, a_bent_proposal_is_never_followed)
{
    static void (*const bends[])(struct kms_proposal *) = {
        bend_early, bend_late, bend_uuid, bend_variant, bend_user, bend_akid};
    struct kit_world w;
    kit_world_init(&w);
    for (size_t i = 0; i < QK_COUNT(bends); i++) {
        struct kms_request req;
        struct kms_records recs;
        struct kms_decision d;
        struct kms_proposal p;
        qk_assert_ok(kms_proposal_new(KMS_OP_CREATE_KEY, KIT_NOW, qk_rng_system(), &p));
        qk_assert_ok(kms_proposal_check(&w.ctx, KMS_OP_CREATE_KEY, &p));
        bends[i](&p);
        qk_assert_err(kms_proposal_check(&w.ctx, KMS_OP_CREATE_KEY, &p), QK_E_DENIED);
        qk_assert_err(kit_decide(&w, ALICE, "TrentService.CreateKey", CREATE, &req, &recs, &p, &d),
            QK_E_MISMATCH);
        cr_assert_str_eq(w.fault.type, "KMSInternalException");
    }
    kit_world_free(&w);
}

QK_TEST(decide, a_proposed_name_must_be_free)
{
    struct kit_world w;
    struct kms_request req;
    struct kms_records recs;
    struct kms_decision d;
    kit_world_init(&w);
    struct kms_proposal p = {.now_ms = KIT_NOW};
    memcpy(p.key_id, w.key_id, 16);
    qk_assert_err(kit_decide(&w, ALICE, "TrentService.CreateKey", CREATE, &req, &recs, &p, &d),
        QK_E_CONFLICT);
    p = (struct kms_proposal){.now_ms = KIT_NOW};
    strcpy(p.access_key_id, BOB);
    qk_assert_err(kit_decide(&w, ALICE, "QkmsAdmin.CreateAccessKey",
                      "{\"UserName\":\"bob\",\"ResponseKey\":"
                      "\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\"}",
                      &req, &recs, &p, &d),
        QK_E_CONFLICT);
    kit_world_free(&w);
}

QK_TEST(decide, proposals_round_trip)
{
    static const enum kms_op ops[] = {KMS_OP_CREATE_KEY, KMS_OP_CREATE_USER,
        KMS_OP_CREATE_ACCESS_KEY, KMS_OP_INITIALIZE, KMS_OP_ENABLE_KEY};
    for (size_t i = 0; i < QK_COUNT(ops); i++) {
        struct kms_proposal p, q;
        QK_AUTO_BUF b = QK_BUF(KMS_PROPOSAL_ENCODED_MAX);
        qk_assert_ok(kms_proposal_new(ops[i], KIT_NOW, qk_rng_system(), &p));
        kms_proposal_encode(&p, &b);
        qk_assert_ok(b.err);
        qk_assert_ok(kms_proposal_decode(qk_buf_view(&b), &q));
        cr_assert_str_eq(p.user_id, q.user_id);
        cr_assert_str_eq(p.access_key_id, q.access_key_id);
        cr_assert_arr_eq(p.key_id, q.key_id, 16);
        cr_assert_eq(p.now_ms, q.now_ms);
        qk_buf_add_u8(&b, 0);
        qk_assert_err(kms_proposal_decode(qk_buf_view(&b), &q), QK_E_MALFORMED);
    }
}

QK_TEST(decide, a_record_of_another_name_cannot_be_slipped_in)
{
    struct kit_world w;
    struct kms_records recs = {.asked = 0};
    struct kms_request req;
    struct kms_ref ref;
    kit_world_init(&w);
    qk_assert_ok(kit_parse("TrentService.DescribeKey", kit_body(&w, KEY), &req, &w.fault));
    cr_assert(kms_records_next(&w.ctx, qk_str(BOB), &req, NULL, &recs, &ref));
    cr_assert_eq(ref.kind, KMS_KIND_CREDENTIAL);
    struct kms_ref other;
    qk_assert_ok(kms_ref_credential(qk_str(ALICE), &other));
    qk_assert_err(kms_records_put(&recs, kit_find(&w, &other)), QK_E_MISMATCH);
    qk_assert_err(kms_records_put(&recs, kit_key(&w)), QK_E_MISMATCH);
    qk_assert_ok(kms_records_put(&recs, kit_find(&w, &ref)));
    kms_request_free(&req);
    kit_world_free(&w);
}
