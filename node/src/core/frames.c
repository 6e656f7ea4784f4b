#include "core/frames.h"

#include <stdlib.h>
#include "qk/clock.h"
#include "qk/secret.h"
#include "core/daykeys.h"
#include "core/epochs.h"
#include "core/maclinks.h"
#include "core/macruns.h"
#include "core/opens.h"
#include "core/pending.h"
#include "core/quarantine.h"
#include "core/sessions.h"

struct incoming {
    struct node *node;
    uint16_t from;
    size_t len;
    uint8_t bytes[];
};

qk_err node_frame_send(struct node *node, uint16_t to, enum node_frame type, struct qk_bytes body)
{
    QK_AUTO_BUF frame = QK_BUF_SECRET(WIRE_MSG_MAX);
    qk_buf_add_u8(&frame, (uint8_t)type);
    qk_buf_add(&frame, body.p, body.len);
    QK_TRY(frame.err);
    return wire_mesh_send(node->mesh, to, qk_buf_view(&frame));
}

static void incoming_free(struct incoming *in)
{
    qk_wipe(in->bytes, in->len); /* private shares of a key generation travel here */
    free(in);
}

static void on_frame(void *arg)
{
    struct incoming *in = arg;
    struct qk_bytes body = qk_bytes(in->bytes + 1, in->len - 1);
    switch (node_quarantined(in->node) ? 0 : in->bytes[0]) {
    case NODE_FRAME_MPC:
        node_sessions_receive(in->node, in->from, body);
        break;
    case NODE_FRAME_EPOCH:
        node_epochs_receive(in->node, in->from, body);
        break;
    case NODE_FRAME_PARTIAL:
        node_daykeys_on_partial(in->node, in->from, body);
        break;
    case NODE_FRAME_ASK:
        node_daykeys_on_ask(in->node, in->from, body);
        break;
    case NODE_FRAME_OPEN:
        node_opens_receive(in->node, in->from, body);
        break;
    case NODE_FRAME_CHANGE:
        node_pending_receive(in->node, in->from, body);
        break;
    default:
        break;
    }
    incoming_free(in);
}

/* What may wait for something else has pools of its own, the rest is short. */
static struct qk_pool *pool_for(const struct node *node, uint8_t type)
{
    if (type == NODE_FRAME_ASK) return node->asks;
    return type == NODE_FRAME_OPEN ? node->background : node->frames;
}

static bool enter(struct node *node, struct incoming *in)
{
    struct qk_pool *pool = pool_for(node, in->bytes[0]);
    pthread_mutex_lock(&node->gate);
    bool open = !node->deaf && (pool == node->frames || !node->stopping);
    bool ok = open && qk_pool_run(pool, on_frame, in) == QK_OK;
    pthread_mutex_unlock(&node->gate);
    return ok;
}

/* These are taken here, in the order in which they came: they are copied and somebody is woken. */
static void on_mac_frame(struct node *node, uint16_t from, struct qk_bytes bytes)
{
    enum node_frame type = (enum node_frame)bytes.p[0];
    struct qk_bytes body = qk_bytes(bytes.p + 1, bytes.len - 1);
    if (node_quarantined(node)) return;
    if (type == NODE_FRAME_MAC_LINK)
        node_maclinks_receive(node, from, body);
    else
        node_macruns_receive(node, from, type, body);
}

void node_frames_on_message(void *ctx, uint16_t from, struct qk_bytes bytes)
{
    struct node *node = ctx;
    if (bytes.len < 1 || bytes.p[0] < NODE_FRAME_MPC || bytes.p[0] > NODE_FRAME_LAST) {
        qk_log(QK_WARN, "frame.unknown", QK_F_INT("peer", from));
        return;
    }
    if (bytes.p[0] >= NODE_FRAME_MAC_LINK) {
        on_mac_frame(node, from, bytes);
        return;
    }
    struct incoming *in = malloc(sizeof *in + bytes.len);
    if (in == NULL) return;
    in->node = node;
    in->from = from;
    in->len = bytes.len;
    memcpy(in->bytes, bytes.p, bytes.len);
    if (enter(node, in)) return;
    qk_log(QK_WARN, "frame.dropped", QK_F_INT("peer", from), QK_F_STR("why", "queue full"));
    incoming_free(in);
}

void node_frames_on_peer(void *ctx, uint16_t id, bool up)
{
    struct node *node = ctx;
    qk_log(QK_INFO, up ? "peer.up" : "peer.down", QK_F_INT("peer", id));
    node_maclinks_on_peer(node, id, up);
    node_macruns_on_peer(node, id, up);
    if (up) node_epochs_on_peer(node);
    if (up) node_pending_on_peer(node);
}
