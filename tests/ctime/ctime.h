/** Constant-time checks: secrets are marked undefined and valgrind looks on.
 *
 *  Memcheck follows every bit of a secret through arithmetic and reports the
 *  first branch, table index or address that depends on one. A program here
 *  marks its secrets, calls what must be constant time, and declares public
 *  what may be known; the report (exit code 1) is the failure.
 *
 *      CT_MAIN
 *      {
 *          uint8_t key[32];
 *          ct_secret_random(key, sizeof key);
 *          work(out, key);
 *          ct_public(out, sizeof out);   -- only if the caller may see it
 *      }
 *
 *  What it cannot see: instructions whose time depends on their operands
 *  (none of ours: multiplication and shifts are constant time on the
 *  processors we build for), caches shared with other machines, and code on
 *  paths that the program does not take.
 */
#ifndef CTIME_H
#define CTIME_H

#include <stdio.h>
#include <stdlib.h>
#include <valgrind/memcheck.h>
#include "qk/rng.h"

/* Exit code of a program that was not run under valgrind: ctest shows "skipped", never "passed". */
enum { CT_SKIPPED = 77 };

static inline void ct_secret(void *p, size_t len)
{
    VALGRIND_MAKE_MEM_UNDEFINED(p, len);
}

/* Say in a comment why it is allowed. */
static inline void ct_public(void *p, size_t len)
{
    VALGRIND_MAKE_MEM_DEFINED(p, len);
}

/* A helper of the programs failed, not the code under test. */
#define CT_OK(expr)                                                                                \
    do {                                                                                           \
        qk_err ct_err_ = (expr);                                                                   \
        ct_public(&ct_err_, sizeof ct_err_); /* success or failure is public everywhere */         \
        if (ct_err_ != QK_OK) {                                                                    \
            fprintf(stderr, "%s gave %s\n", #expr, qk_err_name(ct_err_));                          \
            exit(2);                                                                               \
        }                                                                                          \
    } while (0)

static inline void ct_secret_random(void *p, size_t len)
{
    CT_OK(qk_rng_fill(qk_rng_system(), p, len));
    ct_secret(p, len);
}

#define CT_MAIN                                                                                    \
    static void ct_body(void);                                                                     \
    int main(void)                                                                                 \
    {                                                                                              \
        if (!RUNNING_ON_VALGRIND) {                                                                \
            fprintf(stderr, "run this under valgrind\n");                                          \
            return CT_SKIPPED;                                                                     \
        }                                                                                          \
        ct_body();                                                                                 \
        return VALGRIND_COUNT_ERRORS == 0 ? 0 : 1;                                                 \
    }                                                                                              \
    static void ct_body(void)

#endif
