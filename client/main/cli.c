#include "cli.h"
#include "api.h"

#include <stdarg.h>
#include <stdio.h>

/* One line on stderr: what goes wrong between here and there has nobody to be told to. */
#define SAY(kind, fmt)                                                                             \
    do {                                                                                           \
        va_list args;                                                                              \
        char line[1024];                                                                           \
        va_start(args, fmt);                                                                       \
        (void)vsnprintf(line, sizeof line, fmt, args);                                             \
        va_end(args);                                                                              \
        (void)fprintf(stderr, "qkms: %s: %s\n", (kind), line);                                     \
    } while (0)

int cli_fail(int status, const char *fmt, ...)
{
    SAY("error", fmt);
    return status;
}

void cli_warn(const char *fmt, ...)
{
    SAY("warning", fmt);
}

int cli_status_of(qk_err err)
{
    switch (err) {
    case QK_OK:
        return CLI_OK;
    case QK_E_PROOF:
    case QK_E_MISMATCH:
        return CLI_FORGED;
    case QK_E_IO:
    case QK_E_TIMEOUT:
    case QK_E_BUSY:
        return CLI_UNREACHABLE;
    default:
        return CLI_FAILED;
    }
}

int cli_fail_err(qk_err err, const char *why)
{
    return cli_fail(cli_status_of(err), "%s", why[0] != 0 ? why : qk_err_name(err));
}

static error_t api_option(int key, char *arg, struct argp_state *state)
{
    struct cli_api *api = state->input;
    switch (key) {
    case 'e':
        api->env_file = arg;
        return 0;
    case 'c':
        api->cluster = arg;
        return 0;
    case 'j':
        api->json = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option api_options[] = {
    {"env-file", 'e', "FILE", 0,
        "Take endpoint and access key from FILE (mode 0600, `export NAME='value'` lines) instead "
        "of "
        "the environment",
        10},
    {"cluster", 'c', "FILE", 0, "The cluster file; preset: $QKMS_CLUSTER", 10},
    {"json", 'j', NULL, 0, "Print the answer as JSON", 10},
    {0},
};
const struct argp cli_api_argp = {.options = api_options, .parser = api_option};

/* The command's own argp and the common one are children of this: it hands each its input. */
static error_t root_option(int key, char *arg, struct argp_state *state)
{
    (void)arg;
    void *const *inputs = state->input;
    if (key != ARGP_KEY_INIT) return ARGP_ERR_UNKNOWN;
    state->child_inputs[0] = inputs[0];
    if (inputs[1] != NULL) state->child_inputs[1] = inputs[1];
    return 0;
}

void cli_parse(const struct argp *argp, int argc, char **argv, struct cli_api *api, void *input)
{
    const struct argp_child children[] = {
        {.argp = argp}, {.argp = api != NULL ? &cli_api_argp : NULL}, {0}};
    const struct argp root = {.parser = root_option, .children = children};
    void *inputs[] = {input, api};
    (void)argp_parse(&root, argc, argv, 0, NULL, inputs);
}

void cli_json_free(json_t **value)
{
    json_decref(*value);
}

void cli_cluster_free(struct wire_cluster **cluster)
{
    wire_cluster_free(*cluster);
}

int cli_simple(const struct cli_api *api, const char *target, json_t *args)
{
    char why[CLI_WHY_MAX] = "";
    QKMS_ENV(env);
    CLI_JSON(answer) = NULL;
    CLI_JSON(owned) = args;
    if (owned == NULL) return cli_fail(CLI_FAILED, "out of memory");
    qk_err err = qkms_env_load(api->env_file, &env, why, sizeof why);
    if (err == QK_OK) err = qkms_call(&env, target, owned, &answer, why, sizeof why);
    if (err != QK_OK) return cli_fail_err(err, why);
    cli_print(answer, api->json);
    return CLI_OK;
}
