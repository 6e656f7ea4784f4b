/* A node that says it is in quarantine is asked for nothing and not counted as synced (B-12). */
#include "qktest/qktest.h"
#include "coordfake.h"

#include <stdlib.h>
#include <time.h>

static enum cw_fate quarantined(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)scratch;
    if (call->kind == WIRE_CALL_STATUS)
        a->status_json = qk_str("{\"NodeId\":2,\"Quarantine\":true}");
    else
        *a = (struct wire_answer){.status = WIRE_ANSWER_REFUSED};
    return CW_SEND;
}

static enum cw_fate well(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)scratch;
    if (call->kind == WIRE_CALL_STATUS) a->status_json = qk_str("{\"Quarantine\":false}");
    return CW_SEND;
}

QK_TEST(keeper_quarantine, B_12_a_quarantined_node_is_named_and_not_counted)
{
    struct cw_world *w = calloc(1, sizeof *w);
    uint16_t ids[WIRE_NODES_MAX] = {0};
    cw_init(w);
    w->fakes[0].bend = w->fakes[2].bend = well;
    w->fakes[1].bend = quarantined;
    struct coord_keeper_config cfg = {.engine = &w->engine, .due_ms = 1000000};
    qk_assert_ok(coord_keeper_new(&w->keeper, &cfg));
    for (int i = 0; i < 1000 && (coord_keeper_n_synced(w->keeper) < 2 ||
                                    coord_keeper_quarantined(w->keeper, ids) < 1);
         i++)
        (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    cr_assert_eq(coord_keeper_quarantined(w->keeper, ids), 1);
    cr_assert_eq(ids[0], 2);
    cr_assert_eq(coord_keeper_n_synced(w->keeper), 2);
    cr_assert_eq(w->fakes[1].calls[WIRE_CALL_FETCH], 0, "B-12");
    cw_free(w);
    free(w);
}
