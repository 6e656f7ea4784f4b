/** The Authorization header of SigV4, and the date window shared with operator requests. */
#ifndef KMS_SIGV4_HEADER_H
#define KMS_SIGV4_HEADER_H

#include "kms/sigv4.h"

/** Fill everything of auth from the headers; form only. MissingAuthenticationTokenException,
 *  IncompleteSignatureException, InvalidSignatureException (signature that is not 64 hex digits,
 * terminator). */
QK_MUST_USE qk_err kms_sigv4_header_parse(
    const struct kms_raw *raw, struct kms_sigv4 *auth, struct kms_fault *fault);
/** The date of a request as text and time. IncompleteSignatureException unless there is exactly one
 * well-formed one. */
QK_MUST_USE qk_err kms_sigv4_date(
    const struct kms_raw *raw, char amz_date[static 17], uint64_t *ms, struct kms_fault *fault);
/** InvalidSignatureException unless |time - now| <= 5 minutes. */
QK_MUST_USE qk_err kms_sigv4_window(
    const char *amz_date, uint64_t time_ms, uint64_t now_ms, struct kms_fault *fault);

#endif
