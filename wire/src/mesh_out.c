#include "mesh_priv.h"

#include <stdlib.h>
#include <nng/protocol/pipeline0/push.h>
#include "qk/clock.h"
#include "qk/log.h"

/* PUSH has no queue of its own here (SENDBUF 0): one frame is with NNG, the rest wait in ours,
 * which is bounded in bytes and emptied when the link breaks. */

static void drop_frame(struct mesh_peer *p, nng_msg *msg, uint32_t n_messages)
{
    nng_msg_free(msg);
    p->stats.dropped += n_messages;
}

static void drop_queue(struct mesh_peer *p)
{
    for (struct out_frame *f = p->first; f != NULL;) {
        struct out_frame *next = f->next;
        drop_frame(p, f->msg, f->n_messages);
        free(f);
        f = next;
    }
    p->first = p->last = NULL;
    p->stats.queued_bytes = 0;
}

static nng_msg *make(const void *bytes, size_t len)
{
    nng_msg *msg;
    if (nng_msg_alloc(&msg, 0) != 0) return NULL;
    if (nng_msg_append(msg, bytes, len) == 0) return msg;
    nng_msg_free(msg);
    return NULL;
}

static nng_msg *make_hello(const struct mesh_peer *p)
{
    struct wire_hello hello = {WIRE_LINK_VERSION, {0}, p->mesh->cfg.self, p->node->id};
    memcpy(hello.cluster, p->mesh->cfg.cluster->hash, 32);
    uint8_t bytes[WIRE_HELLO_LEN];
    wire_hello_encode(&hello, bytes);
    return make(bytes, sizeof bytes);
}

static nng_msg *make_heartbeat(const struct mesh_peer *p)
{
    uint8_t bytes[WIRE_HEARTBEAT_LEN] = {WIRE_FRAME_HEARTBEAT, p->in_pipe.id != 0 && p->greeted};
    return make(bytes, sizeof bytes);
}

/* A new link starts with a hello and a heartbeat; a heartbeat that is owed goes before messages. */
static nng_msg *next_frame(struct mesh_peer *p, uint32_t *n_messages)
{
    nng_msg *msg = NULL;
    *n_messages = 0;
    if (p->owes_hello) {
        msg = make_hello(p);
        if (msg != NULL) p->owes_hello = false;
    } else if (p->owes_heartbeat) {
        msg = make_heartbeat(p);
        if (msg != NULL) p->owes_heartbeat = false;
    } else if (p->first != NULL) {
        struct out_frame *f = p->first;
        msg = f->msg;
        *n_messages = f->n_messages;
        p->stats.queued_bytes -= nng_msg_len(msg);
        p->first = f->next;
        if (p->first == NULL) p->last = NULL;
        free(f);
    }
    return msg;
}

void mesh_out_pump(struct mesh_peer *p)
{
    if (p->out_pipe.id == 0 || p->sending) return;
    if (atomic_load(&p->mesh->closing)) return; /* NNG would keep what it is given now */
    uint32_t n_messages;
    nng_msg *msg = next_frame(p, &n_messages);
    if (msg == NULL) return;
    p->sending = true;
    p->sending_messages = n_messages;
    p->last_sent_ms = qk_mono_ms();
    nng_aio_set_msg(p->send_aio, msg);
    nng_send_aio(p->push, p->send_aio);
}

static void on_sent(void *arg)
{
    struct mesh_peer *p = arg;
    mesh_lock(p);
    if (nng_aio_result(p->send_aio) != 0) {
        drop_frame(p, nng_aio_get_msg(p->send_aio), p->sending_messages);
        nng_aio_set_msg(p->send_aio, NULL);
    } else {
        p->stats.frames_sent++;
        p->stats.sent += p->sending_messages;
    }
    p->sending = false;
    mesh_out_pump(p);
    mesh_unlock(p);
}

/* The dialer pins this one peer, so wire_tls_peer only fails if the pipe is already gone. */
static void on_dialled(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    (void)event;
    struct mesh_peer *p = arg;
    uint16_t tag;
    mesh_lock(p);
    bool spent = p->spent;
    mesh_unlock(p);
    if (spent || wire_tls_peer(pipe, &tag) != QK_OK) (void)nng_pipe_close(pipe);
}

static void on_connected(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    (void)event;
    struct mesh_peer *p = arg;
    mesh_lock(p);
    if (pipe.id != p->gone.id) {
        p->out_pipe = pipe;
        p->out_since_ms = p->deaf_since_ms = qk_mono_ms();
        p->owes_hello = p->owes_heartbeat = true;
        mesh_out_pump(p);
    }
    mesh_unlock(p);
    mesh_report(p);
}

/* A PUSH socket of NNG 1.5.2 is used for one connection only: a pipe that closes while it is being
 * added stays in the socket's list of ready pipes, and the next one to send walks into freed
 * memory. Nothing is sent from here on, and the dialer is closed so that no other pipe comes; not
 * under the lock, since that waits for on_connected of this very pipe, which may still run. */
static void on_disconnected(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    (void)event;
    struct mesh_peer *p = arg;
    nng_dialer old;
    uint64_t now = qk_mono_ms();
    mesh_lock(p);
    bool was_ours = p->out_pipe.id == pipe.id;
    p->gone = pipe;
    p->n_gone++;
    p->spent = true;
    uint64_t lasted = was_ours ? wire_ms_since(p->out_since_ms, now) : 0;
    p->redial_ms = now + wire_dialer_retire(&p->dialer, lasted, now, &old);
    if (was_ours) {
        p->out_pipe.id = 0;
        nng_aio_cancel(p->send_aio);
        drop_queue(p);
    }
    mesh_unlock(p);
    (void)nng_dialer_close(old);
    mesh_report(p);
}

static qk_err open_socket(struct mesh_peer *p)
{
    int rv = nng_push0_open(&p->push);
    QK_ENSURE(rv == 0, wire_nng_err(rv));
    /* nothing comes back on this link but the SP header */
    if ((rv = nng_socket_set_size(p->push, NNG_OPT_RECVMAXSZ, 1)) != 0 ||
        (rv = nng_socket_set_int(p->push, NNG_OPT_SENDBUF, 0)) != 0 ||
        (rv = nng_pipe_notify(p->push, NNG_PIPE_EV_ADD_PRE, on_dialled, p)) != 0 ||
        (rv = nng_pipe_notify(p->push, NNG_PIPE_EV_ADD_POST, on_connected, p)) != 0 ||
        (rv = nng_pipe_notify(p->push, NNG_PIPE_EV_REM_POST, on_disconnected, p)) != 0)
        return wire_nng_err(rv);
    return QK_OK;
}

qk_err mesh_out_open(struct mesh_peer *p)
{
    const struct wire_mesh_config *cfg = &p->mesh->cfg;
    QK_TRY(open_socket(p));
    int rv = nng_aio_alloc(&p->send_aio, on_sent, p);
    QK_ENSURE(rv == 0, wire_nng_err(rv));
    struct wire_tls_pin pin = {.key = p->node->key, .cert = p->node->cert};
    struct wire_tls_setup setup = {
        .identity = cfg->identity, .pins = &pin, .n_pins = 1, .handshake_ms = cfg->handshake_ms};
    mesh_lock(p);
    qk_err err = wire_dialer_open(&p->dialer, &p->lock, p->push, p->node->address, &setup,
        cfg->reconnect_min_ms, cfg->reconnect_max_ms);
    mesh_unlock(p);
    return err;
}

static void replace_socket(struct mesh_peer *p, nng_socket old, uint64_t now)
{
    if (old.id != 0) (void)nng_close(old); /* waits for on_disconnected */
    if (open_socket(p) != QK_OK) return;   /* again at the next tick */
    mesh_lock(p);
    p->spent = false;
    wire_dialer_renew(&p->dialer, p->push, now);
    mesh_unlock(p);
}

/* Under the lock. A peer that was away for a while is dialled as soon as it has dialled us, and not
 * only when the delay is over that grew meanwhile; but a peer that takes us in only to throw us out
 * gains one more by this in the time of the longest delay. */
static bool may_hurry(struct mesh_peer *p, uint64_t now)
{
    bool may = p->hurry && p->out_pipe.id == 0 &&
               wire_ms_since(p->hurried_ms, now) >= p->mesh->cfg.reconnect_max_ms;
    p->hurry = false;
    if (may) p->hurried_ms = now;
    return may;
}

void mesh_out_check(struct mesh_peer *p, uint64_t now)
{
    mesh_lock(p);
    bool spent = p->spent, connected = p->out_pipe.id != 0, hurry = may_hurry(p, now);
    bool replace = spent && (hurry || now >= p->redial_ms);
    uint64_t n_gone = p->n_gone;
    nng_socket old = p->push;
    if (replace) p->push.id = 0;
    mesh_unlock(p);
    if (replace)
        replace_socket(p, old, now);
    else if (!spent && hurry)
        wire_dialer_hurry(&p->dialer, n_gone, now);
    else if (!spent)
        wire_dialer_check(&p->dialer, connected, now);
}

void mesh_out_close(struct mesh_peer *p)
{
    if (p->push.id != 0) (void)nng_close(p->push);
    if (p->send_aio != NULL) nng_aio_stop(p->send_aio);
}

void mesh_out_free(struct mesh_peer *p)
{
    drop_queue(p);
    /* a send that raced with the close was never called back */
    if (p->send_aio != NULL && nng_aio_get_msg(p->send_aio) != NULL)
        drop_frame(p, nng_aio_get_msg(p->send_aio), p->sending_messages);
    nng_aio_free(p->send_aio);
    wire_dialer_free(&p->dialer);
}

/* ---- the queue ---- */

static bool make_room(nng_msg *batch, size_t more)
{
    size_t need = nng_msg_len(batch) + more, room = nng_msg_capacity(batch);
    if (need <= room) return true;
    room = 2 * need < WIRE_FRAME_MAX ? 2 * need : WIRE_FRAME_MAX;
    return nng_msg_reserve(batch, room < need ? need : room) == 0;
}

bool mesh_batch_append(nng_msg *batch, struct qk_bytes message)
{
    size_t before = nng_msg_len(batch);
    if (!make_room(batch, WIRE_BATCH_OVERHEAD + message.len)) return false;
    if (nng_msg_append_u32(batch, (uint32_t)message.len) == 0 &&
        nng_msg_append(batch, message.p, message.len) == 0)
        return true;
    (void)nng_msg_chop(batch, nng_msg_len(batch) - before);
    return false;
}

static struct out_frame *new_frame(struct qk_bytes bytes)
{
    uint8_t type = WIRE_FRAME_BATCH;
    struct out_frame *f = calloc(1, sizeof *f);
    if (f == NULL) return NULL;
    f->msg = make(&type, 1);
    if (f->msg != NULL && mesh_batch_append(f->msg, bytes)) return f;
    if (f->msg != NULL) nng_msg_free(f->msg);
    free(f);
    return NULL;
}

/* Into the last waiting frame if it fits, else into a new one. */
static qk_err enqueue(struct mesh_peer *p, struct qk_bytes bytes)
{
    size_t cost = WIRE_BATCH_OVERHEAD + bytes.len;
    struct out_frame *f = p->last;
    if (f != NULL && nng_msg_len(f->msg) + cost <= WIRE_FRAME_MAX) {
        QK_ENSURE(mesh_batch_append(f->msg, bytes), QK_E_NOMEM);
    } else {
        f = new_frame(bytes);
        QK_ENSURE(f != NULL, QK_E_NOMEM);
        if (p->last != NULL)
            p->last->next = f;
        else
            p->first = f;
        p->last = f;
        cost++; /* the type byte */
    }
    f->n_messages++;
    p->stats.queued_bytes += cost;
    return QK_OK;
}

static qk_err send_locked(struct mesh_peer *p, struct qk_bytes bytes)
{
    QK_ENSURE(p->out_pipe.id != 0, QK_E_IO);
    size_t cost = 1 + WIRE_BATCH_OVERHEAD + bytes.len;
    if (p->stats.queued_bytes + cost > p->mesh->cfg.queue_bytes) {
        p->stats.busy++;
        return QK_E_BUSY;
    }
    QK_TRY(enqueue(p, bytes));
    mesh_out_pump(p);
    return QK_OK;
}

qk_err wire_mesh_send(struct wire_mesh *m, uint16_t to, struct qk_bytes bytes)
{
    QK_ENSURE(bytes.len >= 1, QK_E_STATE);
    QK_ENSURE(bytes.len <= WIRE_MSG_MAX, QK_E_TOO_LARGE);
    for (size_t i = 0; i < m->n; i++) {
        struct mesh_peer *p = &m->peers[i];
        if (p->node->id != to) continue;
        mesh_lock_user(p);
        qk_err err = send_locked(p, bytes);
        mesh_unlock(p);
        return err;
    }
    return QK_E_STATE;
}
