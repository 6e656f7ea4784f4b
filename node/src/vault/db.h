/** SQLite as the vault uses it: statements with typed arguments, transactions, error mapping.
 *  Private to vault/. Every function here wants the vault's mutex held (VAULT_ENTER). */
#ifndef NODE_VAULT_DB_H
#define NODE_VAULT_DB_H

#include <pthread.h>
#include <sqlite3.h>
#include "vault/vault.h"

enum { VAULT_STRIPES = 64, VAULT_REFUSED_MAX = 256 };

struct vault_batch;

/* Changes that wait for the disk (group.h). */
struct vault_group {
    pthread_mutex_t mutex;
    bool leading;
    struct vault_batch *first, **last;
};

/* Statements of what is done for every change: prepared at their first use, and kept. */
enum db_kept {
    DB_SAVEPOINT,
    DB_ROLLBACK_TO,
    DB_RELEASE,
    DB_WATERMARK,
    DB_RECORD_PUT,
    DB_PROMISE_GET,
    DB_PROMISE_PUT,
    DB_PROMISE_FORGET,
    DB_KEPT_N,
};

struct node_vault {
    sqlite3 *db;
    sqlite3_stmt *kept[DB_KEPT_N];
    struct vault_group group;
    const struct node_seal *seal;
    uint8_t cluster_id[16];
    uint16_t node_id;
    bool unclean;
    bool dead; /* the file was found damaged: nothing is answered any more */
    uint64_t generation;
    pthread_mutex_t mutex;
    pthread_mutex_t stripes[VAULT_STRIPES];
    /* Setups whose poisoning could not be written: refused while this process lives. */
    uint8_t refused[VAULT_REFUSED_MAX][32];
    size_t n_refused;
};

struct db_arg {
    bool is_number;
    struct qk_bytes bytes;
    int64_t num;
};

#define DB_B(ptr, size) ((struct db_arg){.bytes = qk_bytes((ptr), (size))})
#define DB_V(view)      ((struct db_arg){.bytes = (view)})
#define DB_I(v)         ((struct db_arg){.is_number = true, .num = (int64_t)(v)})

/* Blobs are bound without a copy: they must live until the statement ends. */
qk_err db_prepare(struct node_vault *v, sqlite3_stmt **st, const char *sql,
    const struct db_arg *args, size_t n_args);
#define DB_QUERY(v, st, sql, ...)                                                                  \
    db_prepare((v), (st), (sql), (const struct db_arg[]){__VA_ARGS__},                             \
        sizeof((const struct db_arg[]){__VA_ARGS__}) / sizeof(struct db_arg))

static inline void db_stmt_end(sqlite3_stmt **st)
{
    (void)sqlite3_finalize(*st);
}
#define DB_STMT(name) __attribute__((cleanup(db_stmt_end))) sqlite3_stmt *name = NULL

/** The same with a kept statement: one user at a time. db_kept_end, not db_stmt_end, gives it back.
 */
qk_err db_take_kept(struct node_vault *v, enum db_kept which, sqlite3_stmt **st,
    const struct db_arg *args, size_t n_args);
#define DB_QUERY_KEPT(v, st, which, ...)                                                           \
    db_take_kept((v), (which), (st), (const struct db_arg[]){__VA_ARGS__},                         \
        sizeof((const struct db_arg[]){__VA_ARGS__}) / sizeof(struct db_arg))
static inline void db_kept_end(sqlite3_stmt **st)
{
    if (*st == NULL) return;
    (void)sqlite3_reset(*st);
    (void)sqlite3_clear_bindings(*st); /* they point to what its user owns */
}
#define DB_KEPT_STMT(name) __attribute__((cleanup(db_kept_end))) sqlite3_stmt *name = NULL

/** *row tells whether there is one. */
qk_err db_step(struct node_vault *v, sqlite3_stmt *st, bool *row);
/** For a query whose row must exist: QK_E_NOT_FOUND if it does not. */
qk_err db_row(struct node_vault *v, sqlite3_stmt *st);
/** Run to the end. */
qk_err db_done(struct node_vault *v, sqlite3_stmt *st);
/** Prepare and run to the end. */
#define DB_RUN(v, sql, ...)                                                                        \
    db_run_args((v), (sql), (const struct db_arg[]){__VA_ARGS__},                                  \
        sizeof((const struct db_arg[]){__VA_ARGS__}) / sizeof(struct db_arg))
qk_err db_run_args(struct node_vault *v, const char *sql, const struct db_arg *args, size_t n_args);
#define DB_RUN_KEPT(v, which, ...)                                                                 \
    db_run_kept_args((v), (which), (const struct db_arg[]){__VA_ARGS__},                           \
        sizeof((const struct db_arg[]){__VA_ARGS__}) / sizeof(struct db_arg))
qk_err db_run_kept_args(
    struct node_vault *v, enum db_kept which, const struct db_arg *args, size_t n_args);
static inline qk_err db_run_kept(struct node_vault *v, enum db_kept which)
{
    return db_run_kept_args(v, which, NULL, 0);
}
/** Before the connection is closed. */
void db_free_kept(struct node_vault *v);
/** Text without arguments. */
qk_err db_exec(struct node_vault *v, const char *sql);

qk_err db_begin(struct node_vault *v);
/** Commit if err is QK_OK, else roll back; the result of both. */
qk_err db_end(struct node_vault *v, qk_err err);
/** db_end for a change of shares or runs: counts it in the generation as well. */
qk_err db_end_change(struct node_vault *v, qk_err err);

/** Move the log into the file, cut it to zero bytes and sync both. */
qk_err db_truncate_log(struct node_vault *v);
/** Forget cached pages: the next read comes from the file. */
void db_forget_cache(struct node_vault *v);

/** The status for an SQLite result; marks the vault dead on damage. */
qk_err db_err(struct node_vault *v, int rc);

static inline struct qk_bytes db_blob(sqlite3_stmt *st, int column)
{
    const void *p = sqlite3_column_blob(st, column);
    return qk_bytes(p, p == NULL ? 0 : (size_t)sqlite3_column_bytes(st, column));
}
/** A blob of exactly len bytes; QK_E_CORRUPT otherwise. */
qk_err db_fixed(sqlite3_stmt *st, int column, uint8_t *out, size_t len);
/** A number of 0..max; QK_E_CORRUPT otherwise. */
qk_err db_uint(sqlite3_stmt *st, int column, uint64_t max, uint64_t *out);

static inline void vault_unlock(struct node_vault **v)
{
    (void)pthread_mutex_unlock(&(*v)->mutex);
}
static inline struct node_vault *vault_lock(struct node_vault *v)
{
    (void)pthread_mutex_lock(&v->mutex);
    return v;
}
/* Hold the mutex until the end of the scope; refuse a vault that is known to be damaged. */
#define VAULT_ENTER(v)                                                                             \
    __attribute__((cleanup(vault_unlock))) struct node_vault *held_ = vault_lock(v);               \
    QK_ENSURE(!held_->dead, QK_E_CORRUPT)

/** SHA-256 of a and b, one behind the other. */
qk_err vault_sha256(struct qk_bytes a, struct qk_bytes b, uint8_t out[static 32]);

/** Tables of a new vault, its identity and check value (schema.c). */
qk_err vault_schema_create(struct node_vault *v);
/** The same, looked at: QK_E_DENIED, QK_E_CORRUPT with a reason. */
qk_err vault_schema_check(struct node_vault *v, char *why, size_t why_len);

#endif
