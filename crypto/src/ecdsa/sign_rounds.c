/* Rounds 1 and 2 of signing: what we send, and the checks before round 2. */
#include "ecdsa/sign.h"

#include "mpc/proof.h"

static qk_err mul_id(
    const struct mpc_party *party, uint16_t alice, uint16_t bob, uint8_t pm[static 32])
{
    return mpc_h32(pm, MPC_L_MUL, MPC_FIELDS({party->sid, 32}, MPC_U16(alice), MPC_U16(bob)));
}

struct otext_msg sign_sent_msg(const struct sign_peer *peer)
{
    size_t u = ot_u_len(&peer->bob.d);
    const uint8_t *p = peer->sent.p;
    return (struct otext_msg){{p, u}, {p + u, 16}, {p + u + 16, ot_th_len(&peer->bob.d)}};
}

/* ---- round 1 ---- */

static qk_err choose_nonce(struct mpc_party *party, uint8_t com[static 64])
{
    struct sign *s = party->state;
    const struct mpc_curve *c = party->curve;
    QK_TRY(mpc_scalar_random_nonzero(c, &s->r, party->rng));
    QK_TRY(qk_rng_fill(party->rng, s->rho, sizeof s->rho));
    QK_TRY(mpc_scalar_random(c, &s->phi, party->rng));
    QK_TRY(mpc_point_mul_base(&s->big_r, &s->r));
    QK_TRY(mpc_point_encode(s->out_r, &s->big_r));
    return mpc_commit(
        com, party->sid, party->s.self, MPC_L_ECDSA_R, qk_bytes(s->out_r, c->pt), s->rho);
}

/* sk += zeta, now that the sid is known. */
static qk_err add_zero_share(struct mpc_party *party)
{
    struct sign *s = party->state;
    for (size_t i = 0; i < s->n_peers; i++)
        QK_TRY(ot_zero_share(
            party->curve, party->sid, party->s.self, s->peers[i].id, s->peers[i].setup->k, &s->sk));
    return mpc_point_mul_base(&s->big_p, &s->sk);
}

/* Act as Bob toward this peer. */
static qk_err extend(struct mpc_party *party, struct sign_peer *peer)
{
    const struct ot_dims *d = &peer->bob.d;
    QK_TRY(mul_id(party, peer->id, party->s.self, peer->bob.pm));
    QK_TRY(qk_rng_fill(party->rng, peer->x, d->nb));
    rvole_b(&peer->bob, peer->x, &peer->b);
    uint8_t *msg = qk_buf_extend(&peer->sent, ot_u_len(d) + 16 + ot_th_len(d));
    uint8_t *rows = qk_buf_extend(&peer->t_rows, d->xi * ot_row_len(d));
    QK_ENSURE(msg && rows, QK_E_NOMEM);
    uint8_t *xh = msg + ot_u_len(d);
    return otext_bob(d, peer->bob.pm, peer->setup->pairs, peer->x, msg, xh, xh + 16, rows);
}

qk_err sign_round_1(struct mpc_party *party)
{
    struct sign *s = party->state;
    uint8_t com[64];
    QK_TRY(choose_nonce(party, com));
    QK_TRY(add_zero_share(party));
    for (size_t i = 0; i < s->n_peers; i++) {
        struct sign_peer *peer = &s->peers[i];
        QK_TRY(extend(party, peer));
        struct otext_msg m = sign_sent_msg(peer);
        const struct qk_bytes fields[F1_COUNT] = {[F1_COM] = QK_BYTES(com),
            [F1_SU] = {peer->setup->id, 32},
            [F1_U] = m.u,
            [F1_XH] = m.xh,
            [F1_TH] = m.th};
        QK_TRY(mpc_engine_send(party, SIGN_ROW_1, peer->id, fields));
    }
    return QK_OK;
}

/* ---- checks on round 1 ---- */

static struct qk_bytes field_1(
    const struct mpc_party *party, const struct sign_peer *peer, enum sign_field_1 f)
{
    size_t ix = (size_t)mpc_engine_index(party, peer->id);
    return mpc_engine_field(party, 1, ix, MPC_TO_ONE, f);
}

static struct otext_msg received_msg(const struct mpc_party *party, const struct sign_peer *peer)
{
    return (struct otext_msg){
        field_1(party, peer, F1_U), field_1(party, peer, F1_XH), field_1(party, peer, F1_TH)};
}

/* E-4: before any OT work, for every peer. Two setups that differ are nobody's fault. */
static qk_err check_setup_ids(struct mpc_party *party)
{
    struct sign *s = party->state;
    for (size_t i = 0; i < s->n_peers; i++) {
        struct qk_bytes su = field_1(party, &s->peers[i], F1_SU);
        if (!qk_bytes_eq(su, qk_bytes(s->peers[i].setup->id, 32)))
            return mpc_fail_n(party, "E-4", QK_E_MISMATCH);
        memcpy(s->peers[i].com, field_1(party, &s->peers[i], F1_COM).p, 64);
    }
    return QK_OK;
}

static qk_err check_extension(struct mpc_party *party, struct sign_peer *peer)
{
    const struct ot_dims *d = &peer->alice.d;
    QK_TRY(mul_id(party, party->s.self, peer->id, peer->alice.pm));
    uint8_t *rows = qk_buf_extend(&peer->q_rows, d->xi * ot_row_len(d));
    QK_ENSURE(rows, QK_E_NOMEM);
    struct otext_msg msg = received_msg(party, peer);
    return otext_alice(d, peer->alice.pm, peer->setup->delta, peer->setup->seeds, &msg, rows);
}

/* E-6 for every peer; each failure poisons its setup before anything else happens. */
static qk_err check_extensions(struct mpc_party *party)
{
    struct sign *s = party->state;
    qk_err result = QK_OK;
    for (size_t i = 0; i < s->n_peers; i++) {
        struct sign_peer *peer = &s->peers[i];
        qk_err err = check_extension(party, peer);
        if (err == QK_E_PROOF) {
            QK_TRY(mpc_engine_effect(party, MPC_EFFECT_SETUP_POISON, peer->id, peer->setup->id,
                "ot setup", qk_bytes(NULL, 0)));
            result = mpc_fail_x(party, peer->id, "E-6", err);
        } else {
            QK_TRY(err);
        }
    }
    return result;
}

/* ---- round 2 ---- */

struct answer {
    uint8_t *at;
    uint8_t eta[MPC_SCALAR_MAX], mu[64], gamma[2][MPC_POINT_MAX], psi[MPC_SCALAR_MAX];
};

/* Act as Alice toward this peer with (r_i, sk_i). */
static qk_err multiply(struct mpc_party *party, struct sign_peer *peer, struct answer *a)
{
    struct sign *s = party->state;
    struct mpc_scalar in[3] = {s->r, s->sk};
    struct otext_msg msg = received_msg(party, peer);
    qk_err err = mpc_scalar_random(party->curve, &in[2], party->rng);
    if (err == QK_OK)
        err = rvole_alice(&peer->alice, peer->setup->delta, peer->q_rows.p, &msg, in, a->at, a->eta,
            a->mu, peer->c);
    qk_wipe(in, sizeof in);
    return err;
}

static qk_err gammas_and_psi(struct mpc_party *party, struct sign_peer *peer, struct answer *a)
{
    struct sign *s = party->state;
    MPC_POINT(p);
    MPC_SCALAR(psi);
    QK_TRY(mpc_point_init(&p, party->curve));
    for (size_t i = 0; i < 2; i++) {
        QK_TRY(mpc_point_mul_base(&p, &peer->c[i]));
        QK_TRY(mpc_point_encode(a->gamma[i], &p));
    }
    mpc_scalar_sub(party->curve, &psi, &s->phi, &peer->b);
    mpc_scalar_encode(party->curve, a->psi, &psi);
    return QK_OK;
}

static qk_err send_2(struct mpc_party *party, const struct sign_peer *peer, const uint8_t *echo,
    const uint8_t *enc_p, const struct answer *a)
{
    struct sign *s = party->state;
    size_t pt = party->curve->pt, lq = party->curve->lq;
    const struct qk_bytes fields[F2_COUNT] = {[F2_ECHO] = {echo, 32},
        [F2_R] = {s->out_r, pt},
        [F2_RHO] = QK_BYTES(s->rho),
        [F2_P] = {enc_p, pt},
        [F2_AT] = {a->at, rvole_at_len(party->curve, &peer->alice.d)},
        [F2_ETA] = {a->eta, lq},
        [F2_MU] = QK_BYTES(a->mu),
        [F2_GU] = {a->gamma[0], pt},
        [F2_GV] = {a->gamma[1], pt},
        [F2_PSI] = {a->psi, lq}};
    return mpc_engine_send(party, SIGN_ROW_2, peer->id, fields);
}

static qk_err answer(
    struct mpc_party *party, struct sign_peer *peer, const uint8_t *echo, const uint8_t *enc_p)
{
    QK_AUTO_BUF at = QK_BUF_SECRET(MPC_FRAME_MAX);
    struct answer a = {.at = qk_buf_extend(&at, rvole_at_len(party->curve, &peer->alice.d))};
    QK_ENSURE(a.at, at.err);
    QK_TRY(multiply(party, peer, &a));
    qk_buf_free(&peer->q_rows);
    QK_TRY(gammas_and_psi(party, peer, &a));
    return send_2(party, peer, echo, enc_p, &a);
}

qk_err sign_round_2(struct mpc_party *party)
{
    struct sign *s = party->state;
    QK_TRY(check_setup_ids(party));
    QK_TRY(check_extensions(party));
    for (size_t i = 0; i < s->n_peers; i++)
        QK_TRY(mpc_engine_effect(party, MPC_EFFECT_SETUP_USE, s->peers[i].id, s->peers[i].setup->id,
            "ot setup", qk_bytes(NULL, 0)));
    uint8_t echo[32], enc_p[MPC_POINT_MAX];
    QK_TRY(mpc_engine_echo(party, 1, echo));
    QK_TRY(mpc_point_encode(enc_p, &s->big_p));
    for (size_t i = 0; i < s->n_peers; i++) QK_TRY(answer(party, &s->peers[i], echo, enc_p));
    return QK_OK;
}
