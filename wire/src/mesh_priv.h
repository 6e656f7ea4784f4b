/** The insides of wire/mesh.h: mesh.c (life, ticks), mesh_out.c (queues, dialers), mesh_in.c
 *  (listener, frames).
 *
 *  Locks: one per peer, taken before any of NNG's (NNG holds none of its own when it calls us), and
 *  never two at once. User callbacks run without it. Nothing that waits for a callback of NNG's
 *  (closing a socket, dialer or listener) is called under it: callbacks take it.
 *
 *  Users give way (mesh_lock_user) to the threads that move frames and look around (mesh_lock). A
 *  pthread mutex is not fair: one thread that sends in a loop can have it again and again while
 *  others sleep, nothing is sent, heartbeats neither, and both ends call the line dead.
 */
#ifndef WIRE_MESH_PRIV_H
#define WIRE_MESH_PRIV_H

#include <pthread.h>
#include "endpoint.h"
#include "frame.h"
#include "ticker.h"

struct out_frame {
    struct out_frame *next;
    nng_msg *msg;
    uint32_t n_messages;
};

struct mesh_peer {
    struct wire_mesh *mesh;
    const struct wire_node *node;
    pthread_mutex_t lock;
    atomic_uint ours_waiting; /* threads in mesh_lock */
    pthread_cond_t calm;      /* none of them is left */

    /* to the peer */
    nng_socket push;
    struct wire_dialer dialer;
    nng_pipe out_pipe; /* id 0: not connected */
    nng_pipe gone;     /* removed last: its ADD_POST may come after its REM_POST */
    bool spent;        /* push has had its pipe; the timer replaces it at redial_ms */
    uint64_t redial_ms;
    uint64_t out_since_ms;
    uint64_t n_gone;     /* pipes that were removed */
    bool hurry;          /* the peer has dialled in, so it can be dialled */
    uint64_t hurried_ms; /* the last time that we did so before it was due */
    nng_aio *send_aio;
    bool sending;              /* send_aio is with NNG */
    uint32_t sending_messages; /* in the frame it carries */
    bool owes_hello, owes_heartbeat;
    uint64_t last_sent_ms;
    struct out_frame *first, *last;

    /* from the peer */
    nng_pipe in_pipe; /* id 0: not connected */
    bool greeted;     /* its hello was right */
    uint64_t in_heard_ms;
    bool hears_us;          /* what its last heartbeat said */
    uint64_t deaf_since_ms; /* since when it says it does not, while we are connected */
    unsigned garbage_count;
    uint64_t garbage_since_ms;
    uint64_t refused_until_ms;

    bool reported_up, reporting;
    struct wire_mesh_stats stats;
};

struct wire_mesh {
    struct wire_mesh_config cfg;
    nng_socket pull;
    struct wire_listener listener;
    nng_aio *recv_aio;
    struct wire_tick tick;
    uint64_t ticked_ms; /* the last one */
    bool started;
    atomic_bool closing;
    atomic_uint_least64_t strangers;
    size_t n;
    struct mesh_peer peers[WIRE_NODES_MAX];
};

/* tags of pins are indices into peers */

/** For callbacks of NNG's and the ticker. */
void mesh_lock(struct mesh_peer *p);
/** For what users call: lets all of those go first. */
void mesh_lock_user(struct mesh_peer *p);
void mesh_unlock(struct mesh_peer *p);

QK_MUST_USE qk_err mesh_out_open(struct mesh_peer *p);
void mesh_out_close(struct mesh_peer *p); /* the socket; callbacks have ended when it returns */
void mesh_out_free(struct mesh_peer *p);
/** Replace a spent socket, or a dialer that gets nowhere. From the ticker, without the lock. */
void mesh_out_check(struct mesh_peer *p, uint64_t now_ms);
/** Give NNG the next frame if it can take one. Under the lock. */
void mesh_out_pump(struct mesh_peer *p);
/** Append a message (its length, its bytes) to a batch. The space doubles: NNG would move the whole
 *  frame for every message. False, and the batch as it was: no memory. */
bool mesh_batch_append(nng_msg *batch, struct qk_bytes message);

QK_MUST_USE qk_err mesh_in_open(struct wire_mesh *m);
/** End the peer's connection to us. Under the lock. */
void mesh_in_cut(struct mesh_peer *p, const char *why);

/** Tell the user if the peer came up or went down. Without the lock. */
void mesh_report(struct mesh_peer *p);
/** Under the lock. */
bool mesh_is_up(const struct mesh_peer *p);

#endif
