#include "rounds/chores.h"

#include <jansson.h>
#include "qk/log.h"
#include "rounds/attempt.h"

enum {
    FETCH_TIMEOUT_MS = 5000,
    FETCH_PAGES_MAX = 1000000, /* a node that lists without end is cut off */
    STATUS_MAX = 65536,        /* bytes */
};

qk_err coord_request_id(char out[static 37])
{
    uint8_t id[16];
    QK_TRY(qk_rng_fill(qk_rng_system(), id, sizeof id));
    kms_uuid_make_v4(id);
    kms_uuid_text(id, out);
    return QK_OK;
}

/* ---- fetching ---- */

/* One page; after moves on to the last id; more is false after an empty page. */
static qk_err take_page(struct coord_engine *e, enum kms_kind kind, const struct coord_reply *r,
    char after[static KMS_RECORD_ID_MAX + 1], bool *more)
{
    QK_TRY(r->err);
    QK_ENSURE(r->answer.status == WIRE_ANSWER_OK, QK_E_UNEXPECTED);
    for (uint32_t i = 0; i < r->answer.n_records; i++) {
        struct qk_bytes record;
        struct kms_cert cert;
        struct kms_record rec;
        QK_TRY(kms_certified_decode(r->answer.records[i], &record, &cert));
        QK_TRY(kms_record_decode(record, &rec));
        /* Ascending, or the listing would never end. */
        QK_ENSURE(rec.kind == kind && strcmp(rec.id, after) > 0, QK_E_UNEXPECTED);
        memcpy(after, rec.id, sizeof rec.id);
        (void)coord_adopt_from(e, r->node, r->answer.records[i]);
    }
    *more = r->answer.n_records > 0;
    return QK_OK;
}

qk_err coord_call_one(struct coord_engine *e, uint16_t node, struct wire_call *call,
    enum wire_call_kind kind, struct coord_reply *r)
{
    struct coord_gather *g;
    QK_AUTO_BUF bytes = QK_BUF(WIRE_CALL_MAX);
    call->kind = kind;
    memcpy(call->cluster, e->cluster->hash, 32);
    QK_TRY(coord_request_id(call->request_id));
    wire_call_encode(&bytes, call);
    QK_TRY(bytes.err);
    QK_TRY(coord_gather_new(&g, e->nodes));
    coord_gather_call(g, node, qk_buf_view(&bytes), FETCH_TIMEOUT_MS, COORD_ALONE);
    bool got = coord_gather_next(g, FETCH_TIMEOUT_MS + 200, r);
    coord_gather_free(g);
    return got ? QK_OK : QK_E_TIMEOUT;
}

static qk_err fetch_page(struct coord_engine *e, uint16_t node, enum kms_kind kind,
    char after[static KMS_RECORD_ID_MAX + 1], bool *more)
{
    struct wire_call call = {.fetch_kind = (uint8_t)kind, .fetch_after = qk_str(after)};
    struct coord_reply r;
    QK_TRY(coord_call_one(e, node, &call, WIRE_CALL_FETCH, &r));
    qk_err err = take_page(e, kind, &r, after, more);
    coord_reply_free(&r);
    return err;
}

qk_err coord_fetch_all(struct coord_engine *e, uint16_t node)
{
    for (enum kms_kind kind = KMS_KIND_ACCOUNT; kind <= KMS_KIND_VERSION; kind++) {
        char after[KMS_RECORD_ID_MAX + 1] = {0};
        bool more = true;
        for (size_t page = 0; more && page < FETCH_PAGES_MAX; page++)
            QK_TRY(fetch_page(e, node, kind, after, &more));
    }
    qk_log(QK_INFO, "fetch.done", QK_F_INT("node", node));
    return QK_OK;
}

/* ---- quarantine ---- */

static qk_err read_quarantine(const struct coord_reply *r, bool *quarantined)
{
    QK_TRY(r->err);
    QK_ENSURE(r->answer.status == WIRE_ANSWER_OK, QK_E_UNEXPECTED);
    struct qk_bytes text = r->answer.status_json;
    QK_ENSURE(text.len <= STATUS_MAX, QK_E_MALFORMED);
    json_error_t e;
    json_t *said = json_loadb((const char *)text.p, text.len, JSON_REJECT_DUPLICATES, &e);
    const json_t *v = json_object_get(said, "Quarantine");
    qk_err err = json_is_boolean(v) ? QK_OK : QK_E_MALFORMED;
    if (err == QK_OK) *quarantined = json_is_true(v);
    json_decref(said);
    return err;
}

qk_err coord_ask_quarantine(struct coord_engine *e, uint16_t node, bool *quarantined)
{
    struct wire_call call = {.n_refs = 0};
    struct coord_reply r;
    QK_TRY(coord_call_one(e, node, &call, WIRE_CALL_STATUS, &r));
    qk_err err = read_quarantine(&r, quarantined);
    coord_reply_free(&r);
    return err;
}
