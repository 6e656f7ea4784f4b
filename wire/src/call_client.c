#include "call_priv.h"

#include <pthread.h>
#include <stdlib.h>
#include <nng/protocol/reqrep0/req.h>
#include "qk/clock.h"
#include "qk/log.h"
#include "ticker.h"

/* A slot is one REQ context: send, receive, free. The last slot is for pings. */
struct slot {
    struct wire_client *client;
    nng_ctx ctx;
    nng_aio *aio;
    enum { IDLE, SENDING, RECEIVING } state;
    uint64_t deadline_ms;
    wire_call_fn fn;
    void *fn_ctx;
    struct slot *next_free;
};

struct wire_client {
    struct wire_client_config cfg;
    struct wire_key *server_key;
    uint8_t *server_cert;
    nng_socket req;
    struct wire_dialer dialer;
    struct wire_tick tick;

    pthread_mutex_t lock; /* everything below */
    pthread_cond_t ended;
    bool closing;
    nng_pipe pipe; /* id 0: link down */
    nng_pipe gone; /* removed last: its ADD_POST may come after its REM_POST */
    uint64_t up_since_ms, heard_ms, pinged_ms;
    bool pinging;
    bool reported_up, reporting;
    size_t n_open; /* calls that were accepted and whose fn has not returned */
    struct slot *free_list;
    size_t n_slots;
    struct slot *slots;
};

/* ---- calls ---- */

static qk_err start_locked(struct slot *slot, nng_msg *msg, unsigned timeout_ms)
{
    struct wire_client *c = slot->client;
    slot->deadline_ms = qk_mono_ms() + timeout_ms;
    slot->state = SENDING;
    c->n_open++;
    nng_aio_set_timeout(slot->aio, timeout_ms > INT32_MAX ? INT32_MAX : (nng_duration)timeout_ms);
    nng_aio_set_msg(slot->aio, msg);
    /* under the lock: a link that breaks from here on finds this slot and cancels it, so that the
     * request cannot wait inside NNG for the next link */
    nng_ctx_send(slot->ctx, slot->aio);
    return QK_OK;
}

static qk_err call_locked(
    struct wire_client *c, nng_msg *msg, unsigned timeout_ms, wire_call_fn fn, void *ctx)
{
    QK_ENSURE(c->pipe.id != 0 && !c->closing, QK_E_IO);
    struct slot *slot = c->free_list;
    QK_ENSURE(slot != NULL, QK_E_BUSY);
    c->free_list = slot->next_free;
    slot->fn = fn;
    slot->fn_ctx = ctx;
    return start_locked(slot, msg, timeout_ms);
}

qk_err wire_client_call(
    struct wire_client *c, struct qk_bytes bytes, unsigned timeout_ms, wire_call_fn fn, void *ctx)
{
    QK_ENSURE(bytes.len >= 1 && timeout_ms >= 1 && fn != NULL, QK_E_STATE);
    QK_ENSURE(bytes.len <= WIRE_CALL_FRAME_MAX, QK_E_TOO_LARGE);
    nng_msg *msg = call_frame(CALL_REQUEST, bytes);
    QK_ENSURE(msg != NULL, QK_E_NOMEM);
    (void)pthread_mutex_lock(&c->lock);
    qk_err err = call_locked(c, msg, timeout_ms, fn, ctx);
    (void)pthread_mutex_unlock(&c->lock);
    if (err != QK_OK) nng_msg_free(msg);
    return err;
}

static qk_err read_answer(struct qk_bytes frame, struct qk_bytes *bytes)
{
    QK_ENSURE(frame.len >= 1, QK_E_MALFORMED);
    switch (frame.p[0]) {
    case CALL_ANSWER:
        QK_ENSURE(frame.len >= 2 && frame.len <= 1 + (size_t)WIRE_CALL_FRAME_MAX, QK_E_MALFORMED);
        *bytes = qk_bytes(frame.p + 1, frame.len - 1);
        return QK_OK;
    case CALL_PONG:
        return frame.len == 1 ? QK_OK : QK_E_MALFORMED;
    case CALL_DROPPED:
        return frame.len == 1 ? QK_E_UNEXPECTED : QK_E_MALFORMED;
    case CALL_BUSY:
        return frame.len == 1 ? QK_E_BUSY : QK_E_MALFORMED;
    default:
        return QK_E_MALFORMED;
    }
}

/* The slot is free again before fn runs, so that fn can start the next call. */
static void finish(struct slot *slot, qk_err err, struct qk_bytes bytes, bool heard)
{
    struct wire_client *c = slot->client;
    (void)pthread_mutex_lock(&c->lock);
    wire_call_fn fn = slot->fn;
    void *ctx = slot->fn_ctx;
    slot->state = IDLE;
    if (heard) c->heard_ms = qk_mono_ms();
    if (fn != NULL) {
        slot->next_free = c->free_list;
        c->free_list = slot;
    } else { /* the ping */
        c->pinging = false;
        if (err != QK_OK && c->heard_ms < c->pinged_ms && c->pipe.id != 0) {
            qk_log(QK_WARN, "wire.call.frozen", QK_F_STR("url", c->dialer.url), QK_F_ERR(err));
            wire_tls_cut(c->pipe);
        }
    }
    (void)pthread_mutex_unlock(&c->lock);
    if (fn != NULL) fn(ctx, err, bytes);
    (void)pthread_mutex_lock(&c->lock);
    if (--c->n_open == 0) (void)pthread_cond_broadcast(&c->ended);
    (void)pthread_mutex_unlock(&c->lock);
}

static void slot_receive(struct slot *slot)
{
    uint64_t now = qk_mono_ms();
    uint64_t left = slot->deadline_ms > now ? slot->deadline_ms - now : 1;
    (void)pthread_mutex_lock(&slot->client->lock);
    slot->state = RECEIVING;
    (void)pthread_mutex_unlock(&slot->client->lock);
    nng_aio_set_timeout(slot->aio, left > INT32_MAX ? INT32_MAX : (nng_duration)left);
    nng_ctx_recv(slot->ctx, slot->aio);
}

static void on_slot(void *arg)
{
    struct slot *slot = arg;
    int rv = nng_aio_result(slot->aio);
    (void)pthread_mutex_lock(&slot->client->lock);
    bool sent = slot->state == SENDING;
    (void)pthread_mutex_unlock(&slot->client->lock);
    if (rv == 0 && sent) {
        slot_receive(slot);
        return;
    }
    nng_msg *msg = nng_aio_get_msg(slot->aio); /* the answer, or what was not sent */
    nng_aio_set_msg(slot->aio, NULL);
    struct qk_bytes bytes = qk_bytes(NULL, 0);
    qk_err err = rv == NNG_ETIMEDOUT ? QK_E_TIMEOUT : QK_E_IO;
    if (rv == 0) err = read_answer(qk_bytes(nng_msg_body(msg), nng_msg_len(msg)), &bytes);
    finish(slot, err, bytes, rv == 0);
    if (rv == 0)
        call_frame_done(msg);
    else if (msg != NULL)
        nng_msg_free(msg);
}

/* ---- the link ---- */

static void report(struct wire_client *c)
{
    (void)pthread_mutex_lock(&c->lock);
    if (!c->reporting) {
        c->reporting = true;
        while (c->reported_up != (c->pipe.id != 0)) {
            bool up = c->reported_up = !c->reported_up;
            bool tell = c->cfg.on_link != NULL && !c->closing;
            (void)pthread_mutex_unlock(&c->lock);
            if (tell) c->cfg.on_link(c->cfg.ctx, up);
            (void)pthread_mutex_lock(&c->lock);
        }
        c->reporting = false;
    }
    (void)pthread_mutex_unlock(&c->lock);
}

static void on_dialled(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    (void)event;
    (void)arg;
    uint16_t tag;
    if (wire_tls_peer(pipe, &tag) != QK_OK) (void)nng_pipe_close(pipe);
}

static void on_connected(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    (void)event;
    struct wire_client *c = arg;
    (void)pthread_mutex_lock(&c->lock);
    if (pipe.id != c->gone.id) {
        c->pipe = pipe;
        c->up_since_ms = c->heard_ms = qk_mono_ms();
    }
    (void)pthread_mutex_unlock(&c->lock);
    report(c);
}

static void on_disconnected(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    (void)event;
    struct wire_client *c = arg;
    uint64_t now = qk_mono_ms();
    (void)pthread_mutex_lock(&c->lock);
    bool was_ours = c->pipe.id == pipe.id;
    c->gone = pipe;
    wire_dialer_removed(&c->dialer, was_ours ? wire_ms_since(c->up_since_ms, now) : 0, now);
    if (was_ours) {
        c->pipe.id = 0;
        for (size_t i = 0; i < c->n_slots; i++)
            if (c->slots[i].state != IDLE) nng_aio_cancel(c->slots[i].aio);
    }
    (void)pthread_mutex_unlock(&c->lock);
    report(c);
}

static void ping_locked(struct wire_client *c, uint64_t now)
{
    nng_msg *msg = call_frame(CALL_PING, qk_bytes(NULL, 0));
    if (msg == NULL) return;
    c->pinging = true;
    c->pinged_ms = now;
    (void)start_locked(&c->slots[c->n_slots - 1], msg, c->cfg.dead_after_ms);
}

static void on_tick(void *arg, uint64_t now)
{
    struct wire_client *c = arg;
    (void)pthread_mutex_lock(&c->lock);
    bool connected = c->pipe.id != 0;
    if (connected && !c->pinging && wire_ms_since(c->heard_ms, now) >= c->cfg.ping_ms)
        ping_locked(c, now);
    (void)pthread_mutex_unlock(&c->lock);
    wire_dialer_check(&c->dialer, connected, now);
}

/* ---- life ---- */

static void preset(unsigned *v, unsigned value)
{
    if (*v == 0) *v = value;
}

static qk_err open_slots(struct wire_client *c)
{
    size_t n = (size_t)c->cfg.max_calls + 1;
    c->slots = calloc(n, sizeof *c->slots);
    QK_ENSURE(c->slots != NULL, QK_E_NOMEM);
    for (size_t i = 0; i < n; i++) {
        struct slot *slot = &c->slots[i];
        slot->client = c;
        int rv = nng_aio_alloc(&slot->aio, on_slot, slot);
        QK_ENSURE(rv == 0, wire_nng_err(rv));
        c->n_slots++;
        /* set on the socket first: a context inherits it when opened. Never send twice. */
        rv = nng_ctx_open(&slot->ctx, c->req);
        QK_ENSURE(rv == 0, wire_nng_err(rv));
        if (i == n - 1) break;
        slot->next_free = c->free_list;
        c->free_list = slot;
    }
    return QK_OK;
}

static qk_err client_open(struct wire_client *c)
{
    int rv = nng_req0_open(&c->req);
    QK_ENSURE(rv == 0, wire_nng_err(rv));
    if ((rv = nng_socket_set_size(c->req, NNG_OPT_RECVMAXSZ, CALL_RECV_MAX)) != 0 ||
        (rv = nng_socket_set_ms(c->req, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE)) != 0 ||
        (rv = nng_pipe_notify(c->req, NNG_PIPE_EV_ADD_PRE, on_dialled, c)) != 0 ||
        (rv = nng_pipe_notify(c->req, NNG_PIPE_EV_ADD_POST, on_connected, c)) != 0 ||
        (rv = nng_pipe_notify(c->req, NNG_PIPE_EV_REM_POST, on_disconnected, c)) != 0)
        return wire_nng_err(rv);
    QK_TRY(open_slots(c));
    struct wire_tls_pin pin = {.key = c->server_key, .cert = c->cfg.server_cert};
    struct wire_tls_setup setup = {.identity = c->cfg.identity,
        .pins = &pin,
        .n_pins = 1,
        .handshake_ms = c->cfg.handshake_ms};
    (void)pthread_mutex_lock(&c->lock);
    qk_err err = wire_dialer_open(&c->dialer, &c->lock, c->req, c->cfg.url, &setup,
        c->cfg.reconnect_min_ms, c->cfg.reconnect_max_ms);
    (void)pthread_mutex_unlock(&c->lock);
    QK_TRY(err);
    return wire_tick_start(&c->tick, c->cfg.ping_ms / 2 + 1, on_tick, c);
}

static qk_err copy_config(struct wire_client *c, const struct wire_client_config *config)
{
    c->cfg = *config;
    preset(&c->cfg.max_calls, WIRE_CALLS_IN_FLIGHT);
    preset(&c->cfg.ping_ms, 2000);
    preset(&c->cfg.dead_after_ms, 3000);
    preset(&c->cfg.handshake_ms, 5000);
    preset(&c->cfg.reconnect_min_ms, 100);
    preset(&c->cfg.reconnect_max_ms, 5000);
    QK_TRY(wire_key_from_cert(&c->server_key, config->server_cert));
    c->server_cert = malloc(config->server_cert.len);
    QK_ENSURE(c->server_cert != NULL, QK_E_NOMEM);
    memcpy(c->server_cert, config->server_cert.p, config->server_cert.len);
    c->cfg.server_cert.p = c->server_cert;
    return QK_OK;
}

qk_err wire_client_new(struct wire_client **out, const struct wire_client_config *config)
{
    QK_ENSURE(config->url != NULL && config->identity != NULL, QK_E_STATE);
    struct wire_client *c = calloc(1, sizeof *c);
    QK_ENSURE(c != NULL, QK_E_NOMEM);
    (void)pthread_mutex_init(&c->lock, NULL);
    (void)pthread_cond_init(&c->ended, NULL);
    qk_err err = copy_config(c, config);
    if (err == QK_OK) err = client_open(c);
    if (err != QK_OK)
        wire_client_free(c);
    else
        *out = c;
    return err;
}

void wire_client_free(struct wire_client *c)
{
    if (c == NULL) return;
    (void)pthread_mutex_lock(&c->lock);
    c->closing = true;
    (void)pthread_mutex_unlock(&c->lock);
    wire_tick_stop(&c->tick);
    wire_tls_cut_all(c->dialer.stats); /* a pipe in the middle of a frame must not be closed */
    if (c->req.id != 0) (void)nng_close(c->req); /* contexts go with it; calls end */
    (void)pthread_mutex_lock(&c->lock);
    while (c->n_open > 0) (void)pthread_cond_wait(&c->ended, &c->lock);
    (void)pthread_mutex_unlock(&c->lock);
    for (size_t i = 0; i < c->n_slots; i++) {
        nng_aio_stop(c->slots[i].aio);
        nng_aio_free(c->slots[i].aio);
    }
    wire_dialer_free(&c->dialer);
    wire_key_free(c->server_key);
    (void)pthread_cond_destroy(&c->ended);
    (void)pthread_mutex_destroy(&c->lock);
    free(c->server_cert);
    free(c->slots);
    free(c);
}

bool wire_client_up(struct wire_client *c)
{
    (void)pthread_mutex_lock(&c->lock);
    bool up = c->pipe.id != 0;
    (void)pthread_mutex_unlock(&c->lock);
    return up;
}
