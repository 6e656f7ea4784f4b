#include "call_priv.h"
#include "call_slots.h"

#include <pthread.h>
#include <stdlib.h>
#include "qk/clock.h"
#include "qk/log.h"
#include "qk/rng.h"
#include "qk/secret.h"

enum {
    LASTED_MS = 10000, /* a connection that lived so long was a good one */
    LOOKUP_MS = 10,    /* how often we ask whether a name has been found */
};

struct wire_client {
    struct wire_client_config cfg;
    char url[WIRE_URL_MAX];
    struct wire_address address;
    struct wire_key *server_key;
    uint8_t *server_cert;
    struct tls_pins pins;
    SSL_CTX *tls;
    bool on_loop;

    /* the loop's thread */
    struct wire_alarm alarm;
    struct wire_lookup *lookup; /* an attempt: first this, */
    struct wire_line *dialled;  /* then this */
    unsigned turn;
    unsigned backoff_ms;  /* present longest delay: doubles while connections do not last */
    uint64_t dial_at_ms;  /* while there is no attempt */
    uint64_t deadline_ms; /* of the attempt */
    uint64_t up_since_ms, pinged_ms;
    bool pinging;

    pthread_mutex_t lock; /* everything below */
    bool closing;
    struct wire_line *line; /* dialled, once the node has said welcome; NULL: the link is down */
    uint64_t first_ms;      /* no deadline of a call is before this, as far as the alarm knows */
    struct call_slots calls;
};

/* ---- calls ---- */

/* With the lock held. *line is ours to drop; *sooner: the alarm is to ring earlier than it would.
 */
static qk_err enter(struct wire_client *c, const struct call_end *end, uint32_t *number,
    struct wire_line **line, bool *sooner)
{
    QK_ENSURE(c->line != NULL && !c->closing, QK_E_IO);
    QK_TRY(call_slots_put(&c->calls, number, end));
    *sooner = end->deadline_ms < c->first_ms;
    if (*sooner) c->first_ms = end->deadline_ms;
    *line = c->line;
    wire_line_hold(*line);
    return QK_OK;
}

static bool take(struct wire_client *c, uint32_t number, struct call_end *end)
{
    (void)pthread_mutex_lock(&c->lock);
    bool found = call_slots_take(&c->calls, number, end);
    (void)pthread_mutex_unlock(&c->lock);
    return found;
}

qk_err wire_client_call(
    struct wire_client *c, struct qk_bytes bytes, unsigned timeout_ms, wire_call_fn fn, void *ctx)
{
    QK_ENSURE(bytes.len >= 1 && timeout_ms >= 1 && fn != NULL, QK_E_STATE);
    QK_ENSURE(bytes.len <= WIRE_CALL_FRAME_MAX, QK_E_TOO_LARGE);
    struct call_end end = {fn, ctx, qk_mono_ms() + timeout_ms};
    struct wire_line *line;
    uint32_t number;
    bool sooner;
    (void)pthread_mutex_lock(&c->lock);
    qk_err err = enter(c, &end, &number, &line, &sooner);
    (void)pthread_mutex_unlock(&c->lock);
    QK_TRY(err);
    if (sooner) wire_alarm_set(&c->alarm, end.deadline_ms);
    err = wire_line_send(line, CALL_REQUEST, number, bytes);
    wire_line_drop(line);
    /* Lost: fn runs with those of the other calls. The same if it has run meanwhile. */
    if (err == QK_E_IO || (err != QK_OK && !take(c, number, &end))) return QK_OK;
    return err;
}

/* The place is free again before fn runs, so that fn can start the next call. */
static void finish(struct wire_client *c, uint32_t number, qk_err err, struct qk_bytes bytes)
{
    struct call_end end;
    if (take(c, number, &end)) end.fn(end.ctx, err, bytes);
}

static void end_due(struct wire_client *c, uint64_t by_ms, qk_err err)
{
    for (bool more = true; more;) {
        struct call_end end;
        (void)pthread_mutex_lock(&c->lock);
        more = call_slots_take_due(&c->calls, by_ms, &end, &c->first_ms);
        (void)pthread_mutex_unlock(&c->lock);
        if (more) end.fn(end.ctx, err, qk_bytes(NULL, 0));
    }
}

/* ---- the link ---- */

static void tell(struct wire_client *c, bool up)
{
    (void)pthread_mutex_lock(&c->lock);
    bool closing = c->closing;
    (void)pthread_mutex_unlock(&c->lock);
    if (c->cfg.on_link != NULL && !closing) c->cfg.on_link(c->cfg.ctx, up);
}

/* Random up to the present delay: callers do not come back all at once. */
static void plan_dial(struct wire_client *c, uint64_t lasted_ms)
{
    uint32_t random = 0;
    if (qk_rng_fill(qk_rng_system(), &random, sizeof random) != QK_OK) random = UINT32_MAX / 2;
    c->dial_at_ms = qk_mono_ms() + random % (c->backoff_ms + 1);
    c->backoff_ms = lasted_ms >= LASTED_MS ? c->cfg.reconnect_min_ms : c->backoff_ms * 2;
    if (c->backoff_ms > c->cfg.reconnect_max_ms) c->backoff_ms = c->cfg.reconnect_max_ms;
    wire_alarm_set(&c->alarm, c->dial_at_ms);
}

static bool came_up(struct wire_client *c, const struct wire_frame_in *frame)
{
    static const uint8_t welcome[CALL_WELCOME_LEN] = CALL_MAGIC "\0\1";
    if (frame->type != CALL_WELCOME || frame->number != 0) return false;
    if (!qk_bytes_eq(frame->body, QK_BYTES(welcome))) {
        qk_log(QK_WARN, "wire.call.version", QK_F_STR("url", c->url));
        return false;
    }
    c->up_since_ms = qk_mono_ms();
    c->pinging = false;
    (void)pthread_mutex_lock(&c->lock);
    c->line = c->dialled;
    (void)pthread_mutex_unlock(&c->lock);
    tell(c, true);
    wire_alarm_set(&c->alarm, c->up_since_ms + c->cfg.ping_ms);
    return true;
}

static bool on_answer(struct wire_client *c, const struct wire_frame_in *frame)
{
    switch (frame->type) {
    case CALL_ANSWER:
        if (frame->number == 0 || frame->body.len == 0) return false;
        finish(c, frame->number, QK_OK, frame->body);
        return true;
    case CALL_PONG:
        return frame->number == 0 && frame->body.len == 0;
    case CALL_DROPPED:
    case CALL_BUSY:
        if (frame->number == 0 || frame->body.len != 0) return false;
        finish(c, frame->number, frame->type == CALL_BUSY ? QK_E_BUSY : QK_E_UNEXPECTED,
            qk_bytes(NULL, 0));
        return true;
    default:
        return false;
    }
}

/* c->line is written by this thread alone. */
static bool on_frame(void *ctx, struct wire_line *line, const struct wire_frame_in *frame)
{
    struct wire_client *c = ctx;
    (void)line;
    bool ok = c->line == NULL ? came_up(c, frame) : on_answer(c, frame);
    if (!ok) qk_log(QK_WARN, "wire.call.garbage", QK_F_STR("url", c->url));
    return ok;
}

static void on_ready(void *ctx, struct wire_line *line, uint16_t tag)
{
    (void)ctx; /* not up before the node knows us, too */
    (void)line;
    (void)tag;
}

static void on_closed(void *ctx, struct wire_line *line)
{
    struct wire_client *c = ctx;
    (void)pthread_mutex_lock(&c->lock);
    bool was_up = c->line != NULL;
    c->line = NULL;
    (void)pthread_mutex_unlock(&c->lock);
    c->dialled = NULL;
    wire_line_drop(line);
    plan_dial(c, was_up ? wire_ms_since(c->up_since_ms, qk_mono_ms()) : 0);
    if (was_up) tell(c, false);
    end_due(c, WIRE_NEVER, QK_E_IO);
}

/* ---- attempts to connect ---- */

static void give_up(struct wire_client *c)
{
    wire_lookup_free(c->lookup);
    c->lookup = NULL;
    if (c->dialled != NULL)
        wire_line_close(c->dialled); /* plans the next */
    else
        plan_dial(c, 0);
}

static void connect_found(struct wire_client *c)
{
    const struct wire_line_owner owner = {c, on_ready, on_frame, on_closed};
    int fd;
    qk_err err = wire_lookup_connect(&fd, c->lookup, c->turn++);
    if (err == QK_OK) err = wire_line_new(&c->dialled, fd, c->tls, false, &owner);
    wire_lookup_free(c->lookup);
    c->lookup = NULL;
    if (err != QK_OK) plan_dial(c, 0);
}

static void go_on_dialling(struct wire_client *c, uint64_t now)
{
    if (c->lookup == NULL && c->dialled == NULL) {
        if (now < c->dial_at_ms) return;
        c->deadline_ms = now + c->cfg.handshake_ms;
        if (wire_lookup_start(&c->lookup, &c->address) != QK_OK) {
            plan_dial(c, 0);
            return;
        }
    }
    if (now >= c->deadline_ms)
        give_up(c);
    else if (c->lookup != NULL && wire_lookup_done(c->lookup))
        connect_found(c);
}

/* ---- looking around ---- */

static void look_alive(struct wire_client *c, uint64_t now)
{
    uint64_t heard = wire_line_heard_ms(c->dialled);
    if (c->pinging && heard >= c->pinged_ms) c->pinging = false;
    if (c->pinging && now >= c->pinged_ms + c->cfg.dead_after_ms) {
        qk_log(QK_WARN, "wire.call.frozen", QK_F_STR("url", c->url));
        wire_line_close(c->dialled);
    } else if (!c->pinging && now >= heard + c->cfg.ping_ms) {
        c->pinging = true;
        c->pinged_ms = now;
        wire_line_tell(c->dialled, CALL_PING, 0, qk_bytes(NULL, 0));
    }
}

static uint64_t next_look(const struct wire_client *c, uint64_t now)
{
    if (c->line != NULL)
        return c->pinging ? c->pinged_ms + c->cfg.dead_after_ms
                          : wire_line_heard_ms(c->dialled) + c->cfg.ping_ms;
    if (c->dialled != NULL) return c->deadline_ms;
    return c->lookup != NULL ? now + LOOKUP_MS : c->dial_at_ms;
}

static void on_alarm(void *ctx, uint64_t now)
{
    struct wire_client *c = ctx;
    end_due(c, now, QK_E_TIMEOUT);
    if (c->line != NULL)
        look_alive(c, now);
    else
        go_on_dialling(c, now);
    (void)pthread_mutex_lock(&c->lock);
    uint64_t first = c->first_ms;
    (void)pthread_mutex_unlock(&c->lock);
    uint64_t look = next_look(c, now);
    uint64_t due = first < look ? first : look;
    wire_alarm_set(&c->alarm, due > now ? due : now + 1);
}

/* ---- life ---- */

static void preset(unsigned *v, unsigned value)
{
    if (*v == 0) *v = value;
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
    c->backoff_ms = c->cfg.reconnect_min_ms;
    QK_ENSURE(strlen(config->url) < sizeof c->url, QK_E_STATE);
    memcpy(c->url, config->url, strlen(config->url) + 1);
    QK_TRY(wire_address_parse(&c->address, c->url));
    QK_TRY(wire_key_from_cert(&c->server_key, config->server_cert));
    c->server_cert = malloc(config->server_cert.len);
    QK_ENSURE(c->server_cert != NULL, QK_E_NOMEM);
    memcpy(c->server_cert, config->server_cert.p, config->server_cert.len);
    c->cfg.server_cert.p = c->server_cert;
    return QK_OK;
}

static qk_err client_open(struct wire_client *c)
{
    struct wire_tls_pin pin = {.key = c->server_key, .cert = c->cfg.server_cert};
    QK_TRY(call_slots_init(&c->calls, c->cfg.max_calls));
    QK_TRY(tls_pins_copy(&c->pins, &pin, 1));
    c->tls = tls_ctx_new(&c->pins, c->cfg.identity);
    QK_ENSURE(c->tls != NULL, QK_E_CRYPTO);
    QK_TRY(wire_loop_hold());
    c->on_loop = true;
    c->first_ms = WIRE_NEVER;
    c->alarm = (struct wire_alarm){.fn = on_alarm, .ctx = c, .due_ms = 0}; /* dial now */
    wire_alarm_add(&c->alarm);
    return QK_OK;
}

qk_err wire_client_new(struct wire_client **out, const struct wire_client_config *config)
{
    QK_ENSURE(config->url != NULL && config->identity != NULL, QK_E_STATE);
    struct wire_client *c = calloc(1, sizeof *c);
    QK_ENSURE(c != NULL, QK_E_NOMEM);
    (void)pthread_mutex_init(&c->lock, NULL);
    qk_err err = copy_config(c, config);
    if (err == QK_OK) err = client_open(c);
    if (err != QK_OK)
        wire_client_free(c);
    else
        *out = c;
    return err;
}

static void shut(void *ctx)
{
    struct wire_client *c = ctx;
    if (c->dialled != NULL) wire_line_close(c->dialled);
    wire_lookup_free(c->lookup);
    wire_alarm_remove(&c->alarm);
}

void wire_client_free(struct wire_client *c)
{
    if (c == NULL) return;
    (void)pthread_mutex_lock(&c->lock);
    c->closing = true;
    (void)pthread_mutex_unlock(&c->lock);
    if (c->on_loop) {
        wire_loop_run(shut, c);
        wire_loop_release();
    }
    SSL_CTX_free(c->tls);
    wire_key_free(c->server_key);
    (void)pthread_mutex_destroy(&c->lock);
    free(c->server_cert);
    call_slots_wipe(&c->calls);
    free(c);
}

bool wire_client_up(struct wire_client *c)
{
    (void)pthread_mutex_lock(&c->lock);
    bool up = c->line != NULL;
    (void)pthread_mutex_unlock(&c->lock);
    return up;
}
