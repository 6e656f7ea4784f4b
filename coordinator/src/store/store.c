#include "store/db.h"

#include <stdlib.h>
#include "kms/decide.h"
#include "qk/clock.h"

void coord_entry_free(struct coord_entry *e)
{
    coord_kept_unref(e->kept);
    *e = (struct coord_entry){0};
}

void coord_page_free(struct coord_page *page)
{
    for (size_t i = 0; i < page->n; i++) coord_entry_free(&page->entries[i]);
    free(page->entries);
    *page = (struct coord_page){0};
}

static qk_err verify_sig(
    void *arg, uint16_t node, const uint8_t msg[static KMS_CERT_MSG_LEN], struct qk_bytes signature)
{
    return wire_cluster_verify(arg, node, qk_bytes(msg, KMS_CERT_MSG_LEN), signature);
}

qk_err coord_store_check(
    const struct wire_cluster *cluster, struct qk_bytes certified, struct kms_record *r)
{
    struct kms_cert cert;
    struct qk_bytes record;
    QK_TRY(kms_certified_decode(certified, &record, &cert));
    QK_TRY(kms_record_decode(record, r));
    return kms_cert_verify(
        r, &cert, verify_sig, (void *)(uintptr_t)cluster, wire_cluster_quorum(cluster));
}

/* Bind (kind, id) and step: a row tells that the record exists. */
static qk_err find(sqlite3_stmt *st, enum kms_kind kind, struct qk_bytes id, bool *row)
{
    QK_TRY(coord_db_err(sqlite3_bind_int(st, 1, (int)kind)));
    QK_TRY(coord_db_bind_blob(st, 2, id));
    int rc = sqlite3_step(st);
    *row = rc == SQLITE_ROW;
    return coord_db_err(rc);
}

static qk_err read_kept(
    struct coord_store *store, const struct kms_ref *ref, struct coord_kept **kept)
{
    COORD_STATEMENT(st, store, COORD_SQL_GET);
    bool row;
    QK_TRY(find(st, ref->kind, qk_str(ref->id), &row));
    QK_ENSURE(row, QK_E_NOT_FOUND);
    QK_TRY(coord_kept_new(kept, coord_db_blob(st, 2)));
    bool right = (*kept)->r.kind == ref->kind && strcmp((*kept)->r.id, ref->id) == 0;
    if (right) return QK_OK;
    coord_kept_unref(*kept);
    return QK_E_CORRUPT;
}

qk_err coord_store_get(
    struct coord_store *store, const struct kms_ref *ref, struct coord_entry *out)
{
    *out = (struct coord_entry){0};
    COORD_STORE_ENTER(store);
    struct coord_kept *kept = coord_kept_find(&store->kept, ref->kind, ref->id);
    if (kept == NULL) {
        QK_TRY(read_kept(store, ref, &kept));
        coord_kept_add(&store->kept, kept);
    }
    coord_kept_entry(kept, out);
    return QK_OK;
}

qk_err coord_store_keep(struct coord_store *store, size_t n)
{
    struct coord_kept_table t;
    QK_TRY(coord_kept_table_init(&t, n));
    COORD_STORE_ENTER(store);
    coord_kept_table_free(&store->kept);
    store->kept = t;
    return QK_OK;
}

/* What is stored of the same record: version 0 when nothing. */
static qk_err current(
    struct coord_store *s, const struct kms_record *r, uint64_t *version, uint8_t hash[static 32])
{
    COORD_STATEMENT(st, s, COORD_SQL_GET);
    bool row;
    QK_TRY(find(st, r->kind, qk_str(r->id), &row));
    *version = 0;
    memset(hash, 0, 32);
    if (!row) return QK_OK;
    struct qk_bytes h = coord_db_blob(st, 1);
    QK_ENSURE(h.len == 32, QK_E_CORRUPT);
    memcpy(hash, h.p, 32);
    *version = (uint64_t)sqlite3_column_int64(st, 0);
    return QK_OK;
}

/* The first time at which something is due for this record; 0: never. */
static uint64_t due_ms_of(const struct kms_record *r)
{
    if (r->kind != KMS_KIND_KEY) return 0;
    const uint64_t dates[] = {
        r->key.deletion_ms, r->key.sym.next_rotation_ms, r->key.sym.next_expiry_ms};
    uint64_t first = 0;
    for (size_t i = 0; i < QK_COUNT(dates); i++) {
        uint64_t at = dates[i];
        bool due = at != 0 && at <= INT64_MAX && kms_due_of(&r->key, at) != KMS_DUE_NOTHING;
        if (due && (first == 0 || at < first)) first = at;
    }
    return first;
}

static qk_err write_row(
    struct coord_store *s, const struct kms_record *r, struct qk_bytes certified)
{
    bool key = r->kind == KMS_KIND_KEY;
    struct qk_bytes owner = {0};
    if (r->kind == KMS_KIND_CREDENTIAL) owner = r->credential.user_name;
    COORD_STATEMENT(st, s, COORD_SQL_PUT);
    QK_TRY(coord_db_err(sqlite3_bind_int(st, 1, (int)r->kind)));
    QK_TRY(coord_db_bind_blob(st, 2, qk_str(r->id)));
    QK_TRY(coord_db_err(sqlite3_bind_int64(st, 3, (int64_t)r->version)));
    QK_TRY(coord_db_bind_blob(st, 4, QK_BYTES(r->hash)));
    QK_TRY(coord_db_bind_blob(st, 5, owner));
    QK_TRY(coord_db_err(sqlite3_bind_int(st, 6, !(key && r->key.state == KMS_STATE_DELETED))));
    QK_TRY(coord_db_err(sqlite3_bind_int64(st, 7, (int64_t)due_ms_of(r))));
    QK_TRY(coord_db_bind_blob(st, 8, certified));
    int rc = sqlite3_step(st);
    coord_kept_forget(&s->kept, r->kind, r->id); /* also when it is rolled back after all */
    return coord_db_err(rc);
}

static qk_err finish(struct coord_store *s, qk_err err)
{
    if (err == QK_OK) err = coord_db_exec(s, "COMMIT");
    if (err == QK_OK) s->unsynced = true;
    if (err != QK_OK && !sqlite3_get_autocommit(s->db))
        (void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return err;
}

static qk_err put_one(struct coord_store *s, const struct kms_record *r, struct qk_bytes certified)
{
    uint64_t version;
    uint8_t hash[32];
    QK_TRY(current(s, r, &version, hash));
    QK_ENSURE(r->version == version + 1, QK_E_CONFLICT);
    QK_ENSURE(memcmp(r->prev, hash, 32) == 0, QK_E_CONFLICT);
    return write_row(s, r, certified);
}

/* What was just changed is asked for next. Without memory it is read from the file. */
static void keep(struct coord_store *s, struct qk_bytes certified)
{
    struct coord_kept *kept;
    if (coord_kept_new(&kept, certified) != QK_OK) return;
    kept->put_ms = qk_mono_ms();
    coord_kept_add(&s->kept, kept);
    coord_kept_unref(kept);
}

qk_err coord_store_put(struct coord_store *store, const struct qk_bytes *certified, size_t n)
{
    QK_ENSURE(n >= 1 && n <= COORD_STORE_PUT_MAX, QK_E_STATE);
    struct kms_record *records = calloc(n, sizeof *records);
    QK_ENSURE(records != NULL, QK_E_NOMEM);
    qk_err err = QK_OK;
    for (size_t i = 0; i < n && err == QK_OK; i++)
        err = coord_store_check(store->cluster, certified[i], &records[i]);
    if (err == QK_OK) {
        COORD_STORE_ENTER(store);
        err = coord_db_exec(store, "BEGIN IMMEDIATE");
        for (size_t i = 0; i < n && err == QK_OK; i++)
            err = put_one(store, &records[i], certified[i]);
        err = finish(store, err);
        for (size_t i = 0; i < n && err == QK_OK; i++) keep(store, certified[i]);
    }
    free(records);
    return err;
}

qk_err coord_store_adopt(struct coord_store *store, struct qk_bytes certified, bool *taken)
{
    struct kms_record r;
    QK_TRY(coord_store_check(store->cluster, certified, &r));
    COORD_STORE_ENTER(store);
    uint64_t version;
    uint8_t hash[32];
    QK_TRY(coord_db_exec(store, "BEGIN IMMEDIATE"));
    qk_err err = current(store, &r, &version, hash);
    bool newer = err == QK_OK && r.version > version;
    if (err == QK_OK && r.version == version && memcmp(hash, r.hash, 32) != 0) err = QK_E_CONFLICT;
    if (newer) err = write_row(store, &r, certified);
    err = finish(store, err);
    if (err == QK_OK && taken != NULL) *taken = newer;
    return err;
}

/* Rows to entries; the row after the last one wanted only tells that there is more. */
static qk_err read_rows(sqlite3_stmt *st, size_t limit, struct coord_page *out)
{
    for (;;) {
        int rc = sqlite3_step(st);
        if (rc != SQLITE_ROW) return coord_db_err(rc);
        out->more = out->n == limit;
        if (out->more) return QK_OK;
        struct coord_kept *kept;
        QK_TRY(coord_kept_new(&kept, coord_db_blob(st, 0)));
        coord_kept_entry(kept, &out->entries[out->n++]);
    }
}

qk_err coord_store_list(
    struct coord_store *store, const struct coord_list_query *query, struct coord_page *out)
{
    *out = (struct coord_page){0};
    QK_ENSURE(query->limit >= 1 && query->limit <= COORD_STORE_LIST_MAX, QK_E_STATE);
    out->entries = calloc(query->limit, sizeof *out->entries);
    QK_ENSURE(out->entries != NULL, QK_E_NOMEM);
    COORD_STORE_ENTER(store);
    COORD_STATEMENT(st, store, COORD_SQL_LIST);
    QK_TRY(coord_db_err(sqlite3_bind_int(st, 1, (int)query->kind)));
    QK_TRY(coord_db_bind_blob(st, 2, query->after));
    QK_TRY(coord_db_bind_blob(st, 3, query->owner));
    QK_TRY(coord_db_err(sqlite3_bind_int(st, 4, query->live)));
    QK_TRY(coord_db_err(sqlite3_bind_int64(st, 5, (int64_t)query->limit + 1)));
    return read_rows(st, query->limit, out);
}

qk_err coord_store_due(
    struct coord_store *store, struct coord_due_query *query, struct coord_page *out)
{
    *out = (struct coord_page){0};
    QK_ENSURE(query->limit >= 1 && query->limit <= COORD_STORE_LIST_MAX, QK_E_STATE);
    out->entries = calloc(query->limit, sizeof *out->entries);
    QK_ENSURE(out->entries != NULL, QK_E_NOMEM);
    COORD_STORE_ENTER(store);
    COORD_STATEMENT(st, store, COORD_SQL_DUE);
    QK_TRY(coord_db_err(sqlite3_bind_int64(st, 1, (int64_t)query->after_ms)));
    QK_TRY(coord_db_err(sqlite3_bind_int64(st, 2, (int64_t)query->now_ms)));
    QK_TRY(coord_db_bind_blob(st, 3, qk_str(query->after_id)));
    QK_TRY(coord_db_err(sqlite3_bind_int64(st, 4, (int64_t)query->limit + 1)));
    QK_TRY(read_rows(st, query->limit, out));
    if (out->n == 0) return QK_OK;
    const struct kms_record *last = &out->entries[out->n - 1].r;
    query->after_ms = due_ms_of(last);
    memcpy(query->after_id, last->id, sizeof query->after_id);
    return QK_OK;
}
