/* Small secrets in locked memory: apart from each other, zero when given, wiped when given back. */
#include "qktest/qktest.h"
#include "qk/secret.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N = 600 }; /* more than two regions */

static bool all(const uint8_t *p, uint8_t value)
{
    for (size_t i = 0; i < QK_LOCKED_SMALL_MAX; i++)
        if (p[i] != value) return false;
    return true;
}

QK_TEST(locked_small, slots_are_apart_and_zero)
{
    uint8_t *p[N];
    for (size_t i = 0; i < N; i++) {
        p[i] = qk_locked_small_alloc(QK_LOCKED_SMALL_MAX);
        cr_assert_not_null(p[i]);
        cr_assert(all(p[i], 0));
        memset(p[i], (int)(i % 255) + 1, QK_LOCKED_SMALL_MAX);
    }
    for (size_t i = 0; i < N; i++) cr_assert(all(p[i], (uint8_t)(i % 255 + 1)), "%zu", i);
    for (size_t i = 0; i < N; i += 2) qk_locked_small_free(p[i]);
    for (size_t i = 1; i < N; i += 2) cr_assert(all(p[i], (uint8_t)(i % 255 + 1)), "%zu", i);
    for (size_t i = 0; i < N; i += 2) {
        p[i] = qk_locked_small_alloc(1);
        cr_assert(all(p[i], 0), "a slot is zero again");
    }
    for (size_t i = 0; i < N; i++) qk_locked_small_free(p[i]);
}

QK_TEST(locked_small, is_wiped_when_given_back)
{
    uint8_t *a = qk_locked_small_alloc(64), *b = qk_locked_small_alloc(64); /* b keeps the region */
    memset(a, 0xa5, 64);
    memset(b, 0x5a, 64);
    qk_locked_small_free(a);
    cr_assert(all(a, 0));
    cr_assert_eq(b[0], 0x5a);
    qk_locked_small_free(b);
    qk_locked_small_free(NULL);
}

QK_TEST(locked_small, refuses_what_is_too_large)
{
    cr_assert_null(qk_locked_small_alloc(QK_LOCKED_SMALL_MAX + 1));
}

/* Does giving p back end the process, as libsodium does? */
static bool stops(void *p)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        qk_locked_small_free(p);
        _exit(0);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

QK_TEST(locked_small, stops_when_given_what_is_not_out)
{
    uint8_t *a = qk_locked_small_alloc(8), *b = qk_locked_small_alloc(8);
    uint8_t other[8] = {0};
    cr_assert(stops(a + 1));
    cr_assert(stops(other));
    qk_locked_small_free(a);
    cr_assert(stops(a), "given back twice");
    cr_assert_not(stops(b));
    qk_locked_small_free(b);
}

static void *churn(void *arg)
{
    uint8_t *held[16] = {NULL};
    uint8_t mark = *(uint8_t *)arg;
    for (size_t i = 0; i < 4000; i++) {
        size_t at = i * 7 % 16;
        if (held[at] != NULL) cr_assert(all(held[at], mark));
        qk_locked_small_free(held[at]);
        held[at] = qk_locked_small_alloc(QK_LOCKED_SMALL_MAX);
        cr_assert(all(held[at], 0));
        memset(held[at], mark, QK_LOCKED_SMALL_MAX);
    }
    for (size_t at = 0; at < 16; at++) qk_locked_small_free(held[at]);
    return NULL;
}

QK_TEST(locked_small, threads_share_the_regions)
{
    pthread_t threads[4];
    uint8_t marks[4] = {1, 2, 3, 4};
    for (size_t i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, churn, &marks[i]), 0);
    for (size_t i = 0; i < 4; i++) (void)pthread_join(threads[i], NULL);
}
