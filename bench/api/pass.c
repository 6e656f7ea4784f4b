#include "api/pass.h"

#include <stdio.h>
#include "common/tell.h"

#define PAUSE_NS 200000000u

enum { RETRIES = 20 };

struct run {
    const struct bench_pass *pass;
    const atomic_bool *stop;
    size_t next, done;
    size_t again[BENCH_PASS_BUSY]; /* to be repeated; never more than were in flight */
    size_t n_again;
    unsigned in_flight, retries;
    uint64_t again_ns; /* not before */
    qk_err err;
};

static enum bench_next send_item(struct run *r, struct bench_job *job, size_t i)
{
    qk_buf_clear(&job->body);
    r->err = r->pass->body(r->pass->ctx, i, &job->body);
    if (r->err != QK_OK) {
        bench_error("%s: %s", r->pass->what, qk_err_name(r->err));
        return BENCH_END;
    }
    job->action = r->pass->action;
    job->number = i;
    r->in_flight++;
    return BENCH_SEND;
}

static enum bench_next next(void *ctx, struct bench_job *job, uint64_t now_ns, uint64_t *at_ns)
{
    struct run *r = ctx;
    if (r->err == QK_OK && r->stop && atomic_load(r->stop)) r->err = QK_E_BUSY;
    if (r->err != QK_OK) return BENCH_END;
    if (r->n_again > 0 && now_ns >= r->again_ns) return send_item(r, job, r->again[--r->n_again]);
    if (r->n_again == 0 && r->next < r->pass->n) return send_item(r, job, r->next++);
    if (r->n_again == 0 && r->in_flight == 0) return BENCH_END;
    *at_ns = now_ns + PAUSE_NS;
    return BENCH_WAIT;
}

static bool worth_another_try(const struct bench_outcome *o)
{
    return o->status == 0 || o->status >= 500 || o->status == 429 || strstr(o->error, "Throttl");
}

static void done(void *ctx, struct bench_job *job, const struct bench_outcome *o, uint64_t now_ns)
{
    struct run *r = ctx;
    r->in_flight--;
    if (o->ok) {
        r->done++;
        qk_err err = r->pass->take ? r->pass->take(r->pass->ctx, job->number, o->body) : QK_OK;
        if (err != QK_OK) bench_error("%s: the answer is not understood", r->pass->action);
        if (r->err == QK_OK) r->err = err;
    } else if (worth_another_try(o) && r->retries < RETRIES + r->pass->n / 10) {
        r->again[r->n_again++] = job->number;
        r->again_ns = now_ns + PAUSE_NS;
        r->retries++;
    } else if (r->err == QK_OK) {
        bench_error("%s: %s %.*s", r->pass->action, o->error, (int)o->body.len,
            o->body.p ? (const char *)o->body.p : "");
        r->err = QK_E_NOT_FOUND;
    }
}

static void tick(void *ctx, uint64_t now_ns)
{
    const struct run *r = ctx;
    (void)now_ns;
    bench_progress("%s: %zu of %zu", r->pass->what, r->done, r->pass->n);
}

qk_err bench_pass_run(
    struct bench_loop *loop, const struct bench_pass *pass, const atomic_bool *stop)
{
    struct run r = {.pass = pass, .stop = stop};
    const struct bench_source source = {.ctx = &r, .next = next, .done = done, .tick = tick};
    QK_TRY(bench_loop_run(loop, &source, BENCH_PASS_BUSY));
    return r.err;
}

bool bench_reply_text(struct qk_bytes json, const char *name, struct qk_bytes *out)
{
    char quoted[64];
    int n = snprintf(quoted, sizeof quoted, "\"%s\":", name);
    const uint8_t *at = memmem(json.p, json.len, quoted, (size_t)n), *end = json.p + json.len;
    if (!at) return false;
    at += n;
    while (at < end && *at == ' ') at++;
    if (at == end || *at++ != '"') return false;
    const uint8_t *close = memchr(at, '"', (size_t)(end - at));
    if (close) *out = qk_bytes(at, (size_t)(close - at));
    return close != NULL;
}
