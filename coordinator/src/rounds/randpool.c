#include "rounds/randpool.h"

#include <stdlib.h>
#include <time.h>
#include "qk/clock.h"
#include "qk/log.h"
#include "qk/secret.h"
#include "rounds/chores.h"

enum {
    RUNS_MAX = MPC_RAND_POOL_MAX / MPC_RAND_MAX, /* at the same time: a whole pool */
    LOW = MPC_RAND_POOL_MAX / 2,
    RUN_MS = 5000,    /* for one run */
    LOOK_MS = 250,    /* how often the thread looks by itself */
    RETRY_MS = 100,   /* after a failure */
    FRESH_MS = 45000, /* a quiet pool is filled again before its bytes are too old */
    LEAP_MS = 5000,   /* of the wall clock against the other one */
};

/* One run of RAND in flight; the last of its calls frees it. */
struct draw {
    struct coord_randpool *pool;
    struct mpc_rand *run;
    size_t left; /* answers to come, and one for the thread that sends */
    uint64_t until_ms;
    bool settled;
    struct draw *next;
};

struct coord_randpool {
    struct qk_rng rng; /* first: see coord_randpool_rng */
    struct coord_engine *engine;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;   /* the thread */
    pthread_cond_t filled; /* waiters */
    bool stop, woken;
    struct mpc_rand_pool *bytes;
    struct mpc_rand_memory *memory;
    struct draw *draws; /* not settled */
    size_t n_draws;
    size_t n_waiting;
    uint64_t quiet_until_ms; /* after a failure */
    uint64_t filled_ms;      /* when bytes last came in */
    int64_t clocks_apart_ms; /* wall clock less the other one */
};

/* ---- with the lock ---- */

static int64_t clocks_apart(void)
{
    return (int64_t)qk_now_ms() - (int64_t)qk_mono_ms();
}

/* A machine that was restored from a picture of itself holds bytes that another copy holds, too.
 * Its wall clock leaps when it is set right. */
static void look_for_leap(struct coord_randpool *p)
{
    int64_t apart = clocks_apart();
    int64_t leap = apart - p->clocks_apart_ms;
    p->clocks_apart_ms = apart;
    if (leap > -LEAP_MS && leap < LEAP_MS) return;
    mpc_rand_pool_drop(p->bytes);
    qk_log(QK_WARN, "rand.dropped", QK_F_STR("why", "the wall clock leapt"));
}

static void unlist(struct coord_randpool *p, struct draw *d)
{
    struct draw **at = &p->draws;
    while (*at != NULL && *at != d) at = &(*at)->next;
    if (*at == NULL) return;
    *at = d->next;
    p->n_draws--;
}

static void take_over(struct coord_randpool *p, struct draw *d)
{
    qk_err err = mpc_rand_pool_put(p->bytes, d->run, qk_mono_ms());
    p->filled_ms = qk_mono_ms();
    if (err != QK_OK) return; /* full: the run's bytes are wiped with it */
    (void)pthread_cond_broadcast(&p->filled);
}

/* After anything that may have ended the run. */
static void settle(struct coord_randpool *p, struct draw *d)
{
    enum mpc_rand_state state = mpc_rand_state(d->run);
    if (d->settled || state == MPC_RAND_RUNNING) return;
    d->settled = true;
    unlist(p, d);
    if (state == MPC_RAND_DONE) {
        take_over(p, d);
        return;
    }
    mpc_rand_pool_drop(p->bytes); /* document 65: fewer than t nodes contributed */
    atomic_fetch_add(&p->engine->counts.rand_failed, 1);
    if (qk_mono_ms() >= p->quiet_until_ms)
        qk_log(QK_WARN, "rand.dropped", QK_F_STR("why", "fewer than t nodes contributed"));
    p->quiet_until_ms = qk_mono_ms() + RETRY_MS;
}

static bool unref(struct draw *d)
{
    return --d->left == 0;
}

static void draw_free(struct draw *d)
{
    mpc_rand_free(d->run);
    free(d);
}

/* ---- answers ---- */

static qk_err receive(struct draw *d, const struct coord_reply *r)
{
    if (r->err != QK_OK || r->answer.status != WIRE_ANSWER_OK) {
        mpc_rand_lost(d->run, r->node);
        return QK_OK;
    }
    struct qk_bytes part = r->answer.part;
    uint8_t none[32] = {0};
    bool whole = part.len > 32; /* rid, then the contribution */
    return mpc_rand_receive(d->run, r->node, whole ? part.p : none,
        whole ? qk_bytes(part.p + 32, part.len - 32) : (struct qk_bytes){0});
}

static void alarm_about(struct coord_randpool *p, uint16_t node, qk_err err)
{
    if (err == QK_E_PROOF) atomic_fetch_add(&p->engine->counts.rand_alarms, 1);
    qk_log(QK_ERROR, "rand.alarm", QK_F_INT("node", node), QK_F_ERR(err),
        QK_F_STR("why", err == QK_E_PROOF ? "a contribution repeats itself, is constant, or a copy"
                                          : "no contribution to this run"));
}

static void on_reply(void *ctx, struct coord_reply *r)
{
    struct draw *d = ctx;
    struct coord_randpool *p = d->pool;
    (void)pthread_mutex_lock(&p->mutex);
    qk_err err = receive(d, r);
    settle(p, d);
    bool last = unref(d);
    (void)pthread_mutex_unlock(&p->mutex);
    if (err != QK_OK) alarm_about(p, r->node, err);
    if (r->err == QK_OK) qk_wipe(r->bytes.p, r->bytes.len);
    coord_reply_free(r);
    if (last) draw_free(d);
}

/* ---- filling ---- */

static size_t nodes_up(struct coord_randpool *p, uint16_t *set)
{
    const struct wire_cluster *c = p->engine->cluster;
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++)
        if (coord_node_up(p->engine->nodes, c->nodes[i].id)) set[n++] = c->nodes[i].id;
    return n;
}

static qk_err encode(struct coord_randpool *p, const struct draw *d, struct qk_buf *out)
{
    const struct mpc_rand_request *req = mpc_rand_request(d->run);
    struct wire_call call = {.kind = WIRE_CALL_RAND, .rand_len = req->len};
    memcpy(call.cluster, p->engine->cluster->hash, 32);
    memcpy(call.rnd, req->rid, 32);
    QK_TRY(coord_request_id(call.request_id));
    wire_call_encode(out, &call);
    return out->err;
}

static qk_err draw_new(struct coord_randpool *p, const uint16_t *set, size_t n, struct draw **out)
{
    struct draw *d = calloc(1, sizeof *d);
    QK_ENSURE(d != NULL, QK_E_NOMEM);
    qk_err err = mpc_rand_start(
        &d->run, MPC_RAND_MAX, (unsigned)p->engine->cluster->t, set, n, p->memory, qk_rng_system());
    if (err != QK_OK) {
        free(d);
        return err;
    }
    d->pool = p;
    d->left = n + 1;
    d->until_ms = qk_mono_ms() + RUN_MS;
    *out = d;
    return QK_OK;
}

/* One run to every node of set. */
static qk_err draw(struct coord_randpool *p, const uint16_t *set, size_t n)
{
    struct draw *d;
    QK_AUTO_BUF bytes = QK_BUF(4096);
    QK_TRY(draw_new(p, set, n, &d));
    qk_err err = encode(p, d, &bytes);
    if (err != QK_OK) {
        draw_free(d);
        return err;
    }
    (void)pthread_mutex_lock(&p->mutex);
    d->next = p->draws;
    p->draws = d;
    p->n_draws++;
    (void)pthread_mutex_unlock(&p->mutex);
    for (size_t i = 0; i < n; i++)
        coord_node_call(
            p->engine->nodes, set[i], qk_buf_view(&bytes), RUN_MS, COORD_TOGETHER, on_reply, d);
    (void)pthread_mutex_lock(&p->mutex);
    bool last = unref(d);
    (void)pthread_mutex_unlock(&p->mutex);
    if (last) draw_free(d);
    return QK_OK;
}

/* How many runs to start now. */
static size_t wanted(struct coord_randpool *p)
{
    uint64_t now = qk_mono_ms();
    look_for_leap(p);
    for (struct draw *d = p->draws; d != NULL;) {
        struct draw *next = d->next;
        if (now > d->until_ms) {
            mpc_rand_expire(d->run);
            settle(p, d);
        }
        d = next;
    }
    size_t level = mpc_rand_pool_level(p->bytes, now);
    bool ageing = now > p->filled_ms + FRESH_MS;
    if (now < p->quiet_until_ms || (level >= LOW && !ageing)) return 0;
    if (ageing) mpc_rand_pool_drop(p->bytes);
    size_t missing = (MPC_RAND_POOL_MAX - (ageing ? 0 : level)) / MPC_RAND_MAX;
    return missing > p->n_draws ? missing - p->n_draws : 0;
}

static void fill(struct coord_randpool *p)
{
    uint16_t set[WIRE_NODES_MAX];
    (void)pthread_mutex_lock(&p->mutex);
    size_t k = p->stop ? 0 : wanted(p);
    (void)pthread_mutex_unlock(&p->mutex);
    size_t n = nodes_up(p, set);
    if (n < p->engine->cluster->t) return;
    for (size_t i = 0; i < k && i < RUNS_MAX; i++) {
        qk_err err = draw(p, set, n);
        if (err == QK_OK) continue;
        qk_log(QK_ERROR, "rand.failed", QK_F_ERR(err));
        break;
    }
}

static struct timespec after_ms(uint64_t ms)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_nsec += (long)(ms % 1000) * 1000000;
    at.tv_sec += (time_t)(ms / 1000) + at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    return at;
}

static void *run(void *arg)
{
    struct coord_randpool *p = arg;
    (void)pthread_mutex_lock(&p->mutex);
    while (!p->stop) {
        p->woken = false;
        (void)pthread_mutex_unlock(&p->mutex);
        fill(p);
        (void)pthread_mutex_lock(&p->mutex);
        struct timespec until = after_ms(p->n_waiting > 0 ? RETRY_MS / 10 : LOOK_MS);
        if (!p->stop && !p->woken) (void)pthread_cond_timedwait(&p->wake, &p->mutex, &until);
    }
    (void)pthread_mutex_unlock(&p->mutex);
    return NULL;
}

/* ---- life ---- */

static qk_err fill_from_pool(struct qk_rng *rng, uint8_t *out, size_t len)
{
    return coord_randpool_take((struct coord_randpool *)rng, out, len);
}

struct qk_rng *coord_randpool_rng(struct coord_randpool *p)
{
    return &p->rng;
}

static qk_err init(struct coord_randpool *p)
{
    pthread_condattr_t attr;
    (void)pthread_mutex_init(&p->mutex, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&p->wake, &attr);
    (void)pthread_cond_init(&p->filled, &attr);
    (void)pthread_condattr_destroy(&attr);
    p->rng.fill = fill_from_pool;
    p->clocks_apart_ms = clocks_apart();
    p->filled_ms = qk_mono_ms();
    p->memory = calloc(1, sizeof *p->memory);
    QK_ENSURE(p->memory != NULL, QK_E_NOMEM);
    QK_TRY(mpc_rand_pool_new(&p->bytes));
    QK_ENSURE(pthread_create(&p->thread, NULL, run, p) == 0, QK_E_NOMEM);
    return QK_OK;
}

static void destroy(struct coord_randpool *p)
{
    mpc_rand_pool_free(p->bytes);
    free(p->memory);
    (void)pthread_cond_destroy(&p->filled);
    (void)pthread_cond_destroy(&p->wake);
    (void)pthread_mutex_destroy(&p->mutex);
    free(p);
}

qk_err coord_randpool_new(struct coord_randpool **out, struct coord_engine *engine)
{
    struct coord_randpool *p = calloc(1, sizeof *p);
    QK_ENSURE(p != NULL, QK_E_NOMEM);
    p->engine = engine;
    qk_err err = init(p);
    if (err != QK_OK) {
        destroy(p);
        return err;
    }
    *out = p;
    return QK_OK;
}

void coord_randpool_stop(struct coord_randpool *p)
{
    if (p == NULL) return;
    (void)pthread_mutex_lock(&p->mutex);
    bool stopped = p->stop;
    p->stop = true;
    (void)pthread_cond_signal(&p->wake);
    (void)pthread_cond_broadcast(&p->filled);
    (void)pthread_mutex_unlock(&p->mutex);
    if (!stopped) (void)pthread_join(p->thread, NULL);
}

void coord_randpool_free(struct coord_randpool *p)
{
    if (p == NULL) return;
    coord_randpool_stop(p);
    destroy(p);
}

/* ---- taking ---- */

/* With the lock. */
static qk_err take(struct coord_randpool *p, void *out, size_t len)
{
    uint64_t now = qk_mono_ms();
    qk_err err = mpc_rand_pool_take(p->bytes, out, len, now);
    bool low = err != QK_OK || mpc_rand_pool_level(p->bytes, now) < LOW;
    if (low && !p->woken) {
        p->woken = true;
        (void)pthread_cond_signal(&p->wake);
    }
    return err;
}

qk_err coord_randpool_take(struct coord_randpool *p, void *out, size_t len)
{
    QK_ENSURE(len >= 1 && len <= LOW, QK_E_STATE);
    (void)pthread_mutex_lock(&p->mutex);
    qk_err err = take(p, out, len);
    (void)pthread_mutex_unlock(&p->mutex);
    return err;
}

bool coord_randpool_await(struct coord_randpool *p, size_t len, unsigned wait_ms)
{
    struct timespec until = after_ms(wait_ms);
    (void)pthread_mutex_lock(&p->mutex);
    p->n_waiting++;
    bool there = mpc_rand_pool_level(p->bytes, qk_mono_ms()) >= len;
    for (int rc = 0; !there && rc == 0 && !p->stop;) {
        p->woken = true;
        (void)pthread_cond_signal(&p->wake);
        rc = pthread_cond_timedwait(&p->filled, &p->mutex, &until);
        there = mpc_rand_pool_level(p->bytes, qk_mono_ms()) >= len;
    }
    p->n_waiting--;
    (void)pthread_mutex_unlock(&p->mutex);
    return there;
}

qk_err coord_randpool_wait(struct coord_randpool *p, void *out, size_t len, unsigned wait_ms)
{
    uint64_t until = qk_mono_ms() + wait_ms;
    qk_err err = coord_randpool_take(p, out, len);
    for (uint64_t now = qk_mono_ms(); err == QK_E_BUSY && now < until; now = qk_mono_ms()) {
        if (!coord_randpool_await(p, len, (unsigned)(until - now))) return QK_E_BUSY;
        err = coord_randpool_take(p, out, len); /* others may have been faster */
    }
    return err;
}

size_t coord_randpool_level(struct coord_randpool *p)
{
    (void)pthread_mutex_lock(&p->mutex);
    size_t level = mpc_rand_pool_level(p->bytes, qk_mono_ms());
    (void)pthread_mutex_unlock(&p->mutex);
    return level;
}
