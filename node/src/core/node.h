/** The running node: what every part of the daemon shares. Private to node/.
 *
 *  Reading order: node.h, frames.h (what travels between nodes), sessions.h (running protocol
 *  parties), records.h, guard.h (may this request be served), keygen.h, signing.h, symgen.h,
 *  evals.h, macruns.h, macs.h, calls.h.
 *
 *  Threads
 *      NNG's own       on_message: copy and hand over, never block
 *      calls           call handler, on the wire's thread: the same
 *      frames pool     config.threads workers: feed frames to parties; never waits for a peer
 *      ops pool        one thread for each call or bundle being served: waits for sessions, peers
 *      asks pool       answers to peers' questions for partials, which may wait for our own call
 *      background pool roots, setups, presignatures
 *                      (of both, one peer gets a share only: the others' work goes on)
 *      ticker          every 200 ms: deadlines, renewals
 */
#ifndef NODE_CORE_NODE_H
#define NODE_CORE_NODE_H

#include <pthread.h>
#include <stdatomic.h>
#include "mpc/party.h"
#include "mpc/session.h"
#include "qk/clock.h"
#include "qk/pool.h"
#include "wire/call.h"
#include "wire/mesh.h"
#include "audit/audit.h"
#include "config.h"
#include "vault/vault.h"

enum {
    NODE_ASKS_THREADS = 24,
    NODE_BACKGROUND_THREADS = 12,
};

struct node_sessions;
struct node_record_cache;
struct node_daykeys;
struct node_keys;
struct node_epochs;
struct node_opens;
struct node_presigs;
struct node_symkeys;
struct node_maclinks;
struct node_macruns;
struct node_mackeys;
struct node_channels;
struct node_rands;
struct node_pending;

struct node {
    struct node_config conf;
    struct wire_cluster *cluster;
    struct wire_identity *identity;
    struct mpc_peer peers[WIRE_NODES_MAX]; /* all nodes of the cluster, ourselves included */
    struct node_seal *seal;
    struct node_vault *vault;
    struct node_audit *audit;
    struct wire_mesh *mesh;
    struct wire_server *server;
    struct qk_pool *frames, *ops, *asks, *background;
    struct node_sessions *sessions;
    struct node_record_cache *records;
    struct node_daykeys *daykeys;
    struct node_keys *keys;
    struct node_epochs *epochs;
    struct node_opens *opens;
    struct node_presigs *presigs;
    struct node_symkeys *symkeys;
    struct node_maclinks *maclinks;
    struct node_macruns *macruns;
    struct node_mackeys *mackeys;
    struct node_channels *channels;
    struct node_rands *rands;
    struct node_pending *pending;
    /* Document 20 section 7.1: the outcome of an OT check takes effect, and what depends on it is
     * sent, by one session at a time. One lock for all setups: nothing slow happens under it. */
    pthread_mutex_t setup_lock;
    _Atomic uint64_t strikes[256]; /* by peer: private to evidence.c */
    _Atomic bool quarantined;      /* quarantine.h */
    uint64_t started_ms;
    pthread_mutex_t gate; /* frames enter the pools under it */
    _Atomic bool deaf; /* no frame enters any pool; while stopping only those that end what runs */
    _Atomic bool stopping;  /* no new calls and sessions */
    _Atomic size_t serving; /* calls in our hands */
    _Atomic uint64_t
        stop_by_ms; /* then (qk_mono_ms) what still waits gives up; valid if stopping */
};

/** How many of n threads one peer may keep busy: together all peers leave some to us. */
static inline unsigned node_peer_share(const struct node *node, unsigned n)
{
    unsigned share = n / (unsigned)node->cluster->n;
    return share > 0 ? share : 1;
}

static inline uint16_t node_self(const struct node *node)
{
    return (uint16_t)node->conf.node_id;
}

/** Read files, unlock the vault, start listening. why: one line for people. */
QK_MUST_USE qk_err node_new(
    struct node **out, const char *config_path, bool init_vault, char *why, size_t why_len);
/** Give up waiting? True a moment after stopping has begun. */
static inline bool node_give_up(const struct node *node)
{
    return node->stopping && qk_mono_ms() >= node->stop_by_ms;
}

/** Take no more calls, give what runs a second to finish, close the vault. NULL is allowed. */
void node_free(struct node *node);
/** The periodic work; called from main's loop about every 200 ms. */
void node_tick(struct node *node);

#endif
