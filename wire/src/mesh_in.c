#include "mesh_priv.h"

#include <nng/protocol/pipeline0/pull.h>
#include "qk/clock.h"
#include "qk/log.h"
#include "qk/secret.h"

#define GARBAGE_WINDOW_MS 60000

void mesh_in_cut(struct mesh_peer *p, const char *why)
{
    if (p->in_pipe.id == 0) return;
    qk_log(QK_INFO, "wire.link.cut", QK_F_INT("peer", p->node->id), QK_F_STR("why", why));
    wire_tls_cut(p->in_pipe);
    p->in_pipe.id = 0;
    p->greeted = p->hears_us = false;
    p->deaf_since_ms = qk_mono_ms();
    p->owes_heartbeat = true; /* tells the peer that we no longer hear it */
    mesh_out_pump(p);
}

/* ---- frames ---- */

static void on_garbage(struct mesh_peer *p, uint64_t now)
{
    if (p->garbage_count == 0 || wire_ms_since(p->garbage_since_ms, now) > GARBAGE_WINDOW_MS) {
        p->garbage_count = 0;
        p->garbage_since_ms = now;
    }
    p->garbage_count++;
    p->stats.garbage++;
    qk_log(QK_WARN, "wire.link.garbage", QK_F_INT("peer", p->node->id),
        QK_F_INT("count", p->garbage_count));
    if (p->garbage_count < p->mesh->cfg.garbage_limit) return;
    p->garbage_count = 0;
    p->refused_until_ms = now + p->mesh->cfg.refuse_ms;
    mesh_in_cut(p, "garbage");
}

static void on_hello(struct mesh_peer *p, const struct wire_hello *h)
{
    const struct wire_mesh_config *cfg = &p->mesh->cfg;
    const char *wrong = NULL;
    if (h->version != WIRE_LINK_VERSION)
        wrong = "another version of the link protocol";
    else if (memcmp(h->cluster, cfg->cluster->hash, 32) != 0)
        wrong = "another cluster.conf";
    else if (h->from != p->node->id || h->to != cfg->self)
        wrong = "hello names other nodes";
    else if (p->greeted)
        wrong = "second hello";
    if (wrong != NULL) {
        p->stats.refused++;
        mesh_in_cut(p, wrong);
        return;
    }
    p->greeted = true;
    p->owes_heartbeat = true;
    p->hurry = p->out_pipe.id == 0;
    mesh_out_pump(p);
}

static void deliver(struct mesh_peer *p, struct qk_bytes batch)
{
    const struct wire_mesh_config *cfg = &p->mesh->cfg;
    struct qk_bytes message;
    while (wire_batch_next(&batch, &message)) cfg->on_message(cfg->ctx, p->node->id, message);
}

/* Under the lock; true if the frame's messages are to be delivered. */
static bool take_frame(struct mesh_peer *p, struct qk_bytes bytes, struct wire_frame *f)
{
    uint64_t now = qk_mono_ms();
    p->in_heard_ms = now;
    p->stats.frames_received++;
    if (wire_frame_decode(bytes, f) != QK_OK) {
        on_garbage(p, now);
        if (!p->greeted) mesh_in_cut(p, "no hello");
        return false;
    }
    if (f->type == WIRE_FRAME_HELLO) {
        on_hello(p, &f->hello);
        return false;
    }
    if (!p->greeted) {
        mesh_in_cut(p, "no hello");
        return false;
    }
    if (f->type == WIRE_FRAME_HEARTBEAT) {
        if (p->hears_us && !f->hears) p->deaf_since_ms = now;
        p->hears_us = f->hears;
        return false;
    }
    p->stats.received += f->n_messages;
    return true;
}

static void on_frame(struct wire_mesh *m, nng_msg *msg)
{
    nng_pipe pipe = nng_msg_get_pipe(msg);
    struct qk_bytes bytes = qk_bytes(nng_msg_body(msg), nng_msg_len(msg));
    for (size_t i = 0; i < m->n; i++) {
        struct mesh_peer *p = &m->peers[i];
        struct wire_frame f;
        mesh_lock(p);
        bool mine = pipe.id != 0 && p->in_pipe.id == pipe.id;
        bool wanted = mine && take_frame(p, bytes, &f);
        mesh_unlock(p);
        if (!mine) continue; /* also what was under way when a link was cut or replaced */
        mesh_report(p);
        if (wanted) deliver(p, f.batch);
        return;
    }
}

/* One receive is outstanding at a time: that keeps the order, and makes on_message single. */
static void on_received(void *arg)
{
    struct wire_mesh *m = arg;
    int rv = nng_aio_result(m->recv_aio);
    if (rv == 0) {
        nng_msg *msg = nng_aio_get_msg(m->recv_aio);
        nng_aio_set_msg(m->recv_aio, NULL);
        if (!atomic_load(&m->closing)) on_frame(m, msg);
        qk_wipe(nng_msg_body(msg), nng_msg_len(msg)); /* shares travel in some */
        nng_msg_free(msg);
    }
    if (rv != NNG_ECLOSED && rv != NNG_ECANCELED && !atomic_load(&m->closing))
        nng_recv_aio(m->pull, m->recv_aio);
}

/* ---- connections ---- */

static void on_accept(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    (void)event;
    struct wire_mesh *m = arg;
    wire_listener_added(&m->listener);
    uint16_t tag;
    if (wire_tls_peer(pipe, &tag) != QK_OK || tag >= m->n) {
        atomic_fetch_add(&m->strangers, 1);
        (void)nng_pipe_close(pipe);
        return;
    }
    struct mesh_peer *p = &m->peers[tag];
    uint64_t now = qk_mono_ms();
    mesh_lock(p);
    if (now < p->refused_until_ms) {
        p->stats.refused++;
        (void)nng_pipe_close(pipe); /* it has not begun to receive */
    } else {
        mesh_in_cut(p, "replaced"); /* the peer has dialled again: what is left is a dead line */
        p->in_pipe = pipe;
        p->in_heard_ms = now;
    }
    mesh_unlock(p);
    mesh_report(p);
}

static void on_gone(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    (void)event;
    struct wire_mesh *m = arg;
    for (size_t i = 0; i < m->n; i++) {
        struct mesh_peer *p = &m->peers[i];
        mesh_lock(p);
        bool mine = p->in_pipe.id == pipe.id;
        if (mine) mesh_in_cut(p, "closed");
        mesh_unlock(p);
        if (mine) mesh_report(p);
    }
}

qk_err mesh_in_open(struct wire_mesh *m)
{
    int rv = nng_pull0_open(&m->pull);
    QK_ENSURE(rv == 0, wire_nng_err(rv));
    if ((rv = nng_aio_alloc(&m->recv_aio, on_received, m)) != 0 ||
        (rv = nng_socket_set_size(m->pull, NNG_OPT_RECVMAXSZ, WIRE_FRAME_MAX)) != 0 ||
        (rv = nng_pipe_notify(m->pull, NNG_PIPE_EV_ADD_PRE, on_accept, m)) != 0 ||
        (rv = nng_pipe_notify(m->pull, NNG_PIPE_EV_REM_POST, on_gone, m)) != 0)
        return wire_nng_err(rv);
    struct wire_tls_pin pins[WIRE_NODES_MAX];
    for (size_t i = 0; i < m->n; i++)
        pins[i] = (struct wire_tls_pin){
            .tag = (uint16_t)i, .key = m->peers[i].node->key, .cert = m->peers[i].node->cert};
    struct wire_tls_setup setup = {.server = true,
        .identity = m->cfg.identity,
        .pins = pins,
        .n_pins = m->n,
        .handshake_ms = m->cfg.handshake_ms};
    const char *url = m->cfg.listen;
    if (url == NULL) url = wire_cluster_node(m->cfg.cluster, m->cfg.self)->address;
    QK_TRY(wire_listener_open(&m->listener, m->pull, url, &setup));
    nng_recv_aio(m->pull, m->recv_aio);
    return QK_OK;
}
