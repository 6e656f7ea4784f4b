/* Frames of the epoch commit. */
#include "epoch/state.h"
#include "session/envelope.h"

#include "qk/pack.h"

size_t mpc_epoch_self(const struct mpc_epoch *e)
{
    return (size_t)mpc_run_index(&e->run, e->run.self);
}

static qk_err push_send(struct mpc_epoch *e, unsigned round, size_t to, struct qk_bytes body)
{
    struct mpc_envelope env = {.proto = MPC_PROTO_EPOCH,
        .round = (uint8_t)round,
        .from = e->run.self,
        .to = e->run.ids[to],
        .body = body};
    memcpy(env.sid, e->run.sid, 32);
    QK_AUTO_BUF frame = QK_BUF(MPC_EPOCH_STATE_MAX);
    mpc_envelope_encode(&frame, &env);
    QK_TRY(frame.err);
    return mpc_queue_push(
        &e->queue, MPC_EFFECT_SEND, e->run.ids[to], NULL, "", qk_buf_view(&frame));
}

qk_err mpc_epoch_say(struct mpc_epoch *e, unsigned round, const struct mpc_stmts *what, size_t to)
{
    QK_AUTO_BUF st = QK_BUF(MPC_EPOCH_STATE_MAX);
    QK_AUTO_BUF body = QK_BUF(MPC_EPOCH_STATE_MAX);
    mpc_stmts_encode(&e->run, what, EP_KINDS, &st);
    QK_TRY(st.err);
    qk_pack_map(&body, 1);
    qk_pack_key_bin(&body, "st", qk_buf_view(&st));
    QK_TRY(body.err);
    return push_send(e, round, to, qk_buf_view(&body));
}

qk_err mpc_epoch_say_to_all(struct mpc_epoch *e, unsigned round, const struct mpc_stmts *what)
{
    for (size_t i = 0; i < e->run.n; i++)
        if (i != mpc_epoch_self(e) && !e->fenced[i]) QK_TRY(mpc_epoch_say(e, round, what, i));
    return QK_OK;
}

qk_err mpc_epoch_read(const struct mpc_epoch *e, uint16_t from, struct qk_bytes frame,
    unsigned *round, struct mpc_stmts *out)
{
    struct mpc_envelope env;
    struct qk_bytes st;
    QK_TRY(mpc_envelope_decode(frame, &env));
    QK_ENSURE(env.from == from && env.to == e->run.self, QK_E_MALFORMED);
    QK_ENSURE(env.round == EP_TELL || env.round == EP_ASK, QK_E_MALFORMED);
    struct qk_unpack u = qk_unpack(env.body);
    QK_TRY(qk_unpack_map(&u, 1));
    QK_TRY(qk_unpack_key_bin(&u, "st", 0, MPC_EPOCH_STATE_MAX, &st));
    QK_TRY(qk_unpack_end(&u));
    *round = env.round;
    return mpc_stmts_decode(&e->run, st, out);
}
