/* Bundles: strict frames; each call gets its own answer, whatever becomes of its neighbours. */
#include "qktest/qktest.h"
#include "wiretest.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include "wire/bundle.h"

enum { CALLS = 300 };

QK_TEST(bundle, frames_are_read_as_they_were_written_and_nothing_else_is)
{
    struct qk_bytes in[3] = {qk_str("one"), qk_str(""), qk_str("three")}, out[WIRE_BUNDLE_MAX];
    QK_AUTO_BUF b = QK_BUF(4096);
    size_t n = 0;
    wire_bundle_encode(&b, in, 3);
    qk_assert_ok(b.err);
    cr_assert(wire_bundle_is(qk_buf_view(&b)));
    qk_assert_ok(wire_bundle_decode(qk_buf_view(&b), out, &n));
    cr_assert_eq(n, 3);
    for (size_t i = 0; i < 3; i++) cr_assert(qk_bytes_eq(in[i], out[i]));
    for (size_t len = 0; len < b.len; len++)
        qk_assert_err(wire_bundle_decode(qk_bytes(b.p, len), out, &n), QK_E_MALFORMED);
    qk_buf_add_u8(&b, 0);
    qk_assert_err(wire_bundle_decode(qk_buf_view(&b), out, &n), QK_E_MALFORMED);

    struct qk_bytes many[WIRE_BUNDLE_MAX + 1];
    for (size_t i = 0; i <= WIRE_BUNDLE_MAX; i++) many[i] = qk_str("x");
    QK_AUTO_BUF full = QK_BUF(4096);
    wire_bundle_encode(&full, many, WIRE_BUNDLE_MAX);
    qk_assert_ok(wire_bundle_decode(qk_buf_view(&full), out, &n));
    QK_AUTO_BUF over = QK_BUF(4096);
    wire_bundle_encode(&over, many, WIRE_BUNDLE_MAX + 1);
    qk_assert_err(wire_bundle_decode(qk_buf_view(&over), out, &n), QK_E_MALFORMED);
    QK_AUTO_BUF none = QK_BUF(4096);
    wire_bundle_encode(&none, many, 0);
    qk_assert_err(wire_bundle_decode(qk_buf_view(&none), out, &n), QK_E_MALFORMED);

    struct wire_call call = {.kind = WIRE_CALL_STATUS};
    QK_AUTO_BUF alone = QK_BUF(4096);
    wire_call_encode(&alone, &call);
    cr_assert(!wire_bundle_is(qk_buf_view(&alone)), "a call is no bundle");
}

/* Answers a bundle item by item: its bytes again, nothing to those that begin with '-'; one with a
 * '!' spoils the whole answer, one with an 'n' leaves an answer out. */
static void echo(
    void *ctx, const struct wire_caller *caller, struct qk_bytes bytes, struct wire_reply *reply)
{
    struct qk_bytes items[WIRE_BUNDLE_MAX];
    size_t n = 1;
    atomic_uint *frames = ctx;
    (void)caller;
    atomic_fetch_add(frames, 1);
    wt_sleep_ms(20); /* others gather meanwhile */
    if (!wire_bundle_is(bytes)) {
        qk_assert_ok(wire_reply_send(reply, bytes));
        return;
    }
    qk_assert_ok(wire_bundle_decode(bytes, items, &n));
    QK_AUTO_BUF out = QK_BUF(WIRE_CALL_MAX);
    bool spoil = false, shorten = false;
    for (size_t i = 0; i < n; i++) {
        spoil = spoil || items[i].p[0] == '!';
        shorten = shorten || items[i].p[0] == 'n';
        if (items[i].p[0] == '-') items[i].len = 0;
    }
    wire_bundle_encode(&out, items, n - (shorten && n > 1));
    if (spoil) qk_buf_add_u8(&out, 0);
    qk_assert_ok(wire_reply_send(reply, qk_buf_view(&out)));
}

struct asked {
    char text[32];
    atomic_int err; /* -1: not yet */
    bool right;
};

static void on_answer(void *ctx, qk_err err, struct qk_bytes bytes)
{
    struct asked *a = ctx;
    a->right = err == QK_OK && qk_bytes_is(bytes, a->text);
    atomic_store(&a->err, (int)err);
}

struct room {
    struct wt_world w;
    atomic_uint frames;
    struct wire_server *server;
    struct wire_client *client;
    struct wire_bundler *bundler;
    struct asked asked[CALLS];
};

static bool is_up(void *client)
{
    return wire_client_up(client);
}

static struct room *room_new(void)
{
    struct room *r = calloc(1, sizeof *r);
    char url[64];
    wt_world_init(&r->w);
    (void)snprintf(url, sizeof url, "tls+tcp://127.0.0.1:%u", r->w.call_ports[0]);
    struct wire_server_config server = {.listen = url,
        .identity = r->w.nodes[0],
        .cluster = r->w.cluster,
        .handler = echo,
        .ctx = &r->frames};
    struct wire_client_config client = {.url = url,
        .identity = r->w.coordinator,
        .server_cert = wire_identity_cert(r->w.nodes[0]),
        .reconnect_min_ms = 20};
    qk_assert_ok(wire_server_new(&r->server, &server));
    qk_assert_ok(wire_client_new(&r->client, &client));
    qk_assert_ok(wire_bundler_new(&r->bundler, r->client, 2));
    cr_assert(wt_until(is_up, r->client));
    return r;
}

static void room_free(struct room *r)
{
    wire_bundler_stop(r->bundler);
    wire_client_free(r->client);
    wire_bundler_free(r->bundler);
    wire_server_free(r->server);
    wt_world_free(&r->w);
    free(r);
}

static bool all_answered(void *arg)
{
    struct room *r = arg;
    for (size_t i = 0; i < CALLS; i++)
        if (r->asked[i].text[0] != 0 && atomic_load(&r->asked[i].err) < 0) return false;
    return true;
}

static void ask(struct room *r, size_t n, const char *(*mark)(size_t i))
{
    for (size_t i = 0; i < n; i++) {
        struct asked *a = &r->asked[i];
        atomic_store(&a->err, -1);
        (void)snprintf(a->text, sizeof a->text, "%s%zu", mark(i), i);
        qk_assert_ok(wire_bundler_call(r->bundler, qk_str(a->text), 60000, on_answer, a));
    }
    cr_assert(wt_until(all_answered, r));
}

static const char *plain(size_t i)
{
    (void)i;
    return "+";
}

QK_TEST(bundle, calls_that_wait_together_travel_together_and_each_gets_its_answer)
{
    struct room *r = room_new();
    ask(r, CALLS, plain);
    for (size_t i = 0; i < CALLS; i++) cr_assert(r->asked[i].right, "call %zu", i);
    cr_assert(atomic_load(&r->frames) < CALLS / 10, "%u frames", atomic_load(&r->frames));
    room_free(r);
}

static const char *every_fifth_is_dropped(size_t i)
{
    return i % 5 == 4 ? "-" : "+";
}

QK_TEST(bundle, a_call_without_an_answer_does_not_take_its_neighbours_along)
{
    struct room *r = room_new();
    ask(r, 100, every_fifth_is_dropped);
    for (size_t i = 0; i < 100; i++) {
        struct asked *a = &r->asked[i];
        if (i % 5 == 4)
            cr_assert(a->right || atomic_load(&a->err) == QK_E_UNEXPECTED, "call %zu", i);
        else
            cr_assert(a->right, "call %zu", i);
    }
    cr_assert_eq(atomic_load(&r->asked[99].err), QK_E_UNEXPECTED, "it went in a bundle");
    room_free(r);
}

static const char *one_spoils(size_t i)
{
    return i == 90 ? "!" : "+";
}

static const char *one_is_left_out(size_t i)
{
    return i == 90 ? "n" : "+";
}

QK_TEST(bundle, a_bundle_answered_wrongly_fails_as_a_whole)
{
    struct room *r = room_new();
    ask(r, 100, one_spoils);
    cr_assert_eq(atomic_load(&r->asked[90].err), QK_E_MALFORMED);
    cr_assert_eq(atomic_load(&r->asked[91].err), QK_E_MALFORMED);
    cr_assert(r->asked[0].right);
    ask(r, 100, one_is_left_out);
    cr_assert_eq(atomic_load(&r->asked[91].err), QK_E_MALFORMED);
    room_free(r);
}

QK_TEST(bundle, calls_that_wait_end_when_the_link_goes)
{
    struct room *r = room_new();
    for (size_t i = 0; i < CALLS; i++) {
        struct asked *a = &r->asked[i];
        atomic_store(&a->err, -1);
        (void)snprintf(a->text, sizeof a->text, "+%zu", i);
        qk_assert_ok(wire_bundler_call(r->bundler, qk_str(a->text), 60000, on_answer, a));
    }
    wire_server_free(r->server);
    r->server = NULL;
    cr_assert(wt_until(all_answered, r));
    uint8_t big[WIRE_BUNDLE_CALL_BYTES + 1] = {1};
    qk_assert_err(wire_bundler_call(r->bundler, QK_BYTES(big), 1000, on_answer, &r->asked[0]),
        QK_E_TOO_LARGE);
    room_free(r);
}
