#include "protocol/table.h"

#include <jansson.h>
#include <string.h>
#include "protocol/ratio.h"

struct bench_row *bench_table_find(struct bench_table *t, const char *what, const char *curve)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->row[i].what, what) == 0 && strcmp(t->row[i].curve, curve) == 0)
            return &t->row[i];
    return NULL;
}

struct bench_row *bench_table_row(
    struct bench_table *t, const char *what, const char *curve, const char *who)
{
    struct bench_row *row = bench_table_find(t, what, curve);
    if (row || t->n == BENCH_ROWS_MAX) return row;
    row = &t->row[t->n++];
    *row = (struct bench_row){.what = what, .curve = curve, .who = who};
    return row;
}

qk_err bench_row_add(struct bench_row *row, uint64_t cpu_ns)
{
    QK_ENSURE(row != NULL, QK_E_NOMEM);
    QK_TRY(bench_samples_add(&row->cpu_us, (double)cpu_ns / 1e3));
    return bench_samples_add(&row->all_us, (double)cpu_ns / 1e3);
}

qk_err bench_row_add_run(struct bench_row *row, const struct bench_net *net)
{
    double all = 0;
    QK_ENSURE(row != NULL, QK_E_NOMEM);
    row->parties = (unsigned)net->n;
    row->rounds = net->rounds;
    for (size_t i = 0; i < net->n; i++) {
        const struct bench_party *p = &net->p[i];
        if (p->sent > row->sent) row->sent = p->sent;
        if (p->received > row->received) row->received = p->received;
        all += (double)p->cpu_ns / 1e3;
        QK_TRY(bench_samples_add(&row->cpu_us, (double)p->cpu_ns / 1e3));
    }
    return bench_samples_add(&row->all_us, all);
}

/* ---- text ---- */

static void print_row(struct bench_row *r, FILE *to)
{
    fprintf(to, "%-10s %-18s %-10s %7zu %10.3f %10.3f %10.3f", r->curve, r->what, r->who,
        r->all_us.n, bench_samples_median(&r->cpu_us) / 1e3, bench_samples_min(&r->cpu_us) / 1e3,
        bench_samples_median(&r->all_us) / 1e3);
    if (r->parties)
        fprintf(to, " %3u %3u %8llu %8llu\n", r->parties, r->rounds, (unsigned long long)r->sent,
            (unsigned long long)r->received);
    else
        fputs("   -   -        -        -\n", to);
}

static void print_ratio(const struct bench_ratio *r, FILE *to)
{
    fprintf(to, "%-52s %9.2f %-2s", r->what, r->value, r->unit);
    if (r->target > 0)
        fprintf(to, "  at most %g %s: %s  (%s)", r->target, r->unit,
            r->value <= r->target ? "met" : "NOT MET", r->source);
    fputc('\n', to);
}

void bench_table_print(struct bench_table *t, FILE *to)
{
    struct bench_ratio ratios[BENCH_RATIOS_MAX];
    fprintf(to, "%-10s %-18s %-10s %7s %10s %10s %10s %3s %3s %8s %8s\n", "curve", "what",
        "whose CPU", "runs", "median ms", "min ms", "all ms", "n", "rnd", "B sent", "B recv");
    for (size_t i = 0; i < t->n; i++) print_row(&t->row[i], to);
    size_t n = bench_ratios(t, ratios);
    if (n) fputs("\nside by side, medians of this run\n", to);
    for (size_t i = 0; i < n; i++) print_ratio(&ratios[i], to);
}

/* ---- JSON ---- */

static json_t *row_json(struct bench_row *r)
{
    return json_pack("{s:s s:s s:s s:I s:f s:f s:f s:i s:i s:I s:I}", "curve", r->curve, "what",
        r->what, "whose_cpu", r->who, "runs", (json_int_t)r->all_us.n, "median_ms",
        bench_samples_median(&r->cpu_us) / 1e3, "min_ms", bench_samples_min(&r->cpu_us) / 1e3,
        "all_parties_ms", bench_samples_median(&r->all_us) / 1e3, "parties", (int)r->parties,
        "rounds", (int)r->rounds, "bytes_sent", (json_int_t)r->sent, "bytes_received",
        (json_int_t)r->received);
}

static json_t *ratio_json(const struct bench_ratio *r)
{
    json_t *o = json_pack("{s:s s:f s:s}", "what", r->what, "value", r->value, "unit", r->unit);
    if (o && r->target > 0) {
        json_object_set_new(o, "at_most", json_real(r->target));
        json_object_set_new(o, "met", json_boolean(r->value <= r->target));
        json_object_set_new(o, "source", json_string(r->source));
    }
    return o;
}

qk_err bench_table_print_json(struct bench_table *t, FILE *to)
{
    struct bench_ratio ratios[BENCH_RATIOS_MAX];
    size_t n = bench_ratios(t, ratios);
    json_t *rows = json_array(), *side = json_array();
    for (size_t i = 0; i < t->n; i++) json_array_append_new(rows, row_json(&t->row[i]));
    for (size_t i = 0; i < n; i++) json_array_append_new(side, ratio_json(&ratios[i]));
    json_t *all = json_pack("{s:o s:o}", "rows", rows, "ratios", side);
    QK_ENSURE(all != NULL, QK_E_NOMEM);
    int bad = json_dumpf(all, to, JSON_INDENT(1) | JSON_REAL_PRECISION(6)) | fputc('\n', to);
    json_decref(all);
    return bad < 0 ? QK_E_IO : QK_OK;
}

void bench_table_free(struct bench_table *t)
{
    for (size_t i = 0; i < t->n; i++) {
        bench_samples_free(&t->row[i].cpu_us);
        bench_samples_free(&t->row[i].all_us);
    }
    t->n = 0;
}
