#include "rounds/promised.h"

#include <stdlib.h>
#include "qk/log.h"
#include "rounds/chores.h"
#include "rounds/publisher.h"

enum { OPEN_MAX = 1024 /* that one node may name */, PAGES_MAX = 100000 };

/* One version of one record, and who signed it. */
struct open_change {
    struct open_change *next;
    struct qk_buf record;
    struct kms_record r; /* views into record */
    uint8_t msg[KMS_CERT_MSG_LEN];
    struct {
        uint16_t node;
        uint8_t sig[KMS_CERT_SIG_MAX];
        size_t len;
    } by[WIRE_NODES_MAX];
    size_t n;
};

struct coord_promised {
    struct open_change *list;
    size_t first_of[256]; /* changes that this node was the first to name */
};

struct coord_promised *coord_promised_new(void)
{
    return calloc(1, sizeof(struct coord_promised));
}

static void change_free(struct open_change *c)
{
    qk_buf_free(&c->record);
    free(c);
}

void coord_promised_free(struct coord_promised *p)
{
    if (p == NULL) return;
    while (p->list != NULL) {
        struct open_change *c = p->list;
        p->list = c->next;
        change_free(c);
    }
    free(p);
}

static struct open_change *find(struct coord_promised *p, struct qk_bytes record)
{
    for (struct open_change *c = p->list; c != NULL; c = c->next)
        if (qk_bytes_eq(qk_buf_view(&c->record), record)) return c;
    return NULL;
}

static qk_err add(
    struct coord_promised *p, uint16_t node, struct qk_bytes record, struct open_change **out)
{
    QK_ENSURE(p->first_of[node & 255] < OPEN_MAX, QK_E_TOO_LARGE);
    struct open_change *c = calloc(1, sizeof *c);
    QK_ENSURE(c != NULL, QK_E_NOMEM);
    c->record = (struct qk_buf)QK_BUF(KMS_RECORD_ENCODED_MAX);
    qk_buf_add(&c->record, record.p, record.len);
    qk_err err = c->record.err;
    if (err == QK_OK) err = kms_record_decode(qk_buf_view(&c->record), &c->r);
    if (err == QK_OK) err = kms_cert_message(&c->r, c->msg);
    if (err != QK_OK) {
        change_free(c);
        return err;
    }
    c->next = p->list;
    p->list = c;
    p->first_of[node & 255]++;
    *out = c;
    return QK_OK;
}

static qk_err note(struct coord_engine *e, struct coord_promised *p, uint16_t node,
    const struct wire_signed *s, struct open_change **out)
{
    QK_ENSURE(s->signature.len <= KMS_CERT_SIG_MAX, QK_E_MALFORMED);
    struct open_change *c = find(p, s->record);
    if (c == NULL) QK_TRY(add(p, node, s->record, &c));
    *out = c;
    for (size_t i = 0; i < c->n; i++)
        if (c->by[i].node == node) return QK_OK;
    QK_TRY(wire_cluster_verify(e->cluster, node, QK_BYTES(c->msg), s->signature));
    c->by[c->n].node = node;
    c->by[c->n].len = s->signature.len;
    memcpy(c->by[c->n++].sig, s->signature.p, s->signature.len);
    return QK_OK;
}

static bool complete(const struct wire_cluster *cluster, const struct open_change *c)
{
    /* A first version is announced by all nodes or nobody, but that of a key's new material: the
     * key's next record, signed by the same nodes, names it already. */
    bool next = c->r.version > 1 || c->r.kind == KMS_KIND_VERSION;
    return c->n >= wire_cluster_quorum(cluster) && next;
}

static qk_err certify(const struct open_change *c, struct qk_buf *out)
{
    struct kms_cert cert = {.n = 0};
    for (size_t i = 0; i < c->n; i++)
        QK_TRY(kms_cert_add(&cert, c->by[i].node, qk_bytes(c->by[i].sig, c->by[i].len)));
    QK_TRY(kms_certified_encode(qk_buf_view(&c->record), &cert, out));
    return out->err;
}

/* The store takes it only if it follows what is stored. */
static void finish(struct coord_engine *e, const struct open_change *c)
{
    QK_AUTO_BUF certified = QK_BUF(KMS_CERTIFIED_MAX);
    qk_err err = certify(c, &certified);
    struct qk_bytes view = qk_buf_view(&certified);
    if (err == QK_OK) err = coord_store_put(e->store, &view, 1);
    if (err == QK_OK && e->publisher != NULL) coord_publish(e->publisher, &view, 1);
    if (err != QK_E_CONFLICT)
        qk_log(err == QK_OK ? QK_WARN : QK_ERROR, "change.recovered", QK_F_STR("record", c->r.id),
            QK_F_INT("version", c->r.version), QK_F_ERR(err));
}

static qk_err take_page(struct coord_engine *e, struct coord_promised *p, uint8_t kind,
    const struct coord_reply *r, char after[static KMS_RECORD_ID_MAX + 1], bool *more)
{
    QK_TRY(r->err);
    QK_ENSURE(r->answer.status == WIRE_ANSWER_OK, QK_E_UNEXPECTED);
    for (uint32_t i = 0; i < r->answer.n_signed; i++) {
        struct open_change *c;
        QK_TRY(note(e, p, r->node, &r->answer.signed_records[i], &c));
        /* Ascending, or the listing would never end. */
        QK_ENSURE(c->r.kind == (enum kms_kind)kind && strcmp(c->r.id, after) > 0, QK_E_UNEXPECTED);
        memcpy(after, c->r.id, sizeof c->r.id);
        if (complete(e->cluster, c)) finish(e, c);
    }
    *more = r->answer.n_signed > 0;
    return QK_OK;
}

qk_err coord_promised_take(struct coord_engine *e, struct coord_promised *p, uint16_t node)
{
    /* A version before the key that names it. */
    static const uint8_t kinds[] = {KMS_KIND_ACCOUNT, KMS_KIND_USER, KMS_KIND_CREDENTIAL,
        KMS_KIND_VERSION, KMS_KIND_KEY, KMS_KIND_SYSTEM};
    for (size_t i = 0; i < QK_COUNT(kinds); i++) {
        char after[KMS_RECORD_ID_MAX + 1] = {0};
        bool more = true;
        for (size_t page = 0; more && page < PAGES_MAX; page++) {
            struct wire_call call = {.fetch_kind = kinds[i], .fetch_after = qk_str(after)};
            struct coord_reply r;
            QK_TRY(coord_call_one(e, node, &call, WIRE_CALL_PROMISED, &r));
            qk_err err = take_page(e, p, kinds[i], &r, after, &more);
            coord_reply_free(&r);
            QK_TRY(err);
        }
    }
    return QK_OK;
}
