/** SQLite as the store uses it. Private to store/. */
#ifndef COORD_STORE_DB_H
#define COORD_STORE_DB_H

#include <pthread.h>
#include <sqlite3.h>
#include "store/kept.h"

enum coord_statement {
    COORD_SQL_GET,
    COORD_SQL_PUT,
    COORD_SQL_LIST,
    COORD_SQL_DUE,
    COORD_SQL_N,
};

struct coord_store {
    sqlite3 *db;
    const struct wire_cluster *cluster;
    pthread_mutex_t mutex;
    struct coord_kept_table kept;
    bool unsynced; /* something was put since the last sync */
    pthread_mutex_t syncing;
    sqlite3_stmt *statements[COORD_SQL_N]; /* prepared once, used under the mutex */
};

/** The status of an SQLite result. */
qk_err coord_db_err(int rc);
/** Text without arguments. */
qk_err coord_db_exec(struct coord_store *s, const char *sql);
/** Tables of a new file; of an old one, that it is ours. */
qk_err coord_db_schema(struct coord_store *s, char *why, size_t why_len);
qk_err coord_db_prepare(struct coord_store *s);

qk_err coord_db_bind_blob(sqlite3_stmt *st, int at, struct qk_bytes v);
static inline struct qk_bytes coord_db_blob(sqlite3_stmt *st, int column)
{
    const void *p = sqlite3_column_blob(st, column);
    return qk_bytes(p, p == NULL ? 0 : (size_t)sqlite3_column_bytes(st, column));
}

/* A statement goes back to the shelf on every way out of the scope. */
static inline void coord_db_reset(sqlite3_stmt **st)
{
    (void)sqlite3_reset(*st);
    (void)sqlite3_clear_bindings(*st);
}
#define COORD_STATEMENT(name, store, which)                                                        \
    __attribute__((cleanup(coord_db_reset))) sqlite3_stmt *name = (store)->statements[which]

static inline void coord_store_unlock(struct coord_store **s)
{
    (void)pthread_mutex_unlock(&(*s)->mutex);
}
static inline struct coord_store *coord_store_lock(struct coord_store *s)
{
    (void)pthread_mutex_lock(&s->mutex);
    return s;
}
#define COORD_STORE_ENTER(s)                                                                       \
    __attribute__((cleanup(coord_store_unlock), unused)) struct coord_store *held_ =               \
        coord_store_lock(s)

#endif
