#include "common/tell.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool progress_shown;

void bench_error(const char *fmt, ...)
{
    va_list args;
    bench_progress_end();
    va_start(args, fmt);
    fputs("qkms-bench: error: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
}

void bench_progress(const char *fmt, ...)
{
    va_list args;
    if (!isatty(STDERR_FILENO)) return;
    va_start(args, fmt);
    fputs("\r\033[K", stderr);
    vfprintf(stderr, fmt, args);
    fflush(stderr);
    va_end(args);
    progress_shown = true;
}

void bench_progress_end(void)
{
    if (!progress_shown) return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
    progress_shown = false;
}

qk_err bench_parse_number(double *out, const char *option, const char *text, double min, double max)
{
    char *end = NULL;
    double v = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(v) || v < min || v > max) {
        bench_error("%s takes a number from %g to %g, not \"%s\"", option, min, max, text);
        return QK_E_MALFORMED;
    }
    *out = v;
    return QK_OK;
}
