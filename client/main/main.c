/* qkms: the operator's command. One table of commands; each has its own --help. */
#include "cli.h"

#include "qk/secret.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

static const struct command {
    const char *noun, *verb; /* verb NULL: the noun alone is the command */
    cli_fn run;
    const char *summary;
} commands[] = {
    {"identity", "create", cli_identity_create,
        "make the key and certificate of a node, coordinator or operator"},
    {"node-key", "create", cli_node_key_create, "make the key that seals a node's vault"},
    {"cluster", "create", cli_cluster_create,
        "write cluster.conf from the certificates of its members"},
    {"cluster", "show", cli_cluster_show, "check a cluster.conf and print what it says"},
    {"tls", "create", cli_tls_create,
        "make an HTTPS certificate and the CA file that clients trust"},
    {"init", NULL, cli_init, "the ceremony: make the system key and the first administrator"},
    {"status", NULL, cli_status, "nodes, epochs, pools and versions"},
    {"access-key", "create", cli_access_key_create, "make an access key for a user"},
    {"access-key", "list", cli_access_key_list, "list access keys"},
    {"access-key", "disable", cli_access_key_disable, "make an access key invalid"},
    {"access-key", "enable", cli_access_key_enable, "make a disabled access key valid again"},
    {"user", "create", cli_user_create, "make a user"},
    {"user", "list", cli_user_list, "list users"},
    {"audit", "verify", cli_audit_verify, "check the hash chain of audit logs"},
};

static void usage(FILE *to)
{
    (void)fputs("Usage: qkms COMMAND [OPTION...]\n"
                "The operator's command of qkms, a key-management service in which no machine "
                "holds a key.\n\n",
        to);
    for (size_t i = 0; i < QK_COUNT(commands); i++) {
        const struct command *c = &commands[i];
        char name[40];
        (void)snprintf(name, sizeof name, "%s%s%s", c->noun, c->verb != NULL ? " " : "",
            c->verb != NULL ? c->verb : "");
        (void)fprintf(to, "  %-20s %s\n", name, c->summary);
    }
    (void)fputs(
        "  version              print the version\n\n"
        "`qkms COMMAND --help` tells a command's options. Commands that talk to the service read "
        "the\n"
        "AWS_* variables of client.env, or take --env-file FILE.\n\n"
        "Exit status: 0 done; 1 refused or failed; 2 wrong usage; 3 no answer or try again later;\n"
        "4 something does not verify (a certificate, a partial value, an audit log).\n",
        to);
}

static const struct command *find(int argc, char **argv, int *n_words)
{
    for (size_t i = 0; i < QK_COUNT(commands); i++) {
        const struct command *c = &commands[i];
        if (strcmp(argv[1], c->noun) != 0) continue;
        *n_words = c->verb != NULL ? 2 : 1;
        if (c->verb == NULL || (argc > 2 && strcmp(argv[2], c->verb) == 0)) return c;
    }
    return NULL;
}

static int run(const struct command *c, int n_words, int argc, char **argv)
{
    char name[64];
    (void)snprintf(name, sizeof name, "qkms %s%s%s", c->noun, c->verb != NULL ? " " : "",
        c->verb != NULL ? c->verb : "");
    argv[n_words] = name;
    if (qk_harden_process() != QK_OK) return cli_fail(CLI_FAILED, "cannot prepare the process");
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return cli_fail(CLI_FAILED, "cannot start the HTTP library");
    int status = c->run(argc - n_words, argv + n_words);
    curl_global_cleanup();
    if (fflush(stdout) != 0) return cli_fail(CLI_FAILED, "cannot write to stdout");
    return status;
}

int main(int argc, char **argv)
{
    argp_err_exit_status = CLI_USAGE;
    if (argc < 2) {
        usage(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        usage(stdout);
        return CLI_OK;
    }
    if (strcmp(argv[1], "version") == 0 || strcmp(argv[1], "--version") == 0) {
        (void)puts("qkms " QKMS_VERSION);
        return CLI_OK;
    }
    int n_words = 0;
    const struct command *c = find(argc, argv, &n_words);
    if (c == NULL) {
        usage(stderr);
        return cli_fail(CLI_USAGE, "no command '%s%s%s'", argv[1], argc > 2 ? " " : "",
            argc > 2 ? argv[2] : "");
    }
    return run(c, n_words, argc, argv);
}
