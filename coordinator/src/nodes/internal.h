/** What nodes.c and gather.c share. Private to nodes/. */
#ifndef COORD_NODES_INTERNAL_H
#define COORD_NODES_INTERNAL_H

#include <pthread.h>
#include "nodes/nodes.h"
#include "wire/bundle.h"

struct coord_node {
    struct coord_nodes *owner;
    uint16_t id;
    struct wire_client *client;
    struct wire_bundler *bundler, *changes;
    /* under owner->mutex */
    unsigned in_flight;
    uint64_t calls, failures, last_latency_us;
    uint64_t cool_until_ms; /* qk_mono_ms */
    uint64_t down_since_ms; /* qk_mono_ms; only valid while the link is down */
};

struct coord_nodes {
    const struct wire_cluster *cluster;
    struct coord_nodes_config config;
    pthread_mutex_t mutex;
    unsigned turn; /* rotates among equals */
    size_t n;
    struct coord_node node[WIRE_NODES_MAX];
};

struct coord_node *coord_node_find(struct coord_nodes *nodes, uint16_t id);

/* Cooling after a call that failed in transport. */
enum { COORD_COOL_MS = 2000 };
/* Bundles in flight to one node: one at work, one on its way, and their answers. */
enum { COORD_BUNDLES = 3 };
/* Of changes: one waits for the disk while the next is decided. */
enum { COORD_CHANGE_BUNDLES = 2 };

#endif
