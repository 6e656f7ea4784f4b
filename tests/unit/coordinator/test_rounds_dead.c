/* Nodes that are away or do not answer: the caller is told soon. */
#include "qktest/qktest.h"
#include "coordfake.h"

#include <stdlib.h>
#include <time.h>

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

QK_TEST(rounds_dead, nobody_waits_for_a_node_that_has_been_away)
{
    struct run *r = run_new();
    struct coord_nodes *nodes = r->w.engine.nodes;
    cr_assert(coord_nodes_may_return(nodes, CW_NODES, 0));
    cw_fake_stop(&r->w.fakes[2]);
    for (int i = 0; i < 3000 && coord_nodes_n_up(nodes) == CW_NODES; i++)
        (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    cr_assert(coord_nodes_may_return(nodes, CW_NODES, 3600000)); /* just gone: perhaps a restart */
    cr_assert_not(coord_nodes_may_return(nodes, CW_NODES, 0));
    cr_assert(coord_nodes_may_return(nodes, CW_NODES - 1, 0));
    run_free(r);
}

static enum cw_fate hangs(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)a, (void)scratch;
    return call->kind == WIRE_CALL_OP ? CW_SILENT : CW_SEND;
}

/* Its links are up, but it does not answer: the caller learns that in create_ms, all attempts
 * together. */
QK_TEST(rounds_dead, a_hanging_node_ends_a_key_generation_in_one_deadline)
{
    struct run *r = run_new();
    for (size_t i = 0; i < CW_NODES; i++) r->w.fakes[i].bend = hangs;
    r->w.engine.timing.create_ms = 300;
    cw_request(&r->request, "TrentService.CreateKey",
        "{\"KeySpec\":\"ECC_NIST_P256\",\"KeyUsage\":\"SIGN_VERIFY\"}");
    r->err = cw_run(&r->w, &r->op, &r->request, &r->fault);
    cr_assert_neq(r->err, QK_OK);
    cr_assert_eq(strcmp(r->fault.type, "DependencyTimeoutException"), 0, "%s", r->fault.type);
    cr_assert_eq(r->op.attempts, 1);
    coord_op_end(&r->op);
    run_free(r);
}
