/* Signing and reading with nodes that lie: nothing unverified is ever released, and one node alone
 * decides nothing. */
#include "qktest/qktest.h"
#include "coordfake.h"

#include <stdlib.h>
#include "rounds/combine.h"

static const char sign_body[] =
    "{\"KeyId\":\"%s\",\"Message\":\"aGVsbG8=\",\"MessageType\":\"RAW\","
    "\"SigningAlgorithm\":\"ECDSA_SHA_256\"}";

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
    return r;
}

static void run_free(struct run *r)
{
    cw_free(&r->w);
    free(r);
}

static void sign(struct run *r)
{
    cw_request(&r->request, "TrentService.Sign", sign_body, r->w.key_text);
    r->err = cw_run(&r->w, &r->op, &r->request, &r->fault);
}

/* What was released verifies under the key's public key. */
static bool released_valid(struct run *r)
{
    return coord_verify_signature(&r->op.decision.key->key,
               qk_bytes(r->op.decision.digest, r->op.decision.digest_len),
               qk_buf_view(&r->op.der)) == QK_OK;
}

static bool in_set(const struct coord_op *op, uint16_t node)
{
    for (size_t i = 0; i < op->n_set; i++)
        if (op->set[i] == node) return true;
    return false;
}

QK_TEST(rounds_sign, two_honest_nodes_make_a_valid_signature)
{
    struct run *r = run_new();
    sign(r);
    qk_assert_ok(r->err);
    cr_assert(released_valid(r));
    cr_assert_eq(r->op.attempts, 1);
    coord_op_end(&r->op);
    run_free(r);
}

/* ---- how a node can lie about its part ---- */

static enum cw_fate bend_w(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)call, (void)scratch;
    /* inside w; another bit for each node, or two errors could cancel */
    if (a->part.len > 80) ((uint8_t *)(uintptr_t)a->part.p)[60] ^= (uint8_t)(1 << f->id);
    return CW_SEND;
}

static enum cw_fate bend_r(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)call, (void)scratch;
    if (a->part.len > 0) ((uint8_t *)(uintptr_t)a->part.p)[0] ^= 1; /* -R: a valid point */
    return CW_SEND;
}

static enum cw_fate other_digest(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    static const uint8_t digest[32] = {1, 2, 3};
    if (a->part.len == 0) return CW_SEND;
    size_t at = scratch->len, position = call->peers[0] == f->id ? 0 : 1;
    cw_part(f->world, call->rnd, position, QK_BYTES(digest), scratch);
    a->part = qk_bytes(scratch->p + at, scratch->len - at);
    return CW_SEND;
}

static enum cw_fate short_part(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)call, (void)scratch;
    if (a->part.len > 0) a->part.len--;
    return CW_SEND;
}

static enum cw_fate no_part(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)call, (void)scratch;
    a->part = (struct qk_bytes){0};
    return CW_SEND;
}

static enum cw_fate zero_part(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)call, (void)scratch;
    memset((uint8_t *)(uintptr_t)a->part.p, 0, a->part.len);
    return CW_SEND;
}

static enum cw_fate silent(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)call, (void)a, (void)scratch;
    return CW_SILENT;
}

static enum cw_fate drop(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)call, (void)a, (void)scratch;
    return CW_DROP;
}

static enum cw_fate garbage(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)call, (void)a, (void)scratch;
    return CW_GARBAGE;
}

/* Cannot finish, and it is always somebody else's fault. */
static enum cw_fate blame(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)scratch;
    *a = (struct wire_answer){.status = WIRE_ANSWER_RETRY, .fault_message = qk_str("aborted")};
    a->culprit = call->peers[0] == f->id ? call->peers[1] : call->peers[0];
    return CW_SEND;
}

static enum cw_fate refuse(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)call, (void)scratch;
    *a = (struct wire_answer){.status = WIRE_ANSWER_REFUSED, .fault_message = qk_str("no")};
    return CW_SEND;
}

static enum cw_fate needs_forever(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)call, (void)scratch;
    *a = (struct wire_answer){.status = WIRE_ANSWER_NEED, .n_refs = 1};
    a->refs[0] = (struct wire_ref){.kind = KMS_KIND_SYSTEM, .id = qk_str("system")};
    return CW_SEND;
}

static enum cw_fate needs_nothing(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)call, (void)scratch;
    *a = (struct wire_answer){.status = WIRE_ANSWER_NEED};
    return CW_SEND;
}

static enum cw_fate lone_fault(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)call, (void)scratch;
    *a = (struct wire_answer){.status = WIRE_ANSWER_FAULT,
        .fault_type = qk_str("AccessDeniedException"),
        .fault_message = qk_str("because I say so"),
        .fault_has_message = true};
    return CW_SEND;
}

static enum cw_fate invented_fault(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)call, (void)scratch;
    *a = (struct wire_answer){.status = WIRE_ANSWER_FAULT,
        .fault_type = qk_str("PwnedException"),
        .fault_message = qk_str("\"},{"),
        .fault_has_message = true};
    return CW_SEND;
}

/* OK without having done anything. */
static enum cw_fate yes_man(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)call, (void)scratch;
    *a = (struct wire_answer){.status = WIRE_ANSWER_OK};
    return CW_SEND;
}

typedef enum cw_fate bend_fn(
    struct cw_fake *, const struct wire_call *, struct wire_answer *, struct qk_buf *);
static void bend(struct run *r, size_t node, bend_fn *fn)
{
    (void)pthread_mutex_lock(&r->w.lock);
    r->w.fakes[node].bend = fn;
    (void)pthread_mutex_unlock(&r->w.lock);
}

static const struct {
    const char *what;
    bend_fn *bend;
} lies[] = {
    {"w is off by one bit (E-15)", bend_w},
    {"another R", bend_r},
    {"a part for another digest (E-16)", other_digest},
    {"a part that is too short", short_part},
    {"no part", no_part},
    {"a part of zeros", zero_part},
    {"the call is dropped", drop},
    {"an answer that does not decode", garbage},
    {"RETRY that blames an honest node", blame},
    {"NEED without end", needs_forever},
    {"NEED of nothing", needs_nothing},
    {"a fault that nobody shares", lone_fault},
    {"a fault that does not exist", invented_fault},
    /* last, for the node is avoided for a while afterwards */
    {"silence", silent},
    {"REFUSED", refuse},
};

/* Sign until the liar was among the first set asked: one of three times it is not. */
static void one_lie(struct run *r, size_t i, size_t liar)
{
    bool met = false;
    bend(r, liar, lies[i].bend);
    for (int k = 0; k < 6 && !met; k++) {
        sign(r);
        met = r->op.attempts > 1;
        cr_expect_eq(r->err, QK_OK, "%s by node %zu: %s %s", lies[i].what, liar + 1,
            qk_err_name(r->err), r->fault.type == NULL ? "" : r->fault.type);
        cr_expect(r->err != QK_OK || released_valid(r), "%s", lies[i].what);
        cr_expect(!in_set(&r->op, (uint16_t)(liar + 1)), "%s", lies[i].what);
        coord_op_end(&r->op);
    }
    cr_expect(met, "%s by node %zu was never met", lies[i].what, liar + 1);
    bend(r, liar, NULL);
}

QK_TEST(rounds_sign, one_liar_in_any_place_costs_attempts_but_nothing_else)
{
    struct run *r = run_new();
    r->w.engine.timing.avoid_ms = 0;
    for (size_t i = 0; i < QK_COUNT(lies); i++)
        for (size_t liar = 0; liar < CW_NODES; liar++) one_lie(r, i, liar);
    run_free(r);
}

/* Ruins every session with node 1 in it, which itself looks fine. */
static enum cw_fate ruined_by_1(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)a, (void)scratch;
    return call->n_peers > 0 && call->peers[0] == 1 ? CW_SILENT : CW_SEND;
}

QK_TEST(rounds_sign, a_saboteur_who_looks_innocent_does_not_get_others_excluded)
{
    struct run *r = run_new();
    r->w.engine.timing.attempt_ms = 300;
    r->w.fakes[1].bend = ruined_by_1;
    r->w.fakes[2].bend = ruined_by_1;
    for (int i = 0; i < 6; i++) {
        sign(r);
        qk_assert_ok(r->err);
        cr_assert(released_valid(r) && !in_set(&r->op, 1));
        coord_op_end(&r->op);
    }
    run_free(r);
}

QK_TEST(rounds_sign, two_liars_get_nothing_released)
{
    struct run *r = run_new();
    for (size_t i = 0; i < QK_COUNT(lies); i++) {
        if (lies[i].bend == lone_fault) continue; /* two of three that agree are the cluster */
        if (lies[i].bend == bend_r) continue;     /* both negate R: that is a valid signature */
        r->w.fakes[0].bend = lies[i].bend;
        r->w.fakes[2].bend = lies[i].bend;
        r->w.engine.timing.total_ms = 2500;
        sign(r);
        cr_expect_neq(r->err, QK_OK, "%s", lies[i].what);
        cr_expect_eq(r->op.der.len, 0, "%s", lies[i].what);
        cr_expect(r->fault.http_status >= 500, "%s: %s", lies[i].what, r->fault.type);
        coord_op_end(&r->op);
    }
    run_free(r);
}

QK_TEST(rounds_sign, a_fault_counts_when_t_nodes_tell_it)
{
    struct run *r = run_new();
    r->w.fakes[0].bend = lone_fault;
    r->w.fakes[1].bend = lone_fault;
    sign(r);
    qk_assert_err(r->err, QK_E_DENIED);
    cr_assert_eq(strcmp(r->fault.type, "AccessDeniedException"), 0);
    cr_assert_eq(strcmp(r->fault.message, "because I say so"), 0);
    cr_assert_eq(r->op.der.len, 0);
    coord_op_end(&r->op);
    run_free(r);
}

static enum cw_fate own_clock(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)call;
    size_t at = scratch->len;
    qk_buf_printf(scratch, "Signature expired, says the clock of node %u", f->id);
    *a = (struct wire_answer){.status = WIRE_ANSWER_FAULT,
        .fault_type = qk_str("InvalidSignatureException"),
        .fault_message = qk_bytes(scratch->p + at, scratch->len - at),
        .fault_has_message = true};
    return CW_SEND;
}

QK_TEST(rounds_sign, a_text_that_one_node_alone_tells_is_left_out)
{
    struct run *r = run_new();
    for (size_t i = 0; i < CW_NODES; i++) r->w.fakes[i].bend = own_clock;
    sign(r);
    qk_assert_err(r->err, QK_E_DENIED);
    cr_assert_eq(strcmp(r->fault.type, "InvalidSignatureException"), 0);
    cr_assert(!r->fault.has_message);
    coord_op_end(&r->op);
    run_free(r);
}

QK_TEST(rounds_sign, honest_refusals_are_passed_on)
{
    static const uint16_t all[] = {1, 2, 3};
    struct run *r = run_new();
    struct kms_record next = cw_next(cw_find(&r->w, KMS_KIND_KEY, r->w.key_text));
    next.key.state = KMS_STATE_DISABLED;
    struct cw_record *c = cw_certify(&r->w, &next, all, 3);
    struct qk_bytes view = qk_buf_view(&c->certified);
    qk_assert_ok(coord_store_put(r->w.engine.store, &view, 1));
    sign(r);
    qk_assert_err(r->err, QK_E_DENIED);
    cr_assert_eq(strcmp(r->fault.type, "DisabledException"), 0);
    coord_op_end(&r->op);
    run_free(r);
}

/* Nodes that say yes to what our own records forbid are not believed. */
QK_TEST(rounds_sign, yes_of_all_nodes_does_not_open_a_disabled_key)
{
    static const uint16_t all[] = {1, 2, 3};
    struct run *r = run_new();
    struct kms_record next = cw_next(cw_find(&r->w, KMS_KIND_KEY, r->w.key_text));
    next.key.state = KMS_STATE_DISABLED;
    struct cw_record *c = cw_certify(&r->w, &next, all, 3);
    struct qk_bytes view = qk_buf_view(&c->certified);
    qk_assert_ok(coord_store_put(r->w.engine.store, &view, 1));
    for (size_t i = 0; i < CW_NODES; i++) r->w.fakes[i].bend = yes_man;
    sign(r);
    cr_assert_neq(r->err, QK_OK);
    cr_assert_eq(r->op.der.len, 0);
    coord_op_end(&r->op);
    run_free(r);
}

QK_TEST(rounds_sign, a_read_needs_t_nodes_too)
{
    struct run *r = run_new();
    r->w.fakes[0].bend = lone_fault;
    r->w.fakes[1].bend = lone_fault; /* two of three say no, one says yes */
    cw_request(&r->request, "TrentService.DescribeKey", "{\"KeyId\":\"%s\"}", r->w.key_text);
    r->err = cw_run(&r->w, &r->op, &r->request, &r->fault);
    qk_assert_err(r->err, QK_E_DENIED);
    coord_op_end(&r->op);
    r->w.fakes[1].bend = NULL; /* one of three */
    cw_request(&r->request, "TrentService.DescribeKey", "{\"KeyId\":\"%s\"}", r->w.key_text);
    r->err = cw_run(&r->w, &r->op, &r->request, &r->fault);
    qk_assert_ok(r->err);
    coord_op_end(&r->op);
    run_free(r);
}

QK_TEST(rounds_sign, a_request_without_authentication_reaches_no_node)
{
    struct run *r = run_new();
    cw_request(&r->request, "TrentService.Sign", sign_body, r->w.key_text);
    r->request.raw.n_headers = 3; /* without date and authorization */
    r->err = cw_run(&r->w, &r->op, &r->request, &r->fault);
    qk_assert_err(r->err, QK_E_DENIED);
    cr_assert_eq(strcmp(r->fault.type, "MissingAuthenticationTokenException"), 0);
    coord_op_end(&r->op);
    for (size_t i = 0; i < CW_NODES; i++) cr_assert_eq(r->w.fakes[i].calls[WIRE_CALL_OP], 0);
    run_free(r);
}

QK_TEST(rounds_sign, fewer_than_t_nodes_is_a_timeout_not_an_answer)
{
    struct run *r = run_new();
    cw_fake_stop(&r->w.fakes[0]);
    cw_fake_stop(&r->w.fakes[1]);
    r->w.engine.timing.link_ms = 100;
    r->w.engine.timing.total_ms = 2000;
    sign(r);
    cr_assert_neq(r->err, QK_OK);
    cr_assert_geq(r->fault.http_status, 500);
    coord_op_end(&r->op);
    run_free(r);
}

/* ---- records handed out and taken over ---- */

/* Wants the key record first, as a node that has not seen it. */
static enum cw_fate needs_key(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)scratch;
    for (uint32_t i = 0; i < call->n_records; i++) {
        struct kms_record r;
        cr_assert_eq(coord_store_check(f->world->cluster, call->records[i], &r), QK_OK);
        f->answered_need = f->answered_need || r.kind == KMS_KIND_KEY;
    }
    if (f->answered_need) return CW_SEND;
    *a = (struct wire_answer){.status = WIRE_ANSWER_NEED, .n_refs = 1};
    a->refs[0] = (struct wire_ref){.kind = KMS_KIND_KEY, .id = qk_str(f->world->key_text)};
    return CW_SEND;
}

QK_TEST(rounds_sign, nodes_get_the_records_they_need_with_certificates)
{
    struct run *r = run_new();
    for (size_t i = 0; i < CW_NODES; i++) r->w.fakes[i].bend = needs_key;
    sign(r);
    qk_assert_ok(r->err);
    cr_assert(released_valid(r));
    cr_assert_eq(r->op.attempts, 1);
    for (size_t i = 0; i < r->op.n_set; i++) cr_assert(r->w.fakes[r->op.set[i] - 1].answered_need);
    coord_op_end(&r->op);
    run_free(r);
}

struct newer {
    struct qk_buf certified;
};

static enum cw_fate stale(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)scratch;
    struct newer *n = f->bend_arg;
    for (uint32_t i = 0; i < call->n_refs; i++)
        if (call->refs[i].kind == KMS_KIND_KEY && call->refs[i].version >= 2) return CW_SEND;
    *a = (struct wire_answer){.status = WIRE_ANSWER_STALE, .n_records = 1};
    a->records[0] = qk_buf_view(&n->certified);
    return CW_SEND;
}

QK_TEST(rounds_sign, a_newer_certified_record_is_taken_over_and_used)
{
    static const uint16_t two[] = {1, 3};
    struct run *r = run_new();
    struct newer n = {.certified = QK_BUF(KMS_CERTIFIED_MAX)};
    struct kms_record next = cw_next(cw_find(&r->w, KMS_KIND_KEY, r->w.key_text));
    next.key.state = KMS_STATE_DISABLED; /* another coordinator has disabled it */
    struct cw_record *c = cw_certify(&r->w, &next, two, 2);
    qk_buf_add(&n.certified, c->certified.p, c->certified.len);
    for (size_t i = 0; i < CW_NODES; i++) {
        r->w.fakes[i].bend = stale;
        r->w.fakes[i].bend_arg = &n;
    }
    sign(r);
    qk_assert_err(r->err, QK_E_DENIED);
    cr_assert_eq(strcmp(r->fault.type, "DisabledException"), 0);
    cr_assert_eq(r->op.restarts, 1);
    coord_op_end(&r->op);
    qk_buf_free(&n.certified);
    run_free(r);
}

QK_TEST(rounds_sign, a_forged_newer_record_is_not_taken_over)
{
    static const uint16_t one[] = {1};
    struct run *r = run_new();
    struct newer n = {.certified = QK_BUF(KMS_CERTIFIED_MAX)};
    struct kms_record next = cw_next(cw_find(&r->w, KMS_KIND_KEY, r->w.key_text));
    next.key.state = KMS_STATE_DELETED;
    next.key.deletion_ms = 5;
    next.key.pending_days = 7;
    cw_certified(&r->w, &next, one, 1, &n.certified); /* node 1 alone signed it */
    r->w.fakes[0].bend = stale;
    r->w.fakes[0].bend_arg = &n;
    sign(r);
    struct coord_entry e;
    struct kms_ref ref;
    kms_ref_key(r->w.key_id, &ref);
    qk_assert_ok(coord_store_get(r->w.engine.store, &ref, &e));
    cr_assert_eq(e.r.version, 1);
    coord_entry_free(&e);
    coord_op_end(&r->op);
    qk_buf_free(&n.certified);
    run_free(r);
}

/* ---- presignatures ---- */

QK_TEST(rounds_sign, a_presignature_is_named_once_and_only_if_every_signer_has_it)
{
    struct run *r = run_new();
    struct coord_attempt a = {.n = 2, .all_ok = true};
    uint16_t set[] = {1, 2}, got[WIRE_NODES_MAX];
    uint8_t sid[32], names[2][64];
    struct coord_presigs *p = r->w.engine.presigs;
    for (size_t i = 0; i < 2; i++) {
        memset(names[i], 0x11, 32);                        /* both have it */
        memset(names[i] + 32, (int)(0x22 + 0x11 * i), 32); /* each its own */
        a.replies[i].answer.presigs = QK_BYTES(names[i]);
    }
    coord_presigs_learn(p, r->w.key_id, set, 2, &a);
    cr_assert(coord_presigs_take(p, r->w.engine.nodes, r->w.key_id, 2, got, sid));
    cr_assert_eq(sid[0], 0x11);
    cr_assert(got[0] == 1 && got[1] == 2);
    cr_assert(!coord_presigs_take(p, r->w.engine.nodes, r->w.key_id, 2, got, sid));
    coord_presigs_learn(p, r->w.key_id, set, 2, &a); /* an answer that was on its way */
    cr_assert(!coord_presigs_take(p, r->w.engine.nodes, r->w.key_id, 2, got, sid));
    run_free(r);
}

static enum cw_fate no_presig(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)scratch;
    if (call->presig.len > 0)
        *a = (struct wire_answer){.status = WIRE_ANSWER_RETRY, .fault_message = qk_str("gone")};
    return CW_SEND;
}

QK_TEST(rounds_sign, without_its_presignature_it_signs_online)
{
    struct run *r = run_new();
    struct coord_attempt a = {.n = 2, .all_ok = true};
    uint16_t set[] = {1, 2};
    uint8_t name[32];
    for (size_t i = 0; i < 2; i++) {
        memset(name, 0x33, 32);
        a.replies[i].answer.presigs = QK_BYTES(name);
    }
    coord_presigs_learn(r->w.engine.presigs, r->w.key_id, set, 2, &a);
    for (size_t i = 0; i < CW_NODES; i++) r->w.fakes[i].bend = no_presig;
    sign(r);
    qk_assert_ok(r->err);
    cr_assert(released_valid(r));
    cr_assert_eq(r->op.attempts, 2);
    coord_op_end(&r->op);
    run_free(r);
}
