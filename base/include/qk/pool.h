/** A fixed set of worker threads and one bounded queue of jobs.
 *
 *  NNG callbacks and the HTTP loop must never block or do big arithmetic:
 *  they hand work to a pool.
 */
#ifndef QK_POOL_H
#define QK_POOL_H

#include "qk/err.h"

struct qk_pool;

/** Start n_threads workers named name (at most 12 characters are shown); at most max_jobs wait. */
QK_MUST_USE qk_err qk_pool_new(
    struct qk_pool **out, const char *name, unsigned n_threads, size_t max_jobs);
/** Run fn(arg) on a worker. QK_E_BUSY when the queue is full or the pool is stopping: fn was not
 *  and will not be called. */
QK_MUST_USE qk_err qk_pool_run(struct qk_pool *pool, void (*fn)(void *arg), void *arg);
/** Jobs waiting now. */
size_t qk_pool_queued(struct qk_pool *pool);
/** Refuse new jobs, run those that wait, join the threads. qk_pool_run may still be called, and
 *  refuses. NULL is allowed, in both. */
void qk_pool_stop(struct qk_pool *pool);
/** The same, and free. */
void qk_pool_free(struct qk_pool *pool);

#endif
