#include "vault/db.h"

#include <openssl/evp.h>

qk_err db_err(struct node_vault *v, int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_DONE:
    case SQLITE_ROW:
        return QK_OK;
    case SQLITE_NOMEM:
        return QK_E_NOMEM;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return QK_E_BUSY;
    case SQLITE_CONSTRAINT:
        return QK_E_CONFLICT;
    case SQLITE_TOOBIG:
        return QK_E_TOO_LARGE;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR: /* a table or column is missing: our statements are otherwise right */
    case SQLITE_SCHEMA:
        v->dead = true;
        return QK_E_CORRUPT;
    default:
        return QK_E_IO; /* FULL, IOERR, CANTOPEN, READONLY, PERM, ... */
    }
}

static qk_err bind(struct node_vault *v, sqlite3_stmt *st, const struct db_arg *args, size_t n_args)
{
    for (size_t i = 0; i < n_args; i++) {
        const struct db_arg *a = &args[i];
        int at = (int)i + 1;
        int rc = a->is_number ? sqlite3_bind_int64(st, at, a->num)
                 : a->bytes.len == 0
                     ? sqlite3_bind_zeroblob(st, at, 0)
                     : sqlite3_bind_blob64(st, at, a->bytes.p, a->bytes.len, SQLITE_STATIC);
        QK_TRY(db_err(v, rc));
    }
    return QK_OK;
}

qk_err db_prepare(struct node_vault *v, sqlite3_stmt **st, const char *sql,
    const struct db_arg *args, size_t n_args)
{
    QK_TRY(db_err(v, sqlite3_prepare_v2(v->db, sql, -1, st, NULL)));
    return bind(v, *st, args, n_args);
}

/* max(): renewing a promise with a clock that went back does not shorten it. */
static const char promise_put[] =
    "INSERT INTO promise VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT(kind, id, version)"
    " DO UPDATE SET made_ms = CASE WHEN hash = ?4 THEN max(made_ms, ?5) ELSE ?5 END,"
    " hash = ?4, record = ?6, sig = ?7";

static const char *const kept_sql[DB_KEPT_N] = {
    [DB_SAVEPOINT] = "SAVEPOINT change",
    [DB_ROLLBACK_TO] = "ROLLBACK TO change",
    [DB_RELEASE] = "RELEASE change",
    [DB_WATERMARK] = "SELECT version, hash FROM record WHERE kind = ? AND id = ?",
    [DB_RECORD_PUT] = "INSERT OR REPLACE INTO record VALUES(?, ?, ?, ?, ?, ?)",
    [DB_PROMISE_GET] =
        "SELECT hash, made_ms FROM promise WHERE kind = ? AND id = ? AND version = ?",
    [DB_PROMISE_PUT] = promise_put,
    [DB_PROMISE_FORGET] = "DELETE FROM promise WHERE kind = ? AND id = ? AND version <= ?",
};

qk_err db_take_kept(struct node_vault *v, enum db_kept which, sqlite3_stmt **st,
    const struct db_arg *args, size_t n_args)
{
    if (v->kept[which] == NULL)
        QK_TRY(db_err(v, sqlite3_prepare_v3(v->db, kept_sql[which], -1, SQLITE_PREPARE_PERSISTENT,
                             &v->kept[which], NULL)));
    *st = v->kept[which];
    return bind(v, *st, args, n_args);
}

qk_err db_run_kept_args(
    struct node_vault *v, enum db_kept which, const struct db_arg *args, size_t n_args)
{
    DB_KEPT_STMT(st);
    QK_TRY(db_take_kept(v, which, &st, args, n_args));
    return db_done(v, st);
}

void db_free_kept(struct node_vault *v)
{
    for (size_t i = 0; i < DB_KEPT_N; i++) (void)sqlite3_finalize(v->kept[i]);
}

qk_err db_step(struct node_vault *v, sqlite3_stmt *st, bool *row)
{
    int rc = sqlite3_step(st);
    *row = rc == SQLITE_ROW;
    return db_err(v, rc);
}

qk_err db_row(struct node_vault *v, sqlite3_stmt *st)
{
    bool row;
    QK_TRY(db_step(v, st, &row));
    return row ? QK_OK : QK_E_NOT_FOUND;
}

qk_err db_done(struct node_vault *v, sqlite3_stmt *st)
{
    bool row = true;
    while (row) QK_TRY(db_step(v, st, &row));
    return QK_OK;
}

qk_err db_run_args(struct node_vault *v, const char *sql, const struct db_arg *args, size_t n_args)
{
    DB_STMT(st);
    QK_TRY(db_prepare(v, &st, sql, args, n_args));
    return db_done(v, st);
}

qk_err db_exec(struct node_vault *v, const char *sql)
{
    return db_err(v, sqlite3_exec(v->db, sql, NULL, NULL, NULL));
}

qk_err db_begin(struct node_vault *v)
{
    return db_exec(v, "BEGIN IMMEDIATE");
}

qk_err db_end(struct node_vault *v, qk_err err)
{
    if (err == QK_OK) err = db_exec(v, "COMMIT");
    if (err != QK_OK && !sqlite3_get_autocommit(v->db))
        (void)sqlite3_exec(v->db, "ROLLBACK", NULL, NULL, NULL);
    return err;
}

qk_err db_end_change(struct node_vault *v, qk_err err)
{
    if (err == QK_OK) err = db_exec(v, "UPDATE meta SET num = num + 1 WHERE name = 'generation'");
    QK_TRY(db_end(v, err));
    v->generation++; /* only what is on disk is ever shown to peers */
    return QK_OK;
}

/* SQLite syncs the file before it cuts the log, but not the cut itself. */
static qk_err sync_log(struct node_vault *v)
{
    sqlite3_file *log = NULL;
    int rc = sqlite3_file_control(v->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (rc != SQLITE_OK || log == NULL || log->pMethods == NULL) return QK_OK;
    return db_err(v, log->pMethods->xSync(log, SQLITE_SYNC_NORMAL));
}

qk_err db_truncate_log(struct node_vault *v)
{
    QK_TRY(
        db_err(v, sqlite3_wal_checkpoint_v2(v->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL)));
    return sync_log(v);
}

void db_forget_cache(struct node_vault *v)
{
    (void)sqlite3_db_release_memory(v->db);
}

qk_err db_fixed(sqlite3_stmt *st, int column, uint8_t *out, size_t len)
{
    struct qk_bytes b = db_blob(st, column);
    QK_ENSURE(b.len == len, QK_E_CORRUPT);
    memcpy(out, b.p, len);
    return QK_OK;
}

qk_err db_uint(sqlite3_stmt *st, int column, uint64_t max, uint64_t *out)
{
    QK_ENSURE(sqlite3_column_type(st, column) == SQLITE_INTEGER, QK_E_CORRUPT);
    int64_t n = sqlite3_column_int64(st, column);
    QK_ENSURE(n >= 0 && (uint64_t)n <= max, QK_E_CORRUPT);
    *out = (uint64_t)n;
    return QK_OK;
}

qk_err vault_sha256(struct qk_bytes a, struct qk_bytes b, uint8_t out[static 32])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    QK_ENSURE(ctx != NULL, QK_E_NOMEM);
    bool good = EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
                EVP_DigestUpdate(ctx, a.p, a.len) == 1 && EVP_DigestUpdate(ctx, b.p, b.len) == 1 &&
                EVP_DigestFinal_ex(ctx, out, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    return good ? QK_OK : QK_E_CRYPTO;
}
