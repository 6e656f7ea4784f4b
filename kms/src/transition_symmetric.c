/* Versions of symmetric and HMAC keys: made, rotated to, imported, taken away. */
#include "transition_parts.h"

#define DAY_MS 86400000u

/* ---- parts ---- */

static void new_version(const struct kms_key *key, uint32_t ver, const struct kms_created *created,
    uint64_t now_ms, struct kms_record *r)
{
    struct kms_ref ref;
    kms_ref_version(key->key_id, ver, &ref);
    kms_change_first(r, &ref);
    r->version_of = (struct kms_version){
        .ver = ver, .pkrec = created->pkrec, .created_ms = now_ms, .imported = true};
    memcpy(r->version_of.key_id, key->key_id, sizeof key->key_id);
    memcpy(r->version_of.material_id, created->material_id, sizeof created->material_id);
}

static void make_current(struct kms_symmetric *sym, uint32_t ver, const uint8_t id[static 32])
{
    sym->current = ver;
    memcpy(sym->material_id, id, sizeof sym->material_id);
}

/* Copy the entries, with ver's replaced or added. */
static void set_material(
    struct kms_change *out, struct kms_symmetric *sym, uint32_t ver, const struct kms_material *m)
{
    size_t len = (size_t)ver * KMS_MATERIAL_LEN;
    if (sym->materials.len > 0) memcpy(out->materials, sym->materials.p, sym->materials.len);
    if (len < sym->materials.len) len = sym->materials.len;
    kms_material_put(m, out->materials + (size_t)(ver - 1) * KMS_MATERIAL_LEN);
    sym->materials = qk_bytes(out->materials, len);
}

void kms_symmetric_settle(struct kms_key *key)
{
    if (key->origin != KMS_ORIGIN_EXTERNAL) return;
    kms_material_derive(&key->sym);
    bool whole = key->sym.current != 0 && key->sym.missing == 0;
    bool leaving = key->state == KMS_STATE_PENDING_DELETION || key->state == KMS_STATE_DELETED;
    if (leaving) return;
    if (!whole)
        key->state = KMS_STATE_PENDING_IMPORT;
    else if (key->state == KMS_STATE_PENDING_IMPORT)
        key->state = KMS_STATE_ENABLED;
}

static bool is_version_of(const struct kms_record *version, const struct kms_key *key, uint32_t ver)
{
    return version != NULL && version->kind == KMS_KIND_VERSION && version->version_of.ver == ver &&
           memcmp(version->version_of.key_id, key->key_id, sizeof key->key_id) == 0;
}

/* ---- CreateKey ---- */

void kms_symmetric_create(struct kms_record *key, uint8_t modes, enum kms_origin origin,
    const struct kms_created *created, uint64_t now_ms, struct kms_change *out)
{
    struct kms_symmetric *sym = &key->key.sym;
    key->key.origin = origin;
    sym->modes = modes;
    if (created == NULL) {
        key->key.state = KMS_STATE_PENDING_IMPORT;
        return;
    }
    sym->n_versions = 1;
    make_current(sym, 1, created->material_id);
    new_version(&key->key, 1, created, now_ms, kms_change_add(out));
}

/* ---- rotation ---- */

static void count_rotation(struct kms_symmetric *sym, enum kms_rotation kind, uint64_t now_ms)
{
    sym->last_rotation_ms = now_ms;
    if (kind == KMS_ROTATION_ON_DEMAND)
        sym->on_demand++;
    else
        sym->next_rotation_ms = now_ms + (uint64_t)sym->period_days * DAY_MS;
}

/* To generated material. version: the VERSION record, if an earlier attempt left it certified. */
static qk_err rotate_generated(const struct kms_record *current, const struct kms_record *version,
    const struct kms_created *created, enum kms_rotation kind, uint64_t now_ms,
    struct kms_change *out)
{
    struct kms_record *key = kms_change_add(out);
    kms_change_next(key, current);
    struct kms_symmetric *sym = &key->key.sym;
    QK_ENSURE(sym->n_versions < UINT32_MAX, QK_E_STATE);
    uint32_t ver = ++sym->n_versions;
    count_rotation(sym, kind, now_ms);
    if (version != NULL) {
        QK_ENSURE(is_version_of(version, &key->key, ver), QK_E_STATE);
        make_current(sym, ver, version->version_of.material_id);
        return QK_OK;
    }
    QK_ENSURE(created != NULL, QK_E_STATE);
    make_current(sym, ver, created->material_id);
    struct kms_record *r = kms_change_add(out);
    new_version(&key->key, ver, created, now_ms, r);
    r->version_of.rotated_ms = now_ms;
    r->version_of.rotation = kind;
    return QK_OK;
}

/* To the material that was imported for it. */
static qk_err rotate_imported(const struct kms_record *current, const struct kms_record *version,
    uint64_t now_ms, struct kms_change *out)
{
    struct kms_record *key = kms_change_add(out);
    kms_change_next(key, current);
    struct kms_symmetric *sym = &key->key.sym;
    QK_ENSURE(sym->pending != 0 && is_version_of(version, &key->key, sym->pending), QK_E_STATE);
    make_current(sym, sym->pending, version->version_of.material_id);
    sym->pending = 0;
    sym->last_rotation_ms = now_ms;
    sym->on_demand++;
    kms_symmetric_settle(&key->key);
    struct kms_record *r = kms_change_add(out);
    kms_change_next(r, version);
    r->version_of.rotated_ms = now_ms;
    r->version_of.rotation = KMS_ROTATION_ON_DEMAND;
    return QK_OK;
}

static void set_schedule(const struct kms_request *req, uint64_t now_ms, struct kms_symmetric *sym)
{
    sym->rotating = req->op == KMS_OP_ENABLE_KEY_ROTATION;
    sym->period_days = sym->rotating ? req->period_days : 0;
    sym->next_rotation_ms = sym->rotating ? now_ms + (uint64_t)req->period_days * DAY_MS : 0;
}

/* ---- import ---- */

static void import_version(const struct kms_request *req, const struct kms_created *created,
    const struct kms_record *version, struct kms_record *r)
{
    kms_change_next(r, version);
    r->version_of.pkrec = created->pkrec;
    r->version_of.imported = true;
    r->version_of.valid_to_ms = req->expires ? req->valid_to_ms : 0;
    if (req->material_description.p != NULL)
        r->version_of.material_description = req->material_description;
}

/* Material comes to version d->ver, for the first time or again. Its id is that of the first time.
 */
static qk_err import(const struct kms_request *req, const struct kms_record *current,
    const struct kms_decision *d, const struct kms_created *created, uint64_t now_ms,
    struct kms_change *out)
{
    struct kms_record *key = kms_change_add(out), *r = kms_change_add(out);
    kms_change_next(key, current);
    struct kms_symmetric *sym = &key->key.sym;
    bool first = d->ver == sym->n_versions + 1;
    QK_ENSURE(created != NULL && d->ver >= 1 && d->ver <= KMS_MATERIALS_MAX, QK_E_STATE);
    QK_ENSURE(first || d->ver <= sym->n_versions, QK_E_STATE);
    QK_ENSURE(first || d->version_record != NULL, QK_E_STATE);
    if (d->version_record != NULL) {
        QK_ENSURE(is_version_of(d->version_record, &key->key, d->ver), QK_E_STATE);
        import_version(req, created, d->version_record, r);
    } else {
        new_version(&key->key, d->ver, created, now_ms, r);
        r->version_of.valid_to_ms = req->expires ? req->valid_to_ms : 0;
        r->version_of.material_description = req->material_description;
    }
    struct kms_material m = {.valid_to_ms = r->version_of.valid_to_ms, .here = true};
    memcpy(m.material_id, r->version_of.material_id, sizeof m.material_id);
    set_material(out, sym, d->ver, &m);
    if (first) {
        sym->n_versions = d->ver;
        if (sym->current == 0)
            make_current(sym, d->ver, m.material_id);
        else
            sym->pending = d->ver;
    }
    kms_symmetric_settle(&key->key);
    return QK_OK;
}

/* Deleted by its owner, or expired. Record and id stay, for the day it is imported again. */
static qk_err take_away(
    const struct kms_record *current, const struct kms_record *version, struct kms_change *out)
{
    struct kms_material m;
    QK_ENSURE(version != NULL && version->kind == KMS_KIND_VERSION, QK_E_STATE);
    uint32_t ver = version->version_of.ver;
    QK_ENSURE(is_version_of(version, &current->key, ver), QK_E_STATE);
    QK_ENSURE(kms_material_get(&current->key.sym, ver, &m), QK_E_STATE);
    struct kms_record *key = kms_change_add(out), *r = kms_change_add(out);
    kms_change_next(key, current);
    m.here = false;
    m.valid_to_ms = 0;
    set_material(out, &key->key.sym, ver, &m);
    kms_symmetric_settle(&key->key);
    kms_change_next(r, version);
    r->version_of.imported = false;
    r->version_of.valid_to_ms = 0;
    return QK_OK;
}

/* ---- by request ---- */

qk_err kms_symmetric_change(const struct kms_request *req, const struct kms_record *current,
    const struct kms_proposal *prop, const struct kms_decision *decision,
    const struct kms_created *created, struct kms_change *out)
{
    QK_ENSURE(current != NULL && current->kind == KMS_KIND_KEY, QK_E_STATE);
    QK_ENSURE(kms_keyspec_has_versions(current->key.spec), QK_E_STATE);
    const struct kms_record *version = decision->version_record;
    struct kms_record *r;
    switch (req->op) {
    case KMS_OP_ENABLE_KEY_ROTATION:
    case KMS_OP_DISABLE_KEY_ROTATION:
        r = kms_change_add(out);
        kms_change_next(r, current);
        set_schedule(req, prop->now_ms, &r->key.sym);
        return QK_OK;
    case KMS_OP_ROTATE_KEY_ON_DEMAND:
        if (current->key.origin == KMS_ORIGIN_EXTERNAL)
            return rotate_imported(current, version, prop->now_ms, out);
        return rotate_generated(
            current, version, created, KMS_ROTATION_ON_DEMAND, prop->now_ms, out);
    case KMS_OP_IMPORT_KEY_MATERIAL:
        return import(req, current, decision, created, prop->now_ms, out);
    case KMS_OP_DELETE_IMPORTED_KEY_MATERIAL:
        return take_away(current, version, out);
    default:
        return QK_E_STATE;
    }
}

/* ---- by the clock ---- */

/* When it is due; 0: never. */
static uint64_t due_at(const struct kms_key *key, enum kms_due due)
{
    switch (due) {
    case KMS_DUE_DELETE:
        return key->state == KMS_STATE_PENDING_DELETION ? key->deletion_ms : 0;
    case KMS_DUE_ROTATE:
        return key->state == KMS_STATE_ENABLED && key->sym.rotating ? key->sym.next_rotation_ms : 0;
    case KMS_DUE_EXPIRE:
        return key->state != KMS_STATE_DELETED ? key->sym.next_expiry_ms : 0;
    case KMS_DUE_NOTHING:
        break;
    }
    return 0;
}

enum kms_due kms_due_of(const struct kms_key *key, uint64_t now_ms)
{
    static const enum kms_due order[] = {KMS_DUE_DELETE, KMS_DUE_EXPIRE, KMS_DUE_ROTATE};
    for (size_t i = 0; i < QK_COUNT(order); i++) {
        uint64_t at = due_at(key, order[i]);
        if (at != 0 && at <= now_ms) return order[i];
    }
    return KMS_DUE_NOTHING;
}

/* The date of a rotation that nobody asked for is that of the schedule, not a time that the
 * coordinator picks: else it could have many next versions of one record certified, one after the
 * other and all alone, show each to another node, and so end the use of the key for good. */
static uint64_t scheduled(uint64_t at, uint32_t period_days, uint64_t now_ms)
{
    uint64_t period = (uint64_t)period_days * DAY_MS;
    return period == 0 ? at : at + (now_ms - at) / period * period;
}

qk_err kms_transition_due(const struct kms_record *current, const struct kms_record *version,
    enum kms_due due, uint64_t now_ms, const struct kms_created *created, struct kms_change *out)
{
    out->n = 0;
    QK_ENSURE(current->kind == KMS_KIND_KEY, QK_E_STATE);
    uint64_t at = due_at(&current->key, due);
    QK_ENSURE(at != 0, QK_E_STATE);
    QK_ENSURE(at <= now_ms, QK_E_EARLY);
    if (due == KMS_DUE_ROTATE)
        return rotate_generated(current, version, created, KMS_ROTATION_AUTOMATIC,
            scheduled(at, current->key.sym.period_days, now_ms), out);
    if (due == KMS_DUE_EXPIRE) {
        QK_ENSURE(is_version_of(version, &current->key, current->key.sym.expiring), QK_E_STATE);
        return take_away(current, version, out);
    }
    struct kms_record *r = kms_change_add(out);
    kms_change_next(r, current);
    r->key.state = KMS_STATE_DELETED;
    return QK_OK;
}
