#include "seal/keysource.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "qk/file.h"

struct file_source {
    struct node_keysource base;
    char *path;
};

static qk_err file_unlock(struct node_keysource *self, struct qk_sec32 *key)
{
    const struct file_source *s = (const struct file_source *)self;
    QK_AUTO_BUF raw = QK_BUF_SECRET(sizeof key->b);
    qk_err err = qk_file_read_secret(s->path, &raw);
    if (err == QK_E_TOO_LARGE) err = QK_E_MALFORMED;
    QK_TRY(err);
    QK_ENSURE(raw.len == sizeof key->b, QK_E_MALFORMED);
    memcpy(key->b, raw.p, sizeof key->b);
    return QK_OK;
}

static void file_free(struct node_keysource *self)
{
    struct file_source *s = (struct file_source *)self;
    free(s->path);
    free(s);
}

qk_err node_keysource_file(struct node_keysource **out, const char *path)
{
    struct file_source *s = calloc(1, sizeof *s);
    QK_ENSURE(s != NULL, QK_E_NOMEM);
    s->base = (struct node_keysource){file_unlock, file_free};
    s->path = strdup(path);
    if (s->path == NULL) {
        free(s);
        return QK_E_NOMEM;
    }
    *out = &s->base;
    return QK_OK;
}

/* O_EXCL and a sync of file and folder: a key file that exists is never replaced. */
qk_err node_keyfile_create(const char *path, struct qk_rng *rng)
{
    QK_SEC32(key);
    QK_TRY(qk_rng_fill(rng, key.b, sizeof key.b));
    struct stat st;
    QK_ENSURE(lstat(path, &st) != 0 && errno == ENOENT, QK_E_CONFLICT);
    return qk_file_write(path, QK_BYTES(key.b), 0600);
}

void node_keysource_free(struct node_keysource *source)
{
    if (source != NULL) source->free(source);
}

/* A credential is a file systemd shows to this unit only, under a folder it names. */
static qk_err credential_path(const char *name, char *out, size_t len)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    QK_ENSURE(dir != NULL && dir[0] == '/', QK_E_MALFORMED);
    QK_ENSURE(name[0] != 0 && name[0] != '.' && strchr(name, '/') == NULL, QK_E_MALFORMED);
    QK_ENSURE((size_t)snprintf(out, len, "%s/%s", dir, name) < len, QK_E_MALFORMED);
    return QK_OK;
}

qk_err node_keysource_named(
    struct node_keysource **out, const char *kind, const char *path, const char *params_path)
{
    char full[4096];
    if (strcmp(kind, "file") == 0) return node_keysource_file(out, path);
    if (strcmp(kind, "passphrase") == 0)
        return node_keysource_passphrase(out, path, -1, params_path);
    if (strcmp(kind, "prompt") == 0)
        return node_keysource_passphrase(out, NULL, STDIN_FILENO, params_path);
    if (strcmp(kind, "credential") == 0) {
        QK_TRY(credential_path(path, full, sizeof full));
        return node_keysource_file(out, full);
    }
    QK_ENSURE(strcmp(kind, "credential-passphrase") == 0, QK_E_MALFORMED);
    QK_TRY(credential_path(path, full, sizeof full));
    return node_keysource_passphrase(out, full, -1, params_path);
}
