/* The checks on round 2, in the order of the document, and the local sums. */
#include "ecdsa/sign.h"

#include "mpc/proof.h"

static struct qk_bytes field_2(
    const struct mpc_party *party, const struct sign_peer *peer, enum sign_field_2 f)
{
    size_t ix = (size_t)mpc_engine_index(party, peer->id);
    return mpc_engine_field(party, 2, ix, MPC_TO_ONE, f);
}

/* ---- format: points (C-3) and scalars (E-9) ---- */

static qk_err decode_points(struct mpc_party *party, struct sign_peer *peer)
{
    QK_TRY(mpc_point_decode_var(&peer->big_r, field_2(party, peer, F2_R)));
    QK_TRY(mpc_point_decode_var(&peer->big_p, field_2(party, peer, F2_P)));
    QK_TRY(mpc_point_decode_var(&peer->gamma[0], field_2(party, peer, F2_GU)));
    return mpc_point_decode_var(&peer->gamma[1], field_2(party, peer, F2_GV));
}

static qk_err check_scalars(const struct mpc_curve *c, struct qk_bytes v)
{
    struct mpc_scalar s;
    for (size_t at = 0; at < v.len; at += c->lq)
        QK_TRY(mpc_scalar_decode(c, &s, qk_bytes(v.p + at, c->lq)));
    return QK_OK;
}

static qk_err check_format(struct mpc_party *party, struct sign_peer *peer)
{
    const struct mpc_curve *c = party->curve;
    qk_err err = decode_points(party, peer);
    if (err == QK_E_MALFORMED) return mpc_fail_p(party, peer->id, "C-3", err);
    QK_TRY(err);
    if (check_scalars(c, field_2(party, peer, F2_AT)) != QK_OK ||
        check_scalars(c, field_2(party, peer, F2_ETA)) != QK_OK ||
        mpc_scalar_decode(c, &peer->psi, field_2(party, peer, F2_PSI)) != QK_OK)
        return mpc_fail_p(party, peer->id, "E-9", QK_E_MALFORMED);
    return QK_OK;
}

/* E-10 */
static qk_err check_opening(struct mpc_party *party, const struct sign_peer *peer)
{
    qk_err err = mpc_commit_verify(peer->com, party->sid, peer->id, MPC_L_ECDSA_R,
        field_2(party, peer, F2_R), field_2(party, peer, F2_RHO).p);
    return err == QK_E_PROOF ? mpc_fail_p(party, peer->id, "E-10", err) : err;
}

/* ---- the checks whose outcome depends on our secrets ---- */

/* Does b*P = d*G + Gamma? Compared as encodings in constant time: b*P is not public. */
static qk_err check_product(const struct mpc_curve *c, const struct mpc_scalar *b,
    const struct mpc_point *p, const struct mpc_scalar *d, const struct mpc_point *gamma, bool *ok)
{
    MPC_POINT(left);
    MPC_POINT(right);
    uint8_t l[MPC_POINT_MAX], r[MPC_POINT_MAX];
    QK_TRY(mpc_point_init(&left, c));
    QK_TRY(mpc_point_init(&right, c));
    QK_TRY(mpc_point_mul(&left, b, p));
    QK_TRY(mpc_point_mul_base(&right, d));
    QK_TRY(mpc_point_add(&right, &right, gamma));
    *ok = false;
    /* O on a side has probability 1/q with an honest peer: a failed check. */
    if (mpc_point_is_infinity(&left) || mpc_point_is_infinity(&right)) return QK_OK;
    QK_TRY(mpc_point_encode(l, &left));
    QK_TRY(mpc_point_encode(r, &right));
    *ok = CRYPTO_memcmp(l, r, c->pt) == 0;
    qk_wipe(l, sizeof l);
    qk_wipe(r, sizeof r);
    return QK_OK;
}

/* E-8, then G1 and G2. NULL in *check if all hold, else the name of the first that fails, also if
 * something else went wrong behind it. */
static qk_err check_secrets(struct mpc_party *party, struct sign_peer *peer, const char **check)
{
    struct otext_msg sent = sign_sent_msg(peer);
    struct rvole_answer answer = {
        field_2(party, peer, F2_AT), field_2(party, peer, F2_ETA), field_2(party, peer, F2_MU)};
    qk_err err = rvole_bob(&peer->bob, peer->x, peer->t_rows.p, &sent, &answer, peer->d);
    *check = err == QK_E_PROOF ? "E-8" : NULL;
    QK_ENSURE(err == QK_OK || err == QK_E_PROOF, err);
    bool g1, g2;
    const struct mpc_curve *c = party->curve;
    QK_TRY(check_product(c, &peer->b, &peer->big_r, &peer->d[0], &peer->gamma[0], &g1));
    QK_TRY(check_product(c, &peer->b, &peer->big_p, &peer->d[1], &peer->gamma[1], &g2));
    if (!*check) *check = !g1 ? "E-11" : !g2 ? "E-12" : NULL;
    return QK_OK;
}

static qk_err check_all_secrets(struct mpc_party *party)
{
    struct sign *s = party->state;
    qk_err result = QK_OK;
    for (size_t i = 0; i < s->n_peers; i++) {
        struct sign_peer *peer = &s->peers[i];
        const char *check;
        qk_err err = check_secrets(party, peer, &check);
        if (check) {
            QK_TRY(mpc_engine_effect(party, MPC_EFFECT_SETUP_POISON, peer->id, peer->setup->id,
                "ot setup", qk_bytes(NULL, 0)));
            result = mpc_fail_x(party, peer->id, check, QK_E_PROOF);
        }
        QK_TRY(err);
    }
    return result;
}

/* ---- G3 and G4 (E-13) ---- */

/* With two signers it can only be the other one; among more nobody is provably guilty. */
static qk_err fail_sum(struct mpc_party *party)
{
    struct sign *s = party->state;
    if (s->n_peers == 1) return mpc_fail_p(party, s->peers[0].id, "E-13", QK_E_PROOF);
    return mpc_fail_n(party, "E-13", QK_E_PROOF);
}

static qk_err check_sums(struct mpc_party *party)
{
    struct sign *s = party->state;
    const struct mpc_curve *c = party->curve;
    for (size_t i = 0; i < s->n_peers; i++) {
        QK_TRY(mpc_point_add(&s->big_r, &s->big_r, &s->peers[i].big_r));
        QK_TRY(mpc_point_add(&s->big_p, &s->big_p, &s->peers[i].big_p));
    }
    uint8_t sum[MPC_POINT_MAX];
    if (mpc_point_is_infinity(&s->big_p)) return fail_sum(party);
    QK_TRY(mpc_point_encode(sum, &s->big_p));
    if (memcmp(sum, s->rec.pk, c->pt) != 0) return fail_sum(party);
    if (mpc_point_is_infinity(&s->big_r)) return fail_sum(party);
    struct mpc_scalar r;
    QK_TRY(mpc_point_x_mod_q(&r, &s->big_r));
    if (mpc_scalar_zero_mask(&r)) return fail_sum(party);
    return mpc_point_encode(s->out_r, &s->big_r);
}

/* ---- u_i = r_i Phi + sum (c^u + d^u), v_i = sk_i Phi + sum (c^v + d^v) ---- */

static void local_sums(struct mpc_party *party)
{
    struct sign *s = party->state;
    const struct mpc_curve *c = party->curve;
    MPC_SCALAR(big_phi);
    big_phi = s->phi;
    for (size_t i = 0; i < s->n_peers; i++) mpc_scalar_add(c, &big_phi, &big_phi, &s->peers[i].psi);
    mpc_scalar_mul(c, &s->u, &s->r, &big_phi);
    mpc_scalar_mul(c, &s->v, &s->sk, &big_phi);
    for (size_t i = 0; i < s->n_peers; i++) {
        const struct sign_peer *p = &s->peers[i];
        mpc_scalar_add(c, &s->u, &s->u, &p->c[0]);
        mpc_scalar_add(c, &s->u, &s->u, &p->d[0]);
        mpc_scalar_add(c, &s->v, &s->v, &p->c[1]);
        mpc_scalar_add(c, &s->v, &s->v, &p->d[1]);
    }
}

/* The setup may have been poisoned by another session in the meantime: no result then. */
static qk_err use_setups(struct mpc_party *party)
{
    struct sign *s = party->state;
    for (size_t i = 0; i < s->n_peers; i++)
        QK_TRY(mpc_engine_effect(party, MPC_EFFECT_SETUP_USE, s->peers[i].id, s->peers[i].setup->id,
            "ot setup", qk_bytes(NULL, 0)));
    return QK_OK;
}

qk_err sign_finish(struct mpc_party *party)
{
    struct sign *s = party->state;
    for (size_t i = 0; i < s->n_peers; i++) QK_TRY(check_format(party, &s->peers[i]));
    for (size_t i = 0; i < s->n_peers; i++)
        QK_TRY(mpc_engine_check_echo(party, 1, field_2(party, &s->peers[i], F2_ECHO)));
    for (size_t i = 0; i < s->n_peers; i++) QK_TRY(check_opening(party, &s->peers[i]));
    QK_TRY(check_all_secrets(party));
    QK_TRY(check_sums(party));
    local_sums(party);
    QK_TRY(use_setups(party));
    for (size_t i = 0; i < s->n_peers; i++) memcpy(s->setup_ids[i], s->peers[i].setup->id, 32);
    s->n_setup_ids = s->n_peers;
    sign_wipe_work(s);
    mpc_engine_done(party);
    return QK_OK;
}
