/* Changes of one key go one after the other; nobody waits in line for ever. */
#include "qktest/qktest.h"
#include "coordworld.h"

#include <pthread.h>
#include <stdlib.h>

enum { EACH = 32, HOLDERS = COORD_SUBJECTS / EACH };

/* Holds some of the subjects: one thread cannot hold them all under TSan. */
struct holder {
    pthread_t thread;
    pthread_mutex_t *subjects;
    pthread_barrier_t *held, *enough;
};

static void *hold(void *arg)
{
    struct holder *h = arg;
    for (size_t i = 0; i < EACH; i++) (void)pthread_mutex_lock(&h->subjects[i]);
    (void)pthread_barrier_wait(h->held);
    (void)pthread_barrier_wait(h->enough);
    for (size_t i = 0; i < EACH; i++) (void)pthread_mutex_unlock(&h->subjects[i]);
    return NULL;
}

QK_TEST(in_line, a_change_that_waits_too_long_for_others_is_told_to_come_back)
{
    struct cw_world *w = calloc(1, sizeof *w);
    struct cw_request request;
    struct coord_op op;
    struct kms_fault fault;
    cr_assert(w != NULL);
    cw_init(w);
    w->engine.timing.total_ms = 100;
    pthread_barrier_t held, enough;
    static struct holder holders[HOLDERS];
    (void)pthread_barrier_init(&held, NULL, HOLDERS + 1);
    (void)pthread_barrier_init(&enough, NULL, HOLDERS + 1);
    for (size_t i = 0; i < HOLDERS; i++) {
        struct holder *h = &holders[i];
        *h = (struct holder){
            .subjects = &w->engine.subjects[i * EACH], .held = &held, .enough = &enough};
        cr_assert_eq(pthread_create(&h->thread, NULL, hold, h), 0);
    }
    (void)pthread_barrier_wait(&held);
    cw_request(&request, "TrentService.DisableKey", "{\"KeyId\":\"%s\"}", w->key_text);
    qk_assert_err(cw_run(w, &op, &request, &fault), QK_E_DENIED);
    cr_expect_str_eq(fault.type, "ThrottlingException");
    coord_op_end(&op);
    (void)pthread_barrier_wait(&enough);
    for (size_t i = 0; i < HOLDERS; i++) (void)pthread_join(holders[i].thread, NULL);
    (void)pthread_barrier_destroy(&held);
    (void)pthread_barrier_destroy(&enough);
    w->engine.timing.total_ms = 10000;
    qk_assert_ok(cw_run(w, &op, &request, &fault));
    coord_op_end(&op);
    cw_free(w);
    free(w);
}
