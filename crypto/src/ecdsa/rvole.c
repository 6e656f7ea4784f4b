#include "ecdsa/rvole.h"

#include "ecdsa/pad.h"
#include "group/ct.h"
#include "group/wide.h"
#include "mpc/labels.h"
#include "mpc/transcript.h"
#include "qk/secret.h"
#include "session/engine.h"

qk_err rvole_gadget(
    const struct mpc_curve *c, const uint8_t psid[static 32], struct mpc_scalar *gadget_mont)
{
    struct ot_dims d = ot_dims_sign(c);
    for (unsigned j = 0; j < d.xi; j++) {
        struct mpc_scalar g;
        QK_TRY(
            mpc_h2s(c, &g, MPC_L_RVOLE_GADGET, MPC_FIELDS({psid, 32}, MPC_U8(c->id), MPC_U16(j))));
        mpc_scalar_to_mont(c, &gadget_mont[j], &g);
    }
    return QK_OK;
}

void rvole_b(const struct rvole *v, const uint8_t *beta, struct mpc_scalar *b)
{
    MPC_SCALAR(sum_mont);
    MPC_SCALAR(term);
    struct mpc_scalar one;
    mpc_scalar_set_u64(&one, 1);
    for (size_t j = 0; j < v->d.xi; j++) {
        mpc_scalar_mask(&term, ct_mask_of_bit(ot_bit(beta, j)), &v->gadget_mont[j]);
        mpc_scalar_add(v->c, &sum_mont, &sum_mont, &term);
    }
    mpc_scalar_mul_mont(v->c, b, &one, &sum_mont);
}

/* ---- theta and mu ---- */

static qk_err thetas(const struct rvole *v, const struct otext_msg *msg, struct qk_bytes at,
    struct mpc_scalar theta_mont[2])
{
    uint8_t h[64];
    QK_TRY(mpc_h(h, MPC_L_RVOLE_A, MPC_FIELDS({v->pm, 32}, msg->u, msg->xh, msg->th, at)));
    for (unsigned i = 0; i < 2; i++) {
        struct mpc_scalar theta;
        QK_TRY(
            mpc_h2s(v->c, &theta, MPC_L_RVOLE_THETA, MPC_FIELDS({v->pm, 32}, MPC_U8(i), {h, 64})));
        mpc_scalar_to_mont(v->c, &theta_mont[i], &theta);
    }
    return QK_OK;
}

/* r = p_2 + theta_0 p_0 + theta_1 p_1 */
static void fold_pad(const struct mpc_curve *c, struct mpc_scalar *r, const pad_t p,
    const struct mpc_scalar theta_mont[2])
{
    struct mpc_wide sum = {{0}};
    mpc_wide_mul_add(c, &sum, &p[0], &theta_mont[0]);
    mpc_wide_mul_add(c, &sum, &p[1], &theta_mont[1]);
    mpc_wide_add_mont(c, &sum, &p[2]);
    mpc_wide_redc(c, r, &sum);
    ct_wipe_local(&sum, sizeof sum);
}

/* acc_i += g_j * p_i */
static void accumulate(const struct rvole *v, size_t j, const pad_t p, struct mpc_wide acc[2])
{
    for (size_t i = 0; i < 2; i++) mpc_wide_mul_add(v->c, &acc[i], &p[i], &v->gadget_mont[j]);
}

/* What the sums come to; they are used up. */
static void accumulated(const struct mpc_curve *c, struct mpc_wide acc[2], struct mpc_scalar out[2])
{
    for (size_t i = 0; i < 2; i++) {
        mpc_wide_redc(c, &out[i], &acc[i]);
        mpc_wide_wipe(&acc[i]);
    }
}

static qk_err mu_begin(struct mpc_hasher *h, const struct rvole *v)
{
    QK_TRY(mpc_hasher_begin(h, MPC_L_RVOLE_MU, 2));
    mpc_hasher_field(h, qk_bytes(v->pm, 32));
    mpc_hasher_field_begin(h, (size_t)v->d.xi * v->c->lq);
    return QK_OK;
}

static void mu_part(struct mpc_hasher *h, const struct mpc_curve *c, const struct mpc_scalar *s)
{
    uint8_t enc[MPC_SCALAR_MAX];
    mpc_scalar_encode(c, enc, s);
    mpc_hasher_part(h, enc, c->lq);
    qk_wipe(enc, sizeof enc);
}

/* ---- Alice ---- */

/* a-tilde_{j,l} = alpha0_{j,l} - alpha1_{j,l} + v_l */
static void masked_inputs(const struct mpc_curve *c, const pad_t a0, const pad_t a1,
    const struct mpc_scalar a[3], uint8_t *at)
{
    MPC_SCALAR(t);
    for (size_t l = 0; l < 3; l++) {
        mpc_scalar_sub(c, &t, &a0[l], &a1[l]);
        mpc_scalar_add(c, &t, &t, &a[l]);
        mpc_scalar_encode(c, at + l * c->lq, &t);
    }
}

static qk_err alice_pads(const struct rvole *v, const uint8_t *delta, const uint8_t *rows,
    const struct mpc_scalar a[3], pad_t *alpha0, uint8_t *at, struct mpc_wide acc[2])
{
    static const uint8_t zero[OT_ROW_MAX];
    PADS(pads);
    pad_t alpha1[PAD_ROWS];
    size_t row_len = ot_row_len(&v->d);
    QK_TRY(pads_init(&pads, v->c, v->pm));
    qk_err err = QK_OK;
    for (size_t j = 0; j < v->d.xi && err == QK_OK; j += PAD_ROWS) {
        err = pads_of_rows(&pads, (uint16_t)j, rows + j * row_len, zero, alpha0 + j);
        if (err == QK_OK) err = pads_of_rows(&pads, (uint16_t)j, rows + j * row_len, delta, alpha1);
        for (size_t l = 0; l < PAD_ROWS && err == QK_OK; l++) {
            masked_inputs(v->c, alpha0[j + l], alpha1[l], a, at + 3 * (j + l) * v->c->lq);
            accumulate(v, j + l, alpha0[j + l], acc);
        }
    }
    qk_wipe(alpha1, sizeof alpha1);
    return err;
}

static qk_err alice_mu(const struct rvole *v, const pad_t *alpha0,
    const struct mpc_scalar theta_mont[2], uint8_t mu[64])
{
    struct mpc_hasher h;
    QK_TRY(mu_begin(&h, v));
    MPC_SCALAR(t);
    for (size_t j = 0; j < v->d.xi; j++) {
        fold_pad(v->c, &t, alpha0[j], theta_mont);
        mu_part(&h, v->c, &t);
    }
    return mpc_hasher_end(&h, mu);
}

qk_err rvole_alice(const struct rvole *v, const uint8_t *delta, const uint8_t *rows,
    const struct otext_msg *msg, const struct mpc_scalar a[static 3], uint8_t *at, uint8_t *eta,
    uint8_t mu[static 64], struct mpc_scalar cs[static 2])
{
    QK_AUTO_BUF mem = QK_BUF_SECRET(OT_XI_MAX * sizeof(pad_t));
    pad_t *alpha0 = (pad_t *)(void *)qk_buf_extend(&mem, v->d.xi * sizeof(pad_t));
    QK_ENSURE(alpha0, mem.err);
    struct mpc_wide acc[2] = {0};
    qk_err err = alice_pads(v, delta, rows, a, alpha0, at, acc);
    accumulated(v->c, acc, cs);
    QK_TRY(err);
    mpc_scalar_neg(v->c, &cs[0], &cs[0]);
    mpc_scalar_neg(v->c, &cs[1], &cs[1]);
    struct mpc_scalar theta_mont[2];
    QK_TRY(thetas(v, msg, qk_bytes(at, rvole_at_len(v->c, &v->d)), theta_mont));
    MPC_SCALAR(e);
    fold_pad(v->c, &e, a, theta_mont); /* eta = a-hat + theta_0 a_0 + theta_1 a_1 */
    mpc_scalar_encode(v->c, eta, &e);
    return alice_mu(v, (const pad_t *)alpha0, theta_mont, mu);
}

/* ---- Bob ---- */

/* d-dot_{j,l} = gamma_{j,l} + beta_j * a-tilde_{j,l}, in place */
static qk_err unmask(const struct mpc_curve *c, uint64_t beta_mask, const uint8_t *at, pad_t pad)
{
    MPC_SCALAR(t);
    for (size_t l = 0; l < 3; l++) {
        QK_TRY(mpc_scalar_decode(c, &t, qk_bytes(at + l * c->lq, c->lq)));
        mpc_scalar_mask(&t, beta_mask, &t);
        mpc_scalar_add(c, &pad[l], &pad[l], &t);
    }
    return QK_OK;
}

struct bob {
    const struct rvole *v;
    const uint8_t *beta, *rows, *at;
    struct mpc_scalar eta, theta_mont[2];
};

static qk_err bob_row(
    const struct bob *b, size_t j, pad_t pad, struct mpc_hasher *h, struct mpc_wide acc[2])
{
    const struct mpc_curve *c = b->v->c;
    uint64_t mask = ct_mask_of_bit(ot_bit(b->beta, j));
    QK_TRY(unmask(c, mask, b->at + 3 * j * c->lq, pad));
    accumulate(b->v, j, pad, acc);
    MPC_SCALAR(t);
    MPC_SCALAR(eta);
    fold_pad(c, &t, pad, b->theta_mont);
    mpc_scalar_mask(&eta, mask, &b->eta);
    mpc_scalar_sub(c, &t, &t, &eta);
    mu_part(h, c, &t);
    return QK_OK;
}

static qk_err bob_rows(const struct bob *b, struct mpc_hasher *h, struct mpc_wide acc[2])
{
    static const uint8_t zero[OT_ROW_MAX];
    PADS(pads);
    pad_t gamma[PAD_ROWS];
    size_t row_len = ot_row_len(&b->v->d);
    QK_TRY(pads_init(&pads, b->v->c, b->v->pm));
    qk_err err = QK_OK;
    for (size_t j = 0; j < b->v->d.xi && err == QK_OK; j += PAD_ROWS) {
        err = pads_of_rows(&pads, (uint16_t)j, b->rows + j * row_len, zero, gamma);
        for (size_t l = 0; l < PAD_ROWS && err == QK_OK; l++)
            err = bob_row(b, j + l, gamma[l], h, acc);
    }
    qk_wipe(gamma, sizeof gamma);
    return err;
}

qk_err rvole_bob(const struct rvole *v, const uint8_t *beta, const uint8_t *rows,
    const struct otext_msg *msg, const struct rvole_answer *answer, struct mpc_scalar ds[static 2])
{
    QK_ENSURE(answer->at.len == rvole_at_len(v->c, &v->d) && answer->mu.len == 64, QK_E_STATE);
    struct bob b = {.v = v, .beta = beta, .rows = rows, .at = answer->at.p};
    QK_TRY(mpc_scalar_decode(v->c, &b.eta, answer->eta));
    QK_TRY(thetas(v, msg, answer->at, b.theta_mont));
    struct mpc_hasher h;
    struct mpc_wide acc[2] = {0};
    uint8_t mu[64];
    QK_TRY(mu_begin(&h, v));
    qk_err err = bob_rows(&b, &h, acc);
    accumulated(v->c, acc, ds);
    if (err != QK_OK) {
        mpc_hasher_abort(&h);
        return err;
    }
    QK_TRY(mpc_hasher_end(&h, mu));
    bool same = CRYPTO_memcmp(mu, answer->mu.p, 64) == 0;
    qk_wipe(mu, sizeof mu);
    return same ? QK_OK : QK_E_PROOF;
}
