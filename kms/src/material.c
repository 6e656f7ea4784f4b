/* What is known of the imported materials of a key, inside its KEY record. */
#include "kms/record.h"

bool kms_material_get(const struct kms_symmetric *sym, uint32_t ver, struct kms_material *out)
{
    if (ver == 0 || ver > sym->materials.len / KMS_MATERIAL_LEN) return false;
    const uint8_t *p = sym->materials.p + (size_t)(ver - 1) * KMS_MATERIAL_LEN;
    memcpy(out->material_id, p, sizeof out->material_id);
    out->valid_to_ms = qk_get_u64(p + 32);
    out->here = p[40] != 0;
    return true;
}

void kms_material_put(const struct kms_material *m, uint8_t out[static KMS_MATERIAL_LEN])
{
    memcpy(out, m->material_id, sizeof m->material_id);
    qk_put_u64(out + 32, m->valid_to_ms);
    out[40] = m->here ? 1 : 0;
}

uint32_t kms_material_find(const struct kms_symmetric *sym, const uint8_t id[static 32])
{
    struct kms_material m;
    for (uint32_t ver = 1; kms_material_get(sym, ver, &m); ver++)
        if (memcmp(m.material_id, id, sizeof m.material_id) == 0) return ver;
    return 0;
}

void kms_material_derive(struct kms_symmetric *sym)
{
    struct kms_material m;
    sym->missing = 0;
    sym->next_expiry_ms = 0;
    sym->expiring = 0;
    for (uint32_t ver = 1; kms_material_get(sym, ver, &m); ver++) {
        if (!m.here && ver <= sym->current) sym->missing++;
        if (m.valid_to_ms == 0) continue;
        if (sym->next_expiry_ms != 0 && sym->next_expiry_ms <= m.valid_to_ms) continue;
        sym->next_expiry_ms = m.valid_to_ms;
        sym->expiring = ver;
    }
}
