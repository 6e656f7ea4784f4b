#include "nodebox.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "qk/clock.h"
#include "qk/file.h"
#include "qk/rng.h"
#include "seal/keysource.h"
#include "seal/seal.h"
#include "wire/bundle.h"
#include "wire/calls.h"

static void must(bool ok, int line, const char *what)
{
    if (ok) return;
    fprintf(stderr, "nodebox.c:%d: %s failed: %s\n", line, what, strerror(errno));
    abort();
}
#define MUST(expr) must((expr), __LINE__, #expr)

void nodebox_sleep_ms(unsigned ms)
{
    const struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};
    (void)nanosleep(&t, NULL);
}

void nodebox_path(const struct nodebox *box, uint16_t id, const char *name, char out[static 128])
{
    MUST(snprintf(out, 128, "%s/node-%u/%s", box->dir, id, name) < 128);
}

/* ---- making ---- */

static uint16_t port_of_kernel(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t len = sizeof a;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MUST(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0);
    MUST(getsockname(fd, (struct sockaddr *)&a, &len) == 0);
    (void)close(fd);
    return ntohs(a.sin_port);
}

/* cluster.conf takes no address twice, and the kernel may give a port again. */
static uint16_t free_port(void)
{
    static uint16_t drawn[64];
    static size_t n;
    for (;;) {
        uint16_t port = port_of_kernel();
        bool again = false;
        for (size_t i = 0; i < QK_COUNT(drawn); i++) again = again || drawn[i] == port;
        if (again) continue;
        drawn[n++ % QK_COUNT(drawn)] = port;
        return port;
    }
}

static void write_text(const char *path, const char *text, size_t len, unsigned mode)
{
    MUST(qk_file_write(path, qk_bytes(text, len), mode) == QK_OK);
}

static void make_cluster(struct nodebox *box)
{
    QK_AUTO_BUF text = QK_BUF(WIRE_CLUSTER_FILE_MAX);
    uint8_t id[16];
    char path[128], why[256], address[2][64];
    MUST(qk_rng_fill(qk_rng_system(), id, sizeof id) == QK_OK);
    wire_cluster_put(&text, "test", id, NB_ACCOUNT, NB_REGION, 2);
    for (uint16_t i = 1; i <= box->n; i++) {
        for (int k = 0; k < 2; k++)
            (void)snprintf(address[k], sizeof address[k], "tls+tcp://127.0.0.1:%u", free_port());
        wire_cluster_put_node(&text, i, address[0], address[1], wire_identity_cert(box->nodes[i]));
    }
    wire_cluster_put_coordinator(&text, "alpha", wire_identity_cert(box->coordinator));
    wire_cluster_put_operator(&text, NB_OPERATOR, wire_key_spki(wire_identity_key(box->operator_)));
    MUST(text.err == QK_OK);
    (void)snprintf(path, sizeof path, "%s/cluster.conf", box->dir);
    write_text(path, (const char *)text.p, text.len, 0644);
    qk_err err = wire_cluster_read(&box->cluster, path, why, sizeof why);
    if (err != QK_OK) fprintf(stderr, "%s\n", why);
    MUST(err == QK_OK);
}

void nodebox_configure(const struct nodebox *box, uint16_t id, const char *extra)
{
    char path[128];
    QK_AUTO_BUF text = QK_BUF(4096);
    qk_buf_printf(&text, "cluster = %s/cluster.conf\nnode_id = %u\n", box->dir, id);
    qk_buf_add_str(&text, extra == NULL ? "seccomp = off\n" : extra);
    MUST(text.err == QK_OK);
    nodebox_path(box, id, "node.conf", path);
    write_text(path, (const char *)text.p, text.len, 0644);
}

static void make_node(struct nodebox *box, uint16_t id, const char *extra)
{
    char path[128], cert[128];
    uint8_t key[32];
    QK_AUTO_BUF said = QK_BUF(65536);
    nodebox_path(box, id, "", path);
    MUST(mkdir(path, 0700) == 0);
    nodebox_path(box, id, "identity.key", path);
    nodebox_path(box, id, "identity.crt", cert);
    MUST(wire_identity_save(box->nodes[id], path, cert) == QK_OK);
    MUST(qk_rng_fill(qk_rng_system(), key, sizeof key) == QK_OK);
    nodebox_path(box, id, "node.key", path);
    write_text(path, (const char *)key, sizeof key, 0600);
    nodebox_configure(box, id, extra);
    nodebox_path(box, id, "node.conf", path);
    int status = nodebox_run((const char *const[]){"--init", "-c", path, NULL}, &said);
    if (status != 0) fprintf(stderr, "%.*s\n", (int)said.len, (const char *)said.p);
    MUST(status == 0);
}

static void make(struct nodebox *box, uint16_t n, const char *extra)
{
    memset(box, 0, sizeof *box);
    box->n = n;
    (void)snprintf(box->dir, sizeof box->dir, "/tmp/qkms-nodebox-XXXXXX");
    MUST(mkdtemp(box->dir) != NULL);
    for (uint16_t i = 1; i <= box->n; i++)
        MUST(wire_identity_generate(&box->nodes[i], "node") == QK_OK);
    MUST(wire_identity_generate(&box->coordinator, "alpha") == QK_OK);
    MUST(wire_identity_generate(&box->operator_, NB_OPERATOR) == QK_OK);
    MUST(wire_identity_generate(&box->rogue, "rogue") == QK_OK);
    make_cluster(box);
    for (uint16_t i = 1; i <= box->n; i++) make_node(box, i, extra);
}

void nodebox_make(struct nodebox *box, const char *extra)
{
    make(box, NB_NODES, extra);
}

/* ---- processes ---- */

static _Noreturn void become_node(const char *const *argv, int err_fd)
{
    const char *all[16] = {QK_NODE_BIN};
    for (size_t i = 0; argv[i] != NULL && i < 14; i++) all[i + 1] = argv[i];
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)dup2(err_fd, 2);
    (void)dup2(err_fd, 1);
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    execv(QK_NODE_BIN, (char *const *)(uintptr_t)all);
    _exit(127);
}

int nodebox_run(const char *const *argv, struct qk_buf *out)
{
    int ends[2], status;
    char part[4096];
    MUST(pipe2(ends, O_CLOEXEC) == 0);
    pid_t pid = fork();
    MUST(pid >= 0);
    if (pid == 0) become_node(argv, ends[1]);
    (void)close(ends[1]);
    for (ssize_t n; (n = read(ends[0], part, sizeof part)) > 0;) qk_buf_add(out, part, (size_t)n);
    (void)close(ends[0]);
    MUST(waitpid(pid, &status, 0) == pid);
    return status;
}

struct wire_client *nodebox_client(
    const struct nodebox *box, const struct wire_identity *identity, uint16_t id)
{
    const struct wire_node *node = wire_cluster_node(box->cluster, id);
    struct wire_client *client;
    struct wire_client_config config = {.url = node->call_address,
        .identity = identity,
        .server_cert = node->cert,
        .max_calls = 256,
        .dead_after_ms = 20000,
        .reconnect_min_ms = 20,
        .reconnect_max_ms = 200};
    MUST(wire_client_new(&client, &config) == QK_OK);
    return client;
}

bool nodebox_client_up(struct wire_client *client)
{
    for (uint64_t until = qk_mono_ms() + NB_WAIT_MS; qk_mono_ms() < until;) {
        if (wire_client_up(client)) return true;
        nodebox_sleep_ms(10);
    }
    return false;
}

void nodebox_start(struct nodebox *box, uint16_t id)
{
    char log[128], conf[128];
    nodebox_path(box, id, "log", log);
    nodebox_path(box, id, "node.conf", conf);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    MUST(fd >= 0 && box->pid[id] == 0);
    box->pid[id] = fork();
    MUST(box->pid[id] >= 0);
    if (box->pid[id] == 0) become_node((const char *const[]){"-c", conf, NULL}, fd);
    (void)close(fd);
    if (box->client[id] == NULL) box->client[id] = nodebox_client(box, box->coordinator, id);
}

static void show_log(const struct nodebox *box, uint16_t id)
{
    char path[128];
    QK_AUTO_BUF text = QK_BUF(64u << 20);
    nodebox_path(box, id, "log", path);
    if (qk_file_read(path, &text) != QK_OK) return;
    size_t from = text.len > 12000 ? text.len - 12000 : 0;
    fprintf(stderr, "---- log of node %u\n%.*s\n", id, (int)(text.len - from),
        (const char *)text.p + from);
}

int nodebox_stop(struct nodebox *box, uint16_t id, int sig)
{
    int status;
    MUST(box->pid[id] > 0 && kill(box->pid[id], sig) == 0);
    uint64_t until = qk_mono_ms() + NB_STOP_MS;
    pid_t got;
    while ((got = waitpid(box->pid[id], &status, WNOHANG)) == 0 && qk_mono_ms() < until)
        nodebox_sleep_ms(5);
    if (got == 0) { /* it does not end: show that by the status */
        fprintf(stderr, "node %u does not stop\n", id);
        MUST(kill(box->pid[id], SIGKILL) == 0);
        got = waitpid(box->pid[id], &status, 0);
    }
    MUST(got == box->pid[id]);
    box->pid[id] = 0;
    return status;
}

static bool is_ready(struct nodebox *box, uint16_t id)
{
    QK_AUTO_BUF bytes = QK_BUF(4096);
    NB_AUTO_ANSWER answer = {0};
    struct wire_call call = {.kind = WIRE_CALL_STATUS};
    if (waitpid(box->pid[id], NULL, WNOHANG) != 0) {
        show_log(box, id);
        fprintf(stderr, "node %u has ended\n", id);
        abort();
    }
    if (!wire_client_up(box->client[id])) return false;
    memcpy(call.cluster, box->cluster->hash, 32);
    (void)snprintf(call.request_id, sizeof call.request_id, "00000000-0000-4000-8000-000000000000");
    wire_call_encode(&bytes, &call);
    MUST(bytes.err == QK_OK);
    nb_start(box->client[id], qk_buf_view(&bytes), 10000, &answer);
    nb_wait(&answer);
    if (answer.err != QK_OK || answer.a.status != WIRE_ANSWER_OK) return false;
    char peer[64];
    struct qk_bytes json = answer.a.status_json;
    for (unsigned i = 1; i <= box->n; i++) {
        if (i == id || box->pid[i] == 0) continue;
        int n = snprintf(
            peer, sizeof peer, "{\"NodeId\":%u,\"Up\":true,\"Root1\":true,\"Root2\":true", i);
        if (memmem(json.p, json.len, peer, (size_t)n) == NULL) return false;
    }
    return memmem(json.p, json.len, "\"Ready\":true", 12) != NULL;
}

void nodebox_wait_ready(struct nodebox *box)
{
    uint64_t until = qk_mono_ms() + NB_WAIT_MS;
    for (uint16_t id = 1; id <= box->n;) {
        if (box->pid[id] == 0 || is_ready(box, id)) {
            id++;
            continue;
        }
        if (qk_mono_ms() > until) {
            for (uint16_t i = 1; i <= box->n; i++) show_log(box, i);
            fprintf(stderr, "node %u does not get ready\n", id);
            abort();
        }
        nodebox_sleep_ms(50);
    }
}

void nodebox_up_of(struct nodebox *box, uint16_t n, const char *extra)
{
    make(box, n, extra);
    for (uint16_t i = 1; i <= n; i++) nodebox_start(box, i);
    nodebox_wait_ready(box);
}

void nodebox_up(struct nodebox *box, const char *extra)
{
    nodebox_up_of(box, NB_NODES, extra);
}

static void remove_folder(const char *path)
{
    DIR *d = opendir(path);
    if (d == NULL) return;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        char inner[400];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        (void)snprintf(inner, sizeof inner, "%s/%s", path, e->d_name);
        if (unlink(inner) != 0) remove_folder(inner);
    }
    (void)closedir(d);
    (void)rmdir(path);
}

void nodebox_end(struct nodebox *box)
{
    bool clean = true;
    for (uint16_t i = 1; i <= box->n; i++) wire_client_free(box->client[i]);
    for (uint16_t i = 1; i <= box->n; i++) {
        if (box->pid[i] == 0) continue;
        int status = nodebox_stop(box, i, SIGTERM);
        if (status == 0) continue;
        show_log(box, i);
        fprintf(stderr, "node %u ended with wait status %d\n", i, status);
        clean = false;
    }
    for (uint16_t i = 1; i <= box->n; i++) wire_identity_free(box->nodes[i]);
    wire_identity_free(box->coordinator);
    wire_identity_free(box->operator_);
    wire_identity_free(box->rogue);
    wire_cluster_free(box->cluster);
    if (getenv("QK_NODEBOX_KEEP") == NULL) remove_folder(box->dir);
    MUST(clean);
}

/* ---- looking ---- */

size_t nodebox_audit(const struct nodebox *box, uint16_t id, const char *a, const char *b)
{
    char path[128];
    size_t n = 0;
    QK_AUTO_BUF text = QK_BUF(64u << 20);
    nodebox_path(box, id, "audit.log", path);
    MUST(qk_file_read(path, &text) == QK_OK);
    const char *line = qk_buf_cstr(&text);
    for (const char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        size_t len = (size_t)(end - line);
        n += (a == NULL || memmem(line, len, a, strlen(a)) != NULL) &&
             (b == NULL || memmem(line, len, b, strlen(b)) != NULL);
    }
    return n;
}

struct node_vault *nodebox_vault(const struct nodebox *box, uint16_t id, struct node_seal **seal)
{
    char path[128], why[256];
    struct node_keysource *source;
    struct node_vault *vault;
    nodebox_path(box, id, "node.key", path);
    MUST(node_keysource_named(&source, "file", path, "") == QK_OK);
    MUST(node_seal_new(seal, source, box->cluster->id, id) == QK_OK);
    node_keysource_free(source);
    nodebox_path(box, id, "vault.db", path);
    struct node_vault_options options = {.path = path, .seal = *seal, .node_id = id};
    memcpy(options.cluster_id, box->cluster->id, 16);
    MUST(node_vault_open(&vault, &options, why, sizeof why) == QK_OK);
    return vault;
}

/* ---- calls ---- */

static pthread_mutex_t answers_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t answers_moved = PTHREAD_COND_INITIALIZER;

static void on_answer(void *ctx, qk_err err, struct qk_bytes bytes)
{
    struct nb_answer *answer = ctx;
    pthread_mutex_lock(&answers_lock);
    answer->err = err;
    if (err == QK_OK) {
        qk_buf_add(&answer->bytes, bytes.p, bytes.len);
        answer->err = wire_answer_decode(qk_buf_view(&answer->bytes), &answer->a);
    }
    answer->done = true;
    pthread_cond_broadcast(&answers_moved);
    pthread_mutex_unlock(&answers_lock);
}

void nb_start(
    struct wire_client *client, struct qk_bytes bytes, unsigned timeout_ms, struct nb_answer *out)
{
    nb_answer_free(out);
    out->bytes = (struct qk_buf)QK_BUF(WIRE_CALL_MAX);
    qk_err err = wire_client_call(client, bytes, timeout_ms, on_answer, out);
    if (err == QK_OK) return;
    out->err = err;
    out->done = true;
}

void nb_wait(struct nb_answer *answer)
{
    pthread_mutex_lock(&answers_lock);
    while (!answer->done) pthread_cond_wait(&answers_moved, &answers_lock);
    pthread_mutex_unlock(&answers_lock);
}

void nb_answer_free(struct nb_answer *answer)
{
    qk_buf_free(&answer->bytes);
    memset(answer, 0, sizeof *answer);
}

/* ---- bundles ---- */

struct bundle_answer {
    atomic_bool here;
    qk_err err;
    uint8_t bytes[65536];
    size_t len;
};

static void on_bundle(void *ctx, qk_err err, struct qk_bytes bytes)
{
    struct bundle_answer *a = ctx;
    a->err = err;
    a->len = bytes.len < sizeof a->bytes ? bytes.len : sizeof a->bytes;
    if (a->len > 0) memcpy(a->bytes, bytes.p, a->len);
    atomic_store(&a->here, true);
}

void nb_bundle(struct wire_client *link, const struct qk_bytes *items, const int *want, size_t n)
{
    struct bundle_answer a = {.len = 0};
    QK_AUTO_BUF bytes = QK_BUF(WIRE_CALL_MAX);
    struct qk_bytes parts[WIRE_BUNDLE_MAX];
    size_t got = 0;
    wire_bundle_encode(&bytes, items, n);
    atomic_store(&a.here, false);
    MUST(wire_client_call(link, qk_buf_view(&bytes), 20000, on_bundle, &a) == QK_OK);
    while (!atomic_load(&a.here)) nodebox_sleep_ms(5);
    MUST(a.err == QK_OK);
    MUST(wire_bundle_decode(qk_bytes(a.bytes, a.len), parts, &got) == QK_OK && got == n);
    for (size_t i = 0; i < n; i++) {
        struct wire_answer one;
        MUST(wire_answer_decode(parts[i], &one) == QK_OK);
        if ((int)one.status == want[i]) continue;
        fprintf(stderr, "item %zu: status %d, not %d\n", i, (int)one.status, want[i]);
        abort();
    }
}
