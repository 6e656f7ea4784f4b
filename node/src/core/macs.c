#include "core/macs.h"

#include "core/maccarry.h"
#include "core/mackeys.h"
#include "core/macgen.h"

/* One run being served. */
struct mac {
    struct node_op *op;
    struct node_mackey *key;
    struct mpc_mac_task task;
    struct qk_sec32 garblers, checker; /* kappa of G1 and G2, of G2 and E: those that we hold */
    struct node_maccarry carry;
};

static enum node_verdict refuse(struct node_op *op, const char *why)
{
    return node_op_stop(op, WIRE_ANSWER_REFUSED, why);
}

/* ---- the key ---- */

/* M-9: three different nodes of the key, and I am one of them. */
static bool roles_fit(const struct node_op *op, const struct mpc_mac_record *rec)
{
    const struct wire_mac *m = &op->call.mac;
    uint16_t self = node_self(op->node);
    bool distinct = m->g1 != m->g2 && m->g1 != m->e && m->g2 != m->e;
    bool named = m->g1 == self || m->g2 == self || m->e == self;
    return distinct && named && mpc_mac_record_index(rec, m->g1) >= 0 &&
           mpc_mac_record_index(rec, m->g2) >= 0 && mpc_mac_record_index(rec, m->e) >= 0;
}

static enum node_verdict open_key(struct mac *m)
{
    struct node_op *op = m->op;
    const struct kms_decision *d = &op->decision;
    if (d->version_record == NULL) return refuse(op, "no version to use");
    const struct kms_version *v = &d->version_record->version_of;
    qk_err err = node_mackey_get(op->node, v->key_id, v->ver, v->pkrec, &m->key);
    if (err != QK_OK) return node_op_stop(op, WIRE_ANSWER_RETRY, qk_err_name(err));
    struct mpc_mac_spec spec;
    node_mac_spec_of(d, v->key_id, &spec);
    if (!node_mac_is_ours(op->node, &m->key->rec, &spec))
        return refuse(op, "a key of another algorithm, profile or set of nodes");
    if (!roles_fit(op, &m->key->rec)) return refuse(op, "the roles do not fit");
    return NODE_GO;
}

/* ---- the run ---- */

/* Which of the two link secrets of a run this role has, with their public names. */
static qk_err take_kappas(struct mac *m)
{
    struct node *node = m->op->node;
    const struct mpc_mac_roles *r = &m->task.roles;
    uint16_t self = node_self(node);
    if (self != r->e) {
        QK_TRY(node_maclink_get(node, self == r->g1 ? r->g2 : r->g1, &m->garblers));
        QK_TRY(node_maclink_id(&m->garblers, m->carry.garblers));
    }
    if (self == r->g1) return QK_OK;
    QK_TRY(node_maclink_get(node, self == r->g2 ? r->e : r->g2, &m->checker));
    return node_maclink_id(&m->checker, m->carry.checker);
}

static qk_err make_role(struct mac *m)
{
    const struct mpc_mac_roles *r = &m->task.roles;
    uint16_t self = node_self(m->op->node);
    if (self == r->g1) return mpc_mac_g1_new(&m->carry.g1, &m->task, m->garblers.b);
    if (self == r->g2) return mpc_mac_g2_new(&m->carry.g2, &m->task, m->garblers.b, m->checker.b);
    return mpc_mac_e_new(&m->carry.e, &m->task, m->checker.b);
}

/* What this role has for the combiner. */
static qk_err take_part(struct mac *m)
{
    struct qk_buf *part = &m->op->part;
    if (m->carry.g1 != NULL) return mpc_mac_g1_take(m->carry.g1, part);
    if (m->carry.g2 != NULL) return mpc_mac_g2_take(m->carry.g2, part);
    return mpc_mac_e_take(m->carry.e, part);
}

static qk_err run(struct mac *m, const struct mpc_mac_share *share)
{
    struct node_op *op = m->op;
    const struct wire_mac *asked = &op->call.mac;
    m->task = (struct mpc_mac_task){.rec = &m->key->rec,
        .share = share,
        .roles = {asked->g1, asked->g2, asked->e},
        .message = op->req.message};
    memcpy(m->task.mid, asked->mid, sizeof m->task.mid);
    m->carry.roles = m->task.roles;
    m->carry.timeout_ms = m->key->rec.profile == MPC_MAC_S ? NODE_MAC_S_MS : NODE_MAC_N_MS;
    QK_TRY(take_kappas(m));
    QK_TRY(make_role(m));
    QK_TRY(node_maccarry_run(op->node, &m->carry, &op->answer.culprit));
    QK_TRY(take_part(m));
    return node_guard_still(op) ? QK_OK : QK_E_DENIED; /* learnt during the run */
}

static void mac_wipe(struct mac *m)
{
    mpc_mac_g1_free(m->carry.g1);
    mpc_mac_g2_free(m->carry.g2);
    mpc_mac_e_free(m->carry.e);
    qk_sec32_wipe(&m->garblers);
    qk_sec32_wipe(&m->checker);
    node_mackey_put(m->op->node, m->key);
}

static enum node_verdict serve(struct mac *m)
{
    struct node_op *op = m->op;
    MPC_MAC_SHARE(share);
    enum node_verdict v = open_key(m);
    if (v != NODE_GO) return v;
    qk_err err = node_mackey_share(m->key, &share);
    if (err == QK_OK) err = run(m, &share);
    if (err != QK_OK) return node_op_stop(op, WIRE_ANSWER_RETRY, qk_err_name(err));
    op->answer.status = WIRE_ANSWER_OK;
    op->answer.part = qk_buf_view(&op->part);
    return NODE_ANSWER;
}

void node_mac(struct node_op *op)
{
    struct mac m = {.op = op};
    if (!op->call.mac.set) {
        op->answer.status = WIRE_ANSWER_OK;
        return;
    }
    (void)serve(&m);
    mac_wipe(&m);
}
