/* The state machine of document 90 section 3. */
#include "mpc/epoch.h"

#include "epoch/state.h"
#include "session/envelope.h"

/* ---- counting ---- */

static size_t count(const struct mpc_epoch *e, enum mpc_stmt_kind kind)
{
    size_t n = 0;
    for (size_t i = 0; i < e->run.n; i++) n += !e->fenced[i] && e->known.s[kind][i].len > 0;
    return n;
}

static size_t n_fenced(const struct mpc_epoch *e)
{
    size_t n = 0;
    for (size_t i = 0; i < e->run.n; i++) n += e->fenced[i];
    return n;
}

size_t mpc_epoch_votes(const struct mpc_epoch *e)
{
    return count(e, EP_VOTE);
}

bool mpc_epoch_usable(const struct mpc_epoch *e)
{
    return mpc_epoch_votes(e) >= e->run.t;
}

bool mpc_epoch_complete(const struct mpc_epoch *e)
{
    return count(e, EP_VOTE) == e->run.n - n_fenced(e) && mpc_epoch_usable(e);
}

bool mpc_epoch_doomed(const struct mpc_epoch *e)
{
    return count(e, EP_ABORT) > 0;
}

static bool abort_certified(const struct mpc_epoch *e)
{
    size_t f = n_fenced(e), need = e->run.t > f + 1 ? e->run.t - f : 1;
    return count(e, EP_ABORT) >= need;
}

/* Rule 1 does not shrink by fenced participants: a vote needs the prep of every one. */
static bool all_preps(const struct mpc_epoch *e)
{
    return count(e, EP_PREP) == e->run.n;
}

uint16_t mpc_epoch_double_signer(const struct mpc_epoch *e)
{
    for (size_t i = 0; i < e->run.n; i++)
        if (e->known.s[EP_VOTE][i].len && e->known.s[EP_ABORT][i].len) return e->run.ids[i];
    return 0;
}

enum mpc_epoch_state mpc_epoch_state(const struct mpc_epoch *e)
{
    return e->state;
}

const struct mpc_epoch_run *mpc_epoch_run(const struct mpc_epoch *e)
{
    return &e->run;
}

qk_err mpc_epoch_certificate(const struct mpc_epoch *e, struct qk_buf *out)
{
    QK_ENSURE(mpc_epoch_usable(e), QK_E_STATE);
    mpc_stmts_encode(&e->run, &e->known, EP_VOTE, out);
    return out->err;
}

/* ---- storing ---- */

static qk_err persist(struct mpc_epoch *e)
{
    QK_AUTO_BUF blob = QK_BUF(MPC_EPOCH_STATE_MAX);
    QK_TRY(mpc_epoch_encode(e, &blob));
    return mpc_queue_push(&e->queue, MPC_EFFECT_PERSIST, 0, NULL, "state", qk_buf_view(&blob));
}

static qk_err sign_own(struct mpc_epoch *e, enum mpc_stmt_kind kind)
{
    struct mpc_stmt *st = &e->known.s[kind][mpc_epoch_self(e)];
    struct mpc_stmt made = {0};
    size_t len = MPC_SIG_MAX;
    uint8_t msg[64];
    QK_TRY(mpc_stmt_message(&e->run, kind, msg));
    QK_TRY(e->signer->sign(e->signer->ctx, msg, made.sig, &len));
    QK_ENSURE(len >= 1 && len <= MPC_SIG_MAX, QK_E_STATE);
    made.len = (uint8_t)len;
    *st = made;
    return QK_OK;
}

/* Only our own statement of one kind. */
static qk_err announce(struct mpc_epoch *e, enum mpc_stmt_kind kind)
{
    struct mpc_stmts one = {0};
    one.s[kind][mpc_epoch_self(e)] = e->known.s[kind][mpc_epoch_self(e)];
    return mpc_epoch_say_to_all(e, EP_TELL, &one);
}

/* ---- moving: the choice is written before it is sent (rule 1) ---- */

static qk_err choose(struct mpc_epoch *e, enum mpc_stmt_kind kind, enum mpc_epoch_state to)
{
    /* B-3: one of the two, ever. */
    enum mpc_stmt_kind other = kind == EP_VOTE ? EP_ABORT : EP_VOTE;
    QK_ENSURE(e->known.s[other][mpc_epoch_self(e)].len == 0, QK_E_STATE);
    QK_TRY(sign_own(e, kind));
    e->state = to;
    QK_TRY(persist(e));
    return announce(e, kind);
}

/* The decision is written, then carried out, then written off: each step can be repeated (K9, K11).
 */
static qk_err destroy(struct mpc_epoch *e)
{
    bool base = e->state == MPC_EPOCH_DONE;
    if (!base || e->run.base != 0)
        QK_TRY(mpc_queue_push(
            &e->queue, MPC_EFFECT_WIPE, 0, e->run.sid, base ? "base" : "new", qk_bytes(NULL, 0)));
    e->destroyed = true;
    return persist(e);
}

static qk_err finish(struct mpc_epoch *e, enum mpc_epoch_state to)
{
    e->state = to;
    QK_TRY(persist(e));
    return destroy(e);
}

/* One arrow of the diagram, if one can be taken. Complete wins over a certificate of abortion. */
static qk_err step(struct mpc_epoch *e)
{
    switch (e->state) {
    case MPC_EPOCH_PREPARED:
        if (abort_certified(e)) return finish(e, MPC_EPOCH_ABORTED);
        if (all_preps(e)) return choose(e, EP_VOTE, MPC_EPOCH_VOTED);
        return QK_OK;
    case MPC_EPOCH_VOTED:
    case MPC_EPOCH_ABORTING:
        if (mpc_epoch_complete(e)) return finish(e, MPC_EPOCH_DONE);
        if (abort_certified(e)) return finish(e, MPC_EPOCH_ABORTED);
        return QK_OK;
    case MPC_EPOCH_HELD:
        if (!mpc_epoch_complete(e) && abort_certified(e)) return finish(e, MPC_EPOCH_ABORTED);
        return QK_OK;
    default:
        return QK_OK;
    }
}

static qk_err move(struct mpc_epoch *e)
{
    enum mpc_epoch_state before;
    do {
        before = e->state;
        QK_TRY(step(e));
    } while (e->state != before);
    return QK_OK;
}

/* A step that failed half-way must not be built upon. */
static qk_err or_stop(struct mpc_epoch *e, qk_err err)
{
    if (err != QK_OK) mpc_epoch_stop(e);
    return err;
}

/* ---- start, resume, end ---- */

static qk_err begin(struct mpc_epoch *e, struct qk_bytes payload)
{
    e->state = MPC_EPOCH_PREPARED;
    QK_TRY(mpc_queue_push(&e->queue, MPC_EFFECT_PERSIST, 0, e->run.sid, "share", payload));
    QK_TRY(sign_own(e, EP_PREP));
    QK_TRY(persist(e));
    QK_TRY(announce(e, EP_PREP));
    return move(e);
}

qk_err mpc_epoch_start(struct mpc_epoch **out, const struct mpc_epoch_run *run,
    const struct mpc_signer *signer, struct qk_bytes payload)
{
    QK_TRY(mpc_run_check(run));
    QK_ENSURE(payload.len >= 1 && payload.len <= MPC_EPOCH_PAYLOAD_MAX, QK_E_STATE);
    struct mpc_epoch *e = OPENSSL_zalloc(sizeof *e);
    QK_ENSURE(e, QK_E_NOMEM);
    e->run = *run;
    e->signer = signer;
    qk_err err = begin(e, payload);
    if (err != QK_OK) {
        mpc_epoch_free(e);
        return err;
    }
    *out = e;
    return QK_OK;
}

static qk_err go_on(struct mpc_epoch *e)
{
    bool over = mpc_state_ends(e->state);
    if (over && !e->destroyed) QK_TRY(destroy(e));
    QK_TRY(mpc_epoch_say_to_all(e, over ? EP_TELL : EP_ASK, &e->known));
    return move(e);
}

qk_err mpc_epoch_resume(
    struct mpc_epoch **out, const struct mpc_signer *signer, struct qk_bytes blob)
{
    struct mpc_epoch *e = OPENSSL_zalloc(sizeof *e);
    QK_ENSURE(e, QK_E_NOMEM);
    e->signer = signer;
    qk_err err = mpc_epoch_decode(blob, e);
    if (err == QK_OK) err = go_on(e);
    if (err != QK_OK) {
        mpc_epoch_free(e);
        return err;
    }
    *out = e;
    return QK_OK;
}

void mpc_epoch_free(struct mpc_epoch *e)
{
    if (!e) return;
    mpc_queue_clear(&e->queue);
    OPENSSL_clear_free(e, sizeof *e);
}

void mpc_epoch_stop(struct mpc_epoch *e)
{
    e->state = MPC_EPOCH_STOPPED;
    mpc_queue_clear(&e->queue);
}

bool mpc_epoch_next_effect(struct mpc_epoch *e, struct mpc_effect *out)
{
    return mpc_queue_pop(&e->queue, out);
}

/* ---- receiving ---- */

/* Our own statements come from our disk, never from a peer. Yet a vote or an abort that we signed
 * and do not remember means that this disk is older than what we said (K17): to go on could put
 * both into the world (B-3). */
static qk_err check_own(
    const struct mpc_epoch *e, enum mpc_stmt_kind kind, const uint8_t *msg, struct mpc_stmt *st)
{
    bool known = kind == EP_PREP || e->known.s[kind][mpc_epoch_self(e)].len > 0;
    size_t len = st->len;
    st->len = 0;
    if (known || len == 0) return QK_OK;
    QK_TRY(e->signer->verify(e->signer->ctx, e->run.self, msg, qk_bytes(st->sig, len)));
    return QK_E_CORRUPT;
}

/* Forget what we know already and what fenced participants say; verify the rest (check B-2). */
static qk_err verify_news(const struct mpc_epoch *e, struct mpc_stmts *got)
{
    for (unsigned kind = 0; kind < EP_KINDS; kind++) {
        uint8_t msg[64];
        QK_TRY(mpc_stmt_message(&e->run, (enum mpc_stmt_kind)kind, msg));
        for (size_t i = 0; i < e->run.n; i++) {
            struct mpc_stmt *st = &got->s[kind][i];
            if (i == mpc_epoch_self(e)) QK_TRY(check_own(e, (enum mpc_stmt_kind)kind, msg, st));
            if (e->known.s[kind][i].len || e->fenced[i]) st->len = 0;
            if (st->len == 0) continue;
            QK_TRY(
                e->signer->verify(e->signer->ctx, e->run.ids[i], msg, qk_bytes(st->sig, st->len)));
        }
    }
    return QK_OK;
}

static bool learn(struct mpc_epoch *e, const struct mpc_stmts *got)
{
    bool news = false;
    for (unsigned kind = 0; kind < EP_KINDS; kind++) {
        for (size_t i = 0; i < e->run.n; i++) {
            if (got->s[kind][i].len == 0) continue;
            e->known.s[kind][i] = got->s[kind][i];
            news = true;
        }
    }
    return news;
}

static qk_err react(struct mpc_epoch *e, size_t from, unsigned round, bool news)
{
    if (news) QK_TRY(persist(e));
    QK_TRY(move(e));
    if (round == EP_ASK) QK_TRY(mpc_epoch_say(e, EP_TELL, &e->known, from));
    return QK_OK;
}

qk_err mpc_epoch_receive(struct mpc_epoch *e, uint16_t from, struct qk_bytes frame)
{
    QK_ENSURE(e->state != MPC_EPOCH_STOPPED, QK_E_STATE);
    int ix = mpc_run_index(&e->run, from);
    QK_ENSURE(ix >= 0 && from != e->run.self, QK_E_STATE);
    QK_ENSURE(!e->fenced[ix], QK_E_DENIED);
    uint8_t proto, sid[32];
    QK_ENSURE(mpc_envelope_peek(frame, &proto, sid), QK_E_FOREIGN);
    QK_ENSURE(proto == MPC_PROTO_EPOCH && memcmp(sid, e->run.sid, 32) == 0, QK_E_FOREIGN);
    struct mpc_stmts got;
    unsigned round;
    QK_TRY(mpc_epoch_read(e, from, frame, &round, &got));
    qk_err err = verify_news(e, &got);
    if (err == QK_E_CORRUPT) mpc_epoch_stop(e);
    QK_TRY(err);
    return or_stop(e, react(e, (size_t)ix, round, learn(e, &got)));
}

/* ---- what the caller decides ---- */

qk_err mpc_epoch_ask(struct mpc_epoch *e)
{
    QK_ENSURE(e->state != MPC_EPOCH_STOPPED, QK_E_STATE);
    return or_stop(e, mpc_epoch_say_to_all(e, EP_ASK, &e->known));
}

static qk_err do_abort(struct mpc_epoch *e)
{
    QK_TRY(choose(e, EP_ABORT, MPC_EPOCH_ABORTING));
    return move(e);
}

qk_err mpc_epoch_abort(struct mpc_epoch *e)
{
    QK_ENSURE(e->state == MPC_EPOCH_PREPARED, QK_E_STATE);
    QK_ENSURE(mpc_epoch_votes(e) == 0 && !all_preps(e), QK_E_DENIED);
    return or_stop(e, do_abort(e));
}

qk_err mpc_epoch_forget(struct mpc_epoch *e)
{
    QK_ENSURE(e->state != MPC_EPOCH_STOPPED, QK_E_STATE);
    bool unvoted = e->state == MPC_EPOCH_PREPARED || e->state == MPC_EPOCH_ABORTING;
    QK_ENSURE(e->run.base == 0 && unvoted, QK_E_DENIED);
    return or_stop(e, finish(e, MPC_EPOCH_ABORTED));
}

static qk_err do_hold(struct mpc_epoch *e)
{
    e->state = MPC_EPOCH_HELD;
    return persist(e);
}

qk_err mpc_epoch_hold(struct mpc_epoch *e)
{
    QK_ENSURE(e->state == MPC_EPOCH_VOTED, QK_E_STATE);
    return or_stop(e, do_hold(e));
}

static qk_err do_release(struct mpc_epoch *e)
{
    e->state = MPC_EPOCH_VOTED;
    QK_TRY(persist(e));
    return move(e);
}

qk_err mpc_epoch_release(struct mpc_epoch *e)
{
    QK_ENSURE(e->state == MPC_EPOCH_HELD, QK_E_STATE);
    return or_stop(e, do_release(e));
}

qk_err mpc_epoch_supersede(struct mpc_epoch *e)
{
    QK_ENSURE(e->state == MPC_EPOCH_HELD || e->state == MPC_EPOCH_ABORTING, QK_E_STATE);
    return or_stop(e, finish(e, MPC_EPOCH_SUPERSEDED));
}

static qk_err do_fence(struct mpc_epoch *e, size_t ix)
{
    e->fenced[ix] = true;
    QK_TRY(persist(e));
    return move(e);
}

qk_err mpc_epoch_fence(struct mpc_epoch *e, uint16_t id)
{
    QK_ENSURE(e->state != MPC_EPOCH_STOPPED, QK_E_STATE);
    int ix = mpc_run_index(&e->run, id);
    QK_ENSURE(ix >= 0 && id != e->run.self, QK_E_STATE);
    if (e->fenced[ix]) return QK_OK;
    return or_stop(e, do_fence(e, (size_t)ix));
}
