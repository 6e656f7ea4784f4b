/** The operator's own authentication, for Initialize only: no credential exists before it.
 *
 *      Authorization: QKMS-OPERATOR-ECDSA-P256 Operator=<name>, Signature=<base64 of a DER ECDSA
 * signature> X-Amz-Date: YYYYMMDDTHHMMSSZ
 *
 *  The signature is ECDSA P-256 with SHA-256 over these lines joined by LF, none after the last:
 *
 *      QKMS-OPERATOR-ECDSA-P256
 *      <method>
 *      <path>
 *      <x-amz-target value>
 *      <x-amz-date value>
 *      <operator name>
 *      <hex SHA-256 of cluster.conf>      so that a signature never works on another cluster
 *      <hex SHA-256 of the body>
 */
#ifndef KMS_OPERATOR_H
#define KMS_OPERATOR_H

#include "kms/fault.h"
#include "kms/raw.h"

#define KMS_OPERATOR_SCHEME   "QKMS-OPERATOR-ECDSA-P256"
#define KMS_OPERATOR_NAME_MAX 64
#define KMS_OPERATOR_SIG_MAX  80 /* DER ECDSA P-256: at most 72 */

struct kms_operator {
    char name[KMS_OPERATOR_NAME_MAX + 1]; /* [A-Za-z0-9._-] */
    uint8_t signature[KMS_OPERATOR_SIG_MAX];
    size_t signature_len;
    char amz_date[17];
};

/** Verifies the DER signature over a 32-byte SHA-256 digest with the named operator's public key
 *  (cluster.conf). QK_OK, QK_E_NOT_FOUND (no such operator), QK_E_PROOF. */
typedef qk_err (*kms_operator_verify_fn)(
    void *arg, const char *name, const uint8_t digest[static 32], struct qk_bytes signature);

/** True iff the request's Authorization header uses the operator scheme. */
bool kms_operator_is(const struct kms_raw *raw);
/** Parse, check the date window of 5 minutes around now_ms and that the target is
 * QkmsAdmin.Initialize (AccessDeniedException otherwise), verify. Faults as in
 * kms_sigv4_parse/verify. */
QK_MUST_USE qk_err kms_operator_check(const struct kms_raw *raw, uint64_t now_ms,
    const uint8_t cluster_hash[static 32], kms_operator_verify_fn verify, void *arg,
    struct kms_operator *out, struct kms_fault *fault);
/** The text to sign, appended to out, for the CLI's init and for kms_operator_check. raw needs
 * x-amz-target and x-amz-date. QK_E_STATE if one is missing. */
QK_MUST_USE qk_err kms_operator_text(const struct kms_raw *raw, const char *name,
    const uint8_t cluster_hash[static 32], struct qk_buf *out);
/** Append the Authorization value. */
void kms_operator_header(const char *name, struct qk_bytes der_signature, struct qk_buf *out);

#endif
