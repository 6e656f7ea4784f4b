/* qkms identity create, node-key create, tls create: keys that never leave this machine. */
#include "cli.h"
#include "tlscert.h"

#include "qk/file.h"
#include "qk/rng.h"
#include "qk/secret.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_LEN = 4096, NODE_KEY_LEN = 32, TLS_DAYS = 3650 };

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static int join(char out[static PATH_LEN], const char *dir, const char *file)
{
    int len = snprintf(out, PATH_LEN, "%s/%s", dir, file);
    return len > 0 && len < PATH_LEN ? CLI_OK
                                     : cli_fail(CLI_USAGE, "the path of %s is too long", file);
}

static int make_dir(const char *dir)
{
    if (mkdir(dir, 0700) == 0 || errno == EEXIST) return CLI_OK;
    return cli_fail(CLI_FAILED, "cannot make the folder %s: %s", dir, strerror(errno));
}

struct identity_args {
    const char *dir, *name;
};

static error_t identity_option(int key, char *arg, struct argp_state *state)
{
    struct identity_args *a = state->input;
    switch (key) {
    case 'd':
        a->dir = arg;
        return 0;
    case 'n':
        a->name = arg;
        return 0;
    case ARGP_KEY_ARG:
        return ARGP_ERR_UNKNOWN;
    case ARGP_KEY_END:
        if (a->dir == NULL || a->name == NULL) argp_error(state, "--dir and --name are required");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cli_identity_create(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"dir", 'd', "DIR", 0,
            "Folder for identity.key (mode 0600) and identity.crt; made if missing", 0},
        {"name", 'n', "NAME", 0, "Name in the certificate, for people only", 0},
        {0},
    };
    static const struct argp argp = {.options = options,
        .parser = identity_option,
        .doc = "Make the identity of a node, a coordinator or an operator: a P-256 key and its "
               "certificate.\v"
               "Existing files are never overwritten. The certificate is public; it goes into "
               "cluster.conf."};
    struct identity_args a = {NULL, NULL};
    char key_path[PATH_LEN], cert_path[PATH_LEN];
    struct wire_identity *id = NULL;
    cli_parse(&argp, argc, argv, NULL, &a);
    if (join(key_path, a.dir, "identity.key") || join(cert_path, a.dir, "identity.crt"))
        return CLI_USAGE;
    if (exists(key_path) || exists(cert_path))
        return cli_fail(CLI_FAILED, "%s already holds an identity", a.dir);
    if (make_dir(a.dir) != CLI_OK) return CLI_FAILED;
    qk_err err = wire_identity_generate(&id, a.name);
    if (err == QK_OK) err = wire_identity_save(id, key_path, cert_path);
    wire_identity_free(id);
    if (err == QK_E_STATE)
        return cli_fail(CLI_USAGE, "a name is 1 to %d of A-Z a-z 0-9 . _ -", WIRE_NAME_MAX);
    if (err != QK_OK)
        return cli_fail(CLI_FAILED, "cannot write to %s: %s", a.dir, qk_err_name(err));
    (void)printf("%s\n", cert_path);
    return CLI_OK;
}

static error_t one_path(int key, char *arg, struct argp_state *state)
{
    const char **path = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (*path != NULL) argp_error(state, "one FILE only");
        *path = arg;
        return 0;
    case ARGP_KEY_END:
        if (*path == NULL) argp_error(state, "FILE is required");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cli_node_key_create(int argc, char **argv)
{
    static const struct argp argp = {.parser = one_path,
        .args_doc = "FILE",
        .doc = "Make a node key: 32 random bytes, mode 0600, that seal the node's vault.\v"
               "An existing file is never overwritten. Whoever has this file and the vault has the "
               "node's "
               "shares; whoever loses it has lost them."};
    const char *path = NULL;
    QK_SEC32(node_key);
    cli_parse(&argp, argc, argv, NULL, &path);
    if (exists(path)) return cli_fail(CLI_FAILED, "%s exists already", path);
    qk_err err = qk_rng_fill(qk_rng_system(), node_key.b, NODE_KEY_LEN);
    if (err == QK_OK) err = qk_file_write(path, QK_BYTES(node_key.b), 0600);
    if (err != QK_OK) return cli_fail(CLI_FAILED, "cannot write %s: %s", path, qk_err_name(err));
    (void)printf("%s\n", path);
    return CLI_OK;
}

struct tls_args {
    const char *dir;
    const char *hosts[QKMS_TLS_HOSTS_MAX];
    size_t n_hosts;
};

static error_t tls_option(int key, char *arg, struct argp_state *state)
{
    struct tls_args *a = state->input;
    switch (key) {
    case 'd':
        a->dir = arg;
        return 0;
    case 'h':
        if (a->n_hosts == QKMS_TLS_HOSTS_MAX) argp_error(state, "too many --host");
        a->hosts[a->n_hosts++] = arg;
        return 0;
    case ARGP_KEY_END:
        if (a->dir == NULL) argp_error(state, "--dir is required");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void preset_hosts(struct tls_args *a, char *own, size_t own_len)
{
    if (a->n_hosts > 0) return;
    a->hosts[a->n_hosts++] = "localhost";
    a->hosts[a->n_hosts++] = "127.0.0.1";
    a->hosts[a->n_hosts++] = "::1";
    if (gethostname(own, own_len) == 0 && own[0] != 0 && strcmp(own, "localhost") != 0)
        a->hosts[a->n_hosts++] = own;
}

int cli_tls_create(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"dir", 'd', "DIR", 0,
            "Folder for tls.key (mode 0600), tls.crt and ca.crt; made if missing", 0},
        {"host", 'h', "NAME", 0,
            "DNS name or IP address of the server, repeatable; preset: localhost, 127.0.0.1, ::1 "
            "and this "
            "machine's name",
            0},
        {0},
    };
    static const struct argp argp = {.options = options,
        .parser = tls_option,
        .doc = "Make an HTTPS server certificate and the CA file that clients trust.\v"
               "The authority's own key is forgotten at once: it can never sign anything else. "
               "Existing files are replaced."};
    struct tls_args a = {.n_hosts = 0};
    char own[65] = "", key[PATH_LEN], cert[PATH_LEN], ca[PATH_LEN];
    cli_parse(&argp, argc, argv, NULL, &a);
    preset_hosts(&a, own, sizeof own - 1);
    if (join(key, a.dir, "tls.key") || join(cert, a.dir, "tls.crt") || join(ca, a.dir, "ca.crt"))
        return CLI_USAGE;
    if (make_dir(a.dir) != CLI_OK) return CLI_FAILED;
    const struct qkms_tls_files files = {.key = key, .cert = cert, .ca = ca};
    qk_err err = qkms_tls_create(&files, a.hosts, a.n_hosts, TLS_DAYS);
    if (err == QK_E_MALFORMED) return cli_fail(CLI_USAGE, "a host is a DNS name or an IP address");
    if (err != QK_OK)
        return cli_fail(CLI_FAILED, "cannot write to %s: %s", a.dir, qk_err_name(err));
    (void)printf("%s\n", ca);
    return CLI_OK;
}
