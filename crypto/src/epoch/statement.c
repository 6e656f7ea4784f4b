/* What participants sign, and how it travels. */
#include "epoch/state.h"

#include "mpc/session.h"

qk_err mpc_run_check(const struct mpc_epoch_run *run)
{
    QK_ENSURE(run->n >= 1 && run->n <= MPC_PARTIES_MAX, QK_E_STATE);
    size_t n_nodes = 0;
    for (size_t i = 0; i < run->n; i++) {
        uint16_t id = run->ids[i];
        QK_ENSURE((id >= 1 && id <= 255) || id == MPC_DELEGATE, QK_E_STATE);
        QK_ENSURE(i == 0 || id > run->ids[i - 1], QK_E_STATE);
        n_nodes += id != MPC_DELEGATE;
    }
    QK_ENSURE(run->t >= 1 && run->t <= n_nodes, QK_E_STATE);
    QK_ENSURE(mpc_run_index(run, run->self) >= 0, QK_E_STATE);
    return QK_OK;
}

int mpc_run_index(const struct mpc_epoch_run *run, uint16_t id)
{
    for (size_t i = 0; i < run->n; i++)
        if (run->ids[i] == id) return (int)i;
    return -1;
}

qk_err mpc_stmt_message(
    const struct mpc_epoch_run *run, enum mpc_stmt_kind kind, uint8_t out[static 64])
{
    struct qk_bytes base = MPC_U32(run->base);
    if (kind == EP_ABORT)
        return mpc_h(
            out, MPC_L_EP_ABORT, MPC_FIELDS(QK_BYTES(run->sid), QK_BYTES(run->key_id), base));
    return mpc_h(out, kind == EP_PREP ? MPC_L_EP_PREP : MPC_L_EP_VOTE,
        MPC_FIELDS(QK_BYTES(run->sid), QK_BYTES(run->key_id), base, QK_BYTES(run->rec)));
}

void mpc_stmts_encode(const struct mpc_epoch_run *run, const struct mpc_stmts *s,
    enum mpc_stmt_kind only, struct qk_buf *out)
{
    for (unsigned kind = 0; kind < EP_KINDS; kind++) {
        if (only != EP_KINDS && only != kind) continue;
        for (size_t i = 0; i < run->n; i++) {
            const struct mpc_stmt *st = &s->s[kind][i];
            if (st->len == 0) continue;
            qk_buf_add_u8(out, (uint8_t)kind);
            qk_buf_add_u16(out, run->ids[i]);
            qk_buf_add_u8(out, st->len);
            qk_buf_add(out, st->sig, st->len);
        }
    }
}

/* Ascending (kind, id), so that a list has one encoding and is bounded by itself. */
qk_err mpc_stmts_decode(const struct mpc_epoch_run *run, struct qk_bytes in, struct mpc_stmts *out)
{
    struct mpc_stmts got = {0};
    int64_t last = -1;
    while (in.len > 0) {
        QK_ENSURE(in.len >= 4, QK_E_MALFORMED);
        unsigned kind = in.p[0], len = in.p[3];
        int ix = mpc_run_index(run, qk_get_u16(in.p + 1));
        QK_ENSURE(kind < EP_KINDS && ix >= 0, QK_E_MALFORMED);
        QK_ENSURE(len >= 1 && len <= MPC_SIG_MAX && in.len - 4 >= len, QK_E_MALFORMED);
        int64_t at = (int64_t)kind * MPC_PARTIES_MAX + ix;
        QK_ENSURE(at > last, QK_E_MALFORMED);
        last = at;
        got.s[kind][ix].len = (uint8_t)len;
        memcpy(got.s[kind][ix].sig, in.p + 4, len);
        in = qk_bytes(in.p + 4 + len, in.len - 4 - len);
    }
    *out = got;
    return QK_OK;
}

qk_err mpc_epoch_certificate_verify(const struct mpc_epoch_run *run,
    const struct mpc_signer *signer, struct qk_bytes in, size_t *n_votes)
{
    struct mpc_stmts got;
    uint8_t msg[64];
    size_t n = 0;
    QK_TRY(mpc_stmts_decode(run, in, &got));
    QK_TRY(mpc_stmt_message(run, EP_VOTE, msg));
    for (size_t i = 0; i < run->n; i++) {
        QK_ENSURE(got.s[EP_PREP][i].len == 0 && got.s[EP_ABORT][i].len == 0, QK_E_MALFORMED);
        const struct mpc_stmt *st = &got.s[EP_VOTE][i];
        if (st->len == 0) continue;
        QK_TRY(signer->verify(signer->ctx, run->ids[i], msg, qk_bytes(st->sig, st->len)));
        n++;
    }
    QK_ENSURE(n >= run->t, QK_E_PROOF);
    *n_votes = n;
    return QK_OK;
}
