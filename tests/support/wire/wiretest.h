/** What the tests of wire/ share: a cluster on free ports of this machine, inboxes, a TCP proxy. */
#ifndef WIRETEST_H
#define WIRETEST_H

#include <pthread.h>
#include <sys/types.h>
#include "wire/call.h"
#include "wire/mesh.h"

enum { WT_NODES = 3, WT_WAIT_MS = 60000 };

struct wt_world {
    struct wire_identity *nodes[WT_NODES]; /* ids 1..3 */
    struct wire_identity *coordinator;     /* "alpha" */
    struct wire_identity *operator_;       /* "alice" */
    struct wire_identity *rogue;           /* of nobody in the cluster */
    struct wire_cluster *cluster;
    uint16_t ports[WT_NODES], call_ports[WT_NODES];
};

/** Aborts the test program when the machine will not play along. */
void wt_world_init(struct wt_world *w);
void wt_world_free(struct wt_world *w);
/** The same parties under another name: another cluster hash. */
struct wire_cluster *wt_other_cluster(const struct wt_world *w);
/** The same with node `id` at another mesh port (a proxy's). The hash differs, too. */
struct wire_cluster *wt_moved(const struct wt_world *w, uint16_t id, uint16_t port);

/** A TCP port of 127.0.0.1 that was free a moment ago. */
uint16_t wt_free_port(void);
int wt_connect(uint16_t port);
void wt_sleep_ms(unsigned ms);
/** Poll until cond(arg) or WT_WAIT_MS are over; what it said last. */
bool wt_until(bool (*cond)(void *arg), void *arg);
/** True once the other end has closed (read gives end or error) within WT_WAIT_MS. */
bool wt_closed_by_peer(int fd);

/** Messages as they come in, and peers as they go up and down. */
struct wt_inbox {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t n, cap;
    struct wt_message {
        uint16_t from;
        struct qk_bytes bytes;
    } * messages;
    unsigned ups[256], downs[256];
};

void wt_inbox_init(struct wt_inbox *in);
void wt_inbox_free(struct wt_inbox *in);
void wt_on_message(void *inbox, uint16_t from, struct qk_bytes bytes);
void wt_on_peer(void *inbox, uint16_t id, bool up);
bool wt_wait_messages(struct wt_inbox *in, size_t n);
bool wt_wait_ups(struct wt_inbox *in, uint16_t id, unsigned n);
bool wt_wait_downs(struct wt_inbox *in, uint16_t id, unsigned n);

/** A node of w with short times, started. cluster NULL: w's own. */
struct wire_mesh *wt_mesh(
    const struct wt_world *w, uint16_t id, const struct wire_cluster *cluster, struct wt_inbox *in);
struct wire_mesh_config wt_mesh_config(const struct wt_world *w, uint16_t id, struct wt_inbox *in);

/** Node `id` as a process of its own, killed with the test if not before. To be called before NNG
 *  starts here. */
pid_t wt_child_node(const struct wt_world *w, uint16_t id);

/** Forwards TCP connections of one port to another, and can misbehave. */
struct wt_proxy;
struct wt_proxy *wt_proxy_new(uint16_t to_port);
uint16_t wt_proxy_port(const struct wt_proxy *p);
/** Flip one bit of the next byte that flows from client to server `skip` bytes from now. */
void wt_proxy_flip(struct wt_proxy *p, size_t skip);
/** Forward nothing more while on (connections stay open). */
void wt_proxy_stall(struct wt_proxy *p, bool on);
/** From now on at most so many bytes of each direction every 10 ms. */
void wt_proxy_slow(struct wt_proxy *p, size_t bytes);
unsigned wt_proxy_connections(struct wt_proxy *p);
void wt_proxy_free(struct wt_proxy *p);

#endif
