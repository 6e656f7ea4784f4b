#include "qk/pool.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct job {
    void (*fn)(void *arg);
    void *arg;
};

struct qk_pool {
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct job *ring;
    size_t cap, head, len;
    unsigned idle;   /* threads that wait */
    unsigned called; /* of them, those that have been woken and are not up yet */
    bool stopping;
    unsigned n_threads;
    pthread_t threads[];
};

/* With the lock held. */
static void wait_for_work(struct qk_pool *pool)
{
    pool->idle++;
    pthread_cond_wait(&pool->work, &pool->lock);
    pool->idle--;
    if (pool->called > 0) pool->called--;
}

static void *worker(void *arg)
{
    struct qk_pool *pool = arg;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (pool->len == 0 && !pool->stopping) wait_for_work(pool);
        if (pool->len == 0) break;
        struct job job = pool->ring[pool->head];
        pool->head = (pool->head + 1) % pool->cap;
        pool->len--;
        pthread_mutex_unlock(&pool->lock);
        job.fn(job.arg);
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

qk_err qk_pool_new(struct qk_pool **out, const char *name, unsigned n_threads, size_t max_jobs)
{
    QK_ENSURE(n_threads >= 1 && n_threads <= 256 && max_jobs >= 1, QK_E_STATE);
    struct qk_pool *pool = calloc(1, sizeof *pool + n_threads * sizeof(pthread_t));
    QK_ENSURE(pool != NULL, QK_E_NOMEM);
    pool->ring = calloc(max_jobs, sizeof *pool->ring);
    pool->cap = max_jobs;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    if (pool->ring == NULL) {
        qk_pool_free(pool);
        return QK_E_NOMEM;
    }
    for (unsigned i = 0; i < n_threads; i++) {
        if (pthread_create(&pool->threads[i], NULL, worker, pool) != 0) {
            qk_pool_free(pool);
            return QK_E_NOMEM;
        }
        pool->n_threads++;
        char label[16];
        (void)snprintf(label, sizeof label, "%.12s%u", name, i);
        (void)pthread_setname_np(pool->threads[i], label);
    }
    *out = pool;
    return QK_OK;
}

qk_err qk_pool_run(struct qk_pool *pool, void (*fn)(void *arg), void *arg)
{
    qk_err err = QK_E_BUSY;
    bool wake = false;
    pthread_mutex_lock(&pool->lock);
    if (!pool->stopping && pool->len < pool->cap) {
        pool->ring[(pool->head + pool->len) % pool->cap] = (struct job){fn, arg};
        pool->len++;
        wake = pool->idle > pool->called;
        if (wake) pool->called++;
        err = QK_OK;
    }
    pthread_mutex_unlock(&pool->lock);
    if (wake) pthread_cond_signal(&pool->work); /* without the lock: who wakes up needs it */
    return err;
}

size_t qk_pool_queued(struct qk_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    size_t n = pool->len;
    pthread_mutex_unlock(&pool->lock);
    return n;
}

void qk_pool_stop(struct qk_pool *pool)
{
    if (pool == NULL) return;
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->n_threads; i++) (void)pthread_join(pool->threads[i], NULL);
    pool->n_threads = 0;
}

void qk_pool_free(struct qk_pool *pool)
{
    if (pool == NULL) return;
    qk_pool_stop(pool);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    free(pool->ring);
    free(pool);
}
