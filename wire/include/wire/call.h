/** Calls: one request, one answer, many in flight. Coordinator (or operator's tool) to node.
 *
 *  TLS 1.3 over TCP, both ends pinned by cluster.conf; one thread of the process moves all calls
 *  (page: docs/wire.md, "Call frames"). Nothing is ever sent twice: after a lost link a call ends
 * in QK_E_IO and whether the node acted is unknown, so operations must be idempotent. The frames'
 *  contents are the caller's (wire/calls.h).
 *
 *  Start this (or wire/mesh.h) only after the daemon has forked.
 */
#ifndef WIRE_CALL_H
#define WIRE_CALL_H

#include "wire/cluster.h"

enum {
    WIRE_CALL_FRAME_MAX = 2 * 1024 * 1024, /* bytes of a request or answer */
    WIRE_CALLS_IN_FLIGHT = 64,             /* default of both sides */
};

enum wire_caller_kind { WIRE_CALLER_COORDINATOR = 1, WIRE_CALLER_OPERATOR, WIRE_CALLER_NODE };

/** Who calls, as TLS proved it. */
struct wire_caller {
    enum wire_caller_kind kind;
    char name[WIRE_NAME_MAX + 1]; /* of the coordinator or operator; decimal id of a node */
    uint16_t node;                /* id of a node, else 0 */
};

/* ---- server ---- */

struct wire_server;
struct wire_reply;

struct wire_server_config {
    const char *listen;                   /* URL, for example "tls+tcp://0.0.0.0:7702" */
    const struct wire_identity *identity; /* borrowed until wire_server_free */
    const struct wire_cluster *cluster;   /* borrowed until wire_server_free */
    unsigned max_calls;                   /* handled at once; 0: WIRE_CALLS_IN_FLIGHT. A request
                                             beyond it is answered at once with "busy", unless its
                                             caller has less than 1/16 of them (at least one) in
                                             hand: one caller cannot shut out another */
    unsigned handshake_ms;                /* 0: 5000 */
    unsigned send_ms;                     /* 0: 10000. A caller that does not read what was ready
                                             for it so long ago is cut off */

    /* Runs on the links' thread: must not block; hands work to a pool. bytes is borrowed for the
     * call. reply must be given to exactly one of wire_reply_send, wire_reply_drop, from any
     * thread, now or later, before wire_server_free returns. */
    void (*handler)(void *ctx, const struct wire_caller *caller, struct qk_bytes bytes,
        struct wire_reply *reply);
    void *ctx;
};

/** Listen. Callers: the coordinators and operators of the cluster, and its other nodes.
 *  QK_E_IO: cannot listen; QK_E_STATE: config; QK_E_CRYPTO. */
QK_MUST_USE qk_err wire_server_new(
    struct wire_server **out, const struct wire_server_config *config);
/** Stop listening, cut connections, wait until every reply has been given back. Not from a
 *  handler, nor from a thread that still owes a reply. NULL is allowed. */
void wire_server_free(struct wire_server *server);

/** Answer (1..WIRE_CALL_FRAME_MAX bytes, copied) and free reply. QK_E_TOO_LARGE, QK_E_STATE
 *  (empty), QK_E_NOMEM: the call is dropped instead. QK_OK does not mean delivered. */
QK_MUST_USE qk_err wire_reply_send(struct wire_reply *reply, struct qk_bytes bytes);
/** Free reply without an answer: the caller gets QK_E_UNEXPECTED at once. */
void wire_reply_drop(struct wire_reply *reply);

/* ---- client ---- */

struct wire_client;

struct wire_client_config {
    const char *url;                      /* the node's call_address */
    const struct wire_identity *identity; /* ours; borrowed until wire_client_free */
    struct qk_bytes server_cert;          /* pinned: exactly this DER certificate; copied */
    unsigned max_calls;                   /* in flight; 0: WIRE_CALLS_IN_FLIGHT */
    unsigned ping_ms;                     /* 0: 2000. Ping when the link has been quiet this long */
    unsigned dead_after_ms;               /* 0: 3000. Ping unanswered so long: link is cut */
    unsigned handshake_ms;                /* 0: 5000 */
    unsigned reconnect_min_ms;            /* 0: 100 */
    unsigned reconnect_max_ms;            /* 0: 5000 */
    /* Link came up or went down; on the links' thread, as below. May be NULL. */
    void (*on_link)(void *ctx, bool up);
    void *ctx;
};

/** Runs exactly once for a call that was accepted, on the links' thread: must not block nor call
 *  wire_client_free. bytes is the answer (borrowed for the call) when err is QK_OK.
 *
 *  QK_OK, QK_E_TIMEOUT (the node may still act), QK_E_IO (link lost or client freed: the node may
 *  have acted), QK_E_BUSY (the node has max_calls in its hands and did not act), QK_E_UNEXPECTED
 *  (the node dropped the call).
 */
typedef void (*wire_call_fn)(void *ctx, qk_err err, struct qk_bytes bytes);

/** Start dialling; never waits for the network. */
QK_MUST_USE qk_err wire_client_new(
    struct wire_client **out, const struct wire_client_config *config);
/** End every call with QK_E_IO, close. No callback runs once this has returned. NULL is allowed. */
void wire_client_free(struct wire_client *client);

/** Start a call with bytes (1..WIRE_CALL_FRAME_MAX, copied). On any error fn is not called.
 *
 *  QK_E_IO         the link is not up
 *  QK_E_BUSY       max_calls are in flight, or far too many bytes wait to be sent
 *  QK_E_TOO_LARGE  more than WIRE_CALL_FRAME_MAX
 *  QK_E_STATE      empty, or timeout_ms is 0
 */
QK_MUST_USE qk_err wire_client_call(struct wire_client *client, struct qk_bytes bytes,
    unsigned timeout_ms, wire_call_fn fn, void *ctx);

/** True while the link is connected and its last ping was answered in time. */
bool wire_client_up(struct wire_client *client);

#endif
