#include "sigv4_header.h"

#include <stdio.h>
#include "amzdate.h"
#include "qk/clock.h"

#define ALGORITHM "AWS4-HMAC-SHA256"

struct parts {
    struct qk_bytes credential, signed_headers, signature;
};

static qk_err incomplete(struct kms_fault *fault, const char *text)
{
    return kms_fault_set(fault, "IncompleteSignatureException", "%s", text);
}

static struct qk_bytes strip(struct qk_bytes v)
{
    while (v.len > 0 && (v.p[0] == ' ' || v.p[0] == '\t')) v = qk_bytes(v.p + 1, v.len - 1);
    while (v.len > 0 && (v.p[v.len - 1] == ' ' || v.p[v.len - 1] == '\t')) v.len--;
    return v;
}

/* Cut up to the next sep (or the end) off *rest. */
static struct qk_bytes cut(struct qk_bytes *rest, char sep)
{
    const uint8_t *at = rest->len ? memchr(rest->p, sep, rest->len) : NULL;
    struct qk_bytes head = qk_bytes(rest->p, at ? (size_t)(at - rest->p) : rest->len);
    size_t used = head.len + (at != NULL);
    *rest = qk_bytes(rest->p + used, rest->len - used);
    return head;
}

/* One "Name=value" of the header. Repeated names would let two readers see two requests. */
static qk_err read_pair(
    struct qk_bytes pair, struct qk_bytes header, struct parts *parts, struct kms_fault *fault)
{
    struct qk_bytes value = pair, name = strip(cut(&value, '='));
    if (name.len == pair.len)
        return kms_fault_set(fault, "IncompleteSignatureException",
            "'%.*s' not a valid key=value pair (missing equal-sign) in Authorization header: "
            "'%.*s'.",
            (int)pair.len, (const char *)pair.p, (int)header.len, (const char *)header.p);
    struct qk_bytes *to = qk_bytes_is(name, "Credential")      ? &parts->credential
                          : qk_bytes_is(name, "SignedHeaders") ? &parts->signed_headers
                          : qk_bytes_is(name, "Signature")     ? &parts->signature
                                                               : NULL;
    if (to == NULL || to->p != NULL)
        return kms_fault_set(fault, "IncompleteSignatureException",
            "Authorization header has an unknown or repeated parameter '%.*s'. Authorization=%.*s",
            (int)name.len, (const char *)name.p, (int)header.len, (const char *)header.p);
    *to = strip(value);
    return QK_OK;
}

static qk_err read_pairs(struct qk_bytes header, struct parts *parts, struct kms_fault *fault)
{
    struct qk_bytes rest = header;
    struct qk_bytes algorithm = cut(&rest, ' ');
    rest = strip(rest);
    while (rest.len > 0) QK_TRY(read_pair(strip(cut(&rest, ',')), header, parts, fault));
    if (!qk_bytes_is(algorithm, ALGORITHM))
        return kms_fault_set(fault, "IncompleteSignatureException",
            "Unsupported AWS 'algorithm': '%.*s'. Authorization=%.*s", (int)algorithm.len,
            (const char *)algorithm.p, (int)header.len, (const char *)header.p);
    return QK_OK;
}

static qk_err check_complete(const struct kms_raw *raw, const struct parts *parts,
    struct qk_bytes header, struct kms_fault *fault)
{
    bool date = kms_raw_header(raw, "x-amz-date") || kms_raw_header(raw, "date");
    if (parts->credential.len && parts->signature.len && parts->signed_headers.len && date)
        return QK_OK;
    return kms_fault_set(fault, "IncompleteSignatureException", "%s%s%s%sAuthorization=%.*s",
        parts->credential.len ? "" : "Authorization header requires 'Credential' parameter. ",
        parts->signature.len ? "" : "Authorization header requires 'Signature' parameter. ",
        parts->signed_headers.len ? ""
                                  : "Authorization header requires 'SignedHeaders' parameter. ",
        date ? ""
             : "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' "
               "header. ",
        (int)header.len, (const char *)header.p);
}

static qk_err read_credential(
    struct qk_bytes credential, struct kms_sigv4 *auth, struct kms_fault *fault)
{
    struct qk_bytes rest = credential, f[5];
    size_t n = 0, slashes = 0;
    for (size_t i = 0; i < credential.len; i++) slashes += credential.p[i] == '/';
    if (slashes == 4)
        for (n = 0; n < 5; n++) f[n] = cut(&rest, '/');
    bool ok = n == 5 && f[0].len > 0 && f[0].len <= 128 && f[1].len == 8;
    for (size_t i = 0; ok && i < f[0].len; i++) {
        uint8_t c = f[0].p[i];
        ok = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
    }
    if (!ok)
        return kms_fault_set(fault, "IncompleteSignatureException",
            "Credential must have exactly 5 slash-delimited elements, e.g. "
            "keyid/date/region/service/term, got '%.*s'",
            (int)credential.len, (const char *)credential.p);
    if (!qk_bytes_is(f[4], "aws4_request"))
        return kms_fault_set(fault, "InvalidSignatureException",
            "Credential should be scoped with a valid terminator: 'aws4_request', not '%.*s'.",
            (int)f[4].len, (const char *)f[4].p);
    auth->access_key_id = f[0];
    auth->date = f[1];
    auth->region = f[2];
    auth->service = f[3];
    return QK_OK;
}

/* Lower case, ascending, distinct: the one order in which they are signed. */
static bool headers_sorted(struct qk_bytes list)
{
    struct qk_bytes last = {NULL, 0};
    for (size_t i = 0; i < list.len; i++)
        if (list.p[i] >= 'A' && list.p[i] <= 'Z') return false;
    while (list.len > 0) {
        struct qk_bytes name = cut(&list, ';');
        size_t common = name.len < last.len ? name.len : last.len;
        int c = common ? memcmp(last.p, name.p, common) : 0;
        if (name.len == 0 || c > 0 || (c == 0 && last.len >= name.len)) return false;
        last = name;
    }
    return true;
}

static const struct qk_bytes *once(const struct kms_raw *raw, const char *name)
{
    return kms_raw_header_count(raw, name) == 1 ? kms_raw_header(raw, name) : NULL;
}

qk_err kms_sigv4_date(
    const struct kms_raw *raw, char amz_date[static 17], uint64_t *ms, struct kms_fault *fault)
{
    bool amz = kms_raw_header(raw, "x-amz-date") != NULL;
    const struct qk_bytes *text = once(raw, amz ? "x-amz-date" : "date");
    if (text == NULL ||
        (kms_date_basic(*text, ms) != QK_OK && (amz || kms_date_http(*text, ms) != QK_OK)))
        return kms_fault_set(fault, "IncompleteSignatureException",
            "Date must be in ISO-8601 'basic format'. Got '%.*s'. See "
            "http://en.wikipedia.org/wiki/ISO_8601",
            text ? (int)text->len : 0, text ? (const char *)text->p : "");
    qk_time_basic(*ms, amz_date);
    return QK_OK;
}

/* Headers that two readers could read differently when repeated. */
static qk_err check_single(const struct kms_raw *raw, struct kms_fault *fault)
{
    static const char *const names[] = {"authorization", "host", "x-amz-target",
        "x-amz-security-token", "x-amz-content-sha256", "content-type"};
    for (size_t i = 0; i < QK_COUNT(names); i++)
        if (kms_raw_header_count(raw, names[i]) > 1)
            return kms_fault_set(fault, "IncompleteSignatureException",
                "Header '%s' must not be repeated.", names[i]);
    return QK_OK;
}

static bool presigned(struct qk_bytes query)
{
    return query.len >= 11 && memmem(query.p, query.len, "X-Amz-", 6) != NULL;
}

qk_err kms_sigv4_header_parse(
    const struct kms_raw *raw, struct kms_sigv4 *auth, struct kms_fault *fault)
{
    struct parts parts = {0};
    const struct qk_bytes *header = kms_raw_header(raw, "authorization");
    if (presigned(raw->query))
        return incomplete(
            fault, "Presigned requests are not accepted: sign with the Authorization header.");
    if (header == NULL || header->len == 0)
        return kms_fault_set(
            fault, "MissingAuthenticationTokenException", "Missing Authentication Token");
    QK_TRY(check_single(raw, fault));
    QK_TRY(read_pairs(*header, &parts, fault));
    QK_TRY(check_complete(raw, &parts, *header, fault));
    QK_TRY(read_credential(parts.credential, auth, fault));
    QK_TRY(kms_sigv4_date(raw, auth->amz_date, &auth->time_ms, fault));
    if (!headers_sorted(parts.signed_headers))
        return kms_fault_set(fault, "InvalidSignatureException",
            "SignedHeaders must be lower case, sorted and distinct.");
    auth->signed_headers = parts.signed_headers;
    if (qk_unhex(parts.signature, auth->signature, 32) != QK_OK)
        return kms_fault_set(fault, "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. Check "
            "your AWS Secret Access Key and signing method. Consult the service documentation for "
            "details.");
    return QK_OK;
}
