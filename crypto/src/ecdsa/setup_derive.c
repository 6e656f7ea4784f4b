/* Proto 5: a pair setup derived from a root by OT extension.
 *
 * In the key's direction (A, B), A is the extension's Bob with choice bits
 * Delta (new), under the root's direction (B, A). */
#include "ecdsa/otext.h"
#include "ecdsa/setup_run.h"

#include "mpc/otsetup.h"

enum { ROW_1, ROW_2 };
enum { F_SU, F_U, F_XH, F_TH, F_ZS, F1_COUNT };

struct derive {
    struct setup_run run;
    struct mpc_ot_setup *root; /* a reference */
    struct ot_dims d;
    struct qk_buf sent; /* u, xh, th */
};

static struct ot_dims dims(const struct mpc_party *party)
{
    return ot_dims_derive(mpc_ot_class_of(party->curve->id));
}

static size_t len_u(const struct mpc_party *party)
{
    struct ot_dims d = dims(party);
    return ot_u_len(&d);
}

static size_t len_th(const struct mpc_party *party)
{
    struct ot_dims d = dims(party);
    return ot_th_len(&d);
}

static const struct mpc_field fields_1[F1_COUNT] = {
    [F_SU] = {"su", mpc_len_32},
    [F_U] = {"u", len_u},
    [F_XH] = {"xh", mpc_len_16},
    [F_TH] = {"th", len_th},
    [F_ZS] = {"zs", mpc_len_32},
};
static const struct mpc_field fields_2[] = {{"confirm", mpc_len_32}};
static const struct mpc_row rows[] = {
    [ROW_1] = {1, MPC_TO_ONE, MPC_CLASS_ANY, MPC_CLASS_ANY, MPC_NO_ECHO, fields_1, F1_COUNT},
    [ROW_2] = {2, MPC_TO_ONE, MPC_CLASS_ANY, MPC_CLASS_ANY, MPC_NO_ECHO, fields_2, 1},
};

static uint16_t peer_id(const struct mpc_party *party)
{
    const struct derive *d = party->state;
    return party->s.peers[d->run.peer_ix].id;
}

static struct qk_bytes received(const struct mpc_party *party, unsigned round, size_t field)
{
    const struct derive *d = party->state;
    return mpc_engine_field(party, round, d->run.peer_ix, MPC_TO_ONE, field);
}

/* seed = H32("ot-derive-seed"; psid, u16 j, row + b * flip), flip public in length only. */
static qk_err row_seed(const struct derive *d, const uint8_t *psid, uint16_t j, const uint8_t *row,
    const uint8_t *flip, uint8_t seed[static 32])
{
    size_t len = ot_row_len(&d->d);
    uint8_t r[OT_ROW_MAX];
    for (size_t i = 0; i < len; i++) r[i] = flip ? row[i] ^ flip[i] : row[i];
    qk_err err = mpc_h32(seed, MPC_L_OT_DERIVE_SEED, MPC_FIELDS({psid, 32}, MPC_U16(j), {r, len}));
    qk_wipe(r, sizeof r);
    return err;
}

/* ---- round 1: as A of the new setup ---- */

static qk_err extend(struct mpc_party *party, const uint8_t *x)
{
    struct derive *d = party->state;
    struct mpc_ot_setup *s = d->run.setup;
    QK_AUTO_BUF mem = QK_BUF_SECRET(OT_KAPPA_MAX * OT_ROW_MAX);
    uint8_t *rows_t = qk_buf_extend(&mem, d->d.xi * ot_row_len(&d->d));
    uint8_t *u = qk_buf_extend(&d->sent, ot_u_len(&d->d) + 16 + ot_th_len(&d->d));
    QK_ENSURE(rows_t && u, QK_E_NOMEM);
    uint8_t *xh = u + ot_u_len(&d->d);
    QK_TRY(otext_bob(&d->d, s->psid_alice, d->root->pairs, x, u, xh, xh + 16, rows_t));
    for (uint16_t j = 0; j < d->d.xi; j++)
        QK_TRY(row_seed(
            d, s->psid_alice, j, rows_t + j * ot_row_len(&d->d), NULL, s->seeds + 32u * j));
    return QK_OK;
}

static struct otext_msg sent_msg(const struct derive *d)
{
    const uint8_t *p = d->sent.p;
    size_t u = ot_u_len(&d->d);
    return (struct otext_msg){{p, u}, {p + u, 16}, {p + u + 16, ot_th_len(&d->d)}};
}

static qk_err send_1(struct mpc_party *party)
{
    struct derive *d = party->state;
    struct mpc_ot_setup *s = d->run.setup;
    uint8_t x[OT_NB_MAX];
    QK_TRY(setup_run_psids(party, &d->run, MPC_L_OT_DERIVE));
    QK_TRY(qk_rng_fill(party->rng, x, d->d.nb)); /* Delta, tau */
    memcpy(s->delta, x, d->d.xi / 8u);
    qk_err err = extend(party, x);
    qk_wipe(x, sizeof x);
    QK_TRY(err);
    QK_TRY(qk_rng_fill(party->rng, d->run.zs[0], 32));
    struct otext_msg m = sent_msg(d);
    const struct qk_bytes fields[F1_COUNT] = {[F_SU] = {d->root->id, 32},
        [F_U] = m.u,
        [F_XH] = m.xh,
        [F_TH] = m.th,
        [F_ZS] = QK_BYTES(d->run.zs[0])};
    return mpc_engine_send(party, ROW_1, peer_id(party), fields);
}

/* ---- round 2: as B of the new setup ---- */

static qk_err root_effect(struct mpc_party *party, enum mpc_effect_kind kind)
{
    struct derive *d = party->state;
    return mpc_engine_effect(
        party, kind, peer_id(party), d->root->id, "ot root", qk_bytes(NULL, 0));
}

static qk_err check_and_take(struct mpc_party *party)
{
    struct derive *d = party->state;
    struct mpc_ot_setup *s = d->run.setup;
    QK_AUTO_BUF mem = QK_BUF_SECRET(OT_KAPPA_MAX * OT_ROW_MAX);
    uint8_t *rows_q = qk_buf_extend(&mem, d->d.xi * ot_row_len(&d->d));
    QK_ENSURE(rows_q, mem.err);
    struct otext_msg msg = {
        received(party, 1, F_U), received(party, 1, F_XH), received(party, 1, F_TH)};
    qk_err err = otext_alice(&d->d, s->psid_bob, d->root->delta, d->root->seeds, &msg, rows_q);
    if (err == QK_E_PROOF) { /* E-6; the poison precedes everything else */
        QK_TRY(root_effect(party, MPC_EFFECT_SETUP_POISON));
        return mpc_fail_x(party, peer_id(party), "E-6", err);
    }
    QK_TRY(err);
    for (uint16_t j = 0; j < d->d.xi; j++) {
        const uint8_t *row = rows_q + j * ot_row_len(&d->d);
        QK_TRY(row_seed(d, s->psid_bob, j, row, NULL, s->pairs + 64u * j));
        QK_TRY(row_seed(d, s->psid_bob, j, row, d->root->delta, s->pairs + 64u * j + 32));
    }
    return QK_OK;
}

static qk_err hash_bodies(struct mpc_party *party)
{
    struct derive *d = party->state;
    struct otext_msg m = sent_msg(d);
    QK_TRY(setup_run_bodies(party, &d->run, 0,
        MPC_FIELDS({d->root->id, 32}, m.u, m.xh, m.th, QK_BYTES(d->run.zs[0])),
        MPC_FIELDS(received(party, 1, F_SU), received(party, 1, F_U), received(party, 1, F_XH),
            received(party, 1, F_TH), received(party, 1, F_ZS))));
    /* The direct setup's round 2 does not exist here: two empty bodies. */
    return setup_run_bodies(
        party, &d->run, 1, (struct mpc_fields){NULL, 0}, (struct mpc_fields){NULL, 0});
}

static qk_err send_2(struct mpc_party *party)
{
    struct derive *d = party->state;
    if (!qk_bytes_eq(received(party, 1, F_SU), qk_bytes(d->root->id, 32)))
        return mpc_fail_n(party, "E-4", QK_E_MISMATCH);
    memcpy(d->run.zs[1], received(party, 1, F_ZS).p, 32);
    QK_TRY(check_and_take(party));
    QK_TRY(root_effect(party, MPC_EFFECT_SETUP_USE));
    QK_TRY(hash_bodies(party));
    QK_TRY(setup_run_confirm(party, &d->run));
    const struct qk_bytes fields[] = {QK_BYTES(d->run.confirm)};
    return mpc_engine_send(party, ROW_2, peer_id(party), fields);
}

static qk_err finish(struct mpc_party *party)
{
    struct derive *d = party->state;
    return setup_run_finish(party, &d->run, received(party, 2, 0));
}

static qk_err (*const rounds[])(struct mpc_party *) = {send_1, send_2, finish};

static void clear(void *state)
{
    struct derive *d = state;
    setup_run_clear(&d->run);
    mpc_ot_setup_free(d->root);
    qk_buf_free(&d->sent);
}

static const struct mpc_proto_def def = {
    .proto = MPC_PROTO_OT_DERIVE,
    .name = "ot-derive",
    .rows = rows,
    .n_rows = QK_COUNT(rows),
    .rounds = rounds,
    .n_rounds = QK_COUNT(rounds),
    .state_len = sizeof(struct derive),
    .clear = clear,
};

/* A root of this very pair and class. */
static bool root_fits(const struct mpc_ot_setup *root, const struct mpc_ot_binding *bind)
{
    const struct mpc_ot_binding *b = &root->bind;
    return ot_setup_is_root(root) && mpc_ot_class_of(b->curve) == mpc_ot_class_of(bind->curve) &&
           b->self.id == bind->self.id && b->peer.id == bind->peer.id &&
           memcmp(b->self.idh, bind->self.idh, 32) == 0 &&
           memcmp(b->peer.idh, bind->peer.idh, 32) == 0;
}

static qk_err init(struct mpc_party *party, struct mpc_ot_setup *root)
{
    struct derive *d = party->state;
    d->sent = (struct qk_buf)QK_BUF_SECRET(MPC_FRAME_MAX);
    d->d = dims(party);
    d->root = mpc_ot_setup_ref(root);
    QK_TRY(setup_run_init(party, &d->run));
    QK_ENSURE(!ot_setup_is_root(d->run.setup), QK_E_STATE); /* a root is never derived */
    d->run.setup->derived = true;
    memcpy(d->run.setup->root_id, root->id, 32);
    return QK_OK;
}

qk_err mpc_otderive_start(struct mpc_party **out, const struct mpc_session *session,
    struct mpc_ot_setup *root, struct qk_rng *rng)
{
    struct mpc_ot_binding bind;
    QK_TRY(ot_binding_of_session(&bind, session));
    QK_ENSURE(mpc_ot_class_of(session->curve) != 0 && root_fits(root, &bind), QK_E_STATE);
    struct mpc_party *party;
    QK_TRY(mpc_engine_new(&party, &def, session, rng));
    qk_err err = init(party, root);
    if (err == QK_OK) err = mpc_engine_begin(party);
    if (err != QK_OK) {
        mpc_party_free(party);
        return err;
    }
    *out = party;
    return QK_OK;
}
