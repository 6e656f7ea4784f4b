#include "rounds/op.h"

#include <time.h>
#include "qk/clock.h"
#include "qk/log.h"
#include "rounds/eval.h"
#include "rounds/importing.h"
#include "rounds/internal.h"
#include "rounds/mac.h"

enum { RESTARTS_MAX = 3, ATTEMPTS_MAX = 4, CREATE_ATTEMPTS_MAX = 6, INITIALIZE_TIMES = 6 };
enum { NEWS_MS = 2000, NEWS_BYTES = 8192 };

/* ---- what the request rests on ---- */

static qk_err load_one(
    struct coord_op *op, const struct kms_ref *ref, struct coord_entry *e, struct kms_record **r)
{
    coord_entry_free(e);
    qk_err err = coord_store_get(op->engine->store, ref, e);
    *r = err == QK_OK ? &e->r : NULL;
    return err == QK_E_NOT_FOUND ? QK_OK : err;
}

static qk_err load_records(struct coord_op *op)
{
    struct kms_ref ref;
    struct kms_record *r;
    struct qk_bytes akid = op->by_operator ? (struct qk_bytes){0} : op->auth.access_key_id;
    op->recs = (struct kms_records){0};
    while (kms_records_next(
        &op->ctx, akid, &op->req, op->has_prop ? &op->prop : NULL, &op->recs, &ref)) {
        QK_TRY(load_one(op, &ref, &op->entries[op->recs.last], &r));
        QK_TRY(kms_records_put(&op->recs, r));
    }
    /* Every node needs the system key to check the caller's signature. */
    kms_ref_system(&ref);
    return load_one(op, &ref, &op->system, &r);
}

/* Would we allow it? The nodes' word decides; ours says what to do with their answers. */
static void decide(struct coord_op *op)
{
    struct kms_fault fault;
    op->decided = false;
    if (!op->parsed) return;
    if (!op->by_operator &&
        kms_check_client(&op->ctx, op->auth.access_key_id, &op->recs, &fault) != QK_OK)
        return;
    op->decided = kms_decide(&op->ctx, op->by_operator, &op->req, &op->recs,
                      op->has_prop ? &op->prop : NULL, &op->decision, &fault) == QK_OK;
}

qk_err coord_op_load(struct coord_op *op)
{
    op->ctx.now_ms = qk_now_ms();
    op->has_prop = op->parsed && coord_op_needs_proposal(op->req.op);
    if (op->has_prop)
        QK_TRY(kms_proposal_new(op->req.op, op->ctx.now_ms, qk_rng_system(), &op->prop));
    QK_TRY(load_records(op));
    decide(op);
    return QK_OK;
}

/* ---- the call ---- */

static void name_ref(
    struct wire_call *call, enum kms_kind kind, const char *id, const struct kms_record *r)
{
    struct wire_ref *ref = &call->refs[call->n_refs++];
    *ref = (struct wire_ref){.kind = (uint8_t)kind, .id = qk_str(id)};
    if (r == NULL) return;
    ref->version = r->version;
    memcpy(ref->hash, r->hash, 32);
}

/* One reference per record; a record may stand in two slots. */
static bool named(const struct wire_call *call, const struct kms_ref *ref)
{
    for (uint32_t i = 0; i < call->n_refs; i++)
        if (call->refs[i].kind == (uint8_t)ref->kind && qk_bytes_is(call->refs[i].id, ref->id))
            return true;
    return false;
}

/* Ask kms_records_next again which names the slots have: the store may lack the records. ids keeps
 * the texts that the call's views point into. */
static void fill_refs(struct coord_op *op, struct wire_call *call, struct kms_ref *ids)
{
    struct kms_records again = {0};
    size_t n = 0;
    struct qk_bytes akid = op->by_operator ? (struct qk_bytes){0} : op->auth.access_key_id;
    while (n < KMS_SLOT_COUNT && kms_records_next(&op->ctx, akid, &op->req,
                                     op->has_prop ? &op->prop : NULL, &again, &ids[n])) {
        struct kms_record *r = op->recs.slot[again.last];
        if (kms_records_put(&again, r) != QK_OK) break;
        if (!named(call, &ids[n])) name_ref(call, ids[n].kind, ids[n].id, r);
        n++;
    }
    kms_ref_system(&ids[n]);
    bool have = op->system.certified.len > 0;
    if (!named(call, &ids[n])) name_ref(call, ids[n].kind, ids[n].id, have ? &op->system.r : NULL);
}

/* A change that rests on another one of a moment ago brings that along: its nodes may not have been
 * told, and would ask. */
static void attach_news(const struct coord_op *op, struct wire_call *call)
{
    uint64_t now = qk_mono_ms();
    for (size_t i = 0; i < KMS_SLOT_COUNT && call->n_records < WIRE_CALL_RECORDS_MAX; i++) {
        const struct coord_entry *e = &op->entries[i];
        bool news = op->recs.slot[i] != NULL && e->put_ms != 0 && now - e->put_ms < NEWS_MS;
        if (news && e->certified.len <= NEWS_BYTES) call->records[call->n_records++] = e->certified;
    }
}

void coord_texts_free(struct coord_texts *t)
{
    qk_buf_free(&t->raw);
    qk_buf_free(&t->proposal);
    qk_buf_free(&t->claim);
}

/* Nodes never see an Encrypt's plaintext (check S-15): they get the body's hash, which is what the
 * caller signed, and the claim. */
static bool keeps_body(const struct coord_op *op)
{
    return op->op == KMS_OP_ENCRYPT;
}

static qk_err put_raw(struct coord_op *op, struct wire_call *call, struct coord_texts *t)
{
    if (keeps_body(op)) {
        struct kms_raw headers = *op->raw;
        QK_TRY(kms_raw_body_hash(op->raw, t->body_hash));
        headers.body = QK_BYTES(t->body_hash);
        headers.body_is_hash = true;
        QK_TRY(kms_raw_encode(&headers, &t->raw));
        if (op->parsed) QK_TRY(kms_claim_make(op->raw, &t->claim));
        QK_TRY(t->claim.err);
        call->claim = qk_buf_view(&t->claim);
    } else {
        QK_TRY(kms_raw_encode(op->raw, &t->raw));
    }
    call->raw = qk_buf_view(&t->raw);
    return t->raw.err;
}

qk_err coord_op_call(struct coord_op *op, struct wire_call *call, struct coord_texts *t)
{
    *call = (struct wire_call){.kind = WIRE_CALL_OP};
    memcpy(call->cluster, op->engine->cluster->hash, 32);
    memcpy(call->request_id, op->request_id, sizeof call->request_id);
    QK_TRY(put_raw(op, call, t));
    if (op->has_prop) kms_proposal_encode(&op->prop, &t->proposal);
    QK_TRY(t->proposal.err);
    call->proposal = qk_buf_view(&t->proposal);
    fill_refs(op, call, t->ids);
    if (op->has_prop) attach_news(op, call);
    if (op->decided && op->decision.kind == KMS_DO_SIGN && op->engine->presigs != NULL)
        call->want_presigs = coord_presigs_want(
            op->engine->presigs, op->decision.key->key.key_id, op->set, op->n_set);
    call->n_peers = (uint32_t)op->n_set;
    memcpy(call->peers, op->set, op->n_set * sizeof *op->set);
    QK_TRY(qk_rng_fill(qk_rng_system(), op->rnd, 32));
    memcpy(call->rnd, op->rnd, 32);
    return QK_OK;
}

/* ---- choosing nodes ---- */

static void pause_ms(unsigned ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    (void)nanosleep(&t, NULL);
}

/* Links come back within moments after a restart: wait a little rather than fail at once, but not
 * for a node that has been away for longer. */
static qk_err pick(struct coord_op *op, size_t k)
{
    struct coord_nodes *nodes = op->engine->nodes;
    unsigned link_ms = op->engine->timing.link_ms;
    uint64_t until = qk_mono_ms() + link_ms;
    qk_err err = coord_nodes_pick(nodes, &op->doubts, k, op->set);
    while (err == QK_E_BUSY && qk_mono_ms() < until && coord_nodes_may_return(nodes, k, link_ms)) {
        pause_ms(50);
        err = coord_nodes_pick(nodes, &op->doubts, k, op->set);
    }
    op->n_set = err == QK_OK ? k : 0;
    return err;
}

/* One garbage partial among t would lose the secret of a new access key for good: every node that
 * is there is asked, and its owner takes the first t that verify. */
static qk_err pick_most(struct coord_op *op)
{
    const struct wire_cluster *c = op->engine->cluster;
    size_t q = wire_cluster_quorum(c);
    for (op->n_set = c->n; op->n_set > q; op->n_set--)
        if (coord_nodes_pick(op->engine->nodes, &op->doubts, op->n_set, op->set) == QK_OK)
            return QK_OK;
    return pick(op, q);
}

/* What makes a key takes every node, what changes a record a quorum, everything else t. */
static size_t needs(const struct coord_op *op)
{
    const struct wire_cluster *c = op->engine->cluster;
    if (coord_op_needs_all(op)) return c->n;
    return coord_op_needs_proposal(op->req.op) ? wire_cluster_quorum(c) : c->t;
}

bool coord_op_presig(struct coord_op *op, uint8_t presig[static 32])
{
    struct coord_engine *e = op->engine;
    bool signs = op->decided && op->decision.kind == KMS_DO_SIGN;
    if (!signs || op->presig_tried || e->presigs == NULL) return false;
    op->presig_tried = true;
    op->n_set = e->cluster->t;
    return coord_presigs_take(
        e->presigs, e->nodes, op->decision.key->key.key_id, op->n_set, op->set, presig);
}

static qk_err choose(struct coord_op *op, uint8_t presig[static 32], bool *spend)
{
    *spend = coord_op_presig(op, presig);
    if (*spend) return QK_OK;
    return op->req.op == KMS_OP_CREATE_ACCESS_KEY ? pick_most(op) : pick(op, needs(op));
}

/* ---- attempts ---- */

/* More were asked than are needed: if enough of them said OK the others are let go. */
static void let_go(struct coord_op *op, const struct coord_ask *ask, struct coord_attempt *a)
{
    size_t n_ok = 0;
    for (size_t i = 0; i < a->n; i++) n_ok += coord_attempt_ok(a, i);
    if (ask->enough == 0 || n_ok < ask->enough || a->all_ok) return;
    coord_attempt_judge(ask, a, &op->doubts);
    for (size_t i = a->n; i-- > 0;)
        if (!coord_attempt_ok(a, i)) coord_attempt_drop(a, op->set, i);
    op->n_set = a->n;
}

/* What is wrong with a body that nodes do not see is ours to tell, once t of them know the caller.
 */
static void own_words(struct coord_op *op, struct kms_fault *fault)
{
    struct kms_request req;
    bool no_claim =
        op->op == KMS_OP_ENCRYPT && !op->parsed && strcmp(fault->message, KMS_CLAIM_MISSING) == 0;
    if (no_claim && kms_request_parse(op->raw, &req, fault) == QK_OK) kms_request_free(&req);
}

qk_err coord_op_conclude(struct coord_op *op, const struct coord_ask *ask, struct coord_attempt *a,
    struct kms_fault *fault, enum coord_step *step)
{
    *step = COORD_AGAIN;
    QK_TRY(coord_votes_take(&op->votes, op->engine->cluster, a));
    if (a->stale && coord_attempt_adopt(ask, a, &op->doubts)) {
        *step = COORD_RESTART;
        return QK_OK;
    }
    let_go(op, ask, a);
    if (a->all_ok) return coord_finish(op, ask, a, step);
    coord_attempt_judge(ask, a, &op->doubts);
    for (size_t i = 0; i < a->n; i++)
        if (!a->got[i] || a->replies[i].err == QK_E_TIMEOUT) op->timed_out = true;
    if (coord_votes_agree(&op->votes, op->engine->cluster->t, fault)) *step = COORD_FAULT;
    if (*step == COORD_FAULT) own_words(op, fault);
    return QK_OK;
}

/* All attempts. The ceremony may come while the nodes are still making their pair setups. */
static unsigned whole_ms(const struct coord_op *op)
{
    const struct coord_timing *t = &op->engine->timing;
    if (coord_mac_is(op)) return coord_mac_total_ms(op);
    switch (op->req.op) {
    case KMS_OP_INITIALIZE:
        return INITIALIZE_TIMES * t->create_ms;
    case KMS_OP_CREATE_KEY:
    case KMS_OP_ROTATE_KEY_ON_DEMAND:
    case KMS_OP_IMPORT_KEY_MATERIAL:
        return t->create_ms;
    default:
        return t->total_ms;
    }
}

static unsigned attempt_ms(const struct coord_op *op, uint64_t until_ms)
{
    uint64_t now = qk_mono_ms();
    uint64_t left = until_ms > now ? until_ms - now : 1;
    unsigned most = coord_op_needs_all(op) ? whole_ms(op) : op->engine->timing.attempt_ms;
    return left < most ? (unsigned)left : most;
}

static qk_err attempt(
    struct coord_op *op, uint64_t until_ms, struct kms_fault *fault, enum coord_step *step)
{
    uint8_t presig[32];
    bool spend;
    if (coord_eval_is(op)) return coord_eval_run(op, until_ms, fault, step);
    if (coord_mac_is(op)) return coord_mac_run(op, until_ms, fault, step);
    qk_err err = choose(op, presig, &spend);
    op->too_few = err == QK_E_BUSY;
    *step = COORD_GIVE_UP;
    if (err == QK_E_BUSY) return QK_OK;
    QK_TRY(err);
    struct wire_call call;
    struct coord_texts t = COORD_TEXTS;
    err = coord_op_call(op, &call, &t);
    if (spend) call.presig = qk_bytes(presig, 32);
    struct coord_ask ask = {.engine = op->engine,
        .call = &call,
        .set = op->set,
        .n_set = op->n_set,
        .timeout_ms = attempt_ms(op, until_ms)};
    if (op->req.op == KMS_OP_CREATE_ACCESS_KEY) {
        ask.patient = true;
        ask.enough = wire_cluster_quorum(op->engine->cluster);
    }
    /* Each node decides it alone: those that wait at the same time share its disk's sync. */
    if (op->decided && op->decision.kind == KMS_DO_CHANGE) ask.how = COORD_CHANGE;
    struct coord_attempt a = {.n = 0};
    struct qk_bytes parts[WIRE_NODES_MAX] = {0};
    bool import = op->decided && op->decision.kind == KMS_DO_IMPORT;
    if (err == QK_OK && import) err = coord_importing_begin(op);
    if (err == QK_OK && import) coord_importing_parts(op, parts);
    if (import) ask.parts = parts;
    op->attempts++;
    if (err == QK_OK) err = coord_attempt_run(&ask, &a);
    if (err == QK_OK) err = coord_op_conclude(op, &ask, &a, fault, step);
    if (err == QK_OK && *step == COORD_AGAIN && coord_importing_refuses(op, &a, fault))
        *step = COORD_FAULT;
    coord_attempt_free(&a);
    coord_texts_free(&t);
    return err;
}

/* Attempts on one state of the records. */
static qk_err attempts(
    struct coord_op *op, uint64_t until_ms, struct kms_fault *fault, enum coord_step *step)
{
    bool all = coord_op_needs_all(op);
    unsigned max = all ? CREATE_ATTEMPTS_MAX : coord_mac_is(op) ? COORD_MAC_RUNS : ATTEMPTS_MAX;
    for (unsigned i = 0; i < max; i++) {
        QK_TRY(attempt(op, until_ms, fault, step));
        if (*step != COORD_AGAIN) return QK_OK;
        if (qk_mono_ms() >= until_ms) break;
        /* Others may be in the way: busy nodes, races. Key generation takes all nodes, and a node
         * that has just come back finds its peers within seconds. */
        if (i > 0 || all) pause_ms((all ? 100u : 25u) << i);
        /* A key generation that failed half-way has used its key id up. */
        if (all && i + 1 < max) QK_TRY(coord_op_load(op));
    }
    *step = COORD_GIVE_UP;
    return QK_OK;
}

/* It went well without those that were there when it did not: the next operations ask others first.
 */
static void avoid_for_a_while(struct coord_op *op)
{
    const struct wire_cluster *c = op->engine->cluster;
    for (size_t i = 0; i < c->n; i++) {
        bool there = false;
        for (size_t k = 0; k < op->n_set; k++) there = there || op->set[k] == c->nodes[i].id;
        if (op->doubts.points[i] > 0 && !there)
            coord_node_cool(op->engine->nodes, c->nodes[i].id, op->engine->timing.avoid_ms);
    }
}

/* No result and no fault that t nodes agree on. */
static qk_err give_up(struct coord_op *op, struct kms_fault *fault)
{
    if (coord_mac_is(op)) return coord_mac_unavailable(op, fault);
    if (op->too_few && coord_eval_is(op)) return kms_fault_unavailable(fault);
    if (op->too_few) return kms_fault_timeout(fault);
    if (op->timed_out) return kms_fault_timeout(fault);
    bool uses = op->parsed && (op->req.op == KMS_OP_SIGN || coord_eval_is(op));
    if (uses) return kms_fault_unavailable(fault);
    return kms_fault_internal(fault, QK_E_MISMATCH);
}

static qk_err run(struct coord_op *op, struct kms_fault *fault)
{
    uint64_t began = qk_mono_ms();
    for (op->restarts = 0; op->restarts <= RESTARTS_MAX; op->restarts++) {
        enum coord_step step;
        qk_err err = coord_op_load(op);
        uint64_t until = began + whole_ms(op); /* what it takes is known once it is decided */
        if (err == QK_OK) err = attempts(op, until, fault, &step);
        if (err != QK_OK) {
            qk_log(QK_ERROR, "op.error", QK_F_STR("request_id", op->request_id), QK_F_ERR(err));
            return kms_fault_internal(fault, err);
        }
        if (step == COORD_DONE) avoid_for_a_while(op);
        if (step == COORD_DONE) return QK_OK;
        if (step == COORD_FAULT) return QK_E_DENIED;
        if (step == COORD_GIVE_UP) break;
        coord_votes_free(&op->votes); /* told about records that are no longer */
    }
    return give_up(op, fault);
}

static bool makes_a_name(enum kms_op op)
{
    return op == KMS_OP_CREATE_KEY || op == KMS_OP_INITIALIZE;
}

/* Changes of one thing go one after the other: two proposals for the same next version would block
 * each other at the nodes. The last 36 bytes of a key id and of its ARN are the same. */
static pthread_mutex_t *subject_lock(struct coord_op *op)
{
    if (!op->parsed || !coord_op_needs_proposal(op->req.op) || makes_a_name(op->req.op))
        return NULL;
    struct qk_bytes id = op->req.key_id;
    if (id.len == 0) id = op->req.access_key_id;
    if (id.len == 0) id = op->req.user_name;
    uint32_t hash = 2166136261u;
    for (size_t i = id.len > KMS_UUID_LEN ? id.len - KMS_UUID_LEN : 0; i < id.len; i++)
        hash = (hash ^ id.p[i]) * 16777619u;
    return &op->engine->subjects[hash % COORD_SUBJECTS];
}

/* Not for longer than a short operation may take: who changes one key again and again while making
 * its material takes long would have every worker wait in line. */
static bool wait_in_line(pthread_mutex_t *lock, unsigned ms)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    return pthread_mutex_timedlock(lock, &until) == 0;
}

qk_err coord_op_run(struct coord_op *op, struct kms_fault *fault)
{
    pthread_mutex_t *lock = subject_lock(op);
    op->may_wait = true;
    if (lock != NULL && !wait_in_line(lock, op->engine->timing.total_ms))
        return kms_fault_throttled(fault);
    qk_err err = run(op, fault);
    if (lock != NULL) (void)pthread_mutex_unlock(lock);
    return err;
}
