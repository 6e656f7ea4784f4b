/** The result of a load, for people and as JSON. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdio.h>
#include "api/ceiling.h"

/** All that is told of a run. */
struct bench_report {
    const struct bench_load_plan *plan;
    const struct bench_load_result *result;
    const struct bench_ceiling *ceiling; /* NULL: not measured */
    const char *modes;                   /* of created keys; NULL: not chosen */
    unsigned rotations;                  /* of each key before the load */
    double disk_per_second;              /* what the disk can do (api/disk.h); 0: not asked for */
};

void bench_report_print(const struct bench_report *report, FILE *to);
/** One object; "histogram_us" lists [upper end, count] of the cells that are not empty. */
QK_MUST_USE qk_err bench_report_print_json(const struct bench_report *report, FILE *to);

#endif
