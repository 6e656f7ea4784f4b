/* Each test hardens a forked child, which reports by its exit status: a filter cannot be taken off
 * again, and leak checking needs calls that it refuses. */
#include "qktest/qktest.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <nng/nng.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>
#include "audit/audit.h"
#include "harden/harden.h"
#include "qk/clock.h"
#include "qk/log.h"
#include "vaultbox.h"

/* 0: fine; 1..99: the step that failed; 100 + n: killed by signal n. */
static int in_child(int (*body)(void *), void *arg)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) _exit(body(arg));
    (void)waitpid(pid, &status, 0);
    return WIFSIGNALED(status) ? 100 + WTERMSIG(status) : WEXITSTATUS(status);
}

#define STEP(n, cond)                                                                              \
    do {                                                                                           \
        if (!(cond)) return (n);                                                                   \
    } while (0)

static int early(void *arg)
{
    (void)arg;
    struct rlimit core;
    STEP(1, node_harden_early() == QK_OK && node_harden_early() == QK_OK);
    STEP(2, getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0);
    STEP(3, umask(0) == 077);
    FILE *f = fopen("/proc/self/status", "re");
    char line[256];
    bool no_new_privs = false;
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        no_new_privs |= strcmp(line, "NoNewPrivs:\t1\n") == 0;
    STEP(4, no_new_privs);
    return 0;
}

QK_TEST(harden, early_gives_up_cores_privileges_and_open_files)
{
    cr_assert_eq(in_child(early, NULL), 0);
}

static int become_nobody(void *arg)
{
    (void)arg;
    char why[200];
    STEP(1, node_harden_user("", why, sizeof why) == QK_E_DENIED);
    STEP(2, strstr(why, "refusing to run as root") != NULL);
    STEP(3, node_harden_user("root", why, sizeof why) == QK_E_DENIED);
    STEP(4, node_harden_user("no-such-user-here", why, sizeof why) == QK_E_NOT_FOUND);
    STEP(5, node_harden_user("nobody", why, sizeof why) == QK_OK);
    STEP(6, getuid() != 0 && geteuid() != 0 && setuid(0) != 0 && setgid(0) != 0);
    STEP(7, open("/etc/shadow", O_RDONLY) < 0);
    STEP(8, node_harden_user("nobody", why, sizeof why) == QK_OK);
    STEP(9, node_harden_user("daemon", why, sizeof why) == QK_E_DENIED);
    STEP(10, node_harden_user("", why, sizeof why) == QK_OK);
    return 0;
}

QK_TEST(harden, root_is_given_up_for_good)
{
    if (geteuid() != 0) return; /* nothing to give up */
    cr_assert_eq(in_child(become_nobody, NULL), 0);
}

static int low_memlock(void *arg)
{
    (void)arg;
    char why[200];
    enum node_lock_result result;
    const struct rlimit low = {65536, 65536};
    STEP(1, setrlimit(RLIMIT_MEMLOCK, &low) == 0);
    STEP(2, node_harden_memory(1 << 20, &result, why, sizeof why) == QK_E_DENIED);
    STEP(3, strstr(why, "RLIMIT_MEMLOCK is 65536 bytes, at least 1048576") != NULL);
    STEP(4, node_harden_memory(4096, &result, why, sizeof why) == QK_OK);
    STEP(5, result == NODE_LOCK_SECRETS_ONLY);
    return 0;
}

QK_TEST(harden, says_what_lock_limit_is_needed)
{
    qk_log_setup(-1, QK_ERROR, "test");
    cr_assert_eq(in_child(low_memlock, NULL), 0);
}

/* ---- system calls ---- */

static int filtered(enum node_seccomp_mode mode)
{
    STEP(1, node_harden_early() == QK_OK);
    STEP(2, node_harden_syscalls(mode) == QK_OK);
    return 0;
}

static int start_a_program(void)
{
    char *const argv[] = {(char *)"true", NULL}, *const envp[] = {NULL};
    return execve("/bin/true", argv, envp);
}
static int start_a_program_at(void)
{
    char *const argv[] = {(char *)"true", NULL}, *const envp[] = {NULL};
    return (int)syscall(SYS_execveat, AT_FDCWD, "/bin/true", argv, envp, 0);
}
static int make_a_process(void)
{
    return (int)syscall(SYS_fork);
}
static int make_a_process_by_clone(void)
{
    return (int)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}
static int trace(void)
{
    return (int)syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0);
}
static int read_another_process(void)
{
    return (int)syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
}
static int become_root(void)
{
    return (int)syscall(SYS_setuid, 0);
}
static int mount_something(void)
{
    return (int)syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL);
}
static int raw_socket(void)
{
    return (int)syscall(SYS_socket, AF_PACKET, SOCK_RAW, 0);
}
static int load_bpf(void)
{
    return (int)syscall(SYS_bpf, 0, NULL, 0);
}
static int signal_others(void)
{
    return (int)syscall(SYS_kill, getppid(), SIGCONT);
}

static const struct {
    const char *what;
    int (*call)(void);
} forbidden[] = {{"execve", start_a_program}, {"execveat", start_a_program_at},
    {"fork", make_a_process}, {"clone", make_a_process_by_clone}, {"ptrace", trace},
    {"process_vm_readv", read_another_process}, {"setuid", become_root}, {"mount", mount_something},
    {"packet socket", raw_socket}, {"bpf", load_bpf}, {"kill", signal_others}};

static int try_refused(void *arg)
{
    int (*call)(void) = *(int (**)(void))arg;
    STEP(1, filtered(NODE_SECCOMP_REFUSE) == 0);
    errno = 0;
    int rc = call();
    if (rc == 0) _exit(2); /* also in a child that should not exist */
    STEP(3, rc < 0 && errno == EPERM);
    return 0;
}

static int try_killed(void *arg)
{
    int (*call)(void) = *(int (**)(void))arg;
    STEP(1, filtered(NODE_SECCOMP_KILL) == 0);
    (void)call();
    return 2;
}

QK_TEST(harden, a_taken_over_daemon_starts_nothing_and_traces_nobody)
{
    for (size_t i = 0; i < QK_COUNT(forbidden); i++) {
        int (*call)(void) = forbidden[i].call;
        cr_expect_eq(in_child(try_refused, &call), 0, "%s is not refused", forbidden[i].what);
        cr_expect_eq(
            in_child(try_killed, &call), 100 + SIGSYS, "%s is not fatal", forbidden[i].what);
    }
}

static int try_executable_memory(void *arg)
{
    (void)arg;
    STEP(1, filtered(NODE_SECCOMP_KILL) == 0);
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    STEP(2, p != MAP_FAILED);
    STEP(3, mprotect(p, 4096, PROT_READ | PROT_EXEC) != 0 && errno == EPERM);
    STEP(4,
        mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
    STEP(5, mprotect(p, 4096, PROT_READ) == 0);
    return 0;
}

QK_TEST(harden, memory_never_becomes_executable)
{
    cr_assert_eq(in_child(try_executable_memory, NULL), 0);
}

static int log_only(void *arg)
{
    (void)arg;
    STEP(1, filtered(NODE_SECCOMP_LOG) == 0);
    return start_a_program(); /* succeeds: diagnosis changes nothing */
}

QK_TEST(harden, log_mode_lets_everything_pass)
{
    cr_assert_eq(in_child(log_only, NULL), 0);
}

static int no_filter_threads(void *arg)
{
    (void)arg;
    return filtered(NODE_SECCOMP_OFF) != 0 ? 1 : start_a_program();
}

QK_TEST(harden, off_is_off)
{
    cr_assert_eq(in_child(no_filter_threads, NULL), 0);
}

static void *fork_in_thread(void *arg)
{
    volatile int *go = arg;
    while (!__atomic_load_n(go, __ATOMIC_ACQUIRE)) (void)sched_yield();
    return (void *)(intptr_t)(make_a_process() < 0 && errno == EPERM ? 0 : 1);
}

static int threads_too(void *arg)
{
    (void)arg;
    int go = 0;
    void *result;
    pthread_t before;
    STEP(3, pthread_create(&before, NULL, fork_in_thread, &go) == 0);
    STEP(4, filtered(NODE_SECCOMP_REFUSE) == 0);
    __atomic_store_n(&go, 1, __ATOMIC_RELEASE);
    STEP(5, pthread_join(before, &result) == 0 && result == NULL);
    return 0;
}

QK_TEST(harden, the_filter_reaches_threads_that_run_already)
{
    cr_assert_eq(in_child(threads_too, NULL), 0);
}

static int vault_and_audit(struct vaultbox *box)
{
    uint64_t n;
    char path[128], why[200];
    struct node_audit *audit;
    (void)snprintf(path, sizeof path, "%s/audit.log", box->dir);
    const struct node_audit_options o = {path, NODE_AUDIT_SYNC_ALL, 500};
    STEP(10, vaultbox_open(box, true) == QK_OK);
    const uint8_t key[16] = {1}, sid[32] = {2};
    STEP(11, node_vault_share_put_pending(
                 box->vault, key, 1, sid, qk_str("share"), qk_str("record"), 1) == QK_OK);
    STEP(12, node_vault_counter_add(box->vault, "c", 1, &n) == QK_OK);
    STEP(13, node_vault_share_destroy_all(box->vault, key) == QK_OK);
    vaultbox_close(box);
    STEP(14, vaultbox_open(box, false) == QK_OK);
    vaultbox_close(box);
    STEP(15, node_audit_open(&audit, &o, why, sizeof why) == QK_OK);
    const struct node_audit_entry e = {.event = "test"};
    for (int i = 0; i < 5; i++) STEP(16, node_audit_write(audit, &e, 1, true) == QK_OK);
    node_audit_close(audit);
    return 0;
}

static int sockets(void)
{
    nng_socket pull, push;
    char *got = NULL;
    size_t len = 0;
    char url[] = "tcp://127.0.0.1:0", dial[64];
    nng_listener listener;
    nng_sockaddr at;
    STEP(20, nng_pull0_open(&pull) == 0 && nng_push0_open(&push) == 0);
    STEP(21, nng_listen(pull, url, &listener, 0) == 0);
    STEP(22, nng_listener_get_addr(listener, NNG_OPT_LOCADDR, &at) == 0);
    (void)snprintf(dial, sizeof dial, "tcp://localhost:%u", (unsigned)ntohs(at.s_in.sa_port));
    STEP(23, nng_dial(push, dial, NULL, 0) == 0); /* through the resolver */
    STEP(24, nng_send(push, (char[]){"hello"}, 6, 0) == 0);
    STEP(25, nng_socket_set_ms(pull, NNG_OPT_RECVTIMEO, 10000) == 0);
    STEP(26, nng_recv(pull, &got, &len, NNG_FLAG_ALLOC) == 0 && len == 6);
    nng_free(got, len);
    STEP(27, nng_close(push) == 0 && nng_close(pull) == 0);
    return 0;
}

static void *nothing(void *arg)
{
    void *locked = qk_locked_alloc(4096);
    qk_locked_free(locked);
    return locked == NULL ? NULL : arg;
}

static int whole_daemon(void *arg)
{
    (void)arg;
    struct vaultbox box;
    pthread_t thread;
    void *result;
    vaultbox_make(&box);
    STEP(1, filtered(NODE_SECCOMP_KILL) == 0);
    for (int i = 0; i < 4; i++) {
        STEP(2, pthread_create(&thread, NULL, nothing, &box) == 0);
        STEP(3, pthread_join(thread, &result) == 0 && result == &box);
    }
    uint8_t random[32];
    STEP(4, qk_rng_fill(qk_rng_system(), random, sizeof random) == QK_OK);
    (void)qk_now_ms();
    qk_log_setup(2, QK_INFO, "test");
    qk_log(QK_INFO, "still.here");
    int step = vault_and_audit(&box);
    if (step == 0) step = sockets();
    vaultbox_end(&box);
    return step;
}

QK_TEST(harden, vault_audit_threads_and_sockets_work_under_the_filter)
{
    int got = in_child(whole_daemon, NULL);
    cr_assert_eq(got, 0, "step %d (over 100: killed by signal %d)", got, got - 100);
}

QK_TEST(harden, knows_its_modes_by_name)
{
    enum node_seccomp_mode mode;
    qk_assert_ok(node_seccomp_parse("kill", &mode));
    cr_assert_eq(mode, NODE_SECCOMP_KILL);
    qk_assert_ok(node_seccomp_parse("off", &mode));
    cr_assert_eq(mode, NODE_SECCOMP_OFF);
    qk_assert_err(node_seccomp_parse("Kill", &mode), QK_E_MALFORMED);
    qk_assert_err(node_seccomp_parse("", &mode), QK_E_MALFORMED);
}
