/** The nodes as the coordinator sees them: one link each, their health, and calls to several.
 *
 *  Health is about availability only: no answer of a node is trusted because of it.
 *
 *      struct coord_gather *g;
 *      QK_TRY(coord_gather_new(&g, nodes));
 *      coord_gather_call(g, 2, bytes, 4000, COORD_ALONE);
 *      coord_gather_call(g, 3, bytes, 4000, COORD_ALONE);
 *      while (coord_gather_next(g, wait_ms, &reply)) { ...; coord_reply_free(&reply); }
 *      coord_gather_free(g);          // late answers are dropped
 *
 *  Threads    coord_nodes: any thread; one gather: one thread
 */
#ifndef COORD_NODES_H
#define COORD_NODES_H

#include "wire/call.h"
#include "wire/calls.h"

struct coord_nodes;

struct coord_nodes_config {
    const struct wire_cluster *cluster;   /* borrowed until coord_nodes_free */
    const struct wire_identity *identity; /* borrowed until coord_nodes_free */
    unsigned max_calls;                   /* in flight to one node; 0: WIRE_CALLS_IN_FLIGHT */
    /* A link came up; on a thread of the links: must not block. May be NULL. */
    void (*on_up)(void *ctx, uint16_t node);
    void *ctx;
};

/** Start dialling every node of the cluster. */
QK_MUST_USE qk_err coord_nodes_new(
    struct coord_nodes **out, const struct coord_nodes_config *config);
/** No callback runs once this has returned. Gathers may outlive it. NULL is allowed. */
void coord_nodes_free(struct coord_nodes *nodes);

const struct wire_cluster *coord_nodes_cluster(const struct coord_nodes *nodes);
bool coord_node_up(struct coord_nodes *nodes, uint16_t node);
/** How many links are up. */
size_t coord_nodes_n_up(struct coord_nodes *nodes);
/** Are k nodes up, or gone for less than wait_ms? Else waiting for them is no use. */
bool coord_nodes_may_return(struct coord_nodes *nodes, size_t k, unsigned wait_ms);

/** Points against a node within one operation: by index in the cluster file. */
struct coord_doubts {
    unsigned points[WIRE_NODES_MAX];
};
void coord_doubt(
    const struct coord_nodes *nodes, struct coord_doubts *d, uint16_t node, unsigned points);

/** Choose k nodes with their links up: least doubted first, then those not cooling down, then the
 *  fewest calls in flight, then in turn. set takes k ids, ascending. QK_E_BUSY: fewer than k are
 *  up. */
QK_MUST_USE qk_err coord_nodes_pick(
    struct coord_nodes *nodes, const struct coord_doubts *d, size_t k, uint16_t *set);
/** All nodes whose links are up, the preferred ones first, in the order of coord_nodes_pick.
 * Returns how many; out takes WIRE_NODES_MAX. */
size_t coord_nodes_rank(
    struct coord_nodes *nodes, const struct coord_doubts *d, uint16_t out[static WIRE_NODES_MAX]);
/** Is every one of these up and not cooling down? */
bool coord_nodes_healthy(struct coord_nodes *nodes, const uint16_t *set, size_t n);
/** Prefer others for a while. */
void coord_node_cool(struct coord_nodes *nodes, uint16_t node, unsigned ms);

struct coord_node_state {
    uint16_t node;
    bool up;
    bool cooling;
    unsigned in_flight;
    uint64_t calls, failures;
    uint64_t last_latency_us; /* of the last call answered; 0: none yet */
};
/** out takes one per node of the cluster, in its order. */
void coord_nodes_state(struct coord_nodes *nodes, struct coord_node_state *out);

/** One node's answer, decoded. */
struct coord_reply {
    uint16_t node;
    qk_err err; /* QK_OK: answer is set; else of wire_call_fn, or QK_E_MALFORMED */
    struct qk_buf bytes;
    struct wire_answer answer; /* views into bytes */
};
void coord_reply_free(struct coord_reply *r);

/** Takes the reply over: it frees it, or keeps a copy of the struct and frees that later. On a
 * thread of the links, or before coord_node_call returns: must not block. */
typedef void (*coord_reply_fn)(void *ctx, struct coord_reply *reply);

/** How a call travels. */
enum coord_travel {
    COORD_ALONE,
    COORD_TOGETHER, /* in a bundle, with what else is waiting: for calls answered without waiting */
    COORD_CHANGE,   /* in a bundle of changes, which waits for the node's disk once */
};

/** Call one node; fn runs exactly once. bytes are copied. A call that cannot start is a reply with
 *  its error, like any other. */
void coord_node_call(struct coord_nodes *nodes, uint16_t node, struct qk_bytes bytes,
    unsigned timeout_ms, enum coord_travel how, coord_reply_fn fn, void *ctx);

/** From now on calls of this thread that travel together wait, until it says send. */
void coord_nodes_gather(void);
void coord_nodes_send(struct coord_nodes *nodes);

struct coord_gather;
QK_MUST_USE qk_err coord_gather_new(struct coord_gather **out, struct coord_nodes *nodes);
/** What is outstanding goes on and is dropped when it comes. NULL is allowed. */
void coord_gather_free(struct coord_gather *g);
/** Start a call. A call that cannot start becomes a reply with its error, like any other. */
void coord_gather_call(struct coord_gather *g, uint16_t node, struct qk_bytes bytes,
    unsigned timeout_ms, enum coord_travel how);
/** The next reply. false: nothing is outstanding, or none came within wait_ms. The caller then
 *  owns *out (coord_reply_free). */
bool coord_gather_next(struct coord_gather *g, uint64_t wait_ms, struct coord_reply *out);
size_t coord_gather_outstanding(struct coord_gather *g);

#endif
