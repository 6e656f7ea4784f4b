/* Changes of one key go one after the other; nobody waits in line for ever. */
#include "qktest/qktest.h"
#include "coordworld.h"

#include <stdlib.h>

QK_TEST(in_line, a_change_that_waits_too_long_for_others_is_told_to_come_back)
{
    struct cw_world *w = calloc(1, sizeof *w);
    struct cw_request request;
    struct coord_op op;
    struct kms_fault fault;
    cr_assert(w != NULL);
    cw_init(w);
    w->engine.timing.total_ms = 100;
    for (size_t i = 0; i < COORD_SUBJECTS; i++) (void)pthread_mutex_lock(&w->engine.subjects[i]);
    cw_request(&request, "TrentService.DisableKey", "{\"KeyId\":\"%s\"}", w->key_text);
    qk_assert_err(cw_run(w, &op, &request, &fault), QK_E_DENIED);
    cr_expect_str_eq(fault.type, "ThrottlingException");
    coord_op_end(&op);
    for (size_t i = 0; i < COORD_SUBJECTS; i++) (void)pthread_mutex_unlock(&w->engine.subjects[i]);
    w->engine.timing.total_ms = 10000;
    qk_assert_ok(cw_run(w, &op, &request, &fault));
    coord_op_end(&op);
    cw_free(w);
    free(w);
}
