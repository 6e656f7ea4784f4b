#include "api/load.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include "common/tell.h"
#include "qk/rng.h"

struct shared {
    const struct bench_load_plan *plan;
    const atomic_bool *stop;
    uint64_t start_ns, count_from_ns, end_ns, give_up_ns;
    atomic_uint_fast64_t next;         /* number of the next request */
    atomic_uint_fast64_t done, failed; /* for progress; warm-up included */
    atomic_uint running;
    atomic_bool give_up; /* the load could not be started */
};

struct worker {
    struct shared *shared;
    struct bench_conn *conn;
    pthread_t thread;
    bool started;
    unsigned number;
    uint64_t turn;    /* requests sent */
    uint64_t last_ns; /* of the last counted answer */
    struct bench_load_result result;
};

/* ---- one request ---- */

static void count_error(struct bench_load_result *r, const char *name, uint64_t n)
{
    size_t i = 0;
    while (i < BENCH_ERROR_KINDS - 1 && r->errors[i].n > 0 && strcmp(r->errors[i].name, name) != 0)
        i++;
    if (r->errors[i].n == 0)
        snprintf(r->errors[i].name, sizeof r->errors[i].name, "%s",
            i == BENCH_ERROR_KINDS - 1 ? "other" : name);
    r->errors[i].n += n;
    r->n_errors += n;
}

static void check_signature(struct worker *w, uint64_t k, const struct bench_kms_key *key,
    const uint8_t *digest, const struct bench_outcome *o)
{
    const struct bench_load_plan *plan = w->shared->plan;
    if (plan->op != BENCH_SIGN || plan->verify_every == 0 || k % plan->verify_every != 0) return;
    if (bench_check_signature(key, digest, o->reply.body) == QK_OK)
        w->result.n_verified++;
    else
        w->result.n_bad++;
}

/* Count what began (was due) at due_ns and has just ended. */
static void count(struct worker *w, uint64_t due_ns, const struct bench_outcome *o)
{
    uint64_t now = bench_mono_ns();
    atomic_fetch_add(o->ok ? &w->shared->done : &w->shared->failed, 1);
    if (due_ns < w->shared->count_from_ns) return;
    w->last_ns = now;
    if (o->ok)
        bench_hist_add(&w->result.ok, (now - due_ns) / 1000);
    else
        count_error(&w->result, o->error, 1);
}

static qk_err send_one(struct worker *w, uint64_t k, uint64_t due_ns)
{
    const struct bench_load_plan *plan = w->shared->plan;
    size_t at = bench_op_changes(plan->op) ? w->number : k;
    const struct bench_kms_key *key = &plan->keys[at % plan->n_keys];
    uint8_t digest[BENCH_DIGEST_MAX];
    struct bench_outcome o;
    QK_AUTO_BUF body = QK_BUF(4096);
    QK_TRY(qk_rng_fill(qk_rng_system(), digest, key->digest_len));
    QK_TRY(bench_body(plan->op, key, digest, &body));
    QK_TRY(bench_call(w->conn, bench_op_action(plan->op, w->turn++), qk_buf_view(&body), &o));
    count(w, due_ns, &o);
    if (o.ok) check_signature(w, k, key, digest, &o);
    return QK_OK;
}

/* ---- the schedule ---- */

/* A closed loop sends at once, but for a warm-up that is slower. */
static uint64_t warm_due(const struct shared *s, uint64_t k)
{
    uint64_t now = bench_mono_ns();
    if (s->plan->warmup_rate <= 0) return now;
    uint64_t at = s->start_ns + (uint64_t)((double)k * 1e9 / s->plan->warmup_rate);
    if (at < s->count_from_ns) return at;
    return now > s->count_from_ns ? now : s->count_from_ns;
}

static uint64_t due(const struct shared *s, uint64_t k)
{
    if (s->plan->rate <= 0) return warm_due(s, k);
    return s->start_ns + (uint64_t)((double)k * 1e9 / s->plan->rate);
}

static bool ended(const struct shared *s)
{
    return bench_mono_ns() >= s->give_up_ns || atomic_load(s->stop) || atomic_load(&s->give_up);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct shared *s = w->shared;
    for (;;) {
        uint64_t k = atomic_fetch_add(&s->next, 1), due_ns = due(s, k);
        if (due_ns >= s->end_ns || ended(s)) break;
        bench_sleep_until(due_ns);
        if (send_one(w, k, due_ns) != QK_OK) {
            count_error(&w->result, "request could not be made", 1);
            break;
        }
    }
    atomic_fetch_sub(&s->running, 1);
    return NULL;
}

/* Requests that were due but that no connection took, or took only to give up. */
static uint64_t unsent(const struct shared *s, const struct bench_load_result *r, uint64_t now_ns)
{
    uint64_t to = now_ns < s->end_ns ? now_ns : s->end_ns;
    if (s->plan->rate <= 0 || to <= s->count_from_ns) return 0;
    double due_n = (double)(to - s->count_from_ns) / 1e9 * s->plan->rate;
    double sent = (double)(r->ok.n + r->n_errors);
    return due_n > sent + 1 ? (uint64_t)(due_n - sent) : 0;
}

/* ---- the whole ---- */

static qk_err connect_all(struct worker *w, const struct bench_load_plan *plan)
{
    for (unsigned i = 0; i < plan->connections; i++) {
        bench_progress("connecting %u of %u", i + 1, plan->connections);
        w[i].conn = bench_conn_new(plan->target);
        QK_ENSURE(w[i].conn != NULL, QK_E_NOMEM);
        qk_err err = bench_conn_open(w[i].conn);
        if (err != QK_OK)
            bench_error("connection %u to %s: %s", i + 1, plan->target->authority,
                err == QK_E_CRYPTO ? "TLS handshake failed" : "cannot connect");
        QK_TRY(err == QK_E_CRYPTO ? QK_E_IO : err);
    }
    return QK_OK;
}

static void set_clock(struct shared *s)
{
    s->start_ns = bench_mono_ns() + 20000000; /* every thread is up by then */
    s->count_from_ns = s->start_ns + (uint64_t)(s->plan->warmup * 1e9);
    s->end_ns = s->count_from_ns + (uint64_t)(s->plan->seconds * 1e9);
    s->give_up_ns = s->end_ns + BENCH_GRACE_S * 1000000000ull;
}

static qk_err start_all(struct worker *w, struct shared *s)
{
    set_clock(s);
    for (unsigned i = 0; i < s->plan->connections; i++) {
        w[i].shared = s;
        w[i].number = i;
        atomic_fetch_add(&s->running, 1);
        w[i].started = pthread_create(&w[i].thread, NULL, work, &w[i]) == 0;
        if (!w[i].started) atomic_fetch_sub(&s->running, 1);
        QK_ENSURE(w[i].started, QK_E_NOMEM);
    }
    return QK_OK;
}

static void watch(struct shared *s)
{
    uint64_t before = 0, tick = s->start_ns;
    while (atomic_load(&s->running) > 0) {
        bench_sleep_until(bench_mono_ns() + 100000000);
        uint64_t now = bench_mono_ns(), n = atomic_load(&s->done);
        if (now < tick + 1000000000) continue;
        bench_progress("%3.0f s of %.0f: %llu answered, %.0f/s, %llu errors",
            (double)(now - s->start_ns) / 1e9, s->plan->warmup + s->plan->seconds,
            (unsigned long long)n, (double)(n - before) / ((double)(now - tick) / 1e9),
            (unsigned long long)atomic_load(&s->failed));
        before = n;
        tick = now;
    }
    bench_progress_end();
}

static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void merge(struct bench_load_result *into, const struct bench_load_result *r)
{
    bench_hist_merge(&into->ok, &r->ok);
    for (size_t i = 0; i < BENCH_ERROR_KINDS; i++)
        if (r->errors[i].n > 0) count_error(into, r->errors[i].name, r->errors[i].n);
    into->n_verified += r->n_verified;
    into->n_bad += r->n_bad;
}

static void join_all(struct worker *w, struct shared *s, struct bench_load_result *out)
{
    uint64_t last = 0;
    for (unsigned i = 0; i < s->plan->connections; i++) {
        if (!w[i].started) continue;
        pthread_join(w[i].thread, NULL);
        merge(out, &w[i].result);
        if (w[i].last_ns > last) last = w[i].last_ns;
    }
    if (last > s->count_from_ns) out->elapsed_s = (double)(last - s->count_from_ns) / 1e9;
    out->n_unsent = unsent(s, out, bench_mono_ns());
}

qk_err bench_load_run(
    const struct bench_load_plan *plan, struct bench_load_result *out, const atomic_bool *stop)
{
    struct shared s = {.plan = plan, .stop = stop};
    struct worker *w = calloc(plan->connections, sizeof *w);
    QK_ENSURE(w != NULL, QK_E_NOMEM);
    memset(out, 0, sizeof *out);
    qk_err err = connect_all(w, plan);
    double cpu = cpu_seconds();
    if (err == QK_OK) err = start_all(w, &s);
    if (err == QK_OK)
        watch(&s);
    else
        atomic_store(&s.give_up, true);
    join_all(w, &s, out);
    out->client_cpu_s = cpu_seconds() - cpu;
    for (unsigned i = 0; i < plan->connections; i++) bench_conn_free(w[i].conn);
    free(w);
    return err;
}
