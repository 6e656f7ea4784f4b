#include "qktest/mini.h"

#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

static struct qktest_case *first, **last = &first;
static int failures;

void qktest_register(struct qktest_case *test)
{
    *last = test;
    last = &test->next;
}

void qktest_fail(const char *file, int line, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fprintf(stderr, "    %s:%d: ", file, line);
    vfprintf(stderr, fmt, args);
    fprintf(stderr, "\n");
    va_end(args);
    failures++;
}

_Noreturn void qktest_abort(void)
{
    fflush(NULL);
    _exit(1);
}

static int run(const struct qktest_case *test)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) return 0;
    if (pid == 0) {
        alarm((unsigned)test->options.timeout);
        test->body();
        fflush(NULL);
        exit(failures != 0); /* exit: sanitizers report at exit */
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int main(int argc, char **argv)
{
    const char *filter = "";
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], "--filter") == 0) filter = argv[i + 1];
    int tested = 0, passed = 0;
    for (struct qktest_case *t = first; t != NULL; t = t->next) {
        char label[256];
        (void)snprintf(label, sizeof label, "%s/%s", t->suite, t->name);
        if (strncmp(label, filter, strlen(filter)) != 0) continue;
        int ok = run(t);
        tested++;
        passed += ok;
        printf("[%s] %s\n", ok ? "PASS" : "FAIL", label);
    }
    printf("[====] Synthesis: Tested: %d | Passing: %d | Failing: %d | Crashing: 0\n", tested,
        passed, tested - passed);
    return passed == tested ? 0 : 1;
}
