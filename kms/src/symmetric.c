#include "symmetric.h"

#define BLOB_VERSION 1
#define BLOB_MIN     122 /* head 89, e of at least 33 */
#define BLOB_MAX     6144
#define BLOB_KEY_AT  3
#define BLOB_VER_AT  19

bool kms_blob_head(struct qk_bytes blob, struct kms_blob_head *out)
{
    if (blob.len < BLOB_MIN || blob.len > BLOB_MAX || blob.p[0] != BLOB_VERSION) return false;
    memcpy(out->key_id, blob.p + BLOB_KEY_AT, sizeof out->key_id);
    out->ver = qk_get_u32(blob.p + BLOB_VER_AT);
    return out->ver >= 1;
}

bool kms_key_is_symmetric(const struct kms_key *key)
{
    return kms_keyspec_is_symmetric(key->spec);
}

bool kms_key_is_mac(const struct kms_key *key)
{
    return kms_keyspec_is_mac(key->spec);
}

bool kms_op_macs(enum kms_op op)
{
    return op == KMS_OP_GENERATE_MAC || op == KMS_OP_VERIFY_MAC;
}

bool kms_op_encrypts(enum kms_op op)
{
    return op == KMS_OP_ENCRYPT || op == KMS_OP_GENERATE_DATA_KEY ||
           op == KMS_OP_GENERATE_DATA_KEY_WITHOUT_PLAINTEXT ||
           op == KMS_OP_GENERATE_DATA_KEY_PAIR ||
           op == KMS_OP_GENERATE_DATA_KEY_PAIR_WITHOUT_PLAINTEXT;
}

bool kms_op_opens(enum kms_op op)
{
    return op == KMS_OP_DECRYPT || op == KMS_OP_RE_ENCRYPT;
}

bool kms_op_on_material(enum kms_op op)
{
    switch (op) {
    case KMS_OP_ENABLE_KEY_ROTATION:
    case KMS_OP_DISABLE_KEY_ROTATION:
    case KMS_OP_GET_KEY_ROTATION_STATUS:
    case KMS_OP_ROTATE_KEY_ON_DEMAND:
    case KMS_OP_LIST_KEY_ROTATIONS:
    case KMS_OP_GET_PARAMETERS_FOR_IMPORT:
    case KMS_OP_IMPORT_KEY_MATERIAL:
    case KMS_OP_DELETE_IMPORTED_KEY_MATERIAL:
        return true;
    default:
        return false;
    }
}

static uint32_t blob_version(const struct kms_request *req, const struct kms_key *key)
{
    struct kms_blob_head head;
    if (!kms_blob_head(req->blob, &head)) return 0;
    if (memcmp(head.key_id, key->key_id, sizeof head.key_id) != 0) return 0;
    return head.ver <= key->sym.current ? head.ver : 0;
}

static uint32_t named_version(const struct kms_request *req, const struct kms_key *key)
{
    uint8_t id[32];
    if (qk_unhex(req->material_id, id, sizeof id) != QK_OK) return 0;
    return kms_material_find(&key->sym, id);
}

bool kms_import_is_new(const struct kms_request *req, const struct kms_key *key)
{
    return req->import_new >= 0 ? req->import_new == 1 : key->sym.n_versions == 0;
}

/* Only who unwraps the material can tell which one it is. Unnamed, it is taken for the first that
 * is not here; if all are here, for the current one. */
static uint32_t import_version(const struct kms_request *req, const struct kms_key *key)
{
    struct kms_material m;
    if (kms_import_is_new(req, key))
        return key->sym.n_versions < KMS_MATERIALS_MAX ? key->sym.n_versions + 1 : 0;
    if (req->material_id.p != NULL) return named_version(req, key);
    for (uint32_t ver = 1; kms_material_get(&key->sym, ver, &m); ver++)
        if (!m.here) return ver;
    return key->sym.current;
}

static uint32_t rotation_version(const struct kms_key *key)
{
    if (key->origin == KMS_ORIGIN_EXTERNAL) return key->sym.pending;
    return key->sym.n_versions < UINT32_MAX ? key->sym.n_versions + 1 : 0;
}

uint32_t kms_version_wanted(const struct kms_request *req, const struct kms_key *key)
{
    bool symmetric = kms_key_is_symmetric(key), mac = kms_key_is_mac(key);
    if (!symmetric && !mac) return 0;
    if (kms_op_opens(req->op)) return symmetric ? blob_version(req, key) : 0;
    if (kms_op_encrypts(req->op)) return symmetric ? key->sym.current : 0;
    if (kms_op_macs(req->op)) return mac ? key->sym.current : 0;
    switch (req->op) {
    case KMS_OP_ROTATE_KEY_ON_DEMAND:
        return symmetric ? rotation_version(key) : 0;
    case KMS_OP_IMPORT_KEY_MATERIAL:
        return import_version(req, key);
    case KMS_OP_DELETE_IMPORTED_KEY_MATERIAL:
        return req->material_id.p != NULL ? named_version(req, key) : key->sym.current;
    default:
        return 0;
    }
}
