/* The version record's encoding. */
#include "mpc/epoch.h"
#include "mpc/labels.h"
#include "mpc/transcript.h"
#include "qk/pack.h"
#include "sym/version.h"

enum { PT = 33 };

/* ---- validity, the same for both directions ---- */

static bool has(const struct mpc_sym_record *r, uint8_t mode)
{
    return r->modes & mode;
}

static bool zeros(const void *p, size_t len)
{
    uint8_t any = 0;
    for (size_t i = 0; i < len; i++) any |= ((const uint8_t *)p)[i];
    return any == 0;
}

static qk_err check_nodes(const struct mpc_sym_record *r)
{
    for (size_t i = 0; i < r->n; i++) {
        QK_ENSURE(r->nodes[i].id >= 1 && r->nodes[i].id <= 255, QK_E_MALFORMED);
        QK_ENSURE(i == 0 || r->nodes[i].id > r->nodes[i - 1].id, QK_E_MALFORMED);
    }
    return QK_OK;
}

static qk_err check_sets(const struct mpc_sym_record *r)
{
    struct mpc_sym_sets sets;
    if (!has(r, MPC_SYM_F)) {
        QK_ENSURE(r->n_sets == 0 && zeros(r->sid_f, 32), QK_E_MALFORMED);
        return QK_OK;
    }
    QK_ENSURE(mpc_sym_sets_make(&sets, r->n, r->t) == QK_OK, QK_E_MALFORMED);
    QK_ENSURE(r->n_sets == sets.d, QK_E_MALFORMED);
    return QK_OK;
}

static bool point_ok(const uint8_t enc[PT])
{
    MPC_POINT(p);
    return mpc_point_init(&p, mpc_curve_get(MPC_P256)) == QK_OK &&
           mpc_point_decode_var(&p, qk_bytes(enc, PT)) == QK_OK;
}

static qk_err check_points(const struct mpc_sym_record *r)
{
    if (!has(r, MPC_SYM_V)) {
        QK_ENSURE(zeros(r->pk, PT), QK_E_MALFORMED);
        return QK_OK;
    }
    for (size_t i = 0; i < r->n; i++) QK_ENSURE(point_ok(r->big_s[i]), QK_E_MALFORMED);
    QK_ENSURE(point_ok(r->pk), QK_E_MALFORMED);
    return QK_OK;
}

/* All but the points, each of which costs a square root. */
static qk_err check_numbers(const struct mpc_sym_record *r)
{
    QK_ENSURE(r->ver >= 1 && r->e_net >= 1 && r->access == 0, QK_E_MALFORMED);
    QK_ENSURE(r->modes >= MPC_SYM_F && r->modes <= MPC_SYM_FV, QK_E_MALFORMED);
    QK_ENSURE(r->n >= 2 && r->n <= MPC_NODES_MAX, QK_E_MALFORMED);
    QK_ENSURE(r->t >= 2 && r->t <= r->n, QK_E_MALFORMED);
    QK_TRY(check_nodes(r));
    return check_sets(r);
}

/* ---- encoding ---- */

static qk_err pack_record(const struct mpc_sym_record *r, struct qk_buf *out)
{
    QK_ENSURE(check_numbers(r) == QK_OK, QK_E_STATE);
    size_t f = has(r, MPC_SYM_F), v = has(r, MPC_SYM_V) ? 1 : 0;
    qk_pack_map(out, 13);
    qk_pack_key_uint(out, "v", 1);
    qk_pack_key_bin(out, "key_id", QK_BYTES(r->key_id));
    qk_pack_key_uint(out, "ver", r->ver);
    qk_pack_key_uint(out, "access", r->access);
    qk_pack_key_uint(out, "modes", r->modes);
    qk_pack_key_uint(out, "t", r->t);
    qk_pack_key(out, "nodes");
    qk_pack_array(out, r->n);
    for (size_t i = 0; i < r->n; i++) {
        qk_pack_array(out, 2);
        qk_pack_uint(out, r->nodes[i].id);
        qk_pack_bin(out, QK_BYTES(r->nodes[i].idh));
    }
    qk_pack_key_uint(out, "e_net", r->e_net);
    qk_pack_key_bin(out, "sid", QK_BYTES(r->sid));
    qk_pack_key_bin(out, "kcv", qk_bytes(r->kcv, (size_t)r->n_sets * 32));
    qk_pack_key_bin(out, "sid_f", qk_bytes(r->sid_f, f * 32));
    qk_pack_key_bin(out, "S", qk_bytes(r->big_s, v * r->n * PT));
    qk_pack_key_bin(out, "pk", qk_bytes(r->pk, v * PT));
    return out->err;
}

qk_err mpc_sym_record_encode(const struct mpc_sym_record *r, struct qk_buf *out)
{
    QK_ENSURE(check_numbers(r) == QK_OK && check_points(r) == QK_OK, QK_E_STATE);
    return pack_record(r, out);
}

/* ---- decoding ---- */

static qk_err read_head(struct qk_unpack *u, struct mpc_sym_record *r)
{
    uint64_t v, ver, access, modes, t;
    QK_TRY(qk_unpack_map(u, 13));
    QK_TRY(qk_unpack_key_uint(u, "v", 1, &v));
    QK_ENSURE(v == 1, QK_E_MALFORMED);
    QK_TRY(qk_unpack_key_fixed(u, "key_id", r->key_id, 16));
    QK_TRY(qk_unpack_key_uint(u, "ver", UINT32_MAX, &ver));
    QK_TRY(qk_unpack_key_uint(u, "access", 1, &access));
    QK_TRY(qk_unpack_key_uint(u, "modes", MPC_SYM_FV, &modes));
    QK_TRY(qk_unpack_key_uint(u, "t", MPC_NODES_MAX, &t));
    r->ver = (uint32_t)ver;
    r->access = (uint8_t)access;
    r->modes = (uint8_t)modes;
    r->t = (uint16_t)t;
    return QK_OK;
}

static qk_err read_nodes(struct qk_unpack *u, struct mpc_sym_record *r)
{
    uint32_t n, two;
    uint64_t e_net;
    QK_TRY(qk_unpack_key(u, "nodes"));
    QK_TRY(qk_unpack_array(u, 1, MPC_NODES_MAX, &n));
    for (size_t i = 0; i < n; i++) {
        uint64_t id;
        QK_TRY(qk_unpack_array(u, 2, 2, &two));
        QK_TRY(qk_unpack_uint(u, 255, &id));
        QK_TRY(qk_unpack_fixed(u, r->nodes[i].idh, 32));
        r->nodes[i].id = (uint16_t)id;
    }
    r->n = (uint16_t)n;
    QK_TRY(qk_unpack_key_uint(u, "e_net", UINT32_MAX, &e_net));
    r->e_net = (uint32_t)e_net;
    return qk_unpack_key_fixed(u, "sid", r->sid, 32);
}

static qk_err read_tail(struct qk_unpack *u, struct mpc_sym_record *r)
{
    struct qk_bytes kcv;
    size_t f = has(r, MPC_SYM_F), v = has(r, MPC_SYM_V) ? 1 : 0;
    QK_TRY(qk_unpack_key_bin(u, "kcv", 0, sizeof r->kcv, &kcv));
    QK_ENSURE(kcv.len % 32 == 0, QK_E_MALFORMED);
    if (kcv.len > 0) memcpy(r->kcv, kcv.p, kcv.len);
    r->n_sets = (uint16_t)(kcv.len / 32);
    QK_TRY(qk_unpack_key_fixed(u, "sid_f", r->sid_f, f * 32));
    QK_TRY(qk_unpack_key_fixed(u, "S", r->big_s, v * r->n * PT));
    QK_TRY(qk_unpack_key_fixed(u, "pk", r->pk, v * PT));
    return qk_unpack_end(u);
}

static qk_err read_record(struct qk_bytes in, struct mpc_sym_record *r)
{
    QK_ENSURE(in.len <= MPC_SYM_RECORD_MAX, QK_E_MALFORMED);
    struct qk_unpack u = qk_unpack(in);
    QK_TRY(read_head(&u, r));
    QK_TRY(read_nodes(&u, r));
    QK_TRY(read_tail(&u, r));
    return check_numbers(r);
}

qk_err mpc_sym_record_decode(struct qk_bytes in, struct mpc_sym_record *out)
{
    struct mpc_sym_record r = {0};
    QK_TRY(read_record(in, &r));
    QK_TRY(check_points(&r));
    *out = r;
    return QK_OK;
}

qk_err mpc_sym_record_decode_known(struct qk_bytes in, struct mpc_sym_record *out)
{
    struct mpc_sym_record r = {0};
    QK_TRY(read_record(in, &r));
    *out = r;
    return QK_OK;
}

/* ---- hash, run, halves ---- */

qk_err mpc_sym_record_hash(const struct mpc_sym_record *rec, uint8_t out[static 32])
{
    QK_AUTO_BUF buf = QK_BUF(MPC_SYM_RECORD_MAX);
    QK_TRY(pack_record(rec, &buf));
    return mpc_record_hash_bytes(qk_buf_view(&buf), out);
}

qk_err mpc_sym_record_run(
    const struct mpc_sym_record *rec, uint16_t self, struct mpc_epoch_run *out)
{
    struct mpc_epoch_run run = {.base = rec->e_net - 1, .t = rec->t, .n = rec->n, .self = self};
    QK_TRY(mpc_sym_record_hash(rec, run.rec));
    QK_TRY(mpc_sym_version_id(run.key_id, rec->key_id, rec->ver));
    memcpy(run.sid, rec->sid, 32);
    for (size_t i = 0; i < rec->n; i++) run.ids[i] = rec->nodes[i].id;
    *out = run;
    return QK_OK;
}

qk_err mpc_sym_record_v(const struct mpc_sym_record *rec, struct mpc_key_record *out)
{
    QK_ENSURE(has(rec, MPC_SYM_V), QK_E_STATE);
    struct mpc_key_record v = {.curve = MPC_P256, .t = rec->t, .n = rec->n, .e_net = rec->e_net};
    QK_TRY(mpc_sym_version_id(v.key_id, rec->key_id, rec->ver));
    memcpy(v.nodes, rec->nodes, sizeof v.nodes);
    for (size_t i = 0; i < rec->n; i++) memcpy(v.big_x[i], rec->big_s[i], PT);
    memcpy(v.pk, rec->pk, PT);
    memcpy(v.sid, rec->sid, 32);
    *out = v;
    return QK_OK;
}

qk_err mpc_sym_material_id(const struct mpc_sym_record *rec, uint8_t out[static 32])
{
    uint8_t hash[32];
    QK_TRY(mpc_sym_record_hash(rec, hash));
    return mpc_h32(out, MPC_L_KMI, MPC_FIELDS(QK_BYTES(rec->key_id), QK_BYTES(hash)));
}
