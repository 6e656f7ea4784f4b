#include "rounds/internal.h"

#include <stdlib.h>
#include "qk/log.h"
#include "rounds/combine.h"
#include "rounds/mac.h"
#include "rounds/publisher.h"
#include "rounds/randpool.h"

enum { RANDOM_WAIT_MS = 1000 };

/* An answer that does not hold: never released; other nodes are asked. */
static qk_err reject(struct coord_op *op, const struct coord_attempt *a, uint16_t liar, qk_err why,
    const char *what, enum coord_step *step)
{
    *step = COORD_AGAIN;
    qk_log(QK_ERROR, "answer.rejected", QK_F_STR("request_id", op->request_id),
        QK_F_STR("what", what), QK_F_INT("node", liar), QK_F_ERR(why));
    for (size_t i = 0; i < a->n; i++) {
        coord_doubt(op->engine->nodes, &op->doubts, op->set[i], COORD_DOUBT_FAILED);
        if (liar == op->set[i]) coord_doubt(op->engine->nodes, &op->doubts, liar, COORD_DOUBT_LIAR);
    }
    return why >= 500 && why != QK_E_CORRUPT ? why : QK_OK;
}

/* ---- signatures ---- */

static qk_err finish_sign(struct coord_op *op, const struct coord_ask *ask,
    const struct coord_attempt *a, enum coord_step *step)
{
    char principal[KMS_ARN_MAX];
    uint16_t liar;
    coord_op_principal(op, principal);
    struct coord_combine c = {
        .key = &op->decision.key->key,
        .digest = qk_bytes(op->decision.digest, op->decision.digest_len),
        .presig = ask->call->presig,
        .principal = principal,
        .algorithm = op->req.algorithm,
        .rnd = op->rnd,
    };
    struct coord_counts *counts = &op->engine->counts;
    bool spent = c.presig.len > 0;
    qk_err err = coord_combine_parts(&c, a, &op->der, &liar);
    if (err != QK_OK) {
        atomic_fetch_add(spent ? &counts->presig_failed : &counts->combine_failed, 1);
        return reject(op, a, liar, err, "signature parts", step);
    }
    if (spent) atomic_fetch_add(&counts->presig_used, 1);
    if (op->engine->presigs != NULL)
        coord_presigs_learn(op->engine->presigs, c.key->key_id, op->set, op->n_set, a);
    *step = COORD_DONE;
    return QK_OK;
}

/* ---- records ---- */

/* The kind of record that tells what was generated. */
static enum kms_kind made_of(const struct coord_op *op)
{
    const struct kms_decision *d = &op->decision;
    if (d->kind == KMS_DO_INITIALIZE) return KMS_KIND_SYSTEM;
    bool version = d->kind != KMS_DO_CREATE_KEY || kms_keyspec_has_versions(d->spec);
    return version ? KMS_KIND_VERSION : KMS_KIND_KEY;
}

static qk_err check_version(
    const struct coord_op *op, const struct kms_version *v, uint8_t material_id[static 32])
{
    const struct wire_cluster *c = op->engine->cluster;
    const struct kms_decision *d = &op->decision;
    bool mac = d->spec != NULL && kms_keyspec_is_mac(d->spec);
    if (mac) return coord_check_mac(c, v, d->spec, d->modes, material_id);
    return coord_check_version(c, v, d->modes, material_id);
}

static qk_err read_one(
    const struct coord_op *op, const struct kms_record *r, struct kms_created *created)
{
    const struct wire_cluster *c = op->engine->cluster;
    switch (r->kind) {
    case KMS_KIND_KEY:
        QK_TRY(coord_check_created(c, &r->key));
        created->pkrec = r->key.pkrec;
        created->spki = r->key.spki;
        return QK_OK;
    case KMS_KIND_VERSION:
        created->pkrec = r->version_of.pkrec;
        QK_ENSURE(r->version_of.ver == op->decision.ver, QK_E_MISMATCH);
        return check_version(op, &r->version_of, created->material_id);
    default:
        created->pkrec = r->system.pkrec;
        return QK_OK;
    }
}

/* What the nodes say was generated: in the records of the first answer, which coord_certify then
 * compares with every other and with our own transition. */
static qk_err read_created(
    struct coord_op *op, const struct coord_attempt *a, struct kms_created *created)
{
    const struct wire_answer *first = &a->replies[0].answer;
    enum kms_kind kind = made_of(op);
    for (uint32_t i = 0; i < first->n_signed; i++) {
        struct kms_record r;
        QK_TRY(kms_record_decode(first->signed_records[i].record, &r));
        if (r.kind == kind) return read_one(op, &r, created);
    }
    return QK_E_MISMATCH;
}

/* The records as we make them ourselves from the same inputs. */
static qk_err expect(struct coord_op *op, const struct coord_attempt *a, struct coord_expected *out)
{
    struct kms_created created = {.spki = {0}};
    bool all = coord_op_needs_all(op);
    if (all) QK_TRY(read_created(op, a, &created));
    struct kms_change *change = calloc(1, sizeof *change);
    QK_ENSURE(change != NULL, QK_E_NOMEM);
    qk_err err = kms_transition(
        &op->ctx, &op->req, &op->recs, &op->prop, &op->decision, all ? &created : NULL, change);
    if (err == QK_OK) err = coord_expected_of(change, out);
    free(change);
    return err;
}

static qk_err keep_sealed(struct coord_op *op, const struct coord_attempt *a)
{
    for (size_t i = 0; i < a->n; i++) {
        struct qk_bytes s = a->replies[i].answer.sealed;
        if (s.len == 0) continue;
        op->sealed[op->n_sealed].node = a->replies[i].node;
        struct qk_buf *b = &op->sealed[op->n_sealed++].bytes;
        *b = (struct qk_buf)QK_BUF(65536);
        qk_buf_add(b, s.p, s.len);
        QK_TRY(b->err);
    }
    return QK_OK;
}

/* Decode what was stored, for the answer. */
static qk_err keep_records(struct coord_op *op)
{
    op->made_records = calloc(op->made.n, sizeof *op->made_records);
    QK_ENSURE(op->made_records != NULL, QK_E_NOMEM);
    for (size_t i = 0; i < op->made.n; i++) {
        struct qk_bytes record;
        struct kms_cert cert;
        QK_TRY(kms_certified_decode(qk_buf_view(&op->made.bytes[i]), &record, &cert));
        QK_TRY(kms_record_decode(record, &op->made_records[i]));
    }
    op->n_made = op->made.n;
    return QK_OK;
}

static bool makes_new(const struct coord_op *op)
{
    switch (op->req.op) {
    case KMS_OP_CREATE_KEY:
    case KMS_OP_CREATE_USER:
    case KMS_OP_CREATE_ACCESS_KEY:
    case KMS_OP_INITIALIZE:
    case KMS_OP_ROTATE_KEY_ON_DEMAND: /* a first VERSION record */
    case KMS_OP_IMPORT_KEY_MATERIAL:
        return true;
    default:
        return false;
    }
}

static qk_err store_and_publish(struct coord_op *op, enum coord_step *step)
{
    struct qk_bytes views[WIRE_CALL_RECORDS_MAX];
    for (size_t i = 0; i < op->made.n; i++) views[i] = qk_buf_view(&op->made.bytes[i]);
    qk_err err = coord_store_put(op->engine->store, views, op->made.n);
    if (err == QK_E_CONFLICT) {
        atomic_fetch_add(&op->engine->counts.conflicts, 1);
        *step = COORD_RESTART;
        coord_certified_free(&op->made);
        return QK_OK;
    }
    QK_TRY(err);
    /* A next version is safe with the nodes that promised it (promised.h); a first one is not. */
    if (makes_new(op)) QK_TRY(coord_store_sync(op->engine->store));
    if (op->engine->publisher != NULL) coord_publish(op->engine->publisher, views, op->made.n);
    *step = COORD_DONE;
    return keep_records(op);
}

/* The certificate of all; if more than q answered, without those whose signatures do not hold. */
static qk_err certify(
    struct coord_op *op, struct coord_attempt *a, const struct coord_expected *e, uint16_t *liar)
{
    const struct wire_cluster *c = op->engine->cluster;
    qk_err err = coord_certify(c, a, e->views, e->n, &op->made, liar);
    size_t q = wire_cluster_quorum(c);
    while (err != QK_OK && *liar != 0 && a->n > q && !coord_op_needs_all(op)) {
        size_t at = 0;
        while (at < a->n && op->set[at] != *liar) at++;
        if (at == a->n) break;
        qk_log(QK_ERROR, "answer.rejected", QK_F_STR("request_id", op->request_id),
            QK_F_STR("what", "records"), QK_F_INT("node", *liar), QK_F_ERR(err));
        coord_doubt(op->engine->nodes, &op->doubts, *liar, COORD_DOUBT_LIAR);
        coord_attempt_drop(a, op->set, at);
        op->n_set = a->n;
        err = coord_certify(c, a, e->views, e->n, &op->made, liar);
    }
    return err;
}

static qk_err finish_change(struct coord_op *op, struct coord_attempt *a, enum coord_step *step)
{
    struct coord_expected e = {.n = 0};
    uint16_t liar = 0;
    qk_err err = expect(op, a, &e);
    if (err == QK_OK) err = certify(op, a, &e, &liar);
    coord_expected_free(&e);
    if (err != QK_OK) {
        atomic_fetch_add(&op->engine->counts.bad_certificates, 1);
        return reject(op, a, liar, err, "records", step);
    }
    QK_TRY(store_and_publish(op, step));
    return *step == COORD_DONE ? keep_sealed(op, a) : QK_OK;
}

/* ---- random bytes ---- */

static qk_err finish_random(struct coord_op *op, enum coord_step *step)
{
    size_t len = op->req.n_bytes;
    QK_ENSURE(len >= 1 && len <= MPC_RAND_MAX, QK_E_STATE);
    qk_buf_clear(&op->plain);
    uint8_t *p = qk_buf_extend(&op->plain, len);
    QK_ENSURE(p != NULL, op->plain.err);
    qk_err err = coord_randpool_wait(op->engine->random, p, len, op->may_wait ? RANDOM_WAIT_MS : 0);
    if (err != QK_OK) qk_buf_clear(&op->plain);
    *step = err == QK_OK ? COORD_DONE : COORD_AGAIN;
    return err == QK_E_BUSY ? QK_OK : err;
}

qk_err coord_finish(struct coord_op *op, const struct coord_ask *ask, struct coord_attempt *a,
    enum coord_step *step)
{
    if (coord_votes_count(&op->votes) > 0) {
        atomic_fetch_add(&op->engine->counts.lone_faults, 1);
        qk_log(QK_WARN, "fault.contradicted", QK_F_STR("request_id", op->request_id));
    }
    if (!op->decided) {
        /* They allow what our own records do not: clocks apart, or t nodes lie. */
        return reject(op, a, 0, QK_E_MISMATCH, "unexplained consent", step);
    }
    switch (op->decision.kind) {
    case KMS_DO_READ:
    case KMS_DO_VERIFY:
    case KMS_DO_IMPORT_PARAMETERS:
    case KMS_DO_ENCRYPT: /* nothing was evaluated: only whether the caller may (rounds/eval.h) */
        *step = COORD_DONE;
        return QK_OK;
    case KMS_DO_RANDOM:
        return finish_random(op, step);
    case KMS_DO_SIGN:
        return finish_sign(op, ask, a, step);
    case KMS_DO_GENERATE_MAC:
    case KMS_DO_VERIFY_MAC:
        return coord_mac_finish(op, a, step);
    default:
        return finish_change(op, a, step);
    }
}
