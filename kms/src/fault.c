#include "kms/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include "qk/log.h"
#include "qk/pack.h"

/* Every name this library produces, its status, and what STS calls it. */
static const struct fault_name {
    const char *type;
    int status;
    const char *sts; /* NULL: not an answer of STS, reported as InternalFailure */
    int sts_status;
} names[] = {
    {"AccessDeniedException", 400, "AccessDenied", 403},
    {"AlreadyExistsException", 400, NULL, 0},
    {"ConflictException", 400, NULL, 0},
    {"CustomKeyStoreNotFoundException", 400, NULL, 0},
    {"DependencyTimeoutException", 503, NULL, 0},
    {"DisabledException", 400, NULL, 0},
    {"DryRunOperationException", 400, NULL, 0},
    {"ExpiredImportTokenException", 400, NULL, 0},
    {"ExpiredTokenException", 400, "ExpiredToken", 403},
    {"IncompleteSignatureException", 400, "IncompleteSignature", 400},
    {"IncorrectKeyException", 400, NULL, 0},
    {"IncorrectKeyMaterialException", 400, NULL, 0},
    {"InvalidCiphertextException", 400, NULL, 0},
    {"InvalidImportTokenException", 400, NULL, 0},
    {"InvalidKeyUsageException", 400, NULL, 0},
    {"InvalidMarkerException", 400, NULL, 0},
    {"InvalidSignatureException", 400, "SignatureDoesNotMatch", 403},
    {"KMSInternalException", 500, NULL, 0},
    {"KMSInvalidMacException", 400, NULL, 0},
    {"KMSInvalidSignatureException", 400, NULL, 0},
    {"KMSInvalidStateException", 400, NULL, 0},
    {"KeyUnavailableException", 500, NULL, 0},
    {"LimitExceededException", 400, NULL, 0},
    {"MalformedPolicyDocumentException", 400, NULL, 0},
    {"MissingAuthenticationTokenException", 400, "MissingAuthenticationToken", 403},
    {"NotFoundException", 400, NULL, 0},
    {"SerializationException", 400, "MalformedInput", 400},
    {"TagException", 400, NULL, 0},
    {"ThrottlingException", 400, "Throttling", 400},
    {"UnknownOperationException", 400, "InvalidAction", 400},
    {"UnrecognizedClientException", 400, "InvalidClientTokenId", 403},
    {"UnsupportedOperationException", 400, NULL, 0},
    {"ValidationException", 400, "ValidationError", 400},
};

static const struct fault_name *name_find(struct qk_bytes type)
{
    for (size_t i = 0; i < QK_COUNT(names); i++)
        if (qk_bytes_is(type, names[i].type)) return &names[i];
    return NULL;
}

/* A text may echo bytes of the caller's and may have been cut within a character. What is not UTF-8
 * would not survive the way from a node to the caller: those bytes become question marks. */
static void make_utf8(char *text)
{
    size_t len = strlen(text);
    for (size_t drop = 0; drop < 4 && drop <= len; drop++) {
        if (!qk_utf8_valid(qk_bytes(text, len - drop))) continue;
        text[len - drop] = 0;
        return;
    }
    for (char *p = text; *p; p++)
        if ((unsigned char)*p >= 0x80) *p = '?';
}

qk_err kms_fault_set(struct kms_fault *fault, const char *type, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(fault->message, sizeof fault->message, fmt, args);
    va_end(args);
    if (n < 0) return kms_fault_internal(fault, QK_E_STATE);
    make_utf8(fault->message);
    fault->type = type;
    fault->http_status = 400;
    fault->has_message = true;
    return QK_E_DENIED;
}

qk_err kms_fault_bare(struct kms_fault *fault, const char *type)
{
    fault->type = type;
    fault->http_status = 400;
    fault->has_message = false;
    fault->message[0] = 0;
    return QK_E_DENIED;
}

static qk_err server_fault(
    struct kms_fault *fault, const char *type, int status, const char *text, qk_err err)
{
    qk_err refused = kms_fault_set(fault, type, "%s", text);
    fault->http_status = status;
    return refused == QK_E_DENIED ? err : refused;
}

qk_err kms_fault_internal(struct kms_fault *fault, qk_err err)
{
    return server_fault(fault, "KMSInternalException", 500,
        "The request was rejected because an internal exception occurred. The request can be "
        "retried.",
        err);
}

qk_err kms_fault_throttled(struct kms_fault *fault)
{
    return kms_fault_set(fault, "ThrottlingException",
        "You have exceeded the rate at which you may call KMS. Reduce the frequency of your "
        "calls.");
}

qk_err kms_fault_unavailable(struct kms_fault *fault)
{
    return server_fault(fault, "KeyUnavailableException", 500,
        "The key is not available. The request can be retried.", QK_E_DENIED);
}

qk_err kms_fault_timeout(struct kms_fault *fault)
{
    return server_fault(fault, "DependencyTimeoutException", 503,
        "The system timed out while trying to fulfill the request. The request can be retried.",
        QK_E_DENIED);
}

qk_err kms_fault_bad_signature(struct kms_fault *fault)
{
    return kms_fault_bare(fault, "KMSInvalidSignatureException");
}

qk_err kms_fault_bad_mac(struct kms_fault *fault)
{
    return kms_fault_bare(fault, "KMSInvalidMacException");
}

qk_err kms_fault_unknown_client(struct kms_fault *fault)
{
    return kms_fault_set(fault, "UnrecognizedClientException",
        "The security token included in the request is invalid.");
}

void kms_fault_json(const struct kms_fault *fault, struct qk_buf *out)
{
    qk_buf_add_str(out, "{\"__type\":");
    qk_json_string(out, qk_str(fault->type), 128);
    if (fault->has_message) {
        qk_buf_add_str(out, ",\"message\":");
        qk_json_string(out, qk_str(fault->message), KMS_FAULT_TEXT_MAX);
    }
    qk_buf_add_str(out, "}");
}

/* XML 1.0 has no form for most control characters: they become spaces. */
static void xml_text(struct qk_buf *out, const char *text)
{
    for (const char *p = text; *p; p++) {
        if (*p == '&')
            qk_buf_add_str(out, "&amp;");
        else if (*p == '<')
            qk_buf_add_str(out, "&lt;");
        else if (*p == '>')
            qk_buf_add_str(out, "&gt;");
        else if (*p > 0 && *p < 0x20 && *p != '\t' && *p != '\n')
            qk_buf_add_u8(out, ' ');
        else
            qk_buf_add_u8(out, (uint8_t)*p);
    }
}

int kms_fault_sts_xml(const struct kms_fault *fault, const char *request_id, struct qk_buf *out)
{
    const struct fault_name *name = name_find(qk_str(fault->type));
    bool sender = name != NULL && name->sts != NULL;
    qk_buf_printf(out,
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>%s</Type>"
        "<Code>%s</Code><Message>",
        sender ? "Sender" : "Receiver", sender ? name->sts : "InternalFailure");
    if (fault->has_message) xml_text(out, fault->message);
    qk_buf_printf(out, "</Message></Error><RequestId>%s</RequestId></ErrorResponse>", request_id);
    if (!sender) return fault->http_status >= 500 ? fault->http_status : 500;
    return name->sts_status;
}

qk_err kms_fault_from_parts(
    struct qk_bytes type, struct qk_bytes message, bool has_message, struct kms_fault *out)
{
    const struct fault_name *name = name_find(type);
    QK_ENSURE(name != NULL, QK_E_MALFORMED);
    QK_ENSURE(has_message || message.len == 0, QK_E_MALFORMED);
    QK_ENSURE(message.len <= KMS_FAULT_TEXT_MAX, QK_E_MALFORMED);
    QK_ENSURE(message.len == 0 || memchr(message.p, 0, message.len) == NULL, QK_E_MALFORMED);
    QK_ENSURE(qk_utf8_valid(message), QK_E_MALFORMED);
    out->type = name->type;
    out->http_status = name->status;
    out->has_message = has_message;
    if (message.len > 0) memcpy(out->message, message.p, message.len);
    out->message[message.len] = 0;
    return QK_OK;
}

static bool begins(struct qk_bytes text, const char *with)
{
    size_t len = strlen(with);
    return text.len >= len && memcmp(text.p, with, len) == 0;
}

struct qk_bytes kms_fault_log_text(struct qk_bytes type, struct qk_bytes message)
{
    bool repeats =
        qk_bytes_is(type, "IncompleteSignatureException") ||
        (qk_bytes_is(type, "InvalidSignatureException") && begins(message, "Credential "));
    return repeats && message.len > 0 ? qk_str("(not kept: repeats the Authorization header)")
                                      : message;
}
