/** The result of a load, for people and as JSON. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdio.h>
#include "api/load.h"

void bench_report_print(
    const struct bench_load_plan *plan, const struct bench_load_result *r, FILE *to);
/** One object; "histogram_us" lists [upper end, count] of the cells that are not empty. */
QK_MUST_USE qk_err bench_report_print_json(
    const struct bench_load_plan *plan, const struct bench_load_result *r, FILE *to);

#endif
