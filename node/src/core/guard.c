#include "core/guard.h"

#include <stdlib.h>
#include "qk/clock.h"
#include "core/evidence.h"
#include "core/daykeys.h"
#include "core/pending.h"

/* ---- answers ---- */

enum node_verdict node_op_fault(struct node_op *op)
{
    op->answer.status = WIRE_ANSWER_FAULT;
    op->answer.fault_type =
        qk_str(op->fault.type == NULL ? "KMSInternalException" : op->fault.type);
    op->answer.fault_message = qk_str(op->fault.message);
    op->answer.fault_has_message = op->fault.has_message;
    return NODE_ANSWER;
}

enum node_verdict node_op_stop(struct node_op *op, enum wire_answer_status status, const char *why)
{
    op->answer.status = status;
    op->answer.fault_message = qk_str(why);
    return NODE_ANSWER;
}

void node_op_clear(struct node_op *op)
{
    if (op->req_parsed) kms_request_free(&op->req);
    for (size_t i = 0; i < KMS_SLOT_COUNT; i++) node_known_put(op->node, op->known[i]);
    node_later_clear(op->node, &op->later);
    qk_buf_free(&op->frame);
    qk_buf_free(&op->out);
    qk_buf_free(&op->sealed);
    qk_buf_free(&op->names);
    qk_buf_free(&op->part);
}

/* ---- records ---- */

static const struct wire_ref *find_ref(const struct wire_call *call, uint8_t kind, const char *id)
{
    for (uint32_t i = 0; i < call->n_refs; i++)
        if (call->refs[i].kind == kind && qk_bytes_is(call->refs[i].id, id)) return &call->refs[i];
    return NULL;
}

/* A change writes something before it is answered: what it learns goes to the disk with that. */
static qk_err accept(struct node_op *op, struct qk_bytes certified)
{
    struct node_later *l = &op->later;
    if (!op->has_prop || l->n_learnt == NODE_LEARNT_MAX)
        return node_record_accept(op->node, certified, 0);
    QK_TRY(node_record_learn(op->node, certified, &l->learnt[l->n_learnt]));
    l->n_learnt++;
    return QK_OK;
}

/* Take in the attached record that is (kind, id), if there is one. */
static qk_err accept_attached(struct node_op *op, uint8_t kind, const char *id)
{
    for (uint32_t i = 0; i < op->call.n_records; i++) {
        struct qk_bytes record;
        struct kms_cert cert;
        struct kms_record r;
        if (kms_certified_decode(op->call.records[i], &record, &cert) != QK_OK ||
            kms_record_decode(record, &r) != QK_OK)
            return QK_E_MALFORMED;
        if (r.kind != (enum kms_kind)kind || strcmp(r.id, id) != 0) continue;
        return accept(op, op->call.records[i]);
    }
    return QK_E_NOT_FOUND;
}

/* Name (kind, id) and, to save round trips, every other record of the call that this node does not
 * hold in the version named. */
static void need_one(struct node_op *op, uint8_t kind, struct qk_bytes id)
{
    if (op->answer.n_refs >= WIRE_CALL_RECORDS_MAX) return;
    op->answer.refs[op->answer.n_refs++] = (struct wire_ref){.kind = kind, .id = id};
}

static bool holds(struct node_op *op, const struct wire_ref *ref)
{
    char id[WIRE_CALL_ID_MAX + 1] = {0};
    struct node_known *mine;
    memcpy(id, ref->id.p, ref->id.len);
    if (node_known_get(op->node, (enum kms_kind)ref->kind, id, &mine) != QK_OK)
        return ref->version == 0;
    bool enough = mine->stored.r.version >= ref->version;
    node_known_put(op->node, mine);
    return enough;
}

static enum node_verdict need(struct node_op *op, uint8_t kind, const char *id)
{
    size_t len = strlen(id);
    uint8_t *copy = qk_buf_extend(&op->out, len);
    if (copy == NULL) return node_op_stop(op, WIRE_ANSWER_RETRY, "out of memory");
    memcpy(copy, id, len);
    op->answer.status = WIRE_ANSWER_NEED;
    need_one(op, kind, qk_bytes(copy, len));
    for (uint32_t i = 0; i < op->call.n_refs; i++) {
        const struct wire_ref *ref = &op->call.refs[i];
        bool first = ref->kind == kind && qk_bytes_is(ref->id, id);
        if (!first && !holds(op, ref)) need_one(op, ref->kind, ref->id);
    }
    return NODE_ANSWER;
}

static enum node_verdict stale(struct node_op *op, const struct node_known *known)
{
    struct node_audit_entry entry = {.event = "record.older",
        .outcome = NODE_AUDIT_DENY,
        .request = qk_str(op->call.request_id),
        .key = qk_str(known->stored.r.id),
        .reason = "an older record than this node holds"};
    node_evidence(op->node, &entry, false);
    qk_buf_add(&op->out, known->certified.p, known->certified.len);
    if (op->out.err != QK_OK) return node_op_stop(op, WIRE_ANSWER_RETRY, "out of memory");
    op->answer.status = WIRE_ANSWER_STALE;
    op->answer.records[0] = qk_buf_view(&op->out);
    op->answer.n_records = 1;
    return NODE_ANSWER;
}

static enum node_verdict forged(struct node_op *op, const char *id, qk_err err)
{
    struct node_audit_entry entry = {.event = "record.refused",
        .outcome = NODE_AUDIT_DENY,
        .request = qk_str(op->call.request_id),
        .key = qk_str(id),
        .reason = qk_err_name(err)};
    node_evidence(op->node, &entry, true);
    return node_op_stop(op, WIRE_ANSWER_REFUSED, "a record does not hold");
}

/* What this node holds against what the call says. */
static enum node_verdict compare(
    struct node_op *op, const struct wire_ref *ref, struct node_known *mine, bool *newer_wanted)
{
    *newer_wanted = false;
    uint64_t version = mine == NULL ? 0 : mine->stored.r.version;
    if (ref->version > version) {
        *newer_wanted = true;
        return NODE_GO;
    }
    if (ref->version < version) return stale(op, mine);
    if (mine != NULL && memcmp(ref->hash, mine->stored.r.hash, 32) != 0)
        return forged(op, mine->stored.r.id, QK_E_CONFLICT);
    return NODE_GO;
}

enum node_verdict node_guard_record(
    struct node_op *op, enum kms_kind kind, const char *id, struct node_known **known)
{
    *known = NULL;
    const struct wire_ref *ref = find_ref(&op->call, (uint8_t)kind, id);
    if (ref == NULL) return need(op, (uint8_t)kind, id);
    for (int attached = 0; attached < 2; attached++) {
        struct node_known *mine = NULL;
        qk_err err = node_known_get(op->node, kind, id, &mine);
        if (err != QK_OK && err != QK_E_NOT_FOUND)
            return node_op_stop(op, WIRE_ANSWER_RETRY, "a stored record cannot be read");
        bool newer;
        enum node_verdict v = compare(op, ref, mine, &newer);
        if (v == NODE_GO && !newer) {
            *known = mine;
            return NODE_GO;
        }
        node_known_put(op->node, mine);
        if (v != NODE_GO) return v;
        if (attached > 0) break;
        err = accept_attached(op, (uint8_t)kind, id);
        if (err == QK_E_NOT_FOUND) return need(op, (uint8_t)kind, id);
        if (err != QK_OK && err != QK_E_DENIED) return forged(op, id, err);
    }
    return need(op, (uint8_t)kind, id);
}

/* Every record the request rests on, in the order kms/decide.h names them. */
static enum node_verdict load_records(struct node_op *op)
{
    struct kms_ref ref;
    struct qk_bytes akid = op->by_operator ? qk_bytes(NULL, 0) : op->auth.access_key_id;
    while (kms_records_next(
        &op->ctx, akid, &op->req, op->has_prop ? &op->prop : NULL, &op->recs, &ref)) {
        struct node_known *known;
        enum node_verdict v = node_guard_record(op, ref.kind, ref.id, &known);
        if (v != NODE_GO) return v;
        op->known[op->recs.last] = known;
        if (kms_records_put(&op->recs, known == NULL ? NULL : &known->stored.r) != QK_OK)
            return node_op_stop(op, WIRE_ANSWER_REFUSED, "a record of another name");
    }
    return NODE_GO;
}

/* ---- who is calling ---- */

static qk_err verify_operator(
    void *arg, const char *name, const uint8_t digest[static 32], struct qk_bytes signature)
{
    const struct node *node = arg;
    const struct wire_operator *oper = wire_cluster_operator(node->cluster, name);
    QK_ENSURE(oper != NULL, QK_E_NOT_FOUND);
    return wire_key_verify_digest(oper->key, digest, signature);
}

static qk_err parse_auth(struct node_op *op)
{
    op->by_operator = kms_operator_is(&op->raw);
    if (op->by_operator) {
        QK_TRY(kms_operator_check(&op->raw, op->ctx.now_ms, op->node->cluster->hash,
            verify_operator, op->node, &op->oper, &op->fault));
        (void)snprintf(op->principal, sizeof op->principal, "operator:%s", op->oper.name);
        return QK_OK;
    }
    return kms_sigv4_parse(&op->raw, op->ctx.now_ms, op->ctx.region,
        kms_service_name(kms_service_of(&op->raw)), &op->auth, &op->fault);
}

/* Interest in the access key that a call of our bundle names, if we know it. */
static void interest_of(struct node *node, const struct wire_call *call)
{
    char id[KMS_AKID_LEN + 1] = {0};
    struct node_known *known;
    for (uint32_t i = 0; call->kind == WIRE_CALL_OP && i < call->n_refs; i++) {
        const struct wire_ref *ref = &call->refs[i];
        if (ref->kind != KMS_KIND_CREDENTIAL || !kms_akid_valid(ref->id)) continue;
        memcpy(id, ref->id.p, KMS_AKID_LEN);
        if (node_known_get(node, KMS_KIND_CREDENTIAL, id, &known) != QK_OK) continue;
        node_known_put(node, known);
        node_daykeys_interest(node, ref->id);
    }
}

/* Before this thread waits for a peer: what it will come to later in the same bundle, the peer may
 * be waiting for now, with its bundle in another order. */
static void interest_of_bundle(struct node_op *op)
{
    struct wire_call *call = op->n_bundle > 1 ? malloc(sizeof *call) : NULL;
    if (call == NULL) return;
    for (size_t i = 0; i < op->n_bundle; i++)
        if (wire_call_decode(op->bundle[i], call) == QK_OK) interest_of(op->node, call);
    free(call);
}

/* Blocks when it is not cached. */
static qk_err signing_key_of(
    struct node_op *op, const struct kms_system *system, struct qk_sec32 *out)
{
    const struct kms_credential *c = &op->recs.slot[KMS_SLOT_CREDENTIAL]->credential;
    const struct kms_sigv4 *auth = &op->auth;
    node_daykeys_interest(op->node, auth->access_key_id);
    if (node_daykey_cached(op->node, c, auth->date, auth->service, out)) return QK_OK;
    interest_of_bundle(op);
    return node_daykey_get(
        op->node, c, system, auth->date, auth->service, op->call.peers, op->call.n_peers, out);
}

static enum node_verdict verify_signature(struct node_op *op)
{
    const struct kms_record *user = op->recs.slot[KMS_SLOT_USER];
    if (kms_check_client(&op->ctx, op->auth.access_key_id, &op->recs, &op->fault) != QK_OK)
        return node_op_fault(op);
    kms_user_arn(op->ctx.account, user->user.name, op->principal);
    struct node_known *system;
    enum node_verdict v = node_guard_record(op, KMS_KIND_SYSTEM, "system", &system);
    if (v != NODE_GO) return v;
    if (system == NULL) return node_op_stop(op, WIRE_ANSWER_RETRY, "no system key yet");
    QK_SEC32(signing_key);
    qk_err err = signing_key_of(op, &system->stored.r.system, &signing_key);
    node_known_put(op->node, system);
    if (err != QK_OK)
        return node_op_stop(op, WIRE_ANSWER_RETRY, "the caller's key cannot be derived");
    if (kms_sigv4_verify(&op->raw, &op->auth, &signing_key, &op->fault) != QK_OK)
        return node_op_fault(op);
    return NODE_GO;
}

/* ---- the call itself ---- */

static bool peers_fit(const struct node_op *op)
{
    bool self = false;
    for (uint32_t i = 0; i < op->call.n_peers; i++) {
        if (i > 0 && op->call.peers[i] <= op->call.peers[i - 1]) return false;
        if (wire_cluster_node(op->node->cluster, op->call.peers[i]) == NULL) return false;
        self = self || op->call.peers[i] == node_self(op->node);
    }
    return self && op->call.n_peers >= op->node->cluster->t;
}

/* S-15: of an Encrypt we want to see the hash of the body and a claim, of all others the body. */
static bool body_fits(const struct node_op *op)
{
    enum kms_op kind;
    struct kms_fault fault;
    bool hashed = op->raw.body_is_hash;
    bool encrypt = kms_op_of(&op->raw, &kind, &fault) == QK_OK && kind == KMS_OP_ENCRYPT;
    return hashed == encrypt && (hashed || op->call.claim.len == 0);
}

static enum node_verdict parse_call(struct node_op *op)
{
    if (!peers_fit(op)) return node_op_stop(op, WIRE_ANSWER_REFUSED, "the peers do not fit");
    if (kms_raw_decode(op->call.raw, &op->raw) != QK_OK)
        return node_op_stop(op, WIRE_ANSWER_REFUSED, "the request does not decode");
    if (!body_fits(op)) return node_op_stop(op, WIRE_ANSWER_REFUSED, "the body does not fit");
    op->has_prop = op->call.proposal.len > 0;
    if (op->has_prop && kms_proposal_decode(op->call.proposal, &op->prop) != QK_OK)
        return node_op_stop(op, WIRE_ANSWER_REFUSED, "the proposal does not decode");
    return NODE_GO;
}

static void set_context(struct node_op *op)
{
    op->ctx.now_ms = qk_now_ms();
    (void)snprintf(op->ctx.account, sizeof op->ctx.account, "%s", op->node->cluster->account);
    (void)snprintf(op->ctx.region, sizeof op->ctx.region, "%s", op->node->cluster->region);
}

/* The body of an Encrypt that the coordinator cannot parse is its own to judge, once we have
 * authenticated the caller. */
static qk_err parse_request(struct node_op *op, struct kms_fault *fault)
{
    if (!op->raw.body_is_hash) return kms_request_parse(&op->raw, &op->req, fault);
    if (op->call.claim.len > 0) return kms_claim_parse(&op->raw, op->call.claim, &op->req, fault);
    return kms_fault_set(fault, "ValidationException", "%s", KMS_CLAIM_MISSING);
}

static enum node_verdict caller_records(struct node_op *op)
{
    /* A request that does not parse has still to be authenticated first: a fault about its content
     * is told only to a caller whose signature holds. */
    struct kms_fault content = {0};
    qk_err parsed = parse_request(op, &content);
    if (op->raw.body_is_hash && parsed != QK_OK && parsed != QK_E_DENIED)
        return node_op_stop(op, WIRE_ANSWER_REFUSED, "the claim is none");
    op->req_parsed = parsed == QK_OK;
    if (!op->req_parsed) {
        memset(&op->req, 0, sizeof op->req);
        op->req.op = KMS_OP_GET_CALLER_IDENTITY; /* rests on the caller's records only */
    }
    enum node_verdict v = load_records(op);
    if (v == NODE_GO && !op->by_operator) v = verify_signature(op);
    if (v != NODE_GO || op->req_parsed) return v;
    op->fault = content;
    return node_op_fault(op);
}

/* This node has signed a change that shuts off the key or the caller's access key, and does not
 * know what has become of it (pending.h). */
static bool signed_away(struct node_op *op)
{
    const struct kms_record *credential = op->recs.slot[KMS_SLOT_CREDENTIAL];
    if (!op->by_operator && node_pending_forbids(op->node, KMS_KIND_CREDENTIAL, credential->id))
        return true;
    switch (op->decision.kind) {
    case KMS_DO_REENCRYPT:
        if (node_pending_forbids(op->node, KMS_KIND_KEY, op->decision.dest_key->id)) return true;
        return node_pending_forbids(op->node, KMS_KIND_KEY, op->decision.key->id);
    case KMS_DO_SIGN:
    case KMS_DO_ENCRYPT:
    case KMS_DO_DECRYPT:
    case KMS_DO_GENERATE_MAC:
    case KMS_DO_VERIFY_MAC:
        return node_pending_forbids(op->node, KMS_KIND_KEY, op->decision.key->id);
    default:
        return false;
    }
}

enum node_verdict node_guard(struct node_op *op)
{
    set_context(op);
    enum node_verdict v = parse_call(op);
    if (v != NODE_GO) return v;
    if (parse_auth(op) != QK_OK) return node_op_fault(op);
    v = caller_records(op);
    if (v != NODE_GO) return v;
    if (op->has_prop && kms_proposal_check(&op->ctx, op->req.op, &op->prop) != QK_OK)
        return node_op_stop(op, WIRE_ANSWER_REFUSED, "the proposal is not acceptable");
    if (kms_decide(&op->ctx, op->by_operator, &op->req, &op->recs, op->has_prop ? &op->prop : NULL,
            &op->decision, &op->fault) != QK_OK)
        return node_op_fault(op);
    if (signed_away(op))
        return node_op_stop(op, WIRE_ANSWER_RETRY, "a change that forbids this is under way");
    return NODE_GO;
}

bool node_guard_still(struct node_op *op)
{
    for (size_t i = 0; i < KMS_SLOT_COUNT; i++) {
        const struct kms_record *r = op->recs.slot[i];
        struct node_known *now;
        if (r == NULL) continue;
        if (node_known_get(op->node, r->kind, r->id, &now) != QK_OK) return false;
        bool same = now->stored.r.version == r->version;
        node_known_put(op->node, now);
        if (!same) return false;
    }
    return !signed_away(op);
}
