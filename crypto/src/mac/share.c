/* A node's share of an HMAC key; who knows what of it in a run. */
#include "mac/pieces.h"
#include "mpc/transcript.h"
#include "session/engine.h"

void mpc_mac_share_wipe(struct mpc_mac_share *share)
{
    qk_wipe(share, sizeof *share);
}

void mpc_mac_inputs_wipe(struct mpc_mac_inputs *in)
{
    qk_wipe(in, sizeof *in);
}

/* ---- hashes ---- */

qk_err mac_piece_hash(
    uint8_t out[static 32], const struct mpc_mac_record *rec, uint16_t j, const uint8_t *piece)
{
    size_t len = mpc_mac_secret_len(rec->alg, rec->profile);
    return mpc_h32(out, MPC_L_MAC_PC,
        MPC_FIELDS(QK_BYTES(rec->key_id), MPC_U32(rec->e_net), MPC_U16(j), {piece, len}));
}

qk_err mac_ist_hash(uint8_t out[static 32], const struct mpc_mac_record *rec, const uint8_t *ist)
{
    return mpc_h32(
        out, MPC_L_MAC_IST, MPC_FIELDS(QK_BYTES(rec->key_id), {ist, mpc_mac_state_len(rec->alg)}));
}

/* ---- the share as bytes ---- */

enum { SHARE_VERSION = 2, SHARE_HEAD = 8 };

/* The index of self in a share without its record: the piece that is not there. It is in the
 * encoding because an all-zero piece does not prove its absence. */
static qk_err check_head(const struct mpc_mac_share *s, size_t ix)
{
    QK_ENSURE(s->self >= 1 && s->self <= 255, QK_E_CORRUPT);
    QK_ENSURE(mpc_mac_alg_known(s->alg) && mpc_mac_profile_known(s->profile), QK_E_CORRUPT);
    QK_ENSURE(s->n >= MPC_MAC_NODES_MIN && s->n <= MPC_NODES_MAX, QK_E_CORRUPT);
    return ix < s->n ? QK_OK : QK_E_CORRUPT;
}

static size_t ist_len(const struct mpc_mac_share *s)
{
    return s->profile == MPC_MAC_N ? mpc_mac_state_len(s->alg) : 0;
}

qk_err mpc_mac_share_encode(const struct mpc_mac_share *share, struct qk_buf *out)
{
    QK_ENSURE(check_head(share, share->self_ix) == QK_OK, QK_E_STATE);
    size_t len = mpc_mac_secret_len(share->alg, share->profile);
    qk_buf_add_u8(out, SHARE_VERSION);
    qk_buf_add_u16(out, share->self);
    qk_buf_add_u8(out, share->alg);
    qk_buf_add_u8(out, share->profile);
    qk_buf_add_u16(out, share->n);
    qk_buf_add_u8(out, (uint8_t)share->self_ix);
    qk_buf_add(out, share->ist, ist_len(share));
    for (size_t j = 0; j < share->n; j++)
        if (j != share->self_ix) qk_buf_add(out, share->piece[j], len);
    return out->err;
}

static qk_err read_body(struct mpc_mac_share *s, struct qk_bytes in)
{
    size_t len = mpc_mac_secret_len(s->alg, s->profile), head = ist_len(s);
    QK_ENSURE(in.len == head + (size_t)(s->n - 1) * len, QK_E_CORRUPT);
    memcpy(s->ist, in.p, head);
    const uint8_t *p = in.p + head;
    for (size_t j = 0; j < s->n; j++) {
        if (j == s->self_ix) continue;
        memcpy(s->piece[j], p, len);
        p += len;
    }
    return QK_OK;
}

qk_err mpc_mac_share_decode(struct qk_bytes in, struct mpc_mac_share *out)
{
    QK_ENSURE(in.len > SHARE_HEAD && in.p[0] == SHARE_VERSION, QK_E_CORRUPT);
    MPC_MAC_SHARE(share);
    share.self = qk_get_u16(in.p + 1);
    share.alg = in.p[3];
    share.profile = in.p[4];
    share.n = qk_get_u16(in.p + 5);
    share.self_ix = in.p[7];
    QK_TRY(check_head(&share, share.self_ix));
    QK_TRY(read_body(&share, qk_bytes(in.p + SHARE_HEAD, in.len - SHARE_HEAD)));
    *out = share;
    return QK_OK;
}

/* ---- share and record ---- */

static qk_err fits(const struct mpc_mac_share *share, const struct mpc_mac_record *rec)
{
    int ix = mpc_mac_record_index(rec, share->self);
    QK_ENSURE(ix >= 0 && (size_t)ix == share->self_ix, QK_E_CORRUPT);
    QK_ENSURE(share->alg == rec->alg && share->profile == rec->profile, QK_E_CORRUPT);
    QK_ENSURE(share->n == rec->n, QK_E_CORRUPT);
    return QK_OK;
}

qk_err mpc_mac_share_check(const struct mpc_mac_share *share, const struct mpc_mac_record *rec)
{
    uint8_t hash[32];
    QK_TRY(fits(share, rec));
    for (size_t j = 0; j < rec->n; j++) {
        if (j == share->self_ix) continue;
        QK_TRY(mac_piece_hash(hash, rec, rec->nodes[j].id, share->piece[j]));
        QK_ENSURE(memcmp(hash, rec->pk[j], 32) == 0, QK_E_CORRUPT);
    }
    if (rec->profile != MPC_MAC_N) return QK_OK;
    QK_TRY(mac_ist_hash(hash, rec, share->ist));
    return memcmp(hash, rec->ist, 32) == 0 ? QK_OK : QK_E_CORRUPT;
}

/* ---- roles and inputs ---- */

struct mpc_mac_roles mpc_mac_roles_permute(const uint16_t abc[static 3], unsigned k)
{
    static const uint8_t order[6][3] = {
        {0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    const uint8_t *o = order[k % 6];
    return (struct mpc_mac_roles){.g1 = abc[o[0]], .g2 = abc[o[1]], .e = abc[o[2]]};
}

static void add_piece(uint8_t *sum, const struct mpc_mac_share *share, size_t ix, size_t len)
{
    for (size_t i = 0; i < len; i++) sum[i] ^= share->piece[ix][i];
}

/* c: everything but the pieces of the garblers, who both know all of it. */
static void add_c(uint8_t *c, const struct mpc_mac_record *rec, const struct mpc_mac_share *share,
    const struct mpc_mac_roles *roles, size_t len)
{
    for (size_t j = 0; j < rec->n; j++)
        if (rec->nodes[j].id != roles->g1 && rec->nodes[j].id != roles->g2)
            add_piece(c, share, j, len);
}

qk_err mpc_mac_inputs_of(struct mpc_mac_inputs *out, const struct mpc_mac_record *rec,
    const struct mpc_mac_share *share, const struct mpc_mac_roles *roles)
{
    int g1 = mpc_mac_record_index(rec, roles->g1), g2 = mpc_mac_record_index(rec, roles->g2);
    size_t len = mpc_mac_secret_len(rec->alg, rec->profile);
    uint16_t self = share->self;
    QK_ENSURE(g1 >= 0 && g2 >= 0 && mpc_mac_record_index(rec, roles->e) >= 0, QK_E_STATE);
    QK_ENSURE(roles->g1 != roles->g2 && roles->g1 != roles->e && roles->g2 != roles->e, QK_E_STATE);
    QK_ENSURE(self == roles->g1 || self == roles->g2 || self == roles->e, QK_E_STATE);
    QK_ENSURE(fits(share, rec) == QK_OK, QK_E_STATE);
    memset(out, 0, sizeof *out);
    if (self != roles->g2) add_piece(out->a, share, (size_t)g2, len);
    if (self != roles->g1) add_piece(out->b, share, (size_t)g1, len);
    if (self != roles->e) add_c(out->c, rec, share, roles, len);
    return QK_OK;
}
