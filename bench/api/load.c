#include "api/load.h"

#include <stdio.h>
#include "common/tell.h"

/* Spreads successive requests over the ciphertexts, so that no two neighbours share a version. */
#define SPREAD 2654435761u

struct load {
    const struct bench_load_plan *plan;
    const atomic_bool *stop;
    struct bench_signer *signer;
    struct bench_load_result *out;
    uint64_t start_ns, count_from_ns, end_ns, give_up_ns;
    uint64_t next;            /* number of the next request */
    uint64_t done, failed;    /* for progress; warm-up included */
    uint64_t last_ns;         /* of the last counted answer */
    uint64_t shown, shown_ns; /* what progress said last */
    double cpu_begin;
    bool counting;
    qk_err err; /* of the making of a request */
};

/* ---- counting ---- */

static void count_error(struct bench_load_result *r, const char *name)
{
    size_t i = 0;
    while (i < BENCH_ERROR_KINDS - 1 && r->errors[i].n > 0 && strcmp(r->errors[i].name, name) != 0)
        i++;
    if (r->errors[i].n == 0)
        snprintf(r->errors[i].name, sizeof r->errors[i].name, "%s",
            i == BENCH_ERROR_KINDS - 1 ? "other" : name);
    r->errors[i].n++;
    r->n_errors++;
}

static void keep_sample(struct load *l, struct qk_bytes ciphertext, struct qk_bytes plaintext,
    const struct bench_kms_key *key)
{
    struct bench_load_result *r = l->out;
    if (r->n_samples == BENCH_SAMPLES) return;
    struct bench_blob b = {qk_strndup(ciphertext), qk_strndup(plaintext), key};
    if (b.ciphertext && b.plaintext)
        r->sample[r->n_samples++] = b;
    else
        bench_blob_wipe(&b);
}

static bool is_sample(const struct load *l, const struct bench_job *job)
{
    unsigned every = l->plan->verify_every;
    return every > 0 && job->number % every == 0;
}

static void check_signature(struct load *l, const struct bench_job *job, struct qk_bytes reply)
{
    struct qk_bytes sig;
    if (!is_sample(l, job)) return;
    if (bench_reply_text(reply, "Signature", &sig) &&
        bench_check_signature(job->of, job->fresh, sig) == QK_OK)
        l->out->n_verified++;
    else
        l->out->n_bad++;
}

/* Of Encrypt and GenerateDataKey: what is to be opened later. */
static const char *check_ciphertext(
    struct load *l, const struct bench_job *job, struct qk_bytes reply)
{
    struct qk_bytes blob, text;
    if (!bench_reply_text(reply, "CiphertextBlob", &blob)) return "no ciphertext";
    if (l->plan->op == BENCH_GENERATE_DATA_KEY && !bench_reply_text(reply, "Plaintext", &text))
        return "no plaintext";
    if (!is_sample(l, job) || l->out->n_samples == BENCH_SAMPLES) return NULL;
    QK_AUTO_BUF sent = QK_BUF(8192);
    if (l->plan->op == BENCH_ENCRYPT) {
        bench_plaintext_add(job->fresh, l->plan->bytes, &sent);
        text = qk_buf_view(&sent);
    }
    keep_sample(l, blob, text, NULL);
    return NULL;
}

/* Of GenerateMac: what is to be verified later. */
static const char *check_mac(struct load *l, const struct bench_job *job, struct qk_bytes reply)
{
    struct qk_bytes mac;
    QK_AUTO_BUF sent = QK_BUF(8192);
    if (!bench_reply_text(reply, "Mac", &mac)) return "no MAC";
    if (!is_sample(l, job) || l->out->n_samples == BENCH_SAMPLES) return NULL;
    bench_plaintext_add(job->fresh, l->plan->bytes, &sent);
    keep_sample(l, mac, qk_buf_view(&sent), job->of);
    return NULL;
}

/* Is the answer right? NULL: yes, as far as can be said at once; else the name of the error. */
static const char *check(struct load *l, const struct bench_job *job, struct qk_bytes reply)
{
    const struct bench_blob *blob = job->of;
    struct qk_bytes text;
    if (l->plan->unchecked) return NULL;
    switch (l->plan->op) {
    case BENCH_ENCRYPT:
    case BENCH_GENERATE_DATA_KEY:
        return check_ciphertext(l, job, reply);
    case BENCH_GENERATE_MAC:
        return check_mac(l, job, reply);
    case BENCH_DECRYPT:
        if (!bench_reply_text(reply, "Plaintext", &text)) return "no plaintext";
        return qk_bytes_is(text, blob->plaintext) ? NULL : "wrong plaintext";
    case BENCH_GENERATE_RANDOM:
        if (!bench_reply_text(reply, "Plaintext", &text)) return "no random bytes";
        return text.len == (l->plan->bytes + 2) / 3 * 4 ? NULL : "wrong number of random bytes";
    default:
        return NULL;
    }
}

static void begin_counting(struct load *l)
{
    l->counting = true;
    l->cpu_begin = bench_process_cpu_s();
    if (l->plan->daemons) bench_cpu_begin(l->plan->daemons);
}

/* What began (was due) at due_ns has just ended. */
static void done(void *ctx, struct bench_job *job, const struct bench_outcome *o, uint64_t now_ns)
{
    struct load *l = ctx;
    const char *wrong = o->ok ? check(l, job, o->body) : o->error;
    *(wrong ? &l->failed : &l->done) += 1;
    if (job->due_ns < l->count_from_ns) return;
    l->last_ns = now_ns;
    if (wrong) {
        count_error(l->out, wrong);
        return;
    }
    bench_hist_add(&l->out->ok, (now_ns - job->due_ns) / 1000);
    l->out->reply_len = o->body.len;
    if (l->plan->op == BENCH_SIGN && !l->plan->unchecked) check_signature(l, job, o->body);
}

/* ---- the schedule ---- */

static uint64_t at_rate(const struct load *l, uint64_t k, double rate)
{
    return l->start_ns + (uint64_t)((double)k * 1e9 / rate);
}

/* A closed loop sends at once, but for a warm-up that is slower. */
static uint64_t due(const struct load *l, uint64_t k, uint64_t now_ns)
{
    if (l->plan->rate > 0) return at_rate(l, k, l->plan->rate);
    if (l->plan->warmup_rate <= 0) return now_ns;
    uint64_t at = at_rate(l, k, l->plan->warmup_rate);
    if (at < l->count_from_ns) return at;
    return now_ns > l->count_from_ns ? now_ns : l->count_from_ns;
}

static qk_err fill(struct load *l, struct bench_job *job, uint64_t k)
{
    const struct bench_load_plan *p = l->plan;
    size_t at = bench_op_changes(p->op) ? job->conn : k;
    const struct bench_blob *blob = NULL;
    if (p->op == BENCH_DECRYPT) {
        at = (size_t)(k * SPREAD % p->n_blobs);
        blob = &p->blobs[at];
    }
    const struct bench_kms_key *key = p->n_keys ? &p->keys[at % p->n_keys] : NULL;
    QK_TRY(bench_signer_random(l->signer, job->fresh, sizeof job->fresh));
    qk_buf_clear(&job->body);
    job->action = bench_op_action(p->op, job->turn++);
    job->number = k;
    job->of = blob ? (const void *)blob : key;
    return bench_body(p->op, key, blob, job->fresh, p->bytes, &job->body);
}

static bool ended(const struct load *l, uint64_t due_ns, uint64_t now_ns)
{
    return due_ns >= l->end_ns || now_ns >= l->give_up_ns || atomic_load(l->stop);
}

static enum bench_next next(void *ctx, struct bench_job *job, uint64_t now_ns, uint64_t *at_ns)
{
    struct load *l = ctx;
    uint64_t due_ns = due(l, l->next, now_ns);
    if (ended(l, due_ns, now_ns) || l->err != QK_OK) return BENCH_END;
    if (!l->counting && now_ns >= l->count_from_ns) begin_counting(l);
    if (due_ns > now_ns) {
        *at_ns = due_ns;
        return BENCH_WAIT;
    }
    l->err = fill(l, job, l->next++);
    job->due_ns = due_ns;
    return l->err == QK_OK ? BENCH_SEND : BENCH_END;
}

static void tick(void *ctx, uint64_t now_ns)
{
    struct load *l = ctx;
    if (now_ns < l->shown_ns + 1000000000) return;
    bench_progress("%3.0f s of %.0f: %llu answered, %.0f/s, %llu errors",
        (double)(now_ns - l->start_ns) / 1e9, l->plan->warmup + l->plan->seconds,
        (unsigned long long)l->done,
        (double)(l->done - l->shown) / ((double)(now_ns - l->shown_ns) / 1e9),
        (unsigned long long)l->failed);
    l->shown = l->done;
    l->shown_ns = now_ns;
}

/* Requests that were due but that no connection took. */
static uint64_t unsent(const struct load *l, uint64_t now_ns)
{
    uint64_t to = now_ns < l->end_ns ? now_ns : l->end_ns;
    if (l->plan->rate <= 0 || to <= l->count_from_ns) return 0;
    double due_n = (double)(to - l->count_from_ns) / 1e9 * l->plan->rate;
    double sent = (double)(l->out->ok.n + l->out->n_errors);
    return due_n > sent + 1 ? (uint64_t)(due_n - sent) : 0;
}

/* ---- the whole ---- */

static void set_clock(struct load *l)
{
    l->start_ns = l->shown_ns = bench_mono_ns();
    l->count_from_ns = l->start_ns + (uint64_t)(l->plan->warmup * 1e9);
    l->end_ns = l->count_from_ns + (uint64_t)(l->plan->seconds * 1e9);
    l->give_up_ns = l->end_ns + BENCH_GRACE_S * 1000000000ull;
}

static void sum_up(struct load *l)
{
    struct bench_load_result *r = l->out;
    if (l->counting) {
        if (l->plan->daemons) bench_cpu_end(l->plan->daemons);
        r->client_cpu_s = bench_process_cpu_s() - l->cpu_begin;
    }
    if (l->last_ns > l->count_from_ns) r->elapsed_s = (double)(l->last_ns - l->count_from_ns) / 1e9;
    r->n_unsent = unsent(l, bench_mono_ns());
}

qk_err bench_load_run(struct bench_loop *loop, const struct bench_load_plan *plan,
    struct bench_load_result *out, const atomic_bool *stop)
{
    struct load l = {.plan = plan, .stop = stop, .out = out, .signer = bench_loop_signer(loop)};
    const struct bench_source source = {.ctx = &l, .next = next, .done = done, .tick = tick};
    memset(out, 0, sizeof *out);
    QK_TRY(bench_loop_open(loop, plan->connections));
    set_clock(&l);
    QK_TRY(bench_loop_run(loop, &source, plan->connections));
    sum_up(&l);
    return l.err;
}

qk_err bench_load_open_samples(struct bench_loop *loop, struct bench_load_result *r)
{
    uint64_t good = 0;
    if (r->n_samples == 0) return QK_OK;
    QK_TRY(bench_blobs_check(loop, r->sample, r->n_samples, &good));
    r->n_verified += good;
    r->n_bad += r->n_samples - good;
    return QK_OK;
}

void bench_load_wipe(struct bench_load_result *r)
{
    for (size_t i = 0; i < r->n_samples; i++) bench_blob_wipe(&r->sample[i]);
    r->n_samples = 0;
}
