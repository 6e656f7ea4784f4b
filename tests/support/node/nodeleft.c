#include "nodeleft.h"

#include <signal.h>
#include "mpc/epoch.h"
#include "qk/clock.h"
#include "qktest/qktest.h"

static const uint16_t N = NB_NODES;

/* ---- one node ---- */

struct left {
    const struct nodebox *box;
    struct mpc_epoch_run run;
    struct mpc_signer signer;
    struct mpc_epoch *epoch;
    struct node_vault *vault;
    struct node_seal *seal;
    bool keep_state;
    struct qk_buf prep[NB_NODES + 1]; /* what it says first, by receiver */
};

static qk_err sign(void *ctx, const uint8_t msg[64], uint8_t *sig, size_t *len)
{
    struct left *l = ctx;
    *len = WIRE_SIG_LEN;
    return wire_identity_sign(l->box->nodes[l->run.self], qk_bytes(msg, 64), sig);
}

static qk_err verify(void *ctx, uint16_t party, const uint8_t msg[64], struct qk_bytes sig)
{
    struct left *l = ctx;
    return wire_key_verify(wire_cluster_node(l->box->cluster, party)->key, qk_bytes(msg, 64), sig);
}

static void keep(struct left *l, const struct mpc_effect *e)
{
    const struct mpc_epoch_run *run = &l->run;
    if (e->kind == MPC_EFFECT_SEND && l->prep[e->to].len == 0)
        qk_buf_add(&l->prep[e->to], e->data.p, e->data.len);
    if (e->kind != MPC_EFFECT_PERSIST) return;
    if (strcmp(e->name, "share") == 0)
        qk_assert_ok(node_vault_share_put_pending(l->vault, run->key_id, run->base + 1, run->sid,
            QK_BYTES(run->sid), qk_str("of an attempt"), qk_now_ms()));
    else if (l->keep_state)
        qk_assert_ok(node_vault_run_put(l->vault, run->sid, e->data, qk_now_ms()));
}

static void carry_out(struct left *l)
{
    struct mpc_effect e;
    while (mpc_epoch_next_effect(l->epoch, &e)) keep(l, &e);
}

static void begin(struct left *l)
{
    for (size_t i = 0; i <= NB_NODES; i++) l->prep[i] = (struct qk_buf)QK_BUF(4096);
    l->signer = (struct mpc_signer){.ctx = l, .sign = sign, .verify = verify};
    l->vault = nodebox_vault(l->box, l->run.self, &l->seal);
    qk_assert_ok(mpc_epoch_start(&l->epoch, &l->run, &l->signer, qk_str("payload")));
    carry_out(l);
}

static void end(struct left *l)
{
    for (size_t i = 0; i <= NB_NODES; i++) qk_buf_free(&l->prep[i]);
    mpc_epoch_free(l->epoch);
    node_vault_close(l->vault);
    node_seal_free(l->seal);
}

/* ---- all of them ---- */

static void move(struct left *l, enum nl_left to, struct left nodes[static NB_NODES + 1])
{
    uint16_t self = l->run.self;
    if (to == NL_GIVEN_UP) qk_assert_ok(mpc_epoch_abort(l->epoch));
    for (uint16_t id = 1; to == NL_VOTED && id <= N; id++)
        if (id != self)
            qk_assert_ok(mpc_epoch_receive(l->epoch, id, qk_buf_view(&nodes[id].prep[self])));
    carry_out(l);
    if (to == NL_VOTED) cr_assert_eq(mpc_epoch_state(l->epoch), MPC_EPOCH_VOTED);
}

void nl_leave(struct nodebox *box, const uint8_t version_id[static 16], uint32_t base, uint8_t seed,
    const enum nl_left left[static NB_NODES + 1])
{
    struct left nodes[NB_NODES + 1] = {0};
    for (uint16_t id = 1; id <= N; id++) {
        struct left *l = &nodes[id];
        if (left[id] == NL_NOTHING) continue;
        cr_assert_eq(nodebox_stop(box, id, SIGKILL), SIGKILL);
        *l = (struct left){.box = box, .keep_state = left[id] != NL_SHARE_ONLY};
        l->run = (struct mpc_epoch_run){
            .base = base, .rec = {8}, .t = 2, .n = NB_NODES, .ids = {1, 2, 3}, .self = id};
        memset(l->run.sid, seed, sizeof l->run.sid);
        memcpy(l->run.key_id, version_id, 16);
        begin(l);
    }
    for (uint16_t id = 1; id <= N; id++)
        if (left[id] != NL_NOTHING) move(&nodes[id], left[id], nodes);
    for (uint16_t id = 1; id <= N; id++)
        if (left[id] != NL_NOTHING) end(&nodes[id]);
    for (uint16_t id = 1; id <= N; id++)
        if (left[id] != NL_NOTHING) nodebox_start(box, id);
    nodebox_wait_ready(box);
}

struct found {
    struct node_share_info *out;
    size_t n;
};

static bool note(void *arg, const struct node_share_info *info)
{
    struct found *f = arg;
    cr_assert_lt(f->n, NL_SHARES_MAX);
    f->out[f->n++] = *info;
    return true;
}

size_t nl_shares(const struct nodebox *box, uint16_t id, const uint8_t version_id[static 16],
    struct node_share_info out[static NL_SHARES_MAX])
{
    struct node_seal *seal;
    struct found f = {.out = out};
    struct node_vault *v = nodebox_vault(box, id, &seal);
    qk_assert_ok(node_vault_share_list(v, version_id, note, &f));
    node_vault_close(v);
    node_seal_free(seal);
    return f.n;
}
