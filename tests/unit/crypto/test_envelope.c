/* Envelopes and bodies that are not what they should be, from a peer inside the session (C-7). */
#include "dkgrun.h"
#include "qk/pack.h"
#include "qktest/qktest.h"

static const uint16_t ids[] = {1, 2, 3};
static const uint16_t everybody[] = {1, 2, 3, MPC_DELEGATE};

struct bend {
    const char *what;
    void (*how)(struct qkt_frame *f);
};

static void set_body(struct qkt_frame *f, const void *body, size_t len)
{
    struct mpc_envelope env;
    qk_assert_ok(mpc_envelope_decode(qk_buf_view(&f->data), &env));
    QK_AUTO_BUF copy = QK_BUF(1024);
    qk_buf_add(&copy, body, len);
    env.body = qk_buf_view(&copy);
    qkt_frame_encode(&f->data, &env);
}

static void extra_key(struct qkt_frame *f)
{
    qkt_add_field(f, "x", qk_bytes("1", 1));
}
static void double_key(struct qkt_frame *f)
{
    uint8_t com[64] = {0};
    qkt_add_field(f, "com", QK_BYTES(com));
}
static void no_key(struct qkt_frame *f)
{
    qkt_drop_field(f, "com");
}
static void longer(struct qkt_frame *f)
{
    uint8_t v[65] = {0};
    qkt_set_field(f, "com", QK_BYTES(v));
}
static void shorter(struct qkt_frame *f)
{
    uint8_t v[63] = {0};
    qkt_set_field(f, "com", QK_BYTES(v));
}
static void empty(struct qkt_frame *f)
{
    qkt_set_field(f, "com", qk_bytes("", 0));
}
static void trailing(struct qkt_frame *f)
{
    qk_buf_add_u8(&f->data, 0);
}
static void truncated(struct qkt_frame *f)
{
    f->data.len--;
}
static void four_gigabytes(struct qkt_frame *f)
{
    static const uint8_t body[] = {0x81, 0xa3, 'c', 'o', 'm', 0xc6, 0xff, 0xff, 0xff, 0xff};
    set_body(f, body, sizeof body);
}
static void map_of_4g(struct qkt_frame *f)
{
    static const uint8_t body[] = {0xdf, 0xff, 0xff, 0xff, 0xff};
    struct mpc_envelope env;
    qk_assert_ok(mpc_envelope_decode(qk_buf_view(&f->data), &env));
    f->data.len -= env.body.len;
    qk_buf_add(&f->data, body, sizeof body);
}
static void long_form(struct qkt_frame *f)
{
    uint8_t body[5 + 3 + 64] = {0x81, 0xa3, 'c', 'o', 'm', 0xc5, 0, 64};
    set_body(f, body, sizeof body);
}
static void text_for_bin(struct qkt_frame *f)
{
    uint8_t body[5 + 2 + 64] = {0x81, 0xa3, 'c', 'o', 'm', 0xd9, 64};
    set_body(f, body, sizeof body);
}
static void nil(struct qkt_frame *f)
{
    static const uint8_t body[] = {0x81, 0xa3, 'c', 'o', 'm', 0xc0};
    set_body(f, body, sizeof body);
}
static void other_key(struct qkt_frame *f)
{
    uint8_t body[5 + 2 + 64] = {0x81, 0xa3, 'c', 'o', 'n', 0xc4, 64};
    set_body(f, body, sizeof body);
}
static void array_body(struct qkt_frame *f)
{
    f->data.p[f->data.len - 71] = 0x91;
}
static void edit(struct qkt_frame *f, unsigned round, uint16_t from, uint16_t to)
{
    struct mpc_envelope env;
    qk_assert_ok(mpc_envelope_decode(qk_buf_view(&f->data), &env));
    QK_AUTO_BUF body = QK_BUF(4096);
    qk_buf_add(&body, env.body.p, env.body.len);
    env.body = qk_buf_view(&body);
    env.round = (uint8_t)round;
    env.from = from;
    env.to = to;
    qkt_frame_encode(&f->data, &env);
}
static void other_from(struct qkt_frame *f)
{
    edit(f, 1, f->from == 3 ? 2 : 3, 0);
}
static void other_to(struct qkt_frame *f)
{
    edit(f, 1, f->from, f->to == 3 ? 2 : 3);
}
static void private_instead(struct qkt_frame *f)
{
    edit(f, 1, f->from, f->to);
}
static void no_such_round(struct qkt_frame *f)
{
    edit(f, 7, f->from, 0);
}
static void round_0(struct qkt_frame *f)
{
    edit(f, 0, f->from, 0);
}
static void last_round_body(struct qkt_frame *f)
{
    edit(f, 2, f->from, 0);
}
static void bad_abort(struct qkt_frame *f)
{
    edit(f, 255, f->from, 0);
}

static const struct bend bends[] = {
    {"an extra key", extra_key},
    {"a key twice", double_key},
    {"a missing key", no_key},
    {"one byte more", longer},
    {"one byte fewer", shorter},
    {"an empty field", empty},
    {"a trailing byte", trailing},
    {"a truncated frame", truncated},
    {"a 4 GiB length", four_gigabytes},
    {"a map of 4 G pairs", map_of_4g},
    {"a length that is not in its smallest form", long_form},
    {"text for bytes", text_for_bin},
    {"nil", nil},
    {"another key", other_key},
    {"an array for a map", array_body},
    {"another sender's id", other_from},
    {"another addressee", other_to},
    {"a private message where a broadcast belongs", private_instead},
    {"a round that does not exist", no_such_round},
    {"round 0 under the sid", round_0},
    {"the body of another round", last_round_body},
    {"an abort with another body", bad_abort},
};

static void bend_frame(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    (void)net;
    const struct bend *b = ctx;
    if (f->round == 1) b->how(f);
}

QK_TEST(envelope, C_7_anything_but_the_exact_form_blames_its_sender)
{
    for (size_t i = 0; i < QK_COUNT(bends); i++)
        for (unsigned curve = 1; curve <= 4; curve++)
            for (size_t k = 0; k < 4; k++) {
                struct qkt_rng rngs[4];
                struct bend b = bends[i];
                struct qkt_net *net = qkt_dkg_net(i * 10 + k, curve, ids, 3, 2, 1, rngs);
                net->cheater = everybody[k];
                net->hook = bend_frame;
                net->hook_ctx = &b;
                net->mute_aborts = true;
                qkt_run(net);
                qkt_expire(net);
                cr_log_info("%s", b.what);
                bool early_is_lost = b.how == no_such_round || b.how == round_0 ||
                                     b.how == truncated || b.how == last_round_body ||
                                     b.how == map_of_4g || b.how == array_body ||
                                     b.how == bad_abort;
                for (size_t j = 0; j < net->n; j++) {
                    if (net->p[j].id == net->cheater) continue;
                    struct mpc_blame blame = mpc_party_blame(net->p[j].party);
                    bool named = blame.cls == MPC_BLAME_P && blame.party == net->cheater &&
                                 (strcmp(blame.check, "C-7") == 0 ||
                                     (b.how == last_round_body && /* came after the real one */
                                         strcmp(blame.check, "C-10") == 0));
                    bool timeout = early_is_lost && blame.cls == MPC_BLAME_N;
                    cr_assert(named || timeout, "C-7 (%s): party %u says %c(%u) %s", b.what,
                        net->p[j].id, blame.cls ? blame.cls : '-', blame.party, blame.check);
                }
                qkt_expect_nothing(net);
                qkt_net_free(net);
            }
}

/* The same with the sid known for certain: deliver one bent frame by hand. */
QK_TEST(envelope, C_7_every_bend_is_named_once_the_sid_is_known)
{
    for (size_t i = 0; i < QK_COUNT(bends); i++) {
        struct qkt_rng rngs[4];
        struct qkt_net *net = qkt_dkg_net(i, MPC_P256, ids, 3, 2, 1, rngs);
        struct mpc_party *one = qkt_party(net, 1)->party;
        struct mpc_envelope env = {.proto = MPC_PROTO_DKG, .round = 1, .from = 2};
        uint8_t com[64] = {0};
        struct mpc_effect e;
        for (size_t j = 1; j < 4; j++) /* only the nonces reach party 1 */
            while (mpc_party_next_effect(net->p[j].party, &e))
                qk_assert_ok(mpc_party_receive(one, net->p[j].id, e.data));
        cr_assert(mpc_party_sid(one, env.sid));
        struct qkt_frame f = {.from = 2, .to = 1, .round = 1, .data = QK_BUF(1 << 16)};
        QK_AUTO_BUF body = QK_BUF(256);
        qk_pack_map(&body, 1);
        qk_pack_key_bin(&body, "com", QK_BYTES(com));
        env.body = qk_buf_view(&body);
        qkt_frame_encode(&f.data, &env);
        bends[i].how(&f);
        qk_err err = mpc_party_receive(one, 2, qk_buf_view(&f.data));
        cr_assert_eq(err, QK_E_MALFORMED, "C-7: %s gave %s", bends[i].what, qk_err_name(err));
        qkt_expect_blame(net, 1, 'P', 2, "C-7");
        qk_buf_free(&f.data);
        qkt_net_free(net);
    }
}

/* Round 0 and aborts too: whoever speaks in another's name is blamed, not the other. */
QK_TEST(envelope, C_7_the_sender_in_the_envelope_is_the_channel_peer)
{
    for (unsigned round = 0; round <= 255; round += 255) {
        struct qkt_rng rngs[4];
        struct qkt_net *net = qkt_dkg_net(3, MPC_P256, ids, 3, 2, 1, rngs);
        struct mpc_party *one = qkt_party(net, 1)->party;
        struct mpc_envelope env = {.proto = MPC_PROTO_DKG, .round = (uint8_t)round, .from = 3};
        uint8_t value[32] = {1};
        QK_AUTO_BUF body = QK_BUF(256);
        QK_AUTO_BUF frame = QK_BUF(1024);
        mpc_party_open_id(one, env.sid);
        qk_pack_map(&body, 1);
        qk_pack_key_bin(&body, round ? "code" : "nonce", qk_bytes(value, round ? 1 : 32));
        env.body = qk_buf_view(&body);
        qkt_frame_encode(&frame, &env);
        qk_assert_err(mpc_party_receive(one, 2, qk_buf_view(&frame)), QK_E_MALFORMED);
        qkt_expect_blame(net, 1, 'P', 2, "C-7");
        qkt_net_free(net);
    }
}

QK_TEST(envelope, C_7_frames_over_192_KiB_are_refused)
{
    struct mpc_envelope env;
    QK_AUTO_BUF big = QK_BUF(1 << 20);
    qk_buf_extend(&big, MPC_FRAME_MAX + 1);
    qk_assert_err(mpc_envelope_decode(qk_buf_view(&big), &env), QK_E_MALFORMED);
}

QK_TEST(envelope, C_7_no_prefix_of_a_frame_is_a_frame)
{
    struct qkt_rng rngs[4];
    struct qkt_net *net = qkt_dkg_net(5, MPC_P256, ids, 3, 2, 1, rngs);
    struct mpc_effect e;
    struct mpc_envelope env;
    cr_assert(mpc_party_next_effect(qkt_party(net, 1)->party, &e));
    QK_AUTO_BUF frame = QK_BUF(4096);
    qk_buf_add(&frame, e.data.p, e.data.len);
    for (size_t len = 0; len < frame.len; len++) {
        struct mpc_party *two = qkt_party(net, 2)->party;
        qk_err err = mpc_party_receive(two, 1, qk_bytes(frame.p, len));
        cr_assert(err != QK_OK, "C-7: %zu bytes were accepted", len);
        if (err == QK_E_MALFORMED) break; /* it named the session and was blamed */
    }
    qk_assert_ok(mpc_envelope_decode(qk_buf_view(&frame), &env));
    qkt_net_free(net);
}
