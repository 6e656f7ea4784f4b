/** Account and region names, ARNs, and the forms in which a caller may name a key (kms-api.md
 * section 4).
 */
#ifndef KMS_ARN_H
#define KMS_ARN_H

#include "kms/fault.h"

#define KMS_ACCOUNT_LEN   12 /* digits */
#define KMS_REGION_MAX    32
#define KMS_USER_NAME_MAX 51  /* so that "<account>/<name>" is a record id of at most 64 bytes */
#define KMS_UUID_LEN      36  /* lower-case text */
#define KMS_ARN_MAX       192 /* any ARN made here */

/** 12 digits. */
bool kms_account_valid(struct qk_bytes v);
/** `us-east-1` and the like: ([a-z]+-){2,3}[0-9]+, at most KMS_REGION_MAX. */
bool kms_region_valid(struct qk_bytes v);
/** 1..KMS_USER_NAME_MAX of [A-Za-z0-9+=,.@_-]. */
bool kms_user_name_valid(struct qk_bytes v);

/** 16 bytes to lower-case text and NUL. */
void kms_uuid_text(const uint8_t id[static 16], char out[static KMS_UUID_LEN + 1]);
/** Lower-case text only; QK_E_MALFORMED otherwise. */
QK_MUST_USE qk_err kms_uuid_parse(struct qk_bytes text, uint8_t id[static 16]);
/** True iff version 4, variant 10. */
bool kms_uuid_is_v4(const uint8_t id[static 16]);
/** Set version and variant on 16 random bytes. */
void kms_uuid_make_v4(uint8_t id[static 16]);

/** `arn:aws:kms:<region>:<account>:key/<uuid>`. */
void kms_key_arn(const char *region, const char *account, const uint8_t id[static 16],
    char out[static KMS_ARN_MAX]);
/** `arn:aws:iam::<account>:user/<name>`. */
void kms_user_arn(const char *account, struct qk_bytes name, char out[static KMS_ARN_MAX]);
/** `arn:aws:iam::<account>:root`. */
void kms_root_arn(const char *account, char out[static KMS_ARN_MAX]);

enum kms_key_forms { KMS_FORMS_ANY, KMS_FORMS_ID_OR_ARN };

/** Resolve the KeyId a caller sent to 16 bytes.
 *
 *  text       1..2048 bytes, validated by the model
 *  forms      which forms the operation takes; an alias is NotFoundException either way (no aliases
 *             exist yet): `Alias <ARN> is not found.` where aliases are taken, else `Invalid keyId
 * '<v>'` account, region  of this deployment, NUL-terminated
 *
 *  Faults: NotFoundException texts of section 2.3. *foreign is set when the ARN names another
 * account: the caller of this function must then refuse with AccessDeniedException (section 11.3),
 * which needs the principal.
 */
QK_MUST_USE qk_err kms_key_resolve(struct qk_bytes text, enum kms_key_forms forms,
    const char *account, const char *region, uint8_t id[static 16], bool *foreign,
    struct kms_fault *fault);

#endif
