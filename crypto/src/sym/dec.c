/* SYMDEC: Decrypt at the combiner (document 50 section 6). */
#include "sym/run.h"
#include "sym/values.h"

/* ---- opening e: alpha is the authenticator (check S-11) ---- */

/* All 32 bytes are compared whatever they are, and the plaintext exists for the caller only after.
 * Returns QK_E_PROOF if the value does not open it. */
static qk_err open_with(struct mpc_sym_run *run, const struct qk_sec32 *w)
{
    const struct mpc_sym_blob *b = &run->blob;
    QK_AUTO_BUF clear = QK_BUF_SECRET(32 + MPC_SYM_PLAIN_MAX);
    uint8_t alpha[32];
    uint8_t *p = qk_buf_extend(&clear, b->e.len);
    QK_ENSURE(p != NULL, clear.err);
    QK_TRY(sym_pad(p, b->e, run->x, w));
    struct qk_bytes m = qk_bytes(p + 32, b->e.len - 32);
    QK_TRY(sym_alpha(alpha, b->key_id, b->ver, run->d_ec, p, m));
    QK_ENSURE(CRYPTO_memcmp(alpha, b->alpha, sizeof alpha) == 0, QK_E_PROOF);
    qk_buf_clear(&run->result);
    qk_buf_add(&run->result, m.p, m.len);
    return run->result.err;
}

/* ---- mode F ---- */

struct try_ctx {
    struct mpc_sym_run *run;
    qk_err err; /* of the last try */
};

static bool try_value(void *ctx, const struct qk_sec32 *w)
{
    struct try_ctx *t = ctx;
    t->err = open_with(t->run, w);
    return t->err != QK_E_PROOF; /* opened, or trouble of our own */
}

/* Class N: a corrupt encryptor and a liar together can make a blob whose "true" piece is the lie
 * (check S-22). */
static void suspect_liars(struct mpc_sym_run *run, uint32_t lies)
{
    for (size_t i = 0; i < run->n; i++)
        if (lies >> i & 1) sym_run_suspect(run, run->seat[i].ix, MPC_BLAME_N, "S-22");
}

static qk_err progress_f(struct mpc_sym_run *run)
{
    struct try_ctx ctx = {.run = run, .err = QK_E_PROOF};
    size_t n_tried;
    uint32_t lies;
    bool stopped = sym_copies_search(run, try_value, &ctx, &n_tried, &lies);
    if (stopped) {
        QK_TRY(ctx.err);
        suspect_liars(run, lies);
        sym_run_done(run);
        return QK_OK;
    }
    if (sym_run_ask(run, run->n) + sym_run_open(run) > 0) return QK_OK;
    sym_run_end(run, n_tried > 0 ? MPC_SYM_INVALID : MPC_SYM_UNAVAILABLE);
    return QK_OK;
}

/* ---- mode V ---- */

/* The same question again, now with proofs. Seats that failed a check stay out. */
static qk_err ask_for_proofs(struct mpc_sym_run *run)
{
    bool bad[MPC_NODES_MAX];
    for (size_t i = 0; i < run->n; i++) bad[i] = run->seat[i].st == SEAT_BAD;
    sym_run_attempt(run, MPC_SYM_V, true);
    QK_TRY(sym_run_point(run));
    for (size_t i = 0; i < run->n; i++)
        if (bad[i]) run->seat[i].st = SEAT_OUT;
    sym_run_ask(run, run->n);
    return QK_OK;
}

static qk_err progress_v(struct mpc_sym_run *run)
{
    QK_SEC32(w);
    qk_err err = sym_point_value(run, &w);
    if (err == QK_OK) err = open_with(run, &w);
    if (err == QK_OK) sym_run_done(run);
    if (err != QK_E_PROOF) return err;
    if (!run->prove) return ask_for_proofs(run);
    sym_run_end(run, MPC_SYM_INVALID); /* t proved values, and it does not open */
    return QK_OK;
}

/* ---- what follows from the answers so far ---- */

qk_err sym_dec_progress(struct mpc_sym_run *run)
{
    if (sym_run_refused(run)) return QK_OK;
    size_t t = run->version->terms.t, ok = sym_run_count(run, SEAT_OK), open = sym_run_open(run);
    if (ok >= t) return run->mode == MPC_SYM_F ? progress_f(run) : progress_v(run);
    if (ok + open < t) open += sym_run_ask(run, t - ok - open);
    if (ok + open < t) sym_run_end(run, MPC_SYM_UNAVAILABLE);
    return QK_OK;
}

/* ---- start, take ---- */

static qk_err start(struct mpc_sym_run *run, const struct mpc_sym_dec_params *p)
{
    struct mpc_sym_blob *b = &run->blob;
    qk_buf_add(&run->blob_bytes, p->blob.p, p->blob.len);
    if (run->blob_bytes.err == QK_E_NOMEM) return QK_E_NOMEM;
    if (run->blob_bytes.err != QK_OK ||
        mpc_sym_blob_parse(qk_buf_view(&run->blob_bytes), b) != QK_OK ||
        mpc_sym_blob_check(b, run->version) != QK_OK) {
        sym_run_end(run, MPC_SYM_INVALID);
        return QK_OK;
    }
    run->item.mode = b->mode;
    run->item.flags = b->flags;
    run->item.tags = b->tags;
    memcpy(run->item.alpha, b->alpha, sizeof b->alpha);
    memcpy(run->item.t, b->t, sizeof b->t);
    memcpy(run->t, b->t, sizeof b->t);
    sym_run_attempt(run, b->mode, false);
    QK_TRY(sym_run_point(run));
    if (run->n < run->version->terms.t)
        sym_run_end(run, MPC_SYM_UNAVAILABLE);
    else
        sym_run_ask(run, run->version->terms.t + p->spare);
    return QK_OK;
}

qk_err mpc_sym_dec_start(struct mpc_sym_run **out, const struct mpc_sym_dec_params *p)
{
    struct mpc_sym_run *run;
    QK_TRY(sym_run_new(&run, p->version, MPC_SYM_DEC, p->ec, p->nodes, p->n_nodes));
    qk_err err = start(run, p);
    if (err != QK_OK) {
        mpc_sym_run_free(run);
        return err;
    }
    *out = run;
    return QK_OK;
}

qk_err mpc_sym_dec_take(const struct mpc_sym_run *run, struct qk_buf *out)
{
    QK_ENSURE(run->op == MPC_SYM_DEC && run->state == MPC_SYM_DONE, QK_E_STATE);
    QK_ENSURE(out->secret, QK_E_STATE);
    qk_buf_add(out, run->result.p, run->result.len);
    return out->err;
}
