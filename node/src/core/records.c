#include "core/records.h"

#include <stdlib.h>
#include "qk/clock.h"
#include "core/destroy.h"
#include "core/evidence.h"
#include "core/pending.h"
#include "wire/calls.h"
#include "vault/records.h"

enum { EACH = 2048 /* bytes of room for one: what config.known_records counts on */ };

struct node_record_cache {
    pthread_mutex_t lock;
    struct qk_lru lru;
    size_t max, bytes; /* records; what those in the table take */
};

qk_err node_records_new(struct node_record_cache **out, const struct node *node)
{
    struct node_record_cache *c = calloc(1, sizeof *c);
    QK_ENSURE(c != NULL, QK_E_NOMEM);
    qk_err err = qk_lru_init(&c->lru, qk_lru_buckets(node->conf.known_records));
    if (err != QK_OK) {
        free(c);
        return err;
    }
    c->max = node->conf.known_records;
    pthread_mutex_init(&c->lock, NULL);
    *out = c;
    return QK_OK;
}

static void known_free(struct node_known *known)
{
    kms_stored_free(&known->stored);
    qk_buf_free(&known->certified);
    free(known);
}

static struct node_known *known_of(struct qk_lru_item *item)
{
    return QK_LRU_OF(item, struct node_known, item);
}

void node_records_free(struct node_record_cache *c)
{
    if (c == NULL) return;
    while (c->lru.oldest != NULL) {
        struct node_known *known = known_of(c->lru.oldest);
        qk_lru_remove(&c->lru, &known->item);
        known_free(known);
    }
    qk_lru_free(&c->lru);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

qk_err node_cert_verify(
    void *arg, uint16_t id, const uint8_t msg[static KMS_CERT_MSG_LEN], struct qk_bytes signature)
{
    const struct node *node = arg;
    return wire_cluster_verify(node->cluster, id, qk_bytes(msg, KMS_CERT_MSG_LEN), signature);
}

/* Decode and verify; *out is owned by the caller. */
static qk_err verify_certified(struct node *node, struct qk_bytes certified, struct node_known *out)
{
    struct kms_cert cert;
    out->certified = (struct qk_buf)QK_BUF(KMS_CERTIFIED_MAX);
    qk_buf_add(&out->certified, certified.p, certified.len);
    QK_TRY(out->certified.err);
    QK_TRY(kms_certified_decode(qk_buf_view(&out->certified), &out->record, &cert));
    QK_TRY(kms_record_decode(out->record, &out->stored.r));
    size_t q = wire_cluster_quorum(node->cluster);
    return kms_cert_verify(&out->stored.r, &cert, node_cert_verify, node, q);
}

/* ---- the cache ---- */

struct name {
    enum kms_kind kind;
    const char *id;
};

static bool is_named(const struct qk_lru_item *item, const void *key)
{
    const struct node_known *k =
        (const void *)((const char *)item - offsetof(struct node_known, item));
    const struct name *name = key;
    return k->stored.r.kind == name->kind && strcmp(k->stored.r.id, name->id) == 0;
}

static uint32_t hash_of(enum kms_kind kind, const char *id)
{
    return qk_lru_hash((uint32_t)kind, qk_str(id));
}

static struct node_known *find(struct node_record_cache *c, enum kms_kind kind, const char *id)
{
    struct name name = {kind, id};
    return known_of(qk_lru_find(&c->lru, hash_of(kind, id), is_named, &name));
}

static size_t size_of(const struct node_known *known)
{
    return sizeof *known + known->certified.cap;
}

static void drop(struct node_record_cache *c, struct node_known *known)
{
    qk_lru_remove(&c->lru, &known->item);
    c->bytes -= size_of(known);
    known->dropped = true;
    if (known->refs == 0) known_free(known);
}

static bool exceeds(const struct node_record_cache *c, size_t bytes, size_t times)
{
    return c->lru.n >= times * c->max || c->bytes + bytes > times * c->max * EACH;
}

/* Records are as long as their policies, which are the callers' choice: it is bytes that are
 * bounded, not only records. One that the disk did not take stays while there is twice the room:
 * what the vault would give back in its place is older. */
static void make_room(struct node_record_cache *c, size_t bytes)
{
    struct qk_lru_item *at = c->lru.oldest;
    while (at != NULL && exceeds(c, bytes, 1)) {
        struct node_known *known = known_of(at);
        at = at->newer;
        bool kept = known->unwritten && !exceeds(c, bytes, 2);
        if (known->refs == 0 && !kept) drop(c, known);
    }
}

/* Put known in, replacing an older version; with a reference for the caller. Never replaces a
 * newer one: then that one is returned. */
static struct node_known *insert(struct node_record_cache *c, struct node_known *known)
{
    const struct kms_record *r = &known->stored.r;
    pthread_mutex_lock(&c->lock);
    struct node_known *old = find(c, r->kind, r->id);
    if (old != NULL && old->stored.r.version >= r->version) {
        known_free(known);
        known = old;
    } else {
        if (old != NULL) drop(c, old);
        make_room(c, size_of(known));
        c->bytes += size_of(known);
        qk_lru_add(&c->lru, &known->item, hash_of(r->kind, r->id));
    }
    known->refs++;
    pthread_mutex_unlock(&c->lock);
    return known;
}

void node_known_put(struct node *node, struct node_known *known)
{
    if (known == NULL) return;
    pthread_mutex_lock(&node->records->lock);
    if (--known->refs == 0 && known->dropped) known_free(known);
    pthread_mutex_unlock(&node->records->lock);
}

static qk_err load(struct node *node, enum kms_kind kind, const char *id, struct node_known *out)
{
    QK_AUTO_BUF certified = QK_BUF(KMS_CERTIFIED_MAX);
    QK_AUTO_BUF record = QK_BUF(KMS_CERTIFIED_MAX);
    uint64_t version;
    uint8_t hash[32];
    QK_TRY(node_vault_record_get(
        node->vault, (uint8_t)kind, qk_str(id), &version, hash, &record, &certified));
    qk_err err = verify_certified(node, qk_buf_view(&certified), out);
    bool same = err == QK_OK && out->stored.r.kind == kind && strcmp(out->stored.r.id, id) == 0 &&
                out->stored.r.version == version && memcmp(out->stored.r.hash, hash, 32) == 0;
    return same ? QK_OK : QK_E_CORRUPT;
}

qk_err node_known_get(
    struct node *node, enum kms_kind kind, const char *id, struct node_known **out)
{
    struct node_record_cache *c = node->records;
    pthread_mutex_lock(&c->lock);
    struct node_known *known = find(c, kind, id);
    if (known != NULL) known->refs++;
    pthread_mutex_unlock(&c->lock);
    if (known == NULL) {
        known = calloc(1, sizeof *known);
        QK_ENSURE(known != NULL, QK_E_NOMEM);
        qk_err err = load(node, kind, id, known);
        if (err != QK_OK) {
            known_free(known);
            return err;
        }
        known->on_disk = !node_destroys(&known->stored.r);
        known = insert(c, known);
    }
    *out = known;
    return QK_OK;
}

/* ---- taking in ---- */

static void audit_record(struct node *node, const struct kms_record *r, const char *event,
    enum node_audit_outcome outcome, const char *reason)
{
    char detail[160];
    (void)snprintf(detail, sizeof detail, "kind %d version %llu", (int)r->kind,
        (unsigned long long)r->version);
    struct node_audit_entry entry = {.event = event,
        .outcome = outcome,
        .key = qk_str(r->id),
        .reason = reason,
        .detail = qk_str(detail)};
    node_evidence(node, &entry, true);
}

/* Is r newer than what this node holds, or the same? The version after ours must name ours as the
 * one before it. */
static qk_err check_follows(struct node *node, const struct kms_record *r)
{
    struct node_known *mine;
    qk_err err = node_known_get(node, r->kind, r->id, &mine);
    if (err == QK_E_NOT_FOUND) return QK_OK;
    QK_TRY(err);
    const struct kms_record *m = &mine->stored.r;
    if (r->version < m->version) err = QK_E_DENIED;
    if (r->version == m->version && memcmp(r->hash, m->hash, 32) != 0) err = QK_E_CONFLICT;
    if (r->version == m->version + 1 && memcmp(r->prev, m->hash, 32) != 0) err = QK_E_CONFLICT;
    node_known_put(node, mine);
    return err;
}

qk_err node_record_learn(struct node *node, struct qk_bytes certified, struct node_known **out)
{
    struct node_known *known = calloc(1, sizeof *known);
    QK_ENSURE(known != NULL, QK_E_NOMEM);
    qk_err err = verify_certified(node, certified, known);
    if (err == QK_OK) err = check_follows(node, &known->stored.r);
    if (err == QK_E_CONFLICT)
        audit_record(node, &known->stored.r, "record.fork", NODE_AUDIT_DENY,
            "certified, but at odds with the certified record this node holds");
    if (err != QK_OK) {
        known_free(known);
        return err;
    }
    /* In force at once, acknowledged when on disk: it is the truth whatever becomes of the disk. */
    known->unwritten = true;
    *out = insert(node->records, known);
    node_pending_settle(node, &(*out)->stored.r);
    return QK_OK;
}

void node_known_row(const struct node_known *known, struct node_record *row)
{
    const struct kms_record *r = &known->stored.r;
    *row = (struct node_record){.kind = (uint8_t)r->kind,
        .id = qk_str(r->id),
        .version = r->version,
        .record = known->record,
        .cert = qk_buf_view(&known->certified)};
    memcpy(row->hash, r->hash, 32);
}

qk_err node_known_written(struct node *node, struct node_known *known, qk_err err)
{
    const struct kms_record *r = &known->stored.r;
    if (err == QK_E_DENIED) err = QK_OK; /* a newer version came first */
    QK_TRY(err);
    known->unwritten = false;
    if (node_destroys(r)) QK_TRY(node_destroy(node, r));
    known->on_disk = true;
    return QK_OK;
}

qk_err node_records_keep(
    struct node *node, struct node_known *const *known, size_t n, unsigned patience_ms)
{
    struct node_record rows[WIRE_CALL_RECORDS_MAX];
    struct node_write writes[WIRE_CALL_RECORDS_MAX];
    struct node_known *of[WIRE_CALL_RECORDS_MAX];
    size_t n_writes = 0;
    QK_ENSURE(n <= WIRE_CALL_RECORDS_MAX, QK_E_STATE);
    for (size_t i = 0; i < n; i++) {
        if (known[i]->on_disk) continue;
        node_known_row(known[i], &rows[n_writes]);
        writes[n_writes] = (struct node_write){.record = &rows[n_writes]};
        of[n_writes++] = known[i];
    }
    node_vault_write(node->vault, writes, n_writes, patience_ms);
    qk_err first = QK_OK;
    for (size_t i = 0; i < n_writes; i++) {
        qk_err err = node_known_written(node, of[i], writes[i].err);
        if (first == QK_OK) first = err;
    }
    return first;
}

qk_err node_record_accept(struct node *node, struct qk_bytes certified, unsigned patience_ms)
{
    struct node_known *known;
    QK_TRY(node_record_learn(node, certified, &known));
    qk_err err = node_records_keep(node, &known, 1, patience_ms);
    node_known_put(node, known);
    return err;
}
