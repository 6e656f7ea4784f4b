/* Counters, notes, strikes. */
#include "vault/db.h"
#include "vault/group.h"

static bool good_name(const char *name)
{
    size_t len = strnlen(name, NODE_COUNTER_NAME_MAX + 1);
    return len >= 1 && len <= NODE_COUNTER_NAME_MAX;
}

static qk_err counter_read(struct node_vault *v, const char *name, uint64_t *value)
{
    DB_STMT(st);
    bool row;
    QK_TRY(DB_QUERY(v, &st, "SELECT value FROM counter WHERE name = ?", DB_V(qk_str(name))));
    QK_TRY(db_step(v, st, &row));
    *value = 0;
    return row ? db_uint(st, 0, INT64_MAX, value) : QK_OK;
}

/* One statement. max() makes a counter that goes down impossible. */
static qk_err counter_write(struct node_vault *v, const char *name, uint64_t value)
{
    return DB_RUN(v,
        "INSERT INTO counter VALUES(?1, ?2)"
        " ON CONFLICT(name) DO UPDATE SET value = max(value, ?2)",
        DB_V(qk_str(name)), DB_I(value));
}

qk_err node_vault_counter_get(struct node_vault *vault, const char *name, uint64_t *value)
{
    QK_ENSURE(good_name(name), QK_E_STATE);
    VAULT_ENTER(vault);
    return counter_read(vault, name, value);
}

qk_err node_vault_counter_add(
    struct node_vault *vault, const char *name, uint64_t delta, uint64_t *value)
{
    QK_ENSURE(good_name(name), QK_E_STATE);
    VAULT_ENTER(vault);
    uint64_t now;
    QK_TRY(counter_read(vault, name, &now));
    QK_ENSURE(delta <= (uint64_t)INT64_MAX - now, QK_E_TOO_LARGE);
    QK_TRY(counter_write(vault, name, now + delta));
    *value = now + delta;
    return QK_OK;
}

struct raising {
    const char *name;
    uint64_t least;
};

static qk_err raise_counter(struct node_vault *v, const void *arg)
{
    const struct raising *r = arg;
    return counter_write(v, r->name, r->least);
}

qk_err node_vault_counter_raise(struct node_vault *vault, const char *name, uint64_t least)
{
    QK_ENSURE(good_name(name), QK_E_STATE);
    QK_ENSURE(least <= INT64_MAX, QK_E_TOO_LARGE);
    struct raising r = {name, least};
    struct vault_change change = {.fn = raise_counter, .arg = &r};
    vault_group(vault, &change, 1, 0);
    return change.err;
}

static qk_err note_scope(const struct node_vault *v, const char *name, struct node_seal_scope *out)
{
    *out = (struct node_seal_scope){.purpose = NODE_SEAL_NOTE, .party = v->node_id};
    return vault_sha256(qk_str(name), qk_bytes(NULL, 0), out->id);
}

qk_err node_vault_note_put(struct node_vault *vault, const char *name, struct qk_bytes value)
{
    QK_ENSURE(good_name(name) && value.len <= NODE_NOTE_MAX, QK_E_STATE);
    struct node_seal_scope scope;
    QK_TRY(note_scope(vault, name, &scope));
    QK_AUTO_BUF sealed = QK_BUF(NODE_NOTE_MAX + NODE_SEAL_OVERHEAD);
    QK_TRY(node_seal_close(vault->seal, &scope, value, &sealed));
    VAULT_ENTER(vault);
    return DB_RUN(vault, "INSERT OR REPLACE INTO note VALUES(?, ?)", DB_V(qk_str(name)),
        DB_V(qk_buf_view(&sealed)));
}

qk_err node_vault_note_get(struct node_vault *vault, const char *name, struct qk_buf *out)
{
    QK_ENSURE(good_name(name), QK_E_STATE);
    struct node_seal_scope scope;
    QK_TRY(note_scope(vault, name, &scope));
    VAULT_ENTER(vault);
    DB_STMT(st);
    QK_TRY(DB_QUERY(vault, &st, "SELECT sealed FROM note WHERE name = ?", DB_V(qk_str(name))));
    QK_TRY(db_row(vault, st));
    return node_seal_open(vault->seal, &scope, db_blob(st, 0), out);
}

qk_err node_vault_note_delete(struct node_vault *vault, const char *name)
{
    QK_ENSURE(good_name(name), QK_E_STATE);
    VAULT_ENTER(vault);
    return DB_RUN(vault, "DELETE FROM note WHERE name = ?", DB_V(qk_str(name)));
}

static struct qk_bytes key_or_empty(const uint8_t *key_id)
{
    return qk_bytes(key_id, key_id == NULL ? 0 : 16);
}

qk_err node_vault_strike(struct node_vault *vault, uint16_t peer, const uint8_t *key_id,
    const char *reason, uint64_t now_ms)
{
    size_t len = strnlen(reason, NODE_STRIKE_REASON_MAX + 1);
    QK_ENSURE(len <= NODE_STRIKE_REASON_MAX && now_ms <= INT64_MAX, QK_E_STATE);
    const uint64_t keep_ms = (uint64_t)NODE_STRIKE_KEEP_DAYS * 86400000;
    VAULT_ENTER(vault);
    QK_TRY(db_begin(vault));
    qk_err err = DB_RUN(vault, "INSERT INTO strike VALUES(?, ?, ?, ?)", DB_I(peer),
        DB_V(key_or_empty(key_id)), DB_V(qk_bytes(reason, len)), DB_I(now_ms));
    if (err == QK_OK && now_ms > keep_ms)
        err = DB_RUN(vault, "DELETE FROM strike WHERE at_ms < ?", DB_I(now_ms - keep_ms));
    return db_end(vault, err);
}

qk_err node_vault_strikes(
    struct node_vault *vault, uint16_t peer, const uint8_t *key_id, uint64_t since_ms, uint64_t *n)
{
    QK_ENSURE(since_ms <= INT64_MAX, QK_E_STATE);
    VAULT_ENTER(vault);
    DB_STMT(st);
    QK_TRY(DB_QUERY(vault, &st,
        "SELECT count(*) FROM strike WHERE peer = ?1 AND at_ms >= ?2"
        " AND (?3 = x'' OR key_id = ?3)",
        DB_I(peer), DB_I(since_ms), DB_V(key_or_empty(key_id))));
    QK_TRY(db_row(vault, st));
    return db_uint(st, 0, INT64_MAX, n);
}
