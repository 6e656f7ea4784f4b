/* The links of calls under attack, from outside and from a caller or node that has its key. */
#include "qktest/qktest.h"
#include "wiretest.h"
#include "wireraw.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <openssl/ssl.h>
#include "call_priv.h"
#include "identity_priv.h"

/* ---- a node that echoes, and a good caller ---- */

struct site {
    struct wt_world w;
    struct wire_server *server;
    struct wire_client *client;
    atomic_uint seen, answered, lost, other;
    size_t answer_len; /* 0: as long as the request */
};

static void echo(
    void *ctx, const struct wire_caller *caller, struct qk_bytes bytes, struct wire_reply *reply)
{
    struct site *s = ctx;
    (void)caller;
    static uint8_t big[WIRE_CALL_FRAME_MAX];
    atomic_fetch_add(&s->seen, 1);
    qk_err err = wire_reply_send(reply, s->answer_len > 0 ? qk_bytes(big, s->answer_len) : bytes);
    cr_assert(err == QK_OK || err == QK_E_NOMEM);
}

static void on_answer(void *ctx, qk_err err, struct qk_bytes bytes)
{
    struct site *s = ctx;
    (void)bytes;
    atomic_fetch_add(err == QK_OK ? &s->answered : err == QK_E_IO ? &s->lost : &s->other, 1);
}

static struct wire_client *dial(struct site *s, const char *host, uint16_t port)
{
    char url[64];
    (void)snprintf(url, sizeof url, "tls+tcp://%s:%u", host, port);
    struct wire_client_config cfg = {.url = url,
        .identity = s->w.coordinator,
        .server_cert = wire_identity_cert(s->w.nodes[0]),
        .ping_ms = 100,
        .dead_after_ms = 1000,
        .handshake_ms = 5000,
        .reconnect_min_ms = 20,
        .reconnect_max_ms = 50};
    struct wire_client *c = NULL;
    qk_assert_ok(wire_client_new(&c, &cfg));
    return c;
}

static void open_world(struct site *s)
{
    memset(s, 0, sizeof *s);
    (void)signal(SIGPIPE, SIG_IGN); /* OpenSSL's own writes, in wt_raw_write */
    wt_world_init(&s->w);
}

static void open_site(struct site *s, unsigned send_ms)
{
    open_world(s);
    char url[64];
    (void)snprintf(url, sizeof url, "tls+tcp://127.0.0.1:%u", s->w.call_ports[0]);
    struct wire_server_config cfg = {.listen = url,
        .identity = s->w.nodes[0],
        .cluster = s->w.cluster,
        .handshake_ms = 5000,
        .send_ms = send_ms,
        .handler = echo,
        .ctx = s};
    qk_assert_ok(wire_server_new(&s->server, &cfg));
}

static void close_site(struct site *s)
{
    wire_client_free(s->client);
    wire_server_free(s->server);
    wt_world_free(&s->w);
}

static bool is_up(void *client)
{
    return wire_client_up(client);
}

static bool has_answer(void *site)
{
    return atomic_load(&((struct site *)site)->answered) > 0;
}

static bool has_lost(void *site)
{
    return atomic_load(&((struct site *)site)->lost) > 0;
}

/* The test that matters after every attack. */
static void good_caller_is_served(struct site *s)
{
    if (s->client == NULL) s->client = dial(s, "127.0.0.1", s->w.call_ports[0]);
    cr_assert(wt_until(is_up, s->client));
    atomic_store(&s->answered, 0);
    s->answer_len = 0;
    qk_assert_ok(wire_client_call(s->client, qk_str("good"), 60000, on_answer, s));
    cr_assert(wt_until(has_answer, s));
}

static const uint8_t welcome[CALL_WELCOME_LEN] = {'Q', 'K', 'M', 'S', 0, 1};

/* True if the node said welcome. */
static bool raw_call_as(
    struct site *s, struct wt_raw *r, const struct wire_identity *id, int version)
{
    r->fd = wt_connect(s->w.call_ports[0]);
    cr_assert_geq(r->fd, 0);
    wt_raw_setup(r, id, false);
    if (version != 0) (void)SSL_set_max_proto_version(r->ssl, version);
    return SSL_connect(r->ssl) == 1 && wt_reads_frame(r, CALL_WELCOME, 0, QK_BYTES(welcome));
}

static bool lets_in(struct site *s, const struct wire_identity *id, int version)
{
    struct wt_raw r;
    bool in = raw_call_as(s, &r, id, version);
    wt_raw_close(&r);
    return in;
}

static struct wire_identity *twin_of(const struct wire_identity *id)
{
    struct wire_identity *twin;
    qk_assert_ok(wire_identity_generate(&twin, "twin"));
    EVP_PKEY_up_ref(id->pkey);
    EVP_PKEY_free(twin->pkey);
    twin->pkey = id->pkey;
    cr_assert_eq(X509_set_pubkey(twin->x509, id->pkey), 1);
    cr_assert_gt(X509_sign(twin->x509, id->pkey, EVP_sha256()), 0);
    return twin;
}

/* ---- strangers ---- */

QK_TEST(call_hostile, certless_rogue_and_wrong_certificates_are_refused)
{
    struct site s;
    open_site(&s, 0);
    struct wire_identity *twin = twin_of(s.w.coordinator);
    struct wire_identity *operator_twin = twin_of(s.w.operator_);
    cr_expect(lets_in(&s, s.w.coordinator, 0), "the attack itself works: a pinned caller gets in");
    cr_expect_not(lets_in(&s, NULL, 0), "no certificate");
    cr_expect_not(lets_in(&s, s.w.rogue, 0), "a rogue's");
    cr_expect_not(lets_in(&s, s.w.nodes[0], 0), "its own");
    cr_expect_not(lets_in(&s, twin, 0), "right key, other certificate");
    cr_expect(lets_in(&s, operator_twin, 0), "an operator is his key");
    cr_expect_not(lets_in(&s, s.w.coordinator, TLS1_2_VERSION), "TLS 1.2");
    wire_identity_free(twin);
    wire_identity_free(operator_twin);
    good_caller_is_served(&s);
    close_site(&s);
}

QK_TEST(call_hostile, silent_connections_are_cut_in_time)
{
    struct site s;
    open_site(&s, 0);
    int fd[40];
    for (unsigned i = 0; i < QK_COUNT(fd); i++) {
        fd[i] = wt_connect(s.w.call_ports[0]);
        cr_assert_geq(fd[i], 0);
        /* some begin a TLS record and never end it */
        if (i % 3 == 1) cr_assert_eq(send(fd[i], "\x16\x03\x01\x02\x00\x01", 6, MSG_NOSIGNAL), 6);
    }
    for (unsigned i = 0; i < QK_COUNT(fd); i++) {
        cr_assert(wt_closed_by_peer(fd[i]), "connection %u", i);
        (void)close(fd[i]);
    }
    good_caller_is_served(&s);
    close_site(&s);
}

/* At once, not when the time of the handshake is over: this node's lasts for a minute. */
static bool is_closed(int fd)
{
    char byte;
    ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN);
}

static bool one_is_closed(void *arg)
{
    return is_closed(*(int *)arg);
}

QK_TEST(call_hostile, no_more_strangers_are_held_than_the_limit)
{
    struct site s;
    open_world(&s);
    char url[64];
    (void)snprintf(url, sizeof url, "tls+tcp://127.0.0.1:%u", s.w.call_ports[0]);
    struct wire_server_config cfg = {.listen = url,
        .identity = s.w.nodes[0],
        .cluster = s.w.cluster,
        .handshake_ms = 60000,
        .handler = echo,
        .ctx = &s};
    qk_assert_ok(wire_server_new(&s.server, &cfg));
    int fd[WIRE_TLS_PENDING_MAX + 8];
    for (unsigned i = 0; i < QK_COUNT(fd); i++)
        cr_assert_geq(fd[i] = wt_connect(s.w.call_ports[0]), 0);
    cr_assert(wt_until(one_is_closed, &fd[QK_COUNT(fd) - 1]), "the last is turned away");
    unsigned open = 0;
    for (unsigned i = 0; i < QK_COUNT(fd); i++) open += !is_closed(fd[i]);
    cr_assert_eq(open, WIRE_TLS_PENDING_MAX);
    for (unsigned i = 0; i < QK_COUNT(fd); i++) (void)close(fd[i]);
    good_caller_is_served(&s);
    close_site(&s);
}

QK_TEST(call_hostile, hanging_up_at_any_point_of_the_handshake_hurts_nobody)
{
    struct site s;
    open_site(&s, 0);
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    (void)SSL_connect(ssl);
    char *hello;
    long len = BIO_get_mem_data(SSL_get_wbio(ssl), &hello);
    cr_assert_gt(len, 100);
    for (unsigned i = 0; i < 600; i++) {
        int fd = wt_connect(s.w.call_ports[0]);
        cr_assert_geq(fd, 0);
        size_t n = i % 2 ? (size_t)len : (size_t)len * (i % 7) / 7;
        (void)send(fd, hello, n, MSG_NOSIGNAL);
        if (i % 5 == 0) (void)shutdown(fd, SHUT_WR);
        if (i % 3 == 0) wt_sleep_ms(1);
        struct linger hard = {1, 0};
        if (i % 4 < 2) (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        (void)close(fd);
    }
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    good_caller_is_served(&s);
    close_site(&s);
}

/* ---- callers that misbehave ---- */

QK_TEST(call_hostile, frames_come_in_any_pieces)
{
    struct site s;
    struct wt_raw r;
    uint8_t bytes[3 * 64];
    open_site(&s, 0);
    cr_assert(raw_call_as(&s, &r, s.w.coordinator, 0));
    size_t len = wt_frame(bytes, CALL_REQUEST, 7, qk_str("slowly"));
    for (size_t i = 0; i < len; i++) cr_assert(wt_raw_write(&r, bytes + i, 1)); /* a record each */
    cr_assert(wt_reads_frame(&r, CALL_ANSWER, 7, qk_str("slowly")));
    len = wt_frame(bytes, CALL_REQUEST, 1, qk_str("all"));
    len += wt_frame(bytes + len, CALL_PING, 0, qk_str(""));
    len += wt_frame(bytes + len, CALL_REQUEST, UINT32_MAX, qk_str("at once"));
    cr_assert(wt_raw_write(&r, bytes, len));
    cr_assert(wt_reads_frame(&r, CALL_ANSWER, 1, qk_str("all")));
    cr_assert(wt_reads_frame(&r, CALL_PONG, 0, qk_str("")));
    cr_assert(wt_reads_frame(&r, CALL_ANSWER, UINT32_MAX, qk_str("at once")));
    wt_raw_close(&r);
    close_site(&s);
}

QK_TEST(call_hostile, C_6_a_frame_that_is_none_closes_the_line)
{
    static const struct {
        const char *what;
        uint8_t bytes[16];
        size_t len;
    } bad[] = {
        {"no room for type and number", {0, 0, 0, 4, 1, 0, 0, 0}, 8},
        {"length 0", {0, 0, 0, 0}, 4},
        {"one byte too long", {0, 0x20, 0, 6}, 4}, /* C-6: before its content is read */
        {"as long as can be", {255, 255, 255, 255}, 4},
        {"unknown type", {0, 0, 0, 6, 9, 0, 0, 0, 1, 'x'}, 10},
        {"an empty call", {0, 0, 0, 5, 1, 0, 0, 0, 1}, 9},
        {"a call without a number", {0, 0, 0, 6, 1, 0, 0, 0, 0, 'x'}, 10},
        {"a ping with a number", {0, 0, 0, 5, 2, 0, 0, 0, 1}, 9},
        {"a ping with a body", {0, 0, 0, 6, 2, 0, 0, 0, 0, 'x'}, 10},
        {"another protocol", {0, 'S', 'P', 0, 0, 0x30, 0, 0}, 8},
    };
    struct site s;
    open_site(&s, 0);
    for (size_t i = 0; i < QK_COUNT(bad); i++) {
        struct wt_raw r;
        cr_assert(raw_call_as(&s, &r, s.w.coordinator, 0));
        cr_assert(wt_raw_write(&r, bad[i].bytes, bad[i].len));
        cr_expect(wt_closed_by_peer(r.fd), "%s", bad[i].what);
        wt_raw_close(&r);
    }
    cr_assert_eq(atomic_load(&s.seen), 0);
    good_caller_is_served(&s);
    close_site(&s);
}

/* What was whole before the bad frame is served; what comes after it is not. */
QK_TEST(call_hostile, nothing_after_a_bad_frame_is_looked_at)
{
    struct site s;
    struct wt_raw r;
    uint8_t bytes[128];
    open_site(&s, 0);
    cr_assert(raw_call_as(&s, &r, s.w.coordinator, 0));
    size_t len = wt_frame(bytes, CALL_REQUEST, 1, qk_str("good"));
    len += wt_frame(bytes + len, 9, 2, qk_str("bad"));
    len += wt_frame(bytes + len, CALL_REQUEST, 3, qk_str("too late"));
    cr_assert(wt_raw_write(&r, bytes, len));
    cr_assert(wt_closed_by_peer(r.fd));
    cr_assert_eq(atomic_load(&s.seen), 1);
    wt_raw_close(&r);
    close_site(&s);
}

/* Sends calls without end and reads none of the answers; gives the number of bytes that the node
 * took in before it cut the line. */
static size_t gorge(struct wt_raw *r, uint8_t type, uint32_t number, struct qk_bytes body)
{
    uint8_t bytes[64];
    size_t len = wt_frame(bytes, type, number, body), taken = 0;
    (void)SSL_set_mode(r->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE);
    struct timeval wait = {.tv_sec = WT_WAIT_MS / 1000};
    (void)setsockopt(r->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    while (taken < SIZE_MAX / 2 && wt_raw_write(r, bytes, len)) taken += len;
    return taken;
}

QK_TEST(call_hostile, who_does_not_read_is_not_read_either_and_is_cut_off)
{
    struct site s;
    struct wt_raw r;
    open_site(&s, 1000);
    s.answer_len = WIRE_CALL_FRAME_MAX;
    cr_assert(raw_call_as(&s, &r, s.w.coordinator, 0));
    (void)gorge(&r, CALL_REQUEST, 1, qk_str("more"));
    cr_assert(errno != EAGAIN, "it was cut off, long before we gave up");
    cr_assert_leq(atomic_load(&s.seen), 64 * 1024, "a segment's calls at the most");
    wt_raw_close(&r);
    good_caller_is_served(&s);

    cr_assert(raw_call_as(&s, &r, s.w.coordinator, 0));
    size_t taken = gorge(&r, CALL_PING, 0, qk_str(""));
    cr_assert_leq(taken, (size_t)64 << 20, "buffers of the two kernels and a little of ours");
    wt_raw_close(&r);
    good_caller_is_served(&s);
    close_site(&s);
}

QK_TEST(call_hostile, a_caller_has_a_bounded_number_of_lines)
{
    enum { LINES = 64 };
    struct site s;
    struct wt_raw r[LINES], more;
    open_site(&s, 0);
    for (unsigned i = 0; i < LINES; i++) cr_assert(raw_call_as(&s, &r[i], s.w.operator_, 0));
    cr_assert_not(raw_call_as(&s, &more, s.w.operator_, 0), "one too many");
    wt_raw_close(&more);
    good_caller_is_served(&s); /* another caller is not concerned */
    wt_raw_close(&r[0]);
    for (bool in = false; !in;) { /* once the node has noticed */
        in = lets_in(&s, s.w.operator_, 0);
        wt_sleep_ms(10);
    }
    for (unsigned i = 1; i < LINES; i++) wt_raw_close(&r[i]);
    close_site(&s);
}

QK_TEST(call_hostile, C_6_a_bit_flipped_under_way_costs_the_connection_and_nothing_else)
{
    struct site s;
    open_site(&s, 0);
    struct wt_proxy *proxy = wt_proxy_new(s.w.call_ports[0]);
    s.client = dial(&s, "127.0.0.1", wt_proxy_port(proxy));
    cr_assert(wt_until(is_up, s.client));
    wt_proxy_flip(proxy, 30);      /* C-6: somewhere in a record */
    static const uint8_t call[64]; /* unless a ping was faster */
    qk_err err = wire_client_call(s.client, QK_BYTES(call), 60000, on_answer, &s);
    if (err == QK_OK)
        cr_assert(wt_until(has_lost, &s), "the record did not authenticate");
    else
        qk_assert_err(err, QK_E_IO);
    cr_assert_eq(atomic_load(&s.answered), 0);
    good_caller_is_served(&s);
    wire_client_free(s.client);
    s.client = NULL;
    wt_proxy_free(proxy);
    close_site(&s);
}

/* ---- addresses ---- */

QK_TEST(call_hostile, names_are_looked_up_and_bad_addresses_refused)
{
    struct site s;
    open_site(&s, 0);
    s.client = dial(&s, "localhost", s.w.call_ports[0]);
    good_caller_is_served(&s);
    struct wire_client *nowhere = dial(&s, "name.invalid", s.w.call_ports[0]);
    wt_sleep_ms(200);
    cr_assert_not(wire_client_up(nowhere));
    wire_client_free(nowhere); /* whether or not the resolver is done */
    static const char *const bad[] = {"tcp://127.0.0.1:1", "tls+tcp://127.0.0.1", "tls+tcp://:1",
        "tls+tcp://[::1:1", "tls+tcp://127.0.0.1:", "tls+tcp://127.0.0.1:1234567"};
    for (size_t i = 0; i < QK_COUNT(bad); i++) {
        struct wire_address a;
        qk_assert_err(wire_address_parse(&a, bad[i]), QK_E_STATE);
    }
    struct wire_address six;
    qk_assert_ok(wire_address_parse(&six, "tls+tcp://[::1]:7702"));
    cr_assert_str_eq(six.host, "::1");
    cr_assert_str_eq(six.port, "7702");
    close_site(&s);
}
