#include "core/destroy.h"

#include <stdlib.h>
#include "mpc/sym_record.h"
#include "core/evidence.h"
#include "core/keys.h"
#include "core/mackeys.h"
#include "core/presigs.h"
#include "core/records.h"
#include "core/symkeys.h"
#include "vault/records.h"
#include "vault/shares.h"

enum {
    BATCH = 512, /* versions destroyed in one transaction */
    PAGE = 256,  /* records looked at with the vault's lock held */
};

bool node_destroys(const struct kms_record *r)
{
    if (r->kind == KMS_KIND_KEY) return r->key.state == KMS_STATE_DELETED;
    return r->kind == KMS_KIND_VERSION && !r->version_of.imported;
}

/* ---- doing it ---- */

/* The version after the last may be here as well: made for a rotation that was never certified. */
static uint64_t last_version(const struct kms_key *key)
{
    return (uint64_t)key->sym.n_versions + 1;
}

static qk_err destroy_batch(struct node *node, const uint8_t *key_id, uint64_t from, size_t n)
{
    uint8_t ids[BATCH][16];
    for (size_t i = 0; i < n; i++) QK_TRY(mpc_sym_version_id(ids[i], key_id, (uint32_t)(from + i)));
    QK_TRY(node_vault_share_destroy_keys(node->vault, (const uint8_t(*)[16])ids, n));
    for (size_t i = 0; i < n; i++) {
        node_symkeys_drop(node, key_id, (uint32_t)(from + i));
        node_mackeys_drop(node, ids[i]);
    }
    return QK_OK;
}

static qk_err destroy_versions(struct node *node, const struct kms_key *key)
{
    uint64_t last = last_version(key);
    for (uint64_t ver = 1; ver <= last && ver <= UINT32_MAX; ver += BATCH) {
        uint64_t left = last - ver + 1;
        QK_TRY(destroy_batch(node, key->key_id, ver, left < BATCH ? (size_t)left : BATCH));
    }
    return QK_OK;
}

static qk_err destroy_key(struct node *node, const struct kms_key *key)
{
    qk_err err = node_vault_share_destroy_all(node->vault, key->key_id);
    node_keys_drop(node, key->key_id);
    node_presigs_burn_key(node, key->key_id);
    return err;
}

/* A VERSION record is a symmetric key's or an HMAC key's; neither's public record decodes as the
 * other's. */
static qk_err epoch_of(const struct kms_version *v, uint32_t *epoch)
{
    struct mpc_sym_record sym;
    struct mpc_mac_record mac;
    if (mpc_mac_record_decode(v->pkrec, &mac) == QK_OK) {
        *epoch = mac.e_net;
        return QK_OK;
    }
    QK_TRY(mpc_sym_record_decode(v->pkrec, &sym));
    *epoch = sym.e_net;
    return QK_OK;
}

static qk_err destroy_material(struct node *node, const struct kms_version *v)
{
    uint8_t id[16];
    uint32_t epoch;
    QK_TRY(epoch_of(v, &epoch));
    QK_TRY(mpc_sym_version_id(id, v->key_id, v->ver));
    qk_err err = node_vault_share_destroy_before(node->vault, id, epoch + 1);
    node_symkeys_drop(node, v->key_id, v->ver);
    node_mackeys_drop(node, id);
    return err;
}

static void note(struct node *node, const struct kms_record *r)
{
    char detail[64];
    (void)snprintf(detail, sizeof detail, "version %llu", (unsigned long long)r->version);
    struct node_audit_entry entry = {
        .event = r->kind == KMS_KIND_KEY ? "key.destroyed" : "material.destroyed",
        .outcome = NODE_AUDIT_INFO,
        .key = qk_str(r->id),
        .detail = qk_str(detail)};
    node_evidence(node, &entry, true);
}

qk_err node_destroy(struct node *node, const struct kms_record *r)
{
    if (r->kind == KMS_KIND_VERSION)
        QK_TRY(destroy_material(node, &r->version_of));
    else if (kms_keyspec_has_versions(r->key.spec))
        QK_TRY(destroy_versions(node, &r->key));
    else
        QK_TRY(destroy_key(node, &r->key));
    note(node, r);
    return QK_OK;
}

/* ---- start-up ---- */

/* Names of shares, ascending: what the vault holds. */
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

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

static bool holds(const struct held *h, const uint8_t *id)
{
    return h->n > 0 && bsearch(id, h->id, h->n, sizeof *h->id, by_bytes) != NULL;
}

static bool holds_version(const struct held *h, const uint8_t *key_id, uint64_t ver)
{
    uint8_t id[16];
    return ver <= UINT32_MAX && mpc_sym_version_id(id, key_id, (uint32_t)ver) == QK_OK &&
           holds(h, id);
}

static bool holds_any(const struct held *h, const struct kms_record *r)
{
    if (r->kind == KMS_KIND_VERSION)
        return holds_version(h, r->version_of.key_id, r->version_of.ver);
    if (!kms_keyspec_has_versions(r->key.spec)) return holds(h, r->key.key_id);
    for (uint64_t ver = 1; ver <= last_version(&r->key); ver++)
        if (holds_version(h, r->key.key_id, ver)) return true;
    return false;
}

/* One page of the records of a kind. */
struct page {
    const struct held *held;
    size_t n; /* looked at */
    char last[KMS_RECORD_ID_MAX + 1];
    size_t n_found;
    char found[PAGE][KMS_RECORD_ID_MAX + 1]; /* what ends something that is held */
};

static bool look_at(void *arg, const struct node_record *row)
{
    struct page *p = arg;
    struct kms_record r;
    p->n++;
    memcpy(p->last, row->id.p, row->id.len); /* at most NODE_RECORD_ID_MAX */
    p->last[row->id.len] = 0;
    if (kms_record_decode(row->record, &r) != QK_OK) { /* requests for it are refused */
        qk_log(QK_ERROR, "record.corrupt", QK_F_STR("id", p->last));
        return true;
    }
    if (node_destroys(&r) && holds_any(p->held, &r))
        memcpy(p->found[p->n_found++], p->last, sizeof p->last);
    return true;
}
_Static_assert((int)NODE_RECORD_ID_MAX == (int)KMS_RECORD_ID_MAX, "an id fits");

/* With the certificate looked at: what is on the disk is not enough to destroy anything. */
static qk_err destroy_found(struct node *node, enum kms_kind kind, const char *id)
{
    struct node_known *known;
    qk_err err = node_known_get(node, kind, id, &known);
    if (err == QK_E_CORRUPT) {
        qk_log(QK_ERROR, "record.corrupt", QK_F_STR("id", id));
        return QK_OK;
    }
    QK_TRY(err);
    if (node_destroys(&known->stored.r)) err = node_destroy(node, &known->stored.r);
    node_known_put(node, known);
    return err;
}

static qk_err resume_kind(
    struct node *node, enum kms_kind kind, const struct held *held, struct page *p)
{
    char after[sizeof p->last];
    *p = (struct page){.held = held};
    do {
        memcpy(after, p->last, sizeof after);
        p->n = p->n_found = 0;
        QK_TRY(node_vault_record_list(node->vault, (uint8_t)kind, qk_str(after), PAGE, look_at, p));
        for (size_t i = 0; i < p->n_found; i++) QK_TRY(destroy_found(node, kind, p->found[i]));
    } while (p->n == PAGE);
    return QK_OK;
}

qk_err node_destroy_resume(struct node *node)
{
    struct held held = {.n = 0};
    struct page *p = malloc(sizeof *p);
    qk_err err = node_vault_share_list(node->vault, NULL, note_held, &held);
    if (held.lost || p == NULL) err = QK_E_NOMEM;
    if (err == QK_OK) err = resume_kind(node, KMS_KIND_KEY, &held, p);
    if (err == QK_OK) err = resume_kind(node, KMS_KIND_VERSION, &held, p);
    free(held.id);
    free(p);
    return err;
}
