/* Rotation: a new version takes every node, is announced whole or not at all, and comes due by the
 * date in the certified record. */
#include "qktest/qktest.h"
#include "coordsym.h"

#include <stdlib.h>
#include "qk/clock.h"
#include "rounds/due.h"
#include "rounds/promised.h"

static struct cw_world *world_new(void)
{
    struct cw_world *w = calloc(1, sizeof *w);
    cr_assert(w != NULL);
    cw_init_sym(w, MPC_SYM_FV);
    return w;
}

static void world_free(struct cw_world *w)
{
    cw_free(w);
    free(w);
}

static void load_key(struct cw_world *w, struct coord_entry *out)
{
    struct kms_ref ref;
    kms_ref_key(w->sym->key_id, &ref);
    qk_assert_ok(coord_store_get(w->engine.store, &ref, out));
}

static bool has_version(struct cw_world *w, uint32_t ver)
{
    struct kms_ref ref;
    COORD_AUTO_ENTRY e = {0};
    kms_ref_version(w->sym->key_id, ver, &ref);
    return coord_store_get(w->engine.store, &ref, &e) == QK_OK;
}

static uint32_t current(struct cw_world *w)
{
    COORD_AUTO_ENTRY e = {0};
    load_key(w, &e);
    return e.r.key.sym.current;
}

static qk_err rotate(struct cw_world *w, struct kms_fault *fault)
{
    struct cw_request request;
    struct coord_op *op = calloc(1, sizeof *op);
    cw_request(&request, "TrentService.RotateKeyOnDemand", "{\"KeyId\":\"%s\"}", w->sym->key_text);
    qk_err err = cw_serve(w, op, &request, fault);
    if (err == QK_OK) cr_expect_eq(op->n_made, 2);
    coord_op_end(op);
    free(op);
    return err;
}

QK_TEST(rotation, on_demand_makes_the_next_version_current)
{
    struct cw_world *w = world_new();
    struct kms_fault fault;
    QK_AUTO_BUF before = QK_BUF(8192);
    QK_AUTO_BUF plain = QK_BUF_SECRET(8192);
    QK_AUTO_BUF opened = QK_BUF_SECRET(8192);
    cw_data_key(w, &before, &plain);
    cr_assert_eq(rotate(w, &fault), QK_OK, "%s %s", fault.type, fault.message);
    cr_expect_eq(current(w), 2);
    cr_expect(has_version(w, 2));
    qk_assert_ok(cw_decrypt(w, qk_buf_view(&before), "", &opened, &fault));
    cr_expect(qk_bytes_eq(qk_buf_view(&opened), qk_buf_view(&plain)));
    world_free(w);
}

/* One node announces material of its own. */
static enum cw_fate other_material(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)call;
    for (uint32_t i = 0; i < a->n_signed; i++) {
        struct kms_record r;
        CW_MUST(kms_record_decode(a->signed_records[i].record, &r) == QK_OK);
        if (r.kind != KMS_KIND_VERSION) continue;
        r.version_of.material_id[0] ^= 1;
        size_t at = scratch->len;
        CW_MUST(kms_record_encode(&r, scratch) == QK_OK);
        size_t len = scratch->len - at;
        cw_sign(f, qk_bytes(scratch->p + at, len), scratch);
        a->signed_records[i] = (struct wire_signed){
            qk_bytes(scratch->p + at, len), qk_bytes(scratch->p + at + len, WIRE_SIG_LEN)};
    }
    return CW_SEND;
}

QK_TEST(rotation, S_20_what_one_node_announces_differently_is_no_version)
{
    struct cw_world *w = world_new();
    struct kms_fault fault;
    w->engine.timing.create_ms = 1500;
    for (size_t i = 0; i < CW_NODES; i++) {
        for (size_t k = 0; k < CW_NODES; k++) w->fakes[k].bend = k == i ? other_material : NULL;
        cr_expect_neq(rotate(w, &fault), QK_OK, "S-20: node %zu", i + 1);
        cr_expect_eq(current(w), 1);
        cr_expect(!has_version(w, 2), "S-20");
    }
    world_free(w);
}

QK_TEST(rotation, a_new_version_takes_every_node)
{
    struct cw_world *w = world_new();
    struct kms_fault fault;
    w->engine.timing.create_ms = 1500;
    w->engine.timing.link_ms = 100;
    cw_fake_stop(&w->fakes[1]);
    while (coord_node_up(w->engine.nodes, 2)) {
    }
    cr_expect_neq(rotate(w, &fault), QK_OK);
    cr_expect_eq(current(w), 1);
    world_free(w);
}

QK_TEST(rotation, comes_due_by_the_date_in_the_record)
{
    struct cw_world *w = world_new();
    uint64_t now = qk_now_ms();
    cw_schedule_rotation(w, now + 60000);
    qk_assert_ok(coord_due_run(&w->engine, now));
    cr_expect_eq(current(w), 1);
    cr_expect_eq(w->fakes[0].calls[WIRE_CALL_DUE], 0);
    cw_schedule_rotation(w, now - 1000);
    qk_assert_ok(coord_due_run(&w->engine, qk_now_ms()));
    cr_expect_eq(current(w), 2);
    cr_expect(has_version(w, 2));
    COORD_AUTO_ENTRY e = {0};
    load_key(w, &e);
    cr_expect(e.r.key.sym.next_rotation_ms > now + 89 * (uint64_t)86400000);
    cr_expect_eq(e.r.key.sym.on_demand, 0);
    unsigned calls = w->fakes[0].calls[WIRE_CALL_DUE];
    qk_assert_ok(coord_due_run(&w->engine, qk_now_ms()));
    cr_expect_eq(w->fakes[0].calls[WIRE_CALL_DUE], calls, "once");
    world_free(w);
}

QK_TEST(rotation, that_is_due_waits_for_a_node_that_is_away)
{
    struct cw_world *w = world_new();
    cw_schedule_rotation(w, qk_now_ms() - 1000);
    cw_fake_stop(&w->fakes[2]);
    while (coord_node_up(w->engine.nodes, 3)) {
    }
    qk_assert_ok(coord_due_run(&w->engine, qk_now_ms()));
    cr_expect_eq(current(w), 1);
    cr_expect_eq(w->fakes[0].calls[WIRE_CALL_DUE], 0);
    world_free(w);
}

/* ---- what is slow or fails does not keep the rest ---- */

/* The keys that nodes were asked about, in order; kept by node 1. */
static struct {
    char id[8][KMS_RECORD_ID_MAX + 1];
    size_t n;
} asked;

static enum cw_fate no_rotation(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)scratch;
    if (call->kind != WIRE_CALL_DUE) return CW_SEND;
    if (f->id == 1 && asked.n < QK_COUNT(asked.id)) {
        struct qk_bytes id = call->refs[0].id;
        memcpy(asked.id[asked.n], id.p, id.len);
        asked.id[asked.n++][id.len] = 0;
    }
    if (call->n_refs > 1) *a = (struct wire_answer){.status = WIRE_ANSWER_RETRY};
    return CW_SEND;
}

static void make_deletion_due(struct cw_world *w)
{
    static const uint16_t every[] = {1, 2, 3};
    (void)pthread_mutex_lock(&w->lock);
    struct kms_record next = cw_next(cw_find(w, KMS_KIND_KEY, w->key_text));
    next.key.state = KMS_STATE_PENDING_DELETION;
    next.key.deletion_ms = qk_now_ms() - 1000;
    next.key.pending_days = 7;
    struct qk_bytes view = qk_buf_view(&cw_certify(w, &next, every, 3)->certified);
    qk_assert_ok(coord_store_put(w->engine.store, &view, 1));
    (void)pthread_mutex_unlock(&w->lock);
}

QK_TEST(rotation, that_fails_comes_after_the_deletions_that_are_due_later)
{
    struct cw_world *w = world_new();
    struct kms_ref ref = {.kind = KMS_KIND_KEY};
    COORD_AUTO_ENTRY e = {0};
    asked.n = 0;
    cw_schedule_rotation(w, qk_now_ms() - 86400000);
    make_deletion_due(w);
    for (size_t i = 0; i < CW_NODES; i++) w->fakes[i].bend = no_rotation;
    qk_assert_ok(coord_due_run(&w->engine, qk_now_ms()));
    memcpy(ref.id, w->key_text, sizeof w->key_text);
    qk_assert_ok(coord_store_get(w->engine.store, &ref, &e));
    cr_expect_eq(e.r.key.state, KMS_STATE_DELETED);
    cr_expect_eq(current(w), 1);
    cr_expect_gt(asked.n, 1u);
    cr_expect_str_eq(asked.id[0], w->key_text, "the deletion had to wait for a rotation");
    cr_expect_str_eq(asked.id[asked.n - 1], w->sym->key_text);
    world_free(w);
}

/* ---- a coordinator that died between the nodes' signatures and its store ---- */

/* The records of a rotation as the nodes have promised them: by kind. */
static struct qk_buf promised[KMS_KIND_VERSION + 1];

static void promise_rotation(struct cw_world *w)
{
    struct kms_created created;
    QK_AUTO_BUF pkrec = QK_BUF(KMS_PKREC_MAX);
    struct kms_change *next = calloc(1, sizeof *next);
    (void)pthread_mutex_lock(&w->lock);
    cw_generated(w, 2, &created, &pkrec);
    const struct cw_record *key = cw_find(w, KMS_KIND_KEY, w->sym->key_text);
    qk_assert_ok(kms_transition_due(&key->r, NULL, KMS_DUE_ROTATE, qk_now_ms(), &created, next));
    for (size_t i = 0; i < next->n; i++) {
        struct qk_buf *b = &promised[next->records[i].kind];
        *b = (struct qk_buf)QK_BUF(KMS_RECORD_ENCODED_MAX);
        qk_assert_ok(kms_record_encode(&next->records[i], b));
    }
    (void)pthread_mutex_unlock(&w->lock);
    free(next);
}

static enum cw_fate names_promised(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    if (call->kind != WIRE_CALL_PROMISED || call->fetch_after.len > 0) return CW_SEND;
    struct qk_bytes record = qk_buf_view(&promised[call->fetch_kind]);
    if (record.len == 0) return CW_SEND;
    size_t at = scratch->len;
    cw_sign(f, record, scratch);
    a->signed_records[a->n_signed++] =
        (struct wire_signed){record, qk_bytes(scratch->p + at, WIRE_SIG_LEN)};
    return CW_SEND;
}

QK_TEST(rotation, S_20_that_t_nodes_promised_is_completed_key_and_version)
{
    struct cw_world *w = world_new();
    cw_schedule_rotation(w, qk_now_ms() - 1000);
    promise_rotation(w);
    for (size_t i = 0; i < CW_NODES; i++) w->fakes[i].bend = names_promised;
    struct coord_promised *p = coord_promised_new();
    qk_assert_ok(coord_promised_take(&w->engine, p, 1));
    cr_expect_eq(current(w), 1, "S-20: one node alone completes nothing");
    cr_expect(!has_version(w, 2));
    qk_assert_ok(coord_promised_take(&w->engine, p, 3));
    cr_expect_eq(current(w), 2);
    cr_expect(has_version(w, 2), "S-20");
    coord_promised_free(p);
    for (size_t i = 0; i < QK_COUNT(promised); i++) qk_buf_free(&promised[i]);
    world_free(w);
}
