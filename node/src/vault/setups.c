#include "vault/setups.h"

#include "qk/log.h"
#include "vault/db.h"

#define COLUMNS "id, root, key_id, record, epoch, peer, cls, status, created_ms, changed_ms"

enum { ANY_EPOCH = -1 };

static qk_err setup_scope(
    const struct node_vault *v, const struct node_setup *s, struct node_seal_scope *out)
{
    *out = (struct node_seal_scope){.purpose = NODE_SEAL_SETUP,
        .epoch = s->epoch,
        .party = v->node_id,
        .peer = s->peer,
        .cls = s->cls};
    memcpy(out->key_id, s->key_id, 16);
    memcpy(out->id, s->id, 32);
    return vault_sha256(QK_BYTES(s->record), QK_BYTES(s->root), out->record);
}

static qk_err read_row(sqlite3_stmt *st, struct node_setup *s)
{
    uint64_t epoch, peer, cls, status;
    QK_TRY(db_fixed(st, 0, s->id, 32));
    QK_TRY(db_fixed(st, 1, s->root, 32));
    QK_TRY(db_fixed(st, 2, s->key_id, 16));
    QK_TRY(db_fixed(st, 3, s->record, 32));
    QK_TRY(db_uint(st, 4, UINT32_MAX, &epoch));
    QK_TRY(db_uint(st, 5, UINT16_MAX, &peer));
    QK_TRY(db_uint(st, 6, UINT8_MAX, &cls));
    QK_TRY(db_uint(st, 7, NODE_SETUP_POISONED, &status));
    QK_TRY(db_uint(st, 8, INT64_MAX, &s->created_ms));
    QK_TRY(db_uint(st, 9, INT64_MAX, &s->changed_ms));
    s->epoch = (uint32_t)epoch;
    s->peer = (uint16_t)peer;
    s->cls = (uint8_t)cls;
    s->status = (enum node_setup_status)status;
    return QK_OK;
}

/* True iff poisoning id, or its root, was asked for and could not be written. */
static bool is_refused(const struct node_vault *v, const struct node_setup *s)
{
    for (size_t i = 0; i < v->n_refused; i++)
        if (memcmp(v->refused[i], s->id, 32) == 0 || memcmp(v->refused[i], s->root, 32) == 0)
            return true;
    return false;
}

static qk_err get(struct node_vault *v, const uint8_t *id, struct node_setup *out)
{
    DB_STMT(st);
    QK_TRY(DB_QUERY(v, &st, "SELECT " COLUMNS " FROM setup WHERE id = ?", DB_B(id, 32)));
    QK_TRY(db_row(v, st));
    QK_TRY(read_row(st, out));
    if (is_refused(v, out)) out->status = NODE_SETUP_POISONED;
    return QK_OK;
}

static qk_err open_secret(struct node_vault *v, const struct node_setup *s, struct qk_buf *out)
{
    struct node_seal_scope scope;
    QK_TRY(setup_scope(v, s, &scope));
    DB_STMT(st);
    QK_TRY(DB_QUERY(v, &st, "SELECT sealed FROM setup WHERE id = ?", DB_B(s->id, 32)));
    QK_TRY(db_row(v, st));
    return node_seal_open(v->seal, &scope, db_blob(st, 0), out);
}

static qk_err insert(struct node_vault *v, const struct node_setup *s, struct qk_bytes secret)
{
    struct node_seal_scope scope;
    QK_TRY(setup_scope(v, s, &scope));
    QK_AUTO_BUF sealed = QK_BUF(NODE_SETUP_MAX + NODE_SEAL_OVERHEAD);
    QK_TRY(node_seal_close(v->seal, &scope, secret, &sealed));
    return DB_RUN(v, "INSERT INTO setup VALUES(?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?)", DB_B(s->id, 32),
        DB_B(s->root, 32), DB_B(s->key_id, 16), DB_B(s->record, 32), DB_I(s->epoch), DB_I(s->peer),
        DB_I(s->cls), DB_V(qk_buf_view(&sealed)), DB_I(s->created_ms), DB_I(s->created_ms));
}

qk_err node_vault_setup_put(
    struct node_vault *vault, const struct node_setup *info, struct qk_bytes secret)
{
    QK_ENSURE(secret.len >= 1 && secret.len <= NODE_SETUP_MAX, QK_E_STATE);
    QK_ENSURE(info->created_ms <= INT64_MAX && info->peer != 0, QK_E_STATE);
    VAULT_ENTER(vault);
    QK_TRY(insert(vault, info, secret)); /* the primary key refuses an id that exists */
    db_forget_cache(vault);
    QK_AUTO_BUF back = QK_BUF_SECRET(NODE_SETUP_MAX);
    qk_err err = open_secret(vault, info, &back);
    if (err == QK_OK && back.len == secret.len && CRYPTO_memcmp(back.p, secret.p, back.len) == 0)
        return QK_OK;
    (void)DB_RUN(vault, "DELETE FROM setup WHERE id = ?", DB_B(info->id, 32));
    return err == QK_OK || err == QK_E_NOT_FOUND ? QK_E_CORRUPT : err;
}

qk_err node_vault_setup_find(struct node_vault *vault, const uint8_t key_id[static 16],
    uint32_t epoch, uint16_t peer, uint8_t cls, struct node_setup *out)
{
    VAULT_ENTER(vault);
    DB_STMT(st);
    QK_TRY(DB_QUERY(vault, &st,
        "SELECT " COLUMNS " FROM setup WHERE key_id = ? AND epoch = ? AND peer = ? AND cls = ?"
        " AND status <> 3 ORDER BY created_ms DESC, id",
        DB_B(key_id, 16), DB_I(epoch), DB_I(peer), DB_I(cls)));
    for (;;) {
        struct node_setup s;
        QK_TRY(db_row(vault, st));
        QK_TRY(read_row(st, &s));
        if (is_refused(vault, &s)) continue;
        *out = s;
        return QK_OK;
    }
}

qk_err node_vault_setup_load(struct node_vault *vault, const uint8_t id[static 32],
    struct node_setup *info, struct qk_buf *secret)
{
    VAULT_ENTER(vault);
    struct node_setup s;
    QK_TRY(get(vault, id, &s));
    if (secret != NULL) {
        QK_ENSURE(s.status != NODE_SETUP_POISONED, QK_E_DENIED);
        QK_TRY(open_secret(vault, &s, secret));
    }
    if (info != NULL) *info = s;
    return QK_OK;
}

qk_err node_vault_setup_use(struct node_vault *vault, const uint8_t id[static 32], uint64_t now_ms)
{
    QK_ENSURE(now_ms <= INT64_MAX, QK_E_STATE);
    VAULT_ENTER(vault);
    struct node_setup s;
    QK_TRY(get(vault, id, &s));
    QK_ENSURE(s.status != NODE_SETUP_POISONED, QK_E_DENIED);
    if (s.status == NODE_SETUP_PROVEN) return QK_OK;
    return DB_RUN(vault, "UPDATE setup SET status = 2, changed_ms = ? WHERE id = ? AND status = 1",
        DB_I(now_ms), DB_B(id, 32));
}

/* The setup and all derived under it; zero bytes in place of the secret. */
static qk_err write_poison(struct node_vault *v, const uint8_t *id, uint64_t now_ms)
{
    return DB_RUN(v,
        "UPDATE setup SET status = 3, sealed = x'', changed_ms = ?1"
        " WHERE (id = ?2 OR root = ?2) AND status <> 3",
        DB_I(now_ms), DB_B(id, 32));
}

/* The check failed and the disk does not take it: remember it here, or answer nothing any more. */
static void refuse_in_memory(struct node_vault *v, const uint8_t *id)
{
    if (v->n_refused == VAULT_REFUSED_MAX)
        v->dead = true;
    else
        memcpy(v->refused[v->n_refused++], id, 32);
    qk_log(QK_ERROR, "vault.poison-not-written", QK_F_HEX("setup", id, 32));
}

qk_err node_vault_setup_poison(struct node_vault *vault, const uint8_t id[static 32],
    uint64_t now_ms, enum node_setup_status *was)
{
    QK_ENSURE(now_ms <= INT64_MAX, QK_E_STATE);
    VAULT_ENTER(vault);
    struct node_setup s;
    qk_err err = get(vault, id, &s);
    QK_ENSURE(err != QK_E_NOT_FOUND, err);
    if (err == QK_OK) err = write_poison(vault, id, now_ms); /* one statement, synced */
    if (err != QK_OK) {
        refuse_in_memory(vault, id);
        return err;
    }
    if (was != NULL) *was = s.status;
    /* What had to be durable is. The sealed bytes in the log go now, or at the next start. */
    if (db_truncate_log(vault) != QK_OK)
        qk_log(QK_WARN, "vault.log-not-truncated", QK_F_HEX("setup", id, 32));
    return QK_OK;
}

static qk_err count(struct node_vault *v, sqlite3_stmt *st, uint64_t *n)
{
    QK_TRY(db_row(v, st));
    return db_uint(st, 0, INT64_MAX, n);
}

qk_err node_vault_setup_poisoned(struct node_vault *vault, const uint8_t key_id[static 16],
    uint16_t peer, uint32_t epoch, uint64_t since_ms, uint64_t *n)
{
    QK_ENSURE(since_ms <= INT64_MAX, QK_E_STATE);
    VAULT_ENTER(vault);
    DB_STMT(st);
    QK_TRY(DB_QUERY(vault, &st,
        "SELECT count(*) FROM setup WHERE key_id = ?1 AND peer = ?2 AND status = 3"
        " AND changed_ms >= ?3 AND (?4 = -1 OR epoch = ?4)",
        DB_B(key_id, 16), DB_I(peer), DB_I(since_ms),
        DB_I(epoch == UINT32_MAX ? ANY_EPOCH : (int64_t)epoch)));
    return count(vault, st, n);
}

qk_err node_vault_setup_wipe(struct node_vault *vault, const uint8_t id[static 32])
{
    VAULT_ENTER(vault);
    QK_TRY(DB_RUN(vault, "DELETE FROM setup WHERE id = ?", DB_B(id, 32)));
    return db_truncate_log(vault);
}

qk_err node_vault_setup_wipe_key(
    struct node_vault *vault, const uint8_t key_id[static 16], uint32_t epoch)
{
    VAULT_ENTER(vault);
    QK_TRY(DB_RUN(vault,
        "DELETE FROM setup WHERE key_id = ?1 AND status <> 3 AND (?2 = -1 OR epoch = ?2)",
        DB_B(key_id, 16), DB_I(epoch == UINT32_MAX ? ANY_EPOCH : (int64_t)epoch)));
    return db_truncate_log(vault);
}

qk_err node_vault_setup_list(
    struct node_vault *vault, bool (*each)(void *arg, const struct node_setup *info), void *arg)
{
    VAULT_ENTER(vault);
    DB_STMT(st);
    QK_TRY(
        db_prepare(vault, &st, "SELECT " COLUMNS " FROM setup ORDER BY created_ms, id", NULL, 0));
    for (;;) {
        bool row;
        struct node_setup s;
        QK_TRY(db_step(vault, st, &row));
        if (!row) return QK_OK;
        QK_TRY(read_row(st, &s));
        if (is_refused(vault, &s)) s.status = NODE_SETUP_POISONED;
        if (!each(arg, &s)) return QK_OK;
    }
}

/* Ids are hashes: the first byte spreads them. */
void node_setup_lock(struct node_vault *vault, const uint8_t id[static 32])
{
    (void)pthread_mutex_lock(&vault->stripes[id[0] % VAULT_STRIPES]);
}

void node_setup_unlock(struct node_vault *vault, const uint8_t id[static 32])
{
    (void)pthread_mutex_unlock(&vault->stripes[id[0] % VAULT_STRIPES]);
}
