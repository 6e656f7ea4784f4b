/* A new access key: its secret comes from what the nodes seal to its owner, so every node that is
 * there is asked, and no single one can spoil it. The owner's half is in client/test_reveal.c. */
#include "qktest/qktest.h"
#include "coordfake.h"

#include <stdlib.h>

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
    coord_op_end(&r->op);
    cw_free(&r->w);
    free(r);
}

static void make_key(struct run *r)
{
    cw_request(&r->request, "QkmsAdmin.CreateAccessKey",
        "{\"UserName\":\"admin\",\"ResponseKey\":\"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
        "\"}");
    r->err = cw_run(&r->w, &r->op, &r->request, &r->fault);
}

static bool has_part_of(const struct coord_op *op, uint16_t node)
{
    for (size_t i = 0; i < op->n_sealed; i++)
        if (op->sealed[i].node == node) return true;
    return false;
}

static void expect_parts(struct run *r, bool first, const char *what)
{
    cr_assert_eq(r->err, QK_OK, "%s: %s %s", what, qk_err_name(r->err), r->fault.type);
    cr_assert_eq(r->op.n_made, 1, "%s", what);
    cr_assert_eq(r->op.attempts, 1, "%s", what);
    cr_assert_eq(has_part_of(&r->op, 1), first, "%s", what);
    cr_assert(has_part_of(&r->op, 2), "%s", what);
    cr_assert(has_part_of(&r->op, 3), "%s", what);
}

static enum cw_fate garbage_part(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)call, (void)scratch;
    if (a->sealed.len > 0) a->sealed = qk_str("garbage");
    return CW_SEND;
}

QK_TEST(rounds_accesskey, a_garbage_part_comes_with_those_of_all_honest_nodes)
{
    struct run *r = run_new();
    r->w.fakes[0].bend = garbage_part;
    make_key(r);
    expect_parts(r, true, "garbage");
    run_free(r);
}

static enum cw_fate bad_signature(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)call, (void)scratch;
    if (a->n_signed > 0) ((uint8_t *)(uintptr_t)a->signed_records[0].signature.p)[11] ^= 2;
    return CW_SEND;
}

static enum cw_fate retry(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)call, (void)scratch;
    *a = (struct wire_answer){.status = WIRE_ANSWER_RETRY};
    return CW_SEND;
}

static enum cw_fate silent(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)call, (void)a, (void)scratch;
    return CW_SILENT;
}

static enum cw_fate no_part(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)call, (void)scratch;
    a->sealed = qk_bytes(NULL, 0);
    return CW_SEND;
}

QK_TEST(rounds_accesskey, one_node_that_fails_in_any_way_does_not_spoil_it)
{
    static const struct {
        const char *what;
        enum cw_fate (*bend)(
            struct cw_fake *, const struct wire_call *, struct wire_answer *, struct qk_buf *);
    } ways[] = {
        {"signs badly", bad_signature},
        {"says retry", retry},
        {"says nothing", silent},
        {"sends no part", no_part},
    };
    for (size_t i = 0; i < QK_COUNT(ways); i++) {
        struct run *r = run_new();
        r->w.fakes[0].bend = ways[i].bend;
        make_key(r);
        expect_parts(r, false, ways[i].what);
        run_free(r);
    }
}

QK_TEST(rounds_accesskey, two_that_fail_are_too_many)
{
    struct run *r = run_new();
    r->w.fakes[0].bend = r->w.fakes[1].bend = bad_signature;
    make_key(r);
    cr_assert_neq(r->err, QK_OK);
    cr_assert_eq(r->op.n_made, 0);
    cr_assert_eq(r->op.n_sealed, 0);
    run_free(r);
}
