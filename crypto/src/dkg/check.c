/* Round 2 as a receiver: the checks of document 10 section 1, round 3, in its order. */
#include "dkg/state.h"

static struct qk_bytes opened(const struct mpc_party *party, size_t j, size_t k)
{
    return mpc_engine_field(party, 2, j, MPC_TO_ALL, k);
}

static uint16_t peer(const struct mpc_party *party, size_t j)
{
    return party->s.peers[j].id;
}

/* C-11, D-1: with our stored copy of com, and with the sender's id. */
static qk_err check_opening(struct mpc_party *party, size_t j)
{
    QK_AUTO_BUF data = QK_BUF(MPC_FRAME_MAX);
    mpc_dkg_opening(&data, opened(party, j, DKG_OPEN_C), opened(party, j, DKG_OPEN_A),
        opened(party, j, DKG_OPEN_Z));
    QK_TRY(data.err);
    struct qk_bytes com = mpc_engine_field(party, 1, j, MPC_TO_ALL, 0);
    struct qk_bytes rho = opened(party, j, DKG_OPEN_RHO);
    QK_ENSURE(com.len == 64 && rho.len == 32, QK_E_STATE);
    qk_err err = mpc_commit_verify(com.p, party->sid, peer(party, j),
        mpc_dkg_role(party, peer(party, j)), qk_buf_view(&data), rho.p);
    return qk_peer_fault(err) ? mpc_fail_p(party, peer(party, j), "D-1", err) : err;
}

/* The row fixed the length of C to exactly t points (D-2); every one must be valid (C-3). */
static qk_err decode_points(struct mpc_party *party, size_t j)
{
    struct mpc_dkg *st = party->state;
    size_t pt = party->curve->pt;
    struct qk_bytes c = opened(party, j, DKG_OPEN_C);
    for (size_t k = 0; (k + 1) * pt <= c.len; k++) {
        struct mpc_point *p = &st->points[j * party->s.t + k];
        qk_err err = mpc_point_decode_var(p, qk_bytes(c.p + k * pt, pt));
        if (qk_peer_fault(err)) return mpc_fail_p(party, peer(party, j), "C-3", err);
        QK_TRY(err);
    }
    return QK_OK;
}

static qk_err check_proof(struct mpc_party *party, size_t j)
{
    struct mpc_dkg *st = party->state;
    qk_err err = mpc_pok_verify(party->curve, party->sid, peer(party, j),
        mpc_dkg_role(party, peer(party, j)), &st->points[j * party->s.t],
        opened(party, j, DKG_OPEN_A), opened(party, j, DKG_OPEN_Z));
    return qk_peer_fault(err) ? mpc_fail_p(party, peer(party, j), "D-3", err) : err;
}

static qk_err alloc_points(struct mpc_party *party)
{
    struct mpc_dkg *st = party->state;
    size_t n = (size_t)party->s.n_peers * party->s.t;
    st->points = OPENSSL_zalloc(n * sizeof *st->points);
    QK_ENSURE(st->points, QK_E_NOMEM);
    st->n_points = n;
    for (size_t i = 0; i < n; i++) QK_TRY(mpc_point_init(&st->points[i], party->curve));
    return QK_OK;
}

static qk_err check_openings(struct mpc_party *party)
{
    for (size_t j = 0; j < party->s.n_peers; j++)
        if (j != party->self_ix)
            QK_TRY(mpc_engine_check_echo(party, 1, opened(party, j, DKG_OPEN_ECHO)));
    for (size_t j = 0; j < party->s.n_peers; j++)
        if (j != party->self_ix) QK_TRY(check_opening(party, j));
    QK_TRY(alloc_points(party));
    for (size_t j = 0; j < party->s.n_peers; j++) QK_TRY(decode_points(party, j));
    for (size_t j = 0; j < party->s.n_peers; j++)
        if (j != party->self_ix) QK_TRY(check_proof(party, j));
    return QK_OK;
}

/* D-4: s*G = sum of i^k * C_{j,k}; adds s to x. Either side may be O (D-5). */
static qk_err take_share(struct mpc_party *party, size_t j, struct mpc_scalar *x)
{
    struct mpc_dkg *st = party->state;
    const struct mpc_curve *c = party->curve;
    MPC_SCALAR(s);
    MPC_POINT(left);
    MPC_POINT(right);
    QK_TRY(mpc_point_init(&left, c));
    QK_TRY(mpc_point_init(&right, c));
    qk_err err = mpc_scalar_decode(c, &s, mpc_engine_field(party, 2, j, MPC_TO_ONE, 0));
    if (qk_peer_fault(err)) return mpc_fail_p(party, peer(party, j), "D-4", err);
    QK_TRY(err);
    QK_TRY(mpc_point_mul_base(&left, &s));
    QK_TRY(mpc_point_poly_eval_var(&right, &st->points[j * party->s.t], party->s.t, party->s.self));
    err = mpc_point_check_eq_var(&left, &right);
    if (err == QK_E_PROOF) return mpc_fail_p(party, peer(party, j), "D-4", err);
    QK_TRY(err);
    mpc_scalar_add(c, x, x, &s);
    return QK_OK;
}

static qk_err sum_shares(struct mpc_party *party)
{
    struct mpc_dkg *st = party->state;
    st->share.curve = party->s.curve;
    st->share.self = party->s.self;
    if (party->s.self == MPC_DELEGATE) {
        st->share.x = st->coeffs[0];
        return QK_OK;
    }
    st->share.x = st->own;
    for (size_t j = 0; j < party->s.n_peers; j++)
        if (j != party->self_ix && peer(party, j) != MPC_DELEGATE)
            QK_TRY(take_share(party, j, &st->share.x));
    return QK_OK;
}

static void wipe_dealing(struct mpc_dkg *st)
{
    qk_wipe(st->coeffs, sizeof st->coeffs);
    mpc_scalar_wipe(&st->own);
    qk_wipe(st->rho, sizeof st->rho);
}

static qk_err send_result(struct mpc_party *party)
{
    struct mpc_dkg *st = party->state;
    uint8_t echo[32], rec[32];
    QK_TRY(mpc_engine_echo(party, 2, echo));
    QK_TRY(mpc_record_hash(&st->record, rec));
    QK_TRY(mpc_h32(
        st->v, MPC_L_DKG_OUT, MPC_FIELDS(QK_BYTES(party->sid), QK_BYTES(rec), QK_BYTES(echo))));
    struct qk_bytes fields[] = {
        [DKG_RESULT_ECHO] = QK_BYTES(echo), [DKG_RESULT_V] = QK_BYTES(st->v)};
    return mpc_engine_send(party, DKG_RESULT, 0, fields);
}

qk_err mpc_dkg_check(struct mpc_party *party)
{
    QK_TRY(check_openings(party));
    QK_TRY(sum_shares(party));
    wipe_dealing(party->state);
    QK_TRY(mpc_dkg_build_record(party));
    return send_result(party);
}
