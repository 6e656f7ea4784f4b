#include "env.h"

#include "qk/file.h"

#include <stdio.h>
#include <stdlib.h>

struct name {
    const char *name;
    size_t at, cap;
    bool required;
};

#define NAME(n, field, req)                                                                        \
    {                                                                                              \
        (n), offsetof(struct qkms_env, field), sizeof((struct qkms_env *)0)->field, (req)          \
    }
/* A later name of the same field loses against an earlier one that is set. */
static const struct name names[] = {
    NAME("AWS_ENDPOINT_URL_KMS", endpoint, false),
    NAME("AWS_ENDPOINT_URL", endpoint, true),
    NAME("AWS_CA_BUNDLE", ca_bundle, false),
    NAME("AWS_REGION", region, false),
    NAME("AWS_DEFAULT_REGION", region, true),
    NAME("QKMS_CLUSTER", cluster, false),
    NAME("AWS_ACCESS_KEY_ID", access_key_id, true),
    NAME("AWS_SECRET_ACCESS_KEY", secret, true),
};

void qkms_env_wipe(struct qkms_env *env)
{
    qk_wipe(env, sizeof *env);
}

static char *field_of(struct qkms_env *env, const struct name *n)
{
    return (char *)env + n->at;
}

static qk_err put(struct qkms_env *env, const struct name *n, struct qk_bytes value)
{
    QK_ENSURE(value.len < n->cap, QK_E_TOO_LARGE);
    QK_ENSURE(memchr(value.p, 0, value.len) == NULL, QK_E_MALFORMED);
    memcpy(field_of(env, n), value.p, value.len);
    field_of(env, n)[value.len] = 0;
    return QK_OK;
}

static struct qk_bytes trim(struct qk_bytes v)
{
    while (v.len > 0 && (v.p[0] == ' ' || v.p[0] == '\t')) {
        v.p++;
        v.len--;
    }
    while (v.len > 0 && (v.p[v.len - 1] == ' ' || v.p[v.len - 1] == '\t' || v.p[v.len - 1] == '\r'))
        v.len--;
    return v;
}

/* The value as a shell would read it, for the plain forms: bare, '...' and "..." without escapes.
 */
static qk_err unquote(struct qk_bytes v, struct qk_bytes *out)
{
    if (v.len >= 2 && (v.p[0] == '\'' || v.p[0] == '"')) {
        QK_ENSURE(v.p[v.len - 1] == v.p[0], QK_E_MALFORMED);
        *out = qk_bytes(v.p + 1, v.len - 2);
    } else {
        *out = v;
    }
    for (size_t i = 0; i < out->len; i++)
        QK_ENSURE(strchr("'\"\\$`", out->p[i]) == NULL, QK_E_MALFORMED);
    return QK_OK;
}

/* Which entry of names stands for the field of entry i. */
static size_t first_of_field(size_t i)
{
    size_t first = i;
    while (first > 0 && names[first - 1].at == names[i].at) first--;
    return first;
}

static qk_err take_line(struct qkms_env *env, size_t *rank, struct qk_bytes line)
{
    line = trim(line);
    if (line.len == 0 || line.p[0] == '#') return QK_OK;
    if (line.len > 7 && memcmp(line.p, "export ", 7) == 0)
        line = trim(qk_bytes(line.p + 7, line.len - 7));
    const uint8_t *equals = memchr(line.p, '=', line.len);
    QK_ENSURE(equals != NULL, QK_E_MALFORMED);
    struct qk_bytes name = qk_bytes(line.p, (size_t)(equals - line.p)), value;
    for (size_t i = 0; i < QK_COUNT(names); i++) {
        if (!qk_bytes_is(name, names[i].name)) continue;
        QK_TRY(unquote(qk_bytes(equals + 1, line.len - name.len - 1), &value));
        size_t *best = &rank[first_of_field(i)];
        if (field_of(env, &names[i])[0] != 0 && *best < i) return QK_OK;
        *best = i;
        return put(env, &names[i], value);
    }
    return QK_OK; /* other variables may stand in the file */
}

static qk_err from_file(const char *file, struct qkms_env *env, char *why, size_t why_len)
{
    QK_AUTO_BUF text = QK_BUF_SECRET(QKMS_ENV_FILE_MAX);
    qk_err err = qk_file_read_secret(file, &text);
    if (err != QK_OK) {
        (void)snprintf(why, why_len, "%s: %s", file,
            err == QK_E_DENIED      ? "must be yours and closed to others (chmod 600)"
            : err == QK_E_NOT_FOUND ? "no such file"
                                    : "cannot be read");
        return err;
    }
    size_t rank[QK_COUNT(names)] = {0};
    unsigned line_number = 1;
    for (size_t at = 0; at < text.len; line_number++) {
        const uint8_t *end = memchr(text.p + at, '\n', text.len - at);
        size_t len = end != NULL ? (size_t)(end - text.p) - at : text.len - at;
        err = take_line(env, rank, qk_bytes(text.p + at, len));
        if (err != QK_OK) {
            (void)snprintf(why, why_len,
                "%s:%u: not a line `export NAME='value'` that this program can read", file,
                line_number);
            return err;
        }
        at += len + 1;
    }
    return QK_OK;
}

static qk_err from_process(struct qkms_env *env, char *why, size_t why_len)
{
    for (size_t i = 0; i < QK_COUNT(names); i++) {
        const char *value = getenv(names[i].name);
        if (value == NULL || field_of(env, &names[i])[0] != 0) continue;
        qk_err err = put(env, &names[i], qk_str(value));
        if (err != QK_OK) {
            (void)snprintf(why, why_len, "%s is too long", names[i].name);
            return err;
        }
    }
    return QK_OK;
}

qk_err qkms_env_load(const char *file, struct qkms_env *out, char *why, size_t why_len)
{
    QKMS_ENV(env);
    QK_TRY(file != NULL ? from_file(file, &env, why, why_len) : from_process(&env, why, why_len));
    for (size_t i = 0; i < QK_COUNT(names); i++) {
        if (!names[i].required || field_of(&env, &names[i])[0] != 0) continue;
        (void)snprintf(why, why_len, "%s is not set in %s", names[i].name,
            file != NULL ? file : "the environment (source client.env, or use --env-file)");
        return QK_E_NOT_FOUND;
    }
    *out = env;
    return QK_OK;
}

static qk_err put_line(struct qk_buf *out, const char *name, const char *value)
{
    for (const char *c = value; *c != 0; c++)
        QK_ENSURE(*c != '\'' && (unsigned char)*c >= 0x20 && *c != 0x7f, QK_E_MALFORMED);
    qk_buf_add_str(out, "export ");
    qk_buf_add_str(out, name);
    qk_buf_add_str(out, "='");
    qk_buf_add_str(out, value);
    qk_buf_add_str(out, "'\n");
    return out->err;
}

qk_err qkms_env_print(const struct qkms_env *env, struct qk_buf *out)
{
    const struct {
        const char *name, *value;
    } lines[] = {
        {"AWS_ENDPOINT_URL", env->endpoint},
        {"AWS_ENDPOINT_URL_KMS", env->endpoint},
        {"AWS_ACCESS_KEY_ID", env->access_key_id},
        {"AWS_SECRET_ACCESS_KEY", env->secret},
        {"AWS_DEFAULT_REGION", env->region},
        {"AWS_REGION", env->region},
        {"AWS_CA_BUNDLE", env->ca_bundle},
        {"NODE_EXTRA_CA_CERTS", env->ca_bundle},
        {"QKMS_CLUSTER", env->cluster},
    };
    for (size_t i = 0; i < QK_COUNT(lines); i++)
        if (lines[i].value[0] != 0) QK_TRY(put_line(out, lines[i].name, lines[i].value));
    return QK_OK;
}
