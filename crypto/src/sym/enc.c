/* SYMENC: Encrypt at the combiner (document 50 section 6). */
#include "sym/run.h"
#include "sym/values.h"

/* ---- an attempt: new rho, new tickets, new X ---- */

static qk_err draw_alpha(struct mpc_sym_run *run)
{
    QK_TRY(qk_rng_fill(run->rng, run->clear.p, 32));
    return sym_alpha(run->item.alpha, run->item.key_id, run->item.ver, run->d_ec, run->clear.p,
        qk_bytes(run->clear.p + 32, run->clear.len - 32));
}

static struct sym_seat *seat_at(struct mpc_sym_run *run, size_t ix)
{
    for (size_t i = 0; i < run->n; i++)
        if (run->seat[i].ix == ix) return &run->seat[i];
    return NULL;
}

/* A ticket of every live node, so that any of them can be asked later under the same X. */
static qk_err collect_tickets(struct mpc_sym_run *run, size_t *n_live)
{
    qk_buf_clear(&run->tk);
    *n_live = 0;
    for (size_t ix = 0; ix < run->version->terms.n; ix++) { /* ascending ids */
        struct sym_seat *seat = seat_at(run, ix);
        struct mpc_sym_ticket ticket;
        if (seat == NULL) continue;
        qk_err err = run->ticket(run->ctx, seat->id, &ticket);
        if (err == QK_E_NOT_FOUND) {
            seat->st = SEAT_OUT;
            continue;
        }
        QK_TRY(err);
        QK_ENSURE(ticket.node == seat->id && ticket.ctr > 0, QK_E_STATE);
        mpc_sym_tickets_encode(&ticket, 1, &run->tk);
        ++*n_live;
    }
    return run->tk.err;
}

/* At least t live holders of every set: at most n-2t+1 nodes are missing. */
static bool enough_for_f(const struct mpc_sym_run *run, size_t n_live)
{
    return n_live >= 2 * (size_t)run->version->terms.t - 1;
}

static qk_err begin(struct mpc_sym_run *run, uint8_t mode)
{
    size_t n_live, t = run->version->terms.t;
    sym_run_attempt(run, mode, mode == MPC_SYM_V);
    QK_TRY(collect_tickets(run, &n_live));
    if (mode == MPC_SYM_F && !enough_for_f(run, n_live)) return sym_enc_fall(run);
    if (n_live < t) {
        sym_run_end(run, MPC_SYM_UNAVAILABLE);
        return QK_OK;
    }
    QK_TRY(draw_alpha(run));
    run->item.mode = mode;
    run->item.flags = (uint8_t)sym_flags(run->version, mode);
    run->item.tk = qk_buf_view(&run->tk);
    QK_TRY(mpc_sym_tickets_hash(run->t, run->item.tk));
    QK_TRY(sym_run_point(run));
    sym_run_ask(run, mode == MPC_SYM_F ? n_live : t + run->spare);
    return QK_OK;
}

qk_err sym_enc_fall(struct mpc_sym_run *run)
{
    if (run->mode == MPC_SYM_F && (run->version->terms.modes & MPC_SYM_V))
        return begin(run, MPC_SYM_V);
    sym_run_end(run, MPC_SYM_UNAVAILABLE);
    return QK_OK;
}

qk_err sym_enc_retry(struct mpc_sym_run *run)
{
    run->retried = true;
    return begin(run, run->mode);
}

/* ---- the end: nothing is released before the rule of its mode holds ---- */

static qk_err build(struct mpc_sym_run *run, const struct qk_sec32 *w, struct qk_bytes tags)
{
    uint8_t e[32 + MPC_SYM_PLAIN_MAX];
    QK_TRY(sym_pad(e, qk_buf_view(&run->clear), run->x, w));
    struct mpc_sym_blob blob = {.mode = run->item.mode,
        .flags = run->item.flags,
        .ver = run->item.ver,
        .tags = tags,
        .e = qk_bytes(e, run->clear.len)};
    memcpy(blob.key_id, run->item.key_id, sizeof blob.key_id);
    memcpy(blob.alpha, run->item.alpha, sizeof blob.alpha);
    memcpy(blob.t, run->t, sizeof blob.t);
    QK_TRY(mpc_sym_blob_build(&blob, &run->result));
    sym_run_done(run);
    return QK_OK;
}

static qk_err finish_f(struct mpc_sym_run *run)
{
    QK_SEC32(w);
    uint8_t tags[MPC_SYM_SETS_MAX * MPC_SYM_TAG_LEN];
    QK_TRY(sym_copies_value(run, &w, tags));
    return build(run, &w, qk_bytes(tags, (size_t)run->version->sets.d * MPC_SYM_TAG_LEN));
}

static qk_err finish_v(struct mpc_sym_run *run)
{
    QK_SEC32(w);
    qk_err err = sym_point_value(run, &w);
    /* Every z is proved and s, P are not zero: W = O is a fault of this machine. */
    QK_TRY(err == QK_E_PROOF ? QK_E_CRYPTO : err);
    return build(run, &w, qk_bytes(NULL, 0));
}

/* ---- what follows from the answers so far ---- */

static qk_err progress_f(struct mpc_sym_run *run)
{
    switch (sym_copies_judge(run)) {
    case COPIES_ENOUGH:
        return finish_f(run);
    case COPIES_WAIT:
        return QK_OK;
    case COPIES_DIFFER:
    case COPIES_SHORT:
        break;
    }
    return sym_enc_fall(run);
}

static qk_err progress_v(struct mpc_sym_run *run)
{
    size_t t = run->version->terms.t, ok = sym_run_count(run, SEAT_OK), open = sym_run_open(run);
    if (ok >= t) return finish_v(run);
    if (ok + open < t) open += sym_run_ask(run, t - ok - open);
    if (ok + open < t) sym_run_end(run, MPC_SYM_UNAVAILABLE);
    return QK_OK;
}

static bool ticket_refused(const struct mpc_sym_run *run)
{
    for (size_t i = 0; i < run->n; i++)
        if (run->seat[i].st == SEAT_REFUSED && run->seat[i].status == MPC_SYM_TICKET) return true;
    return false;
}

qk_err sym_enc_progress(struct mpc_sym_run *run)
{
    if (sym_run_refused(run)) return QK_OK;
    /* The list of tickets is inside X: one stale ticket means a new X for everybody. */
    if (!run->retried && ticket_refused(run)) return sym_enc_retry(run);
    return run->mode == MPC_SYM_F ? progress_f(run) : progress_v(run);
}

/* ---- start, take ---- */

static qk_err start(struct mpc_sym_run *run, const struct mpc_sym_enc_params *p)
{
    uint8_t modes = run->version->terms.modes;
    run->spare = p->spare;
    run->ticket = p->ticket;
    run->ctx = p->ctx;
    run->rng = p->rng;
    QK_ENSURE(qk_buf_extend(&run->clear, 32) != NULL, run->clear.err); /* rho */
    qk_buf_add(&run->clear, p->plain.p, p->plain.len);
    QK_TRY(run->clear.err);
    bool f = (modes & MPC_SYM_F) && !(p->avoid_f && (modes & MPC_SYM_V));
    return begin(run, f ? MPC_SYM_F : MPC_SYM_V);
}

qk_err mpc_sym_enc_start(struct mpc_sym_run **out, const struct mpc_sym_enc_params *p)
{
    struct mpc_sym_run *run;
    QK_ENSURE(p->plain.len >= 1 && p->plain.len <= MPC_SYM_PLAIN_MAX, QK_E_STATE);
    QK_TRY(sym_run_new(&run, p->version, MPC_SYM_ENC, p->ec, p->nodes, p->n_nodes));
    qk_err err = start(run, p);
    if (err != QK_OK) {
        mpc_sym_run_free(run);
        return err;
    }
    *out = run;
    return QK_OK;
}

qk_err mpc_sym_enc_take(const struct mpc_sym_run *run, struct qk_buf *out)
{
    QK_ENSURE(run->op == MPC_SYM_ENC && run->state == MPC_SYM_DONE, QK_E_STATE);
    qk_buf_add(out, run->result.p, run->result.len);
    return out->err;
}
