/** What a caller is answered: JSON of KMS and QkmsAdmin, XML of STS, and list markers.
 *
 *  All functions append to a buffer, whose err tells of failure. Records are current, certified
 * ones.
 */
#ifndef KMS_RESPONSE_H
#define KMS_RESPONSE_H

#include "kms/decide.h"

#define KMS_CONTENT_TYPE_JSON "application/x-amz-json-1.1"
#define KMS_CONTENT_TYPE_XML  "text/xml"

/** {"KeyMetadata":{...}}: CreateKey, DescribeKey. */
void kms_answer_key(const struct kms_key *key, struct qk_buf *out);
void kms_answer_public_key(const struct kms_key *key, struct qk_buf *out);
/** der: the DER ECDSA signature. */
void kms_answer_sign(const struct kms_key *key, struct qk_bytes der, struct qk_buf *out);
/** A valid signature; a bad one is kms_fault_bad_signature. */
void kms_answer_verify(const struct kms_key *key, struct qk_buf *out);
/** key: the new version. */
void kms_answer_schedule_deletion(const struct kms_key *key, struct qk_buf *out);
void kms_answer_cancel_deletion(const struct kms_key *key, struct qk_buf *out);

/* ---- symmetric keys; plaintexts and private keys are secret: give a QK_BUF_SECRET ---- */

void kms_answer_encrypt(const struct kms_key *key, struct qk_bytes blob, struct qk_buf *out);
/** version: whose material opened it. */
void kms_answer_decrypt(const struct kms_key *key, const struct kms_version *version,
    struct qk_bytes plaintext, struct qk_buf *out);
void kms_answer_re_encrypt(const struct kms_key *source, const struct kms_version *source_version,
    const struct kms_key *dest, const struct kms_version *dest_version, struct qk_bytes blob,
    struct qk_buf *out);
/** plaintext.p NULL: GenerateDataKeyWithoutPlaintext. */
void kms_answer_data_key(const struct kms_key *key, const struct kms_version *version,
    struct qk_bytes plaintext, struct qk_bytes blob, struct qk_buf *out);
/** private_key.p NULL: ...WithoutPlaintext. public_key: SPKI DER; private_key: PKCS#8 DER. */
void kms_answer_data_key_pair(const struct kms_key *key, const struct kms_version *version,
    struct qk_bytes pair_spec, struct qk_bytes private_key, struct qk_bytes public_key,
    struct qk_bytes blob, struct qk_buf *out);
/** GenerateMac. mac: key->spec->digest_len bytes; as secret as a plaintext. */
void kms_answer_mac(const struct kms_key *key, struct qk_bytes mac, struct qk_buf *out);
/** VerifyMac found it good; else kms_fault_bad_mac. */
void kms_answer_mac_valid(const struct kms_key *key, struct qk_buf *out);
void kms_answer_random(struct qk_bytes bytes, struct qk_buf *out);
void kms_answer_rotation_status(const struct kms_key *key, struct qk_buf *out);
/** RotateKeyOnDemand: {"KeyId"}. */
void kms_answer_rotate(const struct kms_key *key, struct qk_buf *out);
/** ListKeyRotations: n VERSION records of key in ascending order of ver; more: as for lists, the
 *  marker names the last one's ver in decimal. all_material as in the request; without it, what was
 *  never rotated to is left out here, so that a page may hold less than was asked for. */
void kms_answer_rotations(const struct kms_key *key, const struct kms_version *const *page,
    size_t n, bool more, bool all_material, struct qk_buf *out);
void kms_answer_import_parameters(const struct kms_key *key, struct qk_bytes token,
    struct qk_bytes spki, uint64_t valid_to_ms, struct qk_buf *out);
/** ImportKeyMaterial and DeleteImportedKeyMaterial: {"KeyId","KeyMaterialId"}, of an HMAC key
 * {"KeyId"}. version NULL: nothing was ever imported (decision.version_record of a Delete that is
 * KMS_DO_READ). */
void kms_answer_import(
    const struct kms_key *key, const struct kms_version *version, struct qk_buf *out);

/** One page of a list: n records of one kind in id order; more: there is another page after them.
 *  ListKeys, ListUsers, ListAccessKeys. Deleted keys must have been left out. */
void kms_answer_keys(const struct kms_record *const *page, size_t n, bool more, struct qk_buf *out);
void kms_answer_users(
    const struct kms_record *const *page, size_t n, bool more, struct qk_buf *out);
void kms_answer_access_keys(
    const struct kms_record *const *page, size_t n, bool more, struct qk_buf *out);

/** {"User":{...}}: CreateUser. */
void kms_answer_user(const struct kms_user *user, struct qk_buf *out);

/** One node's DPRF partial, sealed to the caller's ResponseKey. */
struct kms_sealed_part {
    uint16_t node;
    struct qk_bytes sealed;
};
/** {"AccessKey":{"UserName","AccessKeyId","Status","CreateDate","Serial"},"SystemKey":<base64>,
 *  "Sealed":[{"Node","Value"}]}: CreateAccessKey and Initialize. SystemKey is the system record
 * with its certificate (kms_certified_encode): the caller checks it against cluster.conf, opens the
 *  parts, verifies them against the record and computes the secret. */
void kms_answer_access_key(const struct kms_credential *credential, struct qk_bytes system,
    const struct kms_sealed_part *parts, size_t n_parts, struct qk_buf *out);

/** GetCallerIdentity. request_id: UUID text. */
void kms_answer_caller_identity(
    const struct kms_user *user, const char *request_id, struct qk_buf *out);

/** The public marker text of a record id: opaque base64. */
void kms_marker_encode(struct qk_bytes after, struct qk_buf *out);
/** InvalidMarkerException unless kms_marker_encode made it. */
QK_MUST_USE qk_err kms_marker_decode(
    struct qk_bytes marker, struct qk_buf *after, struct kms_fault *fault);

/** True iff the operation answers 200 with a zero-length body. */
bool kms_answer_is_empty(enum kms_op op);

#endif
