#include "api/ceiling.h"

#include <netinet/in.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "common/stream.h"
#include "common/tell.h"
#include "responder/serve.h"

static volatile sig_atomic_t told_to_stop;

static void on_term(int sig)
{
    (void)sig;
    told_to_stop = 1;
}

/* Of the child. It ends with us, also when we are killed. */
static _Noreturn void respond(int listener, SSL_CTX *ctx, size_t reply_len)
{
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, on_term);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    _exit(bench_serve(listener, ctx, reply_len, &told_to_stop) == QK_OK ? 0 : 1);
}

struct responder {
    pid_t pid;
    uint16_t port;
    X509 *cert; /* NULL without TLS */
};

static qk_err start_with(struct responder *r, SSL_CTX *ctx, size_t reply_len)
{
    int listener;
    QK_TRY(bench_serve_listen(&listener, &r->port));
    fflush(NULL);
    r->pid = fork();
    if (r->pid == 0) respond(listener, ctx, reply_len);
    close(listener);
    return r->pid > 0 ? QK_OK : QK_E_NOMEM;
}

static qk_err start(struct responder *r, bool tls, size_t reply_len)
{
    SSL_CTX *ctx = NULL;
    if (tls) QK_TRY(bench_serve_tls(&ctx, &r->cert));
    qk_err err = start_with(r, ctx, reply_len);
    SSL_CTX_free(ctx);
    return err;
}

static void end(struct responder *r)
{
    if (r->pid > 0) {
        kill(r->pid, SIGTERM);
        waitpid(r->pid, NULL, 0);
    }
    X509_free(r->cert);
}

/* The same caller, another address and another trust anchor. */
static qk_err aim(
    struct bench_target *t, const struct bench_target *from, const struct responder *r)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(r->port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *t = *from;
    t->ctx = NULL;
    memset(&t->addr, 0, sizeof t->addr);
    memcpy(&t->addr, &a, sizeof a);
    t->addr_len = sizeof a;
    snprintf(t->host, sizeof t->host, "127.0.0.1");
    snprintf(t->authority, sizeof t->authority, "127.0.0.1:%u", r->port);
    if (!t->tls) return QK_OK;
    QK_TRY(bench_target_client_tls(&t->ctx));
    X509_STORE *trusted = SSL_CTX_get_cert_store(t->ctx);
    return X509_STORE_add_cert(trusted, r->cert) == 1 ? QK_OK : QK_E_CRYPTO;
}

static qk_err load(struct bench_ceiling *out, const struct bench_load_plan *plan,
    const struct bench_target *t, const struct responder *r, const atomic_bool *stop)
{
    struct bench_load_plan p = *plan;
    struct bench_cpu cpu = {.n = 0};
    struct bench_loop *loop = NULL;
    QK_TRY(bench_cpu_add_pid(&cpu, "responder", r->pid));
    p.daemons = &cpu;
    p.unchecked = true;
    p.rate = p.warmup_rate = 0;
    if (p.warmup > 1) p.warmup = 1;
    QK_TRY(bench_loop_new(&loop, t, p.connections));
    qk_err err = bench_load_run(loop, &p, &out->load, stop);
    out->responder_cpu_s = cpu.process[0].used_s;
    bench_loop_free(loop);
    return err;
}

qk_err bench_ceiling_run(struct bench_ceiling *out, const struct bench_load_plan *plan,
    const struct bench_target *target, size_t reply_len, const atomic_bool *stop)
{
    struct responder r = {.pid = 0};
    struct bench_target t = {.tls = false};
    qk_err err = start(&r, target->tls, reply_len < 2 ? 2 : reply_len);
    if (err == QK_OK) err = aim(&t, target, &r);
    if (err == QK_OK) err = load(out, plan, &t, &r, stop);
    if (err != QK_OK) bench_error("ceiling: %s", qk_err_name(err));
    end(&r);
    bench_target_wipe(&t);
    return err;
}
