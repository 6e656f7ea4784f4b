#include "macmesh.h"

#include <stdio.h>
#include <stdlib.h>

static void must(bool ok, int line, const char *what)
{
    if (ok) return;
    fprintf(stderr, "macmesh.c:%d: %s failed\n", line, what);
    abort();
}
#define MUST(expr) must((expr), __LINE__, #expr)

/* What the callbacks of one node's mesh need. */
struct place {
    struct node node; /* first */
    struct macmesh *mesh;
};

static void on_message(void *ctx, uint16_t from, struct qk_bytes bytes)
{
    struct place *p = ctx;
    const struct macmesh *m = p->mesh;
    uint16_t to = node_self(&p->node);
    if (m->arrives != NULL && !m->arrives(m->ctx, from, to, bytes)) return;
    /* others than those of runs belong to parts that are not here */
    if (bytes.p[0] >= NODE_FRAME_MAC_LINK) node_frames_on_message(&p->node, from, bytes);
}

static void on_peer(void *ctx, uint16_t id, bool up)
{
    struct place *p = ctx;
    node_maclinks_on_peer(&p->node, id, up);
    node_macruns_on_peer(&p->node, id, up);
}

void macmesh_start(struct macmesh *m, uint16_t id)
{
    struct place *p = calloc(1, sizeof *p);
    MUST(p != NULL);
    p->mesh = m;
    struct node *node = &p->node;
    node->conf.node_id = id;
    node->cluster = m->box->cluster;
    node->identity = m->box->nodes[id];
    MUST(node_maclinks_new(&node->maclinks) == QK_OK);
    MUST(node_macruns_new(&node->macruns) == QK_OK);
    struct wire_mesh_config config = {.cluster = node->cluster,
        .identity = node->identity,
        .self = id,
        .on_message = on_message,
        .on_peer = on_peer,
        .ctx = p,
        .heartbeat_ms = 200,
        .reconnect_min_ms = 20,
        .reconnect_max_ms = 200};
    MUST(wire_mesh_new(&node->mesh, &config) == QK_OK);
    m->node[id] = node;
    MUST(wire_mesh_start(node->mesh) == QK_OK);
}

void macmesh_stop(struct macmesh *m, uint16_t id)
{
    struct node *node = m->node[id];
    if (node == NULL) return;
    wire_mesh_free(node->mesh);
    node_macruns_free(node->macruns);
    node_maclinks_free(node->maclinks);
    free(node);
    m->node[id] = NULL;
}

bool macmesh_kappa(struct macmesh *m, uint16_t a, uint16_t b, struct qk_sec32 *out)
{
    QK_SEC32(mine);
    QK_SEC32(other);
    if (node_maclink_get(m->node[a], b, &mine) != QK_OK) return false;
    if (node_maclink_get(m->node[b], a, &other) != QK_OK) return false;
    *out = mine;
    return memcmp(mine.b, other.b, sizeof mine.b) == 0;
}

static bool linked(struct macmesh *m)
{
    for (uint16_t a = 1; a <= NB_NODES; a++) {
        for (uint16_t b = 1; b < a; b++) {
            QK_SEC32(kappa);
            if (m->node[a] == NULL || m->node[b] == NULL) continue;
            bool up =
                wire_mesh_peer_up(m->node[a]->mesh, b) && wire_mesh_peer_up(m->node[b]->mesh, a);
            if (!up || !macmesh_kappa(m, a, b, &kappa)) return false;
        }
    }
    return true;
}

void macmesh_wait_linked(struct macmesh *m)
{
    for (int i = 0; i < NB_WAIT_MS / 10; i++) {
        if (linked(m)) return;
        nodebox_sleep_ms(10);
    }
    MUST(!"linked");
}

void macmesh_up(struct macmesh *m,
    bool (*arrives)(void *ctx, uint16_t from, uint16_t to, struct qk_bytes frame), void *ctx)
{
    memset(m, 0, sizeof *m);
    m->box = &m->own;
    nodebox_make(m->box, NULL);
    m->arrives = arrives;
    m->ctx = ctx;
    for (uint16_t id = 1; id <= NB_NODES; id++) macmesh_start(m, id);
    macmesh_wait_linked(m);
}

void macmesh_down(struct macmesh *m)
{
    for (uint16_t id = 1; id <= NB_NODES; id++) macmesh_stop(m, id);
    nodebox_end(m->box);
}
