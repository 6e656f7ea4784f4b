/* The record of an HMAC key, its encoding, hash and EPOCH run. */
#include "mpc/mac_record.h"

#include "mpc/epoch.h"
#include "mpc/record.h"
#include "mpc/sym_record.h"
#include "mpc/transcript.h"
#include "qk/pack.h"

enum { MAC_T = 2 };

static bool strict(const struct mpc_mac_record *r)
{
    return r->profile == MPC_MAC_S;
}

/* ---- validity, the same for both directions ---- */

static qk_err check_nodes(const struct mpc_mac_record *r)
{
    QK_ENSURE(r->n >= MPC_MAC_NODES_MIN && r->n <= MPC_NODES_MAX, QK_E_MALFORMED);
    for (size_t i = 0; i < r->n; i++) {
        QK_ENSURE(r->nodes[i].id >= 1 && r->nodes[i].id <= 255, QK_E_MALFORMED);
        QK_ENSURE(i == 0 || r->nodes[i].id > r->nodes[i - 1].id, QK_E_MALFORMED);
    }
    return QK_OK;
}

static qk_err check(const struct mpc_mac_record *r)
{
    static const uint8_t none[32];
    QK_ENSURE(mpc_mac_alg_known(r->alg) && mpc_mac_profile_known(r->profile), QK_E_MALFORMED);
    QK_ENSURE(r->ver >= 1 && r->e_net >= 1, QK_E_MALFORMED);
    QK_ENSURE(!strict(r) || memcmp(r->ist, none, sizeof none) == 0, QK_E_MALFORMED);
    return check_nodes(r);
}

/* ---- encoding ---- */

qk_err mpc_mac_record_encode(const struct mpc_mac_record *r, struct qk_buf *out)
{
    QK_ENSURE(check(r) == QK_OK, QK_E_STATE);
    qk_pack_map(out, 11);
    qk_pack_key_uint(out, "v", 1);
    qk_pack_key_uint(out, "mac", r->alg);
    qk_pack_key_bin(out, "key_id", QK_BYTES(r->key_id));
    qk_pack_key_uint(out, "ver", r->ver);
    qk_pack_key_uint(out, "modes", r->profile);
    qk_pack_key(out, "nodes");
    qk_pack_array(out, r->n);
    for (size_t i = 0; i < r->n; i++) {
        qk_pack_array(out, 2);
        qk_pack_uint(out, r->nodes[i].id);
        qk_pack_bin(out, QK_BYTES(r->nodes[i].idh));
    }
    qk_pack_key_uint(out, "e_net", r->e_net);
    qk_pack_key_bin(out, "sid", QK_BYTES(r->sid));
    qk_pack_key_bin(out, "pc", qk_bytes(r->pk, (size_t)r->n * 32));
    qk_pack_key_bin(out, "ist", qk_bytes(r->ist, strict(r) ? 0 : 32));
    qk_pack_key_bin(out, "st", QK_BYTES(r->st));
    return out->err;
}

/* ---- decoding ---- */

static qk_err read_head(struct qk_unpack *u, struct mpc_mac_record *r)
{
    uint64_t v, alg, ver, profile;
    QK_TRY(qk_unpack_map(u, 11));
    QK_TRY(qk_unpack_key_uint(u, "v", 1, &v));
    QK_ENSURE(v == 1, QK_E_MALFORMED);
    QK_TRY(qk_unpack_key_uint(u, "mac", MPC_MAC_512, &alg));
    QK_TRY(qk_unpack_key_fixed(u, "key_id", r->key_id, sizeof r->key_id));
    QK_TRY(qk_unpack_key_uint(u, "ver", UINT32_MAX, &ver));
    QK_TRY(qk_unpack_key_uint(u, "modes", MPC_MAC_S, &profile));
    r->alg = (uint8_t)alg;
    r->ver = (uint32_t)ver;
    r->profile = (uint8_t)profile;
    return QK_OK;
}

static qk_err read_nodes(struct qk_unpack *u, struct mpc_mac_record *r)
{
    uint32_t n, two;
    QK_TRY(qk_unpack_key(u, "nodes"));
    QK_TRY(qk_unpack_array(u, MPC_MAC_NODES_MIN, MPC_NODES_MAX, &n));
    for (size_t i = 0; i < n; i++) {
        uint64_t id;
        QK_TRY(qk_unpack_array(u, 2, 2, &two));
        QK_TRY(qk_unpack_uint(u, 255, &id));
        QK_TRY(qk_unpack_fixed(u, r->nodes[i].idh, sizeof r->nodes[i].idh));
        r->nodes[i].id = (uint16_t)id;
    }
    r->n = (uint16_t)n;
    return QK_OK;
}

static qk_err read_tail(struct qk_unpack *u, struct mpc_mac_record *r)
{
    uint64_t e_net;
    QK_TRY(qk_unpack_key_uint(u, "e_net", UINT32_MAX, &e_net));
    r->e_net = (uint32_t)e_net;
    QK_TRY(qk_unpack_key_fixed(u, "sid", r->sid, sizeof r->sid));
    QK_TRY(qk_unpack_key_fixed(u, "pc", r->pk, (size_t)r->n * 32));
    QK_TRY(qk_unpack_key_fixed(u, "ist", r->ist, strict(r) ? 0 : 32));
    QK_TRY(qk_unpack_key_fixed(u, "st", r->st, sizeof r->st));
    return qk_unpack_end(u);
}

qk_err mpc_mac_record_decode(struct qk_bytes in, struct mpc_mac_record *out)
{
    struct mpc_mac_record r = {0};
    QK_ENSURE(in.len <= MPC_MAC_RECORD_MAX, QK_E_MALFORMED);
    struct qk_unpack u = qk_unpack(in);
    QK_TRY(read_head(&u, &r));
    QK_TRY(read_nodes(&u, &r));
    QK_TRY(read_tail(&u, &r));
    QK_TRY(check(&r));
    *out = r;
    return QK_OK;
}

/* ---- hash, run, names ---- */

qk_err mpc_mac_record_hash(const struct mpc_mac_record *rec, uint8_t out[static 32])
{
    QK_AUTO_BUF buf = QK_BUF(MPC_MAC_RECORD_MAX);
    QK_TRY(mpc_mac_record_encode(rec, &buf));
    return mpc_record_hash_bytes(qk_buf_view(&buf), out);
}

qk_err mpc_mac_record_run(
    const struct mpc_mac_record *rec, uint16_t self, struct mpc_epoch_run *out)
{
    struct mpc_epoch_run run = {.base = rec->e_net - 1, .t = MAC_T, .n = rec->n, .self = self};
    QK_TRY(mpc_mac_record_hash(rec, run.rec));
    QK_TRY(mpc_sym_version_id(run.key_id, rec->key_id, rec->ver));
    memcpy(run.sid, rec->sid, sizeof run.sid);
    for (size_t i = 0; i < rec->n; i++) run.ids[i] = rec->nodes[i].id;
    *out = run;
    return QK_OK;
}

qk_err mpc_mac_material_id(const struct mpc_mac_record *rec, uint8_t out[static 32])
{
    uint8_t hash[32];
    QK_TRY(mpc_mac_record_hash(rec, hash));
    return mpc_h32(out, MPC_L_KMI, MPC_FIELDS(QK_BYTES(rec->key_id), QK_BYTES(hash)));
}

int mpc_mac_record_index(const struct mpc_mac_record *rec, uint16_t id)
{
    for (size_t i = 0; i < rec->n; i++)
        if (rec->nodes[i].id == id) return (int)i;
    return -1;
}
