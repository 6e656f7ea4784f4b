/* A caller's links to a node that has its key and misbehaves. */
#include "qktest/qktest.h"
#include "wiretest.h"
#include "wireraw.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include "call_priv.h"

struct site {
    struct wt_world w;
    struct wire_client *client;
    atomic_uint answered, lost, other;
};

static void on_answer(void *ctx, qk_err err, struct qk_bytes bytes)
{
    struct site *s = ctx;
    (void)bytes;
    atomic_fetch_add(err == QK_OK ? &s->answered : err == QK_E_IO ? &s->lost : &s->other, 1);
}

static struct wire_client *dial(struct site *s, uint16_t port)
{
    char url[64];
    (void)snprintf(url, sizeof url, "tls+tcp://127.0.0.1:%u", port);
    struct wire_client_config cfg = {.url = url,
        .identity = s->w.coordinator,
        .server_cert = wire_identity_cert(s->w.nodes[0]),
        .ping_ms = 100,
        .dead_after_ms = 60000,
        .handshake_ms = 3000,
        .reconnect_min_ms = 20,
        .reconnect_max_ms = 50};
    struct wire_client *c = NULL;
    qk_assert_ok(wire_client_new(&c, &cfg));
    return c;
}

static void open_world(struct site *s)
{
    memset(s, 0, sizeof *s);
    (void)signal(SIGPIPE, SIG_IGN); /* OpenSSL's own writes, in raw_write */
    wt_world_init(&s->w);
}

static void close_site(struct site *s)
{
    wire_client_free(s->client);
    wt_world_free(&s->w);
}

static bool is_down(void *client)
{
    return !wire_client_up(client);
}

static bool has_answer(void *site)
{
    return atomic_load(&((struct site *)site)->answered) > 0;
}

static const uint8_t welcome[CALL_WELCOME_LEN] = {'Q', 'K', 'M', 'S', 0, 1};

/* ---- nodes that misbehave ---- */

struct fake {
    int listen_fd;
    uint16_t port;
};

static void fake_listen(struct fake *f)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t len = sizeof a;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    f->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_geq(f->listen_fd, 0);
    cr_assert_eq(bind(f->listen_fd, (struct sockaddr *)&a, sizeof a), 0);
    cr_assert_eq(listen(f->listen_fd, 8), 0);
    cr_assert_eq(getsockname(f->listen_fd, (struct sockaddr *)&a, &len), 0);
    f->port = ntohs(a.sin_port);
}

/* The caller's next connection, with this certificate; false when it hangs up. */
static bool fake_accept(struct fake *f, struct wt_raw *r, const struct wire_identity *id)
{
    r->fd = accept(f->listen_fd, NULL, NULL);
    cr_assert_geq(r->fd, 0);
    wt_raw_setup(r, id, true);
    return SSL_accept(r->ssl) == 1;
}

/* Until the caller takes this node for the right one: it gives up an attempt that takes long. */
static void fake_up(struct fake *f, struct wt_raw *r, struct site *s)
{
    uint8_t bytes[64];
    size_t len = wt_frame(bytes, CALL_WELCOME, 0, QK_BYTES(welcome));
    for (;;) {
        if (fake_accept(f, r, s->w.nodes[0]) && wt_raw_write(r, bytes, len))
            for (unsigned i = 0; i < 400; i++, wt_sleep_ms(10))
                if (wire_client_up(s->client)) return;
        wt_raw_close(r);
    }
}

static uint32_t fake_request(struct wt_raw *r)
{
    uint8_t head[WIRE_LINE_HEAD], body[256];
    do {
        cr_assert(wt_raw_read(r, head, sizeof head));
        size_t len = qk_get_u32(head) - 5;
        cr_assert(wt_raw_read(r, body, len));
    } while (head[4] == CALL_PING);
    return qk_get_u32(head + 5);
}

QK_TEST(call_bad_node, a_node_that_does_not_welcome_is_not_up_and_is_dialled_again)
{
    static const struct {
        const char *what;
        uint8_t bytes[20];
        size_t len;
    } bad[] = {
        {"says nothing", {0}, 0},
        {"begins with an answer", {0, 0, 0, 6, 1, 0, 0, 0, 1, 'x'}, 10},
        {"another version", {0, 0, 0, 11, 5, 0, 0, 0, 0, 'Q', 'K', 'M', 'S', 0, 2}, 15},
        {"another magic", {0, 0, 0, 11, 5, 0, 0, 0, 0, 'Q', 'K', 'M', 'T', 0, 1}, 15},
        {"a longer welcome", {0, 0, 0, 12, 5, 0, 0, 0, 0, 'Q', 'K', 'M', 'S', 0, 1, 0}, 16},
        {"another protocol", {0, 'S', 'P', 0, 0, 0x31, 0, 0}, 8},
    };
    struct site s;
    struct fake f;
    struct wt_raw r;
    open_world(&s);
    fake_listen(&f);
    s.client = dial(&s, f.port);
    cr_assert_not(fake_accept(&f, &r, s.w.nodes[1]), "another node's certificate");
    wt_raw_close(&r);
    for (size_t i = 0; i < QK_COUNT(bad); i++) {
        while (!fake_accept(&f, &r, s.w.nodes[0])) wt_raw_close(&r); /* too slow: it comes again */
        if (bad[i].len > 0) (void)wt_raw_write(&r, bad[i].bytes, bad[i].len);
        cr_expect(wt_closed_by_peer(r.fd), "%s", bad[i].what);
        cr_expect_not(wire_client_up(s.client), "%s", bad[i].what);
        wt_raw_close(&r);
    }
    fake_up(&f, &r, &s); /* it comes again all the same */
    wt_raw_close(&r);
    (void)close(f.listen_fd);
    close_site(&s);
}

QK_TEST(call_bad_node, a_bad_answer_ends_the_line_and_its_calls)
{
    static const struct {
        const char *what;
        uint8_t bytes[16];
        size_t len;
    } bad[] = {
        {"unknown type", {0, 0, 0, 6, 9, 0, 0, 0, 1, 'x'}, 10},
        {"an empty answer", {0, 0, 0, 5, 1, 0, 0, 0, 1}, 9},
        {"an answer to nothing", {0, 0, 0, 6, 1, 0, 0, 0, 0, 'x'}, 10},
        {"busy, with something else", {0, 0, 0, 6, 4, 0, 0, 0, 1, 'x'}, 10},
        {"dropped nothing", {0, 0, 0, 5, 3, 0, 0, 0, 0}, 9},
        {"pong, with a number", {0, 0, 0, 5, 2, 0, 0, 0, 1}, 9},
        {"welcome once more", {0, 0, 0, 11, 5, 0, 0, 0, 0, 'Q', 'K', 'M', 'S', 0, 1}, 15},
        {"a length beyond all", {0, 0x20, 0, 6}, 4},
    };
    struct site s;
    struct fake f;
    struct wt_raw r;
    open_world(&s);
    fake_listen(&f);
    s.client = dial(&s, f.port);
    for (unsigned i = 0; i < QK_COUNT(bad); i++) {
        fake_up(&f, &r, &s);
        qk_assert_ok(wire_client_call(s.client, qk_str("x"), 60000, on_answer, &s));
        (void)fake_request(&r);
        cr_assert(wt_raw_write(&r, bad[i].bytes, bad[i].len));
        cr_expect(wt_closed_by_peer(r.fd), "%s", bad[i].what);
        cr_assert(wt_until(is_down, s.client));
        wt_raw_close(&r);
    }
    (void)close(f.listen_fd);
    wire_client_free(s.client);
    s.client = NULL;
    cr_assert_eq(atomic_load(&s.lost), QK_COUNT(bad), "each ended, once");
    cr_assert_eq(atomic_load(&s.answered) + atomic_load(&s.other), 0);
    close_site(&s);
}

QK_TEST(call_bad_node, answers_that_nobody_waits_for_are_passed_over)
{
    struct site s;
    struct fake f;
    struct wt_raw r;
    uint8_t bytes[256];
    open_world(&s);
    fake_listen(&f);
    s.client = dial(&s, f.port);
    fake_up(&f, &r, &s);
    qk_assert_ok(wire_client_call(s.client, qk_str("x"), 60000, on_answer, &s));
    uint32_t number = fake_request(&r);
    size_t len = wt_frame(bytes, CALL_ANSWER, number + 1, qk_str("of another call"));
    len += wt_frame(bytes + len, CALL_BUSY, number + 64, qk_str(""));
    len += wt_frame(bytes + len, CALL_ANSWER, number, qk_str("this one"));
    len += wt_frame(bytes + len, CALL_ANSWER, number, qk_str("once more"));
    len += wt_frame(bytes + len, CALL_DROPPED, number, qk_str(""));
    cr_assert(wt_raw_write(&r, bytes, len));
    cr_assert(wt_until(has_answer, &s));
    wt_sleep_ms(50);
    cr_assert_eq(atomic_load(&s.answered), 1);
    cr_assert_eq(atomic_load(&s.lost) + atomic_load(&s.other), 0);
    cr_assert(wire_client_up(s.client));
    wt_raw_close(&r);
    (void)close(f.listen_fd);
    close_site(&s);
}
