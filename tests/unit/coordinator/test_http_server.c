#include "qktest/qktest.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "httpkit.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"
#define P         "POST /echo HTTP/1.1\r\nHost: h\r\n"

QK_TEST(http, answers_with_length_date_and_keep_alive)
{
    struct kit k;
    kit_init(&k, false);
    kit_start(&k);
    struct client c = kit_connect(&k);
    for (int i = 0; i < 3; i++) {
        client_send(&c, P "Content-Length: 5\r\n\r\nhello");
        const char *r = client_reply(&c, false);
        cr_assert(strstr(r, "HTTP/1.1 200 OK\r\n") == r, "%s", r);
        cr_assert_not_null(strstr(r, "\r\nDate: "));
        cr_assert_not_null(strstr(r, "\r\nContent-Length: 5\r\n"));
        cr_assert_not_null(strstr(r, "\r\nConnection: keep-alive\r\n"));
        cr_assert(text_ends(r, "\r\n\r\nhello"));
    }
    client_close(&c);
    kit_end(&k);
}

QK_TEST(http, sends_100_continue_before_the_body_and_not_before_a_refusal)
{
    struct kit k;
    kit_init(&k, false);
    kit_start(&k);
    struct client c = kit_connect(&k);
    client_send(&c, P "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    cr_assert_str_eq(client_reply(&c, false), "HTTP/1.1 100 Continue\r\n\r\n");
    client_send(&c, "hello");
    cr_assert(text_ends(client_reply(&c, false), "hello"));
    client_close(&c);
    cr_assert_eq(kit_ask(&k, P "Expect: 100-continue\r\nContent-Length: 9999999\r\n\r\n"), 413);
    cr_assert_eq(kit_ask(&k, P "Expect: something\r\nContent-Length: 5\r\n\r\n"), 417);
    kit_end(&k);
}

QK_TEST(http, reads_a_chunked_body_and_the_request_behind_it)
{
    struct kit k;
    kit_init(&k, false);
    kit_start(&k);
    struct client c = kit_connect(&k);
    client_send(
        &c, P "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n" GET("/"));
    cr_assert(text_ends(client_reply(&c, false), "\r\n\r\nhello"));
    cr_assert(text_ends(client_reply(&c, false), "\r\n\r\nok"));
    client_close(&c);
    kit_end(&k);
}

QK_TEST(http, refuses_with_a_status_and_closes)
{
    static const struct {
        const char *what, *in;
        int status;
        enum coord_http_refusal why;
    } rows[] = {
        {"length and coding", P "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
            COORD_HTTP_R_MALFORMED},
        {"two lengths", P "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400,
            COORD_HTTP_R_MALFORMED},
        {"xchunked", P "Transfer-Encoding: xchunked\r\n\r\n5\r\n", 501, COORD_HTTP_R_CODING},
        {"space before the colon", P "Content-Length : 5\r\n\r\nhello", 400,
            COORD_HTTP_R_MALFORMED},
        {"missing Host", "GET / HTTP/1.1\r\n\r\n", 400, COORD_HTTP_R_MALFORMED},
        {"body over the limit", P "Content-Length: 1048577\r\n\r\n", 413, COORD_HTTP_R_BODY_SIZE},
        {"chunk over the limit", P "Transfer-Encoding: chunked\r\n\r\n100001\r\n", 413,
            COORD_HTTP_R_BODY_SIZE},
        {"HTTP/2.0", "GET / HTTP/2.0\r\n", 505, COORD_HTTP_R_VERSION},
        {"lower-case method", "post / HTTP/1.1\r\n", 400, COORD_HTTP_R_MALFORMED},
        {"bare LF", "GET / HTTP/1.1\n", 400, COORD_HTTP_R_MALFORMED},
    };
    struct kit k;
    kit_init(&k, false);
    kit_start(&k);
    for (size_t i = 0; i < QK_COUNT(rows); i++) {
        uint64_t before = kit_refused(&k, rows[i].why);
        struct client c = kit_connect(&k);
        client_send(&c, rows[i].in);
        cr_expect_eq(client_status(&c), rows[i].status, "%s", rows[i].what);
        client_await_close(&c);
        cr_expect_eq(kit_refused(&k, rows[i].why), before + 1, "%s", rows[i].what);
        client_close(&c);
    }
    struct client c = kit_connect(&k);
    static const char nul[] = "GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n";
    client_send_bytes(&c, nul, sizeof nul - 1);
    cr_assert_eq(client_status(&c), 400, "NUL in a header value");
    client_close(&c);
    kit_end(&k);
}

QK_TEST(http, limits_head_and_line_and_still_delivers_the_refusal)
{
    struct kit k;
    kit_init(&k, false);
    kit_start(&k);
    static char big[200000];
    memset(big, 'x', sizeof big);
    struct client c = kit_connect(&k);
    client_send(&c, "GET / HTTP/1.1\r\nHost: h\r\nX: ");
    client_send_bytes(&c, big, sizeof big); /* unread bytes must not turn the reply into a reset */
    cr_assert_eq(client_status(&c), 431);
    client_await_close(&c);
    client_close(&c);
    c = kit_connect(&k);
    client_send(&c, "GET /");
    client_send_bytes(&c, big, sizeof big);
    cr_assert_eq(client_status(&c), 414);
    client_close(&c);
    c = kit_connect(&k);
    client_send(&c, "GET / HTTP/1.1\r\nHost: h\r\n");
    for (int i = 0; i < 64; i++) client_send(&c, "A: b\r\n");
    cr_assert_eq(client_status(&c), 431);
    client_close(&c);
    kit_end(&k);
}

QK_TEST(http, takes_a_body_of_exactly_the_limit)
{
    struct kit k;
    kit_init(&k, false);
    kit_start(&k);
    static char body[1 << 20];
    memset(body, 'b', sizeof body);
    struct client c = kit_connect(&k);
    client_send(&c, P "Content-Length: 1048576\r\n\r\n");
    client_send_bytes(&c, body, sizeof body);
    const char *r = client_reply(&c, false);
    const char *at = strstr(r, "\r\n\r\n");
    cr_assert(at != NULL && strlen(at + 4) == sizeof body);
    client_close(&c);
    struct coord_http_stats s;
    coord_http_stats(k.http, &s);
    cr_assert_eq(s.body_bytes_held, 0);
    kit_end(&k);
}

QK_TEST(http, answers_pipelined_requests_in_order)
{
    struct kit k;
    kit_init(&k, false);
    kit_start(&k);
    struct client c = kit_connect(&k);
    client_send(&c, P "Content-Length: 1\r\n\r\n1" P "Content-Length: 1\r\n\r\n2" GET("/inline") P
        "Connection: close\r\nContent-Length: 1\r\n\r\n3" GET("/never"));
    cr_assert(text_ends(client_reply(&c, false), "\n1"));
    cr_assert(text_ends(client_reply(&c, false), "\n2"));
    cr_assert(text_ends(client_reply(&c, false), "\ninline"));
    const char *last = client_reply(&c, false);
    cr_assert(text_ends(last, "\n3"));
    cr_assert_not_null(strstr(last, "\r\nConnection: close\r\n"));
    client_await_close(&c);
    struct coord_http_stats s;
    coord_http_stats(k.http, &s);
    cr_assert_eq(s.requests, 4);
    client_close(&c);
    kit_end(&k);
}

QK_TEST(http, has_one_request_of_a_connection_in_work)
{
    struct kit k;
    kit_init(&k, false);
    kit_start(&k);
    struct client c = kit_connect(&k);
    client_send(&c, GET("/hold") GET("/hold"));
    kit_await_held(&k, 1);
    cr_assert_eq(kit_ask(&k, GET("/")), 200);
    struct coord_http_stats s;
    coord_http_stats(k.http, &s);
    cr_assert_eq(s.requests, 2);
    kit_release(&k);
    cr_assert_eq(client_status(&c), 200);
    cr_assert_eq(client_status(&c), 200);
    client_close(&c);
    kit_end(&k);
}

QK_TEST(http, answers_head_204_and_1_0_right)
{
    struct kit k;
    kit_init(&k, false);
    kit_start(&k);
    struct client c = kit_connect(&k);
    client_send(&c, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    cr_assert_not_null(strstr(client_reply(&c, true), "\r\nContent-Length: 2\r\n"));
    client_send(&c, GET("/nothing"));
    const char *r = client_reply(&c, false);
    cr_assert(strstr(r, "HTTP/1.1 204 ") == r && strstr(r, "Content-Length") == NULL);
    client_send(&c, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    cr_assert_not_null(strstr(client_reply(&c, false), "\r\nConnection: close\r\n"));
    client_await_close(&c);
    client_close(&c);
    kit_end(&k);
}

QK_TEST(http, turns_a_split_response_into_500)
{
    struct kit k;
    kit_init(&k, false);
    kit_start(&k);
    struct client c = kit_connect(&k);
    client_send(&c, GET("/split"));
    const char *r = client_reply(&c, false);
    cr_assert(strstr(r, "HTTP/1.1 500 ") == r);
    cr_assert_null(strstr(r, "Set-Cookie"));
    client_close(&c);
    kit_end(&k);
}

QK_TEST(http, answers_a_client_that_closed_its_sending_half)
{
    struct kit k;
    kit_init(&k, false);
    kit_start(&k);
    struct client c = kit_connect(&k);
    client_send(&c, GET("/hold"));
    (void)shutdown(c.fd, SHUT_WR);
    kit_await_held(&k, 1);
    kit_release(&k);
    cr_assert_eq(client_status(&c), 200);
    client_await_close(&c);
    client_close(&c);
    kit_end(&k);
}

QK_TEST(http, survives_20_clients_vanishing_mid_request)
{
    struct kit k;
    kit_init(&k, false);
    kit_start(&k);
    const struct linger reset = {1, 0};
    for (int i = 0; i < 20; i++) {
        struct client c = kit_connect(&k);
        client_send(&c, i % 2 ? P "Content-Length: 9\r\n\r\nhal" : "POST /ec");
        if (i % 4 < 2) setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        client_close(&c);
    }
    cr_assert_eq(kit_ask(&k, GET("/")), 200);
    kit_end(&k);
}

QK_TEST(http, drops_the_reply_to_a_client_that_vanished)
{
    struct kit k;
    kit_init(&k, false);
    kit_start(&k);
    const struct linger reset = {1, 0};
    for (size_t i = 0; i < 20; i++) {
        struct client c = kit_connect(&k);
        client_send(&c, GET("/hold"));
        kit_await_held(&k, i + 1);
        if (i % 2) setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        client_close(&c);
    }
    kit_release(&k);
    cr_assert_eq(kit_ask(&k, GET("/")), 200);
    kit_end(&k);
}

QK_TEST(http, takes_replies_after_it_was_freed)
{
    struct kit k;
    kit_init(&k, false);
    kit_start(&k);
    struct client c = kit_connect(&k);
    client_send(&c, GET("/hold"));
    kit_await_held(&k, 1);
    coord_http_free(k.http);
    k.http = NULL;
    client_await_close(&c);
    client_close(&c);
    kit_end(&k); /* the worker answers the held request now */
}

QK_TEST(http, stops_gracefully)
{
    struct kit k;
    kit_init(&k, false);
    kit_start(&k);
    struct client idle = kit_connect(&k), busy = kit_connect(&k), half = kit_connect(&k);
    client_send(&idle, GET("/"));
    cr_assert_eq(client_status(&idle), 200);
    client_send(&busy, GET("/hold"));
    client_send(&half, P "Content-Length: 5\r\n\r\nhe");
    kit_await_held(&k, 1);
    qk_assert_err(coord_http_wait_drained(k.http, 0), QK_E_STATE);
    coord_http_stop_accepting(k.http);
    coord_http_stop_accepting(k.http);
    client_await_close(&idle);
    qk_assert_err(coord_http_wait_drained(k.http, 50), QK_E_TIMEOUT);
    struct client late = kit_connect(&k);
    cr_assert_eq(late.fd, -1, "still listening");
    client_send(&half, "llo");
    cr_assert(text_ends(client_reply(&half, false), "\r\n\r\nhello"));
    kit_release(&k);
    cr_assert_not_null(strstr(client_reply(&busy, false), "\r\nConnection: close\r\n"));
    client_await_close(&busy);
    client_close(&idle);
    client_close(&busy);
    client_close(&half);
    qk_assert_ok(coord_http_wait_drained(k.http, 10000));
    kit_end(&k);
}

QK_TEST(http, serves_beside_many_idle_connections)
{
    struct kit k;
    kit_init(&k, false);
    k.cfg.n_loops = 2;
    kit_start(&k);
    struct client idle[300];
    for (size_t i = 0; i < QK_COUNT(idle); i++) {
        idle[i] = kit_connect(&k);
        if (i % 3 == 0) client_send(&idle[i], GET("/"));
    }
    struct client c = kit_connect(&k);
    for (int i = 0; i < 100; i++) {
        client_send(&c, P "Content-Length: 2\r\n\r\nhi");
        cr_assert(text_ends(client_reply(&c, false), "\r\n\r\nhi"));
    }
    for (size_t i = 0; i < QK_COUNT(idle); i++) {
        if (i % 3 == 0) cr_assert_eq(client_status(&idle[i]), 200);
        client_send(&idle[i], GET("/"));
        cr_assert_eq(client_status(&idle[i]), 200);
        client_close(&idle[i]);
    }
    client_close(&c);
    kit_end(&k);
}

static void connections_capped(bool each, enum coord_http_refusal why)
{
    struct kit k;
    kit_init(&k, false);
    if (each)
        k.cfg.max_connections_peer = 3;
    else
        k.cfg.max_connections = 3;
    kit_start(&k);
    struct client c[3];
    for (size_t i = 0; i < 3; i++) {
        c[i] = kit_connect(&k);
        client_send(&c[i], GET("/"));
        cr_assert_eq(client_status(&c[i]), 200);
    }
    struct client over = kit_connect(&k);
    client_await_close(&over);
    client_close(&over);
    cr_assert_eq(kit_refused(&k, why), 1);
    client_send(&c[0], "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    cr_assert_eq(client_status(&c[0]), 200);
    client_close(&c[0]);
    for (;;) { /* its place is free once the front has seen it go */
        struct coord_http_stats s;
        coord_http_stats(k.http, &s);
        if (s.connections_open < 3) break;
        usleep(1000);
    }
    cr_assert_eq(kit_ask(&k, GET("/")), 200);
    client_close(&c[1]);
    client_close(&c[2]);
    kit_end(&k);
}

QK_TEST(http, caps_connections_in_all)
{
    connections_capped(false, COORD_HTTP_R_CONNECTIONS);
}

QK_TEST(http, caps_connections_of_one_address)
{
    connections_capped(true, COORD_HTTP_R_PEER);
}

QK_TEST(http, caps_the_bodies_held_at_once)
{
    struct kit k;
    kit_init(&k, false);
    k.cfg.max_bodies = 1000;
    kit_start(&k);
    char body[900];
    memset(body, 'x', sizeof body);
    struct client c = kit_connect(&k);
    client_send(&c, "POST /hold HTTP/1.1\r\nHost: h\r\nContent-Length: 900\r\n\r\n");
    client_send_bytes(&c, body, sizeof body);
    kit_await_held(&k, 1);
    cr_assert_eq(kit_ask(&k, P "Content-Length: 50\r\n\r\n"
                               "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
        200);
    struct client d = kit_connect(&k);
    client_send(&d, P "Content-Length: 900\r\n\r\n");
    client_send_bytes(&d, body, sizeof body);
    cr_assert_eq(client_status(&d), 503);
    client_close(&d);
    kit_release(&k);
    cr_assert_eq(client_status(&c), 200);
    client_close(&c);
    kit_end(&k);
}

QK_TEST(http, survives_running_out_of_descriptors)
{
    struct kit k;
    kit_init(&k, false);
    kit_start(&k);
    cr_assert_eq(kit_ask(&k, GET("/")), 200);
    struct client c = kit_connect(&k);
    client_send(&c, GET("/"));
    cr_assert_eq(client_status(&c), 200);
    /* The client's descriptor comes first, then none is left for the front. */
    int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct rlimit tight = {(rlim_t)probe + 1, 4096};
    struct rlimit before;
    getrlimit(RLIMIT_NOFILE, &before);
    struct rlimit now = {tight.rlim_cur, before.rlim_max};
    (void)setrlimit(RLIMIT_NOFILE, &now);
    for (int fd; (fd = dup(0)) >= 0 && fd < probe;) continue; /* fill the gaps */
    struct sockaddr_in to = {.sin_family = AF_INET,
        .sin_port = htons(k.port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    cr_assert_eq(connect(probe, (struct sockaddr *)&to, sizeof to), 0);
    struct client turned_away = {.fd = probe};
    client_await_close(&turned_away);
    cr_assert(kit_refused(&k, COORD_HTTP_R_DESCRIPTORS) >= 1);
    client_send(&c, GET("/")); /* those that are in are served */
    cr_assert_eq(client_status(&c), 200);
    (void)setrlimit(RLIMIT_NOFILE, &before);
    cr_assert_eq(kit_ask(&k, GET("/")), 200);
    client_close(&c);
    client_close(&turned_away);
    kit_end(&k);
}

QK_TEST(http, tells_the_owner_what_was_received)
{
    struct kit k;
    kit_init(&k, false);
    kit_start(&k);
    struct client c = kit_connect(&k);
    client_send(&c, "POST /hold?a=%20b HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-a: 2\r\n"
                    "Content-Length: 2\r\n\r\nhi");
    kit_await_held(&k, 1);
    const struct coord_http_request *r = k.queue[0];
    struct qk_bytes v;
    cr_assert(qk_bytes_is(r->method, "POST") && qk_bytes_is(r->target, "/hold?a=%20b"));
    cr_assert(qk_bytes_is(r->path, "/hold") && qk_bytes_is(r->query, "a=%20b"));
    cr_assert(qk_bytes_is(r->body, "hi"));
    cr_assert_eq(coord_http_find(r, "X-a", &v), 2);
    cr_assert(qk_bytes_is(v, "1"));
    cr_assert_eq(coord_http_find(r, "absent", &v), 0);
    cr_assert_str_eq(r->peer, "127.0.0.1");
    cr_assert(r->peer_port != 0 && r->number == 1 && !r->tls);
    kit_release(&k);
    cr_assert_eq(client_status(&c), 200);
    client_close(&c);
    kit_end(&k);
}

static void ignore(void *ctx, struct coord_http_request *req)
{
    (void)ctx;
    coord_http_reply(req, 200, NULL, 0, qk_bytes(NULL, 0));
}

QK_TEST(http, refuses_plain_beyond_loopback_and_senseless_configurations)
{
    struct coord_http *http;
    struct coord_http_listen at = {.host = "0.0.0.0", .plain = true};
    struct coord_http_config cfg;
    coord_http_config_init(&cfg);
    qk_assert_err(coord_http_start(&http, &cfg, ignore, NULL), QK_E_STATE); /* no address */
    cfg.listen = &at;
    cfg.n_listen = 1;
    qk_assert_err(coord_http_start(&http, &cfg, ignore, NULL), QK_E_DENIED);
    at.host = "::";
    qk_assert_err(coord_http_start(&http, &cfg, ignore, NULL), QK_E_DENIED);
    at.host = "localhost";
    qk_assert_err(coord_http_start(&http, &cfg, ignore, NULL), QK_E_STATE);
    at = (struct coord_http_listen){.host = "127.0.0.1"};
    qk_assert_err(coord_http_start(&http, &cfg, ignore, NULL), QK_E_STATE); /* TLS, no files */
    at.plain = true;
    cfg.head_ms = 0;
    qk_assert_err(coord_http_start(&http, &cfg, ignore, NULL), QK_E_STATE);
}

QK_TEST(http, reports_an_address_in_use)
{
    struct kit k;
    kit_init(&k, false);
    kit_start(&k);
    struct coord_http *second;
    k.at[0].port = k.port;
    qk_assert_err(coord_http_start(&second, &k.cfg, ignore, NULL), QK_E_IO);
    kit_end(&k);
}
