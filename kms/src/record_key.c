#include "record_key.h"

#define ASYMMETRIC_PAIRS 14
#define VERSIONED_PAIRS  23
#define PERIOD_MIN       90 /* days between automatic rotations */
#define PERIOD_MAX       2560

static const uint8_t zeros[32];

static bool is_zero(const uint8_t id[static 32])
{
    return memcmp(id, zeros, sizeof zeros) == 0;
}

/* ---- bounds, the same for writing and reading ---- */

static bool deletion_ok(const struct kms_key *k)
{
    bool leaving = k->state == KMS_STATE_PENDING_DELETION || k->state == KMS_STATE_DELETED;
    if (!leaving) return k->deletion_ms == 0 && k->pending_days == 0;
    return k->deletion_ms > 0 && k->deletion_ms <= KMS_TIME_MAX && k->pending_days >= 7 &&
           k->pending_days <= 30;
}

static bool asymmetric_ok(const struct kms_key *k)
{
    static const struct kms_symmetric none;
    return k->origin == KMS_ORIGIN_AWS_KMS && k->state <= KMS_STATE_DELETED && k->pkrec.len >= 1 &&
           k->pkrec.len <= KMS_PKREC_MAX && k->spki.len == k->spec->spki_len &&
           k->sym.n_versions == none.n_versions && k->sym.materials.len == none.materials.len;
}

static bool rotation_ok(const struct kms_symmetric *s)
{
    if (s->last_rotation_ms > KMS_TIME_MAX || s->on_demand > KMS_ROTATIONS_ON_DEMAND_MAX)
        return false;
    if (!s->rotating) return s->period_days == 0 && s->next_rotation_ms == 0;
    return s->period_days >= PERIOD_MIN && s->period_days <= PERIOD_MAX &&
           s->next_rotation_ms > 0 && s->next_rotation_ms <= KMS_TIME_MAX;
}

static bool generated_ok(const struct kms_key *k)
{
    const struct kms_symmetric *s = &k->sym;
    return k->state != KMS_STATE_PENDING_IMPORT && s->current >= 1 && s->current == s->n_versions &&
           !is_zero(s->material_id) && s->pending == 0 && s->materials.len == 0;
}

/* Every entry is well-formed, no id stands twice, the byte is one of two, and the current one is
 * the one the record names. */
static bool materials_ok(const struct kms_symmetric *s)
{
    struct kms_material m = {.here = false};
    if (s->materials.len != (size_t)s->n_versions * KMS_MATERIAL_LEN) return false;
    for (uint32_t ver = 1; kms_material_get(s, ver, &m); ver++) {
        uint8_t again[KMS_MATERIAL_LEN];
        kms_material_put(&m, again);
        if (memcmp(again, s->materials.p + (size_t)(ver - 1) * sizeof again, sizeof again) != 0)
            return false;
        if (is_zero(m.material_id) || kms_material_find(s, m.material_id) != ver) return false;
        if (m.valid_to_ms > KMS_TIME_MAX || (m.valid_to_ms != 0 && !m.here)) return false;
    }
    if (s->current == 0) return is_zero(s->material_id);
    return kms_material_get(s, s->current, &m) &&
           memcmp(m.material_id, s->material_id, sizeof m.material_id) == 0;
}

static bool imported_ok(const struct kms_key *k)
{
    const struct kms_symmetric *s = &k->sym;
    struct kms_symmetric again = *s;
    if (s->n_versions > KMS_MATERIALS_MAX || s->rotating || !materials_ok(s)) return false;
    if (s->current > s->n_versions || (s->current == 0) != (s->n_versions == 0)) return false;
    if (s->pending == 0 ? s->current != s->n_versions
                        : s->pending != s->n_versions || s->current + 1 != s->n_versions)
        return false;
    kms_material_derive(&again);
    bool whole = s->current != 0 && s->missing == 0;
    bool state_ok = k->state == KMS_STATE_PENDING_IMPORT                              ? !whole
                    : k->state == KMS_STATE_ENABLED || k->state == KMS_STATE_DISABLED ? whole
                                                                                      : true;
    return state_ok && again.missing == s->missing && again.next_expiry_ms == s->next_expiry_ms &&
           again.expiring == s->expiring;
}

static bool symmetric_ok(const struct kms_symmetric *s)
{
    return s->modes >= KMS_MODES_F && s->modes <= KMS_MODES_FV && rotation_ok(s);
}

static bool mac_ok(const struct kms_symmetric *s)
{
    return (s->modes == KMS_MODES_MAC_N || s->modes == KMS_MODES_MAC_S) && s->n_versions <= 1 &&
           !s->rotating && s->period_days == 0 && s->next_rotation_ms == 0 &&
           s->last_rotation_ms == 0 && s->on_demand == 0 && s->pending == 0;
}

static bool versioned_ok(const struct kms_key *k)
{
    if (k->pkrec.len != 0 || k->spki.len != 0) return false;
    if (!(kms_keyspec_is_mac(k->spec) ? mac_ok(&k->sym) : symmetric_ok(&k->sym))) return false;
    return k->origin == KMS_ORIGIN_AWS_KMS    ? generated_ok(k)
           : k->origin == KMS_ORIGIN_EXTERNAL ? imported_ok(k)
                                              : false;
}

bool kms_key_ok(const struct kms_key *k)
{
    return k->spec != NULL && kms_uuid_is_v4(k->key_id) && kms_account_valid(k->account) &&
           kms_region_valid(k->region) && k->state >= KMS_STATE_ENABLED &&
           k->state <= KMS_STATE_PENDING_IMPORT && k->description.len <= KMS_DESCRIPTION_MAX &&
           qk_utf8_valid(k->description) && k->policy.len >= 2 && k->policy.len <= KMS_POLICY_MAX &&
           qk_utf8_valid(k->policy) && k->created_ms <= KMS_TIME_MAX && deletion_ok(k) &&
           (kms_keyspec_has_versions(k->spec) ? versioned_ok(k) : asymmetric_ok(k));
}

bool kms_version_ok(const struct kms_version *v)
{
    bool rotated = v->rotated_ms != 0;
    return kms_uuid_is_v4(v->key_id) && v->ver >= 1 && v->pkrec.len >= 1 &&
           v->pkrec.len <= KMS_PKREC_MAX && !is_zero(v->material_id) &&
           v->created_ms <= KMS_TIME_MAX && v->rotated_ms <= KMS_TIME_MAX &&
           v->rotation <= KMS_ROTATION_ON_DEMAND && rotated == (v->rotation != KMS_ROTATION_NONE) &&
           v->valid_to_ms <= KMS_TIME_MAX && (v->imported || v->valid_to_ms == 0) &&
           v->material_description.len <= KMS_MATERIAL_DESCRIPTION_MAX &&
           qk_utf8_valid(v->material_description);
}

/* ---- writing ---- */

static const char *origin_name(enum kms_origin origin)
{
    return origin == KMS_ORIGIN_EXTERNAL ? "EXTERNAL" : "AWS_KMS";
}

static void put_symmetric(const struct kms_symmetric *s, struct qk_buf *b)
{
    qk_pack_key_uint(b, "modes", s->modes);
    qk_pack_key_uint(b, "versions", s->n_versions);
    qk_pack_key_uint(b, "current", s->current);
    qk_pack_key_bin(b, "material_id", QK_BYTES(s->material_id));
    qk_pack_key_bool(b, "rotating", s->rotating);
    qk_pack_key_uint(b, "period_days", s->period_days);
    qk_pack_key_uint(b, "next_rotation", s->next_rotation_ms);
    qk_pack_key_uint(b, "last_rotation", s->last_rotation_ms);
    qk_pack_key_uint(b, "on_demand", s->on_demand);
    qk_pack_key_uint(b, "pending", s->pending);
    qk_pack_key_bin(b, "materials", s->materials);
}

void kms_key_put(const struct kms_key *k, struct qk_buf *b)
{
    bool versioned = kms_keyspec_has_versions(k->spec);
    qk_pack_map(b, versioned ? VERSIONED_PAIRS : ASYMMETRIC_PAIRS);
    qk_pack_key_bin(b, "key_id", QK_BYTES(k->key_id));
    qk_pack_key_str(b, "account", k->account);
    qk_pack_key_str(b, "region", k->region);
    qk_pack_key_uint(b, "spec", k->spec->id);
    qk_pack_key_str(b, "usage", qk_str(k->spec->usage));
    qk_pack_key_str(b, "origin", qk_str(origin_name(k->origin)));
    qk_pack_key_uint(b, "state", k->state);
    qk_pack_key_str(b, "description", k->description);
    qk_pack_key_str(b, "policy", k->policy);
    qk_pack_key_uint(b, "created", k->created_ms);
    qk_pack_key_uint(b, "deletion", k->deletion_ms);
    qk_pack_key_uint(b, "pending_days", k->pending_days);
    if (versioned) {
        put_symmetric(&k->sym, b);
        return;
    }
    qk_pack_key_bin(b, "pkrec", k->pkrec);
    qk_pack_key_bin(b, "spki", k->spki);
}

void kms_version_put(const struct kms_version *v, struct qk_buf *b)
{
    qk_pack_map(b, 10);
    qk_pack_key_bin(b, "key_id", QK_BYTES(v->key_id));
    qk_pack_key_uint(b, "ver", v->ver);
    qk_pack_key_bin(b, "pkrec", v->pkrec);
    qk_pack_key_bin(b, "material_id", QK_BYTES(v->material_id));
    qk_pack_key_uint(b, "created", v->created_ms);
    qk_pack_key_uint(b, "rotated", v->rotated_ms);
    qk_pack_key_uint(b, "rotation", v->rotation);
    qk_pack_key_bool(b, "imported", v->imported);
    qk_pack_key_uint(b, "valid_to", v->valid_to_ms);
    qk_pack_key_str(b, "description", v->material_description);
}

/* ---- reading ---- */

/* The shape says which family the key is of; get_names then holds the spec against it. */
static qk_err get_shape(struct qk_unpack *u, bool *versioned)
{
    struct qk_unpack start = *u;
    *versioned = qk_unpack_map(u, VERSIONED_PAIRS) == QK_OK;
    if (*versioned) return QK_OK;
    *u = start;
    return qk_unpack_map(u, ASYMMETRIC_PAIRS);
}

static qk_err get_origin(struct qk_unpack *u, enum kms_origin *out)
{
    struct qk_bytes origin;
    QK_TRY(qk_unpack_key_str(u, "origin", 1, 32, &origin));
    *out = qk_bytes_is(origin, "EXTERNAL") ? KMS_ORIGIN_EXTERNAL : KMS_ORIGIN_AWS_KMS;
    QK_ENSURE(qk_bytes_is(origin, origin_name(*out)), QK_E_MALFORMED);
    return QK_OK;
}

static qk_err get_names(struct qk_unpack *u, bool versioned, struct kms_key *k)
{
    uint64_t spec;
    struct qk_bytes usage;
    QK_TRY(qk_unpack_key_fixed(u, "key_id", k->key_id, sizeof k->key_id));
    QK_TRY(qk_unpack_key_str(u, "account", KMS_ACCOUNT_LEN, KMS_ACCOUNT_LEN, &k->account));
    QK_TRY(qk_unpack_key_str(u, "region", 1, KMS_REGION_MAX, &k->region));
    QK_TRY(qk_unpack_key_uint(u, "spec", UINT8_MAX, &spec));
    QK_TRY(qk_unpack_key_str(u, "usage", 1, 32, &usage));
    QK_TRY(get_origin(u, &k->origin));
    k->spec = kms_keyspec_by_id(spec);
    QK_ENSURE(k->spec != NULL && kms_keyspec_has_versions(k->spec) == versioned, QK_E_MALFORMED);
    QK_ENSURE(qk_bytes_is(usage, k->spec->usage), QK_E_MALFORMED);
    return QK_OK;
}

static qk_err get_standing(struct qk_unpack *u, struct kms_key *k)
{
    uint64_t state, days;
    QK_TRY(qk_unpack_key_uint(u, "state", KMS_STATE_PENDING_IMPORT, &state));
    QK_TRY(qk_unpack_key_str(u, "description", 0, KMS_DESCRIPTION_MAX, &k->description));
    QK_TRY(qk_unpack_key_str(u, "policy", 2, KMS_POLICY_MAX, &k->policy));
    QK_TRY(qk_unpack_key_uint(u, "created", KMS_TIME_MAX, &k->created_ms));
    QK_TRY(qk_unpack_key_uint(u, "deletion", KMS_TIME_MAX, &k->deletion_ms));
    QK_TRY(qk_unpack_key_uint(u, "pending_days", 30, &days));
    k->state = (enum kms_key_state)state;
    k->pending_days = (uint32_t)days;
    return QK_OK;
}

static qk_err get_u32(struct qk_unpack *u, const char *name, uint64_t max, uint32_t *out)
{
    uint64_t v;
    QK_TRY(qk_unpack_key_uint(u, name, max, &v));
    *out = (uint32_t)v;
    return QK_OK;
}

static qk_err get_symmetric(struct qk_unpack *u, struct kms_symmetric *s)
{
    uint64_t modes;
    QK_TRY(qk_unpack_key_uint(u, "modes", KMS_MODES_MAC_S, &modes));
    s->modes = (uint8_t)modes;
    QK_TRY(get_u32(u, "versions", UINT32_MAX, &s->n_versions));
    QK_TRY(get_u32(u, "current", UINT32_MAX, &s->current));
    QK_TRY(qk_unpack_key_fixed(u, "material_id", s->material_id, sizeof s->material_id));
    QK_TRY(qk_unpack_key_bool(u, "rotating", &s->rotating));
    QK_TRY(get_u32(u, "period_days", PERIOD_MAX, &s->period_days));
    QK_TRY(qk_unpack_key_uint(u, "next_rotation", KMS_TIME_MAX, &s->next_rotation_ms));
    QK_TRY(qk_unpack_key_uint(u, "last_rotation", KMS_TIME_MAX, &s->last_rotation_ms));
    QK_TRY(get_u32(u, "on_demand", KMS_ROTATIONS_ON_DEMAND_MAX, &s->on_demand));
    QK_TRY(get_u32(u, "pending", KMS_MATERIALS_MAX, &s->pending));
    QK_TRY(
        qk_unpack_key_bin(u, "materials", 0, KMS_MATERIALS_MAX * KMS_MATERIAL_LEN, &s->materials));
    kms_material_derive(s);
    return QK_OK;
}

qk_err kms_key_get(struct qk_unpack *u, struct kms_key *k)
{
    bool versioned;
    QK_TRY(get_shape(u, &versioned));
    QK_TRY(get_names(u, versioned, k));
    QK_TRY(get_standing(u, k));
    if (versioned) return get_symmetric(u, &k->sym);
    QK_TRY(qk_unpack_key_bin(u, "pkrec", 1, KMS_PKREC_MAX, &k->pkrec));
    return qk_unpack_key_bin(u, "spki", 1, KMS_SPKI_MAX, &k->spki);
}

qk_err kms_version_get(struct qk_unpack *u, struct kms_version *v)
{
    uint64_t rotation;
    QK_TRY(qk_unpack_map(u, 10));
    QK_TRY(qk_unpack_key_fixed(u, "key_id", v->key_id, sizeof v->key_id));
    QK_TRY(get_u32(u, "ver", UINT32_MAX, &v->ver));
    QK_TRY(qk_unpack_key_bin(u, "pkrec", 1, KMS_PKREC_MAX, &v->pkrec));
    QK_TRY(qk_unpack_key_fixed(u, "material_id", v->material_id, sizeof v->material_id));
    QK_TRY(qk_unpack_key_uint(u, "created", KMS_TIME_MAX, &v->created_ms));
    QK_TRY(qk_unpack_key_uint(u, "rotated", KMS_TIME_MAX, &v->rotated_ms));
    QK_TRY(qk_unpack_key_uint(u, "rotation", KMS_ROTATION_ON_DEMAND, &rotation));
    QK_TRY(qk_unpack_key_bool(u, "imported", &v->imported));
    QK_TRY(qk_unpack_key_uint(u, "valid_to", KMS_TIME_MAX, &v->valid_to_ms));
    v->rotation = (enum kms_rotation)rotation;
    return qk_unpack_key_str(
        u, "description", 0, KMS_MATERIAL_DESCRIPTION_MAX, &v->material_description);
}
