#include "vault/records.h"

#include "vault/group.h"

static bool good_id(struct qk_bytes id)
{
    return id.len >= 1 && id.len <= NODE_RECORD_ID_MAX;
}

static bool good_version(uint64_t version)
{
    return version >= 1 && version <= INT64_MAX;
}

/* version 0: none stored. */
static qk_err watermark(struct node_vault *v, uint8_t kind, struct qk_bytes id, uint64_t *version,
    uint8_t hash[static 32])
{
    DB_KEPT_STMT(st);
    bool row;
    QK_TRY(DB_QUERY_KEPT(v, &st, DB_WATERMARK, DB_I(kind), DB_V(id)));
    QK_TRY(db_step(v, st, &row));
    *version = 0;
    if (!row) return QK_OK;
    QK_TRY(db_fixed(st, 1, hash, 32));
    return db_uint(st, 0, INT64_MAX, version);
}

/* Is version with this hash older than, at odds with, or in line with what is stored? */
static qk_err compare(struct node_vault *v, uint8_t kind, struct qk_bytes id, uint64_t version,
    const uint8_t hash[static 32])
{
    uint64_t stored;
    uint8_t stored_hash[32];
    QK_TRY(watermark(v, kind, id, &stored, stored_hash));
    QK_ENSURE(version >= stored, QK_E_DENIED);
    QK_ENSURE(version > stored || memcmp(hash, stored_hash, 32) == 0, QK_E_CONFLICT);
    return QK_OK;
}

qk_err node_vault_record_get(struct node_vault *vault, uint8_t kind, struct qk_bytes id,
    uint64_t *version, uint8_t hash[static 32], struct qk_buf *record, struct qk_buf *cert)
{
    QK_ENSURE(good_id(id), QK_E_STATE);
    VAULT_ENTER(vault);
    DB_STMT(st);
    QK_TRY(DB_QUERY(vault, &st,
        "SELECT version, hash, record, cert FROM record WHERE kind = ? AND id = ?", DB_I(kind),
        DB_V(id)));
    QK_TRY(db_row(vault, st));
    uint64_t found;
    uint8_t found_hash[32];
    QK_TRY(db_uint(st, 0, INT64_MAX, &found));
    QK_TRY(db_fixed(st, 1, found_hash, sizeof found_hash));
    for (int i = 0; i < 2; i++) {
        struct qk_buf *to = i == 0 ? record : cert;
        struct qk_bytes from = db_blob(st, 2 + i);
        if (to == NULL) continue;
        qk_buf_add(to, from.p, from.len);
        QK_ENSURE(to->err == QK_OK, to->err);
    }
    *version = found;
    memcpy(hash, found_hash, sizeof found_hash);
    return QK_OK;
}

static qk_err put(struct node_vault *v, const void *arg)
{
    const struct node_record *r = arg;
    QK_TRY(compare(v, r->kind, r->id, r->version, r->hash));
    QK_TRY(DB_RUN_KEPT(v, DB_RECORD_PUT, DB_I(r->kind), DB_V(r->id), DB_I(r->version),
        DB_B(r->hash, 32), DB_V(r->record), DB_V(r->cert)));
    return DB_RUN_KEPT(v, DB_PROMISE_FORGET, DB_I(r->kind), DB_V(r->id), DB_I(r->version));
}

qk_err node_vault_record_put(
    struct node_vault *vault, const struct node_record *record, unsigned patience_ms)
{
    struct node_write write = {.record = record};
    node_vault_write(vault, &write, 1, patience_ms);
    return write.err;
}

static qk_err read_record(sqlite3_stmt *st, struct node_record *r)
{
    r->id = db_blob(st, 0);
    QK_ENSURE(good_id(r->id), QK_E_CORRUPT);
    QK_TRY(db_uint(st, 1, INT64_MAX, &r->version));
    QK_TRY(db_fixed(st, 2, r->hash, sizeof r->hash));
    r->record = db_blob(st, 3);
    r->cert = db_blob(st, 4);
    return QK_OK;
}

qk_err node_vault_record_list(struct node_vault *vault, uint8_t kind, struct qk_bytes after,
    size_t max, bool (*each)(void *arg, const struct node_record *r), void *arg)
{
    QK_ENSURE(after.len <= NODE_RECORD_ID_MAX, QK_E_STATE);
    VAULT_ENTER(vault);
    DB_STMT(st);
    QK_TRY(DB_QUERY(vault, &st,
        "SELECT id, version, hash, record, cert FROM record WHERE kind = ? AND id > ? ORDER BY id",
        DB_I(kind), DB_V(after)));
    for (size_t i = 0; i < max; i++) {
        bool row;
        struct node_record r = {.kind = kind};
        QK_TRY(db_step(vault, st, &row));
        if (!row) return QK_OK;
        QK_TRY(read_record(st, &r));
        if (!each(arg, &r)) return QK_OK;
    }
    return QK_OK;
}

/* May a promise of hash stand beside what was promised before? */
static qk_err compare_promise(struct node_vault *v, const struct node_promise *p)
{
    DB_KEPT_STMT(st);
    bool row;
    QK_TRY(DB_QUERY_KEPT(v, &st, DB_PROMISE_GET, DB_I(p->kind), DB_V(p->id), DB_I(p->version)));
    QK_TRY(db_step(v, st, &row));
    if (!row) return QK_OK;
    uint8_t promised[32];
    uint64_t made_ms;
    QK_TRY(db_fixed(st, 0, promised, sizeof promised));
    QK_TRY(db_uint(st, 1, INT64_MAX, &made_ms));
    if (memcmp(promised, p->hash, sizeof promised) == 0) return QK_OK;
    bool over = p->now_ms > made_ms && p->now_ms - made_ms > p->hold_ms;
    return over ? QK_OK : QK_E_CONFLICT;
}

static qk_err promise(struct node_vault *v, const void *arg)
{
    const struct node_promise *p = arg;
    QK_TRY(compare(v, p->kind, p->id, p->version, p->hash));
    QK_TRY(compare_promise(v, p));
    return DB_RUN_KEPT(v, DB_PROMISE_PUT, DB_I(p->kind), DB_V(p->id), DB_I(p->version),
        DB_B(p->hash, 32), DB_I(p->now_ms), DB_V(p->record), DB_V(p->sig));
}

qk_err node_vault_promise(struct node_vault *vault, const struct node_promise *p)
{
    struct node_write write = {.promise = p};
    node_vault_write(vault, &write, 1, 0);
    return write.err;
}

/* ---- several at once ---- */

static bool good_record(const struct node_record *r)
{
    return good_id(r->id) && good_version(r->version) && r->record.len >= 1 &&
           r->record.len <= NODE_RECORD_MAX && r->cert.len <= NODE_RECORD_CERT_MAX;
}

static bool good_promise(const struct node_promise *p)
{
    return good_id(p->id) && good_version(p->version) && p->now_ms <= INT64_MAX &&
           p->record.len >= 1 && p->record.len <= NODE_RECORD_MAX && p->sig.len >= 1 &&
           p->sig.len <= NODE_PROMISE_SIG_MAX;
}

static bool good_write(const struct node_write *w)
{
    return w->record != NULL ? good_record(w->record) : good_promise(w->promise);
}

void node_vault_write(
    struct node_vault *vault, struct node_write *writes, size_t n, unsigned patience_ms)
{
    struct vault_change changes[NODE_WRITES_MAX];
    size_t of[NODE_WRITES_MAX], n_changes = 0;
    for (size_t i = 0; i < n; i++) {
        writes[i].err = i < NODE_WRITES_MAX && good_write(&writes[i]) ? QK_OK : QK_E_STATE;
        if (writes[i].err != QK_OK) continue;
        bool is_record = writes[i].record != NULL;
        changes[n_changes] = (struct vault_change){.fn = is_record ? put : promise,
            .arg = is_record ? (const void *)writes[i].record : writes[i].promise};
        of[n_changes++] = i;
    }
    vault_group(vault, changes, n_changes, patience_ms);
    for (size_t i = 0; i < n_changes; i++) writes[of[i]].err = changes[i].err;
}

static qk_err read_promise(sqlite3_stmt *st, struct node_promise *p)
{
    p->id = db_blob(st, 0);
    QK_ENSURE(good_id(p->id), QK_E_CORRUPT);
    QK_TRY(db_uint(st, 1, INT64_MAX, &p->version));
    p->record = db_blob(st, 2);
    p->sig = db_blob(st, 3);
    return QK_OK;
}

/* Of each record the newest promise alone: those before it led nowhere. */
qk_err node_vault_promise_list(struct node_vault *vault, uint8_t kind, struct qk_bytes after,
    size_t max, bool (*each)(void *arg, const struct node_promise *p), void *arg)
{
    QK_ENSURE(after.len <= NODE_RECORD_ID_MAX, QK_E_STATE);
    VAULT_ENTER(vault);
    DB_STMT(st);
    QK_TRY(DB_QUERY(vault, &st,
        "SELECT id, max(version), record, sig FROM promise WHERE kind = ? AND id > ?"
        " AND length(sig) > 0 GROUP BY id ORDER BY id",
        DB_I(kind), DB_V(after)));
    for (size_t i = 0; i < max; i++) {
        bool row;
        struct node_promise p = {.kind = kind};
        QK_TRY(db_step(vault, st, &row));
        if (!row) return QK_OK;
        QK_TRY(read_promise(st, &p));
        if (!each(arg, &p)) return QK_OK;
    }
    return QK_OK;
}
