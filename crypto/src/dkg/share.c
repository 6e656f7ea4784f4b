#include "mpc/share.h"

#include "qk/secret.h"

void mpc_key_share_wipe(struct mpc_key_share *share)
{
    qk_wipe(share, sizeof *share);
}

qk_err mpc_key_share_encode(const struct mpc_key_share *share, struct qk_buf *out)
{
    const struct mpc_curve *c = mpc_curve_get(share->curve);
    QK_ENSURE(c, QK_E_STATE);
    qk_buf_add_u8(out, 1);
    qk_buf_add_u8(out, share->curve);
    qk_buf_add_u16(out, share->self);
    uint8_t *x = qk_buf_extend(out, c->lq);
    QK_ENSURE(x, out->err);
    mpc_scalar_encode(c, x, &share->x);
    return QK_OK;
}

qk_err mpc_key_share_decode(struct qk_bytes in, struct mpc_key_share *out)
{
    QK_ENSURE(in.len >= 4 && in.p[0] == 1, QK_E_CORRUPT);
    const struct mpc_curve *c = mpc_curve_get(in.p[1]);
    QK_ENSURE(c && in.len == 4u + c->lq, QK_E_CORRUPT);
    MPC_KEY_SHARE(share);
    share.curve = c->id;
    share.self = qk_get_u16(in.p + 2);
    QK_ENSURE((share.self >= 1 && share.self <= 255) || share.self == MPC_DELEGATE, QK_E_CORRUPT);
    QK_ENSURE(mpc_scalar_decode(c, &share.x, qk_bytes(in.p + 4, c->lq)) == QK_OK, QK_E_CORRUPT);
    QK_ENSURE(!mpc_scalar_zero_mask(&share.x), QK_E_CORRUPT);
    *out = share;
    return QK_OK;
}

qk_err mpc_key_share_check(const struct mpc_key_share *share, const struct mpc_key_record *rec)
{
    const struct mpc_curve *c = mpc_curve_get(rec->curve);
    QK_ENSURE(c && share->curve == rec->curve, QK_E_CORRUPT);
    const uint8_t *big_x = rec->big_x_d;
    if (share->self == MPC_DELEGATE) {
        QK_ENSURE(rec->access == 1, QK_E_CORRUPT);
    } else {
        int ix = mpc_record_index(rec, share->self);
        QK_ENSURE(ix >= 0, QK_E_CORRUPT);
        big_x = rec->big_x[ix];
    }
    MPC_POINT(mine);
    uint8_t enc[MPC_POINT_MAX];
    QK_TRY(mpc_point_init(&mine, c));
    QK_TRY(mpc_point_mul_base(&mine, &share->x));
    QK_ENSURE(!mpc_point_is_infinity(&mine), QK_E_CORRUPT);
    QK_TRY(mpc_point_encode(enc, &mine));
    QK_ENSURE(memcmp(enc, big_x, c->pt) == 0, QK_E_CORRUPT);
    return QK_OK;
}
