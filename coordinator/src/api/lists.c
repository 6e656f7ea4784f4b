#include "api/api.h"

#include <stdlib.h>
#include "kms/response.h"

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
