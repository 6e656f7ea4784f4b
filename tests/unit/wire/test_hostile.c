/* Links between nodes under attack. C-6: inauthentic traffic is dropped and the rest goes on. */
#include "qktest/qktest.h"
#include "wiretest.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <openssl/ssl.h>
#include <nng/nng.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>
#include "frame.h"
#include "identity_priv.h"
#include "mesh_priv.h"

struct site {
    struct wt_world w;
    struct wt_inbox in[2];
    struct wire_mesh *one, *two;
};

static void open_site(struct site *s)
{
    memset(s, 0, sizeof *s);
    wt_world_init(&s->w);
    wt_inbox_init(&s->in[0]);
    wt_inbox_init(&s->in[1]);
}

static void close_site(struct site *s)
{
    wire_mesh_free(s->one);
    wire_mesh_free(s->two);
    wt_inbox_free(&s->in[0]);
    wt_inbox_free(&s->in[1]);
    wt_world_free(&s->w);
}

/* The test that matters after every attack: a good peer still gets in. */
static void good_peer_gets_in(struct site *s)
{
    if (s->two == NULL) s->two = wt_mesh(&s->w, 2, NULL, &s->in[1]);
    cr_assert(wt_wait_ups(&s->in[0], 2, s->in[0].downs[2] + 1), "2 is up for 1");
    size_t n = s->in[0].n;
    qk_err err = QK_E_IO;
    for (unsigned i = 0; i < 500 && err != QK_OK; i++) {
        err = wire_mesh_send(s->two, 1, qk_str("good"));
        if (err != QK_OK) wt_sleep_ms(20);
    }
    qk_assert_ok(err);
    cr_assert(wt_wait_messages(&s->in[0], n + 1));
}

/* ---- raw TLS ---- */

/* A TLS client with any identity or none; true if the server let it through to its first bytes. */
static bool tls_try(uint16_t port, const struct wire_identity *id, int version)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (version != 0) (void)SSL_CTX_set_max_proto_version(ctx, version);
    if (id != NULL) {
        cr_assert_eq(SSL_CTX_use_certificate(ctx, id->x509), 1);
        cr_assert_eq(SSL_CTX_use_PrivateKey(ctx, id->pkey), 1);
    }
    int fd = wt_connect(port);
    cr_assert_geq(fd, 0);
    SSL *ssl = SSL_new(ctx);
    (void)SSL_set_fd(ssl, fd);
    char byte;
    bool in = SSL_connect(ssl) == 1 && SSL_read(ssl, &byte, 1) == 1;
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    (void)close(fd);
    return in;
}

/* The same key under another certificate: pins are of the certificate, too. */
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

QK_TEST(hostile, certless_rogue_and_wrong_certificates_are_refused)
{
    struct site s;
    open_site(&s);
    s.one = wt_mesh(&s.w, 1, NULL, &s.in[0]);
    uint16_t port = s.w.ports[0];
    struct wire_identity *twin = twin_of(s.w.nodes[1]);
    cr_expect(tls_try(port, s.w.nodes[1], 0), "the attack itself works: a pinned peer gets in");
    cr_expect_not(tls_try(port, NULL, 0), "no certificate");
    cr_expect_not(tls_try(port, s.w.rogue, 0), "a rogue's");
    cr_expect_not(tls_try(port, s.w.coordinator, 0), "a coordinator is not a node");
    cr_expect_not(tls_try(port, s.w.nodes[0], 0), "our own");
    cr_expect_not(tls_try(port, twin, 0), "right key, other certificate");
    cr_expect_not(tls_try(port, s.w.nodes[1], TLS1_2_VERSION), "TLS 1.2");
    cr_assert_geq(wire_mesh_strangers(s.one), 6);
    wire_identity_free(twin);
    good_peer_gets_in(&s);
    close_site(&s);
}

QK_TEST(hostile, a_dialer_believes_only_the_pinned_server)
{
    struct site s;
    open_site(&s);
    /* node 3 listens where node 2 is expected */
    struct wire_mesh_config cfg = wt_mesh_config(&s.w, 3, &s.in[1]);
    char url[64];
    (void)snprintf(url, sizeof url, "tls+tcp://127.0.0.1:%u", s.w.ports[1]);
    cfg.listen = url;
    struct wire_mesh *impostor;
    qk_assert_ok(wire_mesh_new(&impostor, &cfg));
    qk_assert_ok(wire_mesh_start(impostor));
    s.one = wt_mesh(&s.w, 1, NULL, &s.in[0]);
    wt_sleep_ms(800);
    qk_assert_err(wire_mesh_send(s.one, 2, qk_str("for 2 alone")), QK_E_IO);
    cr_assert_eq(s.in[1].n, 0);
    wire_mesh_free(impostor);
    good_peer_gets_in(&s);
    close_site(&s);
}

QK_TEST(hostile, a_peer_of_another_cluster_file_is_refused)
{
    struct site s;
    open_site(&s);
    struct wire_cluster *other = wt_other_cluster(&s.w);
    s.one = wt_mesh(&s.w, 1, NULL, &s.in[0]);
    s.two = wt_mesh(&s.w, 2, other, &s.in[1]); /* right certificate, other hash */
    struct wire_mesh_stats st = {0};
    for (unsigned i = 0; i < 3000 && st.refused < 2; i++) {
        wt_sleep_ms(10);
        qk_assert_ok(wire_mesh_stats(s.one, 2, &st));
    }
    cr_assert_geq(st.refused, 2);
    cr_assert_not(wire_mesh_peer_up(s.one, 2));
    qk_err sent = wire_mesh_send(s.two, 1, qk_str("from another world"));
    cr_assert(sent == QK_OK || sent == QK_E_IO, "its own end of the line may be open a moment");
    wt_sleep_ms(200);
    cr_assert_eq(s.in[0].n, 0);
    cr_assert_eq(s.in[0].ups[2], 0);
    wire_mesh_free(s.two);
    s.two = NULL;
    wire_cluster_free(other);
    good_peer_gets_in(&s);
    close_site(&s);
}

/* ---- no handshake ---- */

QK_TEST(hostile, silent_connections_are_cut_and_the_listener_lives_on)
{
    struct site s;
    open_site(&s);
    s.one = wt_mesh(&s.w, 1, NULL, &s.in[0]);
    int fd[40];
    for (unsigned i = 0; i < QK_COUNT(fd); i++) {
        fd[i] = wt_connect(s.w.ports[0]);
        cr_assert_geq(fd[i], 0);
        /* some begin a TLS record and never end it */
        if (i % 3 == 1) cr_assert_eq(send(fd[i], "\x16\x03\x01\x02\x00\x01", 6, MSG_NOSIGNAL), 6);
    }
    for (unsigned i = 0; i < QK_COUNT(fd); i++) {
        cr_assert(wt_closed_by_peer(fd[i]), "connection %u", i);
        (void)close(fd[i]);
    }
    cr_assert_eq(atomic_load(&s.one->listener.stats->timeouts), QK_COUNT(fd));
    /* NNG 1.5.2 would have stopped accepting by now, had they been closed in the obvious way */
    good_peer_gets_in(&s);
    close_site(&s);
}

QK_TEST(hostile, a_mute_server_does_not_hold_the_dialer)
{
    struct site s;
    open_site(&s);
    struct wt_proxy *proxy = wt_proxy_new(s.w.ports[1]);
    struct wire_cluster *via = wt_moved(&s.w, 2, wt_proxy_port(proxy));
    wt_proxy_stall(proxy, true);
    struct wire_mesh_config cfg = wt_mesh_config(&s.w, 2, &s.in[1]);
    char url[64];
    (void)snprintf(url, sizeof url, "tls+tcp://127.0.0.1:%u", s.w.ports[1]);
    cfg.cluster = via;
    cfg.listen = url;
    qk_assert_ok(wire_mesh_new(&s.two, &cfg));
    qk_assert_ok(wire_mesh_start(s.two));
    s.one = wt_mesh(&s.w, 1, via, &s.in[0]);
    while (atomic_load(&s.one->peers[0].dialer.stats->timeouts) < 2) wt_sleep_ms(10);
    wt_proxy_stall(proxy, false);
    cr_assert(wt_wait_ups(&s.in[0], 2, 1), "dials again and again, and at last is through");
    wire_mesh_free(s.one);
    s.one = NULL;
    wire_mesh_free(s.two);
    s.two = NULL;
    wt_proxy_free(proxy);
    wire_cluster_free(via);
    close_site(&s);
}

QK_TEST(hostile, hanging_up_at_any_point_does_not_end_the_listener)
{
    /* A ClientHello as OpenSSL makes it, cut anywhere, then FIN or RST: the server's answer runs
     * into EPIPE now and then, which NNG would take for the end of its listener. */
    struct site s;
    open_site(&s);
    s.one = wt_mesh(&s.w, 1, NULL, &s.in[0]);
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    BIO *out = BIO_new(BIO_s_mem()), *in = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl, in, out);
    (void)SSL_connect(ssl);
    char *hello;
    long len = BIO_get_mem_data(out, &hello);
    cr_assert_gt(len, 100);
    uint32_t listener = s.one->listener.listener.id;
    for (unsigned i = 0; i < 600; i++) {
        int fd = wt_connect(s.w.ports[0]);
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
    good_peer_gets_in(&s);
    cr_assert_eq(s.one->listener.listener.id, listener, "it did not have to be replaced");
    close_site(&s);
}

/* A listener that NNG has ended is put back: here it is ended on purpose. */
QK_TEST(hostile, a_dead_listener_is_replaced)
{
    struct site s;
    open_site(&s);
    s.one = wt_mesh(&s.w, 1, NULL, &s.in[0]);
    cr_assert_eq(nng_listener_close(s.one->listener.listener), 0);
    /* what the check would find: somebody got through, and no pipe came of it */
    atomic_fetch_add(&s.one->listener.stats->through, 1);
    good_peer_gets_in(&s);
    close_site(&s);
}

/* ---- a pinned peer that misbehaves ---- */

static void hang_up(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    (void)event;
    atomic_fetch_add((atomic_uint *)arg, 1);
    wire_tls_cut(pipe);
}

static bool hung_up_often(void *arg)
{
    return atomic_load((atomic_uint *)arg) >= 60;
}

/* A connection that goes while it comes: its end is told (and the dialer closed) by one thread
 * while another still tells its beginning. Neither may wait for the other. */
QK_TEST(hostile, a_peer_that_hangs_up_at_once_does_not_stop_the_links)
{
    struct site s;
    open_site(&s);
    atomic_uint count = 0;
    char url[64];
    (void)snprintf(url, sizeof url, "tls+tcp://127.0.0.1:%u", s.w.ports[1]);
    struct wire_tls_pin pin = {
        .key = s.w.cluster->nodes[0].key, .cert = s.w.cluster->nodes[0].cert};
    struct wire_tls_setup setup = {
        .server = true, .identity = s.w.nodes[1], .pins = &pin, .n_pins = 1, .handshake_ms = 5000};
    nng_socket pull;
    struct wire_listener listener = {0};
    cr_assert_eq(nng_pull0_open(&pull), 0);
    cr_assert_eq(nng_pipe_notify(pull, NNG_PIPE_EV_ADD_POST, hang_up, &count), 0);
    qk_assert_ok(wire_listener_open(&listener, pull, url, &setup));
    struct wire_mesh_config cfg = wt_mesh_config(&s.w, 1, &s.in[0]);
    cfg.reconnect_min_ms = cfg.reconnect_max_ms = 1;
    cfg.heartbeat_ms = 10;
    qk_assert_ok(wire_mesh_new(&s.one, &cfg));
    qk_assert_ok(wire_mesh_start(s.one));
    cr_assert(wt_until(hung_up_often, &count));
    wire_tls_cut_all(listener.stats);
    (void)nng_close(pull);
    wire_listener_free(&listener);
    good_peer_gets_in(&s);
    close_site(&s);
}

/* Node 2's identity on a bare PUSH socket. */
struct puppet {
    nng_socket push;
    pthread_mutex_t lock;
    struct wire_dialer dialer;
};

static void puppet_open(struct puppet *p, const struct wt_world *w)
{
    memset(p, 0, sizeof *p);
    (void)pthread_mutex_init(&p->lock, NULL);
    char url[64];
    (void)snprintf(url, sizeof url, "tls+tcp://127.0.0.1:%u", w->ports[0]);
    struct wire_tls_pin pin = {.key = w->cluster->nodes[0].key, .cert = w->cluster->nodes[0].cert};
    struct wire_tls_setup setup = {
        .identity = w->nodes[1], .pins = &pin, .n_pins = 1, .handshake_ms = 5000};
    cr_assert_eq(nng_push0_open(&p->push), 0);
    (void)pthread_mutex_lock(&p->lock);
    qk_assert_ok(wire_dialer_open(&p->dialer, &p->lock, p->push, url, &setup, 10, 50));
    (void)pthread_mutex_unlock(&p->lock);
}

static void puppet_close(struct puppet *p)
{
    wire_tls_cut_all(p->dialer.stats);
    (void)nng_close(p->push);
    wire_dialer_free(&p->dialer);
    (void)pthread_mutex_destroy(&p->lock);
}

static bool puppet_send(struct puppet *p, const void *bytes, size_t len)
{
    nng_msg *msg;
    cr_assert_eq(nng_msg_alloc(&msg, 0), 0);
    cr_assert_eq(nng_msg_append(msg, bytes, len), 0);
    (void)nng_socket_set_ms(p->push, NNG_OPT_SENDTIMEO, 5000);
    if (nng_sendmsg(p->push, msg, 0) == 0) return true;
    nng_msg_free(msg);
    return false;
}

static void puppet_hello(struct puppet *p, const struct wt_world *w)
{
    struct wire_hello h = {WIRE_LINK_VERSION, {0}, 2, 1};
    memcpy(h.cluster, w->cluster->hash, 32);
    uint8_t bytes[WIRE_HELLO_LEN];
    wire_hello_encode(&h, bytes);
    cr_assert(puppet_send(p, bytes, sizeof bytes));
}

static const uint8_t good_batch[] = {3, 0, 0, 0, 2, 'h', 'i'};

struct expect {
    struct site *s;
    uint64_t garbage, refused;
};

static bool has_stats(void *arg)
{
    struct expect *e = arg;
    struct wire_mesh_stats st;
    qk_assert_ok(wire_mesh_stats(e->s->one, 2, &st));
    return st.garbage >= e->garbage && st.refused >= e->refused;
}

QK_TEST(hostile, C_6_garbage_is_dropped_and_counted_and_the_link_goes_on)
{
    struct site s;
    struct puppet p;
    open_site(&s);
    s.one = wt_mesh(&s.w, 1, NULL, &s.in[0]);
    puppet_open(&p, &s.w);
    puppet_hello(&p, &s.w);
    cr_assert(puppet_send(&p, good_batch, sizeof good_batch));
    static const uint8_t bent[] = {3, 0, 0x40, 0, 2, 'h', 'i'}; /* C-6: one bit flipped */
    cr_assert(puppet_send(&p, bent, sizeof bent));
    cr_assert(puppet_send(&p, "\xff\xfe\xfd", 3));
    cr_assert(puppet_send(&p, good_batch, sizeof good_batch));
    cr_assert(wt_wait_messages(&s.in[0], 2), "both good ones, on one link");
    struct wire_mesh_stats st;
    qk_assert_ok(wire_mesh_stats(s.one, 2, &st));
    cr_assert_eq(st.garbage, 2);
    cr_assert_eq(s.in[0].n, 2);
    puppet_close(&p);
    close_site(&s);
}

QK_TEST(hostile, C_6_enough_garbage_cuts_the_peer_off_for_a_while)
{
    struct site s;
    struct puppet p;
    open_site(&s);
    struct wire_mesh_config cfg = wt_mesh_config(&s.w, 1, &s.in[0]);
    cfg.garbage_limit = 5;
    cfg.refuse_ms = 1500;
    qk_assert_ok(wire_mesh_new(&s.one, &cfg));
    qk_assert_ok(wire_mesh_start(s.one));
    puppet_open(&p, &s.w);
    puppet_hello(&p, &s.w);
    for (unsigned i = 0; i < 5; i++) cr_assert(puppet_send(&p, "garbage", 7)); /* C-6 */
    struct expect e = {&s, 5, 1};
    cr_assert(wt_until(has_stats, &e), "cut off, dialled again, refused");
    cr_assert_eq(s.in[0].n, 0);
    puppet_close(&p);
    good_peer_gets_in(&s); /* once the time is over */
    close_site(&s);
}

QK_TEST(hostile, first_frame_must_be_a_right_hello)
{
    static const struct {
        const char *what;
        uint16_t version, from, to;
        bool foreign;
    } bad[] = {
        {"another version", 2, 2, 1, false},
        {"says it is node 3", 1, 3, 1, false},
        {"meant for node 3", 1, 2, 3, false},
        {"another cluster", 1, 2, 1, true},
    };
    struct site s;
    struct puppet p;
    open_site(&s);
    s.one = wt_mesh(&s.w, 1, NULL, &s.in[0]);
    for (size_t i = 0; i < QK_COUNT(bad); i++) {
        struct wire_mesh_stats before;
        qk_assert_ok(wire_mesh_stats(s.one, 2, &before));
        puppet_open(&p, &s.w);
        struct wire_hello h = {bad[i].version, {0}, bad[i].from, bad[i].to};
        memcpy(h.cluster, s.w.cluster->hash, 32);
        h.cluster[5] ^= bad[i].foreign;
        uint8_t bytes[WIRE_HELLO_LEN];
        wire_hello_encode(&h, bytes);
        struct expect e = {&s, 0, before.refused + 1};
        for (int k = 0; k < 6000 && !has_stats(&e); k++) { /* a line being replaced loses it */
            if (k % 500 == 0) cr_assert(puppet_send(&p, bytes, sizeof bytes));
            wt_sleep_ms(10);
        }
        cr_assert(has_stats(&e), "%s", bad[i].what);
        (void)puppet_send(&p, good_batch, sizeof good_batch); /* on the next line, without hello */
        puppet_close(&p);
    }
    puppet_open(&p, &s.w); /* no hello at all */
    (void)puppet_send(&p, good_batch, sizeof good_batch);
    puppet_close(&p);
    good_peer_gets_in(&s);
    cr_assert_eq(s.in[0].n, 1, "only the good peer's message came through");
    close_site(&s);
}

QK_TEST(hostile, oversize_frames_end_the_connection_before_they_are_read)
{
    struct site s;
    struct puppet p;
    open_site(&s);
    s.one = wt_mesh(&s.w, 1, NULL, &s.in[0]);
    puppet_open(&p, &s.w);
    puppet_hello(&p, &s.w);
    uint8_t *big = calloc(1, WIRE_FRAME_MAX + 1);
    cr_assert_not_null(big);
    big[0] = 3;
    (void)puppet_send(&p, big, WIRE_FRAME_MAX + 1);
    free(big);
    cr_assert(
        wt_until(has_stats, &(struct expect){&s, 0, 0})); /* alive; nothing of it was delivered */
    puppet_close(&p);
    good_peer_gets_in(&s);
    struct wire_mesh_stats st;
    qk_assert_ok(wire_mesh_stats(s.one, 2, &st));
    cr_assert_eq(st.garbage, 0, "it was never taken in");
    cr_assert_eq(s.in[0].n, 1);
    close_site(&s);
}

/* ---- the wire itself ---- */

QK_TEST(hostile, C_6_a_bit_flipped_under_way_costs_the_connection_and_nothing_else)
{
    struct site s;
    open_site(&s);
    struct wt_proxy *proxy = wt_proxy_new(s.w.ports[0]);
    struct wire_cluster *via = wt_moved(&s.w, 1, wt_proxy_port(proxy));
    char url[64];
    (void)snprintf(url, sizeof url, "tls+tcp://127.0.0.1:%u", s.w.ports[0]);
    struct wire_mesh_config cfg = wt_mesh_config(&s.w, 1, &s.in[0]);
    cfg.cluster = via;
    cfg.listen = url;
    qk_assert_ok(wire_mesh_new(&s.one, &cfg));
    qk_assert_ok(wire_mesh_start(s.one));
    s.two = wt_mesh(&s.w, 2, via, &s.in[1]);
    for (unsigned round = 0; round < 3; round++) {
        cr_assert(wt_wait_ups(&s.in[1], 1, round + 1));
        wt_proxy_flip(proxy, 7 + round * 20); /* C-6: somewhere in a record */
        cr_assert(wt_wait_downs(&s.in[1], 1, round + 1), "the record did not authenticate");
    }
    cr_assert(wt_wait_ups(&s.in[1], 1, 4), "the link is back");
    cr_assert_eq(s.in[0].n, 0);
    qk_err err = QK_E_IO;
    for (unsigned i = 0; i < 500 && err != QK_OK; i++, wt_sleep_ms(10))
        err = wire_mesh_send(s.two, 1, qk_str("whole"));
    qk_assert_ok(err);
    cr_assert(wt_wait_messages(&s.in[0], 1));
    cr_assert(qk_bytes_is(s.in[0].messages[0].bytes, "whole"));
    wire_mesh_free(s.one);
    s.one = NULL;
    wire_mesh_free(s.two);
    s.two = NULL;
    wt_proxy_free(proxy);
    wire_cluster_free(via);
    close_site(&s);
}

/* ---- frozen and killed peers: real processes, made before NNG starts ---- */

static bool busy_or_down(void *arg)
{
    static uint8_t chunk[65536];
    return wire_mesh_send(arg, 2, QK_BYTES(chunk)) != QK_OK;
}

QK_TEST(hostile, a_frozen_peer_is_noticed_and_a_thawed_one_is_back)
{
    struct site s;
    open_site(&s);
    pid_t pid = wt_child_node(&s.w, 2);
    s.one = wt_mesh(&s.w, 1, NULL, &s.in[0]);
    cr_assert(wt_wait_ups(&s.in[0], 2, 1));
    cr_assert_eq(kill(pid, SIGSTOP), 0); /* its kernel keeps the connections open */
    cr_assert(wt_wait_downs(&s.in[0], 2, 1));
    cr_assert_eq(kill(pid, SIGCONT), 0);
    cr_assert(wt_wait_ups(&s.in[0], 2, 2));
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    close_site(&s);
}

QK_TEST(hostile, backpressure_is_busy_not_growth)
{
    struct site s;
    open_site(&s);
    pid_t pid = wt_child_node(&s.w, 2);
    struct wire_mesh_config cfg = wt_mesh_config(&s.w, 1, &s.in[0]);
    cfg.dead_after_ms = 30000; /* it is to be slow, not dead */
    cfg.queue_bytes = 1 << 20;
    qk_assert_ok(wire_mesh_new(&s.one, &cfg));
    qk_assert_ok(wire_mesh_start(s.one));
    cr_assert(wt_wait_ups(&s.in[0], 2, 1));
    cr_assert_eq(kill(pid, SIGSTOP), 0);
    cr_assert(wt_until(busy_or_down, s.one));
    static uint8_t chunk[65536];
    qk_assert_err(wire_mesh_send(s.one, 2, QK_BYTES(chunk)), QK_E_BUSY);
    struct wire_mesh_stats st;
    qk_assert_ok(wire_mesh_stats(s.one, 2, &st));
    cr_assert_leq(st.queued_bytes, cfg.queue_bytes);
    cr_assert_geq(st.busy, 2);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    cr_assert(wt_wait_downs(&s.in[0], 2, 1), "killed: noticed at once");
    close_site(&s);
}

QK_TEST(hostile, a_killed_peer_that_restarts_is_back)
{
    struct site s;
    open_site(&s);
    pid_t first = wt_child_node(&s.w, 2);
    s.one = NULL;
    pid_t relay = fork(); /* starts the second one after a while: fork must precede our NNG */
    cr_assert_geq(relay, 0);
    if (relay == 0) {
        wt_sleep_ms(1500);
        (void)kill(first, SIGKILL);
        wt_sleep_ms(300);
        struct wt_inbox in;
        wt_inbox_init(&in);
        (void)wt_mesh(&s.w, 2, NULL, &in);
        for (;;) (void)pause();
    }
    s.one = wt_mesh(&s.w, 1, NULL, &s.in[0]);
    cr_assert(wt_wait_ups(&s.in[0], 2, 1));
    cr_assert(wt_wait_downs(&s.in[0], 2, 1));
    cr_assert(wt_wait_ups(&s.in[0], 2, 2));
    (void)kill(relay, SIGKILL);
    (void)waitpid(relay, NULL, 0);
    (void)waitpid(first, NULL, 0);
    close_site(&s);
}
