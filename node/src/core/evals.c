#include "core/evals.h"

#include <stdlib.h>
#include "core/channels.h"
#include "core/rands.h"
#include "core/symkeys.h"
#include "mpc/sym_node.h"

_Static_assert((int)WIRE_EVAL_ENC == (int)MPC_SYM_ENC && (int)WIRE_EVAL_DEC == (int)MPC_SYM_DEC,
    "one numbering");
_Static_assert(
    (int)KMS_MODES_F == (int)MPC_SYM_F && (int)KMS_MODES_V == (int)MPC_SYM_V, "one numbering");

/* One evaluation being made. */
struct eval {
    struct node_op *op;
    const struct wire_eval *asked;
    const struct kms_record *key, *version; /* the side of the request that is asked about */
    const struct kms_context_map *context;
    struct mpc_sym_blob blob; /* DEC */
    struct qk_buf ec;
    struct mpc_sym_item item;
    struct node_symkey *symkey;
    struct node_channel *channel; /* ENC */
};

const char *node_eval_text(uint8_t eval_status)
{
    static const char *const text[MPC_SYM_STATUS_N] = {[MPC_SYM_OK] = "ok",
        [MPC_SYM_MALFORMED] = "malformed",
        [MPC_SYM_TICKET] = "ticket",
        [MPC_SYM_ORIGIN] = "origin",
        [MPC_SYM_LIMIT] = "limit",
        [MPC_SYM_DENIED] = "denied",
        [MPC_SYM_ABSENT] = "absent",
        [MPC_SYM_DISABLED] = "disabled",
        [MPC_SYM_FAULT] = "fault"};
    return eval_status < MPC_SYM_STATUS_N ? text[eval_status] : "?";
}

static enum node_verdict status(struct eval *e, enum mpc_sym_status s)
{
    e->op->answer.status = WIRE_ANSWER_OK;
    e->op->answer.eval_status = (uint8_t)s;
    return NODE_ANSWER;
}

static enum node_verdict refuse(struct eval *e, const char *why)
{
    return node_op_stop(e->op, WIRE_ANSWER_REFUSED, why);
}

static enum node_verdict retry(struct eval *e, qk_err err)
{
    return node_op_stop(e->op, WIRE_ANSWER_RETRY, qk_err_name(err));
}

/* ---- which side of the request ---- */

static enum node_verdict choose_side(struct eval *e)
{
    const struct kms_decision *d = &e->op->decision;
    const struct kms_request *req = &e->op->req;
    bool enc = e->asked->op == WIRE_EVAL_ENC;
    bool two = d->kind == KMS_DO_REENCRYPT;
    if ((d->kind == KMS_DO_ENCRYPT && e->asked->op == WIRE_EVAL_DEC) ||
        (d->kind == KMS_DO_DECRYPT && enc))
        return refuse(e, "not what the caller asks for"); /* S-16 */
    e->key = two && enc ? d->dest_key : d->key;
    e->version = two && enc ? d->dest_version : d->version_record;
    e->context = two && enc ? &req->dest_context : &req->context;
    if (e->key == NULL || e->version == NULL) return refuse(e, "no version to evaluate");
    return NODE_GO;
}

/* S-16: a DEC is for the blob that the caller has signed for, whatever the coordinator holds. */
static enum node_verdict read_blob(struct eval *e)
{
    struct node_op *op = e->op;
    if (op->decision.kind == KMS_DO_ENCRYPT || e->asked->op == WIRE_EVAL_ENC) return NODE_GO;
    bool parses = mpc_sym_blob_parse(op->req.blob, &e->blob) == QK_OK;
    if (!parses) {
        (void)!kms_fault_bare(&op->fault, "InvalidCiphertextException");
        return node_op_fault(op);
    }
    const struct kms_version *v = &e->version->version_of;
    if (memcmp(e->blob.key_id, v->key_id, 16) != 0 || e->blob.ver != v->ver)
        return refuse(e, "a version record that is not the blob's");
    return NODE_GO;
}

/* ---- the item ---- */

static enum node_verdict encode_context(struct eval *e)
{
    const struct kms_context_map *map = e->context;
    struct mpc_sym_pair few[16], *pairs = few;
    if (map->n > QK_COUNT(few)) pairs = malloc(map->n * sizeof *pairs);
    if (pairs == NULL) return retry(e, QK_E_NOMEM);
    for (size_t i = 0; i < map->n; i++)
        pairs[i] = (struct mpc_sym_pair){map->pairs[i].key, map->pairs[i].value};
    e->ec = (struct qk_buf)QK_BUF(MPC_SYM_EC_MAX);
    qk_err err = mpc_sym_ec_encode(pairs, map->n, &e->ec);
    if (pairs != few) free(pairs);
    if (err == QK_OK) return NODE_GO;
    if (err != QK_E_MALFORMED && err != QK_E_TOO_LARGE) return retry(e, err);
    (void)!kms_fault_set(&e->op->fault, "ValidationException",
        "The encryption context is longer than %d bytes.", MPC_SYM_EC_MAX);
    return node_op_fault(e->op);
}

static enum node_verdict enc_item(struct eval *e)
{
    const struct wire_eval *asked = e->asked;
    const struct kms_version *v = &e->version->version_of;
    if (asked->ver != v->ver || asked->ver != e->key->key.sym.current)
        return refuse(e, "not the current version");
    if (!(e->key->key.sym.modes & asked->mode)) return refuse(e, "not a mode of this key");
    e->item.ver = asked->ver;
    e->item.mode = asked->mode;
    e->item.flags = asked->mode == MPC_SYM_F ? MPC_SYM_FLAG_TAGS : 0;
    memcpy(e->item.alpha, asked->alpha, sizeof e->item.alpha);
    e->item.tk = asked->tk;
    return NODE_GO;
}

static void dec_item(struct eval *e)
{
    e->item.ver = e->blob.ver;
    e->item.mode = e->blob.mode;
    e->item.flags = e->blob.flags;
    memcpy(e->item.alpha, e->blob.alpha, sizeof e->item.alpha);
    memcpy(e->item.t, e->blob.t, sizeof e->item.t);
    e->item.tags = e->blob.tags;
}

static enum node_verdict make_item(struct eval *e)
{
    memcpy(e->item.key_id, e->version->version_of.key_id, 16);
    enum node_verdict v = NODE_GO;
    if (e->asked->op == WIRE_EVAL_ENC)
        v = enc_item(e);
    else
        dec_item(e);
    if (v == NODE_GO) v = encode_context(e);
    e->item.ec = qk_buf_view(&e->ec);
    return v;
}

/* ---- the share ---- */

static enum node_verdict open_version(struct eval *e)
{
    const struct kms_version *v = &e->version->version_of;
    qk_err err = node_symkey_get(e->op->node, v->key_id, v->ver, v->pkrec, &e->symkey);
    if (err == QK_E_NOT_FOUND) return status(e, MPC_SYM_ABSENT);
    if (err != QK_OK) return retry(e, err);
    if (e->asked->op == WIRE_EVAL_ENC) return NODE_GO;
    if (mpc_sym_blob_check(&e->blob, mpc_sym_key_version(e->symkey->key)) == QK_OK) return NODE_GO;
    (void)!kms_fault_bare(&e->op->fault, "InvalidCiphertextException");
    return node_op_fault(e->op);
}

/* ---- tickets ---- */

/* S-6: without a ticket of ours on a channel that we still know nothing is evaluated. */
static enum node_verdict no_ticket(struct eval *e)
{
    struct node_op *op = e->op;
    uint8_t *chan = qk_buf_extend(&op->out, MPC_SYM_CHAN_LEN);
    if (chan == NULL) return retry(e, QK_E_NOMEM);
    qk_err err = node_channel_newest(op->node, op->coordinator, chan);
    if (err != QK_OK) return retry(e, err);
    op->answer.chan = qk_bytes(chan, MPC_SYM_CHAN_LEN);
    return status(e, MPC_SYM_TICKET);
}

static enum node_verdict find_channel(struct eval *e)
{
    struct qk_bytes tk = e->asked->tk;
    for (size_t at = 0; at + MPC_SYM_TICKET_LEN <= tk.len; at += MPC_SYM_TICKET_LEN) {
        if (qk_get_u16(tk.p + at) != node_self(e->op->node)) continue;
        e->channel = node_channel_get(e->op->node, e->op->coordinator, tk.p + at + 2);
        break;
    }
    return e->channel == NULL ? no_ticket(e) : NODE_GO;
}

/* ---- evaluation ---- */

static enum node_verdict evaluate(struct eval *e)
{
    struct node_op *op = e->op;
    bool enc = e->asked->op == WIRE_EVAL_ENC;
    struct mpc_sym_work work = {.item = &e->item, .key = e->symkey->key};
    if (enc && e->item.mode == MPC_SYM_F) {
        qk_err err = node_symkey_reserve(op->node, e->symkey);
        if (err != QK_OK) return retry(e, err);
    }
    qk_err err = mpc_sym_eval(enc ? MPC_SYM_ENC : MPC_SYM_DEC, e->asked->prove,
        e->channel == NULL ? NULL : node_channel_window(e->channel), &work, 1, qk_rng_system(),
        &op->part);
    if (err != QK_OK) return retry(e, err);
    if (work.status == MPC_SYM_TICKET) return no_ticket(e);
    if (work.status == MPC_SYM_FAULT) return retry(e, QK_E_CRYPTO);
    if (work.status != MPC_SYM_OK) return status(e, work.status);
    if (!node_guard_still(op)) return retry(e, QK_E_DENIED); /* learnt meanwhile */
    op->answer.part = work.answer;
    return status(e, MPC_SYM_OK);
}

static enum node_verdict run(struct eval *e)
{
    enum node_verdict v = choose_side(e);
    if (v == NODE_GO) v = read_blob(e);
    if (v != NODE_GO) return v;
    if (e->asked->op == 0) return status(e, MPC_SYM_OK);
    v = make_item(e);
    if (v == NODE_GO) v = open_version(e);
    if (v == NODE_GO && e->asked->op == WIRE_EVAL_ENC) v = find_channel(e);
    return v == NODE_GO ? evaluate(e) : v;
}

void node_eval(struct node_op *op)
{
    struct eval e = {.op = op, .asked = &op->call.eval, .ec = QK_BUF(MPC_SYM_EC_MAX)};
    (void)run(&e);
    if (op->answer.status != WIRE_ANSWER_OK) op->answer.part = qk_bytes(NULL, 0);
    if (e.channel != NULL) node_channel_put(op->node, e.channel);
    node_symkey_put(op->node, e.symkey);
    qk_buf_free(&e.ec);
}

/* ---- calls without a caller ---- */

void node_eval_channel(struct node_op *op)
{
    uint8_t *chan = qk_buf_extend(&op->out, MPC_SYM_CHAN_LEN);
    qk_err err = chan == NULL ? QK_E_NOMEM : node_channel_draw(op->node, op->coordinator, chan);
    if (err != QK_OK) {
        (void)node_op_stop(op, WIRE_ANSWER_RETRY, qk_err_name(err));
        return;
    }
    op->answer.status = WIRE_ANSWER_OK;
    op->answer.chan = qk_bytes(chan, MPC_SYM_CHAN_LEN);
}

void node_eval_rand(struct node_op *op)
{
    qk_err err =
        node_rand_contribute(op->node, op->coordinator, op->call.rnd, op->call.rand_len, &op->part);
    op->silent = err == QK_E_RNG; /* G-7 */
    if (err == QK_OK) {
        op->answer.status = WIRE_ANSWER_OK;
        op->answer.part = qk_buf_view(&op->part);
        return;
    }
    bool asked_wrongly = err == QK_E_MALFORMED;
    (void)node_op_stop(op, asked_wrongly ? WIRE_ANSWER_REFUSED : WIRE_ANSWER_RETRY,
        asked_wrongly      ? "a contribution of such a length is not given"
        : err == QK_E_BUSY ? "too many random bytes asked for"
                           : qk_err_name(err));
}
