#include "mpc/session.h"

#include "session/engine.h"

qk_err mpc_idh(uint8_t out[static 32], struct qk_bytes der)
{
    QK_ENSURE(der.len >= 1 && der.len <= 1024, QK_E_STATE);
    return mpc_h32(out, MPC_L_ID_KEY, MPC_FIELDS(der));
}

qk_err mpc_req_hash(uint8_t out[static 32], const struct mpc_req *req)
{
    return mpc_h32(out, MPC_L_REQ,
        MPC_FIELDS(
            req->operation, req->principal, req->algorithm, req->digest, QK_BYTES(req->fresh)));
}

/* Ids are integers compared as integers, so 0 and q cannot be written down. */
static qk_err check_peers(const struct mpc_session *s)
{
    QK_ENSURE(s->n_peers >= 1 && s->n_peers <= MPC_PARTIES_MAX, QK_E_STATE);
    size_t n_nodes = 0;
    bool self = false;
    for (size_t i = 0; i < s->n_peers; i++) {
        uint16_t id = s->peers[i].id;
        QK_ENSURE(i == 0 || id > s->peers[i - 1].id, QK_E_STATE);
        QK_ENSURE((id >= 1 && id <= 255) || (id == MPC_DELEGATE && s->access == 1), QK_E_STATE);
        n_nodes += id != MPC_DELEGATE;
        self |= id == s->self;
    }
    QK_ENSURE(n_nodes >= 1 && n_nodes <= MPC_NODES_MAX, QK_E_STATE);
    QK_ENSURE(self, QK_E_STATE);
    return QK_OK;
}

qk_err mpc_session_check(const struct mpc_session *s)
{
    QK_ENSURE(mpc_curve_get(s->curve) != NULL, QK_E_STATE);
    QK_ENSURE(s->access <= 1, QK_E_STATE);
    QK_ENSURE(s->t >= 1 && s->t <= MPC_NODES_MAX, QK_E_STATE);
    return check_peers(s);
}

enum { N_FIXED = 11 }; /* fields before the nonces */

static void add_fixed(struct mpc_hasher *h, const char *name, const struct mpc_session *s)
{
    mpc_hasher_field(h, qk_str(name));
    mpc_hasher_field(h, MPC_U16(1)); /* version */
    mpc_hasher_field(h, MPC_U8(s->curve));
    mpc_hasher_field(h, QK_BYTES(s->key_id));
    mpc_hasher_field(h, MPC_U32(s->e_net));
    mpc_hasher_field(h, MPC_U32(s->e_del));
    mpc_hasher_field(h, QK_BYTES(s->rec));
    mpc_hasher_field_begin(h, (size_t)s->n_peers * 34);
    for (size_t i = 0; i < s->n_peers; i++) {
        uint8_t id[2];
        qk_put_u16(id, s->peers[i].id);
        mpc_hasher_part(h, id, sizeof id);
        mpc_hasher_part(h, s->peers[i].idh, 32);
    }
    mpc_hasher_field(h, MPC_U16(s->t));
    mpc_hasher_field(h, MPC_U8(s->access));
    mpc_hasher_field(h, QK_BYTES(s->req));
}

static qk_err hash_session(uint8_t out[static 32], const char *label, const char *name,
    const struct mpc_session *s, const uint8_t (*nonces)[32], uint32_t n_nonces)
{
    struct mpc_hasher h;
    uint8_t full[64];
    QK_TRY(mpc_hasher_begin(&h, label, N_FIXED + n_nonces));
    add_fixed(&h, name, s);
    for (uint32_t i = 0; i < n_nonces; i++) mpc_hasher_field(&h, qk_bytes(nonces[i], 32));
    QK_TRY(mpc_hasher_end(&h, full));
    memcpy(out, full, 32);
    return QK_OK;
}

qk_err mpc_open_id(uint8_t out[static 32], const char *proto_name, const struct mpc_session *s)
{
    return hash_session(out, MPC_L_OPEN, proto_name, s, NULL, 0);
}

qk_err mpc_sid(uint8_t out[static 32], const char *proto_name, const struct mpc_session *s,
    const uint8_t (*nonces)[32])
{
    return hash_session(out, MPC_L_SID, proto_name, s, nonces, s->n_peers);
}
