/** How tests are written here.
 *
 *      #include "qktest/qktest.h"
 *
 *      QK_TEST(scalar, rejects_q) { ... cr_assert_eq(...); }
 *
 *  The body runs in its own process with a time limit, and a leak found by
 *  LeakSanitizer at its end fails it (Criterion alone lets leaks pass).
 *  Criterion does not start under ThreadSanitizer; there the same tests run
 *  under the mini-runner of mini.h.
 */
#ifndef QKTEST_H
#define QKTEST_H

#if defined(QKMS_TSAN) || defined(QKTEST_MINI)
#include "qktest/mini.h"
#else
#include <criterion/criterion.h>
#endif

#include "qk/err.h"

#ifndef QK_TEST_TIMEOUT_S
#define QK_TEST_TIMEOUT_S 300
#endif

extern int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

static inline void qk_test_check_leaks(void)
{
    if (__lsan_do_recoverable_leak_check)
        cr_assert_eq(__lsan_do_recoverable_leak_check(), 0, "memory leaked");
}

#define QK_TEST(suite_name, test_name)                                                             \
    static void suite_name##_##test_name##_body(void);                                             \
    Test(suite_name, test_name, .timeout = QK_TEST_TIMEOUT_S)                                      \
    {                                                                                              \
        suite_name##_##test_name##_body();                                                         \
        qk_test_check_leaks();                                                                     \
    }                                                                                              \
    static void suite_name##_##test_name##_body(void)

/** The exact status is part of the claim. */
#define qk_assert_ok(expr)                                                                         \
    do {                                                                                           \
        qk_err qk_got_ = (expr);                                                                   \
        cr_assert_eq(qk_got_, QK_OK, "%s gave %s", #expr, qk_err_name(qk_got_));                   \
    } while (0)
#define qk_assert_err(expr, want)                                                                  \
    do {                                                                                           \
        qk_err qk_got_ = (expr);                                                                   \
        cr_assert_eq(qk_got_, (want), "%s gave %s", #expr, qk_err_name(qk_got_));                  \
    } while (0)

#endif
