#include "nonce.h"

#include "mpc/transcript.h"

static qk_err challenge(struct mpc_scalar *e, const struct proof_ctx *ctx,
    const struct mpc_point *big_x, const uint8_t *enc_a)
{
    uint8_t enc_x[MPC_POINT_MAX];
    uint8_t id[2];
    QK_TRY(mpc_point_encode(enc_x, big_x));
    qk_put_u16(id, ctx->i);
    return mpc_h2s(ctx->c, e, MPC_L_POK,
        MPC_FIELDS({ctx->sid, 32}, {&ctx->c->id, 1}, QK_BYTES(id), qk_str(ctx->role),
            {enc_x, ctx->c->pt}, {enc_a, ctx->c->pt}));
}

qk_err proof_pok_with(struct mpc_pok *out, const struct proof_ctx *ctx, const struct mpc_scalar *x,
    const struct mpc_point *big_x, const struct mpc_scalar *k)
{
    MPC_POINT(a);
    MPC_SCALAR(z);
    struct mpc_scalar e;
    struct mpc_pok proof = {0};
    QK_TRY(mpc_point_init(&a, ctx->c));
    QK_TRY(mpc_point_mul_base(&a, k));
    QK_TRY(mpc_point_encode(proof.a, &a));
    QK_TRY(challenge(&e, ctx, big_x, proof.a));
    mpc_scalar_mul(ctx->c, &z, &e, x);
    mpc_scalar_add(ctx->c, &z, &z, k);
    mpc_scalar_encode(ctx->c, proof.z, &z);
    *out = proof;
    return QK_OK;
}

qk_err mpc_pok_prove(struct mpc_pok *out, const struct mpc_curve *c, const uint8_t sid[static 32],
    uint16_t i, const char *role, const struct mpc_scalar *x, const struct mpc_point *big_x,
    struct qk_rng *rng)
{
    struct proof_ctx ctx = {c, sid, i, role};
    MPC_SCALAR(k);
    QK_TRY(proof_nonce(&ctx, &k, x, rng));
    return proof_pok_with(out, &ctx, x, big_x, &k);
}

/* z*G - e*X == A, which is z*G == A + e*X. */
qk_err mpc_pok_verify(const struct mpc_curve *c, const uint8_t sid[static 32], uint16_t i,
    const char *role, const struct mpc_point *big_x, struct qk_bytes a, struct qk_bytes z)
{
    struct proof_ctx ctx = {c, sid, i, role};
    struct mpc_scalar e, sz;
    MPC_POINT(pa);
    MPC_POINT(lhs);
    QK_TRY(mpc_point_init(&pa, c));
    QK_TRY(mpc_point_init(&lhs, c));
    QK_TRY(mpc_point_decode_var(&pa, a));
    QK_TRY(mpc_scalar_decode(c, &sz, z));
    /* O has no encoding, so nothing can be proved about it. */
    QK_ENSURE(!mpc_point_is_infinity(big_x), QK_E_PROOF);
    QK_TRY(challenge(&e, &ctx, big_x, a.p));
    mpc_scalar_neg(c, &e, &e);
    QK_TRY(mpc_point_mul_add_var(&lhs, &sz, &e, big_x));
    QK_TRY(mpc_point_check_eq_var(&lhs, &pa));
    return QK_OK;
}
