#include "rounds/first.h"

#include <stddef.h>
#include <stdlib.h>
#include "rounds/eval.h"
#include "rounds/internal.h"

/* What t nodes are asked, and what they say: large, and only what is in use is ever touched. */
struct asked {
    struct coord_op *op;
    struct wire_call call;
    struct coord_texts texts;
    struct coord_ask ask;
    uint8_t presig[32];
    atomic_size_t left; /* answers to come */
    coord_first_fn fn;
    void *ctx;
    struct coord_attempt attempt; /* last */
};

struct coord_first {
    struct coord_op *op;
    struct coord_eval *eval; /* an evaluation does all by itself; else NULL */
    struct asked *asked;     /* everything else; else NULL */
};

static void on_reply(void *ctx, struct coord_reply *reply)
{
    struct asked *f = ctx;
    for (size_t i = 0; i < f->attempt.n; i++) {
        if (f->ask.set[i] != reply->node) continue;
        f->attempt.replies[i] = *reply; /* its views point into memory that stays */
        f->attempt.got[i] = true;
    }
    if (atomic_fetch_sub(&f->left, 1) == 1) f->fn(f->ctx);
}

/* Does a node answer it by itself? Our own decision says so when there is one; an operation that we
 * cannot parse or would refuse is judged by the nodes, which refuse it as fast. */
static bool is_quick(const struct coord_op *op)
{
    if (op->by_operator || coord_op_needs_proposal(op->req.op) || coord_op_needs_all(op))
        return false;
    if (!op->decided) return true;
    switch (op->decision.kind) {
    case KMS_DO_READ:
    case KMS_DO_VERIFY:
    case KMS_DO_SIGN:
    case KMS_DO_RANDOM:
        return true;
    default:
        return false;
    }
}

static bool choose(struct asked *f)
{
    struct coord_op *op = f->op;
    bool signs = op->decided && op->decision.kind == KMS_DO_SIGN;
    size_t t = op->engine->cluster->t;
    if (signs) return coord_op_presig(op, f->presig);
    op->n_set = t;
    return coord_nodes_pick(op->engine->nodes, &op->doubts, t, op->set) == QK_OK;
}

static qk_err prepare(struct asked *f, struct qk_buf *bytes)
{
    struct coord_op *op = f->op;
    QK_TRY(coord_op_call(op, &f->call, &f->texts));
    if (op->presig_tried) f->call.presig = QK_BYTES(f->presig);
    f->ask = (struct coord_ask){.engine = op->engine,
        .call = &f->call,
        .set = op->set,
        .n_set = op->n_set,
        .timeout_ms = op->engine->timing.attempt_ms};
    f->attempt.n = op->n_set;
    atomic_init(&f->left, op->n_set);
    wire_call_encode(bytes, &f->call);
    return bytes->err;
}

static void first_free(struct coord_first *f)
{
    if (f->asked != NULL) {
        coord_attempt_free(&f->asked->attempt);
        coord_texts_free(&f->asked->texts);
        free(f->asked);
    }
    free(f);
}

static bool start_eval(struct coord_op *op, coord_first_fn fn, void *ctx, struct coord_first *f)
{
    /* fn may run, and free f, before coord_eval_start returns */
    return coord_eval_start(op, fn, ctx, &f->eval) == QK_OK;
}

static struct asked *asked_new(struct coord_op *op, coord_first_fn fn, void *ctx)
{
    struct asked *a = malloc(sizeof *a);
    if (a == NULL) return NULL;
    memset(a, 0, offsetof(struct asked, attempt));
    coord_attempt_init(&a->attempt, 0);
    a->texts = (struct coord_texts)COORD_TEXTS;
    a->op = op;
    a->fn = fn;
    a->ctx = ctx;
    return a;
}

static bool start_asking(struct coord_op *op, coord_first_fn fn, void *ctx, struct coord_first *f)
{
    struct asked *a = f->asked = asked_new(op, fn, ctx);
    QK_AUTO_BUF bytes = QK_BUF(WIRE_CALL_MAX);
    if (a == NULL || !choose(a) || prepare(a, &bytes) != QK_OK) return false;
    op->attempts++;
    atomic_fetch_add(&op->engine->counts.attempts, 1);
    uint16_t set[WIRE_NODES_MAX]; /* the last answer may end op while we are still here */
    size_t n = op->n_set;
    memcpy(set, op->set, n * sizeof *set);
    struct coord_nodes *nodes = op->engine->nodes;
    unsigned timeout_ms = a->ask.timeout_ms;
    for (size_t i = 0; i < n; i++)
        coord_node_call(
            nodes, set[i], qk_buf_view(&bytes), timeout_ms, COORD_TOGETHER, on_reply, a);
    return true;
}

bool coord_first_start(struct coord_op *op, coord_first_fn fn, void *ctx, struct coord_first **out)
{
    if (coord_op_needs_proposal(op->req.op) || coord_op_load(op) != QK_OK) return false;
    bool evaluates = coord_eval_is_quick(op);
    if (!evaluates && !is_quick(op)) return false;
    struct coord_first *f = calloc(1, sizeof *f);
    if (f == NULL) return false;
    f->op = op;
    *out = f;
    if (evaluates ? start_eval(op, fn, ctx, f) : start_asking(op, fn, ctx, f)) return true;
    first_free(f);
    return false;
}

static void look(struct coord_attempt *a, bool *need)
{
    a->all_ok = true;
    for (size_t i = 0; i < a->n; i++) {
        const struct coord_reply *r = &a->replies[i];
        bool answered = a->got[i] && r->err == QK_OK;
        if (!answered || r->answer.status != WIRE_ANSWER_OK) a->all_ok = false;
        if (answered && r->answer.status == WIRE_ANSWER_STALE) a->stale = true;
        if (answered && r->answer.status == WIRE_ANSWER_NEED) *need = true;
    }
}

bool coord_first_quick(const struct coord_first *f)
{
    return f->eval != NULL;
}

static qk_err conclude(struct coord_first *f, struct kms_fault *fault, enum coord_step *step)
{
    bool need = false;
    if (f->eval != NULL) return coord_eval_end(f->eval, fault, step);
    struct asked *a = f->asked;
    look(&a->attempt, &need);
    /* Records that a node lacks are handed out by coord_op_run: nobody is to blame. */
    return need ? QK_OK : coord_op_conclude(a->op, &a->ask, &a->attempt, fault, step);
}

bool coord_first_end(struct coord_first *f, qk_err *err, struct kms_fault *fault)
{
    struct coord_op *op = f->op;
    enum coord_step step = COORD_AGAIN;
    qk_err failed = conclude(f, fault, &step);
    first_free(f);
    coord_votes_free(&op->votes);
    if (failed != QK_OK) {
        *err = kms_fault_internal(fault, failed);
        return true;
    }
    *err = step == COORD_DONE ? QK_OK : QK_E_DENIED;
    return step == COORD_DONE || step == COORD_FAULT;
}
