#include "nodedriver.h"

#include <stdio.h>
#include <stdlib.h>
#include <sodium.h>
#include <openssl/evp.h>
#include "mpc/dprf.h"
#include "mpc/ecdsa.h"
#include "mpc/session.h"
#include "qk/clock.h"
#include "qk/rng.h"

static void must(bool ok, int line, const char *what)
{
    if (ok) return;
    fprintf(stderr, "nodedriver.c:%d: %s failed\n", line, what);
    abort();
}
#define MUST(expr) must((expr), __LINE__, #expr)

/* ---- the store ---- */

struct nd_record *nd_find(struct nd *d, enum kms_kind kind, const char *id)
{
    for (size_t i = 0; i < d->n; i++)
        if (d->records[i].stored->r.kind == kind && strcmp(d->records[i].stored->r.id, id) == 0)
            return &d->records[i];
    return NULL;
}

static void record_free(struct nd_record *r)
{
    kms_stored_free(r->stored);
    free(r->stored);
    qk_buf_free(&r->certified);
}

void nd_put(struct nd *d, struct qk_bytes certified)
{
    struct qk_bytes bytes;
    struct kms_cert cert;
    struct kms_stored *stored = calloc(1, sizeof *stored);
    MUST(stored != NULL);
    MUST(kms_certified_decode(certified, &bytes, &cert) == QK_OK);
    MUST(kms_stored_load(bytes, stored) == QK_OK);
    struct nd_record *at = nd_find(d, stored->r.kind, stored->r.id);
    struct qk_buf copy = QK_BUF(KMS_CERTIFIED_MAX);
    qk_buf_add(&copy, certified.p, certified.len);
    if (at != NULL)
        record_free(at);
    else {
        MUST(d->n < ND_RECORDS);
        at = &d->records[d->n++];
    }
    *at = (struct nd_record){stored, copy};
}

void nd_certify(struct nd *d, struct kms_record *r, const uint16_t *signers, struct qk_buf *out)
{
    QK_AUTO_BUF bytes = QK_BUF(KMS_RECORD_ENCODED_MAX);
    struct kms_cert cert = {.n = 0};
    uint8_t msg[KMS_CERT_MSG_LEN], sig[NB_NODES_MAX + 1][WIRE_SIG_LEN];
    MUST(kms_record_encode(r, &bytes) == QK_OK);
    MUST(kms_cert_message(r, msg) == QK_OK);
    for (; *signers != 0; signers++) {
        MUST(wire_identity_sign(d->box->nodes[*signers], QK_BYTES(msg), sig[*signers]) == QK_OK);
        MUST(kms_cert_add(&cert, *signers, QK_BYTES(sig[*signers])) == QK_OK);
    }
    MUST(kms_certified_encode(qk_buf_view(&bytes), &cert, out) == QK_OK);
}

/* ---- requests ---- */

static void base_request(struct nd_op *op, const char *target, const char *body)
{
    (void)snprintf(op->target, sizeof op->target, "%s", target);
    op->body = (struct qk_buf)QK_BUF(KMS_RAW_BODY_MAX);
    op->encoded = (struct qk_buf)QK_BUF(KMS_RAW_ENCODED_MAX);
    op->proposal_bytes = (struct qk_buf)QK_BUF(KMS_PROPOSAL_ENCODED_MAX);
    qk_buf_add_str(&op->body, body);
    op->raw = (struct kms_raw){
        .method = qk_str("POST"), .path = qk_str("/"), .body = qk_buf_view(&op->body)};
    MUST(kms_raw_add_header(&op->raw, qk_str("host"), qk_str("localhost")) == QK_OK);
    MUST(kms_raw_add_header(
             &op->raw, qk_str("content-type"), qk_str("application/x-amz-json-1.1")) == QK_OK);
    MUST(kms_raw_add_header(&op->raw, qk_str("x-amz-target"), qk_str(op->target)) == QK_OK);
}

void nd_op_reencode(struct nd_op *op)
{
    qk_buf_clear(&op->encoded);
    MUST(kms_raw_encode(&op->raw, &op->encoded) == QK_OK);
    op->call.raw = qk_buf_view(&op->encoded);
}

void nd_op_repropose(struct nd_op *op)
{
    qk_buf_clear(&op->proposal_bytes);
    kms_proposal_encode(&op->proposal, &op->proposal_bytes);
    MUST(op->proposal_bytes.err == QK_OK);
    op->call.proposal = qk_buf_view(&op->proposal_bytes);
}

static void add_ref(struct nd *d, struct nd_op *op, const struct kms_ref *ref)
{
    MUST(op->call.n_refs < WIRE_CALL_RECORDS_MAX);
    uint32_t i = op->call.n_refs++;
    op->ids[i] = *ref;
    struct nd_record *mine = nd_find(d, ref->kind, ref->id);
    op->call.refs[i] = (struct wire_ref){.kind = (uint8_t)ref->kind, .id = qk_str(op->ids[i].id)};
    if (mine == NULL) return;
    op->call.refs[i].version = mine->stored->r.version;
    memcpy(op->call.refs[i].hash, mine->stored->r.hash, 32);
}

static void walk_refs(struct nd *d, struct nd_op *op, const struct kms_request *req)
{
    struct kms_records recs = {0};
    struct kms_ref ref;
    struct qk_bytes akid = qk_bytes(NULL, 0);
    const struct qk_bytes *auth = kms_raw_header(&op->raw, "authorization");
    const char *at =
        auth == NULL ? NULL : memmem(auth->p, auth->len, "Credential=", strlen("Credential="));
    if (at != NULL) akid = qk_bytes(at + strlen("Credential="), KMS_AKID_LEN);
    op->call.n_refs = 0;
    while (kms_records_next(
        &d->ctx, akid, req, op->has_proposal ? &op->proposal : NULL, &recs, &ref)) {
        add_ref(d, op, &ref);
        struct nd_record *mine = nd_find(d, ref.kind, ref.id);
        MUST(kms_records_put(&recs, mine == NULL ? NULL : &mine->stored->r) == QK_OK);
    }
}

void nd_op_rest_on(struct nd *d, struct nd_op *op)
{
    struct kms_request req;
    struct kms_fault fault = {0};
    if (kms_request_parse(&op->raw, &req, &fault) == QK_OK) {
        walk_refs(d, op, &req);
        kms_request_free(&req);
        return;
    }
    memset(&req, 0, sizeof req);
    req.op = KMS_OP_GET_CALLER_IDENTITY;
    walk_refs(d, op, &req);
}

static bool takes_proposal(enum kms_op op)
{
    switch (op) {
    case KMS_OP_CREATE_KEY:
    case KMS_OP_ENABLE_KEY:
    case KMS_OP_DISABLE_KEY:
    case KMS_OP_SCHEDULE_KEY_DELETION:
    case KMS_OP_CANCEL_KEY_DELETION:
    case KMS_OP_UPDATE_KEY_DESCRIPTION:
    case KMS_OP_CREATE_ACCESS_KEY:
    case KMS_OP_UPDATE_ACCESS_KEY:
    case KMS_OP_CREATE_USER:
    case KMS_OP_INITIALIZE:
    case KMS_OP_ENABLE_KEY_ROTATION:
    case KMS_OP_DISABLE_KEY_ROTATION:
    case KMS_OP_ROTATE_KEY_ON_DEMAND:
    case KMS_OP_IMPORT_KEY_MATERIAL:
    case KMS_OP_DELETE_IMPORTED_KEY_MATERIAL:
        return true;
    default:
        return false;
    }
}

static void finish_op(struct nd *d, struct nd_op *op, const uint16_t *peers)
{
    enum kms_op kind;
    struct kms_fault fault = {0};
    op->call.kind = WIRE_CALL_OP;
    memcpy(op->call.cluster, d->box->cluster->hash, 32);
    uint8_t uuid[16];
    MUST(qk_rng_fill(qk_rng_system(), uuid, sizeof uuid) == QK_OK);
    kms_uuid_make_v4(uuid);
    kms_uuid_text(uuid, op->call.request_id);
    MUST(qk_rng_fill(qk_rng_system(), op->call.rnd, sizeof op->call.rnd) == QK_OK);
    for (; *peers != 0; peers++) op->call.peers[op->call.n_peers++] = *peers;
    if (kms_op_of(&op->raw, &kind, &fault) == QK_OK && takes_proposal(kind)) {
        MUST(kms_proposal_new(kind, qk_now_ms(), qk_rng_system(), &op->proposal) == QK_OK);
        op->has_proposal = true;
        nd_op_repropose(op);
    }
    nd_op_rest_on(d, op);
    nd_op_reencode(op);
}

struct nd_op *nd_op_by(struct nd *d, const struct nd_signing *s, const char *target,
    const char *body, const uint16_t *peers)
{
    struct nd_op *op = calloc(1, sizeof *op);
    MUST(op != NULL);
    base_request(op, target, body);
    struct kms_sigv4_signer signer = {.access_key_id = s->user->akid,
        .secret = qk_str(s->user->secret),
        .region = s->region == NULL ? NB_REGION : s->region,
        .service = "kms",
        .now_ms = (uint64_t)((int64_t)qk_now_ms() + s->skew_ms)};
    if (!s->unsigned_) MUST(kms_sigv4_sign(&op->raw, &signer, &op->headers) == QK_OK);
    finish_op(d, op, peers);
    return op;
}

struct nd_op *nd_op(struct nd *d, const char *target, const char *body, const uint16_t *peers)
{
    struct nd_signing s = {.user = &d->root};
    return nd_op_by(d, &s, target, body, peers);
}

struct nd_op *nd_op_operator(struct nd *d, const char *target, const char *body)
{
    struct nd_op *op = calloc(1, sizeof *op);
    MUST(op != NULL);
    QK_AUTO_BUF text = QK_BUF(65536);
    QK_AUTO_BUF sig = QK_BUF(KMS_OPERATOR_SIG_MAX);
    QK_AUTO_BUF header = QK_BUF(sizeof op->authorization);
    uint8_t digest[32];
    base_request(op, target, body);
    qk_time_basic(qk_now_ms(), op->amz_date);
    MUST(kms_raw_add_header(&op->raw, qk_str("x-amz-date"), qk_str(op->amz_date)) == QK_OK);
    MUST(kms_operator_text(&op->raw, NB_OPERATOR, d->box->cluster->hash, &text) == QK_OK);
    MUST(EVP_Digest(text.p, text.len, digest, NULL, EVP_sha256(), NULL) == 1);
    MUST(wire_identity_sign_digest(d->box->operator_, digest, &sig) == QK_OK);
    kms_operator_header(NB_OPERATOR, qk_buf_view(&sig), &header);
    (void)snprintf(op->authorization, sizeof op->authorization, "%s", qk_buf_cstr(&header));
    MUST(kms_raw_add_header(&op->raw, qk_str("authorization"), qk_str(op->authorization)) == QK_OK);
    finish_op(d, op, d->all);
    return op;
}

void nd_op_free(struct nd_op *op)
{
    if (op == NULL) return;
    qk_buf_free(&op->body);
    qk_buf_free(&op->encoded);
    qk_buf_free(&op->proposal_bytes);
    qk_buf_free(&op->claim);
    for (size_t i = 0; i < QK_COUNT(op->answer); i++) nb_answer_free(&op->answer[i]);
    free(op);
}

/* ---- sending ---- */

static void start(struct nd *d, uint16_t id, const struct wire_call *call, struct nb_answer *out)
{
    QK_AUTO_BUF bytes = QK_BUF(WIRE_CALL_MAX);
    wire_call_encode(&bytes, call);
    MUST(bytes.err == QK_OK);
    nb_start(d->box->client[id], qk_buf_view(&bytes), ND_CALL_MS, out);
}

void nd_call(struct nd *d, uint16_t id, const struct wire_call *call, struct nb_answer *out)
{
    start(d, id, call, out);
    nb_wait(out);
}

bool nd_attach(struct nd *d, const struct nb_answer *need, struct wire_call *call)
{
    call->n_records = 0;
    for (uint32_t i = 0; i < need->a.n_refs; i++) {
        char id[WIRE_CALL_ID_MAX + 1] = {0};
        memcpy(id, need->a.refs[i].id.p, need->a.refs[i].id.len);
        struct nd_record *r = nd_find(d, (enum kms_kind)need->a.refs[i].kind, id);
        if (r != NULL) call->records[call->n_records++] = qk_buf_view(&r->certified);
    }
    return call->n_records > 0;
}

bool nd_send(struct nd *d, struct nd_op *op)
{
    bool ok = true;
    for (uint32_t i = 0; i < op->call.n_peers; i++)
        start(d, op->call.peers[i], &op->call, &op->answer[op->call.peers[i]]);
    for (uint32_t i = 0; i < op->call.n_peers; i++) {
        uint16_t id = op->call.peers[i];
        struct nb_answer *a = &op->answer[id];
        nb_wait(a);
        for (int tries = 0; tries < 4 && a->err == QK_OK && a->a.status == WIRE_ANSWER_NEED;
             tries++) {
            struct wire_call again = op->call;
            if (!nd_attach(d, a, &again)) break;
            nd_call(d, id, &again, a);
        }
        ok = ok && a->err == QK_OK && a->a.status == WIRE_ANSWER_OK;
    }
    return ok;
}

enum wire_answer_status nd_publish(struct nd *d, uint16_t id, struct qk_bytes certified)
{
    NB_AUTO_ANSWER answer = {0};
    struct wire_call call = {.kind = WIRE_CALL_PUBLISH, .n_records = 1, .records = {certified}};
    memcpy(call.cluster, d->box->cluster->hash, 32);
    (void)snprintf(call.request_id, sizeof call.request_id, "11111111-1111-4111-8111-111111111111");
    nd_call(d, id, &call, &answer);
    MUST(answer.err == QK_OK);
    return answer.a.status;
}

void nd_keep(struct nd *d, struct nd_op *op)
{
    const struct wire_answer *first = &op->answer[op->call.peers[0]].a;
    for (uint32_t i = 0; i < first->n_signed; i++) {
        struct kms_cert cert = {.n = 0};
        QK_AUTO_BUF certified = QK_BUF(KMS_CERTIFIED_MAX);
        for (uint32_t k = 0; k < op->call.n_peers; k++) {
            const struct nb_answer *a = &op->answer[op->call.peers[k]];
            if (a->err != QK_OK || a->a.n_signed <= i) continue;
            MUST(qk_bytes_eq(a->a.signed_records[i].record, first->signed_records[i].record));
            MUST(kms_cert_add(&cert, op->call.peers[k], a->a.signed_records[i].signature) == QK_OK);
        }
        MUST(kms_certified_encode(first->signed_records[i].record, &cert, &certified) == QK_OK);
        nd_put(d, qk_buf_view(&certified));
        for (uint16_t id = 1; id <= d->box->n; id++)
            if (d->box->pid[id] != 0)
                MUST(nd_publish(d, id, qk_buf_view(&certified)) == WIRE_ANSWER_OK);
    }
}

const char *nd_fault(const struct nb_answer *answer)
{
    static char text[8][128];
    static unsigned next;
    char *out = text[next++ % 8];
    (void)snprintf(out, sizeof text[0], "%.*s", (int)answer->a.fault_type.len,
        (const char *)answer->a.fault_type.p);
    return out;
}

void nd_show(const struct nd_op *op)
{
    for (uint16_t id = 1; id <= NB_NODES_MAX; id++) {
        const struct nb_answer *a = &op->answer[id];
        fprintf(stderr, "%s at node %u: %s, status %d, %s: %.*s, culprit %u\n", op->target, id,
            qk_err_name(a->err), (int)a->a.status, nd_fault(a), (int)a->a.fault_message.len,
            (const char *)a->a.fault_message.p, a->a.culprit);
    }
}

void nd_do_by(struct nd *d, const struct nd_user *user, const char *target, const char *body)
{
    struct nd_signing s = {.user = user};
    ND_AUTO_OP *op = nd_op_by(d, &s, target, body, d->all);
    bool ok = nd_send(d, op);
    if (!ok) nd_show(op);
    MUST(ok);
    nd_keep(d, op);
}

void nd_do(struct nd *d, const char *target, const char *body)
{
    nd_do_by(d, &d->root, target, body);
}

/* ---- credentials ---- */

struct response_key {
    uint8_t pk[32], sk[32];
    char text[64];
};

static void response_key(struct response_key *k)
{
    QK_AUTO_BUF b = QK_BUF(64);
    MUST(crypto_box_keypair(k->pk, k->sk) == 0);
    qk_base64_add(&b, QK_BYTES(k->pk));
    (void)snprintf(k->text, sizeof k->text, "%s", qk_buf_cstr(&b));
}

/* What the owner of the response key learns from the sealed parts of op's answers. */
static void reveal(
    struct nd *d, struct nd_op *op, const struct response_key *k, struct nd_user *user)
{
    struct mpc_key_record rec;
    struct mpc_dprf_part parts[NB_NODES_MAX];
    uint8_t opened[NB_NODES_MAX][MPC_DPRF_PARTIAL_LEN], serial[4] = {0, 0, 0, 1}, x[32];
    struct mpc_dprf_request req = {.purpose = qk_str(KMS_CREDENTIAL_PURPOSE), .n_fields = 2};
    (void)snprintf(user->akid, sizeof user->akid, "%s", op->proposal.access_key_id);
    req.fields[0] = qk_str(user->akid);
    req.fields[1] = QK_BYTES(serial);
    MUST(mpc_record_decode(nd_find(d, KMS_KIND_SYSTEM, "system")->stored->r.system.pkrec, &rec) ==
         QK_OK);
    memcpy(req.key_id, rec.key_id, 16);
    MUST(mpc_record_hash(&rec, req.rec) == QK_OK);
    MUST(mpc_dprf_input(x, &req) == QK_OK);
    size_t n = 0;
    for (uint32_t i = 0; i < op->call.n_peers; i++) {
        struct qk_bytes sealed = op->answer[op->call.peers[i]].a.sealed;
        MUST(sealed.len == MPC_DPRF_PARTIAL_LEN + crypto_box_SEALBYTES);
        MUST(crypto_box_seal_open(opened[n], sealed.p, sealed.len, k->pk, k->sk) == 0);
        parts[n] = (struct mpc_dprf_part){op->call.peers[i], QK_BYTES(opened[n]), QK_E_STATE};
        n++;
    }
    QK_SEC32(w);
    KMS_SECRET_TEXT(text);
    MUST(mpc_dprf_combine(&rec, x, parts, n, &w) == QK_OK);
    for (size_t i = 0; i < n; i++) MUST(parts[i].verdict == QK_OK);
    kms_secret_from_prf(&w, &text);
    memcpy(user->secret, text.text, sizeof user->secret);
}

void nd_access_key(struct nd *d, const char *user_name, struct nd_user *out)
{
    struct response_key k;
    char body[256];
    response_key(&k);
    (void)snprintf(
        body, sizeof body, "{\"UserName\":\"%s\",\"ResponseKey\":\"%s\"}", user_name, k.text);
    ND_AUTO_OP *op = nd_op(d, "QkmsAdmin.CreateAccessKey", body, d->all);
    bool ok = nd_send(d, op);
    if (!ok) nd_show(op);
    MUST(ok);
    nd_keep(d, op);
    reveal(d, op, &k, out);
}

void nd_init(struct nd *d, struct nodebox *box)
{
    struct response_key k;
    char body[256];
    memset(d, 0, sizeof *d);
    MUST(sodium_init() >= 0);
    d->box = box;
    for (uint16_t i = 0; i < box->n; i++) d->all[i] = (uint16_t)(i + 1);
    (void)snprintf(d->ctx.account, sizeof d->ctx.account, "%s", NB_ACCOUNT);
    (void)snprintf(d->ctx.region, sizeof d->ctx.region, "%s", NB_REGION);
    response_key(&k);
    (void)snprintf(body, sizeof body,
        "{\"AccountName\":\"Test\",\"AdminUserName\":\"root\",\"ResponseKey\":\"%s\"}", k.text);
    ND_AUTO_OP *op = nd_op_operator(d, "QkmsAdmin.Initialize", body);
    bool ok = nd_send(d, op);
    if (!ok) nd_show(op);
    MUST(ok);
    nd_keep(d, op);
    reveal(d, op, &k, &d->root);
}

void nd_free(struct nd *d)
{
    for (size_t i = 0; i < d->n; i++) record_free(&d->records[i]);
    d->n = 0;
}

/* ---- keys ---- */

void nd_create_key(struct nd *d, const char *spec, char id[static KMS_UUID_LEN + 1])
{
    char body[128];
    (void)snprintf(body, sizeof body, "{\"KeySpec\":\"%s\",\"KeyUsage\":\"SIGN_VERIFY\"}", spec);
    ND_AUTO_OP *op = nd_op(d, "TrentService.CreateKey", body, d->all);
    bool ok = nd_send(d, op);
    if (!ok) nd_show(op);
    MUST(ok);
    kms_uuid_text(op->proposal.key_id, id);
    nd_keep(d, op);
}

const char *nd_sign_body(const char *key_id, const char *message)
{
    static char body[1024];
    QK_AUTO_BUF b64 = QK_BUF(512);
    qk_base64_add(&b64, qk_str(message));
    (void)snprintf(body, sizeof body,
        "{\"KeyId\":\"%s\",\"Message\":\"%s\",\"MessageType\":\"RAW\",\"SigningAlgorithm\":\"ECDSA_"
        "SHA_256\"}",
        key_id, qk_buf_cstr(&b64));
    return body;
}

qk_err nd_combine(struct nd *d, struct nd_op *op, const char *key_id, struct qk_bytes digest,
    const uint8_t *presig)
{
    struct mpc_key_record rec;
    struct mpc_ecdsa_part parts[NB_NODES_MAX];
    uint8_t req_hash[32];
    QK_AUTO_BUF der = QK_BUF(256);
    struct nd_record *key = nd_find(d, KMS_KIND_KEY, key_id);
    MUST(key != NULL);
    MUST(mpc_record_decode(key->stored->r.key.pkrec, &rec) == QK_OK);
    for (uint32_t i = 0; i < op->call.n_peers; i++)
        QK_TRY(mpc_ecdsa_part_decode(&parts[i], rec.curve, op->answer[op->call.peers[i]].a.part));
    char principal[KMS_ARN_MAX];
    kms_user_arn(NB_ACCOUNT, qk_str("root"), principal);
    struct mpc_req req = {.operation = qk_str("Sign"),
        .principal = qk_str(principal),
        .algorithm = qk_str("ECDSA_SHA_256"),
        .digest = digest};
    memcpy(req.fresh, op->call.rnd, 32);
    MUST(mpc_req_hash(req_hash, &req) == QK_OK);
    struct mpc_ecdsa_offset offset = {.sid = presig, .req = req_hash};
    QK_TRY(mpc_ecdsa_combine(
        &rec, parts, op->call.n_peers, digest, presig == NULL ? NULL : &offset, &der));
    return mpc_ecdsa_verify(rec.curve, rec.pk, digest, qk_buf_view(&der));
}

qk_err nd_sign(struct nd *d, const char *key_id, const char *message, const uint16_t *peers,
    const uint8_t *presig, struct nd_op **out)
{
    uint8_t digest[32];
    struct nd_op *op = nd_op(d, "TrentService.Sign", nd_sign_body(key_id, message), peers);
    if (presig != NULL) op->call.presig = qk_bytes(presig, 32);
    MUST(EVP_Digest(message, strlen(message), digest, NULL, EVP_sha256(), NULL) == 1);
    qk_err err = nd_send(d, op) ? nd_combine(d, op, key_id, QK_BYTES(digest), presig) : QK_E_STATE;
    if (out != NULL)
        *out = op;
    else
        nd_op_free(op);
    return err;
}

/* ---- refusals ---- */

bool nd_empty(const struct nb_answer *answer)
{
    const struct wire_answer *a = &answer->a;
    return a->n_signed == 0 && a->part.len == 0 && a->sealed.len == 0 && a->presigs.len == 0;
}

static bool says(const struct nb_answer *a, enum wire_answer_status status, const char *text)
{
    if (a->err != QK_OK || a->a.status != status || !nd_empty(a)) return false;
    if (text == NULL) return true;
    struct qk_bytes said = status == WIRE_ANSWER_FAULT ? a->a.fault_type : a->a.fault_message;
    return memmem(said.p, said.len, text, strlen(text)) != NULL;
}

static bool audited(
    struct nd *d, uint16_t id, const struct nd_op *op, enum wire_answer_status status)
{
    const char *outcome =
        status == WIRE_ANSWER_RETRY ? "\"outcome\":\"abort\"" : "\"outcome\":\"deny\"";
    return nodebox_audit(d->box, id, op->call.request_id, outcome) > 0;
}

bool nd_refused_by(
    struct nd *d, uint16_t id, struct nd_op *op, enum wire_answer_status status, const char *text)
{
    struct nb_answer *a = &op->answer[id];
    nd_call(d, id, &op->call, a);
    bool ok = says(a, status, text) && audited(d, id, op, status);
    if (!ok) {
        fprintf(stderr, "wanted status %d (%s), audited: %d\n", (int)status,
            text == NULL ? "" : text, audited(d, id, op, status));
        nd_show(op);
    }
    return ok;
}

bool nd_refused(struct nd *d, struct nd_op *op, enum wire_answer_status status, const char *text)
{
    bool ok = true;
    for (uint32_t i = 0; i < op->call.n_peers; i++)
        ok = nd_refused_by(d, op->call.peers[i], op, status, text) && ok;
    return ok;
}
