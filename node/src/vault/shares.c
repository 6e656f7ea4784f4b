#include "vault/shares.h"

#include "vault/db.h"

static qk_err share_scope(const struct node_vault *v, const uint8_t *key_id, uint32_t epoch,
    struct qk_bytes record, struct node_seal_scope *out)
{
    *out =
        (struct node_seal_scope){.purpose = NODE_SEAL_SHARE, .epoch = epoch, .party = v->node_id};
    memcpy(out->key_id, key_id, 16);
    return vault_sha256(record, qk_bytes(NULL, 0), out->record);
}

/* The row that st stands on: sealed, record, epoch, state. Outputs only on success. */
static qk_err open_row(struct node_vault *v, sqlite3_stmt *st, const uint8_t *key_id,
    uint32_t *epoch, enum node_share_state *state, struct qk_buf *secret, struct qk_buf *record)
{
    uint64_t e, s;
    QK_TRY(db_uint(st, 2, UINT32_MAX, &e));
    QK_TRY(db_uint(st, 3, NODE_SHARE_RETIRED, &s));
    struct qk_bytes rec = db_blob(st, 1);
    struct node_seal_scope scope;
    QK_TRY(share_scope(v, key_id, (uint32_t)e, rec, &scope));
    size_t before = record ? record->len : 0;
    if (record != NULL) {
        qk_buf_add(record, rec.p, rec.len);
        QK_ENSURE(record->err == QK_OK, record->err);
    }
    qk_err err = node_seal_open(v->seal, &scope, db_blob(st, 0), secret);
    if (err != QK_OK) {
        if (record != NULL) record->len = before;
        return err;
    }
    if (epoch != NULL) *epoch = (uint32_t)e;
    if (state != NULL) *state = (enum node_share_state)s;
    return QK_OK;
}

/* A share's name in the table. sid: 32 bytes, or none for what came before shares had the names of
 * their runs. */
struct row {
    const uint8_t *key_id;
    uint32_t epoch;
    struct qk_bytes sid;
};

static struct row row_of(const uint8_t *key_id, uint32_t epoch, const uint8_t *sid)
{
    return (struct row){key_id, epoch, qk_bytes(sid, sid == NULL ? 0 : 32)};
}

/* QK_OK: exactly this share and record are stored and open. */
static qk_err same_as_stored(
    struct node_vault *v, const struct row *at, struct qk_bytes secret, struct qk_bytes record)
{
    QK_AUTO_BUF stored = QK_BUF_SECRET(NODE_SHARE_MAX);
    QK_AUTO_BUF stored_record = QK_BUF(NODE_SHARE_RECORD_MAX);
    DB_STMT(st);
    QK_TRY(DB_QUERY(v, &st,
        "SELECT sealed, record, epoch, state FROM share"
        " WHERE key_id = ? AND epoch = ? AND sid = ?",
        DB_B(at->key_id, 16), DB_I(at->epoch), DB_V(at->sid)));
    QK_TRY(db_row(v, st));
    QK_TRY(open_row(v, st, at->key_id, NULL, NULL, &stored, &stored_record));
    bool same = stored.len == secret.len && CRYPTO_memcmp(stored.p, secret.p, secret.len) == 0;
    return same && qk_bytes_eq(qk_buf_view(&stored_record), record) ? QK_OK : QK_E_CONFLICT;
}

static qk_err insert(struct node_vault *v, const struct row *at, struct qk_bytes secret,
    struct qk_bytes record, uint64_t now_ms)
{
    struct node_seal_scope scope;
    QK_TRY(share_scope(v, at->key_id, at->epoch, record, &scope));
    QK_AUTO_BUF sealed = QK_BUF(NODE_SHARE_MAX + NODE_SEAL_OVERHEAD);
    QK_TRY(node_seal_close(v->seal, &scope, secret, &sealed));
    QK_TRY(db_begin(v));
    return db_end_change(v, DB_RUN(v,
                                "INSERT INTO share(key_id, epoch, sid, state, sealed, record,"
                                " created_ms) VALUES(?, ?, ?, 1, ?, ?, ?)",
                                DB_B(at->key_id, 16), DB_I(at->epoch), DB_V(at->sid),
                                DB_V(qk_buf_view(&sealed)), DB_V(record), DB_I(now_ms)));
}

static qk_err delete_row(struct node_vault *v, const struct row *at)
{
    return DB_RUN(v, "DELETE FROM share WHERE key_id = ? AND epoch = ? AND sid = ?",
        DB_B(at->key_id, 16), DB_I(at->epoch), DB_V(at->sid));
}

qk_err node_vault_share_put_pending(struct node_vault *vault, const uint8_t key_id[static 16],
    uint32_t epoch, const uint8_t sid[static 32], struct qk_bytes secret, struct qk_bytes record,
    uint64_t now_ms)
{
    QK_ENSURE(secret.len >= 1 && secret.len <= NODE_SHARE_MAX, QK_E_STATE);
    QK_ENSURE(record.len >= 1 && record.len <= NODE_SHARE_RECORD_MAX, QK_E_STATE);
    QK_ENSURE(now_ms <= INT64_MAX, QK_E_STATE);
    const struct row at = row_of(key_id, epoch, sid);
    VAULT_ENTER(vault);
    db_forget_cache(vault);
    qk_err err = same_as_stored(vault, &at, secret, record);
    if (err != QK_E_NOT_FOUND) return err;

    QK_TRY(insert(vault, &at, secret, record, now_ms));
    db_forget_cache(vault); /* B-1: what counts is what the file gives back */
    err = same_as_stored(vault, &at, secret, record);
    if (err == QK_OK) return QK_OK;
    (void)delete_row(vault, &at);
    return err == QK_E_NOT_FOUND || err == QK_E_CONFLICT ? QK_E_CORRUPT : err;
}

static qk_err make_active(struct node_vault *v, const struct row *at)
{
    QK_TRY(DB_RUN(v, "UPDATE share SET state = 2 WHERE key_id = ? AND epoch = ? AND sid = ?",
        DB_B(at->key_id, 16), DB_I(at->epoch), DB_V(at->sid)));
    return sqlite3_changes(v->db) == 1 ? QK_OK : QK_E_NOT_FOUND;
}

static qk_err switch_active(struct node_vault *v, const struct row *at)
{
    QK_TRY(DB_RUN(
        v, "UPDATE share SET state = 3 WHERE key_id = ? AND state = 2", DB_B(at->key_id, 16)));
    qk_err err = make_active(v, at);
    if (err != QK_E_NOT_FOUND) return err;
    const struct row unnamed = row_of(at->key_id, at->epoch, NULL);
    return make_active(v, &unnamed);
}

qk_err node_vault_share_activate(struct node_vault *vault, const uint8_t key_id[static 16],
    uint32_t epoch, const uint8_t sid[static 32])
{
    const struct row at = row_of(key_id, epoch, sid);
    VAULT_ENTER(vault);
    QK_TRY(db_begin(vault));
    return db_end_change(vault, switch_active(vault, &at));
}

qk_err node_vault_share_name(struct node_vault *vault, const uint8_t key_id[static 16],
    uint32_t epoch, const uint8_t sid[static 32])
{
    VAULT_ENTER(vault);
    return DB_RUN(vault,
        "UPDATE share SET sid = ? WHERE key_id = ? AND epoch = ? AND sid = x'' AND state = 1",
        DB_B(sid, 32), DB_B(key_id, 16), DB_I(epoch));
}

qk_err node_vault_share_load(struct node_vault *vault, const uint8_t key_id[static 16],
    uint32_t *epoch, struct qk_buf *secret, struct qk_buf *record)
{
    VAULT_ENTER(vault);
    DB_STMT(st);
    QK_TRY(DB_QUERY(vault, &st,
        "SELECT sealed, record, epoch, state FROM share WHERE key_id = ? AND state = 2",
        DB_B(key_id, 16)));
    QK_TRY(db_row(vault, st));
    return open_row(vault, st, key_id, epoch, NULL, secret, record);
}

qk_err node_vault_share_load_epoch(struct node_vault *vault, const uint8_t key_id[static 16],
    uint32_t epoch, enum node_share_state *state, struct qk_buf *secret, struct qk_buf *record)
{
    VAULT_ENTER(vault);
    DB_STMT(st);
    QK_TRY(DB_QUERY(vault, &st,
        "SELECT sealed, record, epoch, state FROM share WHERE key_id = ? AND epoch = ?"
        " ORDER BY seq DESC LIMIT 1",
        DB_B(key_id, 16), DB_I(epoch)));
    QK_TRY(db_row(vault, st));
    return open_row(vault, st, key_id, NULL, state, secret, record);
}

/* Epochs from..to, and with them the setups that were made for them. Poisoned setups hold no secret
 * and remain as a memory, except when the whole key goes. Inside a transaction. */
static qk_err delete_range(
    struct node_vault *v, const uint8_t *key_id, uint32_t from, uint32_t to, bool whole_key)
{
    QK_TRY(DB_RUN(v, "DELETE FROM share WHERE key_id = ? AND epoch BETWEEN ? AND ?",
        DB_B(key_id, 16), DB_I(from), DB_I(to)));
    QK_TRY(DB_RUN(v,
        "DELETE FROM setup WHERE key_id = ? AND epoch BETWEEN ? AND ?"
        " AND (? OR status <> 3)",
        DB_B(key_id, 16), DB_I(from), DB_I(to), DB_I(whole_key)));
    if (!whole_key) return QK_OK;
    return DB_RUN(v, "DELETE FROM run WHERE key_id = ?", DB_B(key_id, 16));
}

static qk_err destroy_range(
    struct node_vault *v, const uint8_t *key_id, uint32_t from, uint32_t to, bool whole_key)
{
    VAULT_ENTER(v);
    QK_TRY(db_begin(v));
    QK_TRY(db_end_change(v, delete_range(v, key_id, from, to, whole_key)));
    return db_truncate_log(v);
}

/* The setups of an epoch belong to whichever of its shares became final. */
static qk_err delete_one(struct node_vault *v, const struct row *at)
{
    QK_TRY(delete_row(v, at));
    return DB_RUN(v,
        "DELETE FROM setup WHERE key_id = ?1 AND epoch = ?2 AND status <> 3"
        " AND NOT EXISTS(SELECT 1 FROM share WHERE key_id = ?1 AND epoch = ?2)",
        DB_B(at->key_id, 16), DB_I(at->epoch));
}

static qk_err destroy_one(struct node_vault *v, const struct row *at)
{
    VAULT_ENTER(v);
    QK_TRY(db_begin(v));
    QK_TRY(db_end_change(v, delete_one(v, at)));
    return db_truncate_log(v);
}

qk_err node_vault_share_destroy(struct node_vault *vault, const uint8_t key_id[static 16],
    uint32_t epoch, const uint8_t sid[static 32])
{
    const struct row at = row_of(key_id, epoch, sid);
    return destroy_one(vault, &at);
}

qk_err node_vault_share_destroy_unnamed(
    struct node_vault *vault, const uint8_t key_id[static 16], uint32_t epoch)
{
    const struct row at = row_of(key_id, epoch, NULL);
    return destroy_one(vault, &at);
}

qk_err node_vault_share_destroy_before(
    struct node_vault *vault, const uint8_t key_id[static 16], uint32_t epoch)
{
    return epoch == 0 ? QK_OK : destroy_range(vault, key_id, 0, epoch - 1, false);
}

qk_err node_vault_share_destroy_all(struct node_vault *vault, const uint8_t key_id[static 16])
{
    return destroy_range(vault, key_id, 0, UINT32_MAX, true);
}

qk_err node_vault_share_destroy_keys(
    struct node_vault *vault, const uint8_t (*key_ids)[16], size_t n)
{
    qk_err err = QK_OK;
    VAULT_ENTER(vault);
    QK_TRY(db_begin(vault));
    for (size_t i = 0; i < n && err == QK_OK; i++)
        err = delete_range(vault, key_ids[i], 0, UINT32_MAX, true);
    QK_TRY(db_end_change(vault, err));
    return db_truncate_log(vault);
}

static qk_err read_info(sqlite3_stmt *st, struct node_share_info *info)
{
    uint64_t epoch, state;
    QK_TRY(db_fixed(st, 0, info->key_id, sizeof info->key_id));
    QK_TRY(db_uint(st, 1, UINT32_MAX, &epoch));
    QK_TRY(db_uint(st, 2, NODE_SHARE_RETIRED, &state));
    QK_TRY(db_uint(st, 3, INT64_MAX, &info->created_ms));
    QK_TRY(db_uint(st, 4, INT64_MAX, &info->seq));
    struct qk_bytes sid = db_blob(st, 5);
    info->named = sid.len == sizeof info->sid;
    memset(info->sid, 0, sizeof info->sid);
    if (info->named) memcpy(info->sid, sid.p, sid.len);
    info->epoch = (uint32_t)epoch;
    info->state = (enum node_share_state)state;
    return QK_OK;
}

qk_err node_vault_share_list(struct node_vault *vault, const uint8_t *key_id,
    bool (*each)(void *arg, const struct node_share_info *info), void *arg)
{
    VAULT_ENTER(vault);
    DB_STMT(st);
    QK_TRY(DB_QUERY(vault, &st,
        "SELECT key_id, epoch, state, created_ms, seq, sid FROM share"
        " WHERE ?1 = x'' OR key_id = ?1 ORDER BY key_id, epoch, seq",
        DB_B(key_id, key_id == NULL ? 0 : 16)));
    for (;;) {
        bool row;
        struct node_share_info info;
        QK_TRY(db_step(vault, st, &row));
        if (!row) return QK_OK;
        QK_TRY(read_info(st, &info));
        if (!each(arg, &info)) return QK_OK;
    }
}

qk_err node_vault_share_count(struct node_vault *vault, uint64_t *n)
{
    VAULT_ENTER(vault);
    DB_STMT(st);
    QK_TRY(db_prepare(vault, &st, "SELECT count(*) FROM share", NULL, 0));
    QK_TRY(db_row(vault, st));
    return db_uint(st, 0, INT64_MAX, n);
}
