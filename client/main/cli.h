/** What the commands of `qkms` share.
 *
 *  Results go to stdout, everything else to stderr. Exit status: */
#ifndef QKMS_CLI_H
#define QKMS_CLI_H

#include <argp.h>
#include <jansson.h>
#include "env.h"
#include "wire/cluster.h"

enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,      /* refused by the service, or something local went wrong */
    CLI_USAGE = 2,       /* the command line makes no sense */
    CLI_UNREACHABLE = 3, /* no answer, or "try again later" */
    CLI_FORGED = 4,      /* something does not verify: a certificate, a partial, an audit log */
};

enum { CLI_WHY_MAX = 512 };

/** argv[0] is the command's full name, for example "qkms user create". */
typedef int (*cli_fn)(int argc, char **argv);

int cli_identity_create(int argc, char **argv);
int cli_node_key_create(int argc, char **argv);
int cli_cluster_create(int argc, char **argv);
int cli_cluster_show(int argc, char **argv);
int cli_tls_create(int argc, char **argv);
int cli_init(int argc, char **argv);
int cli_status(int argc, char **argv);
int cli_access_key_create(int argc, char **argv);
int cli_access_key_list(int argc, char **argv);
int cli_access_key_enable(int argc, char **argv);
int cli_access_key_disable(int argc, char **argv);
int cli_user_create(int argc, char **argv);
int cli_user_list(int argc, char **argv);
int cli_audit_verify(int argc, char **argv);

/** "qkms: error: ..." on stderr; returns status. */
int cli_fail(int status, const char *fmt, ...) QK_PRINTF(2, 3);
void cli_warn(const char *fmt, ...) QK_PRINTF(1, 2);
/** The exit status that an error of the library means. */
int cli_status_of(qk_err err);
/** cli_fail with that status; why may be empty. */
int cli_fail_err(qk_err err, const char *why);

/** Options of every command that talks to the service, as an argp child (see cli_parse). */
struct cli_api {
    const char *env_file;
    const char *cluster; /* path; NULL: QKMS_CLUSTER of the environment */
    bool json;
};
extern const struct argp cli_api_argp;
/** Parse with the given options and, if api is not NULL, those of cli_api. On a mistake argp prints
 *  usage and the process exits with CLI_USAGE. input is argp's state->input. */
void cli_parse(const struct argp *argp, int argc, char **argv, struct cli_api *api, void *input);

/** For --json one line of JSON, else text: members as "Name: value", lists of objects as a table.
 */
void cli_print(const json_t *value, bool json);

/** Load the environment, call, print. The whole of a simple command. args is consumed; NULL means
 *  out of memory. */
int cli_simple(const struct cli_api *api, const char *target, json_t *args);

/** Write a fresh access key to where it was asked for: a file of mode 0600, or stdout. */
struct cli_reveal {
    const char *write_env;
    bool show_secret;
};
/** Take the secret out of a CreateAccessKey or Initialize answer, write it, print the rest. env has
 *  endpoint, CA and region already. */
struct qkms_response_key;
int cli_reveal(const json_t *answer, const struct wire_cluster *cluster,
    const struct qkms_response_key *key, struct qkms_env *env, const struct cli_reveal *to,
    bool json);

void cli_json_free(json_t **value);
#define CLI_JSON(name) __attribute__((cleanup(cli_json_free))) json_t *name
void cli_cluster_free(struct wire_cluster **cluster);
#define CLI_CLUSTER(name)                                                                          \
    __attribute__((cleanup(cli_cluster_free))) struct wire_cluster *name = NULL

#endif
