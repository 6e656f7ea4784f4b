/* Four nodes, two of which use a key: a change takes three of them, a signature two. */
#include "qktest/qktest.h"
#include "coordfake.h"

#include <stdlib.h>
#include <time.h>
#include "rounds/due.h"
#include "qk/clock.h"

enum { NODES = 4 };

static const uint16_t two[] = {1, 2}, three[] = {2, 3, 4};

struct run {
    struct cw_world w;
    struct cw_request request;
    struct coord_op op;
    struct kms_fault fault;
};

static struct run *run_new(void)
{
    struct run *r = calloc(1, sizeof *r);
    cr_assert(r != NULL);
    cw_init_of(&r->w, NODES);
    cr_assert_eq(wire_cluster_quorum(r->w.cluster), 3);
    r->w.engine.timing.link_ms = 100;
    return r;
}

static void run_free(struct run *r)
{
    cw_free(&r->w);
    free(r);
}

static qk_err describe(struct run *r, const char *text)
{
    cw_request(&r->request, "TrentService.UpdateKeyDescription",
        "{\"KeyId\":\"%s\",\"Description\":\"%s\"}", r->w.key_text, text);
    return cw_run(&r->w, &r->op, &r->request, &r->fault);
}

static qk_err sign(struct run *r)
{
    cw_request(&r->request, "TrentService.Sign",
        "{\"KeyId\":\"%s\",\"Message\":\"bWVzc2FnZQ==\",\"SigningAlgorithm\":\"ECDSA_SHA_256\"}",
        r->w.key_text);
    return cw_run(&r->w, &r->op, &r->request, &r->fault);
}

static void stored_key(struct run *r, struct coord_entry *e)
{
    struct kms_ref ref;
    kms_ref_key(r->w.key_id, &ref);
    qk_assert_ok(coord_store_get(r->w.engine.store, &ref, e));
}

static size_t n_signatures(struct run *r)
{
    struct qk_bytes record;
    struct kms_cert cert = {.n = 0};
    struct coord_entry e;
    stored_key(r, &e);
    qk_assert_ok(kms_certified_decode(e.certified, &record, &cert));
    coord_entry_free(&e);
    return cert.n;
}

static void gone(struct run *r, size_t node)
{
    size_t left = coord_nodes_n_up(r->w.engine.nodes) - 1;
    cw_fake_stop(&r->w.fakes[node - 1]);
    for (int i = 0; i < 3000 && coord_nodes_n_up(r->w.engine.nodes) > left; i++)
        (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    cr_assert_eq(coord_nodes_n_up(r->w.engine.nodes), left);
}

QK_TEST(quorum, the_store_takes_no_certificate_of_fewer)
{
    struct run *r = run_new();
    QK_AUTO_BUF few = QK_BUF(KMS_CERTIFIED_MAX);
    QK_AUTO_BUF enough = QK_BUF(KMS_CERTIFIED_MAX);
    struct kms_record next = cw_next(cw_find(&r->w, KMS_KIND_KEY, r->w.key_text));
    next.key.state = KMS_STATE_DISABLED;
    cw_certified(&r->w, &next, two, QK_COUNT(two), &few);
    cw_certified(&r->w, &next, three, QK_COUNT(three), &enough);
    struct qk_bytes view = qk_buf_view(&few);
    qk_assert_err(coord_store_put(r->w.engine.store, &view, 1), QK_E_MISMATCH);
    qk_assert_err(coord_store_adopt(r->w.engine.store, view, NULL), QK_E_MISMATCH);
    view = qk_buf_view(&enough);
    qk_assert_ok(coord_store_put(r->w.engine.store, &view, 1));
    run_free(r);
}

QK_TEST(quorum, a_change_goes_on_without_one_node_and_says_try_again_without_two)
{
    struct run *r = run_new();
    qk_assert_ok(describe(r, "all there"));
    cr_assert_eq(r->op.n_set, 3);
    cr_assert_eq(n_signatures(r), 3);
    coord_op_end(&r->op);
    gone(r, 4);
    /* the nodes that are left have not been told of version 2: it comes with the call */
    struct coord_entry e;
    stored_key(r, &e);
    (void)pthread_mutex_lock(&r->w.lock);
    (void)cw_certify(&r->w, &e.r, three, QK_COUNT(three));
    (void)pthread_mutex_unlock(&r->w.lock);
    coord_entry_free(&e);
    qk_assert_ok(describe(r, "one away"));
    cr_assert_eq(n_signatures(r), 3);
    coord_op_end(&r->op);

    gone(r, 3);
    cr_assert_neq(describe(r, "two away"), QK_OK);
    cr_assert_str_eq(r->fault.type, "DependencyTimeoutException");
    cr_assert_eq(r->op.n_made, 0);
    coord_op_end(&r->op);
    run_free(r);
}

QK_TEST(quorum, a_key_is_used_by_two_when_the_others_are_away)
{
    struct run *r = run_new();
    gone(r, 1);
    gone(r, 3);
    qk_assert_ok(sign(r));
    cr_assert_eq(r->op.n_set, 2);
    coord_op_end(&r->op);
    run_free(r);
}

QK_TEST(quorum, what_is_due_waits_for_three)
{
    struct run *r = run_new();
    struct kms_record next = cw_next(cw_find(&r->w, KMS_KIND_KEY, r->w.key_text));
    next.key.state = KMS_STATE_PENDING_DELETION;
    next.key.deletion_ms = qk_now_ms() - 1000;
    next.key.pending_days = 7;
    struct cw_record *c = cw_certify(&r->w, &next, three, QK_COUNT(three));
    struct qk_bytes view = qk_buf_view(&c->certified);
    qk_assert_ok(coord_store_put(r->w.engine.store, &view, 1));
    gone(r, 1);
    qk_assert_ok(coord_due_run(&r->w.engine, qk_now_ms()));
    struct coord_entry e;
    stored_key(r, &e);
    cr_assert_eq(e.r.key.state, KMS_STATE_DELETED);
    cr_assert_eq(n_signatures(r), 3);
    coord_entry_free(&e);
    run_free(r);
}
