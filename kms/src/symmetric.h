/** Which key and which version a request on symmetric and HMAC keys is about. */
#ifndef KMS_SYMMETRIC_H
#define KMS_SYMMETRIC_H

#include "kms/request.h"

/** The start of a ciphertext blob, as far as this library reads one: protocols/50 section 7. */
struct kms_blob_head {
    uint8_t key_id[16];
    uint32_t ver; /* >= 1 */
};
/** False for what cannot be a blob. The rest of it is for mpc_sym_blob_parse. */
bool kms_blob_head(struct qk_bytes blob, struct kms_blob_head *out);

/** True iff key is a SYMMETRIC_DEFAULT key. */
bool kms_key_is_symmetric(const struct kms_key *key);
/** True iff key is an HMAC key. */
bool kms_key_is_mac(const struct kms_key *key);

/** The version of key that the request is about, whether or not it exists; 0: none.
 *
 *  Decrypt, ReEncrypt: the blob's, if the blob is of this key. RotateKeyOnDemand: the one to make,
 *  or the one that is pending. ImportKeyMaterial: the next, if new; else the one it
 *  names, or the first that is not here. DeleteImportedKeyMaterial:
 *  the one named, or the current one. Encrypt, the data keys, GenerateMac, VerifyMac: the current
 *  one. Else 0, and for an operation on keys of another family. */
uint32_t kms_version_wanted(const struct kms_request *req, const struct kms_key *key);

/** ImportKeyMaterial: is it new material? As the request says, else only the very first is. */
bool kms_import_is_new(const struct kms_request *req, const struct kms_key *key);

/** True for the operations that evaluate ENC on the key of KeyId. */
bool kms_op_encrypts(enum kms_op op);
/** GenerateMac, VerifyMac. */
bool kms_op_macs(enum kms_op op);
/** Decrypt, ReEncrypt: the key is found from the blob. */
bool kms_op_opens(enum kms_op op);
/** Rotation and import. */
bool kms_op_on_material(enum kms_op op);

#endif
