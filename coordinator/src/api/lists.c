#include "api/api.h"

#include <stdlib.h>
#include "kms/response.h"

enum { ROWS_MAX = 1000 /* of ListKeyRotations */ };

static void query_of(const struct coord_op *op, struct coord_list_query *q)
{
    *q = (struct coord_list_query){.live = true, .after = op->req.after, .limit = op->req.limit};
    switch (op->req.op) {
    case KMS_OP_LIST_USERS:
        q->kind = KMS_KIND_USER;
        break;
    case KMS_OP_LIST_ACCESS_KEYS:
        q->kind = KMS_KIND_CREDENTIAL;
        q->owner = op->req.user_name;
        break;
    default:
        q->kind = KMS_KIND_KEY;
        break;
    }
}

static void print(
    enum kms_op op, const struct kms_record *const *rows, size_t n, bool more, struct qk_buf *body)
{
    if (op == KMS_OP_LIST_USERS)
        kms_answer_users(rows, n, more, body);
    else if (op == KMS_OP_LIST_ACCESS_KEYS)
        kms_answer_access_keys(rows, n, more, body);
    else
        kms_answer_keys(rows, n, more, body);
}

qk_err coord_api_list(struct coord_op *op, struct qk_buf *body, struct kms_fault *fault)
{
    struct coord_list_query query;
    query_of(op, &query);
    COORD_AUTO_PAGE page = {0};
    qk_err err = coord_store_list(op->engine->store, &query, &page);
    if (err != QK_OK) return kms_fault_internal(fault, err);
    const struct kms_record **rows = calloc(page.n + 1, sizeof *rows);
    if (rows == NULL) return kms_fault_internal(fault, QK_E_NOMEM);
    for (size_t i = 0; i < page.n; i++) rows[i] = &page.entries[i].r;
    print(op->req.op, rows, page.n, page.more, body);
    free(rows);
    return QK_OK;
}

/* ---- ListKeyRotations ---- */

struct rotations {
    struct coord_entry entries[ROWS_MAX];
    const struct kms_version *rows[ROWS_MAX];
    size_t n;
    bool more;
};

/* Is this version a line of the list? The first material was rotated to by nobody, and one that
 * waits for RotateKeyOnDemand has not been yet. */
static bool is_listed(const struct coord_op *op, const struct kms_version *v)
{
    return v->rotated_ms != 0 || op->req.all_material;
}

/* Versions are counted: those after the marker are read one by one, however many there are before.
 */
static qk_err read_rotations(struct coord_op *op, uint32_t after, struct rotations *r)
{
    const struct kms_key *key = &op->decision.key->key;
    size_t limit = op->req.limit < ROWS_MAX ? op->req.limit : ROWS_MAX;
    for (uint32_t ver = after + 1; ver <= key->sym.n_versions; ver++) {
        struct kms_ref ref;
        COORD_AUTO_ENTRY e = {0};
        kms_ref_version(key->key_id, ver, &ref);
        QK_TRY(coord_store_get(op->engine->store, &ref, &e));
        if (!is_listed(op, &e.r.version_of)) continue;
        r->more = r->n == limit;
        if (r->more) return QK_OK;
        r->entries[r->n] = e;
        r->rows[r->n] = &r->entries[r->n].r.version_of;
        r->n++;
        e = (struct coord_entry){0}; /* moved */
    }
    return QK_OK;
}

/* Markers name the last version listed, in decimal. */
static bool read_marker(struct qk_bytes marker, uint32_t *after)
{
    *after = 0;
    if (marker.len > 9) return false;
    for (size_t i = 0; i < marker.len; i++) {
        if (marker.p[i] < '0' || marker.p[i] > '9') return false;
        *after = *after * 10 + (uint32_t)(marker.p[i] - '0');
    }
    return true;
}

qk_err coord_api_rotations(struct coord_op *op, struct qk_buf *body, struct kms_fault *fault)
{
    uint32_t after;
    if (!read_marker(op->req.after, &after)) return kms_fault_bare(fault, "InvalidMarkerException");
    struct rotations *r = calloc(1, sizeof *r);
    if (r == NULL) return kms_fault_internal(fault, QK_E_NOMEM);
    qk_err err = read_rotations(op, after, r);
    if (err == QK_OK)
        kms_answer_rotations(
            &op->decision.key->key, r->rows, r->n, r->more, op->req.all_material, body);
    for (size_t i = 0; i < r->n; i++) coord_entry_free(&r->entries[i]);
    free(r);
    return err == QK_OK ? QK_OK : kms_fault_internal(fault, err);
}
