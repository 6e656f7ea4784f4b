#include "mpc/dprf.h"

#include "mpc/labels.h"
#include "mpc/transcript.h"
#include "qk/pack.h"

static qk_err check(const struct mpc_dprf_request *req)
{
    QK_ENSURE(req->purpose.len >= 1 && req->purpose.len <= MPC_DPRF_PURPOSE_MAX, QK_E_STATE);
    for (size_t i = 0; i < req->purpose.len; i++)
        QK_ENSURE(req->purpose.p[i] > 0x20 && req->purpose.p[i] < 0x7f, QK_E_STATE);
    QK_ENSURE(req->n_fields <= MPC_DPRF_FIELDS_MAX, QK_E_STATE);
    for (size_t i = 0; i < req->n_fields; i++)
        QK_ENSURE(req->fields[i].len <= MPC_DPRF_FIELD_MAX, QK_E_STATE);
    return QK_OK;
}

qk_err mpc_dprf_request_encode(const struct mpc_dprf_request *req, struct qk_buf *out)
{
    QK_TRY(check(req));
    qk_pack_map(out, 4);
    qk_pack_key_bin(out, "key_id", QK_BYTES(req->key_id));
    qk_pack_key_bin(out, "rec", QK_BYTES(req->rec));
    qk_pack_key_str(out, "purpose", req->purpose);
    qk_pack_key(out, "fields");
    qk_pack_array(out, req->n_fields);
    for (size_t i = 0; i < req->n_fields; i++) qk_pack_bin(out, req->fields[i]);
    return out->err;
}

qk_err mpc_dprf_request_decode(struct qk_bytes in, struct mpc_dprf_request *out)
{
    QK_ENSURE(in.len <= MPC_DPRF_REQUEST_MAX, QK_E_MALFORMED);
    struct mpc_dprf_request req = {0};
    struct qk_unpack u = qk_unpack(in);
    QK_TRY(qk_unpack_map(&u, 4));
    QK_TRY(qk_unpack_key_fixed(&u, "key_id", req.key_id, sizeof req.key_id));
    QK_TRY(qk_unpack_key_fixed(&u, "rec", req.rec, sizeof req.rec));
    QK_TRY(qk_unpack_key_str(&u, "purpose", 1, MPC_DPRF_PURPOSE_MAX, &req.purpose));
    QK_TRY(qk_unpack_key(&u, "fields"));
    QK_TRY(qk_unpack_array(&u, 0, MPC_DPRF_FIELDS_MAX, &req.n_fields));
    for (size_t i = 0; i < req.n_fields; i++)
        QK_TRY(qk_unpack_bin(&u, 0, MPC_DPRF_FIELD_MAX, &req.fields[i]));
    QK_TRY(qk_unpack_end(&u));
    QK_ENSURE(check(&req) == QK_OK, QK_E_MALFORMED);
    *out = req;
    return QK_OK;
}

qk_err mpc_dprf_input(uint8_t x[static 32], const struct mpc_dprf_request *req)
{
    QK_TRY(check(req));
    struct qk_bytes fields[1 + MPC_DPRF_FIELDS_MAX] = {req->purpose};
    for (size_t i = 0; i < req->n_fields; i++) fields[1 + i] = req->fields[i];
    return mpc_h32(x, MPC_L_SYS_X, (struct mpc_fields){fields, 1 + req->n_fields});
}
