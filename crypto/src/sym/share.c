#include "qk/secret.h"
#include "sym/version.h"

void mpc_sym_share_wipe(struct mpc_sym_share *share)
{
    qk_wipe(share, sizeof *share);
}

qk_err mpc_sym_share_encode(const struct mpc_sym_share *share, struct qk_buf *out)
{
    QK_ENSURE(share->n_keys <= MPC_SYM_SETS_MAX, QK_E_STATE);
    QK_ENSURE(share->self >= 1 && share->self <= 255, QK_E_STATE);
    QK_ENSURE(share->n_keys > 0 || share->v.curve != 0, QK_E_STATE);
    qk_buf_add_u8(out, 1);
    qk_buf_add_u16(out, share->self);
    qk_buf_add_u16(out, share->n_keys);
    qk_buf_add(out, share->k, (size_t)share->n_keys * 32);
    if (share->v.curve != 0) QK_TRY(mpc_key_share_encode(&share->v, out));
    return out->err;
}

qk_err mpc_sym_share_decode(struct qk_bytes in, struct mpc_sym_share *out)
{
    enum { HEAD = 5 };
    QK_ENSURE(in.len >= HEAD && in.p[0] == 1, QK_E_CORRUPT);
    MPC_SYM_SHARE(share);
    share.self = qk_get_u16(in.p + 1);
    share.n_keys = qk_get_u16(in.p + 3);
    QK_ENSURE(share.self >= 1 && share.self <= 255, QK_E_CORRUPT);
    QK_ENSURE(share.n_keys <= MPC_SYM_SETS_MAX, QK_E_CORRUPT);
    size_t keys = (size_t)share.n_keys * 32;
    QK_ENSURE(in.len - HEAD >= keys && in.len > HEAD, QK_E_CORRUPT);
    memcpy(share.k, in.p + HEAD, keys);
    struct qk_bytes rest = qk_bytes(in.p + HEAD + keys, in.len - HEAD - keys);
    if (rest.len > 0) {
        QK_TRY(mpc_key_share_decode(rest, &share.v));
        QK_ENSURE(share.v.curve == MPC_P256 && share.v.self == share.self, QK_E_CORRUPT);
    }
    *out = share;
    return QK_OK;
}

static qk_err check_keys(
    const struct mpc_sym_share *share, const struct mpc_sym_record *rec, size_t ix)
{
    struct mpc_sym_sets sets;
    uint8_t own[MPC_SYM_SETS_MAX], kcv[32];
    if (!(rec->modes & MPC_SYM_F)) {
        QK_ENSURE(share->n_keys == 0, QK_E_CORRUPT);
        return QK_OK;
    }
    QK_ENSURE(mpc_sym_sets_make(&sets, rec->n, rec->t) == QK_OK, QK_E_CORRUPT);
    QK_ENSURE(sym_own_sets(&sets, ix, own) == share->n_keys, QK_E_CORRUPT);
    for (size_t j = 0; j < share->n_keys; j++) {
        QK_TRY(sym_kcv(kcv, rec->sid_f, own[j], share->k[j]));
        QK_ENSURE(memcmp(kcv, rec->kcv[own[j]], 32) == 0, QK_E_CORRUPT);
    }
    return QK_OK;
}

qk_err mpc_sym_share_check(const struct mpc_sym_share *share, const struct mpc_sym_record *rec)
{
    int ix = sym_node_index(rec, share->self);
    QK_ENSURE(ix >= 0, QK_E_CORRUPT);
    QK_TRY(check_keys(share, rec, (size_t)ix));
    if (!(rec->modes & MPC_SYM_V)) {
        QK_ENSURE(share->v.curve == 0, QK_E_CORRUPT);
        return QK_OK;
    }
    struct mpc_key_record v;
    QK_ENSURE(share->v.self == share->self, QK_E_CORRUPT);
    QK_TRY(mpc_sym_record_v(rec, &v));
    return mpc_key_share_check(&share->v, &v);
}
