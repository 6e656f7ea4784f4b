#include "wiretest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include "qk/clock.h"
#include "qk/log.h"

static void must(bool ok, const char *what)
{
    if (ok) return;
    fprintf(stderr, "wiretest: %s failed: %s\n", what, strerror(errno));
    abort();
}
#define MUST(expr) must((expr), #expr)

static struct sockaddr_in local(uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

static int listen_on(uint16_t *port)
{
    struct sockaddr_in a = local(*port);
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    MUST(fd >= 0);
    MUST(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0);
    MUST(bind(fd, (struct sockaddr *)&a, sizeof a) == 0);
    MUST(listen(fd, 64) == 0);
    MUST(getsockname(fd, (struct sockaddr *)&a, &len) == 0);
    *port = ntohs(a.sin_port);
    return fd;
}

uint16_t wt_free_port(void)
{
    uint16_t port = 0;
    (void)close(listen_on(&port));
    return port;
}

int wt_connect(uint16_t port)
{
    struct sockaddr_in a = local(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MUST(fd >= 0);
    if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0) return fd;
    (void)close(fd);
    return -1;
}

void wt_sleep_ms(unsigned ms)
{
    struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};
    (void)nanosleep(&t, NULL);
}

bool wt_until(bool (*cond)(void *arg), void *arg)
{
    for (uint64_t end = qk_mono_ms() + WT_WAIT_MS; qk_mono_ms() < end; wt_sleep_ms(10))
        if (cond(arg)) return true;
    return cond(arg);
}

bool wt_closed_by_peer(int fd)
{
    for (uint64_t end = qk_mono_ms() + WT_WAIT_MS; qk_mono_ms() < end;) {
        uint8_t buf[512];
        struct pollfd p = {fd, POLLIN, 0};
        if (poll(&p, 1, 100) > 0 && recv(fd, buf, sizeof buf, 0) <= 0) return true;
    }
    return false;
}

/* ---- world ---- */

static void address(char out[static 64], uint16_t port)
{
    (void)snprintf(out, 64, "tls+tcp://127.0.0.1:%u", port);
}

static struct wire_cluster *build(
    const struct wt_world *w, const char *name, const uint16_t ports[static WT_NODES])
{
    static const uint8_t id[16] = {1, 2, 3};
    QK_AUTO_BUF text = QK_BUF(WIRE_CLUSTER_FILE_MAX);
    wire_cluster_put(&text, name, id, "123456789012", "eu-test-1", 2);
    for (unsigned i = 0; i < WT_NODES; i++) {
        char mesh[64], call[64];
        address(mesh, ports[i]);
        address(call, w->call_ports[i]);
        wire_cluster_put_node(
            &text, (uint16_t)(i + 1), mesh, call, wire_identity_cert(w->nodes[i]));
    }
    wire_cluster_put_coordinator(&text, "alpha", wire_identity_cert(w->coordinator));
    wire_cluster_put_operator(&text, "alice", wire_key_spki(wire_identity_key(w->operator_)));
    char why[256];
    struct wire_cluster *cluster = NULL;
    if (wire_cluster_parse(&cluster, qk_buf_view(&text), why, sizeof why) != QK_OK) {
        fprintf(stderr, "wiretest: %s\n", why);
        abort();
    }
    return cluster;
}

/* All held until the last is found, or one might come twice. */
static void free_ports(struct wt_world *w)
{
    int fds[2 * WT_NODES];
    for (unsigned i = 0; i < WT_NODES; i++) {
        fds[2 * i] = listen_on(&w->ports[i]);
        fds[2 * i + 1] = listen_on(&w->call_ports[i]);
    }
    for (unsigned i = 0; i < 2 * WT_NODES; i++) (void)close(fds[i]);
}

void wt_world_init(struct wt_world *w)
{
    memset(w, 0, sizeof *w);
    qk_log_setup(getenv("WT_LOG") != NULL ? 2 : -1, QK_DEBUG, "test");
    for (unsigned i = 0; i < WT_NODES; i++) {
        MUST(wire_identity_generate(&w->nodes[i], "node") == QK_OK);
    }
    free_ports(w);
    MUST(wire_identity_generate(&w->coordinator, "alpha") == QK_OK);
    MUST(wire_identity_generate(&w->operator_, "alice") == QK_OK);
    MUST(wire_identity_generate(&w->rogue, "rogue") == QK_OK);
    w->cluster = build(w, "test", w->ports);
}

void wt_world_free(struct wt_world *w)
{
    for (unsigned i = 0; i < WT_NODES; i++) wire_identity_free(w->nodes[i]);
    wire_identity_free(w->coordinator);
    wire_identity_free(w->operator_);
    wire_identity_free(w->rogue);
    wire_cluster_free(w->cluster);
}

struct wire_cluster *wt_other_cluster(const struct wt_world *w)
{
    return build(w, "other", w->ports);
}

struct wire_cluster *wt_moved(const struct wt_world *w, uint16_t id, uint16_t port)
{
    uint16_t ports[WT_NODES];
    memcpy(ports, w->ports, sizeof ports);
    ports[id - 1] = port;
    return build(w, "test", ports);
}

/* ---- inbox ---- */

void wt_inbox_init(struct wt_inbox *in)
{
    memset(in, 0, sizeof *in);
    (void)pthread_mutex_init(&in->lock, NULL);
    (void)pthread_cond_init(&in->changed, NULL);
}

void wt_inbox_free(struct wt_inbox *in)
{
    for (size_t i = 0; i < in->n; i++) free((void *)(uintptr_t)in->messages[i].bytes.p);
    free(in->messages);
    (void)pthread_cond_destroy(&in->changed);
    (void)pthread_mutex_destroy(&in->lock);
}

void wt_on_message(void *inbox, uint16_t from, struct qk_bytes bytes)
{
    struct wt_inbox *in = inbox;
    uint8_t *copy = malloc(bytes.len);
    MUST(copy != NULL);
    memcpy(copy, bytes.p, bytes.len);
    (void)pthread_mutex_lock(&in->lock);
    if (in->n == in->cap) {
        in->cap = in->cap * 2 + 16;
        in->messages = realloc(in->messages, in->cap * sizeof *in->messages);
        MUST(in->messages != NULL);
    }
    in->messages[in->n++] = (struct wt_message){from, qk_bytes(copy, bytes.len)};
    (void)pthread_cond_broadcast(&in->changed);
    (void)pthread_mutex_unlock(&in->lock);
}

void wt_on_peer(void *inbox, uint16_t id, bool up)
{
    struct wt_inbox *in = inbox;
    (void)pthread_mutex_lock(&in->lock);
    if (up)
        in->ups[id]++;
    else
        in->downs[id]++;
    (void)pthread_cond_broadcast(&in->changed);
    (void)pthread_mutex_unlock(&in->lock);
}

/* Wait until *counter >= n. */
static bool wait_count(struct wt_inbox *in, const void *counter, bool is_size, size_t n)
{
    struct timespec end;
    (void)clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += WT_WAIT_MS / 1000;
    (void)pthread_mutex_lock(&in->lock);
    int rv = 0;
    bool enough;
    for (;;) {
        size_t have = is_size ? *(const size_t *)counter : *(const unsigned *)counter;
        enough = have >= n;
        if (enough || rv != 0) break;
        rv = pthread_cond_timedwait(&in->changed, &in->lock, &end);
    }
    (void)pthread_mutex_unlock(&in->lock);
    return enough;
}

bool wt_wait_messages(struct wt_inbox *in, size_t n)
{
    return wait_count(in, &in->n, true, n);
}
bool wt_wait_ups(struct wt_inbox *in, uint16_t id, unsigned n)
{
    return wait_count(in, &in->ups[id], false, n);
}
bool wt_wait_downs(struct wt_inbox *in, uint16_t id, unsigned n)
{
    return wait_count(in, &in->downs[id], false, n);
}

struct wire_mesh_config wt_mesh_config(const struct wt_world *w, uint16_t id, struct wt_inbox *in)
{
    return (struct wire_mesh_config){.cluster = w->cluster,
        .identity = w->nodes[id - 1],
        .self = id,
        .on_message = wt_on_message,
        .on_peer = wt_on_peer,
        .ctx = in,
        .heartbeat_ms = 100,
        .dead_after_ms = 2000,
        .handshake_ms = 1000,
        .reconnect_min_ms = 20,
        .reconnect_max_ms = 200};
}

struct wire_mesh *wt_mesh(
    const struct wt_world *w, uint16_t id, const struct wire_cluster *cluster, struct wt_inbox *in)
{
    struct wire_mesh_config cfg = wt_mesh_config(w, id, in);
    if (cluster != NULL) cfg.cluster = cluster;
    struct wire_mesh *m = NULL;
    MUST(wire_mesh_new(&m, &cfg) == QK_OK);
    MUST(wire_mesh_start(m) == QK_OK);
    return m;
}

pid_t wt_child_node(const struct wt_world *w, uint16_t id)
{
    pid_t parent = getpid(), pid = fork();
    MUST(pid >= 0);
    if (pid != 0) return pid;
    MUST(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
    if (getppid() != parent) _exit(1);
    struct wt_inbox in;
    wt_inbox_init(&in);
    (void)wt_mesh(w, id, NULL, &in);
    for (;;) (void)pause();
}

/* ---- proxy ---- */

enum { PROXY_CONNS = 64 };

struct wt_proxy {
    int listen_fd;
    uint16_t port, to_port;
    pthread_t thread;
    pthread_mutex_t lock;
    bool stop, stall, flip;
    size_t flip_after;
    size_t slow; /* bytes every 10 ms; 0: as it comes */
    unsigned n_connections;
    size_t n;
    struct {
        int client, server;
    } conns[PROXY_CONNS];
};

static void proxy_accept(struct wt_proxy *p)
{
    int client = accept4(p->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (client < 0) return;
    int server = p->n < PROXY_CONNS ? wt_connect(p->to_port) : -1;
    if (server < 0) {
        (void)close(client);
        return;
    }
    p->conns[p->n].client = client;
    p->conns[p->n++].server = server;
    (void)pthread_mutex_lock(&p->lock);
    p->n_connections++;
    (void)pthread_mutex_unlock(&p->lock);
}

static void proxy_spoil(struct wt_proxy *p, uint8_t *buf, size_t len)
{
    (void)pthread_mutex_lock(&p->lock);
    if (p->flip && p->flip_after < len) {
        buf[p->flip_after] ^= 0x10;
        p->flip = false;
    } else if (p->flip) {
        p->flip_after -= len;
    }
    (void)pthread_mutex_unlock(&p->lock);
}

static bool proxy_move(struct wt_proxy *p, int from, int to, bool upward)
{
    uint8_t buf[16384];
    (void)pthread_mutex_lock(&p->lock);
    size_t most = p->slow > 0 && p->slow < sizeof buf ? p->slow : sizeof buf;
    (void)pthread_mutex_unlock(&p->lock);
    ssize_t n = recv(from, buf, most, 0);
    if (n <= 0) return false;
    if (upward) proxy_spoil(p, buf, (size_t)n);
    for (ssize_t done = 0; done < n;) {
        ssize_t k = send(to, buf + done, (size_t)(n - done), MSG_NOSIGNAL);
        if (k <= 0) return false;
        done += k;
    }
    return true;
}

static void proxy_drop(struct wt_proxy *p, size_t i)
{
    (void)close(p->conns[i].client);
    (void)close(p->conns[i].server);
    p->conns[i] = p->conns[--p->n];
}

static void proxy_round(struct wt_proxy *p, bool stall, bool slow)
{
    struct pollfd fds[1 + 2 * PROXY_CONNS];
    size_t n = p->n;
    fds[0] = (struct pollfd){p->listen_fd, POLLIN, 0};
    for (size_t i = 0; i < n; i++) {
        fds[1 + 2 * i] = (struct pollfd){p->conns[i].client, POLLIN, 0};
        fds[2 + 2 * i] = (struct pollfd){p->conns[i].server, POLLIN, 0};
    }
    if (stall) {
        wt_sleep_ms(10);
        return;
    }
    if (poll(fds, (nfds_t)(1 + 2 * n), 10) <= 0) return;
    for (size_t i = n; i-- > 0;) {
        bool ok = true;
        if (fds[1 + 2 * i].revents)
            ok = proxy_move(p, p->conns[i].client, p->conns[i].server, true);
        if (ok && fds[2 + 2 * i].revents)
            ok = proxy_move(p, p->conns[i].server, p->conns[i].client, false);
        if (!ok) proxy_drop(p, i);
    }
    if (fds[0].revents) proxy_accept(p);
    if (slow) wt_sleep_ms(10);
}

static void *proxy_run(void *arg)
{
    struct wt_proxy *p = arg;
    for (;;) {
        (void)pthread_mutex_lock(&p->lock);
        bool stop = p->stop, stall = p->stall, slow = p->slow > 0;
        (void)pthread_mutex_unlock(&p->lock);
        if (stop) return NULL;
        proxy_round(p, stall, slow);
    }
}

struct wt_proxy *wt_proxy_new(uint16_t to_port)
{
    struct wt_proxy *p = calloc(1, sizeof *p);
    MUST(p != NULL);
    p->to_port = to_port;
    p->listen_fd = listen_on(&p->port);
    (void)pthread_mutex_init(&p->lock, NULL);
    MUST(pthread_create(&p->thread, NULL, proxy_run, p) == 0);
    return p;
}

uint16_t wt_proxy_port(const struct wt_proxy *p)
{
    return p->port;
}

void wt_proxy_flip(struct wt_proxy *p, size_t skip)
{
    (void)pthread_mutex_lock(&p->lock);
    p->flip = true;
    p->flip_after = skip;
    (void)pthread_mutex_unlock(&p->lock);
}

void wt_proxy_stall(struct wt_proxy *p, bool on)
{
    (void)pthread_mutex_lock(&p->lock);
    p->stall = on;
    (void)pthread_mutex_unlock(&p->lock);
}

void wt_proxy_slow(struct wt_proxy *p, size_t bytes)
{
    (void)pthread_mutex_lock(&p->lock);
    p->slow = bytes;
    (void)pthread_mutex_unlock(&p->lock);
}

unsigned wt_proxy_connections(struct wt_proxy *p)
{
    (void)pthread_mutex_lock(&p->lock);
    unsigned n = p->n_connections;
    (void)pthread_mutex_unlock(&p->lock);
    return n;
}

void wt_proxy_free(struct wt_proxy *p)
{
    (void)pthread_mutex_lock(&p->lock);
    p->stop = true;
    (void)pthread_mutex_unlock(&p->lock);
    (void)pthread_join(p->thread, NULL);
    while (p->n > 0) proxy_drop(p, p->n - 1);
    (void)close(p->listen_fd);
    (void)pthread_mutex_destroy(&p->lock);
    free(p);
}
