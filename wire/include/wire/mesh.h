/** Links between the nodes of one cluster.
 *
 *  Every node listens on one NNG PULL socket and dials one PUSH socket per peer over tls+tcp://,
 *  TLS 1.3 both ways, each end pinning the other's certificate from cluster.conf. `from` of a
 *  received message is the identity TLS proved, never something a frame claims. Frames, heartbeats
 *  and numbers: docs/wire.md.
 *
 *  What a link promises: messages of one peer arrive in the order they were sent, whole, at most
 *  once. What it does not: delivery. QK_OK from wire_mesh_send means queued; when a link breaks,
 *  what was under way is lost and nothing is sent again (protocol sessions time out and die).
 *
 *  Start NNG (this, or wire/call.h) only after the daemon has forked; it is process-global.
 */
#ifndef WIRE_MESH_H
#define WIRE_MESH_H

#include "wire/cluster.h"

struct wire_mesh;

enum {
    WIRE_MSG_MAX = 192 * 1024,   /* bytes of one message (protocols/00 section 6) */
    WIRE_FRAME_MAX = 256 * 1024, /* bytes of one NNG frame: some messages, batched */
};

struct wire_mesh_config {
    const struct wire_cluster *cluster;   /* borrowed until wire_mesh_free */
    const struct wire_identity *identity; /* borrowed until wire_mesh_free */
    uint16_t self;                        /* our node id; identity must be its certificate */
    const char *listen;                   /* URL to listen on; NULL: our address in cluster.conf */

    /* Both callbacks run on NNG's threads: they must not block, do arithmetic, or call
     * wire_mesh_free; hand work to a qk_pool. wire_mesh_send is allowed. They may run at the same
     * time on different threads, but on_message never runs twice at once for one peer. bytes is
     * borrowed for the call. */
    void (*on_message)(void *ctx, uint16_t from, struct qk_bytes bytes);
    /* A peer came up (we hear it and it hears us) or went down. May be NULL. */
    void (*on_peer)(void *ctx, uint16_t id, bool up);
    void *ctx;

    /* 0 takes the value in brackets; tests shorten the times */
    size_t queue_bytes;        /* waiting to be sent to one peer [4 MiB] */
    unsigned heartbeat_ms;     /* sent when nothing else was [1000] */
    unsigned dead_after_ms;    /* silence after which a peer is down [5000] */
    unsigned handshake_ms;     /* for TLS and hello of a new connection [5000] */
    unsigned garbage_limit;    /* bad frames within a minute that cut a peer off [16] */
    unsigned refuse_ms;        /* for how long [30000] */
    unsigned reconnect_min_ms; /* redial after a random time up to this, doubling [100] */
    unsigned reconnect_max_ms; /* ... up to this [5000] */
};

/** QK_E_STATE: self is not in the cluster, identity is not self's, no on_message. */
QK_MUST_USE qk_err wire_mesh_new(struct wire_mesh **out, const struct wire_mesh_config *config);
/** Listen and dial. Once. QK_E_IO: cannot listen on that address; QK_E_CRYPTO: TLS set-up. */
QK_MUST_USE qk_err wire_mesh_start(struct wire_mesh *mesh);
/** Close every link; no callback runs once this has returned. Not from a callback. NULL is
 *  allowed. */
void wire_mesh_free(struct wire_mesh *mesh);

/** Queue bytes (1..WIRE_MSG_MAX, copied) for a peer. Never blocks; any thread.
 *
 *  QK_E_BUSY       the peer's queue is full: it is slow, frozen or away
 *  QK_E_IO         the link to the peer is down
 *  QK_E_TOO_LARGE  more than WIRE_MSG_MAX
 *  QK_E_STATE      to is not another node of the cluster, or bytes is empty
 */
QK_MUST_USE qk_err wire_mesh_send(struct wire_mesh *mesh, uint16_t to, struct qk_bytes bytes);

/** True while the peer hears us and we hear it. False for unknown ids. */
bool wire_mesh_peer_up(struct wire_mesh *mesh, uint16_t id);

struct wire_mesh_stats {
    uint64_t sent, received;               /* messages */
    uint64_t frames_sent, frames_received; /* NNG frames, heartbeats included */
    uint64_t dropped;                      /* messages queued or under way when the link broke */
    uint64_t busy;                         /* messages refused with QK_E_BUSY */
    uint64_t garbage;                      /* frames that did not decode */
    uint64_t refused;                      /* connections of this peer that were turned away */
    uint64_t queued_bytes;                 /* waiting now */
};

/** QK_E_STATE: id is not another node of the cluster. */
QK_MUST_USE qk_err wire_mesh_stats(
    struct wire_mesh *mesh, uint16_t id, struct wire_mesh_stats *out);
/** Connections turned away because no node of the cluster stood behind them. */
uint64_t wire_mesh_strangers(struct wire_mesh *mesh);

#endif
