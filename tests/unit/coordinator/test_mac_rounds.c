/* Runs of MAC3 and everything around them: roles, retries, nodes that are down or silent, records
 * that nodes lack, faults, what nodes say of each other. */
#include "qktest/qktest.h"
#include "coordmac.h"

#include <stdlib.h>
#include <time.h>
#include "qk/clock.h"
#include "rounds/chores.h"

static const uint8_t text[] = "Hi There";
#define MESSAGE qk_bytes(text, sizeof text - 1)

struct bench {
    struct cw_world w;
    struct coord_op op;
    struct cw_request request;
    struct kms_fault fault;
};

static struct bench *bench_new(uint16_t n)
{
    struct bench *b = calloc(1, sizeof *b);
    cr_assert(b != NULL);
    cw_init_mac(&b->w, n, KMS_SPEC_HMAC_224, KMS_MODES_MAC_N);
    return b;
}

static void bench_free(struct bench *b)
{
    cw_free(&b->w);
    free(b);
}

/* The right tag, or the error of a fault. */
static qk_err generate(struct bench *b)
{
    uint8_t want[64];
    qk_err err = cw_generate_mac(&b->w, &b->op, &b->request, MESSAGE, "", &b->fault);
    cw_mac_expect(&b->w, MESSAGE, want);
    if (err == QK_OK) cr_assert_eq(memcmp(b->op.mac.tag, want, 28), 0);
    coord_op_end(&b->op);
    return err;
}

static unsigned long long count(atomic_ullong *n)
{
    return atomic_load(n);
}

static void await(struct bench *b, uint16_t id, bool up)
{
    while (coord_node_up(b->w.engine.nodes, id) != up)
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void stop_node(struct bench *b, uint16_t id)
{
    cw_fake_stop(&b->w.fakes[id - 1]);
    await(b, id, false);
}

static void start_node(struct bench *b, uint16_t id)
{
    cw_fake_start(&b->w.fakes[id - 1]);
    await(b, id, true);
}

/* ---- roles ---- */

static bool all_seen(unsigned seen[][3])
{
    for (int n = 1; n <= 4; n++)
        for (int role = 0; role < 3; role++)
            if (seen[n][role] == 0) return false;
    return true;
}

QK_TEST(mac_rounds, M_9_roles_are_three_different_nodes_and_everybody_has_each_in_turn)
{
    struct bench *b = bench_new(4);
    unsigned seen[CW_NODES_MAX + 1][3] = {{0}};
    /* A node misses a role in all 60 runs with chance 4e-8. */
    for (int i = 0; i < 60 && !all_seen(seen); i++) {
        qk_assert_ok(generate(b));
        const struct wire_mac *r = &b->w.mac->run[i];
        cr_assert(r->g1 != r->g2 && r->g1 != r->e && r->g2 != r->e, "M-9");
        cr_assert(r->g1 >= 1 && r->g1 <= 4 && r->g2 >= 1 && r->g2 <= 4 && r->e >= 1 && r->e <= 4);
        seen[r->g1][0]++;
        seen[r->g2][1]++;
        seen[r->e][2]++;
        for (int k = 0; k < i; k++)
            cr_assert_neq(memcmp(r->mid, b->w.mac->run[k].mid, 32), 0, "a mid is used once");
    }
    cr_expect(all_seen(seen));
    bench_free(b);
}

/* ---- retries ---- */

/* bend_arg: how many answers of role 3 are RETRY. */
static enum cw_fate retry_e(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)scratch;
    int *left = f->bend_arg;
    if (cw_mac_role(f, call) != 3 || *left == 0) return CW_SEND;
    --*left;
    *a = (struct wire_answer){
        .status = WIRE_ANSWER_RETRY, .fault_message = qk_str("link secrets differ")};
    return CW_SEND;
}

static bool same_roles(const struct wire_mac *a, const struct wire_mac *b)
{
    return a->g1 == b->g1 && a->g2 == b->g2 && a->e == b->e;
}

QK_TEST(mac_rounds, a_failed_run_is_followed_by_two_more_in_other_roles)
{
    struct bench *b = bench_new(3);
    for (int fail = 1; fail <= 3; fail++) {
        int left = fail;
        b->w.mac->n_runs = 0;
        for (size_t i = 0; i < 3; i++) b->w.fakes[i].bend_arg = &left;
        for (size_t i = 0; i < 3; i++) b->w.fakes[i].bend = retry_e;
        qk_err err = generate(b);
        cr_expect_eq(err == QK_OK, fail < 3);
        cr_expect_eq(b->w.mac->n_runs, fail < 3 ? (size_t)fail + 1 : 3);
        const struct wire_mac *r = b->w.mac->run;
        cr_expect(!same_roles(&r[0], &r[1]) && memcmp(r[0].mid, r[1].mid, 32) != 0);
        if (fail > 1) cr_expect(!same_roles(&r[0], &r[2]) && !same_roles(&r[1], &r[2]));
    }
    cr_expect_str_eq(b->fault.type, "KeyUnavailableException");
    cr_expect_eq(count(&b->w.engine.counts.mac_suspects), 0, "time and links blame nobody");
    bench_free(b);
}

/* ---- nodes that are down ---- */

QK_TEST(mac_rounds, with_three_nodes_and_one_down_the_caller_is_told_at_once)
{
    struct bench *b = bench_new(3);
    qk_assert_ok(generate(b));
    stop_node(b, 2);
    unsigned calls = b->w.fakes[0].calls[WIRE_CALL_OP] + b->w.fakes[2].calls[WIRE_CALL_OP];
    qk_assert_err(generate(b), QK_E_DENIED);
    cr_expect_str_eq(b->fault.type, "KeyUnavailableException");
    cr_expect_eq(b->fault.http_status, 500, "SDKs try again");
    cr_expect(strstr(b->fault.message, "three nodes") != NULL, "%s", b->fault.message);
    cr_expect_eq(calls, b->w.fakes[0].calls[WIRE_CALL_OP] + b->w.fakes[2].calls[WIRE_CALL_OP],
        "nobody is asked in vain");
    cr_expect_eq(count(&b->w.engine.counts.mac_unavailable), 1);
    start_node(b, 2);
    qk_assert_ok(generate(b));
    bench_free(b);
}

QK_TEST(mac_rounds, with_four_nodes_and_one_down_it_goes_on)
{
    struct bench *b = bench_new(4);
    for (uint16_t down = 1; down <= 4; down++) {
        stop_node(b, down);
        b->w.mac->n_runs = 0;
        qk_assert_ok(generate(b));
        const struct wire_mac *r = &b->w.mac->run[0];
        cr_expect(r->g1 != down && r->g2 != down && r->e != down);
        start_node(b, down);
    }
    stop_node(b, 1);
    stop_node(b, 2);
    qk_assert_err(generate(b), QK_E_DENIED);
    cr_expect_str_eq(b->fault.type, "KeyUnavailableException");
    start_node(b, 1);
    start_node(b, 2);
    bench_free(b);
}

/* One node never answers; the others, who wait for it, say RETRY as they would in time. */
struct hole {
    uint16_t node;
};

static enum cw_fate silent_node(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)scratch;
    const struct hole *h = f->bend_arg;
    bool in_it = call->mac.set &&
                 (call->mac.g1 == h->node || call->mac.g2 == h->node || call->mac.e == h->node);
    if (!in_it) return CW_SEND;
    if (f->id == h->node) return CW_SILENT;
    bool waits = f->id == call->mac.e || (f->id == call->mac.g1 && call->mac.e == h->node);
    if (waits) *a = (struct wire_answer){.status = WIRE_ANSWER_RETRY};
    return CW_SEND;
}

QK_TEST(mac_rounds, with_four_nodes_a_silent_one_is_left_out_of_the_next_run)
{
    struct bench *b = bench_new(4);
    for (uint16_t node = 1; node <= 4; node++) {
        struct hole h = {node};
        b->w.mac->n_runs = 0;
        for (size_t i = 0; i < 4; i++) b->w.fakes[i].bend_arg = &h;
        for (size_t i = 0; i < 4; i++) b->w.fakes[i].bend = silent_node;
        qk_assert_ok(generate(b));
        size_t last = b->w.mac->n_runs - 1;
        const struct wire_mac *r = &b->w.mac->run[last];
        cr_expect(r->g1 != node && r->g2 != node && r->e != node);
        cr_expect(last <= 1, "one failed run tells who was silent");
        for (size_t i = 0; i < 4; i++) b->w.fakes[i].bend = NULL;
    }
    bench_free(b);
}

QK_TEST(mac_rounds, so_many_runs_go_on_at_a_time_and_who_waits_in_vain_is_told)
{
    struct bench *b = bench_new(3);
    struct coord_gate *gate = &b->w.engine.macs;
    for (int i = 0; i < COORD_MAC_AT_ONCE; i++) cr_assert(coord_gate_enter(gate, 0));
    cr_expect(!coord_gate_enter(gate, qk_mono_ms() + 5));
    b->w.engine.timing.mac_ms = 10; /* three times that is all it may take */
    qk_assert_err(generate(b), QK_E_DENIED);
    cr_expect_str_eq(b->fault.type, "ThrottlingException");
    cr_expect_eq(b->w.mac->n_runs, 0);
    coord_gate_leave(gate);
    b->w.engine.timing.mac_ms = 60000;
    qk_assert_ok(generate(b));
    for (int i = 1; i < COORD_MAC_AT_ONCE; i++) coord_gate_leave(gate);
    cr_expect_eq(gate->inside, 0, "every run leaves");
    bench_free(b);
}

/* ---- records and faults ---- */

QK_TEST(mac_rounds, a_node_that_lacks_a_record_gets_it_and_the_same_run_goes_on)
{
    struct bench *b = bench_new(3);
    for (size_t i = 0; i < 3; i++) atomic_store(&b->w.mac->lacks_key[i], true);
    qk_assert_ok(generate(b));
    cr_expect_eq(b->w.mac->n_runs, 1);
    bench_free(b);
}

QK_TEST(mac_rounds, a_key_that_the_nodes_have_disabled_is_disabled)
{
    static const uint16_t all[] = {1, 2, 3};
    struct bench *b = bench_new(3);
    (void)pthread_mutex_lock(&b->w.lock);
    struct kms_record r = cw_next(cw_find(&b->w, KMS_KIND_KEY, b->w.mac->key_text));
    r.key.state = KMS_STATE_DISABLED;
    (void)cw_certify(&b->w, &r, all, 3);
    (void)pthread_mutex_unlock(&b->w.lock);
    qk_assert_err(generate(b), QK_E_DENIED);
    cr_expect_str_eq(b->fault.type, "DisabledException", "t nodes say so");
    cr_expect_eq(b->w.mac->n_runs, 0);
    bench_free(b);
}

static enum cw_fate lone_fault(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)scratch;
    if (call->mac.set)
        *a = (struct wire_answer){.status = WIRE_ANSWER_FAULT,
            .fault_type = qk_str("DisabledException"),
            .fault_message = qk_str("no"),
            .fault_has_message = true};
    return CW_SEND;
}

QK_TEST(mac_rounds, what_one_node_says_alone_is_not_told)
{
    struct bench *b = bench_new(3);
    b->w.fakes[2].bend = lone_fault;
    qk_assert_err(generate(b), QK_E_DENIED);
    cr_expect_str_eq(b->fault.type, "KeyUnavailableException");
    b->w.fakes[2].bend = NULL;
    bench_free(b);
    b = bench_new(4);
    b->w.fakes[2].bend = lone_fault;
    for (int i = 0; i < 4; i++) qk_assert_ok(generate(b));
    bench_free(b);
}

QK_TEST(mac_rounds, DryRun_asks_for_no_run)
{
    struct bench *b = bench_new(3);
    qk_err err =
        cw_generate_mac(&b->w, &b->op, &b->request, MESSAGE, ",\"DryRun\":true", &b->fault);
    qk_assert_err(err, QK_E_DENIED);
    cr_expect_str_eq(b->fault.type, "DryRunOperationException");
    cr_expect_eq(b->w.mac->n_runs, 0);
    coord_op_end(&b->op);
    bench_free(b);
}

/* ---- what nodes say of each other ---- */

/* bend_arg: whom E blames, as a role. */
static enum cw_fate blame(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)scratch;
    const struct wire_mac *m = &call->mac;
    int whom = *(int *)f->bend_arg;
    uint16_t node = whom == 1 ? m->g1 : whom == 2 ? m->g2 : whom == 3 ? m->e : 0;
    if (cw_mac_role(f, call) == 3)
        *a = (struct wire_answer){.status = WIRE_ANSWER_RETRY, .culprit = node};
    return CW_SEND;
}

QK_TEST(mac_rounds, the_word_of_an_evaluator_makes_suspects_and_in_time_an_alarm)
{
    static const unsigned suspects[] = {0, 2, 2, 2}; /* of each run */
    for (int whom = 0; whom <= 3; whom++) {
        struct bench *b = bench_new(3);
        for (size_t i = 0; i < 3; i++) b->w.fakes[i].bend_arg = &whom;
        for (size_t i = 0; i < 3; i++) b->w.fakes[i].bend = blame;
        qk_assert_err(generate(b), QK_E_DENIED);
        cr_expect_eq(count(&b->w.engine.counts.mac_suspects), 3 * suspects[whom], "%d", whom);
        b->w.mac->n_runs = 0;
        if (whom > 0) qk_assert_err(generate(b), QK_E_DENIED); /* six runs, two suspects each */
        cr_expect_eq(count(&b->w.engine.counts.mac_alarms) > 0, whom > 0, "%d", whom);
        bench_free(b);
    }
}

/* A garbler's word blames nobody, whatever it says. */
static enum cw_fate slander(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)scratch;
    if (cw_mac_role(f, call) == 1)
        *a = (struct wire_answer){.status = WIRE_ANSWER_RETRY, .culprit = call->mac.g2};
    return CW_SEND;
}

QK_TEST(mac_rounds, the_word_of_a_garbler_makes_none)
{
    struct bench *b = bench_new(3);
    for (size_t i = 0; i < 3; i++) b->w.fakes[i].bend = slander;
    qk_assert_err(generate(b), QK_E_DENIED);
    cr_expect_eq(count(&b->w.engine.counts.mac_suspects), 0);
    bench_free(b);
}

/* Labels that come after their run has been given up have no owner who would wipe them: whatever
 * a node answers is wiped when it is freed (check M-17). */
QK_TEST(mac_rounds, M_17_what_a_node_answers_is_wiped_by_whoever_frees_it)
{
    struct bench *b = bench_new(3);
    struct wire_call call = {.fetch_kind = KMS_KIND_KEY};
    struct coord_reply reply;
    qk_assert_ok(coord_call_one(&b->w.engine, 1, &call, WIRE_CALL_FETCH, &reply));
    qk_assert_ok(reply.err);
    cr_assert_gt(reply.bytes.len, 0u, "M-17");
    cr_assert(reply.bytes.secret, "M-17");
    coord_reply_free(&reply);
    bench_free(b);
}
