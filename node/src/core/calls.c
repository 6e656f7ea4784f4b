#include "core/calls.h"

#include <stdlib.h>
#include "mpc/group.h"
#include "mpc/transcript.h"
#include "qk/clock.h"
#include "qk/pack.h"
#include "core/changes.h"
#include "core/evals.h"
#include "core/macs.h"
#include "core/guard.h"
#include "core/quarantine.h"
#include "core/signing.h"
#include "core/status.h"
#include "vault/records.h"
#include "wire/bundle.h"

enum {
    FETCH_RECORDS = WIRE_CALL_RECORDS_MAX,
    FETCH_BYTES = 1500000,
    NEWS_PATIENCE_MS = 40, /* nobody waits for the acknowledgement of a PUBLISH */
};

/* ---- answering ---- */

static void answer(struct node_op *op)
{
    if (op->silent) {
        wire_reply_drop(op->reply);
        return;
    }
    QK_AUTO_BUF frame = QK_BUF_SECRET(WIRE_CALL_MAX); /* parts of values travel in it */
    wire_answer_encode(&frame, &op->answer);
    if (frame.err != QK_OK) {
        qk_log(QK_ERROR, "call.answer", QK_F_ERR(frame.err));
        wire_reply_drop(op->reply);
        return;
    }
    qk_err err = wire_reply_send(op->reply, qk_buf_view(&frame));
    if (err != QK_OK) qk_log(QK_WARN, "call.answer", QK_F_ERR(err));
}

static const char *outcome_text(enum wire_answer_status status)
{
    switch (status) {
    case WIRE_ANSWER_OK:
        return "ok";
    case WIRE_ANSWER_FAULT:
        return "fault";
    case WIRE_ANSWER_NEED:
        return "need";
    case WIRE_ANSWER_STALE:
        return "stale";
    case WIRE_ANSWER_RETRY:
        return "retry";
    case WIRE_ANSWER_REFUSED:
        return "refused";
    }
    return "?";
}

static struct qk_bytes log_text(const struct node_op *op)
{
    return kms_fault_log_text(op->answer.fault_type, op->answer.fault_message);
}

/* What an allowed request came to, where that was not what it asked for. */
static const char *reason_of(const struct node_op *op, enum wire_answer_status status)
{
    if (status == WIRE_ANSWER_FAULT) return op->fault.type;
    bool evaluated = status == WIRE_ANSWER_OK && op->answer.eval_status != 0;
    return evaluated ? node_eval_text(op->answer.eval_status) : NULL;
}

static void entry_of(const struct node_op *op, enum wire_answer_status status,
    char key[static KMS_UUID_LEN + 1], struct node_audit_entry *entry)
{
    key[0] = 0;
    if (op->decision.key != NULL) kms_uuid_text(op->decision.key->key.key_id, key);
    *entry = (struct node_audit_entry){.event = "request",
        .outcome = status == WIRE_ANSWER_OK && op->answer.eval_status == 0 ? NODE_AUDIT_ALLOW
                   : status == WIRE_ANSWER_RETRY                           ? NODE_AUDIT_ABORT
                                                                           : NODE_AUDIT_DENY,
        .request = qk_str(op->call.request_id),
        .caller = qk_str(op->principal),
        .operation = qk_str(op->req_parsed ? kms_op_info(op->req.op)->name : ""),
        .key = qk_str(key),
        .reason = reason_of(op, status),
        .detail = status == WIRE_ANSWER_OK ? qk_str("") : log_text(op)};
}

qk_err node_op_audit_ahead(struct node_op *op)
{
    char key[KMS_UUID_LEN + 1];
    struct node_audit_entry entry;
    entry_of(op, WIRE_ANSWER_OK, key, &entry);
    return node_audit_append(op->node->audit, &entry, qk_now_ms(), &op->audit_seq);
}

/* One audit entry for every decision; QK_E_IO means that the operation must not be answered. */
static qk_err audit(struct node_op *op, uint64_t took_ms)
{
    char key[KMS_UUID_LEN + 1];
    struct node_audit_entry entry;
    enum wire_answer_status status = op->answer.status;
    entry_of(op, status, key, &entry);
    qk_log(status == WIRE_ANSWER_OK ? QK_DEBUG : QK_INFO, "call",
        QK_F_STR("request", op->call.request_id), QK_F_TEXT("op", entry.operation),
        QK_F_STR("caller", op->principal), QK_F_STR("outcome", outcome_text(status)),
        QK_F_TEXT("type", op->answer.fault_type), QK_F_TEXT("text", log_text(op)),
        QK_F_INT("ms", took_ms));
    if (status == WIRE_ANSWER_NEED || status == WIRE_ANSWER_STALE) return QK_OK;
    if (status == WIRE_ANSWER_OK && op->audit_seq > 0)
        return node_audit_wait(op->node->audit, op->audit_seq);
    bool durable = op->answer.n_signed > 0;
    if (op->batch != NULL && !durable && node_audit_batch_add(op->batch, &entry) == QK_OK)
        return QK_OK;
    return node_audit_write(op->node->audit, &entry, qk_now_ms(), durable);
}

/* ---- operations ---- */

static void carry_out(struct node_op *op)
{
    switch (op->decision.kind) {
    case KMS_DO_READ:
    case KMS_DO_VERIFY:
    case KMS_DO_RANDOM:
    case KMS_DO_IMPORT_PARAMETERS:
        op->answer.status = WIRE_ANSWER_OK;
        break;
    case KMS_DO_SIGN:
        node_sign(op);
        break;
    case KMS_DO_ENCRYPT:
    case KMS_DO_DECRYPT:
    case KMS_DO_REENCRYPT:
        node_eval(op);
        break;
    case KMS_DO_GENERATE_MAC:
    case KMS_DO_VERIFY_MAC:
        node_mac(op);
        break;
    case KMS_DO_CREATE_KEY:
    case KMS_DO_ROTATE:
    case KMS_DO_IMPORT:
    case KMS_DO_CHANGE:
    case KMS_DO_ACCESS_KEY:
    case KMS_DO_INITIALIZE:
        node_change(op);
        break;
    }
}

static void serve_op(struct node_op *op)
{
    if (node_guard(op) == NODE_GO) carry_out(op);
}

static void serve_publish(struct node_op *op)
{
    struct node_known *news[WIRE_CALL_RECORDS_MAX] = {NULL};
    size_t n = 0;
    qk_err bad = QK_OK;
    for (uint32_t i = 0; i < op->call.n_records && bad == QK_OK; i++) {
        qk_err err = node_record_learn(op->node, op->call.records[i], &news[n]);
        if (err == QK_OK) n++;
        if (err != QK_OK && err != QK_E_DENIED) bad = err; /* an older version is no news */
    }
    qk_err err = node_records_keep(op->node, news, n, NEWS_PATIENCE_MS);
    for (size_t i = 0; i < n; i++) node_known_put(op->node, news[i]);
    if (bad == QK_OK) bad = err;
    op->answer.status = WIRE_ANSWER_OK;
    if (bad == QK_OK) return;
    bool ours = bad >= 500;
    (void)node_op_stop(op, ours ? WIRE_ANSWER_RETRY : WIRE_ANSWER_REFUSED, qk_err_name(bad));
}

struct fetching {
    struct node_op *op;
    size_t at[FETCH_RECORDS], len[FETCH_RECORDS], sig_len[FETCH_RECORDS];
};

static bool fetch_one(void *arg, const struct node_record *r)
{
    struct fetching *f = arg;
    struct node_op *op = f->op;
    if (op->out.len + r->cert.len > FETCH_BYTES) return false;
    f->at[op->answer.n_records] = op->out.len;
    f->len[op->answer.n_records] = r->cert.len;
    qk_buf_add(&op->out, r->cert.p, r->cert.len);
    return op->out.err == QK_OK && ++op->answer.n_records < FETCH_RECORDS;
}

static void serve_fetch(struct node_op *op)
{
    struct fetching f = {.op = op};
    qk_err err = node_vault_record_list(
        op->node->vault, op->call.fetch_kind, op->call.fetch_after, FETCH_RECORDS, fetch_one, &f);
    if (err != QK_OK) {
        op->answer.n_records = 0;
        (void)node_op_stop(op, WIRE_ANSWER_RETRY, qk_err_name(err));
        return;
    }
    op->answer.status = WIRE_ANSWER_OK;
    for (uint32_t i = 0; i < op->answer.n_records; i++)
        op->answer.records[i] = qk_bytes(op->out.p + f.at[i], f.len[i]);
}

static bool fetch_promise(void *arg, const struct node_promise *p)
{
    struct fetching *f = arg;
    struct node_op *op = f->op;
    size_t i = op->answer.n_signed;
    if (op->out.len + p->record.len + p->sig.len > FETCH_BYTES) return false;
    f->at[i] = op->out.len;
    f->len[i] = p->record.len;
    f->sig_len[i] = p->sig.len;
    qk_buf_add(&op->out, p->record.p, p->record.len);
    qk_buf_add(&op->out, p->sig.p, p->sig.len);
    return op->out.err == QK_OK && ++op->answer.n_signed < FETCH_RECORDS;
}

/* What this node has signed and not yet seen certified. */
static void serve_promised(struct node_op *op)
{
    struct fetching f = {.op = op};
    qk_err err = node_vault_promise_list(op->node->vault, op->call.fetch_kind, op->call.fetch_after,
        FETCH_RECORDS, fetch_promise, &f);
    if (err != QK_OK) {
        op->answer.n_signed = 0;
        (void)node_op_stop(op, WIRE_ANSWER_RETRY, qk_err_name(err));
        return;
    }
    op->answer.status = WIRE_ANSWER_OK;
    for (uint32_t i = 0; i < op->answer.n_signed; i++)
        op->answer.signed_records[i] =
            (struct wire_signed){.record = qk_bytes(op->out.p + f.at[i], f.len[i]),
                .signature = qk_bytes(op->out.p + f.at[i] + f.len[i], f.sig_len[i])};
}

static void serve_status(struct node_op *op)
{
    node_status_json(op->node, &op->out);
    op->answer.status = WIRE_ANSWER_OK;
    op->answer.status_json = qk_buf_view(&op->out);
}

static void serve_kind(struct node_op *op)
{
    switch (op->call.kind) {
    case WIRE_CALL_OP:
        serve_op(op);
        break;
    case WIRE_CALL_PUBLISH:
        serve_publish(op);
        break;
    case WIRE_CALL_STATUS:
        serve_status(op);
        break;
    case WIRE_CALL_DUE:
        node_change_due(op);
        break;
    case WIRE_CALL_FETCH:
        serve_fetch(op);
        break;
    case WIRE_CALL_PROMISED:
        serve_promised(op);
        break;
    case WIRE_CALL_CHANNEL:
        node_eval_channel(op);
        break;
    case WIRE_CALL_RAND:
        node_eval_rand(op);
        break;
    }
}

/* In quarantine only the status is told and certified records are taken in. */
static bool in_quarantine(struct node_op *op)
{
    bool harmless = op->call.kind == WIRE_CALL_STATUS || op->call.kind == WIRE_CALL_PUBLISH;
    if (harmless || op->turned_away != NULL || !node_quarantined(op->node)) return false;
    memset(&op->answer, 0, sizeof op->answer);
    (void)node_op_stop(op, WIRE_ANSWER_REFUSED, "this node is in quarantine");
    return true;
}

/* From the decoded call to an answer that may leave once node_commit and end_work are through. */
static void begin_work(struct node_op *op)
{
    op->from_ms = qk_mono_ms();
    if (op->turned_away != NULL)
        (void)node_op_stop(op, WIRE_ANSWER_REFUSED, op->turned_away);
    else if (!in_quarantine(op))
        serve_kind(op);
}

static void end_work(struct node_op *op)
{
    (void)in_quarantine(op); /* it may have begun while this was served */
    bool decided = op->call.kind == WIRE_CALL_OP || op->call.kind == WIRE_CALL_DUE ||
                   op->answer.status == WIRE_ANSWER_REFUSED;
    if (decided && audit(op, qk_mono_ms() - op->from_ms) != QK_OK) {
        memset(&op->answer, 0, sizeof op->answer); /* what is not logged does not happen */
        (void)node_op_stop(op, WIRE_ANSWER_RETRY, "the audit log cannot be written");
    }
}

static void serve(void *arg)
{
    struct node_op *op = arg;
    begin_work(op);
    if (node_commit_wanted(op)) node_commit(&op, 1);
    end_work(op);
    answer(op);
    op->node->serving--;
    node_op_clear(op);
    free(op);
}

/* ---- arrival ---- */

static void answer_now(struct wire_reply *reply, enum wire_answer_status status, const char *why)
{
    QK_AUTO_BUF frame = QK_BUF(4096);
    struct wire_answer a = {.status = status, .fault_message = qk_str(why)};
    wire_answer_encode(&frame, &a);
    if (frame.err != QK_OK || wire_reply_send(reply, qk_buf_view(&frame)) != QK_OK)
        qk_log(QK_DEBUG, "call.unanswered");
}

static bool may_call(const struct wire_caller *caller, enum wire_call_kind kind)
{
    if (caller->kind == WIRE_CALLER_COORDINATOR) return true;
    return caller->kind == WIRE_CALLER_OPERATOR && kind == WIRE_CALL_STATUS;
}

static void name_caller(struct node_op *op, const struct wire_caller *caller)
{
    const struct wire_cluster *c = op->node->cluster;
    op->coordinator = WIRE_MEMBERS_MAX;
    for (size_t i = 0; i < c->n_coordinators && caller->kind == WIRE_CALLER_COORDINATOR; i++)
        if (strcmp(c->coordinators[i].name, caller->name) == 0) op->coordinator = i;
    static const char *const kinds[] = {[WIRE_CALLER_COORDINATOR] = "coordinator",
        [WIRE_CALLER_OPERATOR] = "operator-link",
        [WIRE_CALLER_NODE] = "node"};
    (void)snprintf(op->principal, sizeof op->principal, "%s:%s", kinds[caller->kind], caller->name);
}

/* bytes outlive op. */
static void op_init(
    struct node_op *op, struct node *node, const struct wire_caller *caller, struct qk_bytes bytes)
{
    memset(op, 0, sizeof *op);
    op->node = node;
    op->out = (struct qk_buf)QK_BUF(WIRE_CALL_MAX);
    op->sealed = (struct qk_buf)QK_BUF(1024);
    op->names = (struct qk_buf)QK_BUF(WIRE_CALL_PRESIGS_MAX * 32);
    op->part = (struct qk_buf)QK_BUF_SECRET(NODE_PART_MAX);
    name_caller(op, caller);
    if (wire_call_decode(bytes, &op->call) != QK_OK)
        op->turned_away = "the call does not decode";
    else if (memcmp(op->call.cluster, node->cluster->hash, 32) != 0)
        op->turned_away = "another cluster.conf";
    else if (!may_call(caller, op->call.kind))
        op->turned_away = "not for this caller";
}

/* ---- bundles ---- */

/* Calls that came together; one thread works through them and answers all at once. What they have
 * to write goes to the disk together. */
struct bundle {
    struct node *node;
    struct wire_caller caller;
    struct wire_reply *reply;
    struct qk_buf frame;
    struct qk_bytes items[WIRE_BUNDLE_MAX];
    size_t n;
    struct node_op *ops[WIRE_BUNDLE_MAX]; /* being served; NULL: answered */
    struct qk_buf answers[WIRE_BUNDLE_MAX];
    struct node_audit_batch batch;
};

static void bundle_free(struct bundle *b)
{
    for (size_t i = 0; i < b->n; i++) qk_buf_free(&b->answers[i]);
    node_audit_batch_free(&b->batch);
    qk_buf_free(&b->frame);
    free(b);
}

static void end_item(struct bundle *b, size_t i)
{
    struct node_op *op = b->ops[i];
    if (op->from_ms > 0) end_work(op);
    if (!op->silent) wire_answer_encode(&b->answers[i], &op->answer);
    node_op_clear(op);
    free(op);
    b->ops[i] = NULL;
}

static void begin_item(struct bundle *b, size_t i)
{
    struct node_op *op = b->ops[i] = malloc(sizeof *op);
    b->answers[i] = (struct qk_buf)QK_BUF_SECRET(WIRE_CALL_MAX);
    if (op == NULL) return; /* no answer: its caller asks again */
    op_init(op, b->node, &b->caller, b->items[i]);
    op->batch = &b->batch;
    op->bundle = b->items;
    op->n_bundle = b->n;
    if (b->node->stopping)
        (void)node_op_stop(op, WIRE_ANSWER_RETRY, "stopping");
    else
        begin_work(op);
    if (!node_commit_wanted(op)) end_item(b, i);
}

static void serve_items(struct bundle *b)
{
    struct node_op *writers[WIRE_BUNDLE_MAX];
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++) {
        begin_item(b, i);
        if (b->ops[i] != NULL) writers[n++] = b->ops[i];
    }
    if (n > 0) node_commit(writers, n);
    for (size_t i = 0; i < b->n; i++)
        if (b->ops[i] != NULL) end_item(b, i);
}

/* An answer that does not fit is left out: its caller asks again, alone. */
static void add_answers(struct qk_buf *out, const struct bundle *b)
{
    qk_pack_array(out, (uint32_t)b->n);
    for (size_t i = 0; i < b->n; i++) {
        const struct qk_buf *one = &b->answers[i];
        bool fits =
            one->err == QK_OK && out->len + one->len + WIRE_BUNDLE_MAX * 16 <= WIRE_CALL_MAX;
        qk_pack_bin(out, fits ? qk_buf_view(one) : qk_bytes(NULL, 0));
    }
}

static void serve_bundle(void *arg)
{
    struct bundle *b = arg;
    QK_AUTO_BUF out = QK_BUF_SECRET(WIRE_CALL_MAX);
    serve_items(b);
    add_answers(&out, b);
    /* what is not logged does not happen: no answer leaves */
    qk_err err = node_audit_write_batch(b->node->audit, &b->batch, qk_now_ms());
    if (err == QK_OK) err = out.err;
    if (err == QK_OK)
        err = wire_reply_send(b->reply, qk_buf_view(&out));
    else
        wire_reply_drop(b->reply);
    if (err != QK_OK) qk_log(QK_WARN, "call.answer", QK_F_ERR(err));
    b->node->serving -= b->n;
    bundle_free(b);
}

/* QK_E_MALFORMED: not a bundle. Other errors: it is one, and cannot be served now. */
static qk_err take_bundle(struct node *node, const struct wire_caller *caller,
    struct qk_bytes bytes, struct wire_reply *reply)
{
    struct bundle *b = calloc(1, sizeof *b);
    QK_ENSURE(b != NULL, QK_E_NOMEM);
    b->node = node;
    b->caller = *caller;
    b->reply = reply;
    node_audit_batch_init(&b->batch);
    b->frame = (struct qk_buf)QK_BUF_SECRET(WIRE_CALL_MAX);
    qk_buf_add(&b->frame, bytes.p, bytes.len);
    qk_err err = b->frame.err;
    if (err == QK_OK) err = wire_bundle_decode(qk_buf_view(&b->frame), b->items, &b->n);
    size_t n = b->n; /* b may be gone once it is in the pool */
    node->serving += n;
    if (err == QK_OK) err = node->stopping ? QK_E_BUSY : qk_pool_run(node->ops, serve_bundle, b);
    if (err == QK_OK) return QK_OK;
    node->serving -= n;
    bundle_free(b);
    return err;
}

/* ---- one call ---- */

static bool take_call(struct node *node, const struct wire_caller *caller, struct qk_bytes bytes,
    struct wire_reply *reply)
{
    struct node_op *op = malloc(sizeof *op);
    struct qk_buf frame = QK_BUF_SECRET(WIRE_CALL_MAX); /* parts of an import travel in it */
    qk_buf_add(&frame, bytes.p, bytes.len);
    if (op == NULL || frame.err != QK_OK) {
        qk_buf_free(&frame);
        free(op);
        return false;
    }
    op_init(op, node, caller, qk_buf_view(&frame));
    op->frame = frame;
    op->reply = reply;
    node->serving++;
    if (!node->stopping && qk_pool_run(node->ops, serve, op) == QK_OK) return true;
    node->serving--;
    node_op_clear(op);
    free(op);
    return false;
}

void node_calls_handler(
    void *ctx, const struct wire_caller *caller, struct qk_bytes bytes, struct wire_reply *reply)
{
    struct node *node = ctx;
    qk_err err = wire_bundle_is(bytes) ? take_bundle(node, caller, bytes, reply) : QK_E_MALFORMED;
    /* What is no bundle is refused as any call that does not decode, with an audit entry. */
    bool taken = err == QK_E_MALFORMED ? take_call(node, caller, bytes, reply) : err == QK_OK;
    if (taken) return;
    qk_log(QK_WARN, "call.busy", QK_F_STR("caller", caller->name));
    answer_now(reply, WIRE_ANSWER_RETRY, "busy");
}
