/* qkms cluster create, cluster show. */
#include "cli.h"
#include "pem.h"

#include "qk/file.h"
#include "qk/rng.h"

#include <stdio.h>
#include <stdlib.h>

enum { VALUE_MAX = 4096 };

struct member {
    const char *text; /* "id=1,address=...,call=...,cert=FILE" */
};

struct create_args {
    const char *out, *name, *account, *region, *threshold;
    struct member nodes[WIRE_NODES_MAX], coordinators[WIRE_MEMBERS_MAX],
        operators[WIRE_MEMBERS_MAX];
    size_t n_nodes, n_coordinators, n_operators;
};

static void add(struct member *list, size_t *n, size_t max, const char *text, struct argp_state *s)
{
    if (*n == max) argp_error(s, "at most %zu of these", max);
    list[(*n)++].text = text;
}

static error_t create_option(int key, char *arg, struct argp_state *state)
{
    struct create_args *a = state->input;
    switch (key) {
    case 'o':
        a->out = arg;
        return 0;
    case 'n':
        a->name = arg;
        return 0;
    case 'a':
        a->account = arg;
        return 0;
    case 'r':
        a->region = arg;
        return 0;
    case 't':
        a->threshold = arg;
        return 0;
    case 'N':
        add(a->nodes, &a->n_nodes, WIRE_NODES_MAX, arg, state);
        return 0;
    case 'C':
        add(a->coordinators, &a->n_coordinators, WIRE_MEMBERS_MAX, arg, state);
        return 0;
    case 'O':
        add(a->operators, &a->n_operators, WIRE_MEMBERS_MAX, arg, state);
        return 0;
    case ARGP_KEY_END:
        if (a->out == NULL || a->name == NULL || a->account == NULL || a->region == NULL)
            argp_error(state, "--out, --name, --account and --region are required");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* The value of name in "name=value,name=value". */
static int value_of(const struct member *m, const char *name, char out[static VALUE_MAX])
{
    size_t name_len = strlen(name);
    for (const char *p = m->text; *p != 0;) {
        size_t len = strcspn(p, ",");
        if (len > name_len && strncmp(p, name, name_len) == 0 && p[name_len] == '=' &&
            len - name_len <= VALUE_MAX) {
            memcpy(out, p + name_len + 1, len - name_len - 1);
            out[len - name_len - 1] = 0;
            return CLI_OK;
        }
        p += p[len] == ',' ? len + 1 : len;
    }
    return cli_fail(CLI_USAGE, "'%s' lacks %s=", m->text, name);
}

static int put_node(struct qk_buf *out, const struct member *m)
{
    char id[VALUE_MAX], address[VALUE_MAX], call[VALUE_MAX], cert[VALUE_MAX], *end;
    QK_AUTO_BUF der = QK_BUF(WIRE_CERT_MAX);
    if (value_of(m, "id", id) || value_of(m, "address", address) || value_of(m, "call", call) ||
        value_of(m, "cert", cert))
        return CLI_USAGE;
    unsigned long number = strtoul(id, &end, 10);
    if (*end != 0 || number < 1 || number > 255)
        return cli_fail(CLI_USAGE, "a node's id is 1 to 255, not '%s'", id);
    if (qkms_pem_cert(cert, &der) != QK_OK)
        return cli_fail(CLI_FAILED, "%s: no certificate in it", cert);
    wire_cluster_put_node(out, (uint16_t)number, address, call, qk_buf_view(&der));
    return CLI_OK;
}

static int put_coordinator(struct qk_buf *out, const struct member *m)
{
    char name[VALUE_MAX], cert[VALUE_MAX];
    QK_AUTO_BUF der = QK_BUF(WIRE_CERT_MAX);
    if (value_of(m, "name", name) || value_of(m, "cert", cert)) return CLI_USAGE;
    if (qkms_pem_cert(cert, &der) != QK_OK)
        return cli_fail(CLI_FAILED, "%s: no certificate in it", cert);
    wire_cluster_put_coordinator(out, name, qk_buf_view(&der));
    return CLI_OK;
}

static int put_operator(struct qk_buf *out, const struct member *m)
{
    char name[VALUE_MAX], key[VALUE_MAX];
    QK_AUTO_BUF spki = QK_BUF(1024);
    if (value_of(m, "name", name) || value_of(m, "key", key)) return CLI_USAGE;
    if (qkms_pem_spki(key, &spki) != QK_OK)
        return cli_fail(CLI_FAILED, "%s: no certificate or public key in it", key);
    wire_cluster_put_operator(out, name, qk_buf_view(&spki));
    return CLI_OK;
}

static int put_members(struct qk_buf *out, const struct create_args *a)
{
    int status = CLI_OK;
    for (size_t i = 0; i < a->n_nodes && status == CLI_OK; i++)
        status = put_node(out, &a->nodes[i]);
    for (size_t i = 0; i < a->n_coordinators && status == CLI_OK; i++)
        status = put_coordinator(out, &a->coordinators[i]);
    for (size_t i = 0; i < a->n_operators && status == CLI_OK; i++)
        status = put_operator(out, &a->operators[i]);
    return status;
}

static int write_cluster(const struct create_args *a, const struct qk_buf *text)
{
    char why[CLI_WHY_MAX] = "", hash[65];
    CLI_CLUSTER(cluster);
    if (text->err != QK_OK) return cli_fail(CLI_FAILED, "the cluster file gets too large");
    qk_err err = wire_cluster_parse(&cluster, qk_buf_view(text), why, sizeof why);
    if (err != QK_OK) return cli_fail(CLI_USAGE, "these members make no cluster: %s", why);
    err = qk_file_write(a->out, qk_buf_view(text), 0644);
    if (err != QK_OK) return cli_fail(CLI_FAILED, "cannot write %s", a->out);
    qk_hex(cluster->hash, sizeof cluster->hash, hash);
    (void)printf("%s\n", hash);
    return CLI_OK;
}

int cli_cluster_create(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"out", 'o', "FILE", 0, "Where to write it", 0},
        {"name", 'n', "NAME", 0, "The cluster's name", 0},
        {"account", 'a', "DIGITS", 0, "Account number, 12 digits", 0},
        {"region", 'r', "REGION", 0, "Region name, for example q-world-1", 0},
        {"threshold", 't', "T", 0, "Nodes needed to use a key; preset 2", 0},
        {"node", 'N', "id=N,address=URL,call=URL,cert=FILE", 0,
            "A node, repeatable, ascending ids: where it listens for nodes and for coordinators",
            0},
        {"coordinator", 'C', "name=NAME,cert=FILE", 0, "A coordinator, repeatable", 0},
        {"operator", 'O', "name=NAME,key=FILE", 0,
            "An operator, repeatable: PEM of a public key or certificate", 0},
        {0},
    };
    static const struct argp argp = {.options = options,
        .parser = create_option,
        .doc = "Write cluster.conf, the public file that names the members of a cluster.\v"
               "Every member needs the very same file: its hash, printed here, is bound into every "
               "session. "
               "Compare it by another way than the one the file took."};
    struct create_args a = {.threshold = "2"};
    uint8_t id[16];
    QK_AUTO_BUF text = QK_BUF(WIRE_CLUSTER_FILE_MAX);
    cli_parse(&argp, argc, argv, NULL, &a);
    char *end;
    unsigned long t = strtoul(a.threshold, &end, 10);
    if (*end != 0 || t < 2 || t > WIRE_NODES_MAX)
        return cli_fail(CLI_USAGE, "the threshold is 2 to the number of nodes");
    if (qk_rng_fill(qk_rng_system(), id, sizeof id) != QK_OK)
        return cli_fail(CLI_FAILED, "no randomness");
    wire_cluster_put(&text, a.name, id, a.account, a.region, (uint16_t)t);
    int status = put_members(&text, &a);
    return status != CLI_OK ? status : write_cluster(&a, &text);
}

static error_t show_option(int key, char *arg, struct argp_state *state)
{
    const char **path = state->input;
    if (key == ARGP_KEY_END && *path == NULL) argp_error(state, "FILE is required");
    if (key != ARGP_KEY_ARG) return key == ARGP_KEY_END ? 0 : ARGP_ERR_UNKNOWN;
    if (*path != NULL) argp_error(state, "one FILE only");
    *path = arg;
    return 0;
}

int cli_cluster_show(int argc, char **argv)
{
    static const struct argp argp = {.parser = show_option,
        .args_doc = "FILE",
        .doc = "Check a cluster.conf and print who belongs to the cluster, and its hash."};
    const char *path = NULL;
    char why[CLI_WHY_MAX] = "", hash[65];
    CLI_CLUSTER(cluster);
    cli_parse(&argp, argc, argv, NULL, &path);
    if (wire_cluster_read(&cluster, path, why, sizeof why) != QK_OK)
        return cli_fail(CLI_FAILED, "%s: %s", path, why);
    qk_hex(cluster->hash, sizeof cluster->hash, hash);
    (void)printf("name: %s\naccount: %s\nregion: %s\nthreshold: %u of %zu\nquorum: %zu\nhash: %s\n",
        cluster->name, cluster->account, cluster->region, (unsigned)cluster->t, cluster->n,
        wire_cluster_quorum(cluster), hash);
    for (size_t i = 0; i < cluster->n; i++)
        (void)printf("node %u: %s, calls at %s\n", (unsigned)cluster->nodes[i].id,
            cluster->nodes[i].address, cluster->nodes[i].call_address);
    for (size_t i = 0; i < cluster->n_coordinators; i++)
        (void)printf("coordinator: %s\n", cluster->coordinators[i].name);
    for (size_t i = 0; i < cluster->n_operators; i++)
        (void)printf("operator: %s\n", cluster->operators[i].name);
    return CLI_OK;
}
