#include "call_priv.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include "qk/clock.h"
#include "qk/log.h"

enum {
    SHARE = 16,           /* a caller's own share is this part of max_calls, or one call */
    LINES_OF_CALLER = 64, /* at once; more are turned away */
    ACCEPTS = 16,         /* in one turn of the loop */
    TICK_MS = 1000,
    RETRY_MS = 100, /* to accept again after the system could not */
};

/* One line; the loop's thread. */
struct conn {
    struct conn *next, **at;
    struct wire_server *server;
    struct wire_line *line;
    bool known;           /* who it is; until then it counts as pending */
    uint16_t tag;         /* who */
    uint64_t deadline_ms; /* to become known */
};

/* A call that is handled. */
struct wire_reply {
    struct wire_server *server;
    struct wire_line *line; /* ours */
    uint32_t number;
    uint16_t tag;
};

struct wire_server {
    struct wire_source source; /* the listening socket; first member */
    struct wire_server_config cfg;
    struct tls_pins pins;
    SSL_CTX *tls;
    bool on_loop;
    size_t n_callers;
    struct wire_caller callers[WIRE_TLS_PINS_MAX]; /* tags of pins are indices into this */
    unsigned share; /* calls that a caller has taken even when others hold all the rest */

    /* the loop's thread */
    int listen_fd;
    struct wire_alarm alarm;
    bool deaf; /* the listening socket is not watched for a while */
    struct conn *conns;
    unsigned n_pending, n_lines_of[WIRE_TLS_PINS_MAX];

    pthread_mutex_t lock; /* everything below */
    pthread_cond_t given_back;
    bool closing;
    unsigned n_handling, n_handling_of[WIRE_TLS_PINS_MAX]; /* in all; of each caller */
};

/* ---- replies ---- */

/* One caller may use all of max_calls, but not so that another is left with nothing. */
static bool begin_handling(struct wire_server *s, uint16_t tag)
{
    (void)pthread_mutex_lock(&s->lock);
    bool ok = !s->closing && (s->n_handling < s->cfg.max_calls || s->n_handling_of[tag] < s->share);
    if (ok) {
        s->n_handling++;
        s->n_handling_of[tag]++;
    }
    (void)pthread_mutex_unlock(&s->lock);
    return ok;
}

static void end_handling(struct wire_server *s, uint16_t tag)
{
    (void)pthread_mutex_lock(&s->lock);
    s->n_handling_of[tag]--;
    if (--s->n_handling == 0) (void)pthread_cond_broadcast(&s->given_back);
    (void)pthread_mutex_unlock(&s->lock);
}

/* The place is given back before the answer leaves: its caller may call again at once. From then on
 * the server may be gone; the line is not. */
static qk_err give_back(struct wire_reply *reply, uint8_t type, struct qk_bytes body)
{
    struct wire_line *line = reply->line;
    uint32_t number = reply->number;
    end_handling(reply->server, reply->tag);
    free(reply);
    qk_err err = wire_line_send(line, type, number, body);
    if (err != QK_OK && err != QK_E_IO)
        wire_line_tell(line, CALL_DROPPED, number, qk_bytes(NULL, 0));
    wire_line_drop(line);
    return err == QK_OK || err == QK_E_IO ? QK_OK : QK_E_NOMEM;
}

qk_err wire_reply_send(struct wire_reply *reply, struct qk_bytes bytes)
{
    qk_err err = QK_OK;
    if (bytes.len == 0) err = QK_E_STATE;
    if (bytes.len > WIRE_CALL_FRAME_MAX) err = QK_E_TOO_LARGE;
    if (err == QK_OK) return give_back(reply, CALL_ANSWER, bytes);
    wire_reply_drop(reply);
    return err;
}

void wire_reply_drop(struct wire_reply *reply)
{
    (void)give_back(reply, CALL_DROPPED, qk_bytes(NULL, 0));
}

/* ---- lines ---- */

static void on_request(struct conn *c, const struct wire_frame_in *frame)
{
    struct wire_server *s = c->server;
    struct wire_reply *reply = begin_handling(s, c->tag) ? malloc(sizeof *reply) : NULL;
    if (reply == NULL) {
        wire_line_tell(c->line, CALL_BUSY, frame->number, qk_bytes(NULL, 0));
        return;
    }
    wire_line_hold(c->line);
    *reply = (struct wire_reply){s, c->line, frame->number, c->tag};
    s->cfg.handler(s->cfg.ctx, &s->callers[c->tag], frame->body, reply);
}

static bool on_frame(void *ctx, struct wire_line *line, const struct wire_frame_in *frame)
{
    struct conn *c = ctx;
    bool ping = frame->type == CALL_PING && frame->number == 0 && frame->body.len == 0;
    bool call = frame->type == CALL_REQUEST && frame->number != 0 && frame->body.len >= 1;
    if (ping) wire_line_tell(line, CALL_PONG, 0, qk_bytes(NULL, 0));
    if (call) on_request(c, frame);
    if (!ping && !call)
        qk_log(QK_WARN, "wire.call.garbage", QK_F_STR("caller", c->server->callers[c->tag].name));
    return ping || call;
}

static void on_ready(void *ctx, struct wire_line *line, uint16_t tag)
{
    static const uint8_t welcome[CALL_WELCOME_LEN] = CALL_MAGIC "\0\1";
    struct conn *c = ctx;
    struct wire_server *s = c->server;
    if (tag >= s->n_callers || s->n_lines_of[tag] >= LINES_OF_CALLER) {
        qk_log(QK_WARN, "wire.call.crowded", QK_F_INT("caller", tag));
        wire_line_close(line);
        return;
    }
    c->known = true;
    c->tag = tag;
    s->n_pending--;
    s->n_lines_of[tag]++;
    wire_line_tell(line, CALL_WELCOME, 0, QK_BYTES(welcome));
}

static void on_closed(void *ctx, struct wire_line *line)
{
    struct conn *c = ctx;
    if (wire_line_refused(line)) qk_log(QK_DEBUG, "wire.call.refused");
    if (c->known)
        c->server->n_lines_of[c->tag]--;
    else
        c->server->n_pending--;
    *c->at = c->next;
    if (c->next != NULL) c->next->at = c->at;
    wire_line_drop(line);
    free(c);
}

static void take_in(struct wire_server *s, int fd)
{
    struct conn *c = s->n_pending < WIRE_TLS_PENDING_MAX ? malloc(sizeof *c) : NULL;
    if (c == NULL) {
        (void)close(fd);
        return;
    }
    const struct wire_line_owner owner = {c, on_ready, on_frame, on_closed};
    *c = (struct conn){
        .server = s, .deadline_ms = qk_mono_ms() + s->cfg.handshake_ms, .at = &s->conns};
    if (wire_line_new(&c->line, fd, s->tls, true, &owner) != QK_OK) {
        free(c);
        return;
    }
    c->next = s->conns;
    if (c->next != NULL) c->next->at = &c->next;
    s->conns = c;
    s->n_pending++;
    wire_alarm_set(&s->alarm, qk_mono_ms() + TICK_MS);
}

/* The system has no descriptor or memory to spare. A socket that stays ready would keep the loop
 * spinning. */
static void turn_deaf(struct wire_server *s)
{
    qk_log(QK_WARN, "wire.call.accept", QK_F_STR("why", "out of descriptors or memory"));
    s->deaf = true;
    wire_loop_rewatch(s->listen_fd, &s->source, 0);
    wire_alarm_set(&s->alarm, qk_mono_ms() + RETRY_MS);
}

static void on_arrival(struct wire_source *source, uint32_t events)
{
    struct wire_server *s = (struct wire_server *)source; /* its first member */
    (void)events;
    for (unsigned i = 0; i < ACCEPTS && !s->deaf; i++) {
        int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0)
            take_in(s, fd);
        else if (errno == EAGAIN)
            return;
        else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            turn_deaf(s);
    }
}

/* Who has not come through, and who does not read. */
static void look_after(struct conn *c, uint64_t now)
{
    bool late = !c->known && now >= c->deadline_ms;
    bool stuck = wire_line_stuck(c->line, now, c->server->cfg.send_ms);
    if (stuck && c->known)
        qk_log(QK_WARN, "wire.call.slow", QK_F_STR("caller", c->server->callers[c->tag].name));
    if (late || stuck) wire_line_close(c->line);
}

static void on_alarm(void *ctx, uint64_t now)
{
    struct wire_server *s = ctx;
    if (s->deaf) {
        s->deaf = false;
        wire_loop_rewatch(s->listen_fd, &s->source, EPOLLIN);
    }
    for (struct conn *c = s->conns, *next; c != NULL; c = next) {
        next = c->next;
        look_after(c, now);
    }
    if (s->conns != NULL) wire_alarm_set(&s->alarm, now + TICK_MS);
}

/* ---- life ---- */

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

static qk_err server_open(struct wire_server *s)
{
    struct wire_address address;
    struct wire_tls_pin pins[WIRE_TLS_PINS_MAX];
    QK_ENSURE(wire_address_parse(&address, s->cfg.listen) == QK_OK, QK_E_IO);
    add_callers(s, pins);
    QK_TRY(tls_pins_copy(&s->pins, pins, s->n_callers));
    s->tls = tls_ctx_new(&s->pins, s->cfg.identity);
    QK_ENSURE(s->tls != NULL, QK_E_CRYPTO);
    QK_TRY(wire_loop_hold());
    s->on_loop = true;
    QK_TRY(wire_address_listen(&s->listen_fd, &address));
    s->source.on_event = on_arrival;
    s->alarm = (struct wire_alarm){.fn = on_alarm, .ctx = s, .due_ms = WIRE_NEVER};
    wire_alarm_add(&s->alarm);
    return wire_loop_watch(s->listen_fd, &s->source, EPOLLIN);
}

qk_err wire_server_new(struct wire_server **out, const struct wire_server_config *config)
{
    QK_ENSURE(config->listen != NULL && config->identity != NULL, QK_E_STATE);
    QK_ENSURE(config->cluster != NULL && config->handler != NULL, QK_E_STATE);
    struct wire_server *s = calloc(1, sizeof *s);
    QK_ENSURE(s != NULL, QK_E_NOMEM);
    s->cfg = *config;
    s->listen_fd = -1;
    if (s->cfg.max_calls == 0) s->cfg.max_calls = WIRE_CALLS_IN_FLIGHT;
    s->share = s->cfg.max_calls >= 2 * SHARE ? s->cfg.max_calls / SHARE : 1;
    if (s->cfg.handshake_ms == 0) s->cfg.handshake_ms = 5000;
    if (s->cfg.send_ms == 0) s->cfg.send_ms = 10000;
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_cond_init(&s->given_back, NULL);
    qk_err err = server_open(s);
    if (err != QK_OK)
        wire_server_free(s);
    else
        *out = s;
    return err;
}

static void shut(void *ctx)
{
    struct wire_server *s = ctx;
    wire_alarm_remove(&s->alarm);
    if (s->listen_fd >= 0) {
        wire_loop_unwatch(s->listen_fd);
        (void)close(s->listen_fd);
    }
    while (s->conns != NULL) wire_line_close(s->conns->line);
}

void wire_server_free(struct wire_server *s)
{
    if (s == NULL) return;
    (void)pthread_mutex_lock(&s->lock);
    s->closing = true;
    (void)pthread_mutex_unlock(&s->lock);
    if (s->on_loop) wire_loop_run(shut, s);
    (void)pthread_mutex_lock(&s->lock);
    while (s->n_handling > 0) (void)pthread_cond_wait(&s->given_back, &s->lock);
    (void)pthread_mutex_unlock(&s->lock);
    if (s->on_loop) wire_loop_release();
    SSL_CTX_free(s->tls);
    (void)pthread_cond_destroy(&s->given_back);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}
