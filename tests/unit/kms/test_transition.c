#include "qktest/qktest.h"

#include "kmskit.h"

#define KEY "{\"KeyId\":\"%s\"}"
#define DAY 86400000u

static void act(struct kit_world *w, const char *target, const char *fmt)
{
    qk_assert_ok(kit_do(w, KIT_ALICE, target, strstr(fmt, "%s") ? kit_body(w, fmt) : fmt));
}

QK_TEST(transition, initialize_makes_account_administrator_credential_and_system_key)
{
    struct kit_world w;
    struct kms_ref ref;
    kit_world_init(&w);
    kms_ref_account(KIT_ACCOUNT, &ref);
    const struct kms_record *r = kit_find(&w, &ref);
    cr_assert(qk_bytes_is(r->account.name, "Example"));
    cr_assert_eq(r->version, 1);
    qk_assert_ok(kms_ref_user(KIT_ACCOUNT, qk_str("alice"), &ref));
    r = kit_find(&w, &ref);
    cr_assert(r->user.admin);
    cr_assert_eq(r->user.n_allow, 1);
    cr_assert(qk_bytes_is(r->user.user_id, "AIDAALICEALICEALICEAL"));
    qk_assert_ok(kms_ref_credential(qk_str(KIT_ALICE), &ref));
    r = kit_find(&w, &ref);
    cr_assert(r->credential.active);
    cr_assert_eq(r->credential.serial, 1);
    cr_assert(qk_bytes_is(r->credential.user_name, "alice"));
    kms_ref_system(&ref);
    cr_assert(qk_bytes_is(kit_find(&w, &ref)->system.pkrec, "public key record"));
    kit_world_free(&w);
}

QK_TEST(transition, a_new_key_is_enabled_and_has_the_default_policy)
{
    struct kit_world w;
    QK_AUTO_BUF policy = QK_BUF(1024);
    kit_world_init(&w);
    const struct kms_record *r = kit_key(&w);
    kms_policy_default(KIT_ACCOUNT, &policy);
    cr_assert_eq(r->version, 1);
    cr_assert_eq(r->key.state, KMS_STATE_ENABLED);
    cr_assert_eq(r->key.created_ms, KIT_NOW);
    cr_assert(qk_bytes_eq(r->key.policy, qk_buf_view(&policy)));
    cr_assert(qk_bytes_is(r->key.description, "first"));
    cr_assert(qk_bytes_is(r->key.region, KIT_REGION));
    cr_assert_eq(r->key.deletion_ms, 0);
    kit_world_free(&w);
}

QK_TEST(transition, versions_chain_by_hash)
{
    struct kit_world w;
    uint8_t before[32];
    kit_world_init(&w);
    memcpy(before, kit_key(&w)->hash, 32);
    act(&w, "TrentService.DisableKey", KEY);
    const struct kms_record *r = kit_key(&w);
    cr_assert_eq(r->version, 2);
    cr_assert_arr_eq(r->prev, before, 32);
    cr_assert(memcmp(r->hash, before, 32) != 0);
    kit_world_free(&w);
}

QK_TEST(transition, states_move_as_the_contract_says)
{
    struct kit_world w;
    kit_world_init(&w);
    act(&w, "TrentService.DisableKey", KEY);
    cr_assert_eq(kit_key(&w)->key.state, KMS_STATE_DISABLED);
    act(&w, "TrentService.EnableKey", KEY);
    cr_assert_eq(kit_key(&w)->key.state, KMS_STATE_ENABLED);
    act(&w, "TrentService.ScheduleKeyDeletion", "{\"KeyId\":\"%s\",\"PendingWindowInDays\":8}");
    const struct kms_key *k = &kit_key(&w)->key;
    cr_assert_eq(k->state, KMS_STATE_PENDING_DELETION);
    cr_assert_eq(k->pending_days, 8);
    cr_assert_eq(k->deletion_ms, KIT_NOW + 8ull * DAY);
    act(&w, "TrentService.CancelKeyDeletion", KEY);
    k = &kit_key(&w)->key;
    cr_assert_eq(k->state, KMS_STATE_DISABLED, "never Enabled");
    cr_assert_eq(k->deletion_ms, 0);
    cr_assert_eq(k->pending_days, 0);
    act(&w, "TrentService.UpdateKeyDescription", "{\"KeyId\":\"%s\",\"Description\":\"\"}");
    cr_assert_eq(kit_key(&w)->key.description.len, 0);
    cr_assert_eq(kit_key(&w)->version, 6);
    kit_world_free(&w);
}

QK_TEST(transition, deletion_comes_when_it_is_due_and_not_before)
{
    struct kit_world w;
    struct kms_change out = {.n = 0}, again;
    kit_world_init(&w);
    qk_assert_err(
        kms_transition_due(kit_key(&w), NULL, KMS_DUE_DELETE, UINT64_MAX, NULL, &out), QK_E_STATE);
    act(&w, "TrentService.ScheduleKeyDeletion", KEY);
    const struct kms_record *r = kit_key(&w);
    uint64_t due = KIT_NOW + 30ull * DAY;
    cr_assert_eq(r->key.deletion_ms, due);
    qk_assert_err(kms_transition_due(r, NULL, KMS_DUE_DELETE, due - 1, NULL, &out), QK_E_EARLY);
    qk_assert_ok(kms_transition_due(r, NULL, KMS_DUE_DELETE, due, NULL, &out));
    cr_assert_eq(out.records[0].key.state, KMS_STATE_DELETED);
    cr_assert_eq(out.records[0].version, r->version + 1);
    cr_assert_arr_eq(out.records[0].prev, r->hash, 32);
    QK_AUTO_BUF b = QK_BUF(KMS_RECORD_ENCODED_MAX);
    qk_assert_ok(kms_record_encode(&out.records[0], &b));
    qk_assert_err(
        kms_transition_due(&out.records[0], NULL, KMS_DUE_DELETE, UINT64_MAX, NULL, &again),
        QK_E_STATE);
    kit_world_free(&w);
}

QK_TEST(transition, access_keys_come_active_and_can_be_switched)
{
    struct kit_world w;
    struct kms_ref ref;
    kit_world_init(&w);
    qk_assert_ok(kms_ref_credential(qk_str(KIT_BOB), &ref));
    cr_assert(kit_find(&w, &ref)->credential.active);
    act(&w, "QkmsAdmin.UpdateAccessKey",
        "{\"AccessKeyId\":\"" KIT_BOB "\",\"Status\":\"Inactive\"}");
    const struct kms_record *r = kit_find(&w, &ref);
    cr_assert_not(r->credential.active);
    cr_assert_eq(r->version, 2);
    cr_assert_eq(r->credential.serial, 1, "the secret stays the same");
    kit_world_free(&w);
}

QK_TEST(transition, two_runs_make_the_same_bytes)
{
    struct kit_world w;
    struct kms_request req;
    struct kms_records recs;
    struct kms_decision d;
    struct kms_proposal p;
    static const uint8_t spki[91];
    kit_world_init(&w);
    qk_assert_ok(kms_proposal_new(KMS_OP_CREATE_KEY, KIT_NOW + 1000, qk_rng_system(), &p));
    qk_assert_ok(kit_decide(&w, KIT_ALICE, "TrentService.CreateKey",
        "{\"KeySpec\":\"ECC_NIST_P256\",\"KeyUsage\":\"SIGN_VERIFY\"}", &req, &recs, &p, &d));
    cr_assert_eq(d.kind, KMS_DO_CREATE_KEY);
    const struct kms_created created = {.pkrec = qk_str("record"), .spki = QK_BYTES(spki)};
    QK_AUTO_BUF a = QK_BUF(KMS_RECORD_ENCODED_MAX);
    QK_AUTO_BUF b = QK_BUF(KMS_RECORD_ENCODED_MAX);
    static struct kms_change x, y;
    qk_assert_ok(kms_transition(&w.ctx, &req, &recs, &p, &d, &created, &x));
    struct kms_context later = w.ctx;
    later.now_ms += 2000; /* another node's clock */
    qk_assert_ok(kms_transition(&later, &req, &recs, &p, &d, &created, &y));
    qk_assert_ok(kms_record_encode(&x.records[0], &a));
    qk_assert_ok(kms_record_encode(&y.records[0], &b));
    cr_assert(qk_bytes_eq(qk_buf_view(&a), qk_buf_view(&b)));
    qk_assert_err(kms_transition(&w.ctx, &req, &recs, &p, &d, NULL, &x), QK_E_STATE);
    qk_assert_err(kms_transition(&w.ctx, &req, &recs, NULL, &d, &created, &x), QK_E_STATE);
    p.now_ms += KMS_SKEW_MS;
    qk_assert_err(kms_transition(&w.ctx, &req, &recs, &p, &d, &created, &x), QK_E_STATE);
    d.kind = KMS_DO_SIGN;
    p.now_ms = KIT_NOW;
    qk_assert_err(kms_transition(&w.ctx, &req, &recs, &p, &d, &created, &x), QK_E_STATE);
    kms_request_free(&req);
    kit_world_free(&w);
}
