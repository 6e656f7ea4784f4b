/* Changes, deletions that come due, and catching up, with nodes that lie about records: what is
 * stored is what our own transition gives, certified by t nodes. */
#include "qktest/qktest.h"
#include "coordfake.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "qk/clock.h"
#include "rounds/chores.h"
#include "rounds/due.h"
#include "rounds/promised.h"

struct run {
    struct cw_world w;
    struct cw_request request;
    struct coord_op op;
    struct kms_fault fault;
    qk_err err;
};

static struct run *run_new(void)
{
    struct run *r = calloc(1, sizeof *r);
    cr_assert(r != NULL);
    cw_init(&r->w);
    r->w.engine.timing.avoid_ms = 0;
    return r;
}

static void run_free(struct run *r)
{
    cw_free(&r->w);
    free(r);
}

static void describe_as(struct run *r, const char *text)
{
    cw_request(&r->request, "TrentService.UpdateKeyDescription",
        "{\"KeyId\":\"%s\",\"Description\":\"%s\"}", r->w.key_text, text);
    r->err = cw_run(&r->w, &r->op, &r->request, &r->fault);
}

static void stored_key(struct run *r, struct coord_entry *e)
{
    struct kms_ref ref;
    kms_ref_key(r->w.key_id, &ref);
    qk_assert_ok(coord_store_get(r->w.engine.store, &ref, e));
}

/* What is stored is version `version`, says `text`, and its certificate holds. */
static void expect_stored(struct run *r, uint64_t version, const char *text, const char *what)
{
    struct coord_entry e;
    struct kms_record again;
    stored_key(r, &e);
    cr_expect_eq(e.r.version, version, "%s", what);
    cr_expect(qk_bytes_is(e.r.key.description, text), "%s", what);
    cr_expect_eq(coord_store_check(r->w.cluster, e.certified, &again), QK_OK, "%s", what);
    coord_entry_free(&e);
}

QK_TEST(rounds_change, a_change_is_certified_and_stored_before_it_is_answered)
{
    struct run *r = run_new();
    describe_as(r, "new");
    qk_assert_ok(r->err);
    cr_assert_eq(r->op.n_made, 1);
    cr_assert_eq(r->op.made_records[0].version, 2);
    expect_stored(r, 2, "new", "honest");
    coord_op_end(&r->op);
    run_free(r);
}

/* ---- lies about the new record ---- */

/* Sign a record of the liar's own making: with another description. */
static enum cw_fate other_text(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)call;
    if (a->n_signed != 1) return CW_SEND;
    struct kms_record rec;
    cr_assert_eq(kms_record_decode(a->signed_records[0].record, &rec), QK_OK);
    rec.key.description = qk_str("evil");
    size_t at = scratch->len;
    cr_assert_eq(kms_record_encode(&rec, scratch), QK_OK);
    a->signed_records[0].record = qk_bytes(scratch->p + at, scratch->len - at);
    cw_sign(f, a->signed_records[0].record, scratch);
    a->signed_records[0].signature =
        qk_bytes(scratch->p + scratch->len - WIRE_SIG_LEN, WIRE_SIG_LEN);
    return CW_SEND;
}

static enum cw_fate bad_signature(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)call, (void)scratch;
    if (a->n_signed > 0) ((uint8_t *)(uintptr_t)a->signed_records[0].signature.p)[11] ^= 2;
    return CW_SEND;
}

/* The signature of another node, which is a valid one. */
static enum cw_fate borrowed_signature(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)call;
    if (a->n_signed == 0) return CW_SEND;
    cw_sign(&f->world->fakes[f->id % CW_NODES], a->signed_records[0].record, scratch);
    a->signed_records[0].signature =
        qk_bytes(scratch->p + scratch->len - WIRE_SIG_LEN, WIRE_SIG_LEN);
    return CW_SEND;
}

static enum cw_fate no_record(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)call, (void)scratch;
    a->n_signed = 0;
    return CW_SEND;
}

static enum cw_fate twice(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)call, (void)scratch;
    if (a->n_signed == 1) a->signed_records[a->n_signed++] = a->signed_records[0];
    return CW_SEND;
}

static enum cw_fate no_msgpack(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)call, (void)scratch;
    if (a->n_signed == 1) a->signed_records[0].record = qk_str("not a record");
    return CW_SEND;
}

typedef enum cw_fate bend_fn(
    struct cw_fake *, const struct wire_call *, struct wire_answer *, struct qk_buf *);
static const struct {
    const char *what;
    bend_fn *bend;
} lies[] = {
    {"a record of its own making", other_text},
    {"a signature that does not hold", bad_signature},
    {"another node's signature", borrowed_signature},
    {"no record", no_record},
    {"one record too many", twice},
    {"something that is no record", no_msgpack},
};

static void bend(struct run *r, size_t node, bend_fn *fn)
{
    (void)pthread_mutex_lock(&r->w.lock);
    r->w.fakes[node].bend = fn;
    (void)pthread_mutex_unlock(&r->w.lock);
}

/* The nodes learn what the coordinator stored, as PUBLISH would tell them. */
static void publish(struct run *r)
{
    struct coord_entry e;
    static const uint16_t both[] = {1, 2};
    stored_key(r, &e);
    (void)pthread_mutex_lock(&r->w.lock);
    (void)cw_certify(&r->w, &e.r, both, 2);
    (void)pthread_mutex_unlock(&r->w.lock);
    coord_entry_free(&e);
}

QK_TEST(rounds_change, one_liar_in_any_place_changes_nothing_about_the_record)
{
    struct run *r = run_new();
    uint64_t version = 1;
    for (size_t i = 0; i < QK_COUNT(lies); i++)
        for (size_t liar = 0; liar < CW_NODES; liar++) {
            bool met = false;
            bend(r, liar, lies[i].bend);
            for (int k = 0; k < 6 && !met; k++) {
                char text[32]; /* a new one: describing a key as before changes nothing */
                (void)snprintf(text, sizeof text, "good %llu", (unsigned long long)version);
                describe_as(r, text);
                met = r->op.attempts > 1;
                cr_expect_eq(r->err, QK_OK, "%s by node %zu", lies[i].what, liar + 1);
                expect_stored(r, ++version, text, lies[i].what);
                coord_op_end(&r->op);
                publish(r);
            }
            cr_expect(met, "%s by node %zu was never met", lies[i].what, liar + 1);
            bend(r, liar, NULL);
        }
    run_free(r);
}

QK_TEST(rounds_change, even_t_liars_cannot_make_us_store_what_the_caller_did_not_ask_for)
{
    struct run *r = run_new();
    for (size_t i = 0; i < QK_COUNT(lies); i++) {
        for (size_t k = 0; k < CW_NODES; k++) bend(r, k, lies[i].bend);
        describe_as(r, "good");
        cr_expect_neq(r->err, QK_OK, "%s", lies[i].what);
        cr_expect_eq(r->op.n_made, 0, "%s", lies[i].what);
        expect_stored(r, 1, "", lies[i].what);
        coord_op_end(&r->op);
    }
    run_free(r);
}

QK_TEST(rounds_change, a_lost_compare_and_set_starts_over_on_the_newer_record)
{
    static const uint16_t both[] = {1, 2};
    struct run *r = run_new();
    /* Another coordinator was faster: the nodes know version 2, our store does not. They would
     * say STALE; these ones do not, so that the set itself is lost. */
    struct kms_record next = cw_next(cw_find(&r->w, KMS_KIND_KEY, r->w.key_text));
    next.key.state = KMS_STATE_DISABLED;
    QK_AUTO_BUF faster = QK_BUF(KMS_CERTIFIED_MAX);
    cw_certified(&r->w, &next, both, 2, &faster);
    qk_assert_ok(coord_store_adopt(r->w.engine.store, qk_buf_view(&faster), NULL));
    describe_as(r, "late"); /* their version 2 is not ours: refused, then out of attempts */
    cr_assert_neq(r->err, QK_OK);
    struct coord_entry e;
    stored_key(r, &e);
    cr_assert_eq(e.r.version, 2);
    cr_assert_eq(e.r.key.state, KMS_STATE_DISABLED);
    coord_entry_free(&e);
    coord_op_end(&r->op);
    run_free(r);
}

/* ---- due deletions ---- */

static void make_due(struct run *r)
{
    static const uint16_t all[] = {1, 2, 3};
    struct kms_record next = cw_next(cw_find(&r->w, KMS_KIND_KEY, r->w.key_text));
    next.key.state = KMS_STATE_PENDING_DELETION;
    next.key.deletion_ms = qk_now_ms() - 1000;
    next.key.pending_days = 7;
    struct cw_record *c = cw_certify(&r->w, &next, all, 3);
    struct qk_bytes view = qk_buf_view(&c->certified);
    qk_assert_ok(coord_store_put(r->w.engine.store, &view, 1));
}

QK_TEST(rounds_change, a_key_whose_time_has_come_is_deleted_despite_a_liar)
{
    struct run *r = run_new();
    make_due(r);
    bend(r, 0, bad_signature);
    qk_assert_ok(coord_due_run(&r->w.engine, qk_now_ms()));
    struct coord_entry e;
    stored_key(r, &e);
    cr_assert_eq(e.r.version, 3);
    cr_assert_eq(e.r.key.state, KMS_STATE_DELETED);
    coord_entry_free(&e);
    run_free(r);
}

QK_TEST(rounds_change, a_key_is_not_deleted_before_its_time_nor_without_t_nodes)
{
    struct run *r = run_new();
    make_due(r);
    qk_assert_ok(coord_due_run(&r->w.engine, qk_now_ms() - 60000));
    for (size_t i = 0; i < 2; i++) bend(r, i, bad_signature);
    qk_assert_ok(coord_due_run(&r->w.engine, qk_now_ms()));
    struct coord_entry e;
    stored_key(r, &e);
    cr_assert_eq(e.r.version, 2);
    coord_entry_free(&e);
    run_free(r);
}

/* ---- catching up and publishing ---- */

/* Lists a key record that node 1 alone signed, as a newer version. */
static enum cw_fate forged_list(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    static const uint16_t one[] = {1};
    if (call->kind != WIRE_CALL_FETCH || call->fetch_kind != KMS_KIND_KEY || a->n_records == 0)
        return CW_SEND;
    struct kms_record next = cw_next(cw_find(f->world, KMS_KIND_KEY, f->world->key_text));
    next.key.state = KMS_STATE_DISABLED;
    size_t at = scratch->len;
    cw_certified(f->world, &next, one, 1, scratch);
    a->records[0] = qk_bytes(scratch->p + at, scratch->len - at);
    return CW_SEND;
}

/* The same record over and over. */
static enum cw_fate endless_list(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)scratch;
    if (call->kind != WIRE_CALL_FETCH || call->fetch_kind != KMS_KIND_KEY) return CW_SEND;
    a->records[0] = qk_buf_view(&cw_find(f->world, KMS_KIND_KEY, f->world->key_text)->certified);
    a->n_records = 1;
    return CW_SEND;
}

static struct coord_store *empty_store(struct run *r)
{
    char path[128], why[256];
    struct coord_store *s = NULL;
    (void)snprintf(path, sizeof path, "%s/empty.db", r->w.dir);
    qk_assert_ok(coord_store_open(&s, path, r->w.cluster, why, sizeof why));
    return s;
}

static void drop_store(struct run *r, struct coord_store *s)
{
    char path[128];
    coord_store_close(s);
    (void)snprintf(path, sizeof path, "%s/empty.db", r->w.dir);
    (void)remove(path);
}

QK_TEST(rounds_change, an_empty_store_is_rebuilt_from_the_nodes_and_not_by_a_liar)
{
    struct run *r = run_new();
    struct coord_store *filled = r->w.engine.store;
    r->w.engine.store = empty_store(r);
    bend(r, 0, forged_list);
    qk_assert_ok(coord_fetch_all(&r->w.engine, 1));
    struct kms_ref ref;
    struct coord_entry e;
    kms_ref_key(r->w.key_id, &ref);
    qk_assert_err(coord_store_get(r->w.engine.store, &ref, &e), QK_E_NOT_FOUND);
    coord_entry_free(&e);
    qk_assert_ok(coord_fetch_all(&r->w.engine, 2));
    for (size_t i = 0; i < r->w.n_records; i++) {
        ref.kind = r->w.records[i].r.kind;
        memcpy(ref.id, r->w.records[i].r.id, sizeof ref.id);
        qk_assert_ok(coord_store_get(r->w.engine.store, &ref, &e));
        cr_assert_eq(memcmp(e.r.hash, r->w.records[i].r.hash, 32), 0);
        coord_entry_free(&e);
    }
    bend(r, 2, endless_list);
    qk_assert_err(coord_fetch_all(&r->w.engine, 3), QK_E_UNEXPECTED);
    drop_store(r, r->w.engine.store);
    r->w.engine.store = filled;
    run_free(r);
}

/* Does not acknowledge the first PUBLISH. */
static enum cw_fate deaf_once(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)scratch;
    if (call->kind == WIRE_CALL_PUBLISH && f->calls[WIRE_CALL_PUBLISH] == 1)
        *a = (struct wire_answer){.status = WIRE_ANSWER_RETRY};
    return CW_SEND;
}

QK_TEST(rounds_change, every_node_hears_of_a_change_at_last)
{
    struct run *r = run_new();
    struct coord_keeper_config cfg = {.engine = &r->w.engine, .due_ms = 1000000};
    qk_assert_ok(coord_publisher_new(&r->w.engine.publisher, &r->w.engine, 100));
    qk_assert_ok(coord_keeper_new(&r->w.keeper, &cfg));
    bend(r, 1, deaf_once);
    describe_as(r, "told");
    qk_assert_ok(r->err);
    coord_op_end(&r->op);
    bool told = false;
    for (int i = 0; i < 1000 && !told; i++) {
        struct timespec t = {.tv_nsec = 10000000};
        (void)nanosleep(&t, NULL);
        (void)pthread_mutex_lock(&r->w.lock);
        told = r->w.fakes[0].calls[WIRE_CALL_PUBLISH] == 1 &&
               r->w.fakes[1].calls[WIRE_CALL_PUBLISH] == 2 &&
               r->w.fakes[2].calls[WIRE_CALL_PUBLISH] == 1;
        (void)pthread_mutex_unlock(&r->w.lock);
    }
    cr_assert(told);
    for (int i = 0; i < 3000 && coord_keeper_n_synced(r->w.keeper) < CW_NODES; i++) {
        struct timespec t = {.tv_nsec = 10000000};
        (void)nanosleep(&t, NULL);
    }
    cr_assert_eq(coord_keeper_n_synced(r->w.keeper), CW_NODES);
    run_free(r);
}

static void wait_for_links(struct run *r, size_t n)
{
    for (int i = 0; i < 3000 && coord_nodes_n_up(r->w.engine.nodes) != n; i++)
        (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    cr_assert_eq(coord_nodes_n_up(r->w.engine.nodes), n);
}

static bool is_told(struct run *r, size_t node)
{
    (void)pthread_mutex_lock(&r->w.lock);
    bool told = r->w.fakes[node].calls[WIRE_CALL_PUBLISH] > 0;
    (void)pthread_mutex_unlock(&r->w.lock);
    return told;
}

QK_TEST(rounds_change, the_end_of_a_key_waits_for_a_node_that_is_away)
{
    struct run *r = run_new();
    make_due(r);
    wait_for_links(r, CW_NODES);
    cw_fake_stop(&r->w.fakes[2]);
    wait_for_links(r, CW_NODES - 1);
    qk_assert_ok(coord_publisher_new(&r->w.engine.publisher, &r->w.engine, 100));
    qk_assert_ok(coord_due_run(&r->w.engine, qk_now_ms()));
    for (int i = 0; i < 1000 && !(is_told(r, 0) && is_told(r, 1)); i++)
        (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    cr_assert(is_told(r, 0) && is_told(r, 1));
    (void)nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL); /* the publisher looks again */
    cw_fake_start(&r->w.fakes[2]);
    for (int i = 0; i < 3000 && !is_told(r, 2); i++)
        (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    cr_expect(is_told(r, 2));
    run_free(r);
}

/* A node that promised the next version of the key, and lists it. bend_arg: which description. */
static enum cw_fate has_promised(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    if (call->kind != WIRE_CALL_PROMISED || call->fetch_kind != KMS_KIND_KEY ||
        call->fetch_after.len > 0)
        return CW_SEND;
    struct kms_record next = cw_next(cw_find(f->world, KMS_KIND_KEY, f->world->key_text));
    next.key.description = qk_str(f->bend_arg);
    size_t at = scratch->len;
    cr_assert_eq(kms_record_encode(&next, scratch), QK_OK);
    struct qk_bytes encoded = qk_bytes(scratch->p + at, scratch->len - at);
    at = scratch->len;
    cw_sign(f, encoded, scratch);
    a->signed_records[0] =
        (struct wire_signed){encoded, qk_bytes(scratch->p + at, scratch->len - at)};
    a->n_signed = 1;
    return CW_SEND;
}

/* The same with another node's signature. */
static enum cw_fate has_not_signed(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    enum cw_fate fate = has_promised(f, call, a, scratch);
    if (a->n_signed == 1) scratch->p[scratch->len - 1] ^= 1;
    return fate;
}

static void promised_by(struct run *r, size_t node, bend_fn *fn, const char *text)
{
    r->w.fakes[node].bend_arg = (void *)(uintptr_t)text;
    bend(r, node, fn);
}

QK_TEST(rounds_change, what_t_nodes_promised_survives_the_loss_of_its_certificate)
{
    struct run *r = run_new();
    struct coord_promised *p = coord_promised_new();
    promised_by(r, 0, has_promised, "promised");
    promised_by(r, 1, has_promised, "something else");
    promised_by(r, 2, has_promised, "promised");
    qk_assert_ok(coord_promised_take(&r->w.engine, p, 1));
    qk_assert_ok(coord_promised_take(&r->w.engine, p, 1)); /* the same node again counts once */
    qk_assert_ok(coord_promised_take(&r->w.engine, p, 2));
    expect_stored(r, 1, "", "one node's word is not enough");
    qk_assert_ok(coord_promised_take(&r->w.engine, p, 3));
    expect_stored(r, 2, "promised", "two nodes' is");
    coord_promised_free(p);
    run_free(r);
}

QK_TEST(rounds_change, a_promise_counts_with_its_nodes_signature_only)
{
    struct run *r = run_new();
    struct coord_promised *p = coord_promised_new();
    promised_by(r, 0, has_promised, "promised");
    promised_by(r, 1, has_not_signed, "promised");
    qk_assert_ok(coord_promised_take(&r->w.engine, p, 1));
    qk_assert_err(coord_promised_take(&r->w.engine, p, 2), QK_E_PROOF);
    expect_stored(r, 1, "", "a signature that does not hold is none");
    coord_promised_free(p);
    run_free(r);
}
