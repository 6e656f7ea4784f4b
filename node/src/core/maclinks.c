#include "core/maclinks.h"

#include <stdlib.h>
#include "core/frames.h"
#include "mpc/transcript.h"

/* What makes the kappa with one peer; by index in cluster.conf. */
struct link {
    struct qk_sec32 mine, theirs;
    bool has_mine, has_theirs;
    bool untold; /* the peer has not been told mine */
};

/* In locked memory. */
struct secrets {
    struct link of[WIRE_NODES_MAX];
};

struct node_maclinks {
    pthread_mutex_t lock;
    struct secrets *secrets;
};

qk_err node_maclinks_new(struct node_maclinks **out)
{
    struct node_maclinks *l = calloc(1, sizeof *l);
    QK_ENSURE(l != NULL, QK_E_NOMEM);
    pthread_mutex_init(&l->lock, NULL);
    l->secrets = qk_locked_alloc(sizeof *l->secrets);
    if (l->secrets == NULL) {
        node_maclinks_free(l);
        return QK_E_NOMEM;
    }
    *out = l;
    return QK_OK;
}

void node_maclinks_free(struct node_maclinks *l)
{
    if (l == NULL) return;
    qk_locked_free(l->secrets);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

static struct link *link_of(struct node *node, uint16_t peer)
{
    for (size_t i = 0; i < node->cluster->n; i++)
        if (node->cluster->nodes[i].id == peer && peer != node_self(node))
            return &node->maclinks->secrets->of[i];
    return NULL;
}

/* Under the lock, so that what is told last is what holds. A link that is down again will draw
 * anew; a queue that is full is tried again at the next tick. */
static void tell(struct node *node, uint16_t peer, struct link *l)
{
    uint8_t body[NODE_MACLINK_FRAME_LEN];
    memcpy(body, l->mine.b, 32);
    memcpy(body + 32, l->theirs.b, 32);
    l->untold = node_frame_send(node, peer, NODE_FRAME_MAC_LINK, QK_BYTES(body)) != QK_OK;
    qk_wipe(body, sizeof body);
}

static void draw_and_tell(struct node *node, uint16_t peer, struct link *l)
{
    l->has_mine = qk_rng_fill(qk_rng_system(), l->mine.b, sizeof l->mine.b) == QK_OK;
    l->untold = true;
    if (l->has_mine) tell(node, peer, l);
}

void node_maclinks_on_peer(struct node *node, uint16_t peer, bool up)
{
    struct node_maclinks *links = node->maclinks;
    pthread_mutex_lock(&links->lock);
    struct link *l = link_of(node, peer);
    if (l != NULL && up) draw_and_tell(node, peer, l);
    if (l != NULL && !up) qk_wipe(l, sizeof *l);
    pthread_mutex_unlock(&links->lock);
}

void node_maclinks_receive(struct node *node, uint16_t from, struct qk_bytes body)
{
    struct node_maclinks *links = node->maclinks;
    if (body.len != NODE_MACLINK_FRAME_LEN) {
        qk_log(QK_WARN, "frame.malformed", QK_F_INT("peer", from));
        return;
    }
    pthread_mutex_lock(&links->lock);
    struct link *l = link_of(node, from);
    if (l != NULL) {
        memcpy(l->theirs.b, body.p, 32);
        l->has_theirs = true;
        bool knows = l->has_mine && CRYPTO_memcmp(l->mine.b, body.p + 32, 32) == 0;
        if (l->has_mine && !knows) tell(node, from, l);
    }
    pthread_mutex_unlock(&links->lock);
}

void node_maclinks_tick(struct node *node)
{
    struct node_maclinks *links = node->maclinks;
    for (size_t i = 0; i < node->cluster->n; i++) {
        uint16_t peer = node->cluster->nodes[i].id;
        pthread_mutex_lock(&links->lock);
        struct link *l = link_of(node, peer);
        if (l != NULL && l->untold) {
            if (l->has_mine)
                tell(node, peer, l);
            else
                draw_and_tell(node, peer, l);
        }
        pthread_mutex_unlock(&links->lock);
    }
}

/* ---- using ---- */

static qk_err mix(
    const struct node *node, uint16_t peer, const struct link *l, struct qk_sec32 *out)
{
    uint16_t self = node_self(node);
    bool first = self < peer;
    uint8_t i[2], j[2];
    qk_put_u16(i, first ? self : peer);
    qk_put_u16(j, first ? peer : self);
    return mpc_h32(out->b, MPC_L_MAC_LINK,
        MPC_FIELDS({i, 2}, {j, 2}, {first ? l->mine.b : l->theirs.b, 32},
            {first ? l->theirs.b : l->mine.b, 32}));
}

qk_err node_maclink_get(struct node *node, uint16_t peer, struct qk_sec32 *kappa)
{
    struct node_maclinks *links = node->maclinks;
    pthread_mutex_lock(&links->lock);
    const struct link *l = link_of(node, peer);
    qk_err err = l == NULL ? QK_E_STATE : QK_OK;
    if (err == QK_OK && !(l->has_mine && l->has_theirs)) err = QK_E_IO;
    if (err == QK_OK) err = mix(node, peer, l, kappa);
    pthread_mutex_unlock(&links->lock);
    return err;
}

qk_err node_maclink_id(const struct qk_sec32 *kappa, uint8_t out[static NODE_MACLINK_ID_LEN])
{
    uint8_t hash[32];
    QK_TRY(mpc_h32(hash, MPC_L_MAC_LINK_ID, MPC_FIELDS({kappa->b, 32})));
    memcpy(out, hash, NODE_MACLINK_ID_LEN);
    return QK_OK;
}
