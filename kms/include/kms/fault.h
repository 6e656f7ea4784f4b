/** What a caller is told when a request is refused: error name, text, HTTP status.
 *
 *  Names and texts are wire contract (kms-api.md section 2): clients compare them. Every function
 * of this library that takes a struct kms_fault fills it whenever it returns anything but QK_OK:
 *    QK_E_DENIED     the caller's fault; the fault holds its name and text
 *    else            ours (memory, a failed library call, misuse); the fault is
 * KMSInternalException 500 so a body reads straight down with QK_TRY and the front sends the fault
 * as it stands.
 *
 *  Threads    everything here works on the arguments only
 */
#ifndef KMS_FAULT_H
#define KMS_FAULT_H

#include "qk/bytes.h"

/* Longer texts are cut at a character: only values echoed from the caller can get that long. */
#define KMS_FAULT_TEXT_MAX 4096

struct kms_fault {
    const char *type; /* static, for example "NotFoundException"; NULL: no fault */
    int http_status;  /* 400 for every caller's fault, 500 or 503 otherwise */
    bool has_message; /* some errors carry none, for they would be oracles */
    char message[KMS_FAULT_TEXT_MAX + 1]; /* UTF-8, NUL-terminated */
};

/** Set fault to type (static string) with a text in the manner of printf; status 400. Always
 * returns QK_E_DENIED, so that `return kms_fault_set(...)` refuses. */
QK_MUST_USE qk_err kms_fault_set(struct kms_fault *fault, const char *type, const char *fmt, ...)
    QK_PRINTF(3, 4);
/** The same without a message member. */
QK_MUST_USE qk_err kms_fault_bare(struct kms_fault *fault, const char *type);
/** KMSInternalException, status 500; returns err (a 1xx or 5xx of ours). */
QK_MUST_USE qk_err kms_fault_internal(struct kms_fault *fault, qk_err err);
/** For the daemons. ThrottlingException (400): over a rate or a queue cap. */
QK_MUST_USE qk_err kms_fault_throttled(struct kms_fault *fault);
/** KeyUnavailableException (500): not enough healthy nodes for this key. */
QK_MUST_USE qk_err kms_fault_unavailable(struct kms_fault *fault);
/** DependencyTimeoutException (503): the nodes did not answer in time. */
QK_MUST_USE qk_err kms_fault_timeout(struct kms_fault *fault);
/** KMSInvalidSignatureException without message: Verify found a bad signature. */
QK_MUST_USE qk_err kms_fault_bad_signature(struct kms_fault *fault);
/** KMSInvalidMacException without message: VerifyMac was given another MAC. */
QK_MUST_USE qk_err kms_fault_bad_mac(struct kms_fault *fault);
/** UnrecognizedClientException: no such access key, inactive, or its user is gone. */
QK_MUST_USE qk_err kms_fault_unknown_client(struct kms_fault *fault);

/** A fault's text as it may stand in a log. Texts about a malformed Authorization header repeat it,
 * as AWS does, and who gets it wrong may have put anything there, his secret included: they come
 * back as a static note. Borrows message. */
struct qk_bytes kms_fault_log_text(struct qk_bytes type, struct qk_bytes message);

/** Append the JSON error body `{"__type":...,"message":...}`. */
void kms_fault_json(const struct kms_fault *fault, struct qk_buf *out);
/** Append the query-protocol XML of STS; names are mapped (InvalidClientTokenId, ...). request_id
 * is a UUID text. Returns the HTTP status of that protocol (403 for authentication faults). */
int kms_fault_sts_xml(const struct kms_fault *fault, const char *request_id, struct qk_buf *out);

/** A fault that came over the wire (wire/calls.h: type, message, has). Accepts only names this
 * library itself can produce, so that type stays a static string and the status is the proper one.
 *  QK_E_MALFORMED otherwise, or for a message that is too long or not UTF-8. */
QK_MUST_USE qk_err kms_fault_from_parts(
    struct qk_bytes type, struct qk_bytes message, bool has_message, struct kms_fault *out);

#endif
