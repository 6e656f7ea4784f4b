/* States of epoch runs. */
#include "vault/db.h"
#include "vault/shares.h"

static struct node_seal_scope run_scope(const struct node_vault *v, const uint8_t *sid)
{
    struct node_seal_scope scope = {.purpose = NODE_SEAL_RUN, .party = v->node_id};
    memcpy(scope.id, sid, sizeof scope.id);
    return scope;
}

qk_err node_vault_run_put(
    struct node_vault *vault, const uint8_t sid[static 32], struct qk_bytes blob, uint64_t now_ms)
{
    QK_ENSURE(blob.len >= 1 && blob.len <= NODE_RUN_MAX && now_ms <= INT64_MAX, QK_E_STATE);
    struct node_seal_scope scope = run_scope(vault, sid);
    QK_AUTO_BUF sealed = QK_BUF(NODE_RUN_MAX + NODE_SEAL_OVERHEAD);
    VAULT_ENTER(vault);
    QK_TRY(node_seal_close(vault->seal, &scope, blob, &sealed));
    QK_TRY(db_begin(vault));
    return db_end_change(vault, DB_RUN(vault,
                                    "INSERT INTO run(sid, sealed, changed_ms) VALUES(?1, ?2, ?3)"
                                    " ON CONFLICT(sid) DO UPDATE SET sealed = ?2, changed_ms = ?3",
                                    DB_B(sid, 32), DB_V(qk_buf_view(&sealed)), DB_I(now_ms)));
}

static qk_err settle(struct node_vault *v, const struct node_run_name *runs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        QK_TRY(DB_RUN(v, "UPDATE run SET settled = 1, key_id = ? WHERE sid = ?",
            DB_B(runs[i].key_id, 16), DB_B(runs[i].sid, 32)));
    return QK_OK;
}

qk_err node_vault_run_settle(struct node_vault *vault, const struct node_run_name *runs, size_t n)
{
    if (n == 0) return QK_OK;
    VAULT_ENTER(vault);
    QK_TRY(db_begin(vault));
    return db_end(vault, settle(vault, runs, n));
}

qk_err node_vault_run_get(
    struct node_vault *vault, const uint8_t sid[static 32], struct qk_buf *out)
{
    struct node_seal_scope scope = run_scope(vault, sid);
    VAULT_ENTER(vault);
    DB_STMT(st);
    QK_TRY(DB_QUERY(vault, &st, "SELECT sealed FROM run WHERE sid = ?", DB_B(sid, 32)));
    QK_TRY(db_row(vault, st));
    return node_seal_open(vault->seal, &scope, db_blob(st, 0), out);
}

qk_err node_vault_run_delete(struct node_vault *vault, const uint8_t sid[static 32])
{
    VAULT_ENTER(vault);
    QK_TRY(db_begin(vault));
    return db_end_change(vault, DB_RUN(vault, "DELETE FROM run WHERE sid = ?", DB_B(sid, 32)));
}

qk_err node_vault_run_list(struct node_vault *vault,
    bool (*each)(void *arg, const uint8_t sid[static 32], uint64_t changed_ms), void *arg)
{
    VAULT_ENTER(vault);
    DB_STMT(st);
    QK_TRY(db_prepare(vault, &st,
        "SELECT sid, changed_ms FROM run WHERE settled = 0 ORDER BY changed_ms, sid", NULL, 0));
    for (;;) {
        bool row;
        uint8_t sid[32];
        uint64_t changed_ms;
        QK_TRY(db_step(vault, st, &row));
        if (!row) return QK_OK;
        QK_TRY(db_fixed(st, 0, sid, sizeof sid));
        QK_TRY(db_uint(st, 1, INT64_MAX, &changed_ms));
        if (!each(arg, sid, changed_ms)) return QK_OK;
    }
}
