#include "kms/sigv4.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <strings.h>
#include "amzdate.h"
#include "digest.h"
#include "qk/clock.h"
#include "sigv4_header.h"

#define CANONICAL_MAX (4u * KMS_RAW_HEAD_MAX)

static const char mismatch[] =
    "The request signature we calculated does not match the signature you provided. Check your AWS "
    "Secret Access Key and signing method. Consult the service documentation for details.";

enum kms_service kms_service_of(const struct kms_raw *raw)
{
    static const char form[] = "application/x-www-form-urlencoded";
    if (kms_raw_header(raw, "x-amz-target") != NULL) return KMS_SERVICE_KMS;
    const struct qk_bytes *type = kms_raw_header(raw, "content-type");
    if (type == NULL || type->len < sizeof form - 1) return KMS_SERVICE_KMS;
    bool is_form = strncasecmp((const char *)type->p, form, sizeof form - 1) == 0 &&
                   (type->len == sizeof form - 1 || type->p[sizeof form - 1] == ';' ||
                       type->p[sizeof form - 1] == ' ');
    return is_form ? KMS_SERVICE_STS : KMS_SERVICE_KMS;
}

const char *kms_service_name(enum kms_service service)
{
    return service == KMS_SERVICE_STS ? "sts" : "kms";
}

static qk_err invalid(struct kms_fault *fault, const char *text)
{
    return kms_fault_set(fault, "InvalidSignatureException", "%s", text);
}

qk_err kms_sigv4_window(
    const char *amz_date, uint64_t time_ms, uint64_t now_ms, struct kms_fault *fault)
{
    char edge[17], now[17];
    qk_time_basic(now_ms, now);
    if (time_ms + KMS_SKEW_MS < now_ms - now_ms % 1000) {
        qk_time_basic(now_ms - KMS_SKEW_MS, edge);
        return kms_fault_set(fault, "InvalidSignatureException",
            "Signature expired: %s is now earlier than %s (%s - 5 min.)", amz_date, edge, now);
    }
    if (time_ms > now_ms + KMS_SKEW_MS) {
        qk_time_basic(now_ms + KMS_SKEW_MS, edge);
        return kms_fault_set(fault, "InvalidSignatureException",
            "Signature not yet current: %s is still later than %s (%s + 5 min.)", amz_date, edge,
            now);
    }
    return QK_OK;
}

static bool is_signed(const struct kms_sigv4 *auth, const char *name)
{
    size_t start = 0, len = strlen(name);
    for (size_t i = 0; i <= auth->signed_headers.len; i++) {
        if (i < auth->signed_headers.len && auth->signed_headers.p[i] != ';') continue;
        if (i - start == len && memcmp(auth->signed_headers.p + start, name, len) == 0) return true;
        start = i + 1;
    }
    return false;
}

/* Headers that steer what a request means must be covered, or they could be swapped on the way. */
static qk_err check_signed(
    const struct kms_raw *raw, const struct kms_sigv4 *auth, struct kms_fault *fault)
{
    const char *date = kms_raw_header(raw, "x-amz-date") ? "x-amz-date" : "date";
    if (!is_signed(auth, "host"))
        return invalid(
            fault, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
    if (!is_signed(auth, date))
        return kms_fault_set(fault, "InvalidSignatureException",
            "'%s' must be a 'SignedHeader' in the AWS Authorization.", date);
    static const char *const if_present[] = {"x-amz-target", "x-amz-security-token"};
    for (size_t i = 0; i < QK_COUNT(if_present); i++)
        if (kms_raw_header(raw, if_present[i]) && !is_signed(auth, if_present[i]))
            return kms_fault_set(fault, "InvalidSignatureException",
                "'%s' must be a 'SignedHeader' in the AWS Authorization.", if_present[i]);
    return QK_OK;
}

static qk_err check_scope(
    const struct kms_sigv4 *auth, const char *region, const char *service, struct kms_fault *fault)
{
    if (memcmp(auth->date.p, auth->amz_date, 8) != 0)
        return invalid(fault, "Date in Credential scope does not match YYYYMMDD from ISO-8601 "
                              "version of date from HTTP");
    if (!qk_bytes_is(auth->region, region))
        return invalid(fault, "Credential should be scoped to a valid region.");
    if (!qk_bytes_is(auth->service, service))
        return kms_fault_set(fault, "InvalidSignatureException",
            "Credential should be scoped to correct service: '%s'.", service);
    return QK_OK;
}

static qk_err check_payload(const struct kms_raw *raw, struct kms_fault *fault)
{
    const struct qk_bytes *said = kms_raw_header(raw, "x-amz-content-sha256");
    uint8_t hash[32];
    char hex[65];
    if (said == NULL) return QK_OK;
    if (kms_raw_body_hash(raw, hash) != QK_OK) return kms_fault_internal(fault, QK_E_CRYPTO);
    qk_hex(hash, sizeof hash, hex);
    return qk_bytes_is(*said, hex) ? QK_OK : invalid(fault, mismatch);
}

qk_err kms_sigv4_parse(const struct kms_raw *raw, uint64_t now_ms, const char *region,
    const char *service, struct kms_sigv4 *auth, struct kms_fault *fault)
{
    struct kms_sigv4 a = {0};
    QK_TRY(kms_sigv4_header_parse(raw, &a, fault));
    QK_TRY(check_signed(raw, &a, fault));
    QK_TRY(check_scope(&a, region, service, fault));
    QK_TRY(kms_sigv4_window(a.amz_date, a.time_ms, now_ms, fault));
    QK_TRY(check_payload(raw, fault));
    if (kms_raw_header(raw, "x-amz-security-token")) return kms_fault_unknown_client(fault);
    *auth = a;
    return QK_OK;
}

static qk_err compute(const struct kms_raw *raw, const struct kms_sigv4 *auth,
    const struct qk_sec32 *signing_key, uint8_t out[static 32])
{
    QK_AUTO_BUF canonical = QK_BUF(CANONICAL_MAX);
    QK_AUTO_BUF text = QK_BUF(1024);
    uint8_t hash[32];
    char hex[65];
    QK_TRY(kms_raw_body_hash(raw, hash));
    qk_hex(hash, sizeof hash, hex);
    QK_TRY(kms_sigv4_canonical(raw, auth->signed_headers, hex, &canonical));
    QK_TRY(kms_sigv4_string_to_sign(
        auth->amz_date, auth->date, auth->region, auth->service, qk_buf_view(&canonical), &text));
    return kms_sigv4_signature(signing_key, qk_buf_view(&text), out);
}

qk_err kms_sigv4_verify(const struct kms_raw *raw, const struct kms_sigv4 *auth,
    const struct qk_sec32 *signing_key, struct kms_fault *fault)
{
    uint8_t want[32];
    qk_err err = compute(raw, auth, signing_key, want);
    if (err >= 500) return kms_fault_internal(fault, err);
    bool equal = err == QK_OK && CRYPTO_memcmp(want, auth->signature, sizeof want) == 0;
    qk_wipe(want, sizeof want); /* the valid signature of a request we may be about to refuse */
    return equal ? QK_OK : invalid(fault, mismatch);
}
