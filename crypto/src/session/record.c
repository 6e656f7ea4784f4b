#include "mpc/record.h"

#include "mpc/labels.h"
#include "mpc/transcript.h"
#include "qk/pack.h"

/* ---- validity, the same for both directions ---- */

static bool point_ok(const struct mpc_curve *c, const uint8_t *enc)
{
    MPC_POINT(p);
    return mpc_point_init(&p, c) == QK_OK &&
           mpc_point_decode_var(&p, qk_bytes(enc, c->pt)) == QK_OK;
}

static bool zeros(const void *p, size_t len)
{
    uint8_t any = 0;
    for (size_t i = 0; i < len; i++) any |= ((const uint8_t *)p)[i];
    return any == 0;
}

static qk_err check_numbers(const struct mpc_key_record *r)
{
    QK_ENSURE(mpc_curve_get(r->curve) != NULL, QK_E_MALFORMED);
    QK_ENSURE(r->access <= 1, QK_E_MALFORMED);
    QK_ENSURE(r->n >= 1 && r->n <= MPC_NODES_MAX, QK_E_MALFORMED);
    QK_ENSURE(r->t >= 1 && r->t <= r->n, QK_E_MALFORMED);
    QK_ENSURE(r->t >= 2 || r->access == 1, QK_E_MALFORMED);
    QK_ENSURE(r->e_net >= 1, QK_E_MALFORMED);
    QK_ENSURE(r->access == 1 ? r->e_del >= 1 : r->e_del == 0, QK_E_MALFORMED);
    return QK_OK;
}

static qk_err check_parts(const struct mpc_key_record *r)
{
    const struct mpc_curve *c = mpc_curve_get(r->curve);
    for (size_t i = 0; i < r->n; i++) {
        uint16_t id = r->nodes[i].id;
        QK_ENSURE(id >= 1 && id <= 255, QK_E_MALFORMED);
        QK_ENSURE(i == 0 || id > r->nodes[i - 1].id, QK_E_MALFORMED);
        QK_ENSURE(point_ok(c, r->big_x[i]), QK_E_MALFORMED);
    }
    QK_ENSURE(point_ok(c, r->pk), QK_E_MALFORMED);
    if (r->access == 1) {
        QK_ENSURE(r->delegate.id == MPC_DELEGATE, QK_E_MALFORMED);
        QK_ENSURE(point_ok(c, r->big_x_d), QK_E_MALFORMED);
    } else {
        QK_ENSURE(zeros(&r->delegate, sizeof r->delegate), QK_E_MALFORMED);
        QK_ENSURE(zeros(r->big_x_d, sizeof r->big_x_d), QK_E_MALFORMED);
    }
    return QK_OK;
}

/* ---- encoding ---- */

static void pack_node(struct qk_buf *out, const struct mpc_peer *node, const uint8_t *x, size_t pt)
{
    qk_pack_array(out, 3);
    qk_pack_uint(out, node->id);
    qk_pack_bin(out, QK_BYTES(node->idh));
    qk_pack_bin(out, qk_bytes(x, pt));
}

/* Without the points' check, which costs a square root for each of them. */
static qk_err pack_record(const struct mpc_key_record *r, struct qk_buf *out)
{
    QK_ENSURE(check_numbers(r) == QK_OK, QK_E_STATE);
    size_t pt = mpc_curve_get(r->curve)->pt;
    qk_pack_map(out, 13);
    qk_pack_key_uint(out, "v", 1);
    qk_pack_key_bin(out, "key_id", QK_BYTES(r->key_id));
    qk_pack_key_uint(out, "curve", r->curve);
    qk_pack_key_uint(out, "access", r->access);
    qk_pack_key_uint(out, "t", r->t);
    qk_pack_key_uint(out, "n", r->n);
    qk_pack_key(out, "nodes");
    qk_pack_array(out, r->n);
    for (size_t i = 0; i < r->n; i++) pack_node(out, &r->nodes[i], r->big_x[i], pt);
    qk_pack_key_bin(out, "X_D", qk_bytes(r->big_x_d, r->access ? pt : 0));
    qk_pack_key_bin(out, "D", qk_bytes(r->delegate.idh, r->access ? 32 : 0));
    qk_pack_key_bin(out, "pk", qk_bytes(r->pk, pt));
    qk_pack_key_uint(out, "e_net", r->e_net);
    qk_pack_key_uint(out, "e_del", r->e_del);
    qk_pack_key_bin(out, "sid", QK_BYTES(r->sid));
    return out->err;
}

qk_err mpc_record_encode(const struct mpc_key_record *r, struct qk_buf *out)
{
    QK_ENSURE(check_numbers(r) == QK_OK && check_parts(r) == QK_OK, QK_E_STATE);
    return pack_record(r, out);
}

/* ---- decoding ---- */

static qk_err read_head(struct qk_unpack *u, struct mpc_key_record *r)
{
    uint64_t v, curve, access, t, n;
    QK_TRY(qk_unpack_map(u, 13));
    QK_TRY(qk_unpack_key_uint(u, "v", 1, &v));
    QK_ENSURE(v == 1, QK_E_MALFORMED);
    QK_TRY(qk_unpack_key_fixed(u, "key_id", r->key_id, 16));
    QK_TRY(qk_unpack_key_uint(u, "curve", 255, &curve));
    QK_TRY(qk_unpack_key_uint(u, "access", 1, &access));
    QK_TRY(qk_unpack_key_uint(u, "t", MPC_NODES_MAX, &t));
    QK_TRY(qk_unpack_key_uint(u, "n", MPC_NODES_MAX, &n));
    r->curve = (uint8_t)curve;
    r->access = (uint8_t)access;
    r->t = (uint16_t)t;
    r->n = (uint16_t)n;
    QK_ENSURE(mpc_curve_get(r->curve) != NULL, QK_E_MALFORMED);
    return QK_OK;
}

static qk_err read_nodes(struct qk_unpack *u, struct mpc_key_record *r, size_t pt)
{
    uint32_t n;
    QK_TRY(qk_unpack_key(u, "nodes"));
    QK_TRY(qk_unpack_array(u, r->n, r->n, &n));
    for (size_t i = 0; i < r->n; i++) {
        uint64_t id;
        QK_TRY(qk_unpack_array(u, 3, 3, &n));
        QK_TRY(qk_unpack_uint(u, 255, &id));
        QK_TRY(qk_unpack_fixed(u, r->nodes[i].idh, 32));
        QK_TRY(qk_unpack_fixed(u, r->big_x[i], pt));
        r->nodes[i].id = (uint16_t)id;
    }
    return QK_OK;
}

static qk_err read_tail(struct qk_unpack *u, struct mpc_key_record *r, size_t pt)
{
    uint64_t e_net, e_del;
    QK_TRY(qk_unpack_key_fixed(u, "X_D", r->big_x_d, r->access ? pt : 0));
    QK_TRY(qk_unpack_key_fixed(u, "D", r->delegate.idh, r->access ? 32 : 0));
    if (r->access) r->delegate.id = MPC_DELEGATE;
    QK_TRY(qk_unpack_key_fixed(u, "pk", r->pk, pt));
    QK_TRY(qk_unpack_key_uint(u, "e_net", UINT32_MAX, &e_net));
    QK_TRY(qk_unpack_key_uint(u, "e_del", UINT32_MAX, &e_del));
    r->e_net = (uint32_t)e_net;
    r->e_del = (uint32_t)e_del;
    QK_TRY(qk_unpack_key_fixed(u, "sid", r->sid, 32));
    return qk_unpack_end(u);
}

qk_err mpc_record_decode(struct qk_bytes in, struct mpc_key_record *out)
{
    QK_ENSURE(in.len <= MPC_RECORD_MAX, QK_E_MALFORMED);
    struct mpc_key_record r = {0};
    struct qk_unpack u = qk_unpack(in);
    QK_TRY(read_head(&u, &r));
    size_t pt = mpc_curve_get(r.curve)->pt;
    QK_TRY(read_nodes(&u, &r, pt));
    QK_TRY(read_tail(&u, &r, pt));
    QK_TRY(check_numbers(&r));
    QK_TRY(check_parts(&r));
    *out = r;
    return QK_OK;
}

/* ---- hash, look-up, sessions ---- */

qk_err mpc_record_hash_bytes(struct qk_bytes encoded, uint8_t out[static 32])
{
    return mpc_h32(out, MPC_L_KEYREC, MPC_FIELDS(encoded));
}

qk_err mpc_record_hash(const struct mpc_key_record *rec, uint8_t out[static 32])
{
    QK_AUTO_BUF buf = QK_BUF(MPC_RECORD_MAX);
    QK_TRY(pack_record(rec, &buf));
    return mpc_record_hash_bytes(qk_buf_view(&buf), out);
}

int mpc_record_index(const struct mpc_key_record *rec, uint16_t id)
{
    for (size_t i = 0; i < rec->n; i++)
        if (rec->nodes[i].id == id) return (int)i;
    return -1;
}

qk_err mpc_record_session(const struct mpc_key_record *rec, const uint16_t *node_ids, size_t n_ids,
    uint16_t self, const uint8_t req[static 32], struct mpc_session *out)
{
    QK_ENSURE(n_ids >= 1 && n_ids <= MPC_NODES_MAX, QK_E_STATE);
    struct mpc_session s = {.curve = rec->curve,
        .e_net = rec->e_net,
        .e_del = rec->e_del,
        .t = rec->t,
        .access = rec->access,
        .self = self};
    memcpy(s.key_id, rec->key_id, sizeof s.key_id);
    memcpy(s.req, req, sizeof s.req);
    QK_TRY(mpc_record_hash(rec, s.rec));
    for (size_t i = 0; i < n_ids; i++) {
        int ix = mpc_record_index(rec, node_ids[i]);
        QK_ENSURE(ix >= 0, QK_E_NOT_FOUND);
        s.peers[s.n_peers++] = rec->nodes[ix];
    }
    if (rec->access == 1) s.peers[s.n_peers++] = rec->delegate;
    *out = s;
    return QK_OK;
}

/* ---- do the points lie on one polynomial? ---- */

/* The Lagrange coefficient at x of nodes[k] among the first t nodes. Public. */
static qk_err lagrange_at(
    const struct mpc_key_record *r, uint16_t x, size_t k, struct mpc_scalar *out)
{
    const struct mpc_curve *c = mpc_curve_get(r->curve);
    struct mpc_scalar num, den, a, b, d, at;
    mpc_scalar_set_u64(&num, 1);
    mpc_scalar_set_u64(&den, 1);
    mpc_scalar_set_u64(&at, x);
    mpc_scalar_set_u64(&a, r->nodes[k].id);
    for (size_t j = 0; j < r->t; j++) {
        if (j == k) continue;
        mpc_scalar_set_u64(&b, r->nodes[j].id);
        mpc_scalar_sub(c, &d, &at, &b);
        mpc_scalar_mul(c, &num, &num, &d);
        mpc_scalar_sub(c, &d, &a, &b);
        mpc_scalar_mul(c, &den, &den, &d);
    }
    mpc_scalar_inv(c, &den, &den);
    mpc_scalar_mul(c, out, &num, &den);
    return QK_OK;
}

/* The value at x of the polynomial through the first t points, in the exponent. */
static qk_err interpolate(const struct mpc_key_record *r, uint16_t x, struct mpc_point *out)
{
    const struct mpc_curve *c = mpc_curve_get(r->curve);
    MPC_POINT(p);
    QK_TRY(mpc_point_init(&p, c));
    mpc_point_set_infinity(out);
    for (size_t k = 0; k < r->t; k++) {
        struct mpc_scalar l;
        QK_TRY(lagrange_at(r, x, k, &l));
        QK_TRY(mpc_point_decode_var(&p, qk_bytes(r->big_x[k], c->pt)));
        QK_TRY(mpc_point_mul(&p, &l, &p));
        QK_TRY(mpc_point_add(out, out, &p));
    }
    return QK_OK;
}

qk_err mpc_record_check_points(const struct mpc_key_record *rec)
{
    const struct mpc_curve *c = mpc_curve_get(rec->curve);
    QK_ENSURE(c && rec->t <= rec->n, QK_E_MALFORMED);
    MPC_POINT(got);
    MPC_POINT(want);
    QK_TRY(mpc_point_init(&got, c));
    QK_TRY(mpc_point_init(&want, c));
    for (size_t m = rec->t; m < rec->n; m++) {
        QK_TRY(interpolate(rec, rec->nodes[m].id, &got));
        QK_TRY(mpc_point_decode_var(&want, qk_bytes(rec->big_x[m], c->pt)));
        QK_TRY(mpc_point_check_eq_var(&got, &want));
    }
    QK_TRY(interpolate(rec, 0, &got));
    if (rec->access == 1) {
        QK_TRY(mpc_point_decode_var(&want, qk_bytes(rec->big_x_d, c->pt)));
        QK_TRY(mpc_point_add(&got, &got, &want));
    }
    QK_TRY(mpc_point_decode_var(&want, qk_bytes(rec->pk, c->pt)));
    QK_TRY(mpc_point_check_eq_var(&got, &want));
    return QK_OK;
}
