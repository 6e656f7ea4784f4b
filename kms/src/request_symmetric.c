/* Parameters of the operations of symmetric keys. */
#include <stdlib.h>
#include "request_parts.h"

#define CONTEXT_MAX    8192 /* bytes of the canonical form, protocols/50 section 4 */
#define PERIOD_DEFAULT 365  /* days */
#define MODES_TAG      "qkms:modes"
#define PROFILE_TAG    "qkms:mac-profile"

/* ---- encryption contexts ---- */

/* EC = u16 count, then u32 length and bytes of each key and value. */
static bool context_fits(const struct kms_context_map *map)
{
    size_t len = 2;
    for (size_t i = 0; i < map->n; i++) {
        len += 8 + map->pairs[i].key.len + map->pairs[i].value.len;
        if (len > CONTEXT_MAX) return false;
    }
    return true;
}

static qk_err read_context(const json_t *in, const char *name, struct kms_pair **own,
    struct kms_context_map *map, struct kms_fault *fault)
{
    json_t *object = json_object_get(in, name);
    const char *key;
    json_t *value;
    size_t n = json_object_size(object);
    if (n == 0) return QK_OK;
    *own = calloc(n, sizeof **own);
    QK_ENSURE(*own != NULL, QK_E_NOMEM);
    json_object_foreach(object, key, value)
    {
        (*own)[map->n++] = (struct kms_pair){
            qk_str(key), qk_bytes(json_string_value(value), json_string_length(value))};
    }
    map->pairs = *own;
    if (context_fits(map)) return QK_OK;
    return kms_fault_set(
        fault, "ValidationException", "%s is larger than %d bytes.", name, CONTEXT_MAX);
}

/* ---- cryptographic operations ---- */

static bool ignores_ciphertext(const json_t *in)
{
    return json_array_size(json_object_get(in, "DryRunModifiers")) > 0;
}

static qk_err read_decrypt(
    const json_t *in, struct kms_owner *o, struct kms_request *r, struct kms_fault *fault)
{
    r->enc_algorithm = kms_text_or(in, "EncryptionAlgorithm", "SYMMETRIC_DEFAULT");
    r->recipient = kms_present(in, "Recipient");
    r->ignore_ciphertext = ignores_ciphertext(in);
    QK_TRY(kms_blob(in, "CiphertextBlob", &o->blob, &r->blob));
    return read_context(in, "EncryptionContext", &o->pairs[0], &r->context, fault);
}

static qk_err read_re_encrypt(
    const json_t *in, struct kms_owner *o, struct kms_request *r, struct kms_fault *fault)
{
    r->key_id = kms_text(in, "SourceKeyId");
    r->dest_key_id = kms_text(in, "DestinationKeyId");
    r->enc_algorithm = kms_text_or(in, "SourceEncryptionAlgorithm", "SYMMETRIC_DEFAULT");
    r->dest_algorithm = kms_text_or(in, "DestinationEncryptionAlgorithm", "SYMMETRIC_DEFAULT");
    r->ignore_ciphertext = ignores_ciphertext(in);
    QK_TRY(kms_blob(in, "CiphertextBlob", &o->blob, &r->blob));
    QK_TRY(read_context(in, "SourceEncryptionContext", &o->pairs[0], &r->context, fault));
    return read_context(in, "DestinationEncryptionContext", &o->pairs[1], &r->dest_context, fault);
}

static qk_err read_encrypt(
    const json_t *in, struct kms_owner *o, struct kms_request *r, struct kms_fault *fault)
{
    r->enc_algorithm = kms_text_or(in, "EncryptionAlgorithm", "SYMMETRIC_DEFAULT");
    QK_TRY(kms_blob(in, "Plaintext", &o->secret, &r->plaintext));
    return read_context(in, "EncryptionContext", &o->pairs[0], &r->context, fault);
}

static qk_err read_data_key(
    const json_t *in, struct kms_owner *o, struct kms_request *r, struct kms_fault *fault)
{
    struct qk_bytes spec = kms_text(in, "KeySpec");
    r->enc_algorithm = qk_str("SYMMETRIC_DEFAULT");
    r->pair_spec = kms_text(in, "KeyPairSpec");
    r->recipient = kms_present(in, "Recipient");
    r->n_bytes = kms_number(in, "NumberOfBytes", 0);
    if (spec.p != NULL)
        r->n_bytes = r->n_bytes != 0 ? UINT32_MAX : qk_bytes_is(spec, "AES_128") ? 16 : 32;
    return read_context(in, "EncryptionContext", &o->pairs[0], &r->context, fault);
}

/* ---- import ---- */

/* Epoch seconds to milliseconds. What is before 1970 or beyond all reason stays out of range for
 * the decision: never 0, which means absent. */
static uint64_t read_time(const json_t *v)
{
    double ms = json_number_value(v) * 1000.0 + 0.5;
    if (!(ms >= 1.0)) return 1;
    return ms < 9e15 ? (uint64_t)ms : (uint64_t)9e15;
}

static qk_err read_import(const json_t *in, struct kms_owner *o, struct kms_request *r)
{
    struct qk_bytes type = kms_text(in, "ImportType");
    r->expires = !qk_bytes_is(kms_text(in, "ExpirationModel"), "KEY_MATERIAL_DOES_NOT_EXPIRE");
    r->valid_to_ms = kms_present(in, "ValidTo") ? read_time(json_object_get(in, "ValidTo")) : 0;
    r->import_new = type.p == NULL ? -1 : qk_bytes_is(type, "NEW_KEY_MATERIAL") ? 1 : 0;
    r->material_id = kms_text(in, "KeyMaterialId");
    r->material_description = kms_text(in, "KeyMaterialDescription");
    QK_TRY(kms_blob(in, "ImportToken", &o->blob, &r->import_token));
    return kms_blob(in, "EncryptedKeyMaterial", &o->wrapped, &r->encrypted_material);
}

/* ---- all together ---- */

qk_err kms_request_read_symmetric(const json_t *in, struct kms_owner *o, struct kms_request *r,
    bool *mine, struct kms_fault *fault)
{
    *mine = true;
    switch (r->op) {
    case KMS_OP_ENCRYPT:
        return read_encrypt(in, o, r, fault);
    case KMS_OP_DECRYPT:
        return read_decrypt(in, o, r, fault);
    case KMS_OP_RE_ENCRYPT:
        return read_re_encrypt(in, o, r, fault);
    case KMS_OP_GENERATE_DATA_KEY:
    case KMS_OP_GENERATE_DATA_KEY_WITHOUT_PLAINTEXT:
    case KMS_OP_GENERATE_DATA_KEY_PAIR:
    case KMS_OP_GENERATE_DATA_KEY_PAIR_WITHOUT_PLAINTEXT:
        return read_data_key(in, o, r, fault);
    case KMS_OP_GENERATE_RANDOM:
        r->n_bytes = kms_number(in, "NumberOfBytes", 0);
        r->recipient = kms_present(in, "Recipient");
        r->custom_key_store = kms_present(in, "CustomKeyStoreId");
        return QK_OK;
    case KMS_OP_ENABLE_KEY_ROTATION:
        r->period_days = kms_number(in, "RotationPeriodInDays", PERIOD_DEFAULT);
        return QK_OK;
    case KMS_OP_LIST_KEY_ROTATIONS:
        r->all_material = qk_bytes_is(kms_text(in, "IncludeKeyMaterial"), "ALL_KEY_MATERIAL");
        return kms_request_read_page(in, o, r, fault);
    case KMS_OP_GET_PARAMETERS_FOR_IMPORT:
        r->wrapping_algorithm = kms_text(in, "WrappingAlgorithm");
        r->wrapping_spec = kms_text(in, "WrappingKeySpec");
        return QK_OK;
    case KMS_OP_IMPORT_KEY_MATERIAL:
        return read_import(in, o, r);
    case KMS_OP_DELETE_IMPORTED_KEY_MATERIAL:
        r->material_id = kms_text(in, "KeyMaterialId");
        return QK_OK;
    default:
        *mine = false;
        return QK_OK;
    }
}

static uint8_t modes_of(struct qk_bytes value)
{
    return qk_bytes_is(value, "FV")  ? KMS_MODES_FV
           : qk_bytes_is(value, "F") ? KMS_MODES_F
           : qk_bytes_is(value, "V") ? KMS_MODES_V
                                     : 0;
}

/* One of the two tags that mean something here, and whether it was seen before. */
static bool take_tag(struct kms_request *r, struct qk_bytes key, struct qk_bytes value, bool *again)
{
    if (qk_bytes_is(key, MODES_TAG)) {
        *again = r->modes_tag;
        r->modes_tag = true;
        r->modes = modes_of(value);
        return true;
    }
    if (!qk_bytes_is(key, PROFILE_TAG)) return false;
    *again = r->profile_tag;
    r->profile_tag = true;
    r->mac_modes = qk_bytes_is(value, "strict") ? KMS_MODES_MAC_S : 0;
    return true;
}

qk_err kms_request_read_tags(const json_t *in, struct kms_request *r, struct kms_fault *fault)
{
    const json_t *tags = json_object_get(in, "Tags");
    r->n_tags = json_array_size(tags);
    r->modes = KMS_MODES_FV;
    r->mac_modes = KMS_MODES_MAC_N;
    for (size_t i = 0; i < r->n_tags; i++) {
        const json_t *tag = json_array_get(tags, i);
        bool again = false;
        if (!take_tag(r, kms_text(tag, "TagKey"), kms_text(tag, "TagValue"), &again))
            r->n_other_tags++;
        if (again) return kms_fault_set(fault, "TagException", "Duplicate tag keys");
    }
    return QK_OK;
}
