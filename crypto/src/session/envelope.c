#include "session/envelope.h"

#include "qk/pack.h"

static qk_err read_name(struct qk_unpack *u, uint8_t *proto, uint8_t sid[static 32])
{
    uint64_t v, p;
    QK_TRY(qk_unpack_map(u, 7));
    QK_TRY(qk_unpack_key_uint(u, "v", 255, &v));
    QK_ENSURE(v == 1, QK_E_MALFORMED);
    QK_TRY(qk_unpack_key_uint(u, "p", 255, &p));
    *proto = (uint8_t)p;
    return qk_unpack_key_fixed(u, "s", sid, 32);
}

bool mpc_envelope_peek(struct qk_bytes frame, uint8_t *proto, uint8_t sid[static 32])
{
    struct qk_unpack u = qk_unpack(frame);
    return read_name(&u, proto, sid) == QK_OK;
}

qk_err mpc_envelope_decode(struct qk_bytes frame, struct mpc_envelope *out)
{
    QK_ENSURE(frame.len <= MPC_FRAME_MAX, QK_E_MALFORMED);
    struct qk_unpack u = qk_unpack(frame);
    struct mpc_envelope env = {0};
    uint64_t round, from, to;
    QK_TRY(read_name(&u, &env.proto, env.sid));
    QK_TRY(qk_unpack_key_uint(&u, "r", 255, &round));
    QK_TRY(qk_unpack_key_uint(&u, "f", 65535, &from));
    QK_TRY(qk_unpack_key_uint(&u, "t", 65535, &to));
    QK_TRY(qk_unpack_key(&u, "b"));
    env.round = (uint8_t)round;
    env.from = (uint16_t)from;
    env.to = (uint16_t)to;
    env.body = qk_bytes(u.p, (size_t)(u.end - u.p));
    /* The body's own reader insists that it ends where the frame ends. */
    QK_ENSURE(env.body.len >= 1 && (env.body.p[0] & 0xf0) == 0x80, QK_E_MALFORMED);
    *out = env;
    return QK_OK;
}

void mpc_envelope_encode(struct qk_buf *out, const struct mpc_envelope *env)
{
    qk_pack_map(out, 7);
    qk_pack_key_uint(out, "v", 1);
    qk_pack_key_uint(out, "p", env->proto);
    qk_pack_key_bin(out, "s", QK_BYTES(env->sid));
    qk_pack_key_uint(out, "r", env->round);
    qk_pack_key_uint(out, "f", env->from);
    qk_pack_key_uint(out, "t", env->to);
    qk_pack_key(out, "b");
    qk_buf_add(out, env->body.p, env->body.len);
}
