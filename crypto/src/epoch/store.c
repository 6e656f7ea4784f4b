/* The durable form of a run: canonical msgpack, public. */
#include "epoch/state.h"

#include "qk/pack.h"

bool mpc_state_ends(enum mpc_epoch_state state)
{
    return state == MPC_EPOCH_DONE || state == MPC_EPOCH_ABORTED || state == MPC_EPOCH_SUPERSEDED;
}

/* The states that came later are of version 2: so one damaged byte makes none of them out of
 * another, which could cost a share. */
static uint64_t version_of(uint64_t state)
{
    return state == MPC_EPOCH_HELD || state == MPC_EPOCH_SUPERSEDED ? 2 : 1;
}

qk_err mpc_epoch_encode(const struct mpc_epoch *e, struct qk_buf *out)
{
    const struct mpc_epoch_run *r = &e->run;
    QK_AUTO_BUF st = QK_BUF(MPC_EPOCH_STATE_MAX);
    mpc_stmts_encode(r, &e->known, EP_KINDS, &st);
    QK_TRY(st.err);
    qk_pack_map(out, 13);
    qk_pack_key_uint(out, "v", version_of(e->state));
    qk_pack_key_uint(out, "state", e->state);
    qk_pack_key_bool(out, "destroyed", e->destroyed);
    qk_pack_key_bin(out, "sid", QK_BYTES(r->sid));
    qk_pack_key_bin(out, "key_id", QK_BYTES(r->key_id));
    qk_pack_key_uint(out, "base", r->base);
    qk_pack_key_bin(out, "rec", QK_BYTES(r->rec));
    qk_pack_key_uint(out, "t", r->t);
    qk_pack_key_uint(out, "n", r->n);
    qk_pack_key(out, "ids");
    qk_pack_array(out, r->n);
    for (size_t i = 0; i < r->n; i++) qk_pack_uint(out, r->ids[i]);
    qk_pack_key(out, "fenced");
    qk_pack_array(out, r->n);
    for (size_t i = 0; i < r->n; i++) qk_pack_bool(out, e->fenced[i]);
    qk_pack_key_uint(out, "self", r->self);
    qk_pack_key_bin(out, "st", qk_buf_view(&st));
    return out->err;
}

static qk_err read_run(struct qk_unpack *u, struct mpc_epoch_run *r)
{
    uint64_t base, t, n, id;
    uint32_t count;
    QK_TRY(qk_unpack_key_fixed(u, "sid", r->sid, 32));
    QK_TRY(qk_unpack_key_fixed(u, "key_id", r->key_id, 16));
    QK_TRY(qk_unpack_key_uint(u, "base", UINT32_MAX, &base));
    QK_TRY(qk_unpack_key_fixed(u, "rec", r->rec, 32));
    QK_TRY(qk_unpack_key_uint(u, "t", MPC_NODES_MAX, &t));
    QK_TRY(qk_unpack_key_uint(u, "n", MPC_PARTIES_MAX, &n));
    r->base = (uint32_t)base;
    r->t = (uint16_t)t;
    r->n = (uint16_t)n;
    QK_TRY(qk_unpack_key(u, "ids"));
    QK_TRY(qk_unpack_array(u, r->n, r->n, &count));
    for (size_t i = 0; i < r->n; i++) {
        QK_TRY(qk_unpack_uint(u, 65535, &id));
        r->ids[i] = (uint16_t)id;
    }
    return QK_OK;
}

static qk_err read_all(struct qk_bytes in, struct mpc_epoch *e)
{
    struct qk_unpack u = qk_unpack(in);
    uint64_t v, state, self;
    uint32_t count;
    struct qk_bytes st;
    QK_TRY(qk_unpack_map(&u, 13));
    QK_TRY(qk_unpack_key_uint(&u, "v", 2, &v));
    QK_TRY(qk_unpack_key_uint(&u, "state", MPC_EPOCH_SUPERSEDED, &state));
    QK_TRY(qk_unpack_key_bool(&u, "destroyed", &e->destroyed));
    QK_TRY(read_run(&u, &e->run));
    QK_TRY(qk_unpack_key(&u, "fenced"));
    QK_TRY(qk_unpack_array(&u, e->run.n, e->run.n, &count));
    for (size_t i = 0; i < e->run.n; i++) QK_TRY(qk_unpack_bool(&u, &e->fenced[i]));
    QK_TRY(qk_unpack_key_uint(&u, "self", 65535, &self));
    QK_TRY(qk_unpack_key_bin(&u, "st", 0, MPC_EPOCH_STATE_MAX, &st));
    QK_TRY(qk_unpack_end(&u));
    e->run.self = (uint16_t)self;
    QK_ENSURE(v == version_of(state), QK_E_CORRUPT);
    QK_ENSURE(state >= MPC_EPOCH_PREPARED && state != MPC_EPOCH_STOPPED, QK_E_CORRUPT);
    e->state = (enum mpc_epoch_state)state;
    QK_TRY(mpc_run_check(&e->run));
    return mpc_stmts_decode(&e->run, st, &e->known);
}

/* Statements of this kind, whoever was fenced since. */
static size_t n_known(const struct mpc_epoch *e, enum mpc_stmt_kind kind)
{
    size_t n = 0;
    for (size_t i = 0; i < e->run.n; i++) n += e->known.s[kind][i].len > 0;
    return n;
}

/* The votes that decided are there: all unfenced ones, and t in all (rule 2). Fencing after the
 * decision takes nothing away from it. */
static bool has_complete(const struct mpc_epoch *e)
{
    for (size_t i = 0; i < e->run.n; i++)
        if (!e->fenced[i] && e->known.s[EP_VOTE][i].len == 0) return false;
    return n_known(e, EP_VOTE) >= e->run.t;
}

/* The certificate of abortion is there (rule 3), or it was a creation without our vote that was
 * given up (rule 8). */
static bool has_end(const struct mpc_epoch *e, bool vote)
{
    size_t f = 0;
    for (size_t i = 0; i < e->run.n; i++) f += e->fenced[i];
    size_t need = e->run.t > f + 1 ? e->run.t - f : 1;
    return n_known(e, EP_ABORT) >= need || (e->run.base == 0 && !vote);
}

/* A state contradicts itself if it lacks what must have been signed to get there, or holds both.
 * What would destroy a share is looked at most closely: no single damaged byte may do that. */
static bool consistent(const struct mpc_epoch *e)
{
    size_t me = (size_t)mpc_run_index(&e->run, e->run.self);
    bool prep = e->known.s[EP_PREP][me].len, vote = e->known.s[EP_VOTE][me].len,
         abort = e->known.s[EP_ABORT][me].len;
    if (!prep || (vote && abort) || e->fenced[me]) return false;
    if (e->destroyed && !mpc_state_ends(e->state)) return false;
    if (vote && n_known(e, EP_PREP) != e->run.n) return false; /* rule 1 */
    if (e->state == MPC_EPOCH_DONE) return vote && has_complete(e);
    if (e->state == MPC_EPOCH_ABORTED) return has_end(e, vote);
    if (e->state == MPC_EPOCH_PREPARED) return !vote && !abort;
    if (e->state == MPC_EPOCH_VOTED || e->state == MPC_EPOCH_HELD) return vote;
    if (e->state == MPC_EPOCH_ABORTING) return abort;
    return vote || abort; /* SUPERSEDED */
}

qk_err mpc_epoch_decode(struct qk_bytes in, struct mpc_epoch *e)
{
    QK_ENSURE(in.len <= MPC_EPOCH_STATE_MAX, QK_E_CORRUPT);
    QK_ENSURE(read_all(in, e) == QK_OK && consistent(e), QK_E_CORRUPT);
    return QK_OK;
}
