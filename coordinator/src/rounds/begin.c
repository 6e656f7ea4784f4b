#include "rounds/op.h"

#include "mpc/sym.h"

#include <stdio.h>
#include <stdlib.h>
#include "qk/clock.h"
#include "rounds/importing.h"

/* What makes key material takes every node. Our own decision says so when there is one: an imported
 * key is created, and rotated, without making any. */
bool coord_op_needs_all(const struct coord_op *op)
{
    if (!op->decided) return op->req.op == KMS_OP_CREATE_KEY || op->req.op == KMS_OP_INITIALIZE;
    switch (op->decision.kind) {
    case KMS_DO_CREATE_KEY:
    case KMS_DO_INITIALIZE:
    case KMS_DO_ROTATE:
    case KMS_DO_IMPORT:
        return true;
    default:
        return false;
    }
}

bool coord_op_needs_proposal(enum kms_op op)
{
    switch (op) {
    case KMS_OP_CANCEL_KEY_DELETION:
    case KMS_OP_CREATE_KEY:
    case KMS_OP_DELETE_IMPORTED_KEY_MATERIAL:
    case KMS_OP_DISABLE_KEY:
    case KMS_OP_DISABLE_KEY_ROTATION:
    case KMS_OP_ENABLE_KEY:
    case KMS_OP_ENABLE_KEY_ROTATION:
    case KMS_OP_IMPORT_KEY_MATERIAL:
    case KMS_OP_ROTATE_KEY_ON_DEMAND:
    case KMS_OP_SCHEDULE_KEY_DELETION:
    case KMS_OP_UPDATE_KEY_DESCRIPTION:
    case KMS_OP_CREATE_ACCESS_KEY:
    case KMS_OP_CREATE_USER:
    case KMS_OP_INITIALIZE:
    case KMS_OP_UPDATE_ACCESS_KEY:
        return true;
    default:
        return false;
    }
}

static qk_err verify_operator(
    void *arg, const char *name, const uint8_t digest[static 32], struct qk_bytes signature)
{
    const struct wire_operator *o = wire_cluster_operator(arg, name);
    QK_ENSURE(o != NULL, QK_E_NOT_FOUND);
    return wire_key_verify_digest(o->key, digest, signature);
}

static qk_err parse_auth(struct coord_op *op, struct kms_fault *fault)
{
    const struct wire_cluster *c = op->engine->cluster;
    op->by_operator = kms_operator_is(op->raw);
    if (op->by_operator)
        return kms_operator_check(op->raw, op->ctx.now_ms, c->hash, verify_operator,
            (void *)(uintptr_t)c, &op->oper, fault);
    return kms_sigv4_parse(op->raw, op->ctx.now_ms, op->ctx.region,
        kms_service_name(kms_service_of(op->raw)), &op->auth, fault);
}

qk_err coord_op_begin(struct coord_op *op, struct coord_engine *engine, const struct kms_raw *raw,
    const char *request_id, struct kms_fault *fault)
{
    memset(op, 0, sizeof *op);
    op->engine = engine;
    op->raw = raw;
    op->op = KMS_OP_COUNT;
    op->der = (struct qk_buf)QK_BUF(512);
    op->plain = (struct qk_buf)QK_BUF_SECRET(MPC_SYM_PLAIN_MAX);
    op->blob = (struct qk_buf)QK_BUF(MPC_SYM_BLOB_MAX);
    op->pair_public = (struct qk_buf)QK_BUF(1024);
    (void)snprintf(op->request_id, sizeof op->request_id, "%s", request_id);
    op->ctx.now_ms = qk_now_ms();
    (void)snprintf(op->ctx.account, sizeof op->ctx.account, "%s", engine->cluster->account);
    (void)snprintf(op->ctx.region, sizeof op->ctx.region, "%s", engine->cluster->region);

    struct kms_fault content; /* told by the nodes, once they know who is asking */
    if (kms_op_of(raw, &op->op, &content) != QK_OK) op->op = KMS_OP_COUNT;
    QK_TRY(parse_auth(op, fault));
    op->parsed = kms_request_parse(raw, &op->req, &content) == QK_OK;
    if (!op->parsed) memset(&op->req, 0, sizeof op->req);
    /* Rests on the caller's records only: what the nodes look at as well. */
    if (!op->parsed) op->req.op = KMS_OP_GET_CALLER_IDENTITY;
    return QK_OK;
}

void coord_op_end(struct coord_op *op)
{
    if (op->parsed) kms_request_free(&op->req);
    for (size_t i = 0; i < KMS_SLOT_COUNT; i++) coord_entry_free(&op->entries[i]);
    coord_entry_free(&op->system);
    coord_certified_free(&op->made);
    free(op->made_records);
    qk_buf_free(&op->der);
    qk_buf_free(&op->plain);
    qk_buf_free(&op->blob);
    qk_buf_free(&op->pair_public);
    qk_wipe(&op->mac, sizeof op->mac);
    coord_importing_free(op->importing);
    for (size_t i = 0; i < op->n_sealed; i++) qk_buf_free(&op->sealed[i].bytes);
    coord_votes_free(&op->votes);
}

void coord_op_principal(const struct coord_op *op, char *out)
{
    out[0] = 0;
    const struct kms_record *user = op->recs.slot[KMS_SLOT_USER];
    if (op->by_operator && op->oper.name[0] != 0)
        (void)snprintf(out, KMS_ARN_MAX, "operator:%s", op->oper.name);
    else if (user != NULL)
        kms_user_arn(op->ctx.account, user->user.name, out);
}

const struct kms_record *coord_op_key(const struct coord_op *op)
{
    for (size_t i = 0; i < op->n_made; i++)
        if (op->made_records[i].kind == KMS_KIND_KEY) return &op->made_records[i];
    return op->recs.slot[KMS_SLOT_KEY];
}
