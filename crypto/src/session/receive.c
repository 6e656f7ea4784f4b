/* The way of a frame into a party. */
#include "session/envelope.h"
#include "session/internal.h"

#include "qk/pack.h"

/* Queue one of a row's messages. */
qk_err mpc_engine_send(
    struct mpc_party *party, size_t row_ix, uint16_t to, const struct qk_bytes *fields)
{
    QK_ENSURE(row_ix < party->def->n_rows, QK_E_STATE);
    const struct mpc_row *row = &party->def->rows[row_ix];
    QK_ENSURE(row->from & mpc_engine_class(party, party->s.self), QK_E_STATE);
    if (row->way == MPC_TO_ALL) {
        QK_ENSURE(to == 0, QK_E_STATE);
    } else {
        QK_ENSURE(mpc_engine_index(party, to) >= 0 && to != party->s.self, QK_E_STATE);
        QK_ENSURE(row->to & mpc_engine_class(party, to), QK_E_STATE);
    }
    QK_AUTO_BUF body = QK_BUF_SECRET(MPC_FRAME_MAX);
    QK_TRY(mpc_body_encode(party, row, fields, &body));
    QK_TRY(mpc_echo_note(party, row, party->self_ix, qk_buf_view(&body), fields));
    if (row->way == MPC_TO_ALL) {
        struct mpc_seen *seen = &party->seen[row->round][party->self_ix][MPC_TO_ALL];
        QK_ENSURE(!seen->have, QK_E_STATE);
        QK_TRY(mpc_msg_new(&seen->msg, party, row, qk_buf_view(&body)));
        seen->have = true;
        if (party->s.n_peers == 1) return QK_OK;
    }
    return mpc_queue_frame(party, row->round, to, qk_buf_view(&body));
}

static qk_err malformed(struct mpc_party *party, uint16_t from)
{
    return mpc_fail_p(party, from, "C-7", QK_E_MALFORMED);
}

/* Round 0. A second, different nonce for one OPEN comes from a peer that restarted in between: the
 * session is dead, but that is no strike (there is no sid yet that it could have lied under). */
static qk_err take_nonce(struct mpc_party *party, size_t ix, const struct mpc_envelope *env)
{
    uint16_t from = party->s.peers[ix].id;
    uint8_t nonce[32];
    struct qk_unpack u = qk_unpack(env->body);
    if (env->to != 0 || qk_unpack_map(&u, 1) != QK_OK ||
        qk_unpack_key_fixed(&u, "nonce", nonce, 32) != QK_OK || qk_unpack_end(&u) != QK_OK)
        return malformed(party, from);
    struct mpc_seen *seen = &party->seen[0][ix][MPC_TO_ALL];
    if (seen->have) {
        if (memcmp(seen->digest, nonce, 32) == 0) return QK_OK;
        return mpc_fail_n(party, "C-10", QK_E_MISMATCH);
    }
    memcpy(seen->digest, nonce, 32);
    memcpy(party->nonce[ix], nonce, 32);
    seen->have = true;
    return QK_OK;
}

/* While the message is there its bytes are compared; only a released one has a digest. */
static qk_err seen_same(const struct mpc_seen *seen, struct qk_bytes body, bool *same)
{
    uint8_t digest[32];
    if (seen->msg) {
        *same = qk_bytes_eq(qk_buf_view(&seen->msg->body), body);
        return QK_OK;
    }
    QK_TRY(mpc_h32(digest, MPC_L_BC, MPC_FIELDS(body)));
    *same = memcmp(seen->digest, digest, 32) == 0;
    return QK_OK;
}

qk_err mpc_engine_take(struct mpc_party *party, size_t ix, const struct mpc_envelope *env)
{
    uint16_t from = party->s.peers[ix].id;
    enum mpc_way way = env->to == 0 ? MPC_TO_ALL : MPC_TO_ONE;
    if (env->from != from || (env->to != 0 && env->to != party->s.self) || env->round == 0 ||
        env->round >= party->def->n_rounds)
        return malformed(party, from);
    const struct mpc_row *row = mpc_engine_row(party, env->round, way, from);
    if (!row || !mpc_engine_expects(party, env->round, way, from, party->s.self))
        return malformed(party, from);
    QK_ENSURE(env->round <= party->round + 1, QK_E_EARLY);
    struct mpc_seen *seen = &party->seen[env->round][ix][way];
    if (seen->have) {
        bool same;
        QK_TRY(seen_same(seen, env->body, &same));
        if (same) return QK_OK;
        return mpc_fail_p(party, from, "C-10", QK_E_UNEXPECTED);
    }
    qk_err err = mpc_msg_new(&seen->msg, party, row, env->body);
    if (err == QK_E_MALFORMED) return malformed(party, from);
    QK_TRY(err);
    seen->have = true;
    return mpc_echo_note(party, row, ix, env->body, seen->msg->field);
}

/* The sid is not known yet, so nothing can be checked and nobody blamed: keep one frame per sender
 * and kind. */
static qk_err keep_early(struct mpc_party *party, size_t ix, struct qk_bytes frame)
{
    struct mpc_envelope env;
    if (mpc_envelope_decode(frame, &env) != QK_OK || env.round != 1) return QK_E_FOREIGN;
    struct mpc_early *early = &party->early[ix][env.to != 0];
    if (early->have) {
        bool same = qk_bytes_eq(qk_buf_view(&early->frame), frame);
        return same ? QK_OK : QK_E_EARLY;
    }
    early->frame = (struct qk_buf)QK_BUF_SECRET(MPC_FRAME_MAX);
    qk_buf_add(&early->frame, frame.p, frame.len);
    QK_TRY(early->frame.err);
    early->have = true;
    return QK_OK;
}

static qk_err take_abort(struct mpc_party *party, uint16_t from, const struct mpc_envelope *env)
{
    static const uint8_t code = 1;
    struct qk_unpack u = qk_unpack(env->body);
    struct qk_bytes got;
    if (qk_unpack_map(&u, 1) != QK_OK || qk_unpack_key_bin(&u, "code", 1, 1, &got) != QK_OK ||
        qk_unpack_end(&u) != QK_OK || got.p[0] != code)
        return malformed(party, from);
    return mpc_fail_n(party, "peer aborted", QK_E_MISMATCH);
}

/* A frame of this session (by sid) or of its opening (by open id). */
static qk_err take_frame(struct mpc_party *party, size_t ix, struct qk_bytes frame, bool opening)
{
    uint16_t from = party->s.peers[ix].id;
    struct mpc_envelope env;
    if (mpc_envelope_decode(frame, &env) != QK_OK) return malformed(party, from);
    if (env.from != from) return malformed(party, from);
    if (env.round == MPC_ROUND_ABORT) return take_abort(party, from, &env);
    if (opening != (env.round == 0)) return malformed(party, from);
    return opening ? take_nonce(party, ix, &env) : mpc_engine_take(party, ix, &env);
}

qk_err mpc_party_receive(struct mpc_party *party, uint16_t from, struct qk_bytes frame)
{
    QK_ENSURE(party->phase == MPC_RUNNING, QK_E_STATE);
    int ix = mpc_engine_index(party, from);
    QK_ENSURE(ix >= 0 && from != party->s.self, QK_E_STATE);
    uint8_t proto, id[32];
    QK_ENSURE(mpc_envelope_peek(frame, &proto, id), QK_E_FOREIGN);
    QK_ENSURE(proto == party->def->proto, QK_E_FOREIGN);
    bool opening = memcmp(id, party->open_id, 32) == 0;
    if (!opening && !party->have_sid) {
        qk_err kept = keep_early(party, (size_t)ix, frame);
        if (kept >= QK_E_RNG) mpc_engine_abort(party, kept, true, 0);
        return kept;
    }
    QK_ENSURE(opening || memcmp(id, party->sid, 32) == 0, QK_E_FOREIGN); /* C-5 */

    qk_err err = take_frame(party, (size_t)ix, frame, opening);
    if (err == QK_E_EARLY) return err;
    if (err != QK_OK) {
        bool by_peer = party->blame.check && strcmp(party->blame.check, "peer aborted") == 0;
        mpc_engine_abort(party, err, !by_peer, party->queue.n);
        return err;
    }
    return mpc_engine_advance(party);
}
