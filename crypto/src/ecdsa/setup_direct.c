/* Proto 3: the pair setup made directly, with base OTs in both directions at once. */
#include "ecdsa/pvw.h"
#include "ecdsa/setup_run.h"

#include "mpc/otsetup.h"

enum { ROW_1, ROW_2, ROW_3 };
enum { F_UW = 0, F_ZS = 1, F_E = 0, F_CONFIRM = 0 };

struct direct {
    struct setup_run run;
    struct pvw alice, bob; /* the CRS of the direction in which we are A, B */
    struct mpc_scalar r[OT_KAPPA_MAX];
    struct qk_buf uw, e; /* what we sent */
};

static const struct mpc_curve *group(const struct mpc_party *party)
{
    return ot_group(mpc_ot_class_of(party->curve->id));
}

static size_t kappa(const struct mpc_party *party)
{
    return ot_kappa(mpc_ot_class_of(party->curve->id));
}

static size_t len_points(const struct mpc_party *party)
{
    return 2 * kappa(party) * group(party)->pt;
}

static const struct mpc_field fields_1[] = {{"UW", len_points}, {"zs", mpc_len_32}};
static const struct mpc_field fields_2[] = {{"E", len_points}};
static const struct mpc_field fields_3[] = {{"confirm", mpc_len_32}};
static const struct mpc_row rows[] = {
    [ROW_1] = {1, MPC_TO_ONE, MPC_CLASS_ANY, MPC_CLASS_ANY, MPC_NO_ECHO, fields_1, 2},
    [ROW_2] = {2, MPC_TO_ONE, MPC_CLASS_ANY, MPC_CLASS_ANY, MPC_NO_ECHO, fields_2, 1},
    [ROW_3] = {3, MPC_TO_ONE, MPC_CLASS_ANY, MPC_CLASS_ANY, MPC_NO_ECHO, fields_3, 1},
};

static uint16_t peer_id(const struct mpc_party *party)
{
    const struct direct *d = party->state;
    return party->s.peers[d->run.peer_ix].id;
}

static struct qk_bytes received(const struct mpc_party *party, unsigned round, size_t field)
{
    const struct direct *d = party->state;
    return mpc_engine_field(party, round, d->run.peer_ix, MPC_TO_ONE, field);
}

/* ---- round 1: as A ---- */

static qk_err choose_all(struct mpc_party *party, uint8_t *uw)
{
    struct direct *d = party->state;
    struct mpc_ot_setup *s = d->run.setup;
    const struct mpc_curve *g = group(party);
    for (uint16_t k = 0; k < s->kappa; k++) {
        QK_TRY(mpc_scalar_random_nonzero(g, &d->r[k], party->rng));
        QK_TRY(pvw_choose(&d->alice, ot_bit(s->delta, k), &d->r[k], uw + 2u * k * g->pt));
    }
    return QK_OK;
}

static qk_err send_1(struct mpc_party *party)
{
    struct direct *d = party->state;
    struct mpc_ot_setup *s = d->run.setup;
    QK_TRY(setup_run_psids(party, &d->run, MPC_L_OT_SETUP));
    QK_TRY(pvw_init(&d->alice, group(party), s->psid_alice));
    QK_TRY(pvw_init(&d->bob, group(party), s->psid_bob));
    QK_TRY(qk_rng_fill(party->rng, s->delta, s->kappa / 8u));
    QK_TRY(qk_rng_fill(party->rng, d->run.zs[0], 32));
    uint8_t *uw = qk_buf_extend(&d->uw, len_points(party));
    QK_ENSURE(uw, d->uw.err);
    QK_TRY(choose_all(party, uw));
    const struct qk_bytes fields[] = {qk_buf_view(&d->uw), QK_BYTES(d->run.zs[0])};
    return mpc_engine_send(party, ROW_1, peer_id(party), fields);
}

/* ---- round 2: as B ---- */

static qk_err answer_branch(struct mpc_party *party, uint16_t k, uint8_t b, const uint8_t *uw,
    const struct mpc_point *u, const struct mpc_point *w, uint8_t *e)
{
    struct direct *d = party->state;
    uint8_t *seed = d->run.setup->pairs + 64u * k + 32u * b;
    MPC_SCALAR(s);
    MPC_SCALAR(t);
    /* O has probability 2/q; a second one in a row comes from a broken generator. */
    for (int tries = 0; tries < 2; tries++) {
        QK_TRY(mpc_scalar_random(group(party), &s, party->rng));
        QK_TRY(mpc_scalar_random(group(party), &t, party->rng));
        qk_err err = pvw_answer(&d->bob, k, b, uw, u, w, &s, &t, e, seed);
        if (err != QK_E_UNEXPECTED) return err;
    }
    return QK_E_RNG;
}

/* E-1: U and W valid and not O. */
static qk_err answer(struct mpc_party *party, uint16_t k, const uint8_t *uw, uint8_t *e)
{
    const struct mpc_curve *g = group(party);
    MPC_POINT(u);
    MPC_POINT(w);
    QK_TRY(mpc_point_init(&u, g));
    QK_TRY(mpc_point_init(&w, g));
    qk_err err = mpc_point_decode_var(&u, qk_bytes(uw, g->pt));
    if (err == QK_OK) err = mpc_point_decode_var(&w, qk_bytes(uw + g->pt, g->pt));
    if (err == QK_E_MALFORMED) return mpc_fail_p(party, peer_id(party), "E-1", err);
    QK_TRY(err); /* our own trouble is nobody's strike */
    QK_TRY(answer_branch(party, k, 0, uw, &u, &w, e));
    return answer_branch(party, k, 1, uw, &u, &w, e + g->pt);
}

static qk_err send_2(struct mpc_party *party)
{
    struct direct *d = party->state;
    struct qk_bytes uw = received(party, 1, F_UW), zs = received(party, 1, F_ZS);
    size_t step = 2u * group(party)->pt;
    uint8_t *e = qk_buf_extend(&d->e, len_points(party));
    QK_ENSURE(e, d->e.err);
    memcpy(d->run.zs[1], zs.p, 32);
    for (uint16_t k = 0; k < d->run.setup->kappa; k++)
        QK_TRY(answer(party, k, uw.p + k * step, e + k * step));
    QK_TRY(setup_run_bodies(party, &d->run, 0,
        MPC_FIELDS(qk_buf_view(&d->uw), QK_BYTES(d->run.zs[0])), MPC_FIELDS(uw, zs)));
    const struct qk_bytes fields[] = {qk_buf_view(&d->e)};
    return mpc_engine_send(party, ROW_2, peer_id(party), fields);
}

/* ---- round 3 ---- */

static qk_err open_all(struct mpc_party *party, const uint8_t *e)
{
    struct direct *d = party->state;
    struct mpc_ot_setup *s = d->run.setup;
    size_t step = 2u * group(party)->pt;
    for (uint16_t k = 0; k < s->kappa; k++) {
        qk_err err = pvw_open(&d->alice, k, ot_bit(s->delta, k), &d->r[k], d->uw.p + k * step,
            e + k * step, s->seeds + 32u * k);
        if (err == QK_E_MALFORMED) return mpc_fail_p(party, peer_id(party), "E-1", err);
        QK_TRY(err);
    }
    return QK_OK;
}

static qk_err send_3(struct mpc_party *party)
{
    struct direct *d = party->state;
    struct qk_bytes e = received(party, 2, F_E);
    QK_TRY(open_all(party, e.p));
    QK_TRY(setup_run_bodies(party, &d->run, 1, MPC_FIELDS(qk_buf_view(&d->e)), MPC_FIELDS(e)));
    QK_TRY(setup_run_confirm(party, &d->run));
    qk_wipe(d->r, sizeof d->r);
    const struct qk_bytes fields[] = {QK_BYTES(d->run.confirm)};
    return mpc_engine_send(party, ROW_3, peer_id(party), fields);
}

static qk_err finish(struct mpc_party *party)
{
    struct direct *d = party->state;
    return setup_run_finish(party, &d->run, received(party, 3, F_CONFIRM));
}

static qk_err (*const rounds[])(struct mpc_party *) = {send_1, send_2, send_3, finish};

static void clear(void *state)
{
    struct direct *d = state;
    setup_run_clear(&d->run);
    pvw_clear(&d->alice);
    pvw_clear(&d->bob);
    qk_buf_free(&d->uw);
    qk_buf_free(&d->e);
}

static const struct mpc_proto_def def = {
    .proto = MPC_PROTO_OT_SETUP,
    .name = "ot-setup",
    .rows = rows,
    .n_rows = QK_COUNT(rows),
    .rounds = rounds,
    .n_rounds = QK_COUNT(rounds),
    .state_len = sizeof(struct direct),
    .clear = clear,
};

qk_err mpc_otsetup_start(
    struct mpc_party **out, const struct mpc_session *session, struct qk_rng *rng)
{
    QK_ENSURE(session->n_peers == 2 && mpc_ot_class_of(session->curve) != 0, QK_E_STATE);
    struct mpc_party *party;
    QK_TRY(mpc_engine_new(&party, &def, session, rng));
    struct direct *d = party->state;
    d->uw = (struct qk_buf)QK_BUF_SECRET(MPC_FRAME_MAX);
    d->e = (struct qk_buf)QK_BUF_SECRET(MPC_FRAME_MAX);
    qk_err err = setup_run_init(party, &d->run);
    if (err == QK_OK) err = mpc_engine_begin(party);
    if (err != QK_OK) {
        mpc_party_free(party);
        return err;
    }
    *out = party;
    return QK_OK;
}
