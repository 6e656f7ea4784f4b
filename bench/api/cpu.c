#include "api/cpu.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/tell.h"

double bench_process_cpu_s(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* utime and stime are the 14th and 15th field; the second, the name, may hold anything but is the
 * only one in parentheses. Below 0: no such process. */
static double used_s(pid_t pid)
{
    char path[48], text[1024];
    unsigned long user, system;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    if (!f) return -1;
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    const char *rest = strrchr(text, ')');
    if (!rest || sscanf(rest + 1, " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lu %lu", &user,
                     &system) != 2)
        return -1;
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

void bench_cpu_begin(struct bench_cpu *c)
{
    for (size_t i = 0; i < c->n; i++) c->process[i].begin_s = used_s(c->process[i].pid);
}

void bench_cpu_end(struct bench_cpu *c)
{
    for (size_t i = 0; i < c->n; i++) {
        struct bench_cpu_process *p = &c->process[i];
        double now = used_s(p->pid);
        p->used_s = p->begin_s < 0 || now < 0 ? -1 : now - p->begin_s;
    }
}

/* ---- who ---- */

qk_err bench_cpu_add_pid(struct bench_cpu *c, const char *name, pid_t pid)
{
    QK_ENSURE(c->n < BENCH_CPU_MAX, QK_E_TOO_LARGE);
    struct bench_cpu_process *p = &c->process[c->n++];
    *p = (struct bench_cpu_process){.pid = pid};
    snprintf(p->name, sizeof p->name, "%s", name);
    return QK_OK;
}

/* The folder a file lies in, without the folders above. */
static void folder_name(char out[static BENCH_CPU_NAME_MAX], const char *path)
{
    const char *end = strrchr(path, '/'), *begin = end;
    if (!end || end == path) {
        snprintf(out, BENCH_CPU_NAME_MAX, "process");
        return;
    }
    while (begin > path && begin[-1] != '/') begin--;
    snprintf(out, BENCH_CPU_NAME_MAX, "%.*s", (int)(end - begin), begin);
}

static qk_err add_file(struct bench_cpu *c, const char *path)
{
    char name[BENCH_CPU_NAME_MAX], text[16] = {0};
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f) fclose(f);
    char *end;
    long pid = strtol(text, &end, 10);
    if (n == 0 || pid <= 0 || (*end != '\n' && *end != '\0') || used_s((pid_t)pid) < 0) {
        bench_error("%s names no running process", path);
        return QK_E_NOT_FOUND;
    }
    folder_name(name, path);
    qk_err err = bench_cpu_add_pid(c, name, (pid_t)pid);
    if (err != QK_OK) bench_error("more than %d processes", BENCH_CPU_MAX);
    return err;
}

static qk_err add_folder(struct bench_cpu *c, const char *path)
{
    char pattern[512];
    glob_t found;
    int n = snprintf(pattern, sizeof pattern, "%s/*/pid", path);
    QK_ENSURE(n > 0 && (size_t)n < sizeof pattern, QK_E_TOO_LARGE);
    if (glob(pattern, 0, NULL, &found) != 0) {
        bench_error("no %s", pattern);
        return QK_E_NOT_FOUND;
    }
    qk_err err = QK_OK;
    for (size_t i = 0; i < found.gl_pathc && err == QK_OK; i++)
        err = add_file(c, found.gl_pathv[i]);
    globfree(&found);
    return err;
}

qk_err bench_cpu_add(struct bench_cpu *c, const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) return add_folder(c, path);
    return add_file(c, path);
}
