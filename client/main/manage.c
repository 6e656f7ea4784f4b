/* qkms status, user, access-key: the operations of an administrator. */
#include "cli.h"
#include "api.h"
#include "reveal.h"

#include <stdio.h>

enum { ALLOW_MAX = 32, PAGES_MAX = 10000 };

struct manage_args {
    struct cli_api api;
    const char *name; /* the command's argument, or --user */
    struct cli_reveal to;
    bool admin;
    const char *allow[ALLOW_MAX];
    size_t n_allow;
};

static error_t take_name(struct manage_args *a, char *arg, struct argp_state *state)
{
    if (a->name != NULL) argp_error(state, "one name only");
    a->name = arg;
    return 0;
}

static error_t no_arguments(int key, char *arg, struct argp_state *state)
{
    (void)arg;
    if (key == ARGP_KEY_ARG) argp_error(state, "takes no arguments");
    return ARGP_ERR_UNKNOWN;
}

static error_t name_required(int key, char *arg, struct argp_state *state)
{
    struct manage_args *a = state->input;
    if (key == ARGP_KEY_ARG) return take_name(a, arg, state);
    if (key != ARGP_KEY_END) return ARGP_ERR_UNKNOWN;
    if (a->name == NULL) argp_error(state, "which one?");
    return 0;
}

/* "2 of 2": links of a node that are up. */
static json_t *links_of(const json_t *peers)
{
    size_t up = 0;
    for (size_t i = 0; i < json_array_size(peers); i++)
        up += json_is_true(json_object_get(json_array_get(peers, i), "Up"));
    return json_sprintf("%zu of %zu", up, json_array_size(peers));
}

/* For people: what a node says of itself stands in its row of the table. */
static void flatten_node(json_t *row)
{
    json_t *said = json_incref(json_object_get(row, "Status"));
    const char *name;
    json_t *value;
    (void)json_object_del(row, "Status");
    json_object_foreach(said, name, value)
    {
        if (strcmp(name, "Peers") == 0)
            (void)json_object_set_new(row, "Links", links_of(value));
        else if (!json_is_object(value) && !json_is_array(value))
            (void)json_object_set(row, name, value);
    }
    json_decref(said);
}

static int print_status(json_t *answer, bool json)
{
    json_t *nodes = json_object_get(answer, "Nodes");
    for (size_t i = 0; i < json_array_size(nodes) && !json; i++)
        flatten_node(json_array_get(nodes, i));
    cli_print(answer, json);
    return CLI_OK;
}

int cli_status(int argc, char **argv)
{
    static const struct argp argp = {
        .parser = no_arguments, .doc = "Show the cluster: nodes, epochs, pools, versions."};
    struct manage_args a = {.name = NULL};
    char why[CLI_WHY_MAX] = "";
    QKMS_ENV(env);
    CLI_JSON(args) = json_object();
    CLI_JSON(answer) = NULL;
    cli_parse(&argp, argc, argv, &a.api, &a);
    qk_err err = qkms_env_load(a.api.env_file, &env, why, sizeof why);
    if (err == QK_OK) err = qkms_call(&env, "QkmsAdmin.GetStatus", args, &answer, why, sizeof why);
    return err != QK_OK ? cli_fail_err(err, why) : print_status(answer, a.api.json);
}

/* ---- lists: all pages as one ---- */

static qk_err next_page(const struct qkms_env *env, const char *target, const char *member,
    json_t *args, json_t *all, bool *more, char *why, size_t why_len)
{
    CLI_JSON(answer) = NULL;
    QK_TRY(qkms_call(env, target, args, &answer, why, why_len));
    json_t *marker = json_object_get(answer, "NextMarker");
    *more = json_is_string(marker);
    bool bad = json_array_extend(all, json_object_get(answer, member)) != 0;
    if (*more) bad |= json_object_set(args, "Marker", marker) != 0;
    if (bad) (void)snprintf(why, why_len, "the answer has no list of %s", member);
    return bad ? QK_E_CORRUPT : QK_OK;
}

static int list(const struct cli_api *api, const char *target, const char *member, json_t *args)
{
    char why[CLI_WHY_MAX] = "";
    QKMS_ENV(env);
    CLI_JSON(owned) = args;
    CLI_JSON(out) = json_pack("{s:[]}", member);
    if (owned == NULL || out == NULL) return cli_fail(CLI_FAILED, "out of memory");
    qk_err err = qkms_env_load(api->env_file, &env, why, sizeof why);
    bool more = true;
    for (int page = 0; err == QK_OK && more && page < PAGES_MAX; page++)
        err = next_page(
            &env, target, member, owned, json_object_get(out, member), &more, why, sizeof why);
    if (err != QK_OK) return cli_fail_err(err, why);
    cli_print(out, api->json);
    return CLI_OK;
}

int cli_user_list(int argc, char **argv)
{
    static const struct argp argp = {.parser = no_arguments, .doc = "List all users."};
    struct manage_args a = {.name = NULL};
    cli_parse(&argp, argc, argv, &a.api, &a);
    return list(&a.api, "QkmsAdmin.ListUsers", "Users", json_object());
}

static error_t user_option(int key, char *arg, struct argp_state *state)
{
    struct manage_args *a = state->input;
    switch (key) {
    case 'u':
        return take_name(a, arg, state);
    case 'w':
        a->to.write_env = arg;
        return 0;
    case 's':
        a->to.show_secret = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "takes no arguments, only options");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cli_access_key_list(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"user", 'u', "NAME", 0, "Only those of this user", 0}, {0}};
    static const struct argp argp = {.options = options,
        .parser = user_option,
        .doc = "List access keys. Secrets are not stored, so none is shown."};
    struct manage_args a = {.name = NULL};
    cli_parse(&argp, argc, argv, &a.api, &a);
    json_t *args = json_object();
    if (a.name != NULL && json_object_set_new(args, "UserName", json_string(a.name)) != 0)
        return cli_fail(CLI_USAGE, "the user's name is not UTF-8");
    return list(&a.api, "QkmsAdmin.ListAccessKeys", "AccessKeys", args);
}

/* ---- changes ---- */

static error_t create_user_option(int key, char *arg, struct argp_state *state)
{
    struct manage_args *a = state->input;
    switch (key) {
    case 'a':
        a->admin = true;
        return 0;
    case 'p':
        if (a->n_allow == ALLOW_MAX) argp_error(state, "at most %d --allow", ALLOW_MAX);
        a->allow[a->n_allow++] = arg;
        return 0;
    default:
        return name_required(key, arg, state);
    }
}

int cli_user_create(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"admin", 'a', NULL, 0, "May use the administration commands", 0},
        {"allow", 'p', "PATTERN", 0,
            "Action that the user may do, repeatable, for example kms:Sign or kms:*", 0},
        {0},
    };
    static const struct argp argp = {.options = options,
        .parser = create_user_option,
        .args_doc = "NAME",
        .doc = "Make a user. It can do nothing before it has an access key."};
    struct manage_args a = {.name = NULL};
    cli_parse(&argp, argc, argv, &a.api, &a);
    json_t *args = json_pack("{s:s, s:b}", "UserName", a.name, "Admin", (int)a.admin);
    json_t *allow = json_array();
    for (size_t i = 0; i < a.n_allow; i++)
        (void)json_array_append_new(allow, json_string(a.allow[i]));
    if (a.n_allow > 0) (void)json_object_set(args, "Allow", allow);
    json_decref(allow);
    return cli_simple(&a.api, "QkmsAdmin.CreateUser", args);
}

static qk_err load_cluster(const struct cli_api *api, struct qkms_env *env,
    struct wire_cluster **out, char *why, size_t why_len)
{
    const char *path = api->cluster != NULL ? api->cluster : env->cluster;
    if (path[0] == 0) {
        (void)snprintf(why, why_len,
            "--cluster FILE or QKMS_CLUSTER is needed to check what the nodes answer");
        return QK_E_NOT_FOUND;
    }
    char detail[256] = "";
    qk_err err = wire_cluster_read(out, path, detail, sizeof detail);
    if (err != QK_OK)
        (void)snprintf(
            why, why_len, "%.200s: %s", path, detail[0] != 0 ? detail : qk_err_name(err));
    else
        (void)snprintf(env->cluster, sizeof env->cluster, "%s", path);
    return err == QK_E_IO ? QK_E_NOT_FOUND : err; /* a local file, not an unreachable service */
}

static int create_access_key(const struct manage_args *a)
{
    char why[CLI_WHY_MAX] = "";
    QKMS_ENV(env);
    QKMS_RESPONSE_KEY(key);
    CLI_CLUSTER(cluster);
    CLI_JSON(answer) = NULL;
    CLI_JSON(args) = NULL;
    qk_err err = qkms_env_load(a->api.env_file, &env, why, sizeof why);
    if (err == QK_OK) err = load_cluster(&a->api, &env, &cluster, why, sizeof why);
    if (err == QK_OK) err = qkms_response_key_new(&key);
    if (err != QK_OK) return cli_fail_err(err, why);
    args =
        json_pack("{s:s, s:o}", "UserName", a->name, "ResponseKey", qkms_response_key_json(&key));
    if (args == NULL) return cli_fail(CLI_USAGE, "the user's name is not UTF-8");
    err = qkms_call(&env, "QkmsAdmin.CreateAccessKey", args, &answer, why, sizeof why);
    if (err != QK_OK) return cli_fail_err(err, why);
    return cli_reveal(answer, cluster, &key, &env, &a->to, a->api.json);
}

int cli_access_key_create(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"user", 'u', "NAME", 0, "The user it is for", 0},
        {"write-env", 'w', "FILE", 0, "Write it to FILE (mode 0600), ready to be sourced", 0},
        {"show-secret", 's', NULL, 0, "Print the secret access key on stdout", 0},
        {0},
    };
    static const struct argp argp = {.options = options,
        .parser = user_option,
        .doc = "Make an access key for a user.\vThe secret is derived by the nodes together and "
               "put together "
               "here, now; it is stored nowhere and cannot be shown again."};
    struct manage_args a = {.name = NULL};
    cli_parse(&argp, argc, argv, &a.api, &a);
    if (a.name == NULL) return cli_fail(CLI_USAGE, "--user is required");
    if (a.to.write_env == NULL && !a.to.show_secret)
        return cli_fail(CLI_USAGE, "say where the secret goes: --write-env FILE or --show-secret");
    return create_access_key(&a);
}

static int set_status(int argc, char **argv, const struct argp *argp, const char *status)
{
    struct manage_args a = {.name = NULL};
    cli_parse(argp, argc, argv, &a.api, &a);
    return cli_simple(&a.api, "QkmsAdmin.UpdateAccessKey",
        json_pack("{s:s, s:s}", "AccessKeyId", a.name, "Status", status));
}

int cli_access_key_disable(int argc, char **argv)
{
    static const struct argp argp = {.parser = name_required,
        .args_doc = "ACCESS-KEY-ID",
        .doc = "Make an access key invalid. Requests signed with it are refused from then on."};
    return set_status(argc, argv, &argp, "Inactive");
}

int cli_access_key_enable(int argc, char **argv)
{
    static const struct argp argp = {.parser = name_required,
        .args_doc = "ACCESS-KEY-ID",
        .doc = "Make a disabled access key valid again."};
    return set_status(argc, argv, &argp, "Active");
}
