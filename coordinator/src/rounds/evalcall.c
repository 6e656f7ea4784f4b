/* What an evaluation asks the nodes, and what their answers mean to it. */
#include <stdlib.h>
#include "qk/clock.h"
#include "qk/log.h"
#include "rounds/evaluation.h"

/* ---- calling ---- */

static void call_node(struct coord_eval *e, uint16_t node, struct qk_bytes bytes)
{
    struct coord_eval_call *c = calloc(1, sizeof *c);
    if (c == NULL) {
        qk_err err = mpc_sym_run_lost(e->run, node, e->attempt);
        e->err = err == QK_OK ? QK_E_NOMEM : err;
        return;
    }
    *c = (struct coord_eval_call){.eval = e, .node = node, .turn = e->turn};
    (void)pthread_mutex_lock(&e->lock);
    e->refs++;
    e->n_open++;
    (void)pthread_mutex_unlock(&e->lock);
    coord_node_call(e->engine->nodes, node, bytes, e->engine->timing.attempt_ms, COORD_TOGETHER,
        coord_eval_on_reply, c);
}

static void new_attempt(struct coord_eval *e)
{
    e->turn++;
    e->attempt = mpc_sym_run_attempt(e->run);
    e->began_us = qk_mono_us();
    e->op->n_set = 0;
    e->n_heard = 0;
    memset(e->heard, 0, sizeof e->heard);
    memset(e->fault, 0, sizeof e->fault);
    coord_eval_forget_attached(e);
    e->op->attempts++;
    atomic_fetch_add(&e->engine->counts.attempts, 1);
}

/* Node joins the set of those asked in this attempt: ascending. */
static void join(struct coord_op *op, uint16_t node)
{
    size_t at = op->n_set;
    for (size_t i = 0; i < op->n_set; i++)
        if (op->set[i] == node) return;
    for (; at > 0 && op->set[at - 1] > node; at--) op->set[at] = op->set[at - 1];
    op->set[at] = node;
    op->n_set++;
}

static void put_item(struct wire_eval *w, const struct mpc_sym_ask *ask)
{
    *w = (struct wire_eval){.op = ask->op, .prove = ask->op == MPC_SYM_DEC && ask->prove};
    if (ask->op == MPC_SYM_DEC) return; /* its input is the blob of the request */
    w->mode = ask->item->mode;
    w->ver = ask->item->ver;
    memcpy(w->alpha, ask->item->alpha, sizeof w->alpha);
    w->tk = ask->item->tk;
}

/* The same bytes for every node of this wave. */
static qk_err encode(struct coord_eval *e, const struct mpc_sym_ask *ask, struct qk_buf *bytes)
{
    if (!e->have_texts) {
        e->texts = (struct coord_texts)COORD_TEXTS;
        e->have_texts = true;
        QK_TRY(coord_op_call(e->op, &e->call, &e->texts));
    }
    e->call.n_peers = (uint32_t)e->op->n_set;
    memcpy(e->call.peers, e->op->set, e->op->n_set * sizeof *e->op->set);
    put_item(&e->call.eval, ask);
    e->ask = (struct coord_ask){.engine = e->engine,
        .call = &e->call,
        .set = e->op->set,
        .n_set = e->op->n_set,
        .timeout_ms = e->engine->timing.attempt_ms};
    wire_call_encode(bytes, &e->call);
    return bytes->err;
}

qk_err coord_eval_send(struct coord_eval *e, size_t *n)
{
    uint16_t to[WIRE_NODES_MAX];
    struct mpc_sym_ask ask = {.to = 0}, one;
    QK_AUTO_BUF bytes = QK_BUF(WIRE_CALL_MAX);
    for (*n = 0; *n < WIRE_NODES_MAX && mpc_sym_run_next(e->run, &one); ++*n) {
        if (*n == 0 && (one.attempt != e->attempt)) new_attempt(e);
        ask = one;
        to[*n] = one.to;
        join(e->op, one.to);
    }
    if (*n == 0) return QK_OK;
    QK_TRY(encode(e, &ask, &bytes));
    for (size_t i = 0; i < *n; i++) call_node(e, to[i], qk_buf_view(&bytes));
    return QK_OK;
}

/* ---- one answer ---- */

static bool serve_need(struct coord_eval *e, const struct coord_reply *r, size_t at)
{
    QK_AUTO_BUF bytes = QK_BUF(WIRE_CALL_MAX);
    if (e->attached[at] == NULL) e->attached[at] = calloc(1, sizeof *e->attached[at]);
    qk_err err = QK_E_NOMEM;
    if (e->attached[at] != NULL) err = coord_attach(&e->ask, &r->answer, e->attached[at], &bytes);
    if (err == QK_OK) {
        call_node(e, r->node, qk_buf_view(&bytes));
        return true;
    }
    qk_log(QK_WARN, "node.need", QK_F_STR("request_id", e->op->request_id),
        QK_F_INT("node", r->node), QK_F_ERR(err));
    return false;
}

static void adopt(struct coord_eval *e, const struct coord_reply *r)
{
    bool news = coord_stale_reply(&e->ask, r, &e->op->doubts);
    if (news && e->outcome == EVAL_OPEN) e->outcome = EVAL_RESTART;
}

static void vote(struct coord_eval *e, const struct coord_reply *r)
{
    qk_err err = coord_votes_note(&e->op->votes, e->engine->cluster, r);
    struct kms_fault *told = err == QK_OK ? malloc(sizeof *told) : NULL;
    if (told == NULL) return;
    bool agreed = coord_votes_agree(&e->op->votes, e->engine->cluster->t, told);
    free(told);
    if (agreed && e->outcome == EVAL_OPEN) e->outcome = EVAL_VOTED;
}

void coord_eval_renew(struct coord_eval *e, const struct coord_eval_call *list)
{
    for (const struct coord_eval_call *c = list; c != NULL; c = c->next) {
        size_t at = coord_eval_index(e, c->node);
        if (c->turn != e->turn || !coord_eval_says_ok(&c->reply) || at == e->engine->cluster->n)
            continue;
        if (c->reply.answer.eval_status == MPC_SYM_TICKET)
            coord_channels_renew(e->engine->channels, c->node, e->chan[at], c->reply.answer.chan);
    }
}

static qk_err result(struct coord_eval *e, const struct coord_reply *r)
{
    const struct wire_answer *a = &r->answer;
    struct mpc_sym_reply reply = {
        .from = r->node, .attempt = e->attempt, .status = a->eval_status, .answer = a->part};
    return mpc_sym_run_receive(e->run, &reply);
}

/* No evaluation: why, and what that means. False: the question has been asked again. */
static bool failed(struct coord_eval *e, const struct coord_reply *r, size_t at)
{
    bool answered = r->err == QK_OK;
    if (answered && r->answer.status == WIRE_ANSWER_NEED && serve_need(e, r, at)) return false;
    if (answered && r->answer.status == WIRE_ANSWER_STALE) adopt(e, r);
    if (r->err == QK_E_TIMEOUT) e->op->timed_out = true;
    coord_judge_reply(&e->ask, r, &e->op->doubts);
    return true;
}

static bool running(const struct coord_eval *e)
{
    return e->outcome == EVAL_OPEN && mpc_sym_run_state(e->run) == MPC_SYM_RUNNING;
}

void coord_eval_take(struct coord_eval *e, const struct coord_eval_call *c)
{
    const struct coord_reply *r = &c->reply;
    size_t at = coord_eval_index(e, r->node);
    bool fault = r->err == QK_OK && r->answer.status == WIRE_ANSWER_FAULT;
    if (at == e->engine->cluster->n || e->outcome != EVAL_OPEN) return;
    if (fault) vote(e, r); /* about the request, whichever X it came with */
    /* An answer to an X that has been given up says nothing any more. */
    if (!running(e) || c->turn != e->turn) return;
    qk_err err = QK_OK;
    e->fault[at] = fault;
    if (coord_eval_says_ok(r))
        err = result(e, r);
    else if (!failed(e, r, at))
        return;
    else if (!fault)
        err = mpc_sym_run_lost(e->run, r->node, e->attempt);
    e->n_heard += !e->heard[at];
    e->heard[at] = true;
    if (err != QK_OK) e->err = err; /* of ours: the run has ended as unavailable */
}

void coord_eval_give_up_faults(struct coord_eval *e, bool late)
{
    if (!late && e->n_heard < e->op->n_set) return;
    for (size_t i = 0; i < e->engine->cluster->n && running(e); i++) {
        if (!e->fault[i]) continue;
        e->fault[i] = false;
        qk_err err = mpc_sym_run_lost(e->run, e->engine->cluster->nodes[i].id, e->attempt);
        if (err != QK_OK) e->err = err;
    }
}
