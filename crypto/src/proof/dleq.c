#include "nonce.h"

#include "mpc/transcript.h"

struct statement {
    const struct mpc_point *big_x, *p, *d;
};

static qk_err challenge(struct mpc_scalar *e, const struct proof_ctx *ctx,
    const struct statement *st, const uint8_t *enc_a1, const uint8_t *enc_a2)
{
    uint8_t enc_x[MPC_POINT_MAX], enc_p[MPC_POINT_MAX], enc_d[MPC_POINT_MAX];
    uint8_t id[2];
    size_t pt = ctx->c->pt;
    QK_TRY(mpc_point_encode(enc_x, st->big_x));
    QK_TRY(mpc_point_encode(enc_p, st->p));
    QK_TRY(mpc_point_encode(enc_d, st->d));
    qk_put_u16(id, ctx->i);
    return mpc_h2s(ctx->c, e, MPC_L_DLEQ,
        MPC_FIELDS({ctx->sid, 32}, {&ctx->c->id, 1}, QK_BYTES(id), qk_str(ctx->role), {enc_x, pt},
            {enc_p, pt}, {enc_d, pt}, {enc_a1, pt}, {enc_a2, pt}));
}

static qk_err commit_nonce(
    struct mpc_dleq *proof, const struct mpc_scalar *k, const struct mpc_point *p)
{
    MPC_POINT(a);
    QK_TRY(mpc_point_init(&a, p->c));
    QK_TRY(mpc_point_mul_base(&a, k));
    QK_TRY(mpc_point_encode(proof->a1, &a));
    QK_TRY(mpc_point_mul(&a, k, p));
    return mpc_point_encode(proof->a2, &a);
}

qk_err mpc_dleq_prove(struct mpc_dleq *out, const struct mpc_curve *c, const uint8_t sid[static 32],
    uint16_t i, const char *role, const struct mpc_scalar *x, const struct mpc_point *big_x,
    const struct mpc_point *p, const struct mpc_point *d, struct qk_rng *rng)
{
    struct proof_ctx ctx = {c, sid, i, role};
    struct statement st = {big_x, p, d};
    struct mpc_dleq proof = {0};
    struct mpc_scalar e;
    MPC_SCALAR(k);
    MPC_SCALAR(z);
    QK_TRY(proof_nonce(&ctx, &k, x, rng));
    QK_TRY(commit_nonce(&proof, &k, p));
    QK_TRY(challenge(&e, &ctx, &st, proof.a1, proof.a2));
    mpc_scalar_mul(c, &z, &e, x);
    mpc_scalar_add(c, &z, &z, &k);
    mpc_scalar_encode(c, proof.z, &z);
    *out = proof;
    return QK_OK;
}

/* z*G == A1 + e*X */
static qk_err check_base(const struct mpc_scalar *z, const struct mpc_scalar *minus_e,
    const struct mpc_point *big_x, const struct mpc_point *a1)
{
    MPC_POINT(lhs);
    QK_TRY(mpc_point_init(&lhs, a1->c));
    QK_TRY(mpc_point_mul_add_var(&lhs, z, minus_e, big_x));
    return mpc_point_check_eq_var(&lhs, a1);
}

/* z*P == A2 + e*D */
static qk_err check_point(const struct mpc_scalar *z, const struct mpc_scalar *minus_e,
    const struct statement *st, const struct mpc_point *a2)
{
    MPC_POINT(lhs);
    MPC_POINT(rhs);
    QK_TRY(mpc_point_init(&lhs, a2->c));
    QK_TRY(mpc_point_init(&rhs, a2->c));
    QK_TRY(mpc_point_mul(&lhs, z, st->p));
    QK_TRY(mpc_point_mul(&rhs, minus_e, st->d));
    QK_TRY(mpc_point_add(&lhs, &lhs, &rhs));
    return mpc_point_check_eq_var(&lhs, a2);
}

qk_err mpc_dleq_verify(const struct mpc_curve *c, const uint8_t sid[static 32], uint16_t i,
    const char *role, const struct mpc_point *big_x, const struct mpc_point *p,
    const struct mpc_point *d, struct qk_bytes a1, struct qk_bytes a2, struct qk_bytes z)
{
    struct proof_ctx ctx = {c, sid, i, role};
    struct statement st = {big_x, p, d};
    struct mpc_scalar e, sz;
    MPC_POINT(pa1);
    MPC_POINT(pa2);
    QK_TRY(mpc_point_init(&pa1, c));
    QK_TRY(mpc_point_init(&pa2, c));
    QK_TRY(mpc_point_decode_var(&pa1, a1));
    QK_TRY(mpc_point_decode_var(&pa2, a2));
    QK_TRY(mpc_scalar_decode(c, &sz, z));
    /* O has no encoding, so nothing can be proved about it. */
    QK_ENSURE(!mpc_point_is_infinity(big_x), QK_E_PROOF);
    QK_ENSURE(!mpc_point_is_infinity(p) && !mpc_point_is_infinity(d), QK_E_PROOF);
    QK_TRY(challenge(&e, &ctx, &st, a1.p, a2.p));
    mpc_scalar_neg(c, &e, &e);
    QK_TRY(check_base(&sz, &e, big_x, &pa1));
    return check_point(&sz, &e, &st, &pa2);
}
