/* Calls: many in flight, never sent twice, never hanging. */
#include "qktest/qktest.h"
#include "wiretest.h"

#include <stdio.h>
#include <stdlib.h>

enum { CALLS = 64 };

/* A server that keeps requests until the test answers, or echoes at once. */
struct desk {
    pthread_mutex_t lock;
    bool echo;
    unsigned n_seen, n_held;
    struct wire_reply *held[CALLS];
    uint8_t first[CALLS]; /* first byte of each held request */
    struct wire_caller caller;
};

static void on_call(
    void *ctx, const struct wire_caller *caller, struct qk_bytes bytes, struct wire_reply *reply)
{
    struct desk *d = ctx;
    (void)pthread_mutex_lock(&d->lock);
    d->n_seen++;
    d->caller = *caller;
    bool echo = d->echo;
    if (!echo) {
        d->first[d->n_held] = bytes.p[0];
        d->held[d->n_held++] = reply;
    }
    (void)pthread_mutex_unlock(&d->lock);
    if (echo) qk_assert_ok(wire_reply_send(reply, bytes));
}

static unsigned seen(struct desk *d)
{
    (void)pthread_mutex_lock(&d->lock);
    unsigned n = d->n_seen;
    (void)pthread_mutex_unlock(&d->lock);
    return n;
}

/* What became of calls. */
struct results {
    pthread_mutex_t lock;
    unsigned n, by_err[600];
    size_t last_len;
    uint8_t order[CALLS * 2]; /* first byte of each answer, as they came */
};

static void on_answer(void *ctx, qk_err err, struct qk_bytes bytes)
{
    struct results *r = ctx;
    (void)pthread_mutex_lock(&r->lock);
    if (err == QK_OK) r->order[r->by_err[QK_OK] % sizeof r->order] = bytes.p[0];
    r->by_err[err]++;
    r->last_len = bytes.len;
    r->n++;
    (void)pthread_mutex_unlock(&r->lock);
}

struct wait {
    struct results *r;
    unsigned n;
};

static bool have_results(void *arg)
{
    struct wait *w = arg;
    (void)pthread_mutex_lock(&w->r->lock);
    bool ok = w->r->n >= w->n;
    (void)pthread_mutex_unlock(&w->r->lock);
    return ok;
}

static bool wait_results(struct results *r, unsigned n)
{
    struct wait w = {r, n};
    return wt_until(have_results, &w);
}

static bool is_up(void *client)
{
    return wire_client_up(client);
}
static bool is_down(void *client)
{
    return !wire_client_up(client);
}

struct room {
    struct wt_world w;
    struct desk desk;
    struct results results;
    struct wire_server *server;
    struct wire_client *client;
};

static struct wire_server *serve(struct room *r, unsigned max_calls)
{
    char url[64];
    (void)snprintf(url, sizeof url, "tls+tcp://127.0.0.1:%u", r->w.call_ports[0]);
    struct wire_server_config cfg = {.listen = url,
        .identity = r->w.nodes[0],
        .cluster = r->w.cluster,
        .max_calls = max_calls,
        .handshake_ms = 1000,
        .handler = on_call,
        .ctx = &r->desk};
    struct wire_server *s = NULL;
    qk_assert_ok(wire_server_new(&s, &cfg));
    return s;
}

static struct wire_client *dial(
    struct room *r, const struct wire_identity *who, uint16_t port, const struct wire_identity *to)
{
    char url[64];
    (void)snprintf(url, sizeof url, "tls+tcp://127.0.0.1:%u", port);
    struct wire_client_config cfg = {.url = url,
        .identity = who,
        .server_cert = wire_identity_cert(to),
        .ping_ms = 100,
        .dead_after_ms = 1000,
        .handshake_ms = 1000,
        .reconnect_min_ms = 20,
        .reconnect_max_ms = 200};
    struct wire_client *c = NULL;
    qk_assert_ok(wire_client_new(&c, &cfg));
    (void)r;
    return c;
}

static void open_room(struct room *r, unsigned max_calls)
{
    memset(r, 0, sizeof *r);
    (void)pthread_mutex_init(&r->desk.lock, NULL);
    (void)pthread_mutex_init(&r->results.lock, NULL);
    wt_world_init(&r->w);
    r->server = serve(r, max_calls);
    r->client = dial(r, r->w.coordinator, r->w.call_ports[0], r->w.nodes[0]);
    cr_assert(wt_until(is_up, r->client));
}

static void close_room(struct room *r)
{
    wire_client_free(r->client);
    wire_server_free(r->server);
    wt_world_free(&r->w);
}

static bool desk_is_full(void *arg)
{
    struct desk *d = arg;
    (void)pthread_mutex_lock(&d->lock);
    bool full = d->n_held == CALLS;
    (void)pthread_mutex_unlock(&d->lock);
    return full;
}

QK_TEST(call, sixty_four_in_flight_are_answered_in_any_order)
{
    struct room r;
    open_room(&r, 0);
    for (unsigned i = 0; i < CALLS; i++) {
        uint8_t b = (uint8_t)i;
        qk_assert_ok(wire_client_call(r.client, qk_bytes(&b, 1), 60000, on_answer, &r.results));
    }
    uint8_t more = 0;
    qk_assert_err(
        wire_client_call(r.client, qk_bytes(&more, 1), 60000, on_answer, &r.results), QK_E_BUSY);
    cr_assert(wt_until(desk_is_full, &r.desk), "all are with the server at once");
    uint8_t wanted[CALLS];
    for (unsigned i = 0; i < CALLS; i++) { /* backwards: the last request first */
        wanted[i] = r.desk.first[CALLS - 1 - i];
        qk_assert_ok(wire_reply_send(r.desk.held[CALLS - 1 - i], qk_bytes(&wanted[i], 1)));
        cr_assert(wait_results(&r.results, i + 1));
    }
    cr_assert_eq(r.results.by_err[QK_OK], CALLS);
    cr_assert_eq(memcmp(r.results.order, wanted, CALLS), 0, "each answer came as it was given");
    close_room(&r);
}

QK_TEST(call, caller_is_the_one_that_tls_proved)
{
    struct room r;
    open_room(&r, 0);
    r.desk.echo = true;
    qk_assert_ok(wire_client_call(r.client, qk_str("x"), 60000, on_answer, &r.results));
    cr_assert(wait_results(&r.results, 1));
    cr_assert_eq(r.desk.caller.kind, WIRE_CALLER_COORDINATOR);
    cr_assert_str_eq(r.desk.caller.name, "alpha");

    struct wire_client *op = dial(&r, r.w.operator_, r.w.call_ports[0], r.w.nodes[0]);
    cr_assert(wt_until(is_up, op));
    qk_assert_ok(wire_client_call(op, qk_str("x"), 60000, on_answer, &r.results));
    cr_assert(wait_results(&r.results, 2));
    cr_assert_eq(r.desk.caller.kind, WIRE_CALLER_OPERATOR);
    cr_assert_str_eq(r.desk.caller.name, "alice");
    wire_client_free(op);

    struct wire_client *node = dial(&r, r.w.nodes[2], r.w.call_ports[0], r.w.nodes[0]);
    cr_assert(wt_until(is_up, node));
    qk_assert_ok(wire_client_call(node, qk_str("x"), 60000, on_answer, &r.results));
    cr_assert(wait_results(&r.results, 3));
    cr_assert_eq(r.desk.caller.kind, WIRE_CALLER_NODE);
    cr_assert_eq(r.desk.caller.node, 3);
    wire_client_free(node);
    cr_assert_eq(r.results.by_err[QK_OK], 3);
    close_room(&r);
}

QK_TEST(call, strangers_get_no_link_and_wrong_servers_are_not_believed)
{
    struct room r;
    open_room(&r, 0);
    struct wire_client *rogue = dial(&r, r.w.rogue, r.w.call_ports[0], r.w.nodes[0]);
    struct wire_client *fooled = dial(&r, r.w.coordinator, r.w.call_ports[0], r.w.nodes[1]);
    wt_sleep_ms(1000); /* time for many attempts */
    qk_assert_err(
        wire_client_call(fooled, qk_str("secret"), 60000, on_answer, &r.results), QK_E_IO);
    qk_assert_err(
        wire_client_call(rogue, qk_str("let me in"), 60000, on_answer, &r.results), QK_E_IO);
    wt_sleep_ms(200);
    cr_assert_not(wire_client_up(fooled));
    cr_assert_eq(seen(&r.desk), 0, "nothing of theirs reached the handler");
    wire_client_free(rogue);
    wire_client_free(fooled);
    r.desk.echo = true; /* and the good one still works */
    qk_assert_ok(wire_client_call(r.client, qk_str("x"), 60000, on_answer, &r.results));
    cr_assert(wait_results(&r.results, 1));
    close_room(&r);
}

QK_TEST(call, large_frames_pass_and_larger_are_refused)
{
    struct room r;
    open_room(&r, 0);
    r.desk.echo = true;
    uint8_t *big = malloc(WIRE_CALL_FRAME_MAX + 1);
    cr_assert_not_null(big);
    memset(big, 7, WIRE_CALL_FRAME_MAX + 1);
    qk_assert_err(wire_client_call(r.client, qk_bytes(big, WIRE_CALL_FRAME_MAX + 1), 60000,
                      on_answer, &r.results),
        QK_E_TOO_LARGE);
    qk_assert_err(
        wire_client_call(r.client, qk_bytes(big, 0), 60000, on_answer, &r.results), QK_E_STATE);
    qk_assert_err(
        wire_client_call(r.client, qk_bytes(big, 1), 0, on_answer, &r.results), QK_E_STATE);
    qk_assert_ok(wire_client_call(
        r.client, qk_bytes(big, WIRE_CALL_FRAME_MAX), 60000, on_answer, &r.results));
    cr_assert(wait_results(&r.results, 1));
    cr_assert_eq(r.results.by_err[QK_OK], 1);
    cr_assert_eq(r.results.last_len, WIRE_CALL_FRAME_MAX);
    free(big);
    close_room(&r);
}

QK_TEST(call, timeouts_drops_and_overload_have_their_own_codes)
{
    struct room r;
    open_room(&r, 1);
    qk_assert_ok(wire_client_call(r.client, qk_str("late"), 200, on_answer, &r.results));
    cr_assert(wait_results(&r.results, 1));
    cr_assert_eq(r.results.by_err[QK_E_TIMEOUT], 1);
    cr_assert(wire_client_up(r.client), "pings are answered while the server is full");
    qk_assert_ok(wire_client_call(r.client, qk_str("one too many"), 60000, on_answer, &r.results));
    cr_assert(wait_results(&r.results, 2));
    cr_assert_eq(r.results.by_err[QK_E_BUSY], 1, "at once, not queued");
    qk_assert_ok(wire_reply_send(r.desk.held[0], qk_str("nobody waits for this")));
    r.desk.n_held = 0;
    qk_assert_ok(wire_client_call(r.client, qk_str("dropped"), 60000, on_answer, &r.results));
    while (seen(&r.desk) < 2) wt_sleep_ms(1);
    wire_reply_drop(r.desk.held[0]);
    cr_assert(wait_results(&r.results, 3));
    cr_assert_eq(r.results.by_err[QK_E_UNEXPECTED], 1);
    r.desk.echo = true;
    qk_assert_ok(wire_client_call(r.client, qk_str("again"), 60000, on_answer, &r.results));
    cr_assert(wait_results(&r.results, 4));
    cr_assert_eq(r.results.by_err[QK_OK], 1, "the late answer was not taken for this call's");
    close_room(&r);
}

QK_TEST(call, a_caller_that_takes_everything_leaves_the_others_their_share)
{
    struct room r;
    open_room(&r, 2);
    for (unsigned i = 0; i < 2; i++)
        qk_assert_ok(wire_client_call(r.client, qk_str("mine"), 60000, on_answer, &r.results));
    while (seen(&r.desk) < 2) wt_sleep_ms(1);
    qk_assert_ok(wire_client_call(r.client, qk_str("more"), 60000, on_answer, &r.results));
    cr_assert(wait_results(&r.results, 1));
    cr_assert_eq(r.results.by_err[QK_E_BUSY], 1);
    struct wire_client *op = dial(&r, r.w.operator_, r.w.call_ports[0], r.w.nodes[0]);
    cr_assert(wt_until(is_up, op));
    qk_assert_ok(wire_client_call(op, qk_str("too"), 60000, on_answer, &r.results));
    for (unsigned i = 0; i < 30000 && seen(&r.desk) < 3; i++) wt_sleep_ms(1);
    cr_assert_eq(seen(&r.desk), 3, "the operator's call is taken");
    qk_assert_ok(wire_client_call(op, qk_str("again"), 60000, on_answer, &r.results));
    cr_assert(wait_results(&r.results, 2));
    cr_assert_eq(r.results.by_err[QK_E_BUSY], 2, "one, not more");
    for (unsigned i = 0; i < 3; i++) wire_reply_drop(r.desk.held[i]);
    cr_assert(wait_results(&r.results, 5));
    wire_client_free(op);
    close_room(&r);
}

/* A transport that helps itself would send the request again to whoever comes back. */
QK_TEST(call, nothing_is_sent_again_after_the_server_died)
{
    struct room r;
    open_room(&r, 0);
    struct wt_proxy *proxy = wt_proxy_new(r.w.call_ports[0]);
    struct wire_client *c = dial(&r, r.w.coordinator, wt_proxy_port(proxy), r.w.nodes[0]);
    cr_assert(wt_until(is_up, c));
    for (unsigned i = 0; i < 8; i++)
        qk_assert_ok(wire_client_call(c, qk_str("sign"), 60000, on_answer, &r.results));
    while (seen(&r.desk) < 8) wt_sleep_ms(1);
    wt_proxy_free(proxy); /* every line breaks, with all eight under way */
    cr_assert(wait_results(&r.results, 8));
    cr_assert_eq(r.results.by_err[QK_E_IO], 8);
    cr_assert(wt_until(is_down, c));
    qk_assert_err(wire_client_call(c, qk_str("sign"), 60000, on_answer, &r.results), QK_E_IO);
    wire_client_free(c);

    c = dial(&r, r.w.coordinator, r.w.call_ports[0], r.w.nodes[0]);
    struct wire_reply *held[8];
    memcpy(held, r.desk.held, sizeof held);
    for (unsigned i = 0; i < 8; i++) wire_reply_drop(held[i]);
    r.desk.n_held = 0;
    cr_assert(wt_until(is_up, c));
    qk_assert_ok(wire_client_call(c, qk_str("sign"), 60000, on_answer, &r.results));
    while (seen(&r.desk) < 9) wt_sleep_ms(1);
    wire_reply_drop(r.desk.held[0]);
    cr_assert(wait_results(&r.results, 9));

    /* the same client over a real restart of the server */
    qk_assert_ok(wire_client_call(c, qk_str("sign"), 60000, on_answer, &r.results));
    while (seen(&r.desk) < 10) wt_sleep_ms(1);
    wire_reply_drop(r.desk.held[1]);
    cr_assert(wait_results(&r.results, 10));
    wire_server_free(r.server);
    cr_assert(wt_until(is_down, c));
    unsigned before = seen(&r.desk);
    r.server = serve(&r, 0);
    cr_assert(wt_until(is_up, c), "reconnects by itself");
    wt_sleep_ms(300);
    cr_assert_eq(seen(&r.desk), before, "and brings nothing old with it");
    wire_client_free(c);
    close_room(&r);
}

QK_TEST(call, a_frozen_server_is_noticed_and_calls_end)
{
    struct room r;
    open_room(&r, 0);
    r.desk.echo = true;
    struct wt_proxy *proxy = wt_proxy_new(r.w.call_ports[0]);
    struct wire_client *c = dial(&r, r.w.coordinator, wt_proxy_port(proxy), r.w.nodes[0]);
    cr_assert(wt_until(is_up, c));
    wt_proxy_stall(proxy, true); /* connections stay open, nothing moves */
    qk_assert_ok(wire_client_call(c, qk_str("x"), 600000, on_answer, &r.results));
    cr_assert(wait_results(&r.results, 1), "long before its own timeout");
    cr_assert_eq(r.results.by_err[QK_E_IO], 1);
    cr_assert(wt_until(is_down, c));
    wt_proxy_stall(proxy, false);
    cr_assert(wt_until(is_up, c), "back when the server is");
    wire_client_free(c);
    wt_proxy_free(proxy);
    close_room(&r);
}

QK_TEST(call, freeing_the_client_ends_its_calls)
{
    struct room r;
    open_room(&r, 0);
    for (unsigned i = 0; i < 10; i++)
        qk_assert_ok(wire_client_call(r.client, qk_str("x"), 60000, on_answer, &r.results));
    while (seen(&r.desk) < 10) wt_sleep_ms(1);
    wire_client_free(r.client);
    r.client = NULL;
    cr_assert_eq(r.results.by_err[QK_E_IO], 10, "all had ended when free returned");
    for (unsigned i = 0; i < 10; i++) qk_assert_ok(wire_reply_send(r.desk.held[i], qk_str("y")));
    close_room(&r);
}
