/* From commitments to the key record. Everything here but our share is public. */
#include "dkg/state.h"

struct sums {
    size_t n;
    struct mpc_point f[MPC_NODES_MAX]; /* F_k = sum of C_{j,k} over the nodes j */
};

static void sums_clear(struct sums *s)
{
    for (size_t k = 0; k < s->n; k++) mpc_point_clear(&s->f[k]);
}

static qk_err add_up(struct mpc_party *party, struct sums *s)
{
    struct mpc_dkg *st = party->state;
    for (size_t k = 0; k < party->s.t; k++, s->n++) QK_TRY(mpc_point_init(&s->f[k], party->curve));
    for (size_t j = 0; j < party->s.n_peers; j++) {
        if (party->s.peers[j].id == MPC_DELEGATE) continue;
        for (size_t k = 0; k < party->s.t; k++)
            QK_TRY(mpc_point_add(&s->f[k], &s->f[k], &st->points[j * party->s.t + k]));
    }
    return QK_OK;
}

/* D-7: O has no encoding, so a result that is O must end here. */
static qk_err put_point(struct mpc_party *party, uint8_t *out, const struct mpc_point *p)
{
    if (mpc_point_is_infinity(p)) return mpc_fail_n(party, "D-7", QK_E_MISMATCH);
    return mpc_point_encode(out, p);
}

/* X_m for every node m, and pk. */
static qk_err put_points(struct mpc_party *party, const struct sums *s)
{
    struct mpc_dkg *st = party->state;
    struct mpc_key_record *r = &st->record;
    MPC_POINT(p);
    QK_TRY(mpc_point_init(&p, party->curve));
    for (size_t m = 0; m < r->n; m++) {
        QK_TRY(mpc_point_poly_eval_var(&p, s->f, party->s.t, r->nodes[m].id));
        QK_TRY(put_point(party, r->big_x[m], &p));
    }
    QK_TRY(mpc_point_copy(&p, &s->f[0]));
    if (party->s.access == 1) {
        const struct mpc_point *x_d = &st->points[(size_t)(party->s.n_peers - 1) * party->s.t];
        QK_TRY(put_point(party, r->big_x_d, x_d));
        QK_TRY(mpc_point_add(&p, &p, x_d));
    }
    return put_point(party, r->pk, &p);
}

static void put_names(struct mpc_party *party)
{
    struct mpc_key_record *r = &((struct mpc_dkg *)party->state)->record;
    const struct mpc_session *s = &party->s;
    *r = (struct mpc_key_record){.curve = s->curve,
        .access = s->access,
        .t = s->t,
        .n = (uint16_t)(s->n_peers - s->access),
        .e_net = 1,
        .e_del = s->access};
    memcpy(r->key_id, s->key_id, sizeof r->key_id);
    memcpy(r->sid, party->sid, sizeof r->sid);
    for (size_t i = 0; i < r->n; i++) r->nodes[i] = s->peers[i];
    if (s->access == 1) r->delegate = s->peers[s->n_peers - 1];
}

qk_err mpc_dkg_build_record(struct mpc_party *party)
{
    struct mpc_dkg *st = party->state;
    __attribute__((cleanup(sums_clear))) struct sums sums = {0};
    QK_TRY(add_up(party, &sums));
    put_names(party);
    QK_TRY(put_points(party, &sums));
    /* D-7: whether our share is zero is told by X_i, which is public. D-6: against a fault of this
     * machine; nobody else can cause it. */
    if (mpc_scalar_zero_mask(&st->share.x)) return mpc_fail_n(party, "D-7", QK_E_CRYPTO);
    if (mpc_key_share_check(&st->share, &st->record) != QK_OK)
        return mpc_fail_n(party, "D-6", QK_E_CRYPTO);
    return QK_OK;
}
