#include "rounds/channels.h"

#include <stdlib.h>
#include "qk/log.h"
#include "rounds/chores.h"

enum { CHANNEL_TIMEOUT_MS = 5000 };

/* A channel and the count on it, read together without a lock: seq is odd while they change, and
 * whoever sees it change in between draws again. The number drawn in vain is skipped. */
struct lane {
    uint16_t node;
    atomic_uint seq; /* 0: no channel yet */
    _Atomic uint64_t chan[2];
    _Atomic uint64_t ctr;
    atomic_bool barred;
    pthread_mutex_t changing;
};

struct coord_channels {
    struct coord_engine *engine;
    size_t n;
    struct lane lane[WIRE_NODES_MAX];
};

qk_err coord_channels_new(struct coord_channels **out, struct coord_engine *engine)
{
    struct coord_channels *c = calloc(1, sizeof *c);
    QK_ENSURE(c != NULL, QK_E_NOMEM);
    c->engine = engine;
    c->n = engine->cluster->n;
    for (size_t i = 0; i < c->n; i++) {
        c->lane[i].node = engine->cluster->nodes[i].id;
        (void)pthread_mutex_init(&c->lane[i].changing, NULL);
    }
    *out = c;
    return QK_OK;
}

void coord_channels_free(struct coord_channels *c)
{
    if (c == NULL) return;
    for (size_t i = 0; i < c->n; i++) (void)pthread_mutex_destroy(&c->lane[i].changing);
    free(c);
}

static struct lane *find(struct coord_channels *c, uint16_t node)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->lane[i].node == node) return &c->lane[i];
    return NULL;
}

/* With the lane's lock. A channel that is ours already keeps its count: no ticket twice. */
static void set(struct lane *l, const uint64_t chan[static 2])
{
    bool same = atomic_load(&l->seq) != 0 && atomic_load(&l->chan[0]) == chan[0] &&
                atomic_load(&l->chan[1]) == chan[1];
    if (same) return;
    atomic_fetch_add(&l->seq, 1);
    atomic_store(&l->chan[0], chan[0]);
    atomic_store(&l->chan[1], chan[1]);
    atomic_store(&l->ctr, 0);
    atomic_fetch_add(&l->seq, 1);
}

/* ---- the CHANNEL call ---- */

static void on_channel(void *ctx, struct coord_reply *r)
{
    struct coord_channels *c = ctx;
    struct lane *l = find(c, r->node);
    bool good = r->err == QK_OK && r->answer.status == WIRE_ANSWER_OK &&
                r->answer.chan.len == MPC_SYM_CHAN_LEN;
    if (good && l != NULL) {
        uint64_t chan[2];
        memcpy(chan, r->answer.chan.p, sizeof chan);
        (void)pthread_mutex_lock(&l->changing);
        set(l, chan);
        (void)pthread_mutex_unlock(&l->changing);
    } else {
        qk_log(QK_WARN, "channel.failed", QK_F_INT("node", r->node), QK_F_ERR(r->err));
    }
    coord_reply_free(r);
}

void coord_channels_node_up(struct coord_channels *c, uint16_t node)
{
    struct wire_call call = {.kind = WIRE_CALL_CHANNEL};
    QK_AUTO_BUF bytes = QK_BUF(4096);
    memcpy(call.cluster, c->engine->cluster->hash, 32);
    qk_err err = coord_request_id(call.request_id);
    if (err == QK_OK) wire_call_encode(&bytes, &call);
    if (err == QK_OK) err = bytes.err;
    if (err == QK_OK)
        coord_node_call(c->engine->nodes, node, qk_buf_view(&bytes), CHANNEL_TIMEOUT_MS,
            COORD_ALONE, on_channel, c);
    else
        qk_log(QK_ERROR, "channel.failed", QK_F_INT("node", node), QK_F_ERR(err));
}

void coord_channels_renew(struct coord_channels *c, uint16_t node,
    const uint8_t old[static MPC_SYM_CHAN_LEN], struct qk_bytes chan)
{
    uint64_t before[2], next[2];
    struct lane *l = find(c, node);
    if (l == NULL || chan.len != MPC_SYM_CHAN_LEN) return;
    memcpy(before, old, sizeof before);
    memcpy(next, chan.p, sizeof next);
    (void)pthread_mutex_lock(&l->changing);
    if (atomic_load(&l->chan[0]) == before[0] && atomic_load(&l->chan[1]) == before[1])
        set(l, next);
    (void)pthread_mutex_unlock(&l->changing);
}

/* ---- tickets ---- */

bool coord_channels_ready(struct coord_channels *c, uint16_t node)
{
    struct lane *l = find(c, node);
    return l != NULL && atomic_load(&l->seq) != 0;
}

void coord_channels_bar(struct coord_channels *c, uint16_t node, bool barred)
{
    struct lane *l = find(c, node);
    if (l != NULL) atomic_store(&l->barred, barred);
}

qk_err coord_channels_ticket(struct coord_channels *c, uint16_t node, struct mpc_sym_ticket *out)
{
    struct lane *l = find(c, node);
    QK_ENSURE(l != NULL && coord_node_up(c->engine->nodes, node), QK_E_NOT_FOUND);
    QK_ENSURE(!atomic_load(&l->barred), QK_E_NOT_FOUND);
    for (;;) {
        uint64_t chan[2];
        unsigned seq = atomic_load(&l->seq);
        QK_ENSURE(seq != 0, QK_E_NOT_FOUND);
        chan[0] = atomic_load(&l->chan[0]);
        chan[1] = atomic_load(&l->chan[1]);
        uint64_t ctr = atomic_fetch_add(&l->ctr, 1) + 1;
        if (seq % 2 != 0 || atomic_load(&l->seq) != seq) continue;
        *out = (struct mpc_sym_ticket){.node = node, .ctr = ctr};
        memcpy(out->chan, chan, sizeof chan);
        return QK_OK;
    }
}
