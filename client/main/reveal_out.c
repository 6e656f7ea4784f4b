/* Where a fresh secret goes: a private file, or stdout if that was asked for in so many words. */
#include "cli.h"
#include "reveal.h"

#include "qk/file.h"

#include <stdio.h>

static qk_err write_env(const struct qkms_env *env, const char *path)
{
    QK_AUTO_BUF text = QK_BUF_SECRET(QKMS_ENV_FILE_MAX);
    qk_buf_add_str(
        &text, "# An access key of qkms. Whoever reads this file can act as its user.\n");
    QK_TRY(qkms_env_print(env, &text));
    return qk_file_write(path, qk_buf_view(&text), 0600);
}

static json_t *summary(
    const json_t *answer, const struct qkms_env *env, const struct cli_reveal *to)
{
    json_t *out = json_object();
    json_t *key = json_copy(json_object_get(answer, "AccessKey")); /* shallow: members are public */
    if (out == NULL || key == NULL || json_object_set_new(out, "AccessKey", key) != 0) {
        json_decref(out);
        return NULL;
    }
    int bad = json_object_set_new(out, "Endpoint", json_string(env->endpoint));
    if (to->show_secret)
        bad |= json_object_set_new(key, "SecretAccessKey", json_string(env->secret));
    if (to->write_env != NULL)
        bad |= json_object_set_new(out, "WrittenTo", json_string(to->write_env));
    if (bad == 0) return out;
    json_decref(out);
    return NULL;
}

int cli_reveal(const json_t *answer, const struct wire_cluster *cluster,
    const struct qkms_response_key *key, struct qkms_env *env, const struct cli_reveal *to,
    bool json)
{
    char why[CLI_WHY_MAX] = "";
    struct qkms_revealed revealed;
    KMS_SECRET_TEXT(secret);
    CLI_JSON(out) = NULL;
    qk_err err = qkms_reveal(answer, cluster, key, &secret, &revealed, why, sizeof why);
    if (err != QK_OK) return cli_fail_err(err, why);
    if (revealed.bad_node != 0)
        cli_warn("node %u sent a partial value that does not verify; the others sufficed",
            (unsigned)revealed.bad_node);
    (void)snprintf(env->access_key_id, sizeof env->access_key_id, "%s", revealed.access_key_id);
    memcpy(env->secret, secret.text, sizeof secret.text);
    if (to->write_env != NULL && (err = write_env(env, to->write_env)) != QK_OK)
        return cli_fail(CLI_FAILED,
            "cannot write %s (%s): the access key %s exists but its secret is lost; make another "
            "and disable this one",
            to->write_env, qk_err_name(err), revealed.access_key_id);
    out = summary(answer, env, to);
    if (out == NULL) return cli_fail(CLI_FAILED, "out of memory");
    cli_print(out, json);
    return CLI_OK;
}
