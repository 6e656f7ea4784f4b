#include "ecdsa/pvw.h"

#include "group/ct.h"
#include "mpc/labels.h"
#include "mpc/transcript.h"
#include "qk/secret.h"
#include "session/engine.h"

qk_err pvw_init(struct pvw *x, const struct mpc_curve *c, const uint8_t psid[static 32])
{
    x->c = c;
    memcpy(x->psid, psid, 32);
    for (size_t b = 0; b < 2; b++) {
        QK_TRY(mpc_point_init(&x->g[b], c));
        QK_TRY(mpc_point_init(&x->h[b], c));
    }
    QK_TRY(mpc_point_set_generator(&x->g[0]));
    QK_TRY(mpc_h2p_var(&x->h[0], MPC_L_PVW_H0, MPC_FIELDS({psid, 32})));
    QK_TRY(mpc_h2p_var(&x->g[1], MPC_L_PVW_G1, MPC_FIELDS({psid, 32})));
    return mpc_h2p_var(&x->h[1], MPC_L_PVW_H1, MPC_FIELDS({psid, 32}));
}

void pvw_clear(struct pvw *x)
{
    for (size_t b = 0; b < 2; b++) {
        mpc_point_clear(&x->g[b]);
        mpc_point_clear(&x->h[b]);
    }
}

qk_err pvw_choose(const struct pvw *x, uint8_t bit, const struct mpc_scalar *r, uint8_t *uw)
{
    uint64_t mask = ct_mask_of_bit(bit);
    MPC_POINT(p);
    QK_TRY(mpc_point_init(&p, x->c));
    QK_TRY(mpc_point_select(&p, mask, &x->g[1], &x->g[0]));
    QK_TRY(mpc_point_mul(&p, r, &p));
    QK_TRY(mpc_point_encode(uw, &p));
    QK_TRY(mpc_point_select(&p, mask, &x->h[1], &x->h[0]));
    QK_TRY(mpc_point_mul(&p, r, &p));
    return mpc_point_encode(uw + x->c->pt, &p);
}

/* out = enc(s*a + t*b) */
static qk_err combine(const struct mpc_curve *c, const struct mpc_scalar *s,
    const struct mpc_point *a, const struct mpc_scalar *t, const struct mpc_point *b, uint8_t *out)
{
    MPC_POINT(p);
    MPC_POINT(q);
    QK_TRY(mpc_point_init(&p, c));
    QK_TRY(mpc_point_init(&q, c));
    QK_TRY(mpc_point_mul(&p, s, a));
    QK_TRY(mpc_point_mul(&q, t, b));
    QK_TRY(mpc_point_add(&p, &p, &q));
    QK_ENSURE(!mpc_point_is_infinity(&p), QK_E_UNEXPECTED);
    return mpc_point_encode(out, &p);
}

/* b is a byte, not a branch: at A it is secret. */
static qk_err seed_hash(const struct pvw *x, uint16_t k, const uint8_t *b, const uint8_t *uw,
    const uint8_t *e, const uint8_t *v, uint8_t seed[static 32])
{
    size_t pt = x->c->pt;
    return mpc_h32(seed, MPC_L_PVW_SEED,
        MPC_FIELDS({x->psid, 32}, MPC_U16(k), {b, 1}, {uw, pt}, {uw + pt, pt}, {e, pt}, {v, pt}));
}

qk_err pvw_answer(const struct pvw *x, uint16_t k, uint8_t b, const uint8_t *uw,
    const struct mpc_point *u, const struct mpc_point *w, const struct mpc_scalar *s,
    const struct mpc_scalar *t, uint8_t *e, uint8_t seed[static 32])
{
    uint8_t v[MPC_POINT_MAX];
    QK_TRY(combine(x->c, s, &x->g[b], t, &x->h[b], e));
    qk_err err = combine(x->c, s, u, t, w, v);
    if (err == QK_OK) err = seed_hash(x, k, &b, uw, e, v, seed);
    qk_wipe(v, sizeof v);
    return err;
}

static qk_err chosen_v(
    const struct pvw *x, uint64_t mask, const struct mpc_scalar *r, const uint8_t *e01, uint8_t *v)
{
    size_t pt = x->c->pt;
    MPC_POINT(e0);
    MPC_POINT(e1);
    QK_TRY(mpc_point_init(&e0, x->c));
    QK_TRY(mpc_point_init(&e1, x->c));
    QK_TRY(mpc_point_decode_var(&e0, qk_bytes(e01, pt)));
    QK_TRY(mpc_point_decode_var(&e1, qk_bytes(e01 + pt, pt)));
    QK_TRY(mpc_point_select(&e0, mask, &e1, &e0));
    QK_TRY(mpc_point_mul(&e0, r, &e0));
    return mpc_point_encode(v, &e0);
}

qk_err pvw_open(const struct pvw *x, uint16_t k, uint8_t bit, const struct mpc_scalar *r,
    const uint8_t *uw, const uint8_t *e01, uint8_t seed[static 32])
{
    uint64_t mask = ct_mask_of_bit(bit);
    uint8_t v[MPC_POINT_MAX], e[MPC_POINT_MAX];
    qk_err err = chosen_v(x, mask, r, e01, v);
    if (err == QK_OK) {
        ct_select_bytes(e, mask, e01 + x->c->pt, e01, x->c->pt);
        err = seed_hash(x, k, &bit, uw, e, v, seed);
    }
    qk_wipe(v, sizeof v);
    qk_wipe(e, sizeof e);
    return err;
}
