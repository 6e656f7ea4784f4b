#include "core/payload.h"

#include "mpc/epoch.h"
#include "qk/clock.h"
#include "qk/pack.h"
#include "qk/secret.h"
#include "vault/shares.h"

enum {
    SHARE_MAX = MPC_MAC_SHARE_MAX, /* the largest one */
    RECORD_MAX = MPC_SYM_RECORD_MAX,
    FRAMING = 64, /* of the map */
};
_Static_assert((int)MPC_KEY_SHARE_MAX <= (int)SHARE_MAX, "a share fits");
_Static_assert((int)MPC_RECORD_MAX <= (int)RECORD_MAX, "a record fits");
_Static_assert((int)MPC_SYM_SHARE_MAX <= (int)SHARE_MAX, "a symmetric key's share fits");
_Static_assert((int)MPC_MAC_RECORD_MAX <= (int)RECORD_MAX, "an HMAC key's record fits");
_Static_assert(SHARE_MAX + RECORD_MAX + FRAMING <= (int)MPC_EPOCH_PAYLOAD_MAX, "both fit");
_Static_assert((int)SHARE_MAX <= (int)NODE_SHARE_MAX, "the vault takes a share");
_Static_assert((int)RECORD_MAX <= (int)NODE_SHARE_RECORD_MAX, "the vault takes a record");

static qk_err join(enum node_payload_kind kind, const struct qk_buf *share,
    const struct qk_buf *record, struct qk_buf *out)
{
    qk_pack_map(out, 3);
    qk_pack_key_uint(out, "kind", kind);
    qk_pack_key_bin(out, "share", qk_buf_view(share));
    qk_pack_key_bin(out, "rec", qk_buf_view(record));
    return out->err;
}

qk_err node_payload_of_key(
    const struct mpc_key_share *share, const struct mpc_key_record *rec, struct qk_buf *out)
{
    QK_AUTO_BUF secret = QK_BUF_SECRET(SHARE_MAX);
    QK_AUTO_BUF record = QK_BUF(RECORD_MAX);
    QK_TRY(mpc_key_share_encode(share, &secret));
    QK_TRY(mpc_record_encode(rec, &record));
    return join(NODE_PAYLOAD_KEY, &secret, &record, out);
}

qk_err node_payload_of_sym(
    const struct mpc_sym_share *share, const struct mpc_sym_record *rec, struct qk_buf *out)
{
    QK_AUTO_BUF secret = QK_BUF_SECRET(SHARE_MAX);
    QK_AUTO_BUF record = QK_BUF(RECORD_MAX);
    QK_TRY(mpc_sym_share_encode(share, &secret));
    QK_TRY(mpc_sym_record_encode(rec, &record));
    return join(NODE_PAYLOAD_SYM, &secret, &record, out);
}

qk_err node_payload_of_mac(
    const struct mpc_mac_share *share, const struct mpc_mac_record *rec, struct qk_buf *out)
{
    QK_AUTO_BUF secret = QK_BUF_SECRET(MPC_MAC_SHARE_MAX);
    QK_AUTO_BUF record = QK_BUF(MPC_MAC_RECORD_MAX);
    QK_TRY(mpc_mac_share_encode(share, &secret));
    QK_TRY(mpc_mac_record_encode(rec, &record));
    return join(NODE_PAYLOAD_MAC, &secret, &record, out);
}

/* Under which name the vault keeps it. */
static qk_err name_of_mac(struct qk_bytes record, uint8_t id[static 16], uint32_t *epoch)
{
    struct mpc_mac_record rec;
    QK_TRY(mpc_mac_record_decode(record, &rec));
    *epoch = rec.e_net;
    return mpc_sym_version_id(id, rec.key_id, rec.ver);
}

static qk_err name_of(uint64_t kind, struct qk_bytes record, uint8_t id[static 16], uint32_t *epoch)
{
    if (kind == NODE_PAYLOAD_MAC) return name_of_mac(record, id, epoch);
    if (kind == NODE_PAYLOAD_SYM) {
        struct mpc_sym_record rec;
        QK_TRY(mpc_sym_record_decode(record, &rec));
        *epoch = rec.e_net;
        return mpc_sym_version_id(id, rec.key_id, rec.ver);
    }
    struct mpc_key_record rec;
    QK_TRY(mpc_record_decode(record, &rec));
    *epoch = rec.e_net;
    memcpy(id, rec.key_id, 16);
    return QK_OK;
}

qk_err node_payload_store(struct node *node, const uint8_t sid[static 32], struct qk_bytes payload)
{
    struct qk_unpack u = qk_unpack(payload);
    struct qk_bytes secret, record;
    uint64_t kind;
    uint8_t id[16];
    uint32_t epoch;
    QK_TRY(qk_unpack_map(&u, 3));
    QK_TRY(qk_unpack_key_uint(&u, "kind", NODE_PAYLOAD_MAC, &kind));
    QK_ENSURE(kind >= NODE_PAYLOAD_KEY, QK_E_MALFORMED);
    QK_TRY(qk_unpack_key_bin(&u, "share", 1, SHARE_MAX, &secret));
    QK_TRY(qk_unpack_key_bin(&u, "rec", 1, RECORD_MAX, &record));
    QK_TRY(qk_unpack_end(&u));
    QK_TRY(name_of(kind, record, id, &epoch));
    return node_vault_share_put_pending(node->vault, id, epoch, sid, secret, record, qk_now_ms());
}
