#include "protocol/net.h"

#include <stdlib.h>
#include "common/stats.h"
#include "common/tell.h"

void bench_net_add(struct bench_net *net, uint16_t id, struct mpc_party *party, uint64_t cpu_ns)
{
    if (net->n == 0) net->tail = &net->head;
    net->p[net->n++] = (struct bench_party){.id = id, .party = party, .cpu_ns = cpu_ns};
}

static qk_err enqueue(struct bench_net *net, uint16_t from, uint16_t to, struct qk_bytes data)
{
    struct bench_frame *f = calloc(1, sizeof *f);
    QK_ENSURE(f != NULL, QK_E_NOMEM);
    f->from = from;
    f->to = to;
    f->data = (struct qk_buf)QK_BUF(MPC_FRAME_MAX);
    qk_buf_add(&f->data, data.p, data.len);
    *net->tail = f;
    net->tail = &f->next;
    return f->data.err;
}

static qk_err send(struct bench_net *net, struct bench_party *who, const struct mpc_effect *e)
{
    struct mpc_envelope env;
    QK_TRY(mpc_envelope_decode(e->data, &env));
    if (env.round != 255 && env.round + 1u > net->rounds) net->rounds = env.round + 1u;
    for (size_t i = 0; i < net->n; i++) {
        uint16_t to = net->p[i].id;
        if (to == who->id || (e->to != 0 && e->to != to)) continue;
        QK_TRY(enqueue(net, who->id, to, e->data));
        who->sent += e->data.len;
    }
    return QK_OK;
}

static qk_err run_effects(struct bench_net *net, struct bench_party *who)
{
    struct mpc_effect e;
    for (;;) {
        uint64_t t0 = bench_cpu_ns();
        bool more = mpc_party_next_effect(who->party, &e);
        who->cpu_ns += bench_cpu_ns() - t0;
        if (!more) return QK_OK;
        if (e.kind == MPC_EFFECT_SEND) QK_TRY(send(net, who, &e));
    }
}

static struct bench_party *find(struct bench_net *net, uint16_t id)
{
    for (size_t i = 0; i < net->n; i++)
        if (net->p[i].id == id) return &net->p[i];
    return NULL;
}

static qk_err deliver(struct bench_net *net, const struct bench_frame *f)
{
    struct bench_party *to = find(net, f->to);
    QK_ENSURE(to != NULL, QK_E_NOT_FOUND);
    uint64_t t0 = bench_cpu_ns();
    qk_err err = mpc_party_receive(to->party, f->from, qk_buf_view(&f->data));
    to->cpu_ns += bench_cpu_ns() - t0;
    to->received += f->data.len;
    QK_TRY(err);
    return run_effects(net, to);
}

static struct bench_frame *dequeue(struct bench_net *net)
{
    struct bench_frame *f = net->head;
    if (!f) return NULL;
    net->head = f->next;
    if (!net->head) net->tail = &net->head;
    return f;
}

static void frame_free(struct bench_frame *f)
{
    qk_buf_free(&f->data);
    free(f);
}

static qk_err run(struct bench_net *net)
{
    struct bench_frame *f;
    for (size_t i = 0; i < net->n; i++) QK_TRY(run_effects(net, &net->p[i]));
    while ((f = dequeue(net)) != NULL) {
        qk_err err = deliver(net, f);
        frame_free(f);
        QK_TRY(err);
    }
    for (size_t i = 0; i < net->n; i++)
        QK_ENSURE(mpc_party_state(net->p[i].party) == MPC_DONE, QK_E_STATE);
    return QK_OK;
}

static void tell(const struct bench_net *net, qk_err err)
{
    for (size_t i = 0; i < net->n; i++) {
        struct mpc_blame b = mpc_party_blame(net->p[i].party);
        if (mpc_party_state(net->p[i].party) != MPC_DONE)
            bench_error("%s: party %u, round %u, blames %u (check %s)", qk_err_name(err),
                net->p[i].id, mpc_party_round(net->p[i].party), b.party, b.check ? b.check : "-");
    }
}

qk_err bench_net_run(struct bench_net *net)
{
    qk_err err = run(net);
    if (err != QK_OK) tell(net, err);
    return err;
}

void bench_net_free(struct bench_net *net)
{
    struct bench_frame *f;
    for (size_t i = 0; i < net->n; i++) mpc_party_free(net->p[i].party);
    while ((f = dequeue(net)) != NULL) frame_free(f);
    *net = (struct bench_net){0};
}
