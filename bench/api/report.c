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

void bench_report_print(
    const struct bench_load_plan *plan, const struct bench_load_result *r, FILE *to)
{
    fprintf(to, "%s, %u connections, ", bench_op_name(plan->op), plan->connections);
    if (plan->rate > 0)
        fprintf(to, "open loop at %g/s", plan->rate);
    else
        fputs("closed loop", to);
    fprintf(
        to, ", %zu keys, %g s after %g s of warm-up\n", plan->n_keys, plan->seconds, plan->warmup);
    fprintf(to, "succeeded   %llu in %.2f s: %.1f/s\n", (unsigned long long)r->ok.n, r->elapsed_s,
        throughput(r));
    print_errors(r, to);
    fputs("latency ms ", to);
    for (size_t i = 0; i < QK_COUNT(quantiles); i++)
        fprintf(to, " %s %.3f ", quantiles[i].name,
            (double)bench_hist_at(&r->ok, quantiles[i].q) / 1e3);
    fprintf(to, " max %.3f  mean %.3f\n", (double)r->ok.max_us / 1e3, mean_ms(r));
    if (plan->op == BENCH_SIGN)
        fprintf(to, "signatures  %llu checked with OpenSSL and good, %llu bad\n",
            (unsigned long long)r->n_verified, (unsigned long long)r->n_bad);
    if (plan->disk_per_second > 0)
        fprintf(to, "disk        SQLite alone: %.1f durable transactions/s; this load: %.2fx\n",
            plan->disk_per_second, throughput(r) / plan->disk_per_second);
    fprintf(to, "client CPU  %.2f s\n", r->client_cpu_s);
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

qk_err bench_report_print_json(
    const struct bench_load_plan *plan, const struct bench_load_result *r, FILE *to)
{
    json_t *all =
        json_pack("{s:s s:i s:f s:f s:f s:i s:I s:f s:f s:I s:o s:I s:o s:I s:I s:f s:f s:o}",
            "operation", bench_op_name(plan->op), "connections", (int)plan->connections, "rate",
            plan->rate, "seconds", plan->seconds, "warmup", plan->warmup, "keys", (int)plan->n_keys,
            "succeeded", (json_int_t)r->ok.n, "elapsed_s", r->elapsed_s, "per_second",
            throughput(r), "errors", (json_int_t)r->n_errors, "errors_by_type", errors_json(r),
            "unsent", (json_int_t)r->n_unsent, "latency_ms", latency_json(r), "signatures_verified",
            (json_int_t)r->n_verified, "signatures_bad", (json_int_t)r->n_bad, "client_cpu_s",
            r->client_cpu_s, "disk_per_second", plan->disk_per_second, "histogram_us",
            histogram_json(&r->ok));
    QK_ENSURE(all != NULL, QK_E_NOMEM);
    int bad = json_dumpf(all, to, JSON_COMPACT | JSON_REAL_PRECISION(6)) | fputc('\n', to);
    json_decref(all);
    return bad < 0 ? QK_E_IO : QK_OK;
}
