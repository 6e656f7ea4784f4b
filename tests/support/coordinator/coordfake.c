#include "coordfake.h"

#include <stdlib.h>
#include "coordmac.h"
#include "coordsym.h"
#include "wire/bundle.h"
#include "mpc/transcript.h"
#include "qk/clock.h"

/* ---- signing ---- */

static void derive(
    const struct mpc_curve *c, const uint8_t *rnd, uint8_t what, struct mpc_scalar *s)
{
    CW_MUST(mpc_h2s(c, s, "test-nonce", MPC_FIELDS({rnd, 32}, {&what, 1})) == QK_OK);
}

void cw_part(struct cw_world *w, const uint8_t rnd[static 32], size_t at, struct qk_bytes digest,
    struct qk_buf *out)
{
    const struct mpc_curve *c = mpc_curve_get(MPC_P256);
    struct mpc_ecdsa_part part = {.curve = MPC_P256};
    struct mpc_scalar k, r, h, sum, cut_w, cut_u;
    derive(c, rnd, 0, &k);
    derive(c, rnd, 1, &cut_w);
    derive(c, rnd, 2, &cut_u);
    MPC_POINT(big_r);
    CW_MUST(mpc_point_init(&big_r, c) == QK_OK && mpc_point_mul_base(&big_r, &k) == QK_OK);
    CW_MUST(mpc_point_encode(part.big_r, &big_r) == QK_OK);
    CW_MUST(mpc_point_x_mod_q(&r, &big_r) == QK_OK);
    CW_MUST(mpc_scalar_reduce(c, &h, digest) == QK_OK); /* 32 bytes, 256 bits: no truncation */
    mpc_scalar_mul(c, &sum, &r, &w->secret);
    mpc_scalar_add(c, &sum, &sum, &h);
    part.w = cut_w;
    part.u = cut_u;
    if (at == 0) mpc_scalar_sub(c, &part.w, &sum, &cut_w);
    if (at == 0) mpc_scalar_sub(c, &part.u, &k, &cut_u);
    CW_MUST(mpc_h32(part.hd, MPC_L_DIGEST, MPC_FIELDS({digest.p, digest.len})) == QK_OK);
    CW_MUST(
        mpc_ecdsa_part_encode(&part, qk_buf_extend(out, mpc_ecdsa_part_len(MPC_P256))) == QK_OK);
}

void cw_sign(struct cw_fake *f, struct qk_bytes encoded, struct qk_buf *out)
{
    struct kms_record r;
    uint8_t msg[KMS_CERT_MSG_LEN], sig[WIRE_SIG_LEN];
    CW_MUST(kms_record_decode(encoded, &r) == QK_OK);
    CW_MUST(kms_cert_message(&r, msg) == QK_OK);
    CW_MUST(wire_identity_sign(f->identity, QK_BYTES(msg), sig) == QK_OK);
    qk_buf_add(out, sig, sizeof sig);
}

/* ---- an honest answer ---- */

/* scratch has a fixed capacity, so that views into it stay valid while it grows. */
enum { SCRATCH = 1 << 20 };

static void add_signed(
    struct cw_fake *f, struct kms_record *r, struct wire_answer *a, struct qk_buf *scratch)
{
    size_t at = scratch->len;
    CW_MUST(kms_record_encode(r, scratch) == QK_OK);
    struct qk_bytes encoded = qk_bytes(scratch->p + at, scratch->len - at);
    cw_sign(f, encoded, scratch);
    a->signed_records[a->n_signed++] = (struct wire_signed){
        encoded, qk_bytes(scratch->p + scratch->len - WIRE_SIG_LEN, WIRE_SIG_LEN)};
}

static void fault(const struct kms_fault *f, struct wire_answer *a, struct qk_buf *scratch)
{
    size_t at = scratch->len;
    qk_buf_add_str(scratch, f->message);
    a->status = WIRE_ANSWER_FAULT;
    a->fault_type = qk_str(f->type);
    a->fault_message = qk_bytes(scratch->p + at, scratch->len - at);
    a->fault_has_message = f->has_message;
}

static void load(struct cw_world *w, const struct kms_context *ctx, const struct kms_sigv4 *auth,
    const struct kms_request *req, const struct kms_proposal *prop, struct kms_records *recs)
{
    struct kms_ref ref;
    while (kms_records_next(ctx, auth->access_key_id, req, prop, recs, &ref)) {
        struct cw_record *c = cw_find(w, ref.kind, ref.id);
        CW_MUST(kms_records_put(recs, c == NULL ? NULL : &c->r) == QK_OK);
    }
}

static size_t position(const struct cw_fake *f, const struct wire_call *call)
{
    size_t i = 0;
    while (i < call->n_peers && call->peers[i] != f->id) i++;
    return i;
}

static void act(struct cw_fake *f, const struct wire_call *call, const struct kms_context *ctx,
    const struct kms_request *req, const struct kms_records *recs, const struct kms_proposal *prop,
    const struct kms_decision *d, struct wire_answer *a, struct qk_buf *scratch)
{
    if (d->kind == KMS_DO_SIGN) {
        size_t at = scratch->len;
        cw_part(
            f->world, call->rnd, position(f, call), qk_bytes(d->digest, d->digest_len), scratch);
        a->part = qk_bytes(scratch->p + at, scratch->len - at);
    }
    bool evaluates =
        d->kind == KMS_DO_ENCRYPT || d->kind == KMS_DO_DECRYPT || d->kind == KMS_DO_REENCRYPT;
    if (evaluates) cw_answer_eval(f, call, req, d, a, scratch);
    if (d->kind == KMS_DO_GENERATE_MAC || d->kind == KMS_DO_VERIFY_MAC)
        cw_answer_mac(f, call, req, a, scratch);
    if (d->kind == KMS_DO_ACCESS_KEY) {
        size_t at = scratch->len;
        qk_buf_printf(scratch, "sealed by %u", f->id);
        a->sealed = qk_bytes(scratch->p + at, scratch->len - at);
    }
    bool makes = d->kind == KMS_DO_ROTATE;
    if (d->kind != KMS_DO_CHANGE && d->kind != KMS_DO_ACCESS_KEY && !makes) return;
    struct kms_change *change = calloc(1, sizeof *change);
    struct kms_created created;
    QK_AUTO_BUF pkrec = QK_BUF(KMS_PKREC_MAX);
    CW_MUST(change != NULL);
    if (makes) cw_generated(f->world, d->ver, &created, &pkrec);
    CW_MUST(kms_transition(ctx, req, recs, prop, d, makes ? &created : NULL, change) == QK_OK);
    for (size_t i = 0; i < change->n; i++) add_signed(f, &change->records[i], a, scratch);
    free(change);
}

/* As a node's guard does. */
static qk_err parse(const struct kms_raw *raw, const struct wire_call *call,
    struct kms_request *req, struct kms_fault *flt)
{
    if (!raw->body_is_hash) return kms_request_parse(raw, req, flt);
    if (call->claim.len > 0) return kms_claim_parse(raw, call->claim, req, flt);
    return kms_fault_set(flt, "ValidationException", "The nodes were shown no claim.");
}

static void on_op(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    struct kms_context ctx = {.account = CW_ACCOUNT, .region = CW_REGION, .now_ms = qk_now_ms()};
    struct kms_raw raw;
    struct kms_sigv4 auth;
    struct kms_fault flt;
    KMS_AUTO_REQUEST req;
    memset(&req, 0, sizeof req);
    struct kms_records recs = {0};
    struct kms_decision d;
    struct kms_proposal p, *prop = call->proposal.len > 0 ? &p : NULL;
    CW_MUST(kms_raw_decode(call->raw, &raw) == QK_OK);
    if (prop != NULL) CW_MUST(kms_proposal_decode(call->proposal, prop) == QK_OK);
    if (kms_sigv4_parse(&raw, ctx.now_ms, CW_REGION, "kms", &auth, &flt) != QK_OK ||
        parse(&raw, call, &req, &flt) != QK_OK) {
        fault(&flt, a, scratch);
        return;
    }
    load(f->world, &ctx, &auth, &req, prop, &recs);
    if (kms_check_client(&ctx, auth.access_key_id, &recs, &flt) != QK_OK ||
        kms_decide(&ctx, false, &req, &recs, prop, &d, &flt) != QK_OK)
        fault(&flt, a, scratch);
    else
        act(f, call, &ctx, &req, &recs, prop, &d, a, scratch);
}

static void on_due(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    char id[KMS_RECORD_ID_MAX + 1] = {0};
    struct kms_proposal p;
    struct kms_created created;
    QK_AUTO_BUF pkrec = QK_BUF(KMS_PKREC_MAX);
    CW_MUST(call->n_refs >= 1 && call->refs[0].id.len <= KMS_RECORD_ID_MAX);
    CW_MUST(kms_proposal_decode(call->proposal, &p) == QK_OK);
    memcpy(id, call->refs[0].id.p, call->refs[0].id.len);
    struct cw_record *c = cw_find(f->world, KMS_KIND_KEY, id);
    struct kms_change *next = calloc(1, sizeof *next);
    CW_MUST(c != NULL && next != NULL);
    enum kms_due due = kms_due_of(&c->r.key, qk_now_ms());
    bool rotate = due == KMS_DUE_ROTATE;
    if (rotate) CW_MUST(call->n_peers == f->world->n && call->n_refs == 2);
    if (rotate) cw_generated(f->world, c->r.key.sym.n_versions + 1, &created, &pkrec);
    CW_MUST(
        kms_transition_due(&c->r, NULL, due, p.now_ms, rotate ? &created : NULL, next) == QK_OK);
    for (size_t i = 0; i < next->n; i++) add_signed(f, &next->records[i], a, scratch);
    free(next);
}

static void on_fetch(struct cw_fake *f, const struct wire_call *call, struct wire_answer *a)
{
    char after[KMS_RECORD_ID_MAX + 1] = {0};
    memcpy(after, call->fetch_after.p, call->fetch_after.len);
    struct cw_record *best = NULL; /* one record a page: the cursor is exercised */
    for (size_t i = 0; i < f->world->n_records; i++) {
        struct cw_record *c = &f->world->records[i];
        if (c->r.kind != (enum kms_kind)call->fetch_kind || strcmp(c->r.id, after) <= 0) continue;
        if (best == NULL || strcmp(c->r.id, best->r.id) < 0) best = c;
    }
    if (best != NULL) a->records[a->n_records++] = qk_buf_view(&best->certified);
}

static void honest(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    switch (call->kind) {
    case WIRE_CALL_OP:
        on_op(f, call, a, scratch);
        break;
    case WIRE_CALL_DUE:
        on_due(f, call, a, scratch);
        break;
    case WIRE_CALL_FETCH:
        on_fetch(f, call, a);
        break;
    case WIRE_CALL_CHANNEL:
        if (f->world->sym != NULL) cw_answer_channel(f, a, scratch);
        break;
    case WIRE_CALL_RAND:
        cw_answer_rand(f, call, a, scratch);
        break;
    case WIRE_CALL_STATUS:
        a->status_json = qk_str("{\"State\":\"fine\"}");
        break;
    default:
        break;
    }
}

/* One call: its answer appended to out, unless the fate is another. With the lock. */
static enum cw_fate answer_one(struct cw_fake *f, struct qk_bytes bytes, struct qk_buf *out)
{
    struct wire_call *call = calloc(1, sizeof *call);
    struct wire_answer *a = calloc(1, sizeof *a);
    QK_AUTO_BUF scratch = QK_BUF(SCRATCH);
    CW_MUST(call != NULL && a != NULL);
    if (f->world->witness != NULL) f->world->witness(f->world, bytes);
    CW_MUST(wire_call_decode(bytes, call) == QK_OK);
    CW_MUST(qk_buf_extend(&scratch, SCRATCH) != NULL); /* all of it now: views stay */
    qk_buf_clear(&scratch);
    f->calls[call->kind]++;
    honest(f, call, a, &scratch);
    cw_bend_fn bend = f->bend;
    enum cw_fate fate = bend == NULL ? CW_SEND : bend(f, call, a, &scratch);
    if (fate == CW_SEND || fate == CW_LATER) wire_answer_encode(out, a);
    if (fate == CW_GARBAGE) qk_buf_add_str(out, "\x81no answer");
    free(call);
    free(a);
    return fate;
}

/* Several calls in one frame; one that is to stay without an answer silences them all. */
static enum cw_fate answer_bundle(struct cw_fake *f, struct qk_bytes bytes, struct qk_buf *out)
{
    struct qk_bytes items[WIRE_BUNDLE_MAX], views[WIRE_BUNDLE_MAX];
    struct qk_buf answers[WIRE_BUNDLE_MAX];
    enum cw_fate all = CW_SEND;
    size_t n;
    CW_MUST(wire_bundle_decode(bytes, items, &n) == QK_OK);
    for (size_t i = 0; i < n; i++) {
        answers[i] = (struct qk_buf)QK_BUF(WIRE_CALL_MAX);
        enum cw_fate one = answer_one(f, items[i], &answers[i]);
        if (one == CW_SILENT || (one == CW_LATER && all == CW_SEND)) all = one;
        views[i] = qk_buf_view(&answers[i]);
    }
    wire_bundle_encode(out, views, n);
    for (size_t i = 0; i < n; i++) qk_buf_free(&answers[i]);
    return all;
}

void cw_send_late(struct cw_fake *f)
{
    for (size_t i = 0; i < f->n_late; i++) {
        qk_err sent = wire_reply_send(f->late[i].reply, qk_buf_view(&f->late[i].bytes));
        (void)sent;
        qk_buf_free(&f->late[i].bytes);
    }
    f->n_late = 0;
}

/* With the lock: an answer for later. */
static bool put_off(struct cw_fake *f, struct qk_buf *bytes, struct wire_reply *reply)
{
    if (f->n_late == QK_COUNT(f->late)) return false;
    f->late[f->n_late].reply = reply;
    f->late[f->n_late++].bytes = *bytes;
    *bytes = (struct qk_buf)QK_BUF(WIRE_CALL_MAX);
    return true;
}

static void handler(
    void *ctx, const struct wire_caller *caller, struct qk_bytes bytes, struct wire_reply *reply)
{
    struct cw_fake *f = ctx;
    QK_AUTO_BUF out = QK_BUF(WIRE_CALL_MAX);
    CW_MUST(caller->kind == WIRE_CALLER_COORDINATOR);
    (void)pthread_mutex_lock(&f->world->lock);
    enum cw_fate fate =
        wire_bundle_is(bytes) ? answer_bundle(f, bytes, &out) : answer_one(f, bytes, &out);
    bool hold = fate == CW_SILENT && f->n_held < QK_COUNT(f->held);
    if (hold) f->held[f->n_held++] = reply;
    hold = hold || (fate == CW_LATER && put_off(f, &out, reply));
    (void)pthread_mutex_unlock(&f->world->lock);
    if (hold) return;
    qk_err sent = QK_OK; /* the caller may be gone: not our affair */
    if (out.len > 0)
        sent = wire_reply_send(reply, qk_buf_view(&out));
    else
        wire_reply_drop(reply);
    (void)sent;
}

void cw_fake_start(struct cw_fake *f)
{
    const struct wire_node *n = wire_cluster_node(f->world->cluster, f->id);
    struct wire_server_config cfg = {.listen = n->call_address,
        .identity = f->identity,
        .cluster = f->world->cluster,
        .handler = handler,
        .ctx = f};
    CW_MUST(wire_server_new(&f->server, &cfg) == QK_OK);
}

void cw_fake_stop(struct cw_fake *f)
{
    for (size_t i = 0; i < f->n_held; i++) wire_reply_drop(f->held[i]);
    f->n_held = 0;
    cw_send_late(f);
    wire_server_free(f->server);
    f->server = NULL;
}
