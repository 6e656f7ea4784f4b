/* Reading and rewriting frames. */
#include "qktest/qktest.h"
#include "driver.h"
#include "qk/pack.h"
#include "session/engine.h"

enum { MAX_PAIRS = 16 };

struct pair {
    struct qk_bytes key, value;
};

static size_t read_body(const struct qkt_frame *frame, struct mpc_envelope *env, struct pair *pairs)
{
    cr_assert_eq(mpc_envelope_decode(qk_buf_view(&frame->data), env), QK_OK);
    size_t n = env->body.p[0] & 0x0f;
    struct qk_unpack u = qk_unpack(qk_bytes(env->body.p + 1, env->body.len - 1));
    for (size_t i = 0; i < n; i++) {
        cr_assert_eq(qk_unpack_str(&u, 1, 32, &pairs[i].key), QK_OK);
        cr_assert_eq(qk_unpack_bin(&u, 0, MPC_FRAME_MAX, &pairs[i].value), QK_OK);
    }
    return n;
}

void qkt_frame_encode(struct qk_buf *out, const struct mpc_envelope *env)
{
    qk_buf_clear(out);
    qk_pack_map(out, 7);
    qk_pack_key_uint(out, "v", 1);
    qk_pack_key_uint(out, "p", env->proto);
    qk_pack_key_bin(out, "s", QK_BYTES(env->sid));
    qk_pack_key_uint(out, "r", env->round);
    qk_pack_key_uint(out, "f", env->from);
    qk_pack_key_uint(out, "t", env->to);
    qk_pack_key(out, "b");
    qk_buf_add(out, env->body.p, env->body.len);
    cr_assert_eq(out->err, QK_OK);
}

static void write_body(
    struct qkt_frame *frame, struct mpc_envelope *env, const struct pair *pairs, size_t n)
{
    QK_AUTO_BUF body = QK_BUF(1 << 20);
    qk_pack_map(&body, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        qk_pack_str(&body, pairs[i].key);
        qk_pack_bin(&body, pairs[i].value);
    }
    cr_assert_eq(body.err, QK_OK);
    env->body = qk_buf_view(&body);
    qkt_frame_encode(&frame->data, env);
}

struct qk_bytes qkt_field(const struct qkt_frame *frame, const char *key)
{
    struct mpc_envelope env;
    struct pair pairs[MAX_PAIRS];
    size_t n = read_body(frame, &env, pairs);
    for (size_t i = 0; i < n; i++)
        if (qk_bytes_is(pairs[i].key, key)) return pairs[i].value;
    return qk_bytes(NULL, 0);
}

void qkt_set_field(struct qkt_frame *frame, const char *key, struct qk_bytes value)
{
    struct mpc_envelope env;
    struct pair pairs[MAX_PAIRS];
    size_t n = read_body(frame, &env, pairs);
    for (size_t i = 0; i < n; i++)
        if (qk_bytes_is(pairs[i].key, key)) pairs[i].value = value;
    write_body(frame, &env, pairs, n);
}

void qkt_add_field(struct qkt_frame *frame, const char *key, struct qk_bytes value)
{
    struct mpc_envelope env;
    struct pair pairs[MAX_PAIRS + 1];
    size_t n = read_body(frame, &env, pairs);
    pairs[n] = (struct pair){qk_str(key), value};
    write_body(frame, &env, pairs, n + 1);
}

void qkt_drop_field(struct qkt_frame *frame, const char *key)
{
    struct mpc_envelope env;
    struct pair pairs[MAX_PAIRS];
    size_t n = read_body(frame, &env, pairs), kept = 0;
    for (size_t i = 0; i < n; i++)
        if (!qk_bytes_is(pairs[i].key, key)) pairs[kept++] = pairs[i];
    write_body(frame, &env, pairs, kept);
}

void qkt_flip(struct qkt_frame *frame, const char *key, size_t at, uint8_t mask)
{
    struct qk_bytes v = qkt_field(frame, key);
    cr_assert_lt(at, v.len);
    frame->data.p[(size_t)(v.p - frame->data.p) + at] ^= mask;
}

void qkt_fix_own_echo(struct qkt_net *net, const struct qkt_frame *frame)
{
    struct mpc_party *party = qkt_party(net, frame->from)->party;
    struct mpc_envelope env;
    cr_assert_eq(mpc_envelope_decode(qk_buf_view(&frame->data), &env), QK_OK);
    cr_assert_eq(
        mpc_h32(party->bc[env.round][party->self_ix], MPC_L_BC, MPC_FIELDS(env.body)), QK_OK);
}
