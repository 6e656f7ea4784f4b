#include "qktest/qktest.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "httpkit.h"

#define P "POST /echo HTTP/1.1\r\nHost: h\r\n"

/* Nothing here measures time: the claim is that the connection ends at all, while the other
 * deadlines stay long. */

QK_TEST(http_deadline, cuts_a_client_that_says_nothing)
{
    struct kit k;
    kit_init(&k, false);
    k.cfg.head_ms = 150;
    kit_start(&k);
    struct client c = kit_connect(&k);
    client_await_close(&c);
    cr_assert_eq(kit_refused(&k, COORD_HTTP_R_SILENT), 1);
    client_close(&c);
    kit_end(&k);
}

static void cut_in(const char *said, enum coord_http_refusal why)
{
    struct kit k;
    kit_init(&k, false);
    k.cfg.head_ms = k.cfg.body_ms = 150;
    kit_start(&k);
    struct client c = kit_connect(&k);
    client_send(&c, said);
    cr_assert_eq(client_status(&c), 408);
    client_await_close(&c);
    cr_assert_eq(kit_refused(&k, why), 1);
    client_close(&c);
    kit_end(&k);
}

QK_TEST(http_deadline, answers_408_to_half_a_head)
{
    cut_in("POST / HTTP/1.1\r\nHo", COORD_HTTP_R_HEAD_TIME);
}

QK_TEST(http_deadline, answers_408_to_half_a_body)
{
    cut_in(P "Content-Length: 5\r\n\r\nhel", COORD_HTTP_R_BODY_TIME);
}

QK_TEST(http_deadline, answers_408_to_half_a_chunk)
{
    cut_in(P "Transfer-Encoding: chunked\r\n\r\n5\r\nh", COORD_HTTP_R_BODY_TIME);
}

/* One byte a tick, far more ticks than the deadline holds; the bytes never end by themselves. */
static void loris(const char *first, char drop, enum coord_http_refusal why)
{
    struct kit k;
    kit_init(&k, false);
    k.cfg.head_ms = k.cfg.body_ms = 300;
    kit_start(&k);
    struct client c = kit_connect(&k);
    client_send(&c, first);
    struct pollfd readable = {.fd = c.fd, .events = POLLIN};
    int ticks = 0;
    while (ticks++ < 1000 && poll(&readable, 1, 20) == 0) client_send_bytes(&c, &drop, 1);
    cr_assert_lt(ticks, 1000, "never cut");
    cr_assert_eq(client_status(&c), 408);
    cr_assert_eq(kit_refused(&k, why), 1);
    client_close(&c);
    kit_end(&k);
}

QK_TEST(http_deadline, cuts_a_slow_loris_in_the_head)
{
    loris("GET / HTTP/1.1\r\nHost: h\r\nX: ", 'a', COORD_HTTP_R_HEAD_TIME);
}

QK_TEST(http_deadline, cuts_a_slow_loris_in_the_body)
{
    loris(P "Content-Length: 100000\r\n\r\n", 'a', COORD_HTTP_R_BODY_TIME);
}

QK_TEST(http_deadline, cuts_an_idle_connection_after_its_reply)
{
    struct kit k;
    kit_init(&k, false);
    k.cfg.idle_ms = 150;
    kit_start(&k);
    struct client c = kit_connect(&k);
    client_send(&c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    cr_assert_eq(client_status(&c), 200);
    client_await_close(&c);
    cr_assert_eq(kit_refused(&k, COORD_HTTP_R_IDLE), 1);
    client_close(&c);
    kit_end(&k);
}

QK_TEST(http_deadline, does_not_cut_a_request_in_work)
{
    struct kit k;
    kit_init(&k, false);
    k.cfg.head_ms = k.cfg.body_ms = k.cfg.idle_ms = k.cfg.write_ms = 50;
    kit_start(&k);
    struct client c = kit_connect(&k);
    client_send(&c, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n");
    kit_await_held(&k, 1);
    usleep(200000);
    kit_release(&k);
    cr_assert_eq(client_status(&c), 200);
    client_close(&c);
    kit_end(&k);
}

QK_TEST(http_deadline, cuts_a_client_that_does_not_take_its_reply)
{
    struct kit k;
    kit_init(&k, false);
    k.cfg.write_ms = 200;
    kit_start(&k);
    struct client c = kit_connect(&k);
    const int small = 4096;
    setsockopt(c.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    for (int i = 0; i < 8; i++) client_send(&c, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
    for (int i = 0; i < 2000 && kit_refused(&k, COORD_HTTP_R_WRITE_TIME) == 0; i++) usleep(10000);
    cr_assert_eq(kit_refused(&k, COORD_HTTP_R_WRITE_TIME), 1);
    client_close(&c);
    kit_end(&k);
}

QK_TEST(http_deadline, does_not_linger_for_ever)
{
    struct kit k;
    kit_init(&k, false);
    kit_start(&k);
    struct client c = kit_connect(&k);
    client_send(&c, "nonsense\r\n");
    cr_assert_eq(client_status(&c), 400);
    for (int i = 0; i < 2000; i++) { /* we never close */
        struct coord_http_stats s;
        coord_http_stats(k.http, &s);
        if (s.connections_open == 0) break;
        usleep(10000);
    }
    struct coord_http_stats s;
    coord_http_stats(k.http, &s);
    cr_assert_eq(s.connections_open, 0);
    client_close(&c);
    kit_end(&k);
}

QK_TEST(http_deadline, cuts_a_silent_tls_handshake)
{
    struct kit k;
    kit_init(&k, true);
    k.cfg.handshake_ms = 150;
    kit_start(&k);
    struct client silent = kit_connect(&k), half = kit_connect(&k);
    client_send_bytes(&half, "\x16\x03\x01\x02\x00\x01", 6);
    client_await_close(&silent);
    client_await_close(&half);
    cr_assert_eq(kit_refused(&k, COORD_HTTP_R_HANDSHAKE_TIME), 2);
    client_close(&silent);
    client_close(&half);
    kit_end(&k);
}

QK_TEST(http_deadline, cuts_a_silent_client_behind_the_handshake)
{
    struct kit k;
    kit_init(&k, true);
    k.cfg.head_ms = 150;
    kit_start(&k);
    struct client c = kit_tls(&k);
    client_await_close(&c);
    cr_assert_eq(kit_refused(&k, COORD_HTTP_R_SILENT), 1);
    client_close(&c);
    kit_end(&k);
}
