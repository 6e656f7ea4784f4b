#include "epochworld.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include "epoch/state.h"
#include "qk/pack.h"
#include "qktest/qktest.h"

/* ---- identities ---- */

static void tag(uint16_t id, const uint8_t msg[64], uint8_t out[static 32])
{
    uint8_t in[2 + 64 + 6] = {(uint8_t)(id >> 8), (uint8_t)id};
    memcpy(in + 2, msg, 64);
    memcpy(in + 66, "secret", 6);
    SHA256(in, sizeof in, out);
}

qk_err qkt_ident_sign(void *ctx, const uint8_t msg[64], uint8_t *sig, size_t *len)
{
    struct qkt_ident *me = ctx;
    if (me->fail) return QK_E_CRYPTO;
    tag(me->self, msg, sig);
    *len = 32;
    return QK_OK;
}

qk_err qkt_ident_verify(void *ctx, uint16_t party, const uint8_t msg[64], struct qk_bytes sig)
{
    (void)ctx;
    uint8_t want[32];
    tag(party, msg, want);
    return qk_bytes_eq(sig, QK_BYTES(want)) ? QK_OK : QK_E_PROOF;
}

/* ---- the world ---- */

struct qkt_world *qkt_world_new(unsigned n, unsigned t, uint32_t base)
{
    struct qkt_world *w = calloc(1, sizeof *w);
    cr_assert_not_null(w);
    w->n = n;
    w->run = (struct mpc_epoch_run){.base = base, .t = (uint16_t)t, .n = (uint16_t)n};
    memset(w->run.sid, 0x51, 32);
    memset(w->run.key_id, 0x6b, 16);
    memset(w->run.rec, 0x7e, 32);
    qkt_rng_init(&w->dice, 1, 1);
    for (size_t i = 0; i < n; i++) {
        struct qkt_node *node = &w->node[i];
        node->id = w->run.ids[i] = (uint16_t)(i + 1);
        node->ident.self = node->id;
        node->signer = (struct mpc_signer){&node->ident, qkt_ident_sign, qkt_ident_verify};
        node->state = (struct qk_buf)QK_BUF(MPC_EPOCH_STATE_MAX);
        node->base = base != 0;
    }
    return w;
}

void qkt_world_free(struct qkt_world *w)
{
    for (size_t i = 0; i < w->n; i++) {
        mpc_epoch_free(w->node[i].epoch);
        qk_buf_free(&w->node[i].state);
    }
    for (size_t k = w->head; k < w->tail; k++) qk_buf_free(&w->mail[k].data);
    free(w);
}

struct mpc_epoch_run qkt_world_run_of(const struct qkt_world *w, size_t i)
{
    struct mpc_epoch_run run = w->run;
    run.self = w->node[i].id;
    return run;
}

void qkt_world_begin(struct qkt_world *w, size_t i)
{
    struct qkt_node *node = &w->node[i];
    struct mpc_epoch_run run = qkt_world_run_of(w, i);
    qk_assert_ok(mpc_epoch_start(&node->epoch, &run, &node->signer, qk_str("the new share")));
    qkt_world_effects(w, i);
}

void qkt_world_crash(struct qkt_world *w, size_t i)
{
    mpc_epoch_free(w->node[i].epoch);
    w->node[i].epoch = NULL;
    w->node[i].down = true;
}

/* Which own statements does this frame carry? */
static void note_said(struct qkt_node *node, const struct mpc_epoch_run *run, struct qk_bytes data)
{
    struct mpc_envelope env;
    struct mpc_stmts got;
    struct qk_bytes st;
    qk_assert_ok(mpc_envelope_decode(data, &env));
    struct qk_unpack u = qk_unpack(env.body);
    qk_assert_ok(qk_unpack_map(&u, 1));
    qk_assert_ok(qk_unpack_key_bin(&u, "st", 0, MPC_EPOCH_STATE_MAX, &st));
    qk_assert_ok(mpc_stmts_decode(run, st, &got));
    int me = mpc_run_index(run, node->id);
    node->said_prep |= got.s[EP_PREP][me].len > 0;
    node->said_vote |= got.s[EP_VOTE][me].len > 0;
    node->said_abort |= got.s[EP_ABORT][me].len > 0;
}

static void post(struct qkt_world *w, struct qkt_node *node, const struct mpc_effect *e)
{
    note_said(node, &w->run, e->data);
    if (w->mute == node->id) return;
    cr_assert_lt(w->tail, QK_COUNT(w->mail));
    struct qkt_mail *m = &w->mail[w->tail++];
    *m = (struct qkt_mail){.from = node->id, .to = e->to, .data = QK_BUF(MPC_EPOCH_STATE_MAX)};
    qk_buf_add(&m->data, e->data.p, e->data.len);
}

static qk_err carry_out(struct qkt_world *w, struct qkt_node *node, const struct mpc_effect *e)
{
    switch (e->kind) {
    case MPC_EFFECT_PERSIST:
        if (node->fail_disk) return QK_E_IO;
        if (strcmp(e->name, "share") == 0) {
            node->share = true;
            return QK_OK;
        }
        qk_buf_clear(&node->state);
        qk_buf_add(&node->state, e->data.p, e->data.len);
        return node->state.err;
    case MPC_EFFECT_WIPE:
        node->n_wipes++;
        if (strcmp(e->name, "base") == 0)
            node->base = false;
        else
            node->share = false;
        return QK_OK;
    case MPC_EFFECT_SEND:
        post(w, node, e);
        return QK_OK;
    default:
        return QK_E_STATE;
    }
}

void qkt_world_effects(struct qkt_world *w, size_t i)
{
    struct qkt_node *node = &w->node[i];
    struct mpc_effect e;
    while (node->epoch && mpc_epoch_next_effect(node->epoch, &e)) {
        if (++node->n_effects == node->crash_at) {
            qkt_world_crash(w, i);
            if (node->restart == QKT_AT_ONCE) qkt_world_restart(w, i);
            return;
        }
        if (carry_out(w, node, &e) != QK_OK) {
            mpc_epoch_stop(node->epoch);
            return;
        }
    }
}

void qkt_world_restart(struct qkt_world *w, size_t i)
{
    struct qkt_node *node = &w->node[i];
    if (!node->down || node->lost) return;
    node->down = false;
    if (node->state.len == 0) { /* K1: nothing that counts is on disk */
        node->share = false;
        return;
    }
    QK_AUTO_BUF blob = QK_BUF(MPC_EPOCH_STATE_MAX);
    qk_buf_add(&blob, node->state.p, node->state.len);
    qk_assert_ok(mpc_epoch_resume(&node->epoch, &node->signer, qk_buf_view(&blob)));
    qkt_world_effects(w, i);
}

static void deliver(struct qkt_world *w, struct qkt_mail *m)
{
    size_t i = (size_t)mpc_run_index(&w->run, m->to);
    struct qkt_node *node = &w->node[i];
    if (node->epoch) {
        qk_err err = mpc_epoch_receive(node->epoch, m->from, qk_buf_view(&m->data));
        cr_assert(err == QK_OK || err == QK_E_DENIED || err == QK_E_STATE, "%s", qk_err_name(err));
        qkt_world_effects(w, i);
    }
    qk_buf_free(&m->data);
}

void qkt_world_rest(struct qkt_world *w)
{
    while (w->head < w->tail) {
        if (w->shuffle) {
            size_t k = w->head + (size_t)qkt_random(&w->dice, w->tail - w->head);
            struct qkt_mail swap = w->mail[k];
            w->mail[k] = w->mail[w->head];
            w->mail[w->head] = swap;
        }
        deliver(w, &w->mail[w->head++]);
        if (w->head == w->tail) w->head = w->tail = 0;
    }
}

void qkt_world_ask(struct qkt_world *w)
{
    for (size_t i = 0; i < w->n; i++) {
        if (!w->node[i].epoch || mpc_epoch_state(w->node[i].epoch) == MPC_EPOCH_STOPPED) continue;
        qk_assert_ok(mpc_epoch_ask(w->node[i].epoch));
        qkt_world_effects(w, i);
    }
    qkt_world_rest(w);
}

void qkt_statement(struct qk_buf *out, const struct mpc_epoch_run *run, unsigned kind, uint16_t who,
    uint16_t from, uint16_t to)
{
    struct mpc_stmts s = {0};
    uint8_t msg[64];
    int ix = mpc_run_index(run, who);
    cr_assert(ix >= 0);
    qk_assert_ok(mpc_stmt_message(run, (enum mpc_stmt_kind)kind, msg));
    tag(who, msg, s.s[kind][ix].sig);
    s.s[kind][ix].len = 32;
    QK_AUTO_BUF st = QK_BUF(4096);
    QK_AUTO_BUF body = QK_BUF(4096);
    mpc_stmts_encode(run, &s, EP_KINDS, &st);
    qk_pack_map(&body, 1);
    qk_pack_key_bin(&body, "st", qk_buf_view(&st));
    struct mpc_envelope env = {
        .proto = MPC_PROTO_EPOCH, .round = 1, .from = from, .to = to, .body = qk_buf_view(&body)};
    memcpy(env.sid, run->sid, 32);
    qkt_frame_encode(out, &env);
}
