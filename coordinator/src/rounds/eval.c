/* One evaluation in flight: calls, answers, deadline. Whoever finds work to do and nobody at it
 * does it
 * (`working`); everybody else only leaves things to be worked on. */
#include "rounds/eval.h"

#include <stdlib.h>
#include "qk/clock.h"
#include "qk/log.h"
#include "qk/pool.h"
#include "qk/secret.h"
#include "rounds/evaluation.h"

static void work(void *arg);

/* ---- life ---- */

static void call_free(struct coord_eval_call *c)
{
    if (c->reply.bytes.p != NULL) qk_wipe(c->reply.bytes.p, c->reply.bytes.len); /* pieces */
    coord_reply_free(&c->reply);
    free(c);
}

void coord_eval_forget_attached(struct coord_eval *e)
{
    for (size_t i = 0; i < WIRE_NODES_MAX; i++) {
        if (e->attached[i] == NULL) continue;
        coord_attached_free(e->attached[i]);
        free(e->attached[i]);
        e->attached[i] = NULL;
    }
}

static void eval_free(struct coord_eval *e)
{
    while (e->in != NULL) {
        struct coord_eval_call *c = e->in;
        e->in = c->next;
        call_free(c);
    }
    mpc_sym_run_free(e->run);
    coord_eval_forget_attached(e);
    if (e->have_texts) coord_texts_free(&e->texts);
    (void)pthread_mutex_destroy(&e->lock);
    free(e);
}

static void unref(struct coord_eval *e)
{
    (void)pthread_mutex_lock(&e->lock);
    bool last = --e->refs == 0;
    (void)pthread_mutex_unlock(&e->lock);
    if (last) eval_free(e);
}

/* To a quick thread; a job that cannot be queued is done here. A reference is handed over. */
static void to_work(struct coord_eval *e)
{
    struct qk_pool *pool = e->engine->quick;
    if (pool == NULL || qk_pool_run(pool, work, e) != QK_OK) work(e);
}

/* ---- answers and deadline: on other threads ---- */

bool coord_eval_says_ok(const struct coord_reply *r)
{
    return r->err == QK_OK && r->answer.status == WIRE_ANSWER_OK;
}

/* Faults are not: t of them are waited for before anything follows. */
static bool is_urgent(const struct coord_reply *r)
{
    return !coord_eval_says_ok(r) && !(r->err == QK_OK && r->answer.status == WIRE_ANSWER_FAULT);
}

/* With the lock: take the work if there is some and nobody is at it. */
static bool take_work(struct coord_eval *e)
{
    bool some = e->late || (e->n_in > 0 && (e->urgent || e->n_in >= e->wanted || e->n_open == 0));
    if (e->working || e->ended || !some) return false;
    e->working = true;
    e->refs++;
    return true;
}

void coord_eval_on_reply(void *ctx, struct coord_reply *reply)
{
    struct coord_eval_call *c = ctx;
    struct coord_eval *e = c->eval;
    c->reply = *reply; /* its views point into memory that stays */
    (void)pthread_mutex_lock(&e->lock);
    e->n_open--;
    bool drop = e->ended, mine = false;
    if (!drop) {
        *e->in_last = c;
        e->in_last = &c->next;
        e->n_in++;
        e->urgent |= is_urgent(&c->reply);
        mine = take_work(e);
    }
    (void)pthread_mutex_unlock(&e->lock);
    if (drop) call_free(c);
    if (mine) to_work(e);
    unref(e);
}

static void on_deadline(void *arg)
{
    struct coord_eval *e = arg;
    (void)pthread_mutex_lock(&e->lock);
    e->late = true;
    bool mine = take_work(e);
    (void)pthread_mutex_unlock(&e->lock);
    if (mine) to_work(e);
    unref(e);
}

/* ---- deadline ---- */

static void arm(struct coord_eval *e, uint64_t in_us)
{
    (void)pthread_mutex_lock(&e->lock);
    e->refs++;
    (void)pthread_mutex_unlock(&e->lock);
    e->timed = coord_timer_arm(e->engine->timers, &e->timer, qk_mono_us() + in_us, on_deadline, e);
    if (!e->timed) unref(e); /* we are stopping: the calls will end */
}

static void disarm(struct coord_eval *e)
{
    if (e->timed && coord_timer_cancel(e->engine->timers, &e->timer)) unref(e);
    e->timed = false;
}

static const struct coord_pace *pace(const struct coord_eval *e)
{
    const struct coord_watch *w = &e->engine->watch;
    if (mpc_sym_run_mode(e->run) == MPC_SYM_V) return &w->v;
    return e->phase == MPC_SYM_ENC ? &w->enc : &w->dec;
}

/* Is there anything to gain from giving the silent ones up? Otherwise the calls' own time decides.
 */
static bool has_way_out(const struct coord_eval *e)
{
    bool f_enc = e->phase == MPC_SYM_ENC && mpc_sym_run_mode(e->run) == MPC_SYM_F;
    if (f_enc) return mpc_sym_version_terms(e->version)->modes & MPC_SYM_V;
    return e->op->n_set < e->n_nodes;
}

/* The deadline measures nodes against each other: while none has answered, it is the machine or the
 * way to all of them that is slow. */
static qk_err expire(struct coord_eval *e)
{
    disarm(e); /* it may be the timer of an attempt before that has fired */
    if (mpc_sym_run_state(e->run) != MPC_SYM_RUNNING || e->n_heard == 0 || !has_way_out(e))
        return QK_OK;
    for (size_t i = 0; i < e->op->n_set; i++) {
        if (e->heard[coord_eval_index(e, e->op->set[i])]) continue;
        qk_log(QK_WARN, "sym.late", QK_F_STR("request_id", e->op->request_id),
            QK_F_INT("node", e->op->set[i]));
        coord_node_cool(e->engine->nodes, e->op->set[i], COORD_EVAL_COOL_MS);
    }
    return mpc_sym_run_expire(e->run);
}

/* ---- working ---- */

/* Until what the run needs next is an answer. */
static void advance(struct coord_eval *e)
{
    size_t n = 1;
    coord_eval_look(e);
    while (e->outcome == EVAL_OPEN && n > 0) {
        uint32_t before = e->turn;
        qk_err err = coord_eval_send(e, &n);
        if (e->turn != before) disarm(e);
        if (err != QK_OK) {
            e->err = err;
            e->outcome = EVAL_AGAIN;
        }
        coord_eval_look(e);
    }
    if (e->outcome == EVAL_OPEN && !e->timed && has_way_out(e))
        arm(e, coord_pace_deadline_us(pace(e)));
}

/* How many answers to wait for. At first as many as a result takes; after that each one counts. */
static unsigned want(const struct coord_eval *e)
{
    unsigned t = mpc_sym_version_terms(e->version)->t;
    if (e->outcome != EVAL_OPEN || e->n_heard > 0) return 1;
    bool f_enc = e->phase == MPC_SYM_ENC && mpc_sym_run_mode(e->run) == MPC_SYM_F;
    return f_enc ? 2 * t - 1 : t;
}

/* With the lock: the answers so far. */
static struct coord_eval_call *take_in(struct coord_eval *e)
{
    struct coord_eval_call *list = e->in;
    e->in = NULL;
    e->in_last = &e->in;
    e->n_in = 0;
    e->urgent = false;
    return list;
}

static void conclude(struct coord_eval *e)
{
    disarm(e);
    coord_eval_drop_run(e);
    (void)pthread_mutex_lock(&e->lock);
    e->ended = true;
    (void)pthread_mutex_unlock(&e->lock);
    e->fn(e->ctx); /* e may be gone for its owner; we hold a reference of our own */
    unref(e);
}

/* With the lock, which is given back. True: more to do. */
static bool rest(struct coord_eval *e)
{
    e->wanted = want(e);
    e->working = false;
    bool again = take_work(e);
    if (again) e->refs--; /* ours is still there */
    (void)pthread_mutex_unlock(&e->lock);
    return again;
}

static void work(void *arg)
{
    struct coord_eval *e = arg;
    do {
        (void)pthread_mutex_lock(&e->lock);
        struct coord_eval_call *list = take_in(e);
        bool late = e->late;
        e->late = false;
        (void)pthread_mutex_unlock(&e->lock);
        coord_eval_renew(e, list);
        while (list != NULL) {
            struct coord_eval_call *c = list;
            list = c->next;
            coord_eval_take(e, c);
            call_free(c);
        }
        coord_eval_give_up_faults(e, late);
        if (late && e->outcome == EVAL_OPEN) {
            qk_err err = expire(e);
            if (err != QK_OK) e->err = err;
        }
        advance(e);
        if (e->outcome != EVAL_OPEN) {
            conclude(e);
            return;
        }
        (void)pthread_mutex_lock(&e->lock);
    } while (rest(e));
    unref(e);
}

/* ---- start, end ---- */

static struct coord_eval *eval_new(struct coord_op *op, coord_eval_fn fn, void *ctx)
{
    struct coord_eval *e = calloc(1, sizeof *e);
    if (e == NULL) return NULL;
    e->engine = op->engine;
    e->op = op;
    e->fn = fn;
    e->ctx = ctx;
    e->in_last = &e->in;
    e->refs = 2; /* the owner's, and ours while working */
    e->working = true;
    (void)pthread_mutex_init(&e->lock, NULL);
    return e;
}

qk_err coord_eval_start(struct coord_op *op, coord_eval_fn fn, void *ctx, struct coord_eval **out)
{
    QK_ENSURE(coord_eval_is(op), QK_E_STATE);
    struct coord_eval *e = eval_new(op, fn, ctx);
    QK_ENSURE(e != NULL, QK_E_NOMEM);
    qk_err err = coord_eval_begin(e);
    if (err != QK_OK) {
        eval_free(e);
        return err;
    }
    *out = e;
    work(e);
    return QK_OK;
}

/* The one text for every cause, as AWS has it: none. */
static qk_err invalid(struct kms_fault *fault)
{
    return kms_fault_bare(fault, "InvalidCiphertextException");
}

static qk_err limit(struct kms_fault *fault)
{
    return kms_fault_set(fault, "LimitExceededException",
        "The key has been used as often as one version of it may be. Rotate the key.");
}

qk_err coord_eval_end(struct coord_eval *e, struct kms_fault *fault, enum coord_step *step)
{
    struct coord_op *op = e->op;
    enum coord_eval_outcome outcome = e->outcome;
    qk_err err = e->err;
    unref(e);
    *step = COORD_FAULT;
    switch (outcome) {
    case EVAL_DONE:
        *step = COORD_DONE;
        break;
    case EVAL_VOTED:
        if (!coord_votes_agree(&op->votes, op->engine->cluster->t, fault)) *step = COORD_AGAIN;
        break;
    case EVAL_INVALID:
        err = invalid(fault);
        break;
    case EVAL_LIMIT:
        err = limit(fault);
        break;
    case EVAL_RESTART:
        *step = COORD_RESTART;
        break;
    default:
        *step = COORD_AGAIN;
        break;
    }
    if (*step == COORD_AGAIN && err != QK_OK)
        qk_log(QK_WARN, "sym.failed", QK_F_STR("request_id", op->request_id), QK_F_ERR(err));
    return QK_OK;
}
