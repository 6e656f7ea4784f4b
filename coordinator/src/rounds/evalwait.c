/* An evaluation that somebody waits for: after coord_eval_start did not come to a result, and for
 * key pairs, which take long to make. */
#include <stdlib.h>
#include <time.h>
#include "qk/clock.h"
#include "qk/log.h"
#include "qk/secret.h"
#include "rounds/evaluation.h"
#include "rounds/pairs.h"

enum { RANDOM_MS = 2000 /* for the pool to fill */ };

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool done;
};

static void on_done(void *ctx)
{
    struct waiter *w = ctx;
    (void)pthread_mutex_lock(&w->lock);
    w->done = true;
    (void)pthread_cond_signal(&w->wake);
    (void)pthread_mutex_unlock(&w->lock);
}

/* Every call has a time of its own, so the result always comes. */
static void wait_for(struct waiter *w)
{
    (void)pthread_mutex_lock(&w->lock);
    while (!w->done) (void)pthread_cond_wait(&w->wake, &w->lock);
    (void)pthread_mutex_unlock(&w->lock);
}

static unsigned left_ms(uint64_t until_ms, unsigned most)
{
    uint64_t now = qk_mono_ms();
    uint64_t left = until_ms > now ? until_ms - now : 0;
    return left < most ? (unsigned)left : most;
}

/* Links come back within moments after a restart, and their channels with them. */
static void wait_for_nodes(struct coord_op *op, uint64_t until_ms)
{
    struct coord_engine *e = op->engine;
    uint64_t until = qk_mono_ms() + left_ms(until_ms, e->timing.link_ms);
    const struct wire_cluster *c = e->cluster;
    for (;;) {
        size_t ready = 0;
        for (size_t i = 0; i < c->n; i++)
            ready += coord_node_up(e->nodes, c->nodes[i].id) &&
                     coord_channels_ready(e->channels, c->nodes[i].id);
        bool hope = coord_nodes_may_return(e->nodes, c->t, e->timing.link_ms);
        if (ready >= c->t || !hope || qk_mono_ms() >= until) return;
        struct timespec t = {.tv_nsec = 20000000};
        (void)nanosleep(&t, NULL);
    }
}

static qk_err once(struct coord_op *op, struct kms_fault *fault, enum coord_step *step)
{
    struct waiter w = {.done = false};
    struct coord_eval *e;
    (void)pthread_mutex_init(&w.lock, NULL);
    (void)pthread_cond_init(&w.wake, NULL);
    qk_err err = coord_eval_start(op, on_done, &w, &e);
    if (err == QK_OK) {
        wait_for(&w);
        err = coord_eval_end(e, fault, step);
    }
    (void)pthread_cond_destroy(&w.wake);
    (void)pthread_mutex_destroy(&w.lock);
    return err;
}

/* ---- key pairs ---- */

static bool needs_pair(const struct coord_op *op)
{
    bool pair = op->req.op == KMS_OP_GENERATE_DATA_KEY_PAIR ||
                op->req.op == KMS_OP_GENERATE_DATA_KEY_PAIR_WITHOUT_PLAINTEXT;
    return pair && op->plain.len == 0;
}

/* Ask t nodes whether the caller is who he says and may: without an item they evaluate nothing. A
 * pair is made for nobody whose signature has not been verified. */
static qk_err authorise(
    struct coord_op *op, uint64_t until_ms, struct kms_fault *fault, enum coord_step *step)
{
    struct coord_engine *e = op->engine;
    *step = COORD_AGAIN;
    QK_TRY(coord_nodes_pick(e->nodes, &op->doubts, e->cluster->t, op->set));
    op->n_set = e->cluster->t;
    struct wire_call call;
    struct coord_texts t = COORD_TEXTS;
    qk_err err = coord_op_call(op, &call, &t);
    struct coord_ask ask = {.engine = e,
        .call = &call,
        .set = op->set,
        .n_set = op->n_set,
        .timeout_ms = left_ms(until_ms, e->timing.attempt_ms) + 1};
    struct coord_attempt a = {.n = 0};
    op->attempts++;
    if (err == QK_OK) err = coord_attempt_run(&ask, &a);
    if (err == QK_OK) err = coord_op_conclude(op, &ask, &a, fault, step);
    coord_attempt_free(&a);
    coord_texts_free(&t);
    return err;
}

static qk_err make_pair(struct coord_op *op, uint64_t until_ms)
{
    uint8_t seed[COORD_PAIR_SEED];
    qk_buf_clear(&op->pair_public);
    QK_TRY(
        coord_randpool_wait(op->engine->random, seed, sizeof seed, left_ms(until_ms, RANDOM_MS)));
    qk_err err = coord_pair_make(op->req.pair_spec, seed, &op->plain, &op->pair_public);
    qk_wipe(seed, sizeof seed);
    if (err != QK_OK) qk_buf_free(&op->plain);
    return err;
}

/* ---- all together ---- */

static qk_err run(
    struct coord_op *op, uint64_t until_ms, struct kms_fault *fault, enum coord_step *step)
{
    wait_for_nodes(op, until_ms);
    /* without them no random bytes come either: there is nothing to wait for */
    QK_ENSURE(coord_nodes_n_up(op->engine->nodes) >= op->engine->cluster->t, QK_E_BUSY);
    if (needs_pair(op)) {
        QK_TRY(authorise(op, until_ms, fault, step));
        if (*step != COORD_DONE) return QK_OK;
        QK_TRY(make_pair(op, until_ms));
    }
    /* rho, twice if mode V takes over, and the data key */
    size_t need = 64 + op->req.n_bytes;
    if (op->decision.kind != KMS_DO_DECRYPT)
        (void)coord_randpool_await(op->engine->random, need, left_ms(until_ms, RANDOM_MS));
    return once(op, fault, step);
}

qk_err coord_eval_run(
    struct coord_op *op, uint64_t until_ms, struct kms_fault *fault, enum coord_step *step)
{
    *step = COORD_AGAIN;
    qk_err err = run(op, until_ms, fault, step);
    op->too_few = err == QK_E_BUSY;
    if (err != QK_E_BUSY) return err;
    *step = COORD_AGAIN;
    return QK_OK;
}
