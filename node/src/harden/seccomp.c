/* The system calls of a running node: what NNG 1.5.2, SQLite 3.40, OpenSSL 3.0, libsodium and glibc
 * 2.36 make, and what they fall back to. Grouped for readers. */
#include "harden/harden.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <termios.h>

static const char *const allowed[] = {
    /* memory and threads */
    "brk", "munmap", "mremap", "madvise", "mlock", "mlock2", "munlock", "mlockall", "futex",
    "futex_waitv", "set_robust_list", "get_robust_list", "rseq", "membarrier", "sched_yield",
    "sched_getaffinity", "sched_setaffinity", "sched_getparam", "sched_getscheduler", "gettid",
    "getpid", "getppid", "set_tid_address", "arch_prctl", "getcpu",
    /* signals and exit */
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "rt_sigpending",
    "rt_sigsuspend", "sigaltstack", "alarm", "setitimer", "tgkill", "restart_syscall", "exit",
    "exit_group", "signalfd4", "pause",
    /* time */
    "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time",
    "timer_create", "timer_settime", "timer_delete", "timerfd_create", "timerfd_settime",
    "timerfd_gettime",
    /* randomness */
    "getrandom",
    /* waiting */
    "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll",
    "select", "pselect6", "eventfd2", "pipe2",
    /* sockets; socket itself is below */
    "socketpair", "bind", "listen", "accept", "accept4", "connect", "getsockname", "getpeername",
    "setsockopt", "getsockopt", "sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg",
    "shutdown",
    /* files: the vault, the audit log, resolv.conf and friends */
    "open", "openat", "close", "close_range", "read", "readv", "pread64", "preadv", "write",
    "writev", "pwrite64", "pwritev", "lseek", "stat", "fstat", "lstat", "newfstatat", "statx",
    "statfs", "fstatfs", "access", "faccessat", "faccessat2", "fcntl", "flock", "ftruncate",
    "fallocate", "fadvise64", "fsync", "fdatasync", "sync_file_range", "rename", "renameat",
    "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir", "fchmod", "umask", "getcwd",
    "readlink", "readlinkat", "getdents64", "dup", "dup2", "dup3",
    /* who and where we are */
    "getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups", "uname",
    "sysinfo", "getrusage", "times"};

/* Refused with an error in every filtering mode: library code asks for these and lives without. */
static const char *const declined[] = {"clone3", "statmount", "io_uring_setup", "get_mempolicy",
    "mbind", "sched_setscheduler", "sched_setparam", "setpriority", "getpriority", "chmod",
    "fchown", "chown", "utimensat", "setrlimit", "memfd_create"};

static qk_err add(scmp_filter_ctx f, uint32_t action, const char *name)
{
    int nr = seccomp_syscall_resolve_name(name);
    if (nr == __NR_SCMP_ERROR || nr < 0) return QK_OK; /* this machine has no such call */
    int rc = seccomp_rule_add(f, action, nr, 0);
    return rc == 0 || rc == -EACCES ? QK_OK : QK_E_CRYPTO; /* EACCES: it is the default anyway */
}

static qk_err add_if(scmp_filter_ctx f, uint32_t action, const char *name, unsigned arg,
    enum scmp_compare op, uint64_t a, uint64_t b)
{
    int nr = seccomp_syscall_resolve_name(name);
    if (nr < 0) return QK_OK;
    const struct scmp_arg_cmp cmp = {arg, op, a, b};
    int rc = seccomp_rule_add_array(f, action, nr, 1, &cmp);
    return rc == 0 || rc == -EACCES ? QK_OK : QK_E_CRYPTO;
}

/* Memory is never made executable. EPERM and not the default action: the resolver may try to load
 * a plug-in of the name service, and does without when it cannot. */
static qk_err add_no_exec(scmp_filter_ctx f, uint32_t otherwise, const char *name)
{
    uint32_t refuse = otherwise == SCMP_ACT_LOG ? SCMP_ACT_LOG : SCMP_ACT_ERRNO(EPERM);
    QK_TRY(add_if(f, SCMP_ACT_ALLOW, name, 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    return add_if(f, refuse, name, 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC);
}

static qk_err add_each(
    scmp_filter_ctx f, const char *name, unsigned arg, const uint64_t *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        QK_TRY(add_if(f, SCMP_ACT_ALLOW, name, arg, SCMP_CMP_EQ, values[i], 0));
    return QK_OK;
}

/* Threads yes, processes no: a clone must share the address space and the thread group. */
static qk_err add_conditional(scmp_filter_ctx f, uint32_t otherwise)
{
    static const uint64_t families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
    static const uint64_t ioctls[] = {FIONREAD, FIONBIO, TCGETS, TIOCGWINSZ};
    static const uint64_t prctls[] = {
        PR_SET_NAME, PR_GET_NAME, PR_SET_DUMPABLE, PR_GET_DUMPABLE, PR_SET_VMA};
    const uint64_t thread = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND;
    const uint64_t none = 0;
    QK_TRY(add_if(f, SCMP_ACT_ALLOW, "clone", 0, SCMP_CMP_MASKED_EQ, thread, thread));
    QK_TRY(add_no_exec(f, otherwise, "mmap"));
    QK_TRY(add_no_exec(f, otherwise, "mprotect"));
    QK_TRY(add_each(f, "socket", 0, families, QK_COUNT(families)));
    QK_TRY(add_each(f, "ioctl", 1, ioctls, QK_COUNT(ioctls)));
    QK_TRY(add_each(f, "prctl", 0, prctls, QK_COUNT(prctls)));
    QK_TRY(add_each(f, "prlimit64", 2, &none, 1)); /* reading limits only */
    return add_each(f, "kill", 1, &none, 1);       /* asking whether a process lives */
}

static qk_err fill(scmp_filter_ctx f, uint32_t otherwise)
{
    QK_ENSURE(seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1) == 0, QK_E_CRYPTO);
    QK_ENSURE(seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2) == 0, QK_E_CRYPTO);
    QK_ENSURE(seccomp_attr_set(f, SCMP_FLTATR_CTL_LOG, 1) == 0, QK_E_CRYPTO);
    for (size_t i = 0; i < QK_COUNT(allowed); i++) QK_TRY(add(f, SCMP_ACT_ALLOW, allowed[i]));
    if (otherwise != SCMP_ACT_LOG)
        for (size_t i = 0; i < QK_COUNT(declined); i++)
            QK_TRY(add(f, SCMP_ACT_ERRNO(strcmp(declined[i], "clone3") == 0 ? ENOSYS : EPERM),
                declined[i]));
    return add_conditional(f, otherwise);
}

qk_err node_seccomp_parse(const char *text, enum node_seccomp_mode *out)
{
    static const char *const names[] = {"off", "log", "refuse", "kill"};
    for (size_t i = 0; i < QK_COUNT(names); i++)
        if (strcmp(text, names[i]) == 0) {
            *out = (enum node_seccomp_mode)i;
            return QK_OK;
        }
    return QK_E_MALFORMED;
}

qk_err node_harden_syscalls(enum node_seccomp_mode mode)
{
    static const uint32_t actions[] = {
        SCMP_ACT_ALLOW, SCMP_ACT_LOG, SCMP_ACT_ERRNO(EPERM), SCMP_ACT_KILL_PROCESS};
    QK_ENSURE((size_t)mode < QK_COUNT(actions), QK_E_STATE);
    if (mode == NODE_SECCOMP_OFF) return QK_OK;
    scmp_filter_ctx f = seccomp_init(actions[mode]);
    QK_ENSURE(f != NULL, QK_E_NOMEM);
    qk_err err = fill(f, actions[mode]);
    if (err == QK_OK && seccomp_load(f) != 0) err = QK_E_IO;
    seccomp_release(f);
    return err;
}
