/* A setup as bytes: canonical msgpack, to be sealed by the caller. */
#include "ecdsa/setup.h"

#include "qk/pack.h"

static void pack_peer(struct qk_buf *b, const char *key, const struct mpc_peer *p)
{
    qk_pack_key(b, key);
    qk_pack_array(b, 2);
    qk_pack_uint(b, p->id);
    qk_pack_bin(b, QK_BYTES(p->idh));
}

static void pack_binding(struct qk_buf *b, const struct mpc_ot_binding *bind)
{
    qk_pack_key_uint(b, "curve", bind->curve);
    qk_pack_key_bin(b, "key_id", QK_BYTES(bind->key_id));
    qk_pack_key_bin(b, "rec", QK_BYTES(bind->rec));
    qk_pack_key_uint(b, "e_net", bind->e_net);
    qk_pack_key_uint(b, "e_del", bind->e_del);
    pack_peer(b, "self", &bind->self);
    pack_peer(b, "peer", &bind->peer);
}

qk_err mpc_ot_setup_serialize(const struct mpc_ot_setup *s, struct qk_buf *out)
{
    qk_pack_map(out, 14);
    qk_pack_key_uint(out, "v", 1);
    pack_binding(out, &s->bind);
    qk_pack_key_bin(out, "id", QK_BYTES(s->id));
    qk_pack_key_bin(out, "root", qk_bytes(s->root_id, s->derived ? 32 : 0));
    qk_pack_key_bin(out, "psid_a", QK_BYTES(s->psid_alice));
    qk_pack_key_bin(out, "psid_b", QK_BYTES(s->psid_bob));
    qk_pack_key_bin(out, "small", qk_bytes(s->secret, 64)); /* Delta and K */
    qk_pack_key_bin(out, "seeds", qk_bytes(s->seeds, 96u * s->kappa));
    return out->err;
}

static qk_err unpack_peer(struct qk_unpack *u, const char *key, struct mpc_peer *p)
{
    uint32_t n;
    uint64_t id;
    QK_TRY(qk_unpack_key(u, key));
    QK_TRY(qk_unpack_array(u, 2, 2, &n));
    QK_TRY(qk_unpack_uint(u, 65535, &id));
    p->id = (uint16_t)id;
    return qk_unpack_fixed(u, p->idh, sizeof p->idh);
}

static qk_err unpack_binding(struct qk_unpack *u, struct mpc_ot_binding *b)
{
    uint64_t curve, e_net, e_del;
    QK_TRY(qk_unpack_key_uint(u, "curve", 255, &curve));
    QK_TRY(qk_unpack_key_fixed(u, "key_id", b->key_id, sizeof b->key_id));
    QK_TRY(qk_unpack_key_fixed(u, "rec", b->rec, sizeof b->rec));
    QK_TRY(qk_unpack_key_uint(u, "e_net", UINT32_MAX, &e_net));
    QK_TRY(qk_unpack_key_uint(u, "e_del", UINT32_MAX, &e_del));
    QK_TRY(unpack_peer(u, "self", &b->self));
    QK_TRY(unpack_peer(u, "peer", &b->peer));
    b->curve = (uint8_t)curve;
    b->e_net = (uint32_t)e_net;
    b->e_del = (uint32_t)e_del;
    return QK_OK;
}

static qk_err unpack_secrets(struct qk_unpack *u, struct mpc_ot_setup *s)
{
    struct qk_bytes root;
    QK_TRY(qk_unpack_key_fixed(u, "id", s->id, 32));
    QK_TRY(qk_unpack_key_bin(u, "root", 0, 32, &root));
    QK_ENSURE(root.len == 0 || root.len == 32, QK_E_MALFORMED);
    s->derived = root.len == 32;
    if (s->derived) memcpy(s->root_id, root.p, 32);
    QK_TRY(qk_unpack_key_fixed(u, "psid_a", s->psid_alice, 32));
    QK_TRY(qk_unpack_key_fixed(u, "psid_b", s->psid_bob, 32));
    QK_TRY(qk_unpack_key_fixed(u, "small", s->secret, 64));
    QK_TRY(qk_unpack_key_fixed(u, "seeds", s->seeds, 96u * s->kappa));
    return qk_unpack_end(u);
}

qk_err mpc_ot_setup_deserialize(
    struct mpc_ot_setup **out, struct qk_bytes blob, const struct mpc_ot_binding *want)
{
    struct qk_unpack u = qk_unpack(blob);
    struct mpc_ot_binding bind = {0};
    uint64_t version;
    QK_ENSURE(qk_unpack_map(&u, 14) == QK_OK, QK_E_CORRUPT);
    QK_ENSURE(qk_unpack_key_uint(&u, "v", 1, &version) == QK_OK && version == 1, QK_E_CORRUPT);
    QK_ENSURE(unpack_binding(&u, &bind) == QK_OK, QK_E_CORRUPT);
    QK_ENSURE(ot_binding_eq(&bind, want), QK_E_CORRUPT); /* E-3 */
    QK_ENSURE(mpc_ot_class_of(bind.curve) != 0, QK_E_CORRUPT);
    struct mpc_ot_setup *s;
    QK_TRY(ot_setup_new(&s, &bind));
    qk_err err = unpack_secrets(&u, s) == QK_OK ? QK_OK : QK_E_CORRUPT;
    if (err == QK_OK) err = ot_setup_finish(s);
    if (err != QK_OK) {
        mpc_ot_setup_free(s);
        return err;
    }
    *out = s;
    return QK_OK;
}
