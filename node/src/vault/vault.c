#include "vault/vault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "vault/group.h"

struct opening {
    struct node_vault *v;
    const struct node_vault_options *o;
    char *why;
    size_t why_len;
};

static qk_err fail(struct opening *in, qk_err err, const char *text)
{
    (void)snprintf(in->why, in->why_len, "%s %s", in->o->path, text);
    return err;
}

/* The file is made by us, not by SQLite: O_EXCL and its mode are ours to choose. */
static qk_err make_file(struct opening *in)
{
    int fd = open(in->o->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 && errno == EEXIST) return fail(in, QK_E_CONFLICT, "exists already");
    if (fd < 0) return fail(in, QK_E_IO, "cannot be created");
    (void)close(fd);
    return QK_OK;
}

static qk_err look_at_file(struct opening *in)
{
    struct stat st;
    if (lstat(in->o->path, &st) != 0)
        return errno == ENOENT
                   ? fail(in, QK_E_NOT_FOUND,
                         "does not exist; a node that lost its vault joins under a new id")
                   : fail(in, QK_E_IO, "cannot be examined");
    if (!S_ISREG(st.st_mode)) return fail(in, QK_E_DENIED, "is not a regular file");
    if ((st.st_mode & 077) != 0) return fail(in, QK_E_DENIED, "is open to group or others");
    return QK_OK;
}

static qk_err set_up_connection(struct opening *in)
{
    struct node_vault *v = in->v;
    int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOFOLLOW;
    int rc = sqlite3_open_v2(in->o->path, &v->db, flags, in->o->vfs);
    if (rc != SQLITE_OK) return fail(in, db_err(v, rc), "cannot be opened");
    (void)sqlite3_db_config(v->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(v->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    /* Exclusive before the first access: then no shared-memory file is made, and whoever comes
     * second is told that the file is in use. */
    qk_err err = db_exec(v, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA cell_size_check = ON;"
                            "PRAGMA mmap_size = 0; PRAGMA foreign_keys = ON;"
                            "PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY;"
                            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                            "BEGIN IMMEDIATE; COMMIT");
    if (err == QK_E_BUSY) return fail(in, err, "is in use by another process");
    if (err == QK_E_CORRUPT) return fail(in, err, "is damaged, or not an SQLite file");
    if (err != QK_OK) return fail(in, err, "cannot be read or written");
    return QK_OK;
}

static qk_err cap_size(struct opening *in)
{
    if (in->o->max_bytes == 0) return QK_OK;
    char sql[64];
    (void)snprintf(sql, sizeof sql, "PRAGMA max_page_count = %llu",
        (unsigned long long)(in->o->max_bytes / 4096 + 1));
    return db_exec(in->v, sql);
}

static qk_err read_meta(struct node_vault *v, const char *name, uint64_t *out)
{
    DB_STMT(st);
    QK_TRY(db_prepare(v, &st, "SELECT num FROM meta WHERE name = ?", NULL, 0));
    QK_TRY(db_err(v, sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC)));
    qk_err err = db_row(v, st);
    QK_ENSURE(err != QK_E_NOT_FOUND, QK_E_CORRUPT);
    QK_TRY(err);
    return db_uint(st, 0, INT64_MAX, out);
}

static qk_err start_generation(struct node_vault *v)
{
    uint64_t clean;
    QK_TRY(read_meta(v, "clean", &clean));
    QK_TRY(read_meta(v, "generation", &v->generation));
    v->unclean = clean != 1;
    QK_TRY(db_begin(v));
    QK_TRY(db_end_change(v, db_exec(v, "UPDATE meta SET num = 0 WHERE name = 'clean'")));
    /* What a destruction left in the log when it was interrupted goes now (K9). */
    return db_truncate_log(v);
}

static qk_err open_all(struct opening *in)
{
    QK_TRY(in->o->create ? make_file(in) : look_at_file(in));
    QK_TRY(set_up_connection(in));
    if (in->o->create) {
        qk_err err = vault_schema_create(in->v);
        if (err != QK_OK) return fail(in, err, "cannot be filled");
    }
    char reason[160] = "is damaged: a table or a row is missing";
    qk_err err = vault_schema_check(in->v, reason, sizeof reason);
    if (err == QK_E_NOT_FOUND) err = QK_E_CORRUPT;
    if (err != QK_OK) return fail(in, err, reason);
    err = cap_size(in);
    if (err == QK_OK) err = start_generation(in->v);
    return err == QK_OK ? QK_OK : fail(in, err, "cannot be written");
}

static void release(struct node_vault *v)
{
    db_free_kept(v);
    (void)sqlite3_close_v2(v->db);
    (void)pthread_mutex_destroy(&v->mutex);
    vault_group_destroy(&v->group);
    for (size_t i = 0; i < VAULT_STRIPES; i++) (void)pthread_mutex_destroy(&v->stripes[i]);
    free(v);
}

qk_err node_vault_open(
    struct node_vault **out, const struct node_vault_options *options, char *why, size_t why_len)
{
    QK_ENSURE(options->node_id >= 1 && options->node_id <= 255, QK_E_STATE);
    struct node_vault *v = calloc(1, sizeof *v);
    QK_ENSURE(v != NULL, QK_E_NOMEM);
    v->seal = options->seal;
    v->node_id = options->node_id;
    memcpy(v->cluster_id, options->cluster_id, sizeof v->cluster_id);
    (void)pthread_mutex_init(&v->mutex, NULL);
    vault_group_init(&v->group);
    for (size_t i = 0; i < VAULT_STRIPES; i++) (void)pthread_mutex_init(&v->stripes[i], NULL);

    why[0] = 0;
    struct opening in = {v, options, why, why_len};
    qk_err err = open_all(&in);
    if (err == QK_OK) {
        *out = v;
        return QK_OK;
    }
    release(v);
    if (options->create && err != QK_E_CONFLICT) (void)unlink(options->path);
    return err;
}

void node_vault_close(struct node_vault *vault)
{
    if (vault == NULL) return;
    (void)pthread_mutex_lock(&vault->mutex);
    if (!vault->dead && db_exec(vault, "UPDATE meta SET num = 1 WHERE name = 'clean'") == QK_OK)
        (void)db_truncate_log(vault);
    (void)pthread_mutex_unlock(&vault->mutex);
    release(vault);
}

uint64_t node_vault_generation(struct node_vault *vault)
{
    (void)pthread_mutex_lock(&vault->mutex);
    uint64_t g = vault->generation;
    (void)pthread_mutex_unlock(&vault->mutex);
    return g;
}

bool node_vault_was_unclean(const struct node_vault *vault)
{
    return vault->unclean;
}
