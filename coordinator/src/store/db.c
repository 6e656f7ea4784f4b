#include "store/db.h"

#include <stdio.h>
#include <stdlib.h>

qk_err coord_db_err(int rc)
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
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR: /* a table or column is missing: our statements are otherwise right */
    case SQLITE_SCHEMA:
        return QK_E_CORRUPT;
    default:
        return QK_E_IO; /* FULL, IOERR, CANTOPEN, READONLY, PERM, ... */
    }
}

qk_err coord_db_exec(struct coord_store *s, const char *sql)
{
    return coord_db_err(sqlite3_exec(s->db, sql, NULL, NULL, NULL));
}

qk_err coord_db_bind_blob(sqlite3_stmt *st, int at, struct qk_bytes v)
{
    int rc = v.len == 0 ? sqlite3_bind_zeroblob(st, at, 0)
                        : sqlite3_bind_blob64(st, at, v.p, v.len, SQLITE_STATIC);
    return coord_db_err(rc);
}

/* owner and due_ms repeat what stands in the record, so that pages can be cut by SQL. */
static const char schema[] =
    "CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS record(kind INTEGER NOT NULL, id BLOB NOT NULL,"
    " version INTEGER NOT NULL, hash BLOB NOT NULL, owner BLOB NOT NULL, live INTEGER NOT NULL,"
    " due_ms INTEGER NOT NULL, certified BLOB NOT NULL, PRIMARY KEY(kind, id)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS record_due ON record(due_ms) WHERE due_ms > 0;"
    "CREATE INDEX IF NOT EXISTS record_owner ON record(kind, owner, id);"
    "INSERT OR IGNORE INTO meta VALUES('format', x'31');";

/* A store belongs to one cluster: its records would not verify in another. */
static qk_err check_meta(struct coord_store *s, char *why, size_t why_len)
{
    sqlite3_stmt *st = NULL;
    QK_TRY(coord_db_err(sqlite3_prepare_v2(
        s->db, "INSERT OR IGNORE INTO meta VALUES('cluster', ?)", -1, &st, NULL)));
    qk_err err = coord_db_bind_blob(st, 1, qk_bytes(s->cluster->id, sizeof s->cluster->id));
    if (err == QK_OK) err = coord_db_err(sqlite3_step(st));
    (void)sqlite3_finalize(st);
    QK_TRY(err);
    QK_TRY(coord_db_err(
        sqlite3_prepare_v2(s->db, "SELECT value FROM meta WHERE name = 'cluster'", -1, &st, NULL)));
    int rc = sqlite3_step(st);
    bool ours = rc == SQLITE_ROW && qk_bytes_eq(coord_db_blob(st, 0), QK_BYTES(s->cluster->id));
    (void)sqlite3_finalize(st);
    QK_TRY(coord_db_err(rc));
    if (!ours) (void)snprintf(why, why_len, "the store belongs to another cluster");
    return ours ? QK_OK : QK_E_DENIED;
}

qk_err coord_db_schema(struct coord_store *s, char *why, size_t why_len)
{
    (void)snprintf(why, why_len, "cannot be opened as a store");
    /* Exclusive: two coordinators on one file would answer from two caches of it. */
    QK_TRY(coord_db_exec(s, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL;"
                            "PRAGMA synchronous=NORMAL; PRAGMA trusted_schema=OFF;"
                            "PRAGMA cell_size_check=ON; PRAGMA cache_size=-65536;"));
    QK_TRY(coord_db_exec(s, "BEGIN IMMEDIATE"));
    qk_err err = coord_db_exec(s, schema);
    if (err == QK_OK) err = check_meta(s, why, why_len);
    if (err == QK_OK) err = coord_db_exec(s, "COMMIT");
    return err;
}

/* The log's file is reached through SQLite's own handle, so that the sync needs no lock: the handle
 * lives as long as the connection. */
qk_err coord_store_sync(struct coord_store *store)
{
    sqlite3_file *log = NULL;
    (void)pthread_mutex_lock(&store->mutex);
    bool unsynced = store->unsynced;
    store->unsynced = false;
    int rc = sqlite3_file_control(store->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    (void)pthread_mutex_unlock(&store->mutex);
    if (!unsynced) return QK_OK;
    bool usable = rc == SQLITE_OK && log != NULL && log->pMethods != NULL;
    (void)pthread_mutex_lock(&store->syncing);
    qk_err err = usable ? coord_db_err(log->pMethods->xSync(log, SQLITE_SYNC_NORMAL)) : QK_OK;
    (void)pthread_mutex_unlock(&store->syncing);
    if (err == QK_OK) return QK_OK;
    (void)pthread_mutex_lock(&store->mutex);
    store->unsynced = true;
    (void)pthread_mutex_unlock(&store->mutex);
    return err;
}

static const char *const texts[COORD_SQL_N] = {
    [COORD_SQL_GET] = "SELECT version, hash, certified FROM record WHERE kind = ?1 AND id = ?2",
    [COORD_SQL_PUT] = "INSERT INTO record VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
                      " ON CONFLICT(kind, id) DO UPDATE SET version = ?3, hash = ?4, owner = ?5,"
                      " live = ?6, due_ms = ?7, certified = ?8",
    [COORD_SQL_LIST] = "SELECT certified FROM record WHERE kind = ?1 AND id > ?2"
                       " AND (length(?3) = 0 OR owner = ?3) AND live >= ?4"
                       " ORDER BY id LIMIT ?5",
    /* record_due holds (due_ms, kind, id) of keys only */
    [COORD_SQL_DUE] = "SELECT certified FROM record INDEXED BY record_due WHERE due_ms > 0"
                      " AND due_ms >= ?1 AND due_ms <= ?2 AND (due_ms > ?1 OR id > ?3)"
                      " ORDER BY due_ms, kind, id LIMIT ?4",
};

qk_err coord_db_prepare(struct coord_store *s)
{
    for (size_t i = 0; i < COORD_SQL_N; i++) {
        int rc = sqlite3_prepare_v3(
            s->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &s->statements[i], NULL);
        QK_TRY(coord_db_err(rc));
    }
    return QK_OK;
}

qk_err coord_store_open(struct coord_store **out, const char *path,
    const struct wire_cluster *cluster, char *why, size_t why_len)
{
    struct coord_store *s = calloc(1, sizeof *s);
    QK_ENSURE(s != NULL, QK_E_NOMEM);
    s->cluster = cluster;
    (void)pthread_mutex_init(&s->mutex, NULL);
    (void)pthread_mutex_init(&s->syncing, NULL);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    (void)snprintf(why, why_len, "cannot open the file");
    qk_err err = coord_db_err(sqlite3_open_v2(path, &s->db, flags, NULL));
    if (err == QK_OK) err = coord_kept_table_init(&s->kept, COORD_KEPT_MAX);
    if (err == QK_OK) err = coord_db_schema(s, why, why_len);
    if (err == QK_OK) err = coord_db_prepare(s);
    if (err != QK_OK) {
        coord_store_close(s);
        return err;
    }
    *out = s;
    return QK_OK;
}

void coord_store_close(struct coord_store *store)
{
    if (store == NULL) return;
    for (size_t i = 0; i < COORD_SQL_N; i++) (void)sqlite3_finalize(store->statements[i]);
    (void)sqlite3_close(store->db);
    coord_kept_table_free(&store->kept);
    (void)pthread_mutex_destroy(&store->syncing);
    (void)pthread_mutex_destroy(&store->mutex);
    free(store);
}
