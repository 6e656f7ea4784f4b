/* qkms init: the ceremony. An operator's signature, a system key made by all nodes, the account,
 * the first administrator and an access key for him. */
#include "cli.h"
#include "api.h"
#include "reveal.h"

#include <stdio.h>

struct init_args {
    const char *cluster, *op_name, *op_dir, *endpoint, *ca, *account_name, *user;
    struct cli_reveal to;
    bool json;
};

static error_t init_option(int key, char *arg, struct argp_state *state)
{
    struct init_args *a = state->input;
    switch (key) {
    case 'c':
        a->cluster = arg;
        return 0;
    case 'o':
        a->op_name = arg;
        return 0;
    case 'd':
        a->op_dir = arg;
        return 0;
    case 'u':
        a->endpoint = arg;
        return 0;
    case 'b':
        a->ca = arg;
        return 0;
    case 'a':
        a->account_name = arg;
        return 0;
    case 'A':
        a->user = arg;
        return 0;
    case 'w':
        a->to.write_env = arg;
        return 0;
    case 's':
        a->to.show_secret = true;
        return 0;
    case 'j':
        a->json = true;
        return 0;
    case ARGP_KEY_END:
        if (a->cluster == NULL || a->op_name == NULL || a->op_dir == NULL || a->endpoint == NULL)
            argp_error(state, "--cluster, --operator, --operator-dir and --endpoint are required");
        if (a->to.write_env == NULL && !a->to.show_secret)
            argp_error(state, "say where the secret goes: --write-env FILE or --show-secret");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void free_identity(struct wire_identity **id)
{
    wire_identity_free(*id);
}

static qk_err load_operator(struct wire_identity **out, const char *dir, char *why, size_t why_len)
{
    char key[4096], cert[4096];
    int a = snprintf(key, sizeof key, "%s/identity.key", dir);
    int b = snprintf(cert, sizeof cert, "%s/identity.crt", dir);
    qk_err err = a < (int)sizeof key && b < (int)sizeof cert ? wire_identity_load(out, key, cert)
                                                             : QK_E_TOO_LARGE;
    if (err != QK_OK)
        (void)snprintf(why, why_len, "%.300s: %s", key,
            err == QK_E_DENIED ? "the key must be yours and closed to others (chmod 600)"
                               : qk_err_name(err));
    return err;
}

static qk_err is_member(const struct wire_cluster *cluster, const char *name,
    const struct wire_identity *id, char *why, size_t why_len)
{
    const struct wire_operator *op = wire_cluster_operator(cluster, name);
    if (op != NULL && qk_bytes_eq(wire_key_spki(op->key), wire_key_spki(wire_identity_key(id))))
        return QK_OK;
    (void)snprintf(why, why_len,
        op == NULL ? "cluster.conf names no operator '%s'"
                   : "cluster.conf has another key for operator '%s'",
        name);
    return QK_E_DENIED;
}

static qk_err set_env(
    struct qkms_env *env, const struct init_args *a, const char *region, char *why, size_t why_len)
{
    const struct {
        char *to;
        size_t cap;
        const char *from;
    } texts[] = {{env->endpoint, sizeof env->endpoint, a->endpoint},
        {env->ca_bundle, sizeof env->ca_bundle, a->ca != NULL ? a->ca : ""},
        {env->cluster, sizeof env->cluster, a->cluster}, {env->region, sizeof env->region, region}};
    for (size_t i = 0; i < QK_COUNT(texts); i++)
        if ((size_t)snprintf(texts[i].to, texts[i].cap, "%s", texts[i].from) >= texts[i].cap) {
            (void)snprintf(why, why_len, "too long: %.80s...", texts[i].from);
            return QK_E_TOO_LARGE;
        }
    return QK_OK;
}

static qk_err ceremony(const struct init_args *a, const struct wire_cluster *cluster,
    const struct qkms_response_key *key, const struct qkms_env *env, json_t **answer, char *why,
    size_t why_len)
{
    __attribute__((cleanup(free_identity))) struct wire_identity *id = NULL;
    CLI_JSON(args) = NULL;
    QK_TRY(load_operator(&id, a->op_dir, why, why_len));
    QK_TRY(is_member(cluster, a->op_name, id, why, why_len));
    args = json_pack("{s:s, s:s, s:o}", "AccountName", a->account_name, "AdminUserName", a->user,
        "ResponseKey", qkms_response_key_json(key));
    QK_ENSURE(args != NULL, QK_E_NOMEM);
    const struct qkms_operator op = {.name = a->op_name, .identity = id, .cluster = cluster};
    return qkms_call_operator(env, &op, "QkmsAdmin.Initialize", args, answer, why, why_len);
}

static int run(const struct init_args *a)
{
    char why[CLI_WHY_MAX] = "";
    QKMS_ENV(env);
    QKMS_RESPONSE_KEY(key);
    CLI_CLUSTER(cluster);
    CLI_JSON(answer) = NULL;
    qk_err err = wire_cluster_read(&cluster, a->cluster, why, sizeof why);
    if (err != QK_OK) return cli_fail(CLI_FAILED, "%s: %s", a->cluster, why);
    err = set_env(&env, a, cluster->region, why, sizeof why);
    if (err == QK_OK) err = qkms_response_key_new(&key);
    if (err == QK_OK) err = ceremony(a, cluster, &key, &env, &answer, why, sizeof why);
    if (err != QK_OK) return cli_fail_err(err, why);
    return cli_reveal(answer, cluster, &key, &env, &a->to, a->json);
}

int cli_init(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"cluster", 'c', "FILE", 0, "The cluster file", 0},
        {"operator", 'o', "NAME", 0, "Operator, as in the cluster file", 0},
        {"operator-dir", 'd', "DIR", 0, "Folder with the operator's identity.key and identity.crt",
            0},
        {"endpoint", 'u', "URL", 0, "https://host:port of a coordinator", 0},
        {"ca-bundle", 'b', "FILE", 0, "PEM file that its certificate is checked against", 0},
        {"account-name", 'a', "TEXT", 0, "Name of the account; preset: main", 0},
        {"admin", 'A', "NAME", 0, "Name of the first administrator; preset: admin", 0},
        {"write-env", 'w', "FILE", 0,
            "Write the access key to FILE (mode 0600), ready to be sourced", 0},
        {"show-secret", 's', NULL, 0, "Print the secret access key on stdout", 0},
        {"json", 'j', NULL, 0, "Print the outcome as JSON", 0},
        {0},
    };
    static const struct argp argp = {.options = options,
        .parser = init_option,
        .doc = "The ceremony: the nodes make the system key together, and the first administrator "
               "gets an "
               "access key.\vRun once for a cluster; all nodes must be up. No machine learns the "
               "system key; "
               "the secret access key is put together here, from parts that the nodes sealed to "
               "this run, and "
               "is stored nowhere else. If a run was interrupted, run it again."};
    struct init_args a = {.account_name = "main", .user = "admin"};
    cli_parse(&argp, argc, argv, NULL, &a);
    return run(&a);
}
