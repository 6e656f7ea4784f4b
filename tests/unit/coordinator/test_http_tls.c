#include "qktest/qktest.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "httpkit.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"
#define P         "POST /echo HTTP/1.1\r\nHost: h\r\n"

QK_TEST(http_tls, keeps_a_connection_alive_for_many_requests)
{
    struct kit k;
    kit_init(&k, true);
    kit_start(&k);
    struct client c = kit_tls(&k);
    for (int i = 0; i < 200; i++) {
        client_send(&c, P "Content-Length: 5\r\n\r\nhello");
        cr_assert(text_ends(client_reply(&c, false), "\r\n\r\nhello"));
    }
    client_close(&c);
    kit_end(&k);
}

QK_TEST(http_tls, carries_large_bodies_both_ways)
{
    struct kit k;
    kit_init(&k, true);
    kit_start(&k);
    static char body[1 << 20];
    memset(body, 'b', sizeof body);
    struct client c = kit_tls(&k);
    client_send(&c, P "Content-Length: 1048576\r\n\r\n");
    client_send_bytes(&c, body, sizeof body);
    const char *at = strstr(client_reply(&c, false), "\r\n\r\n");
    cr_assert(at != NULL && strlen(at + 4) == sizeof body);
    client_close(&c);
    kit_end(&k);
}

QK_TEST(http_tls, answers_expect_pipelines_and_refusals)
{
    struct kit k;
    kit_init(&k, true);
    kit_start(&k);
    struct client c = kit_tls(&k);
    client_send(&c, P "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    cr_assert_str_eq(client_reply(&c, false), "HTTP/1.1 100 Continue\r\n\r\n");
    client_send(&c, "hi");
    cr_assert(text_ends(client_reply(&c, false), "\r\n\r\nhi"));
    client_send(&c, GET("/1") GET("/2") GET("/3"));
    for (int i = 0; i < 3; i++) cr_assert_eq(client_status(&c), 200);
    client_send(&c, P "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n");
    cr_assert_eq(client_status(&c), 400);
    char byte;
    cr_assert_eq(SSL_read(c.ssl, &byte, 1), 0);
    cr_assert_eq(SSL_get_error(c.ssl, 0), SSL_ERROR_ZERO_RETURN, "no close_notify");
    client_close(&c);
    kit_end(&k);
}

QK_TEST(http_tls, takes_a_request_one_byte_a_record)
{
    struct kit k;
    kit_init(&k, true);
    kit_start(&k);
    struct client c = kit_tls(&k);
    for (const char *p = P "Content-Length: 2\r\n\r\nhi"; *p != '\0'; p++)
        client_send_bytes(&c, p, 1);
    cr_assert(text_ends(client_reply(&c, false), "\r\n\r\nhi"));
    client_close(&c);
    kit_end(&k);
}

QK_TEST(http_tls, sends_a_plain_client_away)
{
    struct kit k;
    kit_init(&k, true);
    kit_start(&k);
    struct client c = kit_connect(&k);
    client_send(&c, GET("/"));
    client_await_close(&c);
    cr_assert_eq(kit_refused(&k, COORD_HTTP_R_HANDSHAKE), 1);
    client_close(&c);
    struct client d = kit_tls(&k);
    client_send(&d, GET("/"));
    cr_assert_eq(client_status(&d), 200);
    client_close(&d);
    kit_end(&k);
}

/* A handshake with one thing about the client changed. */
static bool handshake(struct kit *k, void (*adjust)(SSL *))
{
    struct client c = kit_connect(k);
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(ctx, 0);
    c.ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    SSL_set_fd(c.ssl, c.fd);
    adjust(c.ssl);
    bool ok = SSL_connect(c.ssl) == 1;
    if (ok) { /* TLS 1.3 tells the client of a refusal late */
        client_send(&c, GET("/"));
        ok = client_status(&c) == 200;
    }
    client_close(&c);
    return ok;
}

static void no_change(SSL *ssl)
{
    (void)ssl;
}

static void only_1_2(SSL *ssl)
{
    SSL_set_max_proto_version(ssl, TLS1_2_VERSION);
}

static void only_1_1(SSL *ssl)
{
    SSL_set_min_proto_version(ssl, TLS1_1_VERSION);
    SSL_set_max_proto_version(ssl, TLS1_1_VERSION);
}

static void only_cbc(SSL *ssl)
{
    only_1_2(ssl);
    SSL_set_cipher_list(ssl, "ECDHE-ECDSA-AES128-SHA");
}

static void offers_http_1_1(SSL *ssl)
{
    SSL_set_alpn_protos(ssl, (const unsigned char *)"\x02h2\x08http/1.1", 12);
}

static void offers_only_h2(SSL *ssl)
{
    SSL_set_alpn_protos(ssl, (const unsigned char *)"\x02h2", 3);
}

QK_TEST(http_tls, accepts_1_2_and_1_3_with_aead_and_http_1_1_only)
{
    struct kit k;
    kit_init(&k, true);
    kit_start(&k);
    cr_expect(handshake(&k, no_change), "default client");
    cr_expect(handshake(&k, only_1_2), "TLS 1.2");
    cr_expect(handshake(&k, offers_http_1_1), "ALPN h2, http/1.1");
    cr_expect_not(handshake(&k, only_1_1), "TLS 1.1");
    cr_expect_not(handshake(&k, only_cbc), "CBC cipher");
    cr_expect_not(handshake(&k, offers_only_h2), "ALPN h2 alone");
    kit_end(&k);
}

QK_TEST(http_tls, refuses_renegotiation)
{
    struct kit k;
    kit_init(&k, true);
    kit_start(&k);
    struct client c = kit_connect(&k);
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    c.ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    SSL_set_fd(c.ssl, c.fd);
    cr_assert_eq(SSL_connect(c.ssl), 1);
    cr_assert_eq(SSL_renegotiate(c.ssl), 1);
    cr_assert(SSL_do_handshake(c.ssl) != 1);
    client_close(&c);
    kit_end(&k);
}

QK_TEST(http_tls, survives_clients_vanishing_at_any_moment)
{
    struct kit k;
    kit_init(&k, true);
    kit_start(&k);
    const struct linger reset = {1, 0};
    for (size_t i = 0; i < 20; i++) {
        struct client c = kit_tls(&k);
        client_send(&c, i % 2 ? GET("/big") : P "Content-Length: 9\r\n\r\nhal");
        if (i % 4 < 2) setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        client_close(&c);
    }
    struct client c = kit_tls(&k);
    client_send(&c, GET("/"));
    cr_assert_eq(client_status(&c), 200);
    client_close(&c);
    kit_end(&k);
}

QK_TEST(http_tls, does_not_start_with_bad_files)
{
    struct kit k;
    struct coord_http *http;
    kit_init(&k, true);
    char other[96], other_key[96];
    (void)snprintf(other, sizeof other, "%.80s/other.pem", k.dir);
    (void)snprintf(other_key, sizeof other_key, "%.80s/other.key", k.dir);
    kit_certificate(other, other_key);
    k.cfg.key_file = other_key; /* of another certificate */
    qk_assert_err(coord_http_start(&http, &k.cfg, NULL, NULL), QK_E_STATE);
    k.cfg.key_file = k.key;
    kit_start(&k);
    qk_assert_err(coord_http_reload_tls(k.http, k.cert, other_key), QK_E_MALFORMED);
    qk_assert_err(coord_http_reload_tls(k.http, "/nonexistent", k.key), QK_E_NOT_FOUND);
    qk_assert_err(coord_http_reload_tls(k.http, k.key, k.cert), QK_E_MALFORMED);
    (void)chmod(other_key, 0644);
    qk_assert_err(coord_http_reload_tls(k.http, other, other_key), QK_E_DENIED);
    cr_assert(handshake(&k, no_change), "the old certificate still serves");
    (void)chmod(other_key, 0600);
    qk_assert_ok(coord_http_reload_tls(k.http, other, other_key));
    cr_assert(handshake(&k, no_change), "the new one does too");
    (void)unlink(other);
    (void)unlink(other_key);
    kit_end(&k);
}
