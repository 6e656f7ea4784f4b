#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>
#include "common/tell.h"
#include "protocol/measure.h"
#include "protocol/names.h"

/* A node that holds one presignature and answers one request: digest and req in, its part out. */
struct node {
    struct bench_key *k;
    int combiner_fd, node_fd;
    _Atomic(struct mpc_presig *) presig;
    pthread_t thread;
    bool running;
};

struct online {
    struct bench_key *k;
    struct node node[BENCH_NODES];
    size_t digest_len;
    uint8_t request[MPC_ECDSA_DIGEST_MAX + 32]; /* digest, req */
};

/* ---- bytes over a connection ---- */

static qk_err put(int fd, const uint8_t *p, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
        QK_ENSURE(n > 0, QK_E_IO);
        p += n;
        len -= (size_t)n;
    }
    return QK_OK;
}

static qk_err get(int fd, uint8_t *p, size_t len)
{
    ssize_t n = recv(fd, p, len, MSG_WAITALL);
    return n >= 0 && (size_t)n == len ? QK_OK : QK_E_IO;
}

/* Both ends of a TCP connection on 127.0.0.1. */
static qk_err tcp_pair(int listener, int *a, int *b)
{
    int on = 1;
    struct sockaddr_in at;
    socklen_t len = sizeof at;
    QK_ENSURE(getsockname(listener, (struct sockaddr *)&at, &len) == 0, QK_E_IO);
    *a = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    QK_ENSURE(*a >= 0 && connect(*a, (struct sockaddr *)&at, len) == 0, QK_E_IO);
    *b = accept(listener, NULL, NULL);
    QK_ENSURE(*b >= 0, QK_E_IO);
    setsockopt(*a, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(*b, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return QK_OK;
}

static int make_listener(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&any, sizeof any) == 0 && listen(fd, 8) == 0)
        return fd;
    if (fd >= 0) close(fd);
    return -1;
}

/* ---- a node's thread ---- */

static qk_err answer(struct node *n, const uint8_t *request, size_t digest_len)
{
    uint16_t ids[BENCH_NODES];
    uint8_t out[MPC_ECDSA_PART_MAX];
    struct mpc_ecdsa_part part;
    for (unsigned i = 0; i < n->k->t; i++) ids[i] = n->k->peers[i].id;
    QK_TRY(mpc_presig_use(atomic_load(&n->presig), &n->k->rec, ids, n->k->t,
        qk_bytes(request, digest_len), request + digest_len, &part));
    QK_TRY(mpc_ecdsa_part_encode(&part, out));
    return put(n->node_fd, out, mpc_ecdsa_part_len(n->k->c->id));
}

static void *serve(void *arg)
{
    struct node *n = arg;
    uint8_t request[MPC_ECDSA_DIGEST_MAX + 32];
    size_t digest_len = mpc_ecdsa_digest_len(n->k->c->id);
    while (get(n->node_fd, request, digest_len + 32) == QK_OK)
        if (answer(n, request, digest_len) != QK_OK) break;
    shutdown(n->node_fd, SHUT_RDWR); /* the combiner's read fails instead of waiting */
    return NULL;
}

static void online_end(struct online *o)
{
    for (unsigned i = 0; i < BENCH_NODES; i++) {
        struct node *n = &o->node[i];
        if (n->combiner_fd >= 0) shutdown(n->combiner_fd, SHUT_RDWR);
        if (n->running) pthread_join(n->thread, NULL);
        if (n->combiner_fd >= 0) close(n->combiner_fd);
        if (n->node_fd >= 0) close(n->node_fd);
        mpc_presig_free(atomic_load(&n->presig));
    }
}

static qk_err online_start(struct online *o, int listener)
{
    QK_ENSURE(listener >= 0, QK_E_IO);
    for (unsigned i = 0; i < o->k->t; i++) {
        struct node *n = &o->node[i];
        QK_TRY(tcp_pair(listener, &n->combiner_fd, &n->node_fd));
        QK_ENSURE(pthread_create(&n->thread, NULL, serve, n) == 0, QK_E_NOMEM);
        n->running = true;
    }
    return QK_OK;
}

/* ---- the combiner ---- */

static qk_err make_presigs(struct online *o)
{
    struct bench_net net = {0};
    qk_err err = bench_key_sign(o->k, &net, qk_bytes(NULL, 0));
    for (unsigned i = 0; err == QK_OK && i < o->k->t; i++) {
        struct mpc_presig *fresh = NULL;
        err = mpc_ecdsa_take_presig(net.p[i].party, &fresh);
        mpc_presig_free(atomic_exchange(&o->node[i].presig, fresh));
    }
    bench_net_free(&net);
    return err;
}

static qk_err exchange(struct online *o, const uint8_t *sid)
{
    uint8_t enc[MPC_ECDSA_PART_MAX];
    struct mpc_ecdsa_part part[BENCH_NODES];
    QK_AUTO_BUF der = QK_BUF(MPC_ECDSA_DER_MAX);
    size_t len = mpc_ecdsa_part_len(o->k->c->id);
    struct mpc_ecdsa_offset offset = {.sid = sid, .req = o->request + o->digest_len};
    for (unsigned i = 0; i < o->k->t; i++)
        QK_TRY(put(o->node[i].combiner_fd, o->request, o->digest_len + 32));
    for (unsigned i = 0; i < o->k->t; i++) {
        QK_TRY(get(o->node[i].combiner_fd, enc, len));
        QK_TRY(mpc_ecdsa_part_decode(&part[i], o->k->c->id, qk_bytes(enc, len)));
    }
    return mpc_ecdsa_combine(
        &o->k->rec, part, o->k->t, qk_bytes(o->request, o->digest_len), &offset, &der);
}

static qk_err once(struct online *o, struct bench_row *row)
{
    uint8_t sid[32];
    QK_TRY(make_presigs(o));
    memcpy(sid, mpc_presig_sid(atomic_load(&o->node[0].presig)), sizeof sid);
    QK_TRY(qk_rng_fill(qk_rng_system(), o->request, o->digest_len + 32));
    uint64_t t0 = bench_mono_ns();
    QK_TRY(exchange(o, sid));
    uint64_t t1 = bench_mono_ns();
    return row ? bench_row_add(row, t1 - t0) : QK_OK;
}

qk_err bench_measure_online(
    struct bench_table *t, const struct bench_plan *plan, struct bench_key *k)
{
    struct online o = {.k = k, .digest_len = mpc_ecdsa_digest_len(k->c->id)};
    struct bench_row *row = bench_table_row(t, ROW_ONLINE, k->c->name, "(elapsed)");
    int listener = make_listener();
    for (unsigned i = 0; i < BENCH_NODES; i++)
        o.node[i] = (struct node){.k = k, .combiner_fd = -1, .node_fd = -1};
    qk_err err = online_start(&o, listener);
    uint64_t end = bench_mono_ns() + (uint64_t)(plan->seconds * 1e9);
    for (unsigned i = 0; err == QK_OK && (i <= BENCH_RUNS_MIN || bench_mono_ns() < end); i++) {
        bench_progress("%s: online part over loopback, run %u", k->c->name, i);
        err = once(&o, i > 0 ? row : NULL);
    }
    online_end(&o);
    if (listener >= 0) close(listener);
    return err;
}
