/* Rotation: by schedule and on demand, and what a key remembers of it. */
#include "qktest/qktest.h"

#include <stdio.h>
#include "kmskit.h"

#define ALICE KIT_ALICE
#define KEY   "{\"KeyId\":\"%s\"}"
#define DAY   86400000ull

static void act(struct kit_world *w, const char *op, const char *body)
{
    char target[64];
    snprintf(target, sizeof target, "TrentService.%s", op);
    qk_err err = kit_do(w, ALICE, target, kit_body(w, body));
    cr_assert_eq(err, QK_OK, "%s gave %s: %s", op, qk_err_name(err), w->fault.message);
}

static const struct kms_symmetric *sym(struct kit_world *w)
{
    return &kit_key(w)->key.sym;
}

static void world(struct kit_world *w)
{
    kit_world_init(w);
    kit_symmetric(w, "{}");
}

QK_TEST(rotation, a_new_key_has_version_1_and_no_schedule)
{
    struct kit_world w;
    world(&w);
    const struct kms_version *v = &kit_version(&w, 1)->version_of;
    cr_expect_eq(sym(&w)->current, 1);
    cr_expect_eq(sym(&w)->n_versions, 1);
    cr_expect_arr_eq(sym(&w)->material_id, v->material_id, 32);
    cr_expect_not(sym(&w)->rotating);
    cr_expect_eq(v->created_ms, KIT_NOW);
    cr_expect_eq(v->rotated_ms, 0);
    cr_expect(v->imported);
    cr_expect(qk_bytes_is(v->pkrec, "public key record"));
    cr_expect_eq(kit_key(&w)->key.pkrec.len, 0);
    kit_world_free(&w);
}

QK_TEST(rotation, the_schedule_stands_in_the_record)
{
    struct kit_world w;
    struct kms_decision d;
    world(&w);
    act(&w, "EnableKeyRotation", KEY);
    cr_expect(sym(&w)->rotating);
    cr_expect_eq(sym(&w)->period_days, 365);
    cr_expect_eq(sym(&w)->next_rotation_ms, KIT_NOW + 365 * DAY);
    kit_expect_decision(&w, ALICE, "TrentService.EnableKeyRotation", KEY, KMS_DO_READ, &d);
    w.ctx.now_ms += DAY;
    act(&w, "EnableKeyRotation", "{\"KeyId\":\"%s\",\"RotationPeriodInDays\":90}");
    cr_expect_eq(sym(&w)->next_rotation_ms, KIT_NOW + 91 * DAY);
    act(&w, "DisableKeyRotation", KEY);
    cr_expect_not(sym(&w)->rotating);
    cr_expect_eq(sym(&w)->period_days, 0);
    kit_expect_decision(&w, ALICE, "TrentService.DisableKeyRotation", KEY, KMS_DO_READ, &d);
    kit_world_free(&w);
}

QK_TEST(rotation, automatic_rotation_comes_when_it_is_due)
{
    struct kit_world w;
    world(&w);
    qk_assert_err(kit_due(&w, KMS_DUE_ROTATE), QK_E_STATE);
    act(&w, "EnableKeyRotation", "{\"KeyId\":\"%s\",\"RotationPeriodInDays\":100}");
    uint64_t due = KIT_NOW + 100 * DAY;
    cr_expect_eq(kms_due_of(&kit_key(&w)->key, due - 1), KMS_DUE_NOTHING);
    cr_expect_eq(kms_due_of(&kit_key(&w)->key, due), KMS_DUE_ROTATE);
    w.ctx.now_ms = due - 1;
    qk_assert_err(kit_due(&w, KMS_DUE_ROTATE), QK_E_EARLY);
    w.ctx.now_ms = due + 5;
    qk_assert_ok(kit_due(&w, KMS_DUE_ROTATE));
    const struct kms_version *v = &kit_version(&w, 2)->version_of;
    cr_expect_eq(sym(&w)->current, 2);
    cr_expect_arr_eq(sym(&w)->material_id, v->material_id, 32);
    cr_expect_eq(sym(&w)->last_rotation_ms, due, "of the schedule");
    cr_expect_eq(sym(&w)->next_rotation_ms, due + 100 * DAY);
    cr_expect_eq(sym(&w)->on_demand, 0, "the schedule does not count");
    cr_expect_eq(v->rotation, KMS_ROTATION_AUTOMATIC);
    cr_expect_eq(v->rotated_ms, due);
    cr_expect_eq(kms_due_of(&kit_key(&w)->key, due + 5), KMS_DUE_NOTHING);
    kit_world_free(&w);
}

/* A coordinator proposes the time. Two of them must not make two next versions of one record. */
QK_TEST(rotation, no_proposed_time_makes_another_record)
{
    static struct kms_change one, other;
    struct kit_world w;
    QK_AUTO_BUF a = QK_BUF(KMS_RECORD_ENCODED_MAX);
    QK_AUTO_BUF b = QK_BUF(KMS_RECORD_ENCODED_MAX);
    world(&w);
    act(&w, "EnableKeyRotation", "{\"KeyId\":\"%s\",\"RotationPeriodInDays\":100}");
    uint64_t due = KIT_NOW + 100 * DAY;
    struct kms_created created = {.pkrec = qk_str("made once"), .material_id = {7}};
    qk_assert_ok(kms_transition_due(kit_key(&w), NULL, KMS_DUE_ROTATE, due, &created, &one));
    qk_assert_ok(
        kms_transition_due(kit_key(&w), NULL, KMS_DUE_ROTATE, due + 3 * DAY, &created, &other));
    for (size_t i = 0; i < 2; i++) {
        qk_assert_ok(kms_record_encode(&one.records[i], &a));
        qk_assert_ok(kms_record_encode(&other.records[i], &b));
    }
    cr_assert(qk_bytes_eq(qk_buf_view(&a), qk_buf_view(&b)));
    qk_assert_ok(
        kms_transition_due(kit_key(&w), NULL, KMS_DUE_ROTATE, due + 950 * DAY, &created, &other));
    cr_assert_eq(other.records[0].key.sym.last_rotation_ms, due + 900 * DAY);
    cr_assert_eq(
        other.records[0].key.sym.next_rotation_ms, due + 1000 * DAY, "once, not ten times");
    kit_world_free(&w);
}

QK_TEST(rotation, a_key_at_rest_does_not_rotate_but_makes_up_for_it)
{
    struct kit_world w;
    world(&w);
    act(&w, "EnableKeyRotation", KEY);
    act(&w, "DisableKey", KEY);
    uint64_t late = KIT_NOW + 400 * DAY;
    cr_expect_eq(kms_due_of(&kit_key(&w)->key, late), KMS_DUE_NOTHING);
    w.ctx.now_ms = late;
    qk_assert_err(kit_due(&w, KMS_DUE_ROTATE), QK_E_STATE);
    act(&w, "EnableKey", KEY);
    cr_expect_eq(kms_due_of(&kit_key(&w)->key, late), KMS_DUE_ROTATE);
    act(&w, "ScheduleKeyDeletion", KEY);
    cr_expect_eq(kms_due_of(&kit_key(&w)->key, late), KMS_DUE_NOTHING);
    act(&w, "CancelKeyDeletion", KEY);
    cr_expect_eq(kit_key(&w)->key.state, KMS_STATE_DISABLED);
    cr_expect(sym(&w)->rotating, "restored on cancel");
    kit_world_free(&w);
}

QK_TEST(rotation, on_demand_makes_the_next_version_at_most_25_times)
{
    struct kit_world w;
    struct kms_decision d;
    world(&w);
    act(&w, "EnableKeyRotation", KEY);
    uint64_t next = sym(&w)->next_rotation_ms;
    kit_expect_decision(&w, ALICE, "TrentService.RotateKeyOnDemand", KEY, KMS_DO_ROTATE, &d);
    cr_expect_eq(d.ver, 2);
    cr_expect_eq(d.modes, KMS_MODES_FV);
    for (uint32_t i = 1; i <= KMS_ROTATIONS_ON_DEMAND_MAX; i++) {
        act(&w, "RotateKeyOnDemand", KEY);
        cr_expect_eq(sym(&w)->on_demand, i);
        cr_expect_eq(sym(&w)->current, i + 1);
        cr_expect_eq(kit_version(&w, i + 1)->version_of.rotation, KMS_ROTATION_ON_DEMAND);
    }
    cr_expect_eq(sym(&w)->next_rotation_ms, next, "independent of the schedule");
    kit_expect(&w, ALICE, "TrentService.RotateKeyOnDemand", KEY, "LimitExceededException",
        "The on-demand rotations limit has been reached for the given keyId. No more on-demand "
        "rotations can be performed for this key: %K");
    w.ctx.now_ms = next;
    qk_assert_ok(kit_due(&w, KMS_DUE_ROTATE));
    kit_world_free(&w);
}

QK_TEST(rotation, on_demand_waits_for_a_scheduled_one_that_is_near)
{
    struct kit_world w;
    struct kms_decision d;
    world(&w);
    act(&w, "EnableKeyRotation", KEY);
    w.ctx.now_ms = sym(&w)->next_rotation_ms - 20u * 60000u - 1;
    kit_expect_decision(&w, ALICE, "TrentService.RotateKeyOnDemand", KEY, KMS_DO_ROTATE, &d);
    w.ctx.now_ms++;
    kit_expect(&w, ALICE, "TrentService.RotateKeyOnDemand", KEY, "ConflictException",
        "An automatic rotation of %K is in progress or due within 20 minutes.");
    kit_world_free(&w);
}

/* The version's record was certified, the key's was not: the next attempt takes it up. */
QK_TEST(rotation, a_version_left_behind_is_taken_up)
{
    struct kit_world w;
    struct kms_decision d;
    struct kms_record before;
    QK_AUTO_BUF bytes = QK_BUF(KMS_RECORD_ENCODED_MAX);
    world(&w);
    qk_assert_ok(kms_record_encode(kit_key(&w), &bytes));
    qk_assert_ok(kms_record_decode(qk_buf_view(&bytes), &before));
    act(&w, "RotateKeyOnDemand", KEY);
    kit_put(&w, &before);
    kit_expect_decision(&w, ALICE, "TrentService.RotateKeyOnDemand", KEY, KMS_DO_CHANGE, &d);
    cr_expect_eq(d.version_record, kit_version(&w, 2));
    act(&w, "RotateKeyOnDemand", KEY);
    cr_expect_eq(sym(&w)->current, 2);
    cr_expect_eq(kit_version(&w, 2)->version, 1);
    cr_expect_arr_eq(sym(&w)->material_id, kit_version(&w, 2)->version_of.material_id, 32);
    kit_world_free(&w);
}

QK_TEST(rotation, other_specs_do_not_rotate)
{
    struct kit_world w;
    struct kms_decision d;
    kit_world_init(&w);
    static const char *const ops[] = {
        "EnableKeyRotation", "DisableKeyRotation", "RotateKeyOnDemand", "ListKeyRotations"};
    for (size_t i = 0; i < QK_COUNT(ops); i++) {
        char target[64];
        snprintf(target, sizeof target, "TrentService.%s", ops[i]);
        kit_expect(&w, ALICE, target, KEY, "UnsupportedOperationException", NULL);
    }
    kit_expect_decision(&w, ALICE, "TrentService.GetKeyRotationStatus", KEY, KMS_DO_READ, &d);
    kit_world_free(&w);
}

QK_TEST(rotation, states_forbid_what_the_contract_says)
{
    static const struct {
        const char *op;
        const char *disabled, *pending; /* NULL: allowed */
    } rows[] = {{"EnableKeyRotation", "DisabledException", "KMSInvalidStateException"},
        {"DisableKeyRotation", "DisabledException", "KMSInvalidStateException"},
        {"RotateKeyOnDemand", "DisabledException", "KMSInvalidStateException"},
        {"GetKeyRotationStatus", NULL, NULL}, {"ListKeyRotations", NULL, NULL}};
    struct kit_world w;
    struct kms_decision d;
    world(&w);
    for (int pending = 0; pending < 2; pending++) {
        act(&w, pending ? "ScheduleKeyDeletion" : "DisableKey", KEY);
        for (size_t i = 0; i < QK_COUNT(rows); i++) {
            char target[64];
            const char *type = pending ? rows[i].pending : rows[i].disabled;
            snprintf(target, sizeof target, "TrentService.%s", rows[i].op);
            if (type != NULL)
                kit_expect(&w, ALICE, target, KEY, type,
                    pending ? "%K is pending deletion." : "%K is disabled.");
            else
                kit_expect_decision(&w, ALICE, target, KEY, KMS_DO_READ, &d);
        }
    }
    kit_world_free(&w);
}

static void encode_all(const struct kms_change *c, struct qk_buf *out)
{
    for (size_t i = 0; i < c->n; i++) {
        struct kms_record r = c->records[i];
        qk_assert_ok(kms_record_encode(&r, out));
    }
}

/* Every node makes the records itself, at its own time: they must be the same. */
QK_TEST(rotation, two_nodes_make_the_same_bytes)
{
    static struct kms_change a, b;
    struct kit_world w;
    struct kms_request req;
    struct kms_records recs;
    struct kms_decision d;
    const struct kms_proposal prop = {.now_ms = KIT_NOW + 1000};
    const struct kms_created created = {.pkrec = qk_str("record"), .material_id = {7}};
    QK_AUTO_BUF x = QK_BUF(KMS_RECORD_ENCODED_MAX);
    QK_AUTO_BUF y = QK_BUF(KMS_RECORD_ENCODED_MAX);
    world(&w);
    qk_assert_ok(kit_decide(
        &w, ALICE, "TrentService.RotateKeyOnDemand", kit_body(&w, KEY), &req, &recs, &prop, &d));
    struct kms_context later = w.ctx;
    later.now_ms += 2000;
    qk_assert_ok(kms_transition(&w.ctx, &req, &recs, &prop, &d, &created, &a));
    qk_assert_ok(kms_transition(&later, &req, &recs, &prop, &d, &created, &b));
    cr_assert_eq(a.n, 2);
    encode_all(&a, &x);
    encode_all(&b, &y);
    cr_assert(qk_bytes_eq(qk_buf_view(&x), qk_buf_view(&y)));
    qk_assert_err(kms_transition(&w.ctx, &req, &recs, &prop, &d, NULL, &a), QK_E_STATE);
    kms_request_free(&req);
    kit_world_free(&w);
}
