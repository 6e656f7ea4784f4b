#include "core/maccarry.h"

#include "core/evidence.h"

/* ---- garblers ---- */

/* In a self-test E is the combiner. */
static qk_err send_out(struct node *node, const struct node_maccarry *c, struct node_macrun *run)
{
    QK_AUTO_BUF out = QK_BUF_SECRET(MPC_MAC_G1_MAX);
    if (!c->test) return QK_OK;
    QK_TRY(c->g1 != NULL ? mpc_mac_g1_take(c->g1, &out) : mpc_mac_g2_take(c->g2, &out));
    return node_macrun_send(node, run, NODE_FRAME_MAC_OUT, qk_buf_view(&out));
}

static qk_err carry_g1(struct node *node, const struct node_maccarry *c, struct node_macrun *run)
{
    uint8_t *chunk = node_macrun_chunk(run);
    QK_ENSURE(chunk != NULL, QK_E_STATE);
    for (;;) {
        size_t len;
        QK_TRY(mpc_mac_g1_chunk(c->g1, chunk, &len));
        if (len == 0) return send_out(node, c, run);
        QK_TRY(node_macrun_send_chunk(node, run, c->garblers, len));
    }
}

static qk_err send_labels(struct node *node, const struct node_maccarry *c, struct node_macrun *run)
{
    QK_AUTO_BUF out = QK_BUF_SECRET(2 * NODE_MACLINK_ID_LEN + MPC_MAC_LABELS_MAX);
    qk_buf_add(&out, c->garblers, sizeof c->garblers);
    qk_buf_add(&out, c->checker, sizeof c->checker);
    QK_TRY(mpc_mac_g2_labels(c->g2, &out));
    return node_macrun_send(node, run, NODE_FRAME_MAC_LABELS, qk_buf_view(&out));
}

static qk_err carry_g2(struct node *node, const struct node_maccarry *c, struct node_macrun *run)
{
    uint8_t gmac[MPC_MAC_GMAC_LEN];
    bool done = false;
    QK_TRY(send_labels(node, c, run));
    while (!done) {
        QK_TRY(mpc_mac_g2_work(c->g2, &done));
        QK_TRY(node_macrun_still(node, run));
    }
    QK_TRY(mpc_mac_g2_gmac(c->g2, gmac));
    QK_TRY(node_macrun_send(node, run, NODE_FRAME_MAC_GMAC, QK_BYTES(gmac)));
    return send_out(node, c, run);
}

/* ---- E ---- */

struct evaluation {
    const struct node_maccarry *c;
    uint8_t garblers[NODE_MACLINK_ID_LEN]; /* what G2 says it is */
    bool out_g1, out_g2;
};

static qk_err take_labels(struct evaluation *v, struct qk_bytes in)
{
    memcpy(v->garblers, in.p, NODE_MACLINK_ID_LEN);
    bool same = memcmp(v->c->checker, in.p + NODE_MACLINK_ID_LEN, NODE_MACLINK_ID_LEN) == 0;
    QK_ENSURE(same, QK_E_MISMATCH);
    size_t head = 2 * NODE_MACLINK_ID_LEN;
    return mpc_mac_e_labels(v->c->e, qk_bytes(in.p + head, in.len - head));
}

/* What G2 says came first (node_macrun_next). */
static qk_err take_chunk(struct evaluation *v, uint32_t number, struct qk_bytes in)
{
    QK_ENSURE(memcmp(v->garblers, in.p, NODE_MACLINK_ID_LEN) == 0, QK_E_MISMATCH);
    return mpc_mac_e_chunk(
        v->c->e, number, qk_bytes(in.p + NODE_MACLINK_ID_LEN, in.len - NODE_MACLINK_ID_LEN));
}

static qk_err take_out(struct evaluation *v, uint16_t from, struct qk_bytes in)
{
    bool g1 = from == v->c->roles.g1;
    struct qk_buf *to = g1 ? v->c->from_g1 : v->c->from_g2;
    *(g1 ? &v->out_g1 : &v->out_g2) = true;
    qk_buf_add(to, in.p, in.len);
    return to->err == QK_E_TOO_LARGE ? QK_E_MALFORMED : to->err;
}

static qk_err take_item(struct evaluation *v, const struct node_mac_item *item)
{
    struct qk_bytes in = qk_bytes(item->bytes, item->len);
    switch (item->type) {
    case NODE_FRAME_MAC_LABELS:
        return take_labels(v, in);
    case NODE_FRAME_MAC_TABLES:
        return take_chunk(v, item->number, in);
    case NODE_FRAME_MAC_GMAC:
        return mpc_mac_e_gmac(v->c->e, in);
    case NODE_FRAME_MAC_OUT:
        return take_out(v, item->from, in);
    default:
        return QK_E_STATE;
    }
}

static bool complete(const struct evaluation *v)
{
    return mpc_mac_e_done(v->c->e) && (!v->c->test || (v->out_g1 && v->out_g2));
}

static qk_err carry_e(struct node *node, const struct node_maccarry *c, struct node_macrun *run)
{
    struct evaluation v = {.c = c};
    while (!complete(&v)) {
        struct node_mac_item *item;
        QK_TRY(node_macrun_next(node, run, &item));
        qk_err err = take_item(&v, item);
        node_macrun_consumed(node, run, item);
        QK_TRY(err);
    }
    return QK_OK;
}

/* ---- blame ---- */

/* A suspicion is for people to look at: what E says of others proves nothing (docs/hmac.md). */
static void note(struct node *node, const uint8_t *id, uint16_t culprit, const char *check)
{
    qk_log(QK_WARN, "mac.suspect", QK_F_HEX("run", id, 32), QK_F_INT("node", culprit),
        QK_F_STR("check", check));
    struct node_audit_entry entry = {.event = "mac.abort",
        .outcome = NODE_AUDIT_ABORT,
        .reason = check,
        .peer = culprit == node_self(node) ? 0 : culprit,
        .sid = id};
    node_evidence(node, &entry, false);
}

static void blame(struct node *node, const struct node_maccarry *c, const struct node_macrun *run,
    const uint8_t *id, uint16_t *culprit)
{
    if (c->e == NULL) return; /* a garbler's word blames nobody */
    struct mpc_mac_suspects s = mpc_mac_e_suspects(c->e);
    const char *check = s.check == NULL ? "M-18" : s.check;
    *culprit = s.n == 0 ? node_macrun_culprit(run) : s.n == 1 ? s.node[0] : node_self(node);
    if (*culprit != 0) note(node, id, *culprit, check);
}

static const uint8_t *run_id(const struct node_maccarry *c)
{
    if (c->g1 != NULL) return mpc_mac_g1_run(c->g1);
    return c->g2 != NULL ? mpc_mac_g2_run(c->g2) : mpc_mac_e_run(c->e);
}

qk_err node_maccarry_run(struct node *node, const struct node_maccarry *c, uint16_t *culprit)
{
    struct node_macrun *run;
    *culprit = 0;
    const uint8_t *id = run_id(c);
    QK_TRY(node_macrun_begin(node, id, &c->roles, c->test, c->timeout_ms, &run));
    qk_err err = c->g1 != NULL   ? carry_g1(node, c, run)
                 : c->g2 != NULL ? carry_g2(node, c, run)
                                 : carry_e(node, c, run);
    if (err != QK_OK) {
        if (c->e != NULL) node_macrun_give_up(node, run);
        blame(node, c, run, id, culprit);
        qk_log(QK_INFO, "mac.run", QK_F_HEX("run", id, 32), QK_F_ERR(err));
    }
    node_macrun_end(node, run);
    return err;
}
