#include "nonce.h"

#include "mpc/transcript.h"
#include "qk/secret.h"

struct drawn {
    uint8_t random[64];
    uint8_t secret[MPC_SCALAR_MAX];
};

static void drawn_wipe(struct drawn *d)
{
    qk_wipe(d, sizeof *d);
}

qk_err proof_nonce(const struct proof_ctx *ctx, struct mpc_scalar *k,
    const struct mpc_scalar *secret, struct qk_rng *rng)
{
    __attribute__((cleanup(drawn_wipe))) struct drawn d;
    uint8_t id[2];
    QK_TRY(qk_rng_fill(rng, d.random, sizeof d.random));
    mpc_scalar_encode(ctx->c, d.secret, secret);
    qk_put_u16(id, ctx->i);
    QK_TRY(mpc_h2s(ctx->c, k, MPC_L_NONCE,
        MPC_FIELDS(QK_BYTES(d.random), {d.secret, ctx->c->lq}, {ctx->sid, 32}, QK_BYTES(id),
            qk_str(ctx->role))));
    /* Zero has probability 2^-256; that it happened would be visible, since A would be O. */
    QK_ENSURE(mpc_scalar_zero_mask(k) == 0, QK_E_RNG);
    return QK_OK;
}
