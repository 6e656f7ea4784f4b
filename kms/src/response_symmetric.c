/* Answers of the operations of symmetric and HMAC keys. Blobs of KMS are at most 6144 bytes, so
 * everything here is small; plaintexts go straight into the caller's buffer. */
#include <inttypes.h>
#include <stdio.h>
#include "json_out.h"
#include "kms/response.h"

#define ALGORITHM "SYMMETRIC_DEFAULT"

static struct kms_json begin(struct qk_buf *out)
{
    qk_buf_add_u8(out, '{');
    return (struct kms_json){out, false};
}

static void end(struct kms_json *o)
{
    qk_buf_add_u8(o->b, '}');
}

/* ---- cryptography ---- */

void kms_answer_encrypt(const struct kms_key *key, struct qk_bytes blob, struct qk_buf *out)
{
    struct kms_json o = begin(out);
    kms_json_blob(&o, "CiphertextBlob", blob);
    kms_json_arn(&o, "KeyId", key);
    kms_json_str(&o, "EncryptionAlgorithm", ALGORITHM);
    end(&o);
}

void kms_answer_decrypt(const struct kms_key *key, const struct kms_version *version,
    struct qk_bytes plaintext, struct qk_buf *out)
{
    struct kms_json o = begin(out);
    kms_json_arn(&o, "KeyId", key);
    kms_json_blob(&o, "Plaintext", plaintext);
    kms_json_str(&o, "EncryptionAlgorithm", ALGORITHM);
    kms_json_material_id(&o, "KeyMaterialId", version->material_id);
    end(&o);
}

void kms_answer_re_encrypt(const struct kms_key *source, const struct kms_version *source_version,
    const struct kms_key *dest, const struct kms_version *dest_version, struct qk_bytes blob,
    struct qk_buf *out)
{
    struct kms_json o = begin(out);
    kms_json_blob(&o, "CiphertextBlob", blob);
    kms_json_arn(&o, "SourceKeyId", source);
    kms_json_arn(&o, "KeyId", dest);
    kms_json_str(&o, "SourceEncryptionAlgorithm", ALGORITHM);
    kms_json_str(&o, "DestinationEncryptionAlgorithm", ALGORITHM);
    kms_json_material_id(&o, "SourceKeyMaterialId", source_version->material_id);
    kms_json_material_id(&o, "DestinationKeyMaterialId", dest_version->material_id);
    end(&o);
}

void kms_answer_data_key(const struct kms_key *key, const struct kms_version *version,
    struct qk_bytes plaintext, struct qk_bytes blob, struct qk_buf *out)
{
    struct kms_json o = begin(out);
    kms_json_blob(&o, "CiphertextBlob", blob);
    if (plaintext.p != NULL) kms_json_blob(&o, "Plaintext", plaintext);
    kms_json_arn(&o, "KeyId", key);
    kms_json_material_id(&o, "KeyMaterialId", version->material_id);
    end(&o);
}

void kms_answer_data_key_pair(const struct kms_key *key, const struct kms_version *version,
    struct qk_bytes pair_spec, struct qk_bytes private_key, struct qk_bytes public_key,
    struct qk_bytes blob, struct qk_buf *out)
{
    struct kms_json o = begin(out);
    kms_json_blob(&o, "PrivateKeyCiphertextBlob", blob);
    if (private_key.p != NULL) kms_json_blob(&o, "PrivateKeyPlaintext", private_key);
    kms_json_blob(&o, "PublicKey", public_key);
    kms_json_text(&o, "KeyPairSpec", pair_spec);
    kms_json_arn(&o, "KeyId", key);
    kms_json_material_id(&o, "KeyMaterialId", version->material_id);
    end(&o);
}

/* ---- MACs ---- */

void kms_answer_mac(const struct kms_key *key, struct qk_bytes mac, struct qk_buf *out)
{
    struct kms_json o = begin(out);
    kms_json_blob(&o, "Mac", mac);
    kms_json_str(&o, "MacAlgorithm", key->spec->algorithm);
    kms_json_arn(&o, "KeyId", key);
    end(&o);
}

void kms_answer_mac_valid(const struct kms_key *key, struct qk_buf *out)
{
    struct kms_json o = begin(out);
    kms_json_arn(&o, "KeyId", key);
    kms_json_bool(&o, "MacValid", true);
    kms_json_str(&o, "MacAlgorithm", key->spec->algorithm);
    end(&o);
}

void kms_answer_random(struct qk_bytes bytes, struct qk_buf *out)
{
    struct kms_json o = begin(out);
    kms_json_blob(&o, "Plaintext", bytes);
    end(&o);
}

/* ---- rotation ---- */

void kms_answer_rotation_status(const struct kms_key *key, struct qk_buf *out)
{
    struct kms_json o = begin(out);
    bool on = key->sym.rotating && key->state != KMS_STATE_PENDING_DELETION;
    kms_json_arn(&o, "KeyId", key);
    kms_json_bool(&o, "KeyRotationEnabled", on);
    if (on) {
        kms_json_number(&o, "RotationPeriodInDays", key->sym.period_days);
        kms_json_time(&o, "NextRotationDate", key->sym.next_rotation_ms);
    }
    end(&o);
}

void kms_answer_rotate(const struct kms_key *key, struct qk_buf *out)
{
    struct kms_json o = begin(out);
    kms_json_arn(&o, "KeyId", key);
    end(&o);
}

static const char *material_state(const struct kms_key *key, const struct kms_version *v)
{
    return v->ver == key->sym.current   ? "CURRENT"
           : v->ver == key->sym.pending ? "PENDING_ROTATION"
                                        : "NON_CURRENT";
}

static void put_imported(struct kms_json *o, const struct kms_version *v)
{
    kms_json_str(o, "ImportState", v->imported ? "IMPORTED" : "PENDING_IMPORT");
    if (v->imported)
        kms_json_str(o, "ExpirationModel",
            v->valid_to_ms != 0 ? "KEY_MATERIAL_EXPIRES" : "KEY_MATERIAL_DOES_NOT_EXPIRE");
    if (v->valid_to_ms != 0) kms_json_time(o, "ValidTo", v->valid_to_ms);
    if (v->material_description.len > 0)
        kms_json_text(o, "KeyMaterialDescription", v->material_description);
}

static void put_rotation(struct kms_json *o, const struct kms_key *key, const struct kms_version *v)
{
    kms_json_arn(o, "KeyId", key);
    kms_json_material_id(o, "KeyMaterialId", v->material_id);
    kms_json_str(o, "KeyMaterialState", material_state(key, v));
    if (key->origin == KMS_ORIGIN_EXTERNAL) put_imported(o, v);
    if (v->rotated_ms == 0) return;
    kms_json_time(o, "RotationDate", v->rotated_ms);
    kms_json_str(
        o, "RotationType", v->rotation == KMS_ROTATION_AUTOMATIC ? "AUTOMATIC" : "ON_DEMAND");
}

void kms_answer_rotations(const struct kms_key *key, const struct kms_version *const *page,
    size_t n, bool more, bool all_material, struct qk_buf *out)
{
    struct kms_json o = begin(out);
    char last[16] = "";
    kms_json_key_name(&o, "Rotations");
    qk_buf_add_u8(out, '[');
    bool first = true;
    for (size_t i = 0; i < n; i++) {
        struct kms_json entry = {out, false};
        if (!all_material && page[i]->rotated_ms == 0) continue; /* the first, or pending */
        qk_buf_add_str(out, first ? "{" : ",{");
        first = false;
        put_rotation(&entry, key, page[i]);
        qk_buf_add_u8(out, '}');
    }
    qk_buf_add_u8(out, ']');
    if (n > 0) snprintf(last, sizeof last, "%" PRIu32, page[n - 1]->ver);
    kms_json_page(&o, more && n > 0, qk_str(last));
    end(&o);
}

/* ---- import ---- */

void kms_answer_import_parameters(const struct kms_key *key, struct qk_bytes token,
    struct qk_bytes spki, uint64_t valid_to_ms, struct qk_buf *out)
{
    struct kms_json o = begin(out);
    kms_json_arn(&o, "KeyId", key);
    kms_json_blob(&o, "ImportToken", token);
    kms_json_blob(&o, "PublicKey", spki);
    kms_json_time(&o, "ParametersValidTo", valid_to_ms);
    end(&o);
}

void kms_answer_import(
    const struct kms_key *key, const struct kms_version *version, struct qk_buf *out)
{
    struct kms_json o = begin(out);
    kms_json_arn(&o, "KeyId", key);
    if (version != NULL && kms_keyspec_is_symmetric(key->spec))
        kms_json_material_id(&o, "KeyMaterialId", version->material_id);
    end(&o);
}
