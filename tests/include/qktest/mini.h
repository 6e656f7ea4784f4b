/** The part of Criterion's interface that our tests use, without Criterion.
 *
 *  One forked child a test, a time limit, one line a test, and Criterion's
 *  closing line. Used where Criterion cannot run (ThreadSanitizer).
 *  Arguments: [--filter SUITE/NAME-PREFIX]; all other arguments are ignored.
 */
#ifndef QKTEST_MINI_H
#define QKTEST_MINI_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct qktest_options {
    int timeout;
};

struct qktest_case {
    const char *suite, *name;
    void (*body)(void);
    struct qktest_options options;
    struct qktest_case *next;
};

void qktest_register(struct qktest_case *test);
void qktest_fail(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
_Noreturn void qktest_abort(void);

#define Test(suite_name, test_name, ...)                                                           \
    static void suite_name##_##test_name##_impl(void);                                             \
    __attribute__((constructor)) static void suite_name##_##test_name##_register(void)             \
    {                                                                                              \
        static struct qktest_case test = {                                                         \
            #suite_name, #test_name, suite_name##_##test_name##_impl, {__VA_ARGS__}, NULL};        \
        qktest_register(&test);                                                                    \
    }                                                                                              \
    static void suite_name##_##test_name##_impl(void)

#define QKTEST_CHECK_(cond, stop, fallback, ...)                                                   \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            qktest_fail(__FILE__, __LINE__, "%s", fallback);                                       \
            __VA_OPT__(qktest_fail(__FILE__, __LINE__, __VA_ARGS__);)                              \
            if (stop) qktest_abort();                                                              \
        }                                                                                          \
    } while (0)

#define cr_assert(c, ...) QKTEST_CHECK_((c), 1, #c __VA_OPT__(, ) __VA_ARGS__)
#define cr_expect(c, ...) QKTEST_CHECK_((c), 0, #c __VA_OPT__(, ) __VA_ARGS__)
#define cr_assert_eq(a, b, ...)                                                                    \
    QKTEST_CHECK_((a) == (b), 1, #a " == " #b __VA_OPT__(, ) __VA_ARGS__)
#define cr_expect_eq(a, b, ...)                                                                    \
    QKTEST_CHECK_((a) == (b), 0, #a " == " #b __VA_OPT__(, ) __VA_ARGS__)
#define cr_assert_neq(a, b, ...)                                                                   \
    QKTEST_CHECK_((a) != (b), 1, #a " != " #b __VA_OPT__(, ) __VA_ARGS__)
#define cr_expect_neq(a, b, ...)                                                                   \
    QKTEST_CHECK_((a) != (b), 0, #a " != " #b __VA_OPT__(, ) __VA_ARGS__)
#define cr_assert_lt(a, b, ...) QKTEST_CHECK_((a) < (b), 1, #a " < " #b __VA_OPT__(, ) __VA_ARGS__)
#define cr_assert_leq(a, b, ...)                                                                   \
    QKTEST_CHECK_((a) <= (b), 1, #a " <= " #b __VA_OPT__(, ) __VA_ARGS__)
#define cr_assert_gt(a, b, ...) QKTEST_CHECK_((a) > (b), 1, #a " > " #b __VA_OPT__(, ) __VA_ARGS__)
#define cr_assert_geq(a, b, ...)                                                                   \
    QKTEST_CHECK_((a) >= (b), 1, #a " >= " #b __VA_OPT__(, ) __VA_ARGS__)
#define cr_expect_lt(a, b, ...) QKTEST_CHECK_((a) < (b), 0, #a " < " #b __VA_OPT__(, ) __VA_ARGS__)
#define cr_expect_leq(a, b, ...)                                                                   \
    QKTEST_CHECK_((a) <= (b), 0, #a " <= " #b __VA_OPT__(, ) __VA_ARGS__)
#define cr_expect_gt(a, b, ...) QKTEST_CHECK_((a) > (b), 0, #a " > " #b __VA_OPT__(, ) __VA_ARGS__)
#define cr_expect_geq(a, b, ...)                                                                   \
    QKTEST_CHECK_((a) >= (b), 0, #a " >= " #b __VA_OPT__(, ) __VA_ARGS__)
#define cr_assert_not(c, ...) QKTEST_CHECK_(!(c), 1, "not " #c __VA_OPT__(, ) __VA_ARGS__)
#define cr_expect_not(c, ...) QKTEST_CHECK_(!(c), 0, "not " #c __VA_OPT__(, ) __VA_ARGS__)
#define cr_assert_null(p, ...)                                                                     \
    QKTEST_CHECK_((p) == NULL, 1, #p " is null" __VA_OPT__(, ) __VA_ARGS__)
#define cr_assert_not_null(p, ...)                                                                 \
    QKTEST_CHECK_((p) != NULL, 1, #p " is set" __VA_OPT__(, ) __VA_ARGS__)
#define cr_expect_not_null(p, ...)                                                                 \
    QKTEST_CHECK_((p) != NULL, 0, #p " is set" __VA_OPT__(, ) __VA_ARGS__)
#define cr_expect_null(p, ...)                                                                     \
    QKTEST_CHECK_((p) == NULL, 0, #p " is null" __VA_OPT__(, ) __VA_ARGS__)
#define cr_assert_arr_eq(a, b, n, ...)                                                             \
    QKTEST_CHECK_(memcmp((a), (b), (n)) == 0, 1, #a " equals " #b __VA_OPT__(, ) __VA_ARGS__)
#define cr_expect_arr_eq(a, b, n, ...)                                                             \
    QKTEST_CHECK_(memcmp((a), (b), (n)) == 0, 0, #a " == " #b __VA_OPT__(, ) __VA_ARGS__)
#define cr_assert_str_neq(a, b, ...)                                                               \
    QKTEST_CHECK_(strcmp((a), (b)) != 0, 1, #a " differs from " #b __VA_OPT__(, ) __VA_ARGS__)
#define cr_assert_str_eq(a, b, ...)                                                                \
    QKTEST_CHECK_(strcmp((a), (b)) == 0, 1, #a " equals " #b __VA_OPT__(, ) __VA_ARGS__)
#define cr_expect_str_eq(a, b, ...)                                                                \
    QKTEST_CHECK_(strcmp((a), (b)) == 0, 0, #a " equals " #b __VA_OPT__(, ) __VA_ARGS__)
#define cr_assert_fail(...) QKTEST_CHECK_(0, 1, "reached" __VA_OPT__(, ) __VA_ARGS__)
#define cr_log_info(...)    (printf(__VA_ARGS__), printf("\n"))

#endif
