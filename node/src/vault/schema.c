#include <stdio.h>
#include "vault/db.h"

enum {
    APPLICATION_ID = 0x716b6d76, /* "qkmv": file(1) and a wrong path show themselves */
    SCHEMA_VERSION = 4,
};

/* Several attempts at one epoch of a key can be open: a share is named by the run that made it
 * (empty: stored before runs were named here), and seq tells in which order they came. */
#define SHARE_TABLE                                                                                \
    "CREATE TABLE share(seq INTEGER PRIMARY KEY,"                                                  \
    " key_id BLOB NOT NULL CHECK(length(key_id) = 16), epoch INTEGER NOT NULL,"                    \
    " sid BLOB NOT NULL CHECK(length(sid) IN (0, 32)),"                                            \
    " state INTEGER NOT NULL CHECK(state BETWEEN 1 AND 3),"                                        \
    " sealed BLOB NOT NULL, record BLOB NOT NULL, created_ms INTEGER NOT NULL,"                    \
    " UNIQUE(key_id, epoch, sid)) STRICT;"                                                         \
    "CREATE UNIQUE INDEX share_active ON share(key_id) WHERE state = 2;"

static const char TABLES[] =
    "CREATE TABLE meta(name TEXT PRIMARY KEY, num INTEGER, value BLOB) STRICT, WITHOUT ROWID;"
    "CREATE TABLE counter(name BLOB PRIMARY KEY, value INTEGER NOT NULL CHECK(value >= 0))"
    " STRICT, WITHOUT ROWID;"
    "CREATE TABLE note(name BLOB PRIMARY KEY, sealed BLOB NOT NULL) STRICT;" SHARE_TABLE
    "CREATE TABLE run(sid BLOB PRIMARY KEY CHECK(length(sid) = 32), sealed BLOB NOT NULL,"
    " changed_ms INTEGER NOT NULL, settled INTEGER NOT NULL DEFAULT 0,"
    " key_id BLOB NOT NULL DEFAULT x'') STRICT;"
    "CREATE INDEX run_open ON run(changed_ms, sid) WHERE settled = 0;"
    "CREATE INDEX run_key ON run(key_id);"
    "CREATE TABLE setup(id BLOB PRIMARY KEY CHECK(length(id) = 32), root BLOB NOT NULL,"
    " key_id BLOB NOT NULL, record BLOB NOT NULL, epoch INTEGER NOT NULL, peer INTEGER NOT NULL,"
    " cls INTEGER NOT NULL, status INTEGER NOT NULL CHECK(status BETWEEN 1 AND 3),"
    " sealed BLOB NOT NULL, created_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL) STRICT;"
    "CREATE INDEX setup_scope ON setup(key_id, epoch, peer, cls);"
    "CREATE INDEX setup_root ON setup(root);"
    "CREATE TABLE record(kind INTEGER NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL,"
    " hash BLOB NOT NULL, record BLOB NOT NULL, cert BLOB NOT NULL,"
    " PRIMARY KEY(kind, id)) STRICT;"
    "CREATE TABLE promise(kind INTEGER NOT NULL, id BLOB NOT NULL, version INTEGER NOT NULL,"
    " hash BLOB NOT NULL, made_ms INTEGER NOT NULL, record BLOB NOT NULL DEFAULT x'',"
    " sig BLOB NOT NULL DEFAULT x'', PRIMARY KEY(kind, id, version))"
    " STRICT, WITHOUT ROWID;"
    "CREATE TABLE strike(peer INTEGER NOT NULL, key_id BLOB NOT NULL, reason BLOB NOT NULL,"
    " at_ms INTEGER NOT NULL) STRICT;"
    "CREATE INDEX strike_peer ON strike(peer, at_ms);";

/* The sealed value says: this node key, this cluster, this node. */
static const uint8_t CHECK_VALUE[16] = "qkms vault check";

static struct node_seal_scope check_scope(const struct node_vault *v)
{
    return (struct node_seal_scope){.purpose = NODE_SEAL_CHECK, .party = v->node_id};
}

static qk_err put_identity(struct node_vault *v)
{
    struct node_seal_scope scope = check_scope(v);
    QK_AUTO_BUF sealed = QK_BUF(256);
    QK_TRY(node_seal_close(v->seal, &scope, QK_BYTES(CHECK_VALUE), &sealed));
    QK_TRY(DB_RUN(
        v, "INSERT INTO meta VALUES('identity', ?, ?)", DB_I(v->node_id), DB_B(v->cluster_id, 16)));
    QK_TRY(DB_RUN(v, "INSERT INTO meta VALUES('check', 0, ?)", DB_V(qk_buf_view(&sealed))));
    return db_exec(v, "INSERT INTO meta VALUES('generation', 0, NULL), ('clean', 1, NULL)");
}

static qk_err create_all(struct node_vault *v)
{
    char pragmas[96];
    (void)snprintf(pragmas, sizeof pragmas, "PRAGMA application_id = %d; PRAGMA user_version = %d",
        APPLICATION_ID, SCHEMA_VERSION);
    QK_TRY(db_exec(v, pragmas));
    QK_TRY(db_exec(v, TABLES));
    return put_identity(v);
}

qk_err vault_schema_create(struct node_vault *v)
{
    QK_TRY(db_begin(v));
    return db_end(v, create_all(v));
}

static qk_err pragma_number(struct node_vault *v, const char *sql, int64_t *out)
{
    DB_STMT(st);
    QK_TRY(db_prepare(v, &st, sql, NULL, 0));
    QK_TRY(db_row(v, st));
    *out = sqlite3_column_int64(st, 0);
    return QK_OK;
}

/* One step for each version of the schema before this one, each a transaction. */
static const char *const UPGRADES[SCHEMA_VERSION] = {
    [1] = "ALTER TABLE promise ADD COLUMN record BLOB NOT NULL DEFAULT x'';" /* what was signed */
          "ALTER TABLE promise ADD COLUMN sig BLOB NOT NULL DEFAULT x'';"
          "PRAGMA user_version = 2",
    [2] = "ALTER TABLE run ADD COLUMN settled INTEGER NOT NULL DEFAULT 0;"
          "ALTER TABLE run ADD COLUMN key_id BLOB NOT NULL DEFAULT x'';"
          "CREATE INDEX run_open ON run(changed_ms, sid) WHERE settled = 0;"
          "CREATE INDEX run_key ON run(key_id);"
          "PRAGMA user_version = 3",
    [3] = "ALTER TABLE share RENAME TO share_3; DROP INDEX share_active;" SHARE_TABLE
          "INSERT INTO share(key_id, epoch, sid, state, sealed, record, created_ms)"
          " SELECT key_id, epoch, x'', state, sealed, record, created_ms FROM share_3"
          " ORDER BY rowid;"
          "DROP TABLE share_3;"
          "PRAGMA user_version = 4",
};

static qk_err upgrade(struct node_vault *v, int64_t from)
{
    for (; from < SCHEMA_VERSION; from++) {
        QK_TRY(db_begin(v));
        QK_TRY(db_end(v, db_exec(v, UPGRADES[from])));
    }
    return QK_OK;
}

static qk_err check_versions(struct node_vault *v, char *why, size_t why_len)
{
    int64_t app, version;
    QK_TRY(pragma_number(v, "PRAGMA application_id", &app));
    QK_TRY(pragma_number(v, "PRAGMA user_version", &version));
    if (app != APPLICATION_ID || version < 1) {
        (void)snprintf(why, why_len, "is not a vault, or was never finished");
        return QK_E_CORRUPT;
    }
    if (version > SCHEMA_VERSION) {
        (void)snprintf(why, why_len, "has schema version %lld; this program knows up to %d",
            (long long)version, SCHEMA_VERSION);
        return QK_E_DENIED;
    }
    return upgrade(v, version);
}

static qk_err check_integrity(struct node_vault *v, char *why, size_t why_len)
{
    DB_STMT(st);
    QK_TRY(db_prepare(v, &st, "PRAGMA integrity_check(1)", NULL, 0));
    QK_TRY(db_row(v, st));
    const char *text = (const char *)sqlite3_column_text(st, 0);
    if (text != NULL && strcmp(text, "ok") == 0) return QK_OK;
    (void)snprintf(why, why_len, "is damaged: %s", text ? text : "integrity check failed");
    return QK_E_CORRUPT;
}

static qk_err check_owner(struct node_vault *v, char *why, size_t why_len)
{
    DB_STMT(st);
    uint64_t node_id;
    uint8_t cluster[16];
    QK_TRY(db_prepare(v, &st, "SELECT num, value FROM meta WHERE name = 'identity'", NULL, 0));
    QK_TRY(db_row(v, st));
    QK_TRY(db_uint(st, 0, 255, &node_id));
    QK_TRY(db_fixed(st, 1, cluster, sizeof cluster));
    if (node_id == v->node_id && memcmp(cluster, v->cluster_id, sizeof cluster) == 0) return QK_OK;
    char hex[33];
    qk_hex(cluster, sizeof cluster, hex);
    (void)snprintf(
        why, why_len, "belongs to node %u of cluster %s, not to this node", (unsigned)node_id, hex);
    return QK_E_DENIED;
}

static qk_err check_key(struct node_vault *v, char *why, size_t why_len)
{
    struct node_seal_scope scope = check_scope(v);
    DB_STMT(st);
    QK_TRY(db_prepare(v, &st, "SELECT value FROM meta WHERE name = 'check'", NULL, 0));
    QK_TRY(db_row(v, st));
    QK_AUTO_BUF plain = QK_BUF_SECRET(256);
    qk_err err = node_seal_open(v->seal, &scope, db_blob(st, 0), &plain);
    if (err == QK_OK && qk_bytes_eq(qk_buf_view(&plain), QK_BYTES(CHECK_VALUE))) return QK_OK;
    if (err != QK_OK && err != QK_E_CORRUPT) return err;
    (void)snprintf(why, why_len, "was sealed under another node key");
    return QK_E_DENIED;
}

qk_err vault_schema_check(struct node_vault *v, char *why, size_t why_len)
{
    QK_TRY(check_versions(v, why, why_len));
    QK_TRY(check_integrity(v, why, why_len));
    QK_TRY(check_owner(v, why, why_len));
    return check_key(v, why, why_len);
}
