/* qkms-coordinator: the daemon that serves the KMS API and drives the nodes. */
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "qk/file.h"
#include "qk/secret.h"
#include "service/notify.h"
#include "service/service.h"

static const char usage[] =
    "usage: qkms-coordinator --config FILE\n"
    "       qkms-coordinator --print-sample-config | --version | --help\n"
    "\n"
    "Serves the AWS KMS API over HTTPS and drives the nodes of a qkms cluster.\n"
    "It holds no key, no share and no credential.\n"
    "\n"
    "  --config FILE           options; see --print-sample-config\n"
    "  --check                 read and check the configuration, then exit\n"
    "  --print-sample-config   every option with its default\n"
    "  --version               version, then exit\n"
    "\n"
    "SIGTERM and SIGINT: finish what is in work, then exit. SIGHUP: load the HTTPS\n"
    "certificate again and reopen the audit file. GET /healthz, /readyz, /metrics.\n";

static int fail(const char *what)
{
    (void)fprintf(stderr, "qkms-coordinator: error: %s\n", what);
    return 1;
}

/* Blocked in every thread, taken by main with sigwait. */
static void block_signals(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGTERM);
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

static void write_files(const struct coord_config *c, const struct coord_service *s)
{
    QK_AUTO_BUF text = QK_BUF(256);
    if (c->ports_file[0] != 0) {
        for (size_t i = 0; coord_service_port(s, i) != 0; i++)
            qk_buf_printf(&text, "%u\n", coord_service_port(s, i));
        if (qk_file_write(c->ports_file, qk_buf_view(&text), 0644) != QK_OK)
            qk_log(QK_ERROR, "file.write", QK_F_STR("path", c->ports_file));
    }
    qk_buf_clear(&text);
    qk_buf_printf(&text, "%ld\n", (long)getpid());
    if (c->pid_file[0] != 0 && qk_file_write(c->pid_file, qk_buf_view(&text), 0644) != QK_OK)
        qk_log(QK_ERROR, "file.write", QK_F_STR("path", c->pid_file));
}

static void wait_for_end(struct coord_service *s, const sigset_t *set)
{
    for (;;) {
        int sig = 0;
        if (sigwait(set, &sig) != 0) continue;
        if (sig != SIGHUP) {
            qk_log(QK_INFO, "shutdown", QK_F_INT("signal", sig));
            return;
        }
        coord_service_reload(s);
    }
}

static int run(const struct coord_config *config)
{
    char why[512] = "";
    sigset_t set;
    struct coord_service *s;
    qk_log_setup(2, config->level, "qkms-coordinator");
    block_signals(&set);
    if (qk_harden_process() != QK_OK) return fail("the process cannot be hardened");
    if (coord_service_start(&s, config, why, sizeof why) != QK_OK) return fail(why);
    write_files(config, s);
    qk_log(QK_INFO, "ready", QK_F_STR("version", QKMS_VERSION),
        QK_F_INT("port", coord_service_port(s, 0)));
    coord_notify("READY=1");
    wait_for_end(s, &set);
    coord_notify("STOPPING=1");
    bool clean = coord_service_drain(s);
    coord_service_free(s);
    if (config->pid_file[0] != 0) (void)unlink(config->pid_file);
    qk_log(QK_INFO, "stopped", QK_F_STR("drained", clean ? "yes" : "no"));
    return 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"check", no_argument, NULL, 'k'},
        {"print-sample-config", no_argument, NULL, 's'},
        {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const char *path = NULL;
    bool check = false;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) switch (c) {
        case 'c':
            path = optarg;
            break;
        case 'k':
            check = true;
            break;
        case 's':
            qk_conf_print_sample(coord_config_table, coord_config_n, stdout);
            return 0;
        case 'v':
            (void)printf("qkms-coordinator %s\n", QKMS_VERSION);
            return 0;
        case 'h':
            (void)fputs(usage, stdout);
            return 0;
        default:
            (void)fputs(usage, stderr);
            return 2;
        }
    if (path == NULL || optind != argc) {
        (void)fputs(usage, stderr);
        return 2;
    }
    char why[512] = "";
    struct coord_config config = {0};
    if (coord_config_read(path, &config, why, sizeof why) != QK_OK) return fail(why);
    int rc = check ? 0 : run(&config);
    coord_config_free(&config);
    return rc;
}
