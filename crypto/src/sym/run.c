/* What Encrypt and Decrypt have in common: seats, asking, answers, suspects. */
#include "sym/run.h"

#include "dprf/point.h"

/* ---- life ---- */

static qk_err take_seats(struct mpc_sym_run *run, const uint16_t *nodes, size_t n)
{
    QK_ENSURE(n <= MPC_NODES_MAX, QK_E_STATE);
    for (size_t i = 0; i < n; i++) {
        int ix = sym_terms_index(&run->version->terms, nodes[i]);
        QK_ENSURE(ix >= 0, QK_E_STATE);
        for (size_t j = 0; j < i; j++) QK_ENSURE(nodes[j] != nodes[i], QK_E_STATE);
        run->seat[i] = (struct sym_seat){.id = nodes[i],
            .ix = (size_t)ix,
            .answer = QK_BUF_SECRET(MPC_SYM_SETS_MAX * (MPC_SYM_PIECE_LEN + MPC_SYM_TAG_LEN))};
        run->n = i + 1;
    }
    return QK_OK;
}

static qk_err fill(struct mpc_sym_run *run, struct qk_bytes ec, const uint16_t *nodes, size_t n)
{
    const struct mpc_sym_terms *terms = &run->version->terms;
    QK_TRY(take_seats(run, nodes, n));
    QK_TRY(mpc_sym_ec_check(ec));
    qk_buf_add(&run->ec, ec.p, ec.len);
    QK_TRY(run->ec.err);
    memcpy(run->item.key_id, terms->key_id, sizeof run->item.key_id);
    run->item.ver = terms->ver;
    run->item.ec = qk_buf_view(&run->ec);
    return mpc_sym_ec_hash(run->d_ec, run->item.ec);
}

qk_err sym_run_new(struct mpc_sym_run **out, const struct mpc_sym_version *version,
    enum mpc_sym_op op, struct qk_bytes ec, const uint16_t *nodes, size_t n)
{
    struct mpc_sym_run *run = OPENSSL_zalloc(sizeof *run);
    QK_ENSURE(run != NULL, QK_E_NOMEM);
    run->version = version;
    run->op = op;
    run->ec = (struct qk_buf)QK_BUF(MPC_SYM_EC_MAX);
    run->tk = (struct qk_buf)QK_BUF(MPC_NODES_MAX * MPC_SYM_TICKET_LEN);
    run->clear = (struct qk_buf)QK_BUF_SECRET(32 + MPC_SYM_PLAIN_MAX);
    run->blob_bytes = (struct qk_buf)QK_BUF(MPC_SYM_BLOB_MAX);
    run->result = (struct qk_buf)QK_BUF_SECRET(MPC_SYM_BLOB_MAX);
    qk_err err = fill(run, ec, nodes, n);
    if (err != QK_OK) {
        mpc_sym_run_free(run);
        return err;
    }
    *out = run;
    return QK_OK;
}

static void forget_answers(struct mpc_sym_run *run)
{
    for (size_t i = 0; i < run->n; i++) {
        qk_buf_free(&run->seat[i].answer);
        mpc_point_clear(&run->seat[i].z);
    }
    mpc_point_clear(&run->p);
}

void mpc_sym_run_free(struct mpc_sym_run *run)
{
    if (run == NULL) return;
    forget_answers(run);
    qk_buf_free(&run->ec);
    qk_buf_free(&run->tk);
    qk_buf_free(&run->clear);
    qk_buf_free(&run->blob_bytes);
    qk_buf_free(&run->result);
    OPENSSL_clear_free(run, sizeof *run);
}

void sym_run_attempt(struct mpc_sym_run *run, uint8_t mode, bool prove)
{
    forget_answers(run);
    for (size_t i = 0; i < run->n; i++) run->seat[i].st = SEAT_IDLE;
    run->mode = mode;
    run->prove = prove;
    run->attempt++;
}

qk_err sym_run_point(struct mpc_sym_run *run)
{
    QK_TRY(mpc_sym_x(run->x, &run->item, run->d_ec, run->t));
    if (run->mode != MPC_SYM_V) return QK_OK;
    mpc_point_clear(&run->p);
    return mpc_dprf_point(&run->p, run->x);
}

void sym_run_end(struct mpc_sym_run *run, enum mpc_sym_state state)
{
    run->state = state;
    forget_answers(run);
    qk_buf_free(&run->clear);
}

void sym_run_done(struct mpc_sym_run *run)
{
    for (size_t i = 0; i < run->n; i++) {
        const struct sym_seat *seat = &run->seat[i];
        if (seat->st != SEAT_REFUSED) continue;
        if (seat->status == MPC_SYM_TICKET) sym_run_suspect(run, seat->ix, MPC_BLAME_N, "S-6");
        if (seat->status == MPC_SYM_ORIGIN) sym_run_suspect(run, seat->ix, MPC_BLAME_N, "S-8");
    }
    sym_run_end(run, MPC_SYM_DONE);
}

/* ---- seats ---- */

size_t sym_run_count(const struct mpc_sym_run *run, enum sym_seat_state st)
{
    size_t n = 0;
    for (size_t i = 0; i < run->n; i++) n += run->seat[i].st == st;
    return n;
}

size_t sym_run_open(const struct mpc_sym_run *run)
{
    return sym_run_count(run, SEAT_ASK) + sym_run_count(run, SEAT_ASKED);
}

size_t sym_run_ask(struct mpc_sym_run *run, size_t k)
{
    size_t asked = 0;
    for (size_t i = 0; i < run->n && asked < k; i++) {
        if (run->seat[i].st != SEAT_IDLE) continue;
        run->seat[i].st = SEAT_ASK;
        asked++;
    }
    return asked;
}

static struct sym_seat *seat_of(struct mpc_sym_run *run, uint16_t node)
{
    for (size_t i = 0; i < run->n; i++)
        if (run->seat[i].id == node) return &run->seat[i];
    return NULL;
}

void sym_run_suspect(struct mpc_sym_run *run, size_t ix, uint8_t cls, const char *check)
{
    if (run->suspect[ix].cls == MPC_BLAME_P) return;
    run->suspect[ix].cls = cls;
    run->suspect[ix].check = check;
}

size_t mpc_sym_run_suspects(
    const struct mpc_sym_run *run, struct mpc_sym_suspect out[static MPC_NODES_MAX])
{
    size_t n = 0;
    for (size_t ix = 0; ix < run->version->terms.n; ix++) {
        if (run->suspect[ix].cls == MPC_BLAME_NONE) continue;
        out[n++] = (struct mpc_sym_suspect){.node = run->version->terms.ids[ix],
            .cls = run->suspect[ix].cls,
            .check = run->suspect[ix].check};
    }
    return n;
}

/* TICKET is no refusal to agree on (each node speaks of its own link), FAULT neither. */
static bool is_verdict(uint8_t status)
{
    return status != MPC_SYM_TICKET && status != MPC_SYM_FAULT;
}

bool sym_run_refused(struct mpc_sym_run *run)
{
    unsigned votes[MPC_SYM_STATUS_N] = {0};
    for (size_t i = 0; i < run->n; i++) {
        const struct sym_seat *seat = &run->seat[i];
        if (seat->st != SEAT_REFUSED || !is_verdict(seat->status)) continue;
        if (++votes[seat->status] < run->version->terms.t) continue;
        run->refusal = seat->status;
        sym_run_end(run, seat->status == MPC_SYM_ORIGIN ? MPC_SYM_INVALID : MPC_SYM_REFUSED);
        return true;
    }
    return false;
}

/* ---- driving ---- */

bool mpc_sym_run_next(struct mpc_sym_run *run, struct mpc_sym_ask *ask)
{
    if (run->state != MPC_SYM_RUNNING) return false;
    for (size_t i = 0; i < run->n; i++) {
        if (run->seat[i].st != SEAT_ASK) continue;
        run->seat[i].st = SEAT_ASKED;
        *ask = (struct mpc_sym_ask){.to = run->seat[i].id,
            .op = (uint8_t)run->op,
            .prove = run->prove,
            .attempt = run->attempt,
            .item = &run->item};
        return true;
    }
    return false;
}

static qk_err progress(struct mpc_sym_run *run)
{
    qk_err err = run->op == MPC_SYM_ENC ? sym_enc_progress(run) : sym_dec_progress(run);
    if (err != QK_OK) sym_run_end(run, MPC_SYM_UNAVAILABLE);
    return err;
}

/* Pieces: as many as this node has sets, no more, no fewer (check S-2). Which set a piece belongs
 * to follows from the record alone. */
static qk_err take_pieces(struct mpc_sym_run *run, struct sym_seat *seat, struct qk_bytes answer)
{
    size_t len =
        mpc_sym_answer_len(MPC_SYM_F, (uint8_t)run->op, false, run->version->sets.per_node);
    QK_ENSURE(answer.len == len, QK_E_MALFORMED);
    qk_buf_clear(&seat->answer);
    qk_buf_add(&seat->answer, answer.p, answer.len);
    return seat->answer.err;
}

static qk_err take_answer(
    struct mpc_sym_run *run, struct sym_seat *seat, const struct mpc_sym_reply *reply)
{
    const char *check = run->mode == MPC_SYM_F ? "S-2" : "S-4";
    seat->status = reply->status;
    seat->st = SEAT_REFUSED;
    if (reply->status == MPC_SYM_OK) {
        qk_err err = run->mode == MPC_SYM_F ? take_pieces(run, seat, reply->answer)
                                            : sym_point_take(run, seat, reply->answer);
        seat->st = err == QK_OK ? SEAT_OK : SEAT_BAD;
        if (!qk_peer_fault(err)) return err;
        sym_run_suspect(run, seat->ix, MPC_BLAME_P, check);
    } else if (reply->status >= MPC_SYM_STATUS_N || reply->answer.len != 0) {
        seat->st = SEAT_BAD;
        sym_run_suspect(run, seat->ix, MPC_BLAME_P, "C-7");
    }
    return QK_OK;
}

qk_err mpc_sym_run_receive(struct mpc_sym_run *run, const struct mpc_sym_reply *reply)
{
    struct sym_seat *seat = seat_of(run, reply->from);
    QK_ENSURE(seat != NULL && run->state == MPC_SYM_RUNNING, QK_E_STATE);
    if (reply->attempt != run->attempt) return QK_OK;
    /* One answer of each node counts, however many links it has (check S-3). */
    if (seat->st != SEAT_ASKED && seat->st != SEAT_LOST) return QK_OK;
    qk_err err = take_answer(run, seat, reply);
    if (err != QK_OK) {
        sym_run_end(run, MPC_SYM_UNAVAILABLE);
        return err;
    }
    return progress(run);
}

qk_err mpc_sym_run_lost(struct mpc_sym_run *run, uint16_t node, uint32_t attempt)
{
    struct sym_seat *seat = seat_of(run, node);
    QK_ENSURE(seat != NULL && run->state == MPC_SYM_RUNNING, QK_E_STATE);
    if (attempt != run->attempt) return QK_OK;
    if (seat->st != SEAT_ASKED && seat->st != SEAT_ASK) return QK_OK;
    seat->st = SEAT_LOST;
    return progress(run);
}

qk_err mpc_sym_run_expire(struct mpc_sym_run *run)
{
    if (run->state != MPC_SYM_RUNNING) return QK_OK;
    for (size_t i = 0; i < run->n; i++)
        if (run->seat[i].st == SEAT_ASKED || run->seat[i].st == SEAT_ASK)
            run->seat[i].st = SEAT_LOST;
    return progress(run);
}

enum mpc_sym_state mpc_sym_run_state(const struct mpc_sym_run *run)
{
    return run->state;
}

uint8_t mpc_sym_run_refusal(const struct mpc_sym_run *run)
{
    return run->refusal;
}

uint8_t mpc_sym_run_mode(const struct mpc_sym_run *run)
{
    return run->mode;
}

uint32_t mpc_sym_run_attempt(const struct mpc_sym_run *run)
{
    return run->attempt;
}
