#include "core/changes.h"

#include "mpc/group.h"
#include "qk/clock.h"
#include "core/daykeys.h"
#include "core/keygen.h"
#include "core/macgen.h"
#include "core/pending.h"
#include "core/symgen.h"
#include "vault/records.h"
#include <openssl/evp.h>

/* ---- signing ---- */

struct signing {
    size_t record_at, record_len, sig_at;
};

/* A record whose name the coordinator picked (access key id, key id) is promised for good. Were the
 * promise to run out, a credential that was certified and then hidden could be made again for
 * somebody else, and the parts sealed to him would be the first owner's secret. A change that
 * failed takes a new name. */
static uint64_t hold_ms(const struct node *node, const struct kms_record *r)
{
    bool picked = r->kind == KMS_KIND_CREDENTIAL || r->kind == KMS_KIND_KEY;
    return picked && r->version == 1 ? UINT64_MAX : (uint64_t)node->conf.promise_hold_ms;
}

static void promise_later(struct node_op *op, const struct kms_record *r,
    const uint8_t sig[static WIRE_SIG_LEN], const struct signing *where, bool added)
{
    struct node_later_promise *l = &op->later.promises[op->later.n_promises++];
    *l = (struct node_later_promise){.p = {.kind = (uint8_t)r->kind,
                                         .version = r->version,
                                         .now_ms = qk_now_ms(),
                                         .hold_ms = hold_ms(op->node, r)},
        .record_at = where->record_at,
        .record_len = where->record_len,
        .added = added};
    memcpy(l->p.hash, r->hash, 32);
    memcpy(l->id, r->id, sizeof l->id);
    memcpy(l->sig, sig, sizeof l->sig);
}

/* Append encoding and signature to op->out, and have the promise written before they leave. */
static qk_err sign_record(struct node_op *op, struct kms_record *r, struct signing *where)
{
    struct node *node = op->node;
    uint8_t msg[KMS_CERT_MSG_LEN], sig[WIRE_SIG_LEN];
    where->record_at = op->out.len;
    QK_TRY(kms_record_encode(r, &op->out));
    where->record_len = op->out.len - where->record_at;
    QK_TRY(kms_cert_message(r, msg));
    QK_TRY(wire_seen_sign(node->cluster->seen, node->identity, QK_BYTES(msg), sig));
    bool added;
    QK_TRY(node_pending_sign(
        node, r, qk_bytes(op->out.p + where->record_at, where->record_len), sig, &added));
    promise_later(op, r, sig, where, added);
    where->sig_at = op->out.len;
    qk_buf_add(&op->out, sig, sizeof sig);
    return op->out.err;
}

static qk_err sign_all(struct node_op *op, struct kms_record *records, size_t n)
{
    struct signing where[KMS_CHANGE_MAX];
    QK_ENSURE(op->later.n_promises + n <= KMS_CHANGE_MAX, QK_E_STATE);
    QK_TRY(node_op_audit_ahead(op));
    for (size_t i = 0; i < n; i++) QK_TRY(sign_record(op, &records[i], &where[i]));
    for (size_t i = 0; i < n; i++) /* views only now: op->out has stopped growing */
        op->answer.signed_records[i] = (struct wire_signed){
            .record = qk_bytes(op->out.p + where[i].record_at, where[i].record_len),
            .signature = qk_bytes(op->out.p + where[i].sig_at, WIRE_SIG_LEN)};
    op->answer.n_signed = (uint32_t)n;
    return QK_OK;
}

static qk_err transition_and_sign(struct node_op *op, const struct kms_created *created)
{
    struct kms_change change = {.n = 0};
    QK_TRY(kms_transition(&op->ctx, &op->req, &op->recs, op->has_prop ? &op->prop : NULL,
        &op->decision, created, &change));
    return sign_all(op, change.records, change.n);
}

/* ---- what comes before ---- */

static qk_err spki_of(const struct node_key *key, struct qk_buf *out)
{
    const struct mpc_curve *c = mpc_curve_get(key->rec.curve);
    MPC_POINT(pk);
    QK_TRY(mpc_point_init(&pk, c));
    QK_TRY(mpc_point_decode_var(&pk, qk_bytes(key->rec.pk, c->pt)));
    return mpc_point_spki(out, &pk);
}

static qk_err create_key(struct node_op *op)
{
    struct node_key *key;
    QK_AUTO_BUF spki = QK_BUF(KMS_SPKI_MAX);
    QK_TRY(node_keygen(op, op->decision.spec->curve, op->prop.key_id, "CreateKey", true, &key,
        &op->answer.culprit));
    qk_err err = spki_of(key, &spki);
    if (err == QK_OK) {
        struct kms_created created = {
            .pkrec = qk_bytes(key->rec_bytes, key->rec_len), .spki = qk_buf_view(&spki)};
        err = transition_and_sign(op, &created);
    }
    node_key_put(op->node, key);
    return err;
}

/* A new version of a symmetric key and the records that announce it. */
static qk_err create_version(struct node_op *op, const uint8_t key_id[static 16])
{
    NODE_SYM_MADE(made);
    const struct kms_decision *d = &op->decision;
    QK_TRY(node_sym_make(
        op, key_id, d->ver, d->modes, kms_op_info(op->req.op)->name, &made, &op->answer.culprit));
    struct kms_created created = {.pkrec = qk_buf_view(&made.pkrec)};
    memcpy(created.material_id, made.material_id, sizeof created.material_id);
    return transition_and_sign(op, &created);
}

/* Material that its owner brings. */
static qk_err import_version(struct node_op *op)
{
    NODE_SYM_MADE(made);
    QK_TRY(node_sym_import(op, &made, &op->answer.culprit));
    struct kms_created created = {.pkrec = qk_buf_view(&made.pkrec)};
    memcpy(created.material_id, made.material_id, sizeof created.material_id);
    return transition_and_sign(op, &created);
}

/* An HMAC key and the records that announce it. */
static qk_err create_mac(struct node_op *op)
{
    NODE_SYM_MADE(made);
    QK_TRY(op->decision.kind == KMS_DO_IMPORT ? node_mac_import(op, &made, &op->answer.culprit)
                                              : node_mac_make(op, &made, &op->answer.culprit));
    struct kms_created created = {.pkrec = qk_buf_view(&made.pkrec)};
    memcpy(created.material_id, made.material_id, sizeof created.material_id);
    return transition_and_sign(op, &created);
}

static bool is_mac(const struct node_op *op)
{
    return op->decision.spec != NULL && kms_keyspec_is_mac(op->decision.spec);
}

static bool is_symmetric(const struct node_op *op)
{
    const struct kms_decision *d = &op->decision;
    return d->kind == KMS_DO_ROTATE || (d->kind == KMS_DO_IMPORT && !is_mac(op)) ||
           (op->req.op == KMS_OP_CREATE_KEY && d->spec != NULL &&
               kms_keyspec_is_symmetric(d->spec));
}

/* Can this cluster serve such a key at all? */
static bool possible(struct node_op *op)
{
    bool material = op->decision.kind == KMS_DO_IMPORT || op->req.op == KMS_OP_CREATE_KEY;
    if (is_symmetric(op)) return node_sym_possible(op->node, op->decision.modes, &op->fault);
    return !material || !is_mac(op) || node_mac_possible(op->node, &op->fault);
}

static qk_err seal_partial(
    struct node_op *op, const char *akid, uint32_t serial, struct qk_bytes pkrec)
{
    QK_TRY(node_credential_seal(
        op->node, qk_str(akid), serial, pkrec, op->req.response_key, &op->sealed));
    op->answer.sealed = qk_buf_view(&op->sealed);
    return QK_OK;
}

/* The system key's id is fresh for each ceremony, so that one that was interrupted can be repeated
 * without touching what it left behind. */
static qk_err system_key_id(const struct node_op *op, uint8_t id[static 16])
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    QK_AUTO_BUF b = QK_BUF(128);
    qk_buf_add_str(&b, "qkms-system-key");
    qk_buf_add(&b, op->node->cluster->id, 16);
    qk_buf_add(&b, op->call.rnd, 32);
    QK_TRY(b.err);
    QK_ENSURE(EVP_Digest(b.p, b.len, hash, NULL, EVP_sha256(), NULL) == 1, QK_E_CRYPTO);
    memcpy(id, hash, 16);
    return QK_OK;
}

static qk_err initialize(struct node_op *op)
{
    struct node_key *key;
    uint8_t id[16];
    QK_TRY(system_key_id(op, id));
    QK_TRY(node_keygen(op, MPC_P256, id, "Initialize", false, &key, &op->answer.culprit));
    struct kms_created created = {.pkrec = qk_bytes(key->rec_bytes, key->rec_len)};
    qk_err err = transition_and_sign(op, &created);
    if (err == QK_OK) err = seal_partial(op, op->prop.access_key_id, 1, created.pkrec);
    node_key_put(op->node, key);
    return err;
}

static qk_err access_key(struct node_op *op)
{
    struct node_known *system;
    enum node_verdict v = node_guard_record(op, KMS_KIND_SYSTEM, "system", &system);
    QK_ENSURE(v == NODE_GO && system != NULL, QK_E_STATE);
    qk_err err = transition_and_sign(op, NULL);
    if (err == QK_OK)
        err = seal_partial(op, op->prop.access_key_id, 1, system->stored.r.system.pkrec);
    node_known_put(op->node, system);
    return err;
}

void node_change_failed(struct node_op *op, qk_err err)
{
    op->answer.n_signed = 0;
    op->answer.sealed = qk_bytes(NULL, 0);
    (void)node_op_stop(op, WIRE_ANSWER_RETRY,
        err == QK_E_CONFLICT ? "another change of this record is under way" : qk_err_name(err));
}

static void finish(struct node_op *op, qk_err err)
{
    if (err != QK_OK) node_change_failed(op, err);
    if (err == QK_OK) op->answer.status = WIRE_ANSWER_OK;
}

void node_change(struct node_op *op)
{
    qk_err err = QK_E_STATE;
    if (!possible(op)) {
        (void)node_op_fault(op);
        return;
    }
    switch (op->decision.kind) {
    case KMS_DO_CREATE_KEY:
        err = is_mac(op)         ? create_mac(op)
              : is_symmetric(op) ? create_version(op, op->prop.key_id)
                                 : create_key(op);
        break;
    case KMS_DO_ROTATE:
        err = create_version(op, op->decision.key->key.key_id);
        break;
    case KMS_DO_IMPORT:
        err = is_mac(op) ? create_mac(op) : import_version(op);
        break;
    case KMS_DO_CHANGE:
        err = transition_and_sign(op, NULL);
        break;
    case KMS_DO_ACCESS_KEY:
        err = access_key(op);
        break;
    case KMS_DO_INITIALIZE:
        err = initialize(op);
        break;
    case KMS_DO_READ:
    case KMS_DO_VERIFY:
    case KMS_DO_SIGN:
    case KMS_DO_ENCRYPT:
    case KMS_DO_DECRYPT:
    case KMS_DO_REENCRYPT:
    case KMS_DO_RANDOM:
    case KMS_DO_IMPORT_PARAMETERS:
    case KMS_DO_GENERATE_MAC:
    case KMS_DO_VERIFY_MAC:
        break;
    }
    if (err == QK_E_DENIED && op->fault.type != NULL)
        (void)node_op_fault(op);
    else
        finish(op, err);
}

/* ---- what is due without anybody's request ---- */

struct due {
    enum kms_due kind;
    struct kms_record *key, *version; /* version: what expires; or a rotation's, if it exists */
    uint64_t now_ms;                  /* ours, or what the coordinator proposes */
};

/* The time that becomes part of the records has to be one for all nodes. */
static enum node_verdict due_time(struct node_op *op, struct due *due)
{
    uint64_t now = qk_now_ms();
    due->now_ms = now;
    if (op->call.proposal.len == 0) return NODE_GO;
    bool decodes = kms_proposal_decode(op->call.proposal, &op->prop) == QK_OK;
    uint64_t apart = op->prop.now_ms > now ? op->prop.now_ms - now : now - op->prop.now_ms;
    if (!decodes || apart > KMS_SKEW_MS)
        return node_op_stop(op, WIRE_ANSWER_REFUSED, "the proposal is not acceptable");
    due->now_ms = op->prop.now_ms;
    return NODE_GO;
}

/* Which key, and what is due for it by our own clock. */
static enum node_verdict find_due(struct node_op *op, struct due *due)
{
    char id[KMS_RECORD_ID_MAX + 1] = {0};
    const struct wire_ref *ref = &op->call.refs[0];
    if (op->call.n_refs < 1 || ref->kind != KMS_KIND_KEY || ref->id.len > KMS_RECORD_ID_MAX)
        return node_op_stop(op, WIRE_ANSWER_REFUSED, "DUE names one key");
    memcpy(id, ref->id.p, ref->id.len);
    /* The records are kept in op, whose audit entry names the key. */
    struct node_known **key = &op->known[KMS_SLOT_KEY], **version = &op->known[KMS_SLOT_VERSION];
    enum node_verdict v = node_guard_record(op, KMS_KIND_KEY, id, key);
    if (v != NODE_GO) return v;
    if (*key == NULL) return node_op_stop(op, WIRE_ANSWER_REFUSED, "not due");
    due->key = &(*key)->stored.r;
    op->decision.key = due->key;
    due->kind = kms_due_of(&due->key->key, qk_now_ms());
    if (due->kind == KMS_DUE_NOTHING) return node_op_stop(op, WIRE_ANSWER_REFUSED, "not due");
    v = due_time(op, due);
    if (v != NODE_GO || due->kind == KMS_DUE_DELETE) return v;
    struct kms_ref ref_of;
    const struct kms_symmetric *sym = &due->key->key.sym;
    kms_ref_version(due->key->key.key_id,
        due->kind == KMS_DUE_EXPIRE ? sym->expiring : sym->n_versions + 1, &ref_of);
    v = node_guard_record(op, KMS_KIND_VERSION, ref_of.id, version);
    if (*version != NULL) due->version = &(*version)->stored.r;
    return v;
}

static qk_err carry_out_due(struct node_op *op, const struct due *due)
{
    NODE_SYM_MADE(made);
    struct kms_change next = {.n = 0};
    struct kms_created created = {.pkrec = qk_bytes(NULL, 0)};
    const struct kms_key *key = &due->key->key;
    if (due->kind == KMS_DUE_ROTATE) {
        QK_TRY(node_sym_make(op, key->key_id, key->sym.n_versions + 1, key->sym.modes, "rotation",
            &made, &op->answer.culprit));
        created.pkrec = qk_buf_view(&made.pkrec);
        memcpy(created.material_id, made.material_id, sizeof created.material_id);
    }
    QK_TRY(kms_transition_due(due->key, due->version, due->kind, due->now_ms,
        due->kind == KMS_DUE_ROTATE ? &created : NULL, &next));
    return sign_all(op, next.records, next.n);
}

void node_change_due(struct node_op *op)
{
    struct due due = {.kind = KMS_DUE_NOTHING};
    if (find_due(op, &due) != NODE_GO) return;
    qk_err err = carry_out_due(op, &due);
    if (err == QK_E_EARLY)
        (void)node_op_stop(op, WIRE_ANSWER_REFUSED, "not due");
    else
        finish(op, err);
}
