#include "nodesym.h"

#include <stdio.h>
#include <stdlib.h>
#include "qk/rng.h"

static void must(bool ok, int line, const char *what)
{
    if (ok) return;
    fprintf(stderr, "nodesym.c:%d: %s failed\n", line, what);
    abort();
}
#define MUST(expr) must((expr), __LINE__, #expr)

/* ---- channels ---- */

bool ns_channel(struct ns *s, uint16_t node)
{
    NB_AUTO_ANSWER a = {0};
    struct wire_call call = {.kind = WIRE_CALL_CHANNEL};
    memcpy(call.cluster, s->d->box->cluster->hash, 32);
    (void)snprintf(call.request_id, sizeof call.request_id, "22222222-2222-4222-8222-222222222222");
    nd_call(s->d, node, &call, &a);
    if (a.err != QK_OK || a.a.status != WIRE_ANSWER_OK || a.a.chan.len != MPC_SYM_CHAN_LEN)
        return false;
    memcpy(s->chan[node], a.a.chan.p, MPC_SYM_CHAN_LEN);
    s->ctr[node] = 0;
    return true;
}

void ns_init(struct ns *s, struct nd *d)
{
    memset(s, 0, sizeof *s);
    s->d = d;
    for (uint16_t id = 1; id <= d->box->n; id++)
        if (d->box->pid[id] != 0) MUST(ns_channel(s, id));
}

/* ---- keys ---- */

void ns_create_key(struct ns *s, const char *modes, char id[static KMS_UUID_LEN + 1])
{
    char body[160];
    (void)snprintf(
        body, sizeof body, "{\"Tags\":[{\"TagKey\":\"qkms:modes\",\"TagValue\":\"%s\"}]}", modes);
    ND_AUTO_OP *op = nd_op(s->d, "TrentService.CreateKey", body, s->d->all);
    bool ok = nd_send(s->d, op);
    if (!ok) nd_show(op);
    MUST(ok);
    kms_uuid_text(op->proposal.key_id, id);
    nd_keep(s->d, op);
}

static const struct kms_record *record_of(struct ns *s, enum kms_kind kind, const char *id)
{
    const struct nd_record *r = nd_find(s->d, kind, id);
    MUST(r != NULL);
    return &r->stored->r;
}

uint32_t ns_current(struct ns *s, const char *key_id)
{
    return record_of(s, KMS_KIND_KEY, key_id)->key.sym.current;
}

void ns_record(struct ns *s, const char *key_id, uint32_t ver, struct mpc_sym_record *out)
{
    char id[KMS_RECORD_ID_MAX + 1];
    (void)snprintf(id, sizeof id, "%s/%u", key_id, ver);
    MUST(mpc_sym_record_decode(record_of(s, KMS_KIND_VERSION, id)->version_of.pkrec, out) == QK_OK);
}

struct mpc_sym_version *ns_version(struct ns *s, const char *key_id, uint32_t ver)
{
    struct mpc_sym_record rec;
    struct mpc_sym_version *version;
    ns_record(s, key_id, ver, &rec);
    MUST(mpc_sym_version_new(&version, &rec) == QK_OK);
    return version;
}

/* ---- requests ---- */

static void add_context(struct qk_buf *b, ns_context context)
{
    if (context == NULL) return;
    qk_buf_add_str(b, ",\"EncryptionContext\":{");
    for (size_t i = 0; context[i] != NULL; i += 2)
        qk_buf_printf(b, "%s\"%s\":\"%s\"", i > 0 ? "," : "", context[i], context[i + 1]);
    qk_buf_add_str(b, "}");
}

static void context_bytes(ns_context context, struct qk_buf *ec)
{
    struct mpc_sym_pair pairs[16];
    size_t n = 0;
    for (size_t i = 0; context != NULL && context[i] != NULL; i += 2)
        pairs[n++] = (struct mpc_sym_pair){qk_str(context[i]), qk_str(context[i + 1])};
    MUST(mpc_sym_ec_encode(pairs, n, ec) == QK_OK);
}

void ns_op_hide_body(struct nd_op *op)
{
    qk_buf_free(&op->claim);
    op->claim = (struct qk_buf)QK_BUF(WIRE_CALL_CLAIM_MAX);
    MUST(kms_claim_make(&op->raw, &op->claim) == QK_OK);
    MUST(kms_raw_body_hash(&op->raw, op->body_hash) == QK_OK);
    op->raw.body = QK_BYTES(op->body_hash);
    op->raw.body_is_hash = true;
    op->call.claim = qk_buf_view(&op->claim);
    nd_op_reencode(op);
}

struct nd_op *ns_enc_op(
    struct ns *s, const char *key_id, ns_context context, const char *plain, const uint16_t *peers)
{
    QK_AUTO_BUF body = QK_BUF(KMS_RAW_BODY_MAX);
    qk_buf_printf(&body, "{\"KeyId\":\"%s\"", key_id);
    if (plain == NULL)
        qk_buf_add_str(&body, ",\"KeySpec\":\"AES_256\"");
    else {
        qk_buf_add_str(&body, ",\"Plaintext\":\"");
        qk_base64_add(&body, qk_str(plain));
        qk_buf_add_str(&body, "\"");
    }
    add_context(&body, context);
    qk_buf_add_str(&body, "}");
    struct nd_op *op = nd_op(s->d,
        plain == NULL ? "TrentService.GenerateDataKeyWithoutPlaintext" : "TrentService.Encrypt",
        qk_buf_cstr(&body), peers);
    if (plain != NULL) ns_op_hide_body(op);
    return op;
}

struct nd_op *ns_dec_op(
    struct ns *s, ns_context context, struct qk_bytes blob, const uint16_t *peers)
{
    QK_AUTO_BUF body = QK_BUF(KMS_RAW_BODY_MAX);
    qk_buf_add_str(&body, "{\"CiphertextBlob\":\"");
    qk_base64_add(&body, blob);
    qk_buf_add_str(&body, "\"");
    add_context(&body, context);
    qk_buf_add_str(&body, "}");
    return nd_op(s->d, "TrentService.Decrypt", qk_buf_cstr(&body), peers);
}

/* ---- items ---- */

void ns_op_tickets(struct nd_op *op, const struct mpc_sym_ticket *tickets, size_t n)
{
    QK_AUTO_BUF list = QK_BUF(WIRE_CALL_TICKETS_MAX);
    mpc_sym_tickets_encode(tickets, n, &list);
    MUST(list.err == QK_OK);
    memcpy(op->tk, list.p, list.len);
    op->call.eval.tk = qk_bytes(op->tk, list.len);
}

static qk_err next_ticket(void *ctx, uint16_t node, struct mpc_sym_ticket *out)
{
    struct ns *s = ctx;
    QK_ENSURE(s->d->box->pid[node] != 0, QK_E_NOT_FOUND);
    *out = (struct mpc_sym_ticket){.node = node, .ctr = ++s->ctr[node]};
    memcpy(out->chan, s->chan[node], sizeof out->chan);
    return QK_OK;
}

void ns_op_enc(struct ns *s, struct nd_op *op, const char *key_id, uint8_t mode, uint8_t a)
{
    struct mpc_sym_ticket tickets[NB_NODES_MAX];
    size_t n = 0;
    for (uint16_t id = 1; id <= s->d->box->n; id++)
        if (next_ticket(s, id, &tickets[n]) == QK_OK) n++;
    op->call.eval =
        (struct wire_eval){.op = WIRE_EVAL_ENC, .mode = mode, .ver = ns_current(s, key_id)};
    memset(op->call.eval.alpha, a, sizeof op->call.eval.alpha);
    ns_op_tickets(op, tickets, n);
}

void ns_op_dec(struct nd_op *op, bool prove)
{
    op->call.eval = (struct wire_eval){.op = WIRE_EVAL_DEC, .prove = prove};
}

/* ---- runs ---- */

static void set_item(struct nd_op *op, const struct mpc_sym_ask *ask)
{
    ns_op_dec(op, ask->prove);
    if (ask->op == MPC_SYM_DEC) return;
    op->call.eval = (struct wire_eval){
        .op = WIRE_EVAL_ENC, .mode = ask->item->mode, .ver = ask->item->ver, .tk = ask->item->tk};
    memcpy(op->call.eval.alpha, ask->item->alpha, sizeof op->call.eval.alpha);
}

/* One node's answer, with records attached when it wants them. */
static struct nb_answer *ask_node(struct ns *s, struct nd_op *op, uint16_t to)
{
    struct wire_call whole = op->call;
    struct nb_answer *a = &op->answer[to];
    /* the item goes to this node, the operation is everybody's: nd_send sends to all peers */
    nd_call(s->d, to, &op->call, a);
    for (int tries = 0; tries < 4 && a->err == QK_OK && a->a.status == WIRE_ANSWER_NEED; tries++) {
        if (!nd_attach(s->d, a, &op->call)) break;
        nd_call(s->d, to, &op->call, a);
    }
    op->call = whole;
    return a;
}

static void step(
    struct ns *s, struct nd_op *op, struct mpc_sym_run *run, const struct mpc_sym_ask *ask)
{
    set_item(op, ask);
    struct nb_answer *a = ask_node(s, op, ask->to);
    if (a->err != QK_OK || a->a.status != WIRE_ANSWER_OK) {
        MUST(mpc_sym_run_lost(run, ask->to, ask->attempt) == QK_OK);
        return;
    }
    if (a->a.eval_status == MPC_SYM_TICKET && a->a.chan.len == MPC_SYM_CHAN_LEN &&
        memcmp(s->chan[ask->to], a->a.chan.p, MPC_SYM_CHAN_LEN) != 0) {
        memcpy(s->chan[ask->to], a->a.chan.p, MPC_SYM_CHAN_LEN);
        s->ctr[ask->to] = 0;
    }
    struct mpc_sym_reply reply = {
        .from = ask->to, .attempt = ask->attempt, .status = a->a.eval_status, .answer = a->a.part};
    MUST(mpc_sym_run_receive(run, &reply) == QK_OK);
}

static enum mpc_sym_state drive(struct ns *s, struct nd_op *op, struct mpc_sym_run *run)
{
    struct mpc_sym_ask ask;
    while (mpc_sym_run_state(run) == MPC_SYM_RUNNING) {
        bool any = false;
        while (mpc_sym_run_state(run) == MPC_SYM_RUNNING && mpc_sym_run_next(run, &ask)) {
            any = true;
            step(s, op, run, &ask);
        }
        if (!any) MUST(mpc_sym_run_expire(run) == QK_OK);
    }
    return mpc_sym_run_state(run);
}

static size_t count(const uint16_t *peers)
{
    size_t n = 0;
    while (peers[n] != 0) n++;
    return n;
}

enum mpc_sym_state ns_encrypt(struct ns *s, const char *key_id, ns_context context,
    const char *plain, const uint16_t *peers, bool avoid_f, struct qk_buf *blob)
{
    static const uint8_t zeros[32];
    QK_AUTO_BUF ec = QK_BUF(MPC_SYM_EC_MAX);
    struct mpc_sym_run *run;
    struct mpc_sym_version *version = ns_version(s, key_id, ns_current(s, key_id));
    ND_AUTO_OP *op = ns_enc_op(s, key_id, context, plain, peers);
    context_bytes(context, &ec);
    struct mpc_sym_enc_params params = {.version = version,
        .ec = qk_buf_view(&ec),
        .plain = plain == NULL ? QK_BYTES(zeros) : qk_str(plain),
        .nodes = peers,
        .n_nodes = count(peers),
        .avoid_f = avoid_f,
        .ticket = next_ticket,
        .ctx = s,
        .rng = qk_rng_system()};
    MUST(mpc_sym_enc_start(&run, &params) == QK_OK);
    enum mpc_sym_state state = drive(s, op, run);
    if (state == MPC_SYM_DONE) MUST(mpc_sym_enc_take(run, blob) == QK_OK);
    if (state != MPC_SYM_DONE) nd_show(op);
    mpc_sym_run_free(run);
    mpc_sym_version_free(version);
    return state;
}

enum mpc_sym_state ns_decrypt(struct ns *s, ns_context context, struct qk_bytes blob,
    const uint16_t *peers, struct qk_buf *plain)
{
    QK_AUTO_BUF ec = QK_BUF(MPC_SYM_EC_MAX);
    struct mpc_sym_run *run;
    struct mpc_sym_blob head;
    char key_id[KMS_UUID_LEN + 1];
    MUST(mpc_sym_blob_parse(blob, &head) == QK_OK);
    kms_uuid_text(head.key_id, key_id);
    struct mpc_sym_version *version = ns_version(s, key_id, head.ver);
    ND_AUTO_OP *op = ns_dec_op(s, context, blob, peers);
    context_bytes(context, &ec);
    struct mpc_sym_dec_params params = {.version = version,
        .blob = blob,
        .ec = qk_buf_view(&ec),
        .nodes = peers,
        .n_nodes = count(peers)};
    MUST(mpc_sym_dec_start(&run, &params) == QK_OK);
    enum mpc_sym_state state = drive(s, op, run);
    if (state == MPC_SYM_DONE) MUST(mpc_sym_dec_take(run, plain) == QK_OK);
    mpc_sym_run_free(run);
    mpc_sym_version_free(version);
    return state;
}

bool ns_round_trip(struct ns *s, const char *key_id, ns_context context, bool avoid_f)
{
    QK_AUTO_BUF blob = QK_BUF(MPC_SYM_BLOB_MAX);
    QK_AUTO_BUF plain = QK_BUF_SECRET(MPC_SYM_PLAIN_MAX);
    enum mpc_sym_state enc =
        ns_encrypt(s, key_id, context, "a secret of the caller", s->d->all, avoid_f, &blob);
    if (enc != MPC_SYM_DONE) {
        fprintf(stderr, "Encrypt ended as %d\n", (int)enc);
        return false;
    }
    enum mpc_sym_state dec = ns_decrypt(s, context, qk_buf_view(&blob), s->d->all, &plain);
    if (dec == MPC_SYM_DONE && qk_bytes_is(qk_buf_view(&plain), "a secret of the caller"))
        return true;
    fprintf(stderr, "Decrypt ended as %d\n", (int)dec);
    return false;
}

bool ns_says(struct nd *d, struct nd_op *op, uint8_t eval_status)
{
    bool ok = nd_send(d, op);
    for (uint32_t i = 0; i < op->call.n_peers; i++) {
        const struct nb_answer *a = &op->answer[op->call.peers[i]];
        bool part = a->err == QK_OK && a->a.part.len > 0;
        ok = ok && a->a.eval_status == eval_status && part == (eval_status == MPC_SYM_OK);
    }
    if (!ok) nd_show(op);
    for (uint32_t i = 0; i < op->call.n_peers && !ok; i++)
        fprintf(stderr, "node %u: eval status %u, wanted %u\n", op->call.peers[i],
            op->answer[op->call.peers[i]].a.eval_status, eval_status);
    return ok;
}
