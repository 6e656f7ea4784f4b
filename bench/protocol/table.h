/** The result table of `qkms-bench protocol`: rows of samples, printed as text or JSON. */
#ifndef BENCH_TABLE_H
#define BENCH_TABLE_H

#include <stdio.h>
#include "common/stats.h"
#include "protocol/net.h"

enum { BENCH_ROWS_MAX = 80 };

/** One protocol or function on one curve. Names are static text. */
struct bench_row {
    const char *what;
    const char *curve;
    const char *who;  /* whose CPU: "each node", "combiner", ... */
    unsigned parties; /* of the run; 0: no protocol */
    unsigned rounds;
    uint64_t sent, received;     /* bytes of the party that has most */
    struct bench_samples cpu_us; /* one per party and run */
    struct bench_samples all_us; /* one per run: the sum over its parties */
};

struct bench_table {
    struct bench_row row[BENCH_ROWS_MAX];
    size_t n;
};

/** The row of that name, made if missing; NULL when the table is full. */
struct bench_row *bench_table_row(
    struct bench_table *t, const char *what, const char *curve, const char *who);
/** The row, or NULL if nobody measured it. */
struct bench_row *bench_table_find(struct bench_table *t, const char *what, const char *curve);
/** One call that cost so much. QK_E_NOMEM, also for row NULL. */
QK_MUST_USE qk_err bench_row_add(struct bench_row *row, uint64_t cpu_ns);
/** A finished run: one sample per party, the bytes and rounds. */
QK_MUST_USE qk_err bench_row_add_run(struct bench_row *row, const struct bench_net *net);

/** Text for people and for README tables. */
void bench_table_print(struct bench_table *t, FILE *to);
/** {"rows":[...],"ratios":[...]}. QK_E_NOMEM, QK_E_IO. */
QK_MUST_USE qk_err bench_table_print_json(struct bench_table *t, FILE *to);
void bench_table_free(struct bench_table *t);

#endif
