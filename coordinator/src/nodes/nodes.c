#include "nodes/internal.h"

#include <stdlib.h>
#include "qk/clock.h"
#include "qk/log.h"

const struct wire_cluster *coord_nodes_cluster(const struct coord_nodes *nodes)
{
    return nodes->cluster;
}

struct coord_node *coord_node_find(struct coord_nodes *nodes, uint16_t id)
{
    for (size_t i = 0; i < nodes->n; i++)
        if (nodes->node[i].id == id) return &nodes->node[i];
    return NULL;
}

static void on_link(void *ctx, bool up)
{
    struct coord_node *n = ctx;
    qk_log(QK_INFO, up ? "node.up" : "node.down", QK_F_INT("node", n->id));
    (void)pthread_mutex_lock(&n->owner->mutex);
    if (!up) n->down_since_ms = qk_mono_ms();
    (void)pthread_mutex_unlock(&n->owner->mutex);
    const struct coord_nodes_config *c = &n->owner->config;
    if (up && c->on_up != NULL) c->on_up(c->ctx, n->id);
}

static qk_err start_client(struct coord_nodes *nodes, size_t i)
{
    const struct wire_node *wn = &nodes->cluster->nodes[i];
    struct coord_node *n = &nodes->node[i];
    n->owner = nodes;
    n->id = wn->id;
    n->down_since_ms = qk_mono_ms();
    struct wire_client_config cfg = {
        .url = wn->call_address,
        .identity = nodes->config.identity,
        .server_cert = wn->cert,
        .max_calls = nodes->config.max_calls,
        .on_link = on_link,
        .ctx = n,
    };
    QK_TRY(wire_client_new(&n->client, &cfg));
    QK_TRY(wire_bundler_new(&n->bundler, n->client, COORD_BUNDLES));
    return wire_bundler_new(&n->changes, n->client, COORD_CHANGE_BUNDLES);
}

qk_err coord_nodes_new(struct coord_nodes **out, const struct coord_nodes_config *config)
{
    struct coord_nodes *nodes = calloc(1, sizeof *nodes);
    QK_ENSURE(nodes != NULL, QK_E_NOMEM);
    nodes->cluster = config->cluster;
    nodes->config = *config;
    (void)pthread_mutex_init(&nodes->mutex, NULL);
    nodes->n = config->cluster->n;
    qk_err err = QK_OK;
    for (size_t i = 0; i < nodes->n && err == QK_OK; i++) err = start_client(nodes, i);
    if (err != QK_OK) {
        coord_nodes_free(nodes);
        return err;
    }
    *out = nodes;
    return QK_OK;
}

void coord_nodes_free(struct coord_nodes *nodes)
{
    if (nodes == NULL) return;
    for (size_t i = 0; i < nodes->n; i++) {
        wire_bundler_stop(nodes->node[i].bundler);
        wire_bundler_stop(nodes->node[i].changes);
        wire_client_free(nodes->node[i].client);
    }
    for (size_t i = 0; i < nodes->n; i++) {
        wire_bundler_free(nodes->node[i].bundler);
        wire_bundler_free(nodes->node[i].changes);
    }
    (void)pthread_mutex_destroy(&nodes->mutex);
    free(nodes);
}

bool coord_node_up(struct coord_nodes *nodes, uint16_t node)
{
    struct coord_node *n = coord_node_find(nodes, node);
    return n != NULL && wire_client_up(n->client);
}

size_t coord_nodes_n_up(struct coord_nodes *nodes)
{
    size_t up = 0;
    for (size_t i = 0; i < nodes->n; i++) up += wire_client_up(nodes->node[i].client);
    return up;
}

bool coord_nodes_may_return(struct coord_nodes *nodes, size_t k, unsigned wait_ms)
{
    size_t hoped = 0;
    uint64_t now = qk_mono_ms();
    for (size_t i = 0; i < nodes->n; i++) {
        bool up = wire_client_up(nodes->node[i].client);
        (void)pthread_mutex_lock(&nodes->mutex);
        hoped += up || now < nodes->node[i].down_since_ms + wait_ms;
        (void)pthread_mutex_unlock(&nodes->mutex);
    }
    return hoped >= k;
}

void coord_doubt(
    const struct coord_nodes *nodes, struct coord_doubts *d, uint16_t node, unsigned points)
{
    for (size_t i = 0; i < nodes->n; i++)
        if (nodes->node[i].id == node) d->points[i] += points;
}

void coord_node_cool(struct coord_nodes *nodes, uint16_t node, unsigned ms)
{
    struct coord_node *n = coord_node_find(nodes, node);
    if (n == NULL) return;
    uint64_t until = qk_mono_ms() + ms;
    (void)pthread_mutex_lock(&nodes->mutex);
    if (until > n->cool_until_ms) n->cool_until_ms = until;
    (void)pthread_mutex_unlock(&nodes->mutex);
}

bool coord_nodes_healthy(struct coord_nodes *nodes, const uint16_t *set, size_t n)
{
    uint64_t now = qk_mono_ms();
    for (size_t i = 0; i < n; i++) {
        struct coord_node *node = coord_node_find(nodes, set[i]);
        if (node == NULL || !wire_client_up(node->client)) return false;
        (void)pthread_mutex_lock(&nodes->mutex);
        bool cooling = node->cool_until_ms > now;
        (void)pthread_mutex_unlock(&nodes->mutex);
        if (cooling) return false;
    }
    return true;
}

/* Smaller is better; compared member by member. */
struct rank {
    uint16_t id;
    unsigned doubt, cooling, in_flight, turn;
};

static int rank_cmp(const void *a, const void *b)
{
    const struct rank *x = a, *y = b;
    const unsigned xs[] = {x->doubt, x->cooling, x->in_flight, x->turn};
    const unsigned ys[] = {y->doubt, y->cooling, y->in_flight, y->turn};
    for (size_t i = 0; i < QK_COUNT(xs); i++)
        if (xs[i] != ys[i]) return xs[i] < ys[i] ? -1 : 1;
    return 0;
}

static int id_cmp(const void *a, const void *b)
{
    const uint16_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* Ranks of the nodes that are up; how many. */
static size_t rank_all(struct coord_nodes *nodes, const struct coord_doubts *d, struct rank *ranks)
{
    bool up[WIRE_NODES_MAX];
    for (size_t i = 0; i < nodes->n; i++) up[i] = wire_client_up(nodes->node[i].client);
    uint64_t now = qk_mono_ms();
    size_t n = 0;
    (void)pthread_mutex_lock(&nodes->mutex);
    unsigned turn = nodes->turn++;
    for (size_t i = 0; i < nodes->n; i++) {
        const struct coord_node *node = &nodes->node[i];
        if (!up[i]) continue;
        ranks[n++] = (struct rank){
            .id = node->id,
            .doubt = d->points[i],
            .cooling = node->cool_until_ms > now,
            .in_flight = node->in_flight,
            .turn = (unsigned)((i + turn) % nodes->n),
        };
    }
    (void)pthread_mutex_unlock(&nodes->mutex);
    return n;
}

qk_err coord_nodes_pick(
    struct coord_nodes *nodes, const struct coord_doubts *d, size_t k, uint16_t *set)
{
    struct rank ranks[WIRE_NODES_MAX];
    size_t n = rank_all(nodes, d, ranks);
    QK_ENSURE(k >= 1 && n >= k, QK_E_BUSY);
    qsort(ranks, n, sizeof *ranks, rank_cmp);
    for (size_t i = 0; i < k; i++) set[i] = ranks[i].id;
    qsort(set, k, sizeof *set, id_cmp);
    return QK_OK;
}

size_t coord_nodes_rank(
    struct coord_nodes *nodes, const struct coord_doubts *d, uint16_t out[static WIRE_NODES_MAX])
{
    struct rank ranks[WIRE_NODES_MAX];
    size_t n = rank_all(nodes, d, ranks);
    qsort(ranks, n, sizeof *ranks, rank_cmp);
    for (size_t i = 0; i < n; i++) out[i] = ranks[i].id;
    return n;
}

void coord_nodes_state(struct coord_nodes *nodes, struct coord_node_state *out)
{
    uint64_t now = qk_mono_ms();
    for (size_t i = 0; i < nodes->n; i++) {
        struct coord_node *n = &nodes->node[i];
        bool up = wire_client_up(n->client);
        (void)pthread_mutex_lock(&nodes->mutex);
        out[i] = (struct coord_node_state){
            .node = n->id,
            .up = up,
            .cooling = n->cool_until_ms > now,
            .in_flight = n->in_flight,
            .calls = n->calls,
            .failures = n->failures,
            .last_latency_us = n->last_latency_us,
        };
        (void)pthread_mutex_unlock(&nodes->mutex);
    }
}
