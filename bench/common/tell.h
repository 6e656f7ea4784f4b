/** Words for people, on stderr: errors always, progress only where a person can see it. */
#ifndef BENCH_TELL_H
#define BENCH_TELL_H

#include "qk/err.h"

/** `qkms-bench: error: ...` and a newline. */
void bench_error(const char *fmt, ...) QK_PRINTF(1, 2);
/** One line that replaces the one before; nothing when stderr is not a terminal. */
void bench_progress(const char *fmt, ...) QK_PRINTF(1, 2);
/** Clear the progress line. */
void bench_progress_end(void);

/** A number given to an option: decimal, wholly used, within the bounds.
 *  QK_E_MALFORMED, after telling which option and why. */
QK_MUST_USE qk_err bench_parse_number(
    double *out, const char *option, const char *text, double min, double max);

#endif
