#include "core/records.h"

#include <stdlib.h>
#include "qk/clock.h"
#include "core/evidence.h"
#include "core/keys.h"
#include "core/pending.h"
#include "core/presigs.h"
#include "vault/records.h"
#include "vault/shares.h"

enum { CACHE_MAX = 1024 };

struct node_record_cache {
    pthread_mutex_t lock;
    struct node_known *list;
    size_t n;
    uint64_t clock;
};

qk_err node_records_new(struct node_record_cache **out)
{
    struct node_record_cache *c = calloc(1, sizeof *c);
    QK_ENSURE(c != NULL, QK_E_NOMEM);
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

void node_records_free(struct node_record_cache *c)
{
    if (c == NULL) return;
    while (c->list != NULL) {
        struct node_known *known = c->list;
        c->list = known->next;
        known_free(known);
    }
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
    struct qk_bytes record;
    struct kms_cert cert;
    QK_TRY(kms_certified_decode(certified, &record, &cert));
    QK_TRY(kms_stored_load(record, &out->stored));
    QK_TRY(kms_cert_verify(&out->stored.r, &cert, node_cert_verify, node, node->cluster->t));
    out->certified = (struct qk_buf)QK_BUF(KMS_CERTIFIED_MAX);
    qk_buf_add(&out->certified, certified.p, certified.len);
    return out->certified.err;
}

/* ---- the cache ---- */

static struct node_known *find(struct node_record_cache *c, enum kms_kind kind, const char *id)
{
    for (struct node_known *k = c->list; k != NULL; k = k->next)
        if (k->stored.r.kind == kind && strcmp(k->stored.r.id, id) == 0) return k;
    return NULL;
}

static void drop(struct node_record_cache *c, struct node_known *known)
{
    struct node_known **at = &c->list;
    while (*at != known) at = &(*at)->next;
    *at = known->next;
    c->n--;
    known->dropped = true;
    if (known->refs == 0) known_free(known);
}

static void evict_oldest(struct node_record_cache *c)
{
    struct node_known *oldest = NULL;
    for (struct node_known *k = c->list; k != NULL; k = k->next)
        if (k->refs == 0 && (oldest == NULL || k->used < oldest->used)) oldest = k;
    if (oldest != NULL) drop(c, oldest);
}

/* Put known in, replacing an older version; with a reference for the caller. Never replaces a
 * newer one: then that one is returned. */
static struct node_known *insert(struct node_record_cache *c, struct node_known *known)
{
    pthread_mutex_lock(&c->lock);
    struct node_known *old = find(c, known->stored.r.kind, known->stored.r.id);
    if (old != NULL && old->stored.r.version >= known->stored.r.version) {
        known_free(known);
        known = old;
    } else {
        if (old != NULL) drop(c, old);
        if (c->n >= CACHE_MAX) evict_oldest(c);
        known->next = c->list;
        c->list = known;
        c->n++;
    }
    known->refs++;
    known->used = ++c->clock;
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
    if (known != NULL) {
        known->refs++;
        known->used = ++c->clock;
    }
    pthread_mutex_unlock(&c->lock);
    if (known == NULL) {
        known = calloc(1, sizeof *known);
        QK_ENSURE(known != NULL, QK_E_NOMEM);
        qk_err err = load(node, kind, id, known);
        if (err != QK_OK) {
            known_free(known);
            return err;
        }
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

/* The end of a key: everything this node holds of it goes. Idempotent; repeated whenever the record
 * is seen again and at every start, so a crash in between costs nothing. */
static qk_err destroy_key(struct node *node, const struct kms_record *r)
{
    qk_err err = node_vault_share_destroy_all(node->vault, r->key.key_id);
    node_keys_drop(node, r->key.key_id); /* after the vault: nobody can open it again */
    node_presigs_burn_key(node, r->key.key_id);
    QK_TRY(err);
    audit_record(node, r, "key.destroyed", NODE_AUDIT_INFO, NULL);
    return QK_OK;
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

static qk_err store(struct node *node, const struct node_known *known, unsigned patience_ms)
{
    const struct kms_record *r = &known->stored.r;
    struct node_record row = {.kind = (uint8_t)r->kind,
        .id = qk_str(r->id),
        .version = r->version,
        .record = qk_buf_view(&known->stored.bytes),
        .cert = qk_buf_view(&known->certified)};
    memcpy(row.hash, r->hash, 32);
    return node_vault_record_put(node->vault, &row, patience_ms);
}

qk_err node_record_accept(struct node *node, struct qk_bytes certified, unsigned patience_ms)
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
    known = insert(node->records, known);
    err = store(node, known, patience_ms);
    const struct kms_record *r = &known->stored.r;
    node_pending_settle(node, r);
    bool end = err == QK_OK && r->kind == KMS_KIND_KEY && r->key.state == KMS_STATE_DELETED;
    if (end) err = destroy_key(node, r);
    node_known_put(node, known);
    return err;
}

/* ---- start-up ---- */

struct held {
    uint8_t (*id)[16];
    size_t n, cap;
    bool lost; /* out of memory */
};

static bool note_held(void *arg, const struct node_share_info *info)
{
    struct held *h = arg;
    if (h->n == h->cap) {
        size_t cap = h->cap == 0 ? 64 : 2 * h->cap;
        void *more = realloc(h->id, cap * sizeof *h->id);
        h->lost = more == NULL;
        if (h->lost) return false;
        h->id = more;
        h->cap = cap;
    }
    memcpy(h->id[h->n++], info->key_id, 16);
    return true;
}

static qk_err destroy_if_deleted(struct node *node, const uint8_t key_id[static 16])
{
    char id[KMS_UUID_LEN + 1];
    struct node_known *known;
    kms_uuid_text(key_id, id);
    qk_err err = node_known_get(node, KMS_KIND_KEY, id, &known);
    if (err == QK_E_NOT_FOUND) return QK_OK; /* the system key; a key not yet announced */
    if (err == QK_E_CORRUPT) {               /* nothing rests on it: requests for it are refused */
        qk_log(QK_ERROR, "record.corrupt", QK_F_STR("id", id));
        return QK_OK;
    }
    QK_TRY(err);
    if (known->stored.r.key.state == KMS_STATE_DELETED) err = destroy_key(node, &known->stored.r);
    node_known_put(node, known);
    return err;
}

qk_err node_records_resume(struct node *node)
{
    struct held h = {.n = 0};
    qk_err err = node_vault_share_list(node->vault, NULL, note_held, &h);
    if (h.lost) err = QK_E_NOMEM;
    for (size_t i = 0; err == QK_OK && i < h.n; i++) err = destroy_if_deleted(node, h.id[i]);
    free(h.id);
    return err;
}
