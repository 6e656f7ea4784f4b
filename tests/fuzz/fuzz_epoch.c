/** libFuzzer target: the epoch commit of node 1 under frames its peers have bent, and whatever its
 *  caller may ask for at any time.
 *
 *  Must hold: the node never says vote and abort; it is DONE only with everybody's vote in its
 *  hands; what it writes to disk can be read again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <openssl/sha.h>
#include "epoch/state.h"
#include "session/envelope.h"
#include "qk/pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static qk_err sign_as(uint16_t id, const uint8_t msg[64], uint8_t *sig)
{
    uint8_t in[66 + 6] = {(uint8_t)(id >> 8), (uint8_t)id};
    memcpy(in + 2, msg, 64);
    memcpy(in + 66, "secret", 6);
    SHA256(in, sizeof in, sig);
    return QK_OK;
}

static qk_err sign(void *ctx, const uint8_t msg[64], uint8_t *sig, size_t *len)
{
    (void)ctx;
    *len = 32;
    return sign_as(1, msg, sig);
}

static qk_err verify(void *ctx, uint16_t party, const uint8_t msg[64], struct qk_bytes sig)
{
    uint8_t want[32];
    (void)ctx;
    (void)!sign_as(party, msg, want);
    return qk_bytes_eq(sig, QK_BYTES(want)) ? QK_OK : QK_E_PROOF;
}

static const struct mpc_signer signer = {NULL, sign, verify};

/* A frame of `from` with the statements of this set: bit 3 * kind + i is node i + 1. */
static void statements(struct qk_buf *out, const struct mpc_epoch_run *run, unsigned set,
    unsigned round, uint16_t from)
{
    struct mpc_stmts s = {0};
    uint8_t msg[64];
    for (unsigned kind = 0; kind < EP_KINDS; kind++) {
        (void)!mpc_stmt_message(run, (enum mpc_stmt_kind)kind, msg);
        for (unsigned i = 0; i < 3; i++) {
            if (!((set >> (3 * kind + i)) & 1)) continue;
            (void)!sign_as((uint16_t)(i + 1), msg, s.s[kind][i].sig);
            s.s[kind][i].len = 32;
        }
    }
    QK_AUTO_BUF st = QK_BUF(4096);
    QK_AUTO_BUF body = QK_BUF(4096);
    mpc_stmts_encode(run, &s, EP_KINDS, &st);
    qk_pack_map(&body, 1);
    qk_pack_key_bin(&body, "st", qk_buf_view(&st));
    struct mpc_envelope env = {.proto = MPC_PROTO_EPOCH,
        .round = (uint8_t)round,
        .from = from,
        .to = 1,
        .body = qk_buf_view(&body)};
    memcpy(env.sid, run->sid, 32);
    mpc_envelope_encode(out, &env);
}

struct world {
    struct mpc_epoch_run run;
    struct mpc_epoch *e;
    struct qk_buf disk;
    bool said[EP_KINDS];
};

static void note_said(struct world *w, struct qk_bytes frame)
{
    struct mpc_envelope env;
    struct mpc_stmts got;
    struct qk_bytes st;
    struct qk_unpack u;
    if (mpc_envelope_decode(frame, &env) != QK_OK) abort();
    u = qk_unpack(env.body);
    if (qk_unpack_map(&u, 1) != QK_OK ||
        qk_unpack_key_bin(&u, "st", 0, MPC_EPOCH_STATE_MAX, &st) != QK_OK ||
        mpc_stmts_decode(&w->run, st, &got) != QK_OK)
        abort();
    for (unsigned kind = 0; kind < EP_KINDS; kind++) w->said[kind] |= got.s[kind][0].len > 0;
    if (w->said[EP_VOTE] && w->said[EP_ABORT]) abort();
}

static void drain(struct world *w)
{
    struct mpc_effect e;
    while (mpc_epoch_next_effect(w->e, &e)) {
        if (e.kind == MPC_EFFECT_SEND) note_said(w, e.data);
        if (e.kind != MPC_EFFECT_PERSIST || strcmp(e.name, "state") != 0) continue;
        qk_buf_clear(&w->disk);
        qk_buf_add(&w->disk, e.data.p, e.data.len);
    }
    if (mpc_epoch_state(w->e) != MPC_EPOCH_DONE) return;
    for (unsigned i = 0; i < 3; i++)
        if (!w->e->fenced[i] && w->e->known.s[EP_VOTE][i].len == 0) abort();
}

/* Down, and back with what the disk holds. */
static void restart(struct world *w)
{
    mpc_epoch_free(w->e);
    if (mpc_epoch_resume(&w->e, &signer, qk_buf_view(&w->disk)) != QK_OK) abort();
}

static void act(struct world *w, const uint8_t op[4], struct qk_bytes rest)
{
    QK_AUTO_BUF frame = QK_BUF(8192);
    uint16_t from = (uint16_t)(2 + op[1] % 2);
    statements(
        &frame, &w->run, (unsigned)op[2] | (op[1] & 0x80u) << 1, 1 + ((op[1] >> 2) & 1), from);
    switch (op[0] % 12) {
    case 0:
        (void)!mpc_epoch_abort(w->e);
        break;
    case 1:
        (void)!mpc_epoch_ask(w->e);
        break;
    case 2:
        (void)!mpc_epoch_forget(w->e);
        break;
    case 3:
        (void)!mpc_epoch_fence(w->e, op[3]);
        break;
    case 4:
        restart(w);
        break;
    case 5:
        frame.p[(size_t)op[3] * frame.len >> 8] ^= op[2] | 1;
        (void)!mpc_epoch_receive(w->e, from, qk_buf_view(&frame));
        break;
    case 6:
        (void)!mpc_epoch_receive(w->e, from, rest);
        break;
    default:
        (void)!mpc_epoch_receive(w->e, from, qk_buf_view(&frame));
        break;
    }
    drain(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) return 0;
    struct world w = {.run = {.base = data[0] & 1,
                          .t = (uint16_t)(1 + (data[0] >> 1) % 3),
                          .n = 3,
                          .ids = {1, 2, 3},
                          .self = 1},
        .disk = QK_BUF(MPC_EPOCH_STATE_MAX)};
    memset(w.run.sid, 0x51, 32);
    if (mpc_epoch_start(&w.e, &w.run, &signer, qk_str("share")) != QK_OK) abort();
    drain(&w);
    for (size_t at = 1; at + 4 <= size; at += 4)
        act(&w, data + at, qk_bytes(data + at + 4, size - at - 4));
    restart(&w);
    mpc_epoch_free(w.e);
    qk_buf_free(&w.disk);
    return 0;
}
