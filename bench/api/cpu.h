/** CPU time of other processes over the measured time: /proc/PID/stat, all their threads. */
#ifndef BENCH_CPU_H
#define BENCH_CPU_H

#include <sys/types.h>
#include "qk/err.h"

enum { BENCH_CPU_MAX = 32, BENCH_CPU_NAME_MAX = 32 };

struct bench_cpu_process {
    char name[BENCH_CPU_NAME_MAX];
    pid_t pid;
    double begin_s, used_s; /* used_s below 0: it ended meanwhile */
};

struct bench_cpu {
    struct bench_cpu_process process[BENCH_CPU_MAX];
    size_t n;
};

/** Add processes: path is a file that holds a pid, named after its folder; or a folder whose
 *  subfolders may hold files called pid, such as build/local. Told on stderr: QK_E_NOT_FOUND (none
 *  of them runs), QK_E_MALFORMED, QK_E_TOO_LARGE. */
QK_MUST_USE qk_err bench_cpu_add(struct bench_cpu *c, const char *path);
/** Add one by its pid. QK_E_TOO_LARGE. */
QK_MUST_USE qk_err bench_cpu_add_pid(struct bench_cpu *c, const char *name, pid_t pid);
void bench_cpu_begin(struct bench_cpu *c);
void bench_cpu_end(struct bench_cpu *c);

/** CPU time of this process, all its threads. */
double bench_process_cpu_s(void);

#endif
