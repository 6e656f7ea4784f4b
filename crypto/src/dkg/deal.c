/* Rounds 1 and 2 as a sender: choose, commit, open, deal. */
#include "dkg/state.h"

const char *mpc_dkg_role(const struct mpc_party *party, uint16_t id)
{
    const struct mpc_dkg *st = party->state;
    return id == MPC_DELEGATE ? MPC_L_DKG_DEL : st->role;
}

void mpc_dkg_opening(struct qk_buf *out, struct qk_bytes c, struct qk_bytes a, struct qk_bytes z)
{
    qk_buf_add(out, c.p, c.len);
    qk_buf_add(out, a.p, a.len);
    qk_buf_add(out, z.p, z.len);
}

/* Every coefficient non-zero: C entries that are O cannot be encoded. Only a_{i,0} and x_D must be
 * (document 10); for the others this removes a value of probability 1/q. */
static qk_err choose(struct mpc_party *party, struct mpc_dkg *st)
{
    const struct mpc_curve *c = party->curve;
    MPC_POINT(p);
    MPC_POINT(first);
    QK_TRY(mpc_point_init(&p, c));
    QK_TRY(mpc_point_init(&first, c));
    for (size_t k = 0; k < st->n_coeffs; k++) {
        QK_TRY(mpc_scalar_random_nonzero(c, &st->coeffs[k], party->rng));
        QK_TRY(mpc_point_mul_base(&p, &st->coeffs[k]));
        QK_TRY(mpc_point_encode(st->enc_c + k * c->pt, &p));
        if (k == 0) QK_TRY(mpc_point_copy(&first, &p));
    }
    return mpc_pok_prove(&st->pok, c, party->sid, party->s.self, mpc_dkg_role(party, party->s.self),
        &st->coeffs[0], &first, party->rng);
}

static struct qk_bytes own_c(const struct mpc_party *party)
{
    const struct mpc_dkg *st = party->state;
    return qk_bytes(st->enc_c, st->n_coeffs * party->curve->pt);
}

static struct qk_bytes own_a(const struct mpc_party *party)
{
    const struct mpc_dkg *st = party->state;
    return qk_bytes(st->pok.a, party->curve->pt);
}

static struct qk_bytes own_z(const struct mpc_party *party)
{
    const struct mpc_dkg *st = party->state;
    return qk_bytes(st->pok.z, party->curve->lq);
}

qk_err mpc_dkg_commit(struct mpc_party *party)
{
    struct mpc_dkg *st = party->state;
    st->n_coeffs = party->s.self == MPC_DELEGATE ? 1 : party->s.t;
    QK_TRY(choose(party, st));
    QK_TRY(qk_rng_fill(party->rng, st->rho, sizeof st->rho));
    QK_AUTO_BUF data = QK_BUF(MPC_FRAME_MAX);
    mpc_dkg_opening(&data, own_c(party), own_a(party), own_z(party));
    QK_TRY(data.err);
    uint8_t com[64];
    QK_TRY(mpc_commit(com, party->sid, party->s.self, mpc_dkg_role(party, party->s.self),
        qk_buf_view(&data), st->rho));
    return mpc_engine_send(party, DKG_COM, 0, &QK_BYTES(com));
}

static qk_err deal_to(struct mpc_party *party, uint16_t id)
{
    struct mpc_dkg *st = party->state;
    MPC_SCALAR(s);
    mpc_poly_eval(party->curve, &s, st->coeffs, st->n_coeffs, id);
    uint8_t enc[MPC_SCALAR_MAX];
    mpc_scalar_encode(party->curve, enc, &s);
    struct qk_bytes field = qk_bytes(enc, party->curve->lq);
    qk_err err = mpc_engine_send(party, DKG_SHARE, id, &field);
    qk_wipe(enc, sizeof enc);
    return err;
}

/* Only now, when the com of every party is fixed (check D-1). */
qk_err mpc_dkg_open(struct mpc_party *party)
{
    struct mpc_dkg *st = party->state;
    uint8_t echo[32];
    QK_TRY(mpc_engine_echo(party, 1, echo));
    struct qk_bytes fields[] = {[DKG_OPEN_ECHO] = QK_BYTES(echo),
        [DKG_OPEN_C] = own_c(party),
        [DKG_OPEN_A] = own_a(party),
        [DKG_OPEN_Z] = own_z(party),
        [DKG_OPEN_RHO] = QK_BYTES(st->rho)};
    if (party->s.self == MPC_DELEGATE) return mpc_engine_send(party, DKG_OPEN_D, 0, fields);
    QK_TRY(mpc_engine_send(party, DKG_OPEN, 0, fields));
    for (size_t j = 0; j < party->s.n_peers; j++) {
        uint16_t id = party->s.peers[j].id;
        if (id != party->s.self && id != MPC_DELEGATE) QK_TRY(deal_to(party, id));
    }
    mpc_poly_eval(party->curve, &st->own, st->coeffs, st->n_coeffs, party->s.self);
    return QK_OK;
}
