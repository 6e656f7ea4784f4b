#include "call_priv.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <nng/protocol/reqrep0/rep.h>
#include "qk/log.h"
#include "ticker.h"

#define SHARE       16    /* a caller's own share is this part of max_calls, or one call */
#define SPARE_SLOTS 8     /* so that pings and "busy" are answered while max_calls are in hand */
#define SEND_MS     10000 /* a caller that does not read its answer so long is cut off */
#define TICK_MS     1000

/* A slot is one REP context: receive, handle, send, receive, ... It is the user's wire_reply while
 * it is handled. */
struct wire_reply {
    struct wire_server *server;
    nng_ctx ctx;
    nng_aio *aio;
    nng_pipe pipe; /* where the request came from */
    uint16_t tag;  /* of its caller, while it is handled */
    enum { RECEIVING, HANDLING, SENDING, DEAD } state;
};

struct wire_server {
    struct wire_server_config cfg;
    nng_socket rep;
    struct wire_listener listener;
    struct wire_tick tick;
    pthread_mutex_t lock; /* state of slots, n_handling, n_alive, closing */
    pthread_cond_t died;
    bool closing;
    unsigned n_handling, n_handling_of[WIRE_TLS_PINS_MAX]; /* in all; of each caller */
    unsigned share; /* calls that a caller has taken even when others hold all the rest */
    size_t n_alive, n_slots;
    struct wire_reply *slots;
    size_t n_callers;
    struct wire_caller callers[WIRE_TLS_PINS_MAX]; /* tags of pins are indices into this */
};

static void slot_dies(struct wire_reply *slot)
{
    struct wire_server *s = slot->server;
    (void)pthread_mutex_lock(&s->lock);
    slot->state = DEAD;
    s->n_alive--;
    (void)pthread_cond_broadcast(&s->died);
    (void)pthread_mutex_unlock(&s->lock);
}

static bool is_closing(struct wire_server *s)
{
    (void)pthread_mutex_lock(&s->lock);
    bool closing = s->closing;
    (void)pthread_mutex_unlock(&s->lock);
    return closing;
}

static void set_state(struct wire_reply *slot, int state)
{
    (void)pthread_mutex_lock(&slot->server->lock);
    slot->state = state;
    (void)pthread_mutex_unlock(&slot->server->lock);
}

static void slot_receive(struct wire_reply *slot)
{
    if (is_closing(slot->server)) {
        slot_dies(slot);
        return;
    }
    set_state(slot, RECEIVING);
    nng_aio_set_timeout(slot->aio, NNG_DURATION_INFINITE);
    nng_ctx_recv(slot->ctx, slot->aio);
}

static void slot_send(struct wire_reply *slot, nng_msg *msg)
{
    if (msg == NULL) { /* out of memory: the caller's timeout tells it */
        slot_receive(slot);
        return;
    }
    set_state(slot, SENDING);
    nng_aio_set_timeout(slot->aio, SEND_MS);
    nng_aio_set_msg(slot->aio, msg);
    nng_ctx_send(slot->ctx, slot->aio);
}

/* One caller may use all of max_calls, but not so that another is left with nothing. */
static bool begin_handling(struct wire_reply *slot, uint16_t tag)
{
    struct wire_server *s = slot->server;
    (void)pthread_mutex_lock(&s->lock);
    bool ok = !s->closing && (s->n_handling < s->cfg.max_calls || s->n_handling_of[tag] < s->share);
    if (ok) {
        s->n_handling++;
        s->n_handling_of[tag]++;
        slot->tag = tag;
        slot->state = HANDLING;
    }
    (void)pthread_mutex_unlock(&s->lock);
    return ok;
}

static void on_request(struct wire_reply *slot, struct qk_bytes frame)
{
    struct wire_server *s = slot->server;
    uint16_t tag;
    if (wire_tls_peer(slot->pipe, &tag) != QK_OK || tag >= s->n_callers) {
        slot_receive(slot); /* the connection is gone already */
        return;
    }
    const struct wire_caller *caller = &s->callers[tag];
    if (frame.len == 1 && frame.p[0] == CALL_PING) {
        slot_send(slot, call_frame(CALL_PONG, qk_bytes(NULL, 0)));
    } else if (frame.len < 2 || frame.p[0] != CALL_REQUEST ||
               frame.len > 1 + (size_t)WIRE_CALL_FRAME_MAX) {
        qk_log(QK_WARN, "wire.call.garbage", QK_F_STR("caller", caller->name));
        wire_tls_cut(slot->pipe);
        slot_receive(slot);
    } else if (!begin_handling(slot, tag)) {
        slot_send(slot, call_frame(CALL_BUSY, qk_bytes(NULL, 0)));
    } else {
        s->cfg.handler(s->cfg.ctx, caller, qk_bytes(frame.p + 1, frame.len - 1), slot);
    }
}

static void on_slot(void *arg)
{
    struct wire_reply *slot = arg;
    int rv = nng_aio_result(slot->aio);
    (void)pthread_mutex_lock(&slot->server->lock);
    int state = slot->state;
    (void)pthread_mutex_unlock(&slot->server->lock);
    nng_msg *msg = nng_aio_get_msg(slot->aio); /* received, or not sent */
    nng_aio_set_msg(slot->aio, NULL);
    if (state == SENDING && rv == NNG_ETIMEDOUT) wire_tls_cut(slot->pipe);
    if (state == RECEIVING && rv == 0) {
        slot->pipe = nng_msg_get_pipe(msg);
        /* once the user has the slot it may be answered and go round while we are still here:
         * the request is ours, not the slot's */
        on_request(slot, qk_bytes(nng_msg_body(msg), nng_msg_len(msg)));
        call_frame_done(msg);
        return;
    }
    slot_receive(slot);
    if (msg != NULL) nng_msg_free(msg);
}

/* ---- replies ---- */

static void give_back(struct wire_reply *slot, nng_msg *msg)
{
    struct wire_server *s = slot->server;
    (void)pthread_mutex_lock(&s->lock);
    s->n_handling--;
    s->n_handling_of[slot->tag]--;
    (void)pthread_mutex_unlock(&s->lock);
    slot_send(slot, msg);
}

qk_err wire_reply_send(struct wire_reply *reply, struct qk_bytes bytes)
{
    qk_err err = QK_OK;
    if (bytes.len == 0) err = QK_E_STATE;
    if (bytes.len > WIRE_CALL_FRAME_MAX) err = QK_E_TOO_LARGE;
    nng_msg *msg = err == QK_OK ? call_frame(CALL_ANSWER, bytes) : NULL;
    if (err == QK_OK && msg == NULL) err = QK_E_NOMEM;
    if (err != QK_OK)
        wire_reply_drop(reply);
    else
        give_back(reply, msg);
    return err;
}

void wire_reply_drop(struct wire_reply *reply)
{
    give_back(reply, call_frame(CALL_DROPPED, qk_bytes(NULL, 0)));
}

/* ---- life ---- */

static void on_accept(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    (void)event;
    struct wire_server *s = arg;
    uint16_t tag;
    wire_listener_added(&s->listener);
    if (wire_tls_peer(pipe, &tag) != QK_OK || tag >= s->n_callers) (void)nng_pipe_close(pipe);
}

static void on_tick(void *arg, uint64_t now)
{
    struct wire_server *s = arg;
    wire_listener_check(&s->listener, now);
}

static void add_caller(struct wire_server *s, struct wire_tls_pin *pins, enum wire_caller_kind kind,
    const char *name, uint16_t node, const struct wire_key *key, struct qk_bytes cert)
{
    size_t i = s->n_callers++;
    struct wire_caller *c = &s->callers[i];
    c->kind = kind;
    c->node = node;
    (void)snprintf(c->name, sizeof c->name, "%s", name);
    pins[i] = (struct wire_tls_pin){(uint16_t)i, key, cert};
}

static void add_callers(struct wire_server *s, struct wire_tls_pin *pins)
{
    const struct wire_cluster *c = s->cfg.cluster;
    for (size_t i = 0; i < c->n; i++) {
        char name[8];
        if (qk_bytes_eq(c->nodes[i].cert, wire_identity_cert(s->cfg.identity))) continue;
        (void)snprintf(name, sizeof name, "%u", c->nodes[i].id);
        add_caller(
            s, pins, WIRE_CALLER_NODE, name, c->nodes[i].id, c->nodes[i].key, c->nodes[i].cert);
    }
    for (size_t i = 0; i < c->n_coordinators; i++)
        add_caller(s, pins, WIRE_CALLER_COORDINATOR, c->coordinators[i].name, 0,
            c->coordinators[i].key, c->coordinators[i].cert);
    for (size_t i = 0; i < c->n_operators; i++)
        add_caller(s, pins, WIRE_CALLER_OPERATOR, c->operators[i].name, 0, c->operators[i].key,
            qk_bytes(NULL, 0));
}

static qk_err open_slots(struct wire_server *s)
{
    size_t n = s->cfg.max_calls + s->share * s->n_callers + SPARE_SLOTS;
    s->slots = calloc(n, sizeof *s->slots);
    QK_ENSURE(s->slots != NULL, QK_E_NOMEM);
    for (size_t i = 0; i < n; i++) {
        struct wire_reply *slot = &s->slots[i];
        slot->server = s;
        int rv = nng_aio_alloc(&slot->aio, on_slot, slot);
        QK_ENSURE(rv == 0, wire_nng_err(rv));
        if ((rv = nng_ctx_open(&slot->ctx, s->rep)) != 0) {
            nng_aio_free(slot->aio);
            return wire_nng_err(rv);
        }
        s->n_slots++;
        (void)pthread_mutex_lock(&s->lock);
        s->n_alive++;
        (void)pthread_mutex_unlock(&s->lock);
        slot_receive(slot);
    }
    return QK_OK;
}

static qk_err server_open(struct wire_server *s)
{
    int rv = nng_rep0_open(&s->rep);
    QK_ENSURE(rv == 0, wire_nng_err(rv));
    if ((rv = nng_socket_set_size(s->rep, NNG_OPT_RECVMAXSZ, CALL_RECV_MAX)) != 0 ||
        (rv = nng_pipe_notify(s->rep, NNG_PIPE_EV_ADD_PRE, on_accept, s)) != 0)
        return wire_nng_err(rv);
    struct wire_tls_pin pins[WIRE_TLS_PINS_MAX];
    add_callers(s, pins);
    QK_TRY(open_slots(s));
    struct wire_tls_setup setup = {.server = true,
        .identity = s->cfg.identity,
        .pins = pins,
        .n_pins = s->n_callers,
        .handshake_ms = s->cfg.handshake_ms};
    QK_TRY(wire_listener_open(&s->listener, s->rep, s->cfg.listen, &setup));
    return wire_tick_start(&s->tick, TICK_MS, on_tick, s);
}

qk_err wire_server_new(struct wire_server **out, const struct wire_server_config *config)
{
    QK_ENSURE(config->listen != NULL && config->identity != NULL, QK_E_STATE);
    QK_ENSURE(config->cluster != NULL && config->handler != NULL, QK_E_STATE);
    struct wire_server *s = calloc(1, sizeof *s);
    QK_ENSURE(s != NULL, QK_E_NOMEM);
    s->cfg = *config;
    if (s->cfg.max_calls == 0) s->cfg.max_calls = WIRE_CALLS_IN_FLIGHT;
    s->share = s->cfg.max_calls >= 2 * SHARE ? s->cfg.max_calls / SHARE : 1;
    if (s->cfg.handshake_ms == 0) s->cfg.handshake_ms = 5000;
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_cond_init(&s->died, NULL);
    qk_err err = server_open(s);
    if (err != QK_OK)
        wire_server_free(s);
    else
        *out = s;
    return err;
}

void wire_server_free(struct wire_server *s)
{
    if (s == NULL) return;
    (void)pthread_mutex_lock(&s->lock);
    s->closing = true;
    (void)pthread_mutex_unlock(&s->lock);
    wire_tick_stop(&s->tick);
    /* Contexts first, then the socket: closing the socket while another thread is about to receive
     * on one of them can wait for ever (seen with NNG 1.5.2). */
    for (size_t i = 0; i < s->n_slots; i++) (void)nng_ctx_close(s->slots[i].ctx);
    (void)pthread_mutex_lock(&s->lock);
    while (s->n_alive > 0) (void)pthread_cond_wait(&s->died, &s->lock);
    (void)pthread_mutex_unlock(&s->lock);
    wire_tls_cut_all(s->listener.stats); /* a pipe in the middle of a frame must not be closed */
    if (s->rep.id != 0) (void)nng_close(s->rep);
    for (size_t i = 0; i < s->n_slots; i++) {
        nng_aio_stop(s->slots[i].aio);
        nng_aio_free(s->slots[i].aio);
    }
    wire_listener_free(&s->listener);
    (void)pthread_cond_destroy(&s->died);
    (void)pthread_mutex_destroy(&s->lock);
    free(s->slots);
    free(s);
}
