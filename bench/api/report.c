#include "api/report.h"

#include <jansson.h>

static const struct {
    const char *name;
    double q;
} quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}};

static double throughput(const struct bench_load_result *r)
{
    return r->elapsed_s > 0 ? (double)r->ok.n / r->elapsed_s : 0;
}

static double mean_ms(const struct bench_load_result *r)
{
    return r->ok.n ? (double)r->ok.sum_us / (double)r->ok.n / 1e3 : 0;
}

/* ---- text ---- */

static void print_errors(const struct bench_load_result *r, FILE *to)
{
    fprintf(to, "errors      %llu\n", (unsigned long long)r->n_errors);
    for (size_t i = 0; i < BENCH_ERROR_KINDS; i++)
        if (r->errors[i].n > 0)
            fprintf(to, "  %8llu  %s\n", (unsigned long long)r->errors[i].n, r->errors[i].name);
    if (r->n_unsent > 0)
        fprintf(to,
            "unsent      %llu were due and never sent: the service is too slow for this rate\n",
            (unsigned long long)r->n_unsent);
}

/* Microseconds of CPU for each request that succeeded. */
static double per_request_us(const struct bench_load_result *r, double cpu_s)
{
    return r->ok.n ? cpu_s * 1e6 / (double)r->ok.n : 0;
}

static void print_head(const struct bench_report *t, FILE *to)
{
    const struct bench_load_plan *p = t->plan;
    fprintf(to, "%s, %u connections, ", bench_op_name(p->op), p->connections);
    if (p->rate > 0)
        fprintf(to, "open loop at %g/s", p->rate);
    else
        fputs("closed loop", to);
    if (p->n_keys > 0) fprintf(to, ", %zu keys", p->n_keys);
    if (t->modes) fprintf(to, ", mode %s", t->modes);
    if (t->rotations > 0) fprintf(to, ", each rotated %u times", t->rotations);
    if (p->n_blobs > 0) fprintf(to, ", %zu ciphertexts", p->n_blobs);
    if (bench_op_family(p->op) == BENCH_MAC)
        fprintf(to, " of %s, messages of %zu bytes", p->keys[0].spec->name, p->bytes);
    fprintf(to, ", %g s after %g s of warm-up\n", p->seconds, p->warmup);
}

static void print_latency(const struct bench_load_result *r, FILE *to)
{
    fputs("latency ms ", to);
    for (size_t i = 0; i < QK_COUNT(quantiles); i++)
        fprintf(to, " %s %.3f ", quantiles[i].name,
            (double)bench_hist_at(&r->ok, quantiles[i].q) / 1e3);
    fprintf(to, " max %.3f  mean %.3f\n", (double)r->ok.max_us / 1e3, mean_ms(r));
}

static const char *checked_how(enum bench_op op)
{
    if (op == BENCH_SIGN) return "signatures verified with OpenSSL";
    if (op == BENCH_ENCRYPT || op == BENCH_GENERATE_DATA_KEY)
        return "ciphertexts opened with Decrypt afterwards";
    if (op == BENCH_GENERATE_MAC) return "MACs verified with VerifyMac afterwards";
    return NULL;
}

static void print_checks(const struct bench_report *t, FILE *to)
{
    const char *how = checked_how(t->plan->op);
    if (how)
        fprintf(to, "checked     %llu good, %llu bad: %s\n",
            (unsigned long long)t->result->n_verified, (unsigned long long)t->result->n_bad, how);
    if (t->plan->op == BENCH_DECRYPT)
        fputs("checked     every plaintext; a wrong one is an error\n", to);
}

static void print_cpu(const struct bench_report *t, FILE *to)
{
    const struct bench_cpu *c = t->plan->daemons;
    const struct bench_load_result *r = t->result;
    double all = r->client_cpu_s;
    fprintf(to, "CPU us per request\n  %8.1f  client\n", per_request_us(r, r->client_cpu_s));
    for (size_t i = 0; c && i < c->n; i++) {
        const struct bench_cpu_process *p = &c->process[i];
        if (p->used_s < 0) {
            fprintf(to, "         -  %s (pid %d ended)\n", p->name, (int)p->pid);
            continue;
        }
        all += p->used_s;
        fprintf(to, "  %8.1f  %s\n", per_request_us(r, p->used_s), p->name);
    }
    if (c && c->n > 0) fprintf(to, "  %8.1f  together\n", per_request_us(r, all));
}

static void print_ceiling(const struct bench_report *t, FILE *to)
{
    const struct bench_load_result *r = &t->ceiling->load;
    fprintf(to,
        "ceiling     %.1f/s of a responder that does nothing; this load reaches %.3f of it\n",
        throughput(r), throughput(r) > 0 ? throughput(t->result) / throughput(r) : 0);
    fprintf(to,
        "  CPU us per request there: %.1f client, %.1f responder; %llu errors; p50 %.3f ms\n",
        per_request_us(r, r->client_cpu_s), per_request_us(r, t->ceiling->responder_cpu_s),
        (unsigned long long)r->n_errors, (double)bench_hist_at(&r->ok, 0.5) / 1e3);
}

void bench_report_print(const struct bench_report *t, FILE *to)
{
    const struct bench_load_result *r = t->result;
    print_head(t, to);
    fprintf(to, "succeeded   %llu in %.2f s: %.1f/s\n", (unsigned long long)r->ok.n, r->elapsed_s,
        throughput(r));
    print_errors(r, to);
    print_latency(r, to);
    print_checks(t, to);
    if (t->disk_per_second > 0)
        fprintf(to, "disk        SQLite alone: %.1f durable transactions/s; this load: %.2fx\n",
            t->disk_per_second, throughput(r) / t->disk_per_second);
    print_cpu(t, to);
    if (t->ceiling) print_ceiling(t, to);
}

/* ---- JSON ---- */

static json_t *latency_json(const struct bench_load_result *r)
{
    json_t *o = json_object();
    for (size_t i = 0; i < QK_COUNT(quantiles); i++)
        json_object_set_new(
            o, quantiles[i].name, json_real((double)bench_hist_at(&r->ok, quantiles[i].q) / 1e3));
    json_object_set_new(o, "max", json_real((double)r->ok.max_us / 1e3));
    json_object_set_new(o, "mean", json_real(mean_ms(r)));
    return o;
}

static json_t *errors_json(const struct bench_load_result *r)
{
    json_t *o = json_object();
    for (size_t i = 0; i < BENCH_ERROR_KINDS; i++)
        if (r->errors[i].n > 0)
            json_object_set_new(o, r->errors[i].name, json_integer((json_int_t)r->errors[i].n));
    return o;
}

static json_t *histogram_json(const struct bench_hist *h)
{
    json_t *a = json_array();
    for (size_t i = 0; i < BENCH_HIST_CELLS; i++)
        if (h->cell[i] > 0)
            json_array_append_new(
                a, json_pack("[I,I]", (json_int_t)bench_hist_cell_top(i), (json_int_t)h->cell[i]));
    return a;
}

static json_t *cpu_json(const struct bench_report *t)
{
    const struct bench_cpu *c = t->plan->daemons;
    json_t *o = json_object();
    json_object_set_new(o, "client", json_real(per_request_us(t->result, t->result->client_cpu_s)));
    for (size_t i = 0; c && i < c->n; i++)
        json_object_set_new(o, c->process[i].name,
            c->process[i].used_s < 0 ? json_null()
                                     : json_real(per_request_us(t->result, c->process[i].used_s)));
    return o;
}

static json_t *ceiling_json(const struct bench_ceiling *c)
{
    if (!c) return json_null();
    return json_pack("{s:f s:I s:f s:f s:o}", "per_second", throughput(&c->load), "errors",
        (json_int_t)c->load.n_errors, "client_cpu_us",
        per_request_us(&c->load, c->load.client_cpu_s), "responder_cpu_us",
        per_request_us(&c->load, c->responder_cpu_s), "latency_ms", latency_json(&c->load));
}

static json_t *plan_json(const struct bench_report *t)
{
    const struct bench_load_plan *p = t->plan;
    return json_pack("{s:s s:i s:f s:f s:f s:i s:s? s:i s:I s:I}", "operation",
        bench_op_name(p->op), "connections", (int)p->connections, "rate", p->rate, "seconds",
        p->seconds, "warmup", p->warmup, "keys", (int)p->n_keys, "modes", t->modes, "rotations",
        (int)t->rotations, "ciphertexts", (json_int_t)p->n_blobs, "bytes", (json_int_t)p->bytes);
}

static json_t *result_json(const struct bench_report *t)
{
    const struct bench_load_result *r = t->result;
    return json_pack("{s:I s:f s:f s:I s:o s:I s:o s:I s:I s:f s:o s:o s:f s:o}", "succeeded",
        (json_int_t)r->ok.n, "elapsed_s", r->elapsed_s, "per_second", throughput(r), "errors",
        (json_int_t)r->n_errors, "errors_by_type", errors_json(r), "unsent",
        (json_int_t)r->n_unsent, "latency_ms", latency_json(r), "checked_good",
        (json_int_t)r->n_verified, "checked_bad", (json_int_t)r->n_bad, "client_cpu_s",
        r->client_cpu_s, "cpu_us_per_request", cpu_json(t), "ceiling", ceiling_json(t->ceiling),
        "disk_per_second", t->disk_per_second, "histogram_us", histogram_json(&r->ok));
}

qk_err bench_report_print_json(const struct bench_report *t, FILE *to)
{
    json_t *all = plan_json(t), *result = result_json(t);
    int bad = all && result ? json_object_update(all, result) : -1;
    if (bad == 0)
        bad = json_dumpf(all, to, JSON_COMPACT | JSON_REAL_PRECISION(6)) | fputc('\n', to);
    json_decref(result);
    json_decref(all);
    return bad < 0 ? QK_E_IO : QK_OK;
}
