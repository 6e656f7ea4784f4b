#include <pthread.h>
#include <stdatomic.h>

#include "qk/pool.h"
#include "qktest/qktest.h"

static atomic_int done;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void count(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    atomic_fetch_add(&done, 1);
}

QK_TEST(pool, a_full_queue_refuses_and_what_was_accepted_runs)
{
    struct qk_pool *pool;
    qk_assert_ok(qk_pool_new(&pool, "test", 2, 8));
    int accepted = 0;
    pthread_mutex_lock(&gate);
    for (int i = 0; i < 100; i++) accepted += qk_pool_run(pool, count, NULL) == QK_OK;
    cr_assert_geq(accepted, 8);
    cr_assert_leq(accepted, 10, "two at work and eight waiting");
    qk_assert_err(qk_pool_run(pool, count, NULL), QK_E_BUSY);
    pthread_mutex_unlock(&gate);
    qk_pool_free(pool);
    cr_assert_eq(atomic_load(&done), accepted);
}

QK_TEST(pool, sizes_are_checked)
{
    struct qk_pool *pool;
    qk_assert_err(qk_pool_new(&pool, "test", 0, 8), QK_E_STATE);
    qk_assert_err(qk_pool_new(&pool, "test", 1, 0), QK_E_STATE);
    qk_pool_free(NULL);
}
