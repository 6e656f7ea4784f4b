/** qkms-node: holds one share of every key and decides for itself which requests it serves. */
#include <argp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/un.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "core/node.h"

enum { OPT_INIT = 1000, OPT_SAMPLE, TICK_MS = 200, STACK_BYTES = 1u << 20, STOP_S = 10 };

const char *argp_program_version = "qkms-node " QKMS_VERSION;

static const char doc[] =
    "Hold one share of every key of a qkms cluster and take part in signatures that this node "
    "itself finds authentic and allowed.\v"
    "Logs are JSON lines on standard error. SIGTERM and SIGINT stop the node cleanly.\n\n"
    "Exit status: 0 after a clean stop; 1 when the node cannot start or its state is damaged; 64 "
    "for wrong usage.";

static const struct argp_option options[] = {
    {"config", 'c', "FILE", 0, "Configuration (see --print-sample-config)", 0},
    {"init", OPT_INIT, NULL, 0,
        "Make the vault that the configuration names, then exit. Never "
        "replaces one that exists",
        0},
    {"print-sample-config", OPT_SAMPLE, NULL, 0, "Print every option with its default", 0},
    {0},
};

struct arguments {
    const char *config;
    bool init;
};

static error_t on_option(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;
    switch (key) {
    case 'c':
        a->config = arg;
        return 0;
    case OPT_INIT:
        a->init = true;
        return 0;
    case OPT_SAMPLE:
        qk_conf_print_sample(node_config_table, node_config_n, stdout);
        exit(0);
    case ARGP_KEY_END:
        if (a->config == NULL) argp_error(state, "--config is required");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Tell systemd, if it started us, that we serve. */
static void notify(const char *text)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (path == NULL || strlen(path) >= sizeof to.sun_path) return;
    memcpy(to.sun_path, path, strlen(path));
    if (to.sun_path[0] == '@') to.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    (void)!sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&to, len);
    (void)close(fd);
}

/* Closing an NNG socket can wait for ever when a peer goes at the same moment (NNG 1.5.2). Nothing
 * is lost by leaving then: every change is durable before it is answered. */
static void leave(int sig)
{
    static const char line[] =
        "{\"level\":\"warn\",\"program\":\"qkms-node\",\"event\":\"stop.forced\"}\n";
    (void)sig;
    (void)!write(2, line, sizeof line - 1);
    _exit(0);
}

static void run(struct node *node, const sigset_t *stop)
{
    const struct timespec tick = {0, TICK_MS * 1000000L};
    for (;;) {
        int sig = sigtimedwait(stop, NULL, &tick);
        if (sig == SIGTERM || sig == SIGINT) return;
        node_tick(node);
    }
}

int main(int argc, char **argv)
{
    const struct argp argp = {options, on_option, NULL, doc, NULL, NULL, NULL};
    struct arguments args = {0};
    argp_err_exit_status = 64;
    argp_parse(&argp, argc, argv, 0, NULL, &args);

    /* Threads are many and memory is locked: small stacks. Signals go to this thread only. */
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    (void)pthread_setattr_default_np(&attr);
    pthread_attr_destroy(&attr);
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stop, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* a file at its limit is an error to report, not our death */

    char why[512];
    struct node *node;
    if (node_new(&node, args.config, args.init, why, sizeof why) != QK_OK) {
        fprintf(stderr, "qkms-node: error: %s\n", why);
        return 1;
    }
    if (!args.init) {
        qk_log(QK_INFO, "started", QK_F_INT("node", node->conf.node_id),
            QK_F_HEX("cluster", node->cluster->hash, 32));
        notify("READY=1");
        run(node, &stop);
        notify("STOPPING=1");
        qk_log(QK_INFO, "stopping");
        node_tick(node); /* the audit log is on disk from here on */
        (void)signal(SIGALRM, leave);
        (void)alarm(STOP_S);
    }
    node_free(node);
    return 0;
}
