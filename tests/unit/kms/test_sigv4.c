#include "qktest/qktest.h"

#include <jansson.h>
#include <stdio.h>
#include "kms/sigv4.h"
#include "kmskit.h"
#include "qk/clock.h"

/* ---- AWS's public suite: canonical request, string to sign, signature ---- */

static const char *text(const json_t *o, const char *name)
{
    return json_string_value(json_object_get(o, name));
}

/* "Name:value" lines up to an empty one; a line that starts with a space goes on the one before. */
static char *read_headers(char *at, struct kms_raw *raw)
{
    while (*at != 0 && *at != '\n') {
        char *end = strchr(at, '\n'), *colon = memchr(at, ':', (size_t)(end - at));
        cr_assert_not_null(end);
        cr_assert_not_null(colon);
        while (end[1] == ' ') {
            *end = ' ';
            end = strchr(end, '\n');
        }
        qk_assert_ok(kms_raw_add_header(raw, qk_bytes(at, (size_t)(colon - at)),
            qk_bytes(colon + 1, (size_t)(end - colon - 1))));
        at = end + 1;
    }
    return at;
}

static struct kms_raw read_request(char *at)
{
    struct kms_raw raw = {.n_headers = 0};
    char *space = strchr(at, ' '), *end = strstr(at, " HTTP/1.1\n");
    char *query = memchr(space, '?', (size_t)(end - space));
    char *path_end = query ? query : end;
    raw.method = qk_bytes(at, (size_t)(space - at));
    raw.path = qk_bytes(space + 1, (size_t)(path_end - space - 1));
    if (query) raw.query = qk_bytes(query + 1, (size_t)(end - query - 1));
    at = read_headers(end + 10, &raw);
    if (*at == '\n') raw.body = qk_str(at + 1);
    return raw;
}

static struct qk_bytes signed_headers(const struct kms_raw *raw)
{
    struct qk_bytes auth = *kms_raw_header(raw, "authorization");
    const uint8_t *at = memmem(auth.p, auth.len, "SignedHeaders=", 14);
    const uint8_t *end = memchr(at, ',', auth.len - (size_t)(at - auth.p));
    return qk_bytes(at + 14, (size_t)(end - at - 14));
}

static void check_case(const json_t *c)
{
    const json_t *ctx = json_object_get(c, "context"), *who = json_object_get(ctx, "credentials");
    const char *name = text(c, "name"), *signature = text(c, "signature");
    char *copy = strdup(text(c, "signed"));
    struct kms_raw raw = read_request(copy);
    QK_AUTO_BUF canonical = QK_BUF(65536);
    QK_AUTO_BUF to_sign = QK_BUF(1024);
    uint8_t hash[32], sig[32];
    char hex[65];
    QK_SEC32(day_key);
    QK_SEC32(signing_key);
    qk_assert_ok(kms_raw_body_hash(&raw, hash));
    qk_hex(hash, 32, hex);
    qk_assert_ok(kms_sigv4_canonical(&raw, signed_headers(&raw), hex, &canonical));
    cr_expect_str_eq(qk_buf_cstr(&canonical), text(c, "canonical"), "%s", name);
    const char *region = text(ctx, "region"), *service = text(ctx, "service");
    qk_assert_ok(kms_sigv4_string_to_sign("20150830T123600Z", qk_str("20150830"), qk_str(region),
        qk_str(service), qk_buf_view(&canonical), &to_sign));
    cr_expect_str_eq(qk_buf_cstr(&to_sign), text(c, "string_to_sign"), "%s", name);
    qk_assert_ok(
        kms_sigv4_day_key(qk_str(text(who, "secret_access_key")), qk_str("20150830"), &day_key));
    qk_assert_ok(kms_sigv4_signing_key(&day_key, qk_str(region), qk_str(service), &signing_key));
    qk_assert_ok(kms_sigv4_signature(&signing_key, qk_buf_view(&to_sign), sig));
    qk_hex(sig, 32, hex);
    cr_expect_str_eq(hex, signature, "%s", name);
    free(copy);
}

QK_TEST(sigv4, agrees_with_the_public_suite_of_aws)
{
    json_error_t where;
    json_t *suite = json_load_file(QK_VECTORS "/sigv4.json", 0, &where);
    cr_assert_not_null(suite, "%s", where.text);
    json_t *cases = json_object_get(suite, "cases");
    cr_assert_gt(json_array_size(cases), 25);
    for (size_t i = 0; i < json_array_size(cases); i++) check_case(json_array_get(cases, i));
    json_decref(suite);
}

/* ---- our rules ---- */

#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define MISMATCH                                                                                   \
    "The request signature we calculated does not match the signature you provided. Check your "   \
    "AWS "                                                                                         \
    "Secret Access Key and signing method. Consult the service documentation for details."

struct signed_request {
    struct kms_raw raw;
    struct kms_sigv4_headers headers;
};

static void sign_at(
    struct signed_request *s, uint64_t now_ms, const char *region, const char *service)
{
    const struct kms_sigv4_signer signer = {
        .access_key_id = KIT_ALICE,
        .secret = qk_str(SECRET),
        .region = region,
        .service = service,
        .now_ms = now_ms,
    };
    s->raw = kit_raw("TrentService.Sign", "{\"KeyId\":\"x\"}");
    qk_assert_ok(kms_sigv4_sign(&s->raw, &signer, &s->headers));
}

static void sign(struct signed_request *s)
{
    sign_at(s, KIT_NOW, KIT_REGION, "kms");
}

/* Of a secret, for this region and service kms. */
static void signing_key(const char *secret, struct qk_bytes date, struct qk_sec32 *out)
{
    QK_SEC32(day_key);
    qk_assert_ok(kms_sigv4_day_key(qk_str(secret), date, &day_key));
    qk_assert_ok(kms_sigv4_signing_key(&day_key, qk_str(KIT_REGION), qk_str("kms"), out));
}

static qk_err check(const struct kms_raw *raw, uint64_t now_ms, struct kms_fault *fault)
{
    struct kms_sigv4 auth;
    QK_SEC32(key);
    QK_TRY(kms_sigv4_parse(raw, now_ms, KIT_REGION, "kms", &auth, fault));
    signing_key(SECRET, auth.date, &key);
    return kms_sigv4_verify(raw, &auth, &key, fault);
}

static struct qk_bytes *value_of(struct kms_raw *raw, const char *name)
{
    return (struct qk_bytes *)(uintptr_t)kms_raw_header(raw, name);
}

static void expect(const struct kms_raw *raw, uint64_t now, const char *type, const char *message)
{
    struct kms_fault fault = {0};
    qk_assert_err(check(raw, now, &fault), QK_E_DENIED);
    cr_expect_str_eq(fault.type, type, "for %s", message);
    cr_expect_str_eq(fault.message, message);
    cr_expect_eq(fault.http_status, 400);
    struct kms_fault relayed; /* every fault must survive the way from a node */
    qk_assert_ok(kms_fault_from_parts(qk_str(fault.type), qk_str(fault.message), true, &relayed));
}

QK_TEST(sigv4, a_signed_request_verifies)
{
    struct signed_request s;
    struct kms_fault fault;
    sign(&s);
    qk_assert_ok(kms_raw_check(&s.raw));
    qk_assert_ok(check(&s.raw, KIT_NOW, &fault));
    qk_assert_ok(check(&s.raw, KIT_NOW + KMS_SKEW_MS, &fault));
    qk_assert_ok(check(&s.raw, KIT_NOW - KMS_SKEW_MS, &fault));
}

QK_TEST(sigv4, a_relayed_request_verifies_also_by_body_hash)
{
    struct signed_request s;
    struct kms_fault fault;
    struct kms_raw again;
    uint8_t hash[32];
    sign(&s);
    QK_AUTO_BUF wire = QK_BUF(KMS_RAW_ENCODED_MAX);
    qk_assert_ok(kms_raw_encode(&s.raw, &wire));
    qk_assert_ok(kms_raw_decode(qk_buf_view(&wire), &again));
    qk_assert_ok(check(&again, KIT_NOW, &fault));
    qk_assert_ok(kms_raw_body_hash(&s.raw, hash));
    again.body = QK_BYTES(hash);
    again.body_is_hash = true;
    qk_assert_ok(check(&again, KIT_NOW, &fault));
}

static void bend_body(struct kms_raw *r)
{
    r->body = qk_str("{\"KeyId\":\"y\"}");
}
static void bend_method(struct kms_raw *r)
{
    r->method = qk_str("PUT");
}
static void bend_path(struct kms_raw *r)
{
    r->path = qk_str("/x");
}
static void bend_query(struct kms_raw *r)
{
    r->query = qk_str("async=1");
}
static void bend_host(struct kms_raw *r)
{
    *value_of(r, "host") = qk_str("elsewhere");
}
static void bend_target(struct kms_raw *r)
{
    *value_of(r, "x-amz-target") = qk_str("TrentService.Verify");
}
static void bend_time(struct kms_raw *r)
{
    *value_of(r, "x-amz-date") = qk_str("20260921T141321Z");
}
static void bend_lost(struct kms_raw *r)
{
    r->headers[1].name = qk_str("x-other");
}

QK_TEST(sigv4, every_bent_part_breaks_the_signature)
{
    static void (*const bends[])(struct kms_raw *) = {bend_body, bend_method, bend_path, bend_query,
        bend_host, bend_target, bend_time, bend_lost};
    for (size_t i = 0; i < QK_COUNT(bends); i++) {
        struct signed_request s;
        sign(&s);
        bends[i](&s.raw);
        expect(&s.raw, KIT_NOW, "InvalidSignatureException", MISMATCH);
    }
}

QK_TEST(sigv4, another_key_does_not_verify)
{
    struct signed_request s;
    struct kms_sigv4 auth;
    struct kms_fault fault;
    QK_SEC32(wrong);
    sign(&s);
    qk_assert_ok(kms_sigv4_parse(&s.raw, KIT_NOW, KIT_REGION, "kms", &auth, &fault));
    signing_key("another secret", auth.date, &wrong);
    qk_assert_err(kms_sigv4_verify(&s.raw, &auth, &wrong, &fault), QK_E_DENIED);
    cr_assert_str_eq(fault.type, "InvalidSignatureException");
    signing_key(SECRET, qk_str("20260922"), &wrong);
    qk_assert_err(kms_sigv4_verify(&s.raw, &auth, &wrong, &fault), QK_E_DENIED);
}

QK_TEST(sigv4, the_window_is_five_minutes_each_way)
{
    struct signed_request s;
    sign(&s);
    expect(&s.raw, KIT_NOW + KMS_SKEW_MS + 1000, "InvalidSignatureException",
        "Signature expired: 20260921T141320Z is now earlier than 20260921T141321Z "
        "(20260921T141821Z - 5 "
        "min.)");
    expect(&s.raw, KIT_NOW - KMS_SKEW_MS - 1000, "InvalidSignatureException",
        "Signature not yet current: 20260921T141320Z is still later than 20260921T141319Z "
        "(20260921T140819Z + 5 min.)");
}

QK_TEST(sigv4, scope_must_be_ours)
{
    struct signed_request s;
    sign_at(&s, KIT_NOW, "eu-west-1", "kms");
    expect(&s.raw, KIT_NOW, "InvalidSignatureException",
        "Credential should be scoped to a valid region.");
    sign_at(&s, KIT_NOW, KIT_REGION, "sts");
    expect(&s.raw, KIT_NOW, "InvalidSignatureException",
        "Credential should be scoped to correct service: 'kms'.");
    sign(&s);
    *value_of(&s.raw, "x-amz-date") = qk_str("20260922T000000Z");
    expect(&s.raw, KIT_NOW, "InvalidSignatureException",
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP");
}

QK_TEST(sigv4, authorization_must_be_there_and_complete)
{
    struct signed_request s;
    sign(&s);
    s.raw.n_headers--; /* authorization is the last one */
    expect(&s.raw, KIT_NOW, "MissingAuthenticationTokenException", "Missing Authentication Token");

    static const char *const bad[][2] = {
        {"AWS4-HMAC-SHA256 SignedHeaders=host, Signature=00",
            "Authorization header requires 'Credential' parameter. "
            "Authorization=AWS4-HMAC-SHA256 SignedHeaders=host, Signature=00"},
        {"AWS4-HMAC-SHA256 Credential=a/b/c/d/e",
            "Authorization header requires 'Signature' parameter. Authorization header requires "
            "'SignedHeaders' parameter. Authorization=AWS4-HMAC-SHA256 Credential=a/b/c/d/e"},
        {"Basic YWJj", "'YWJj' not a valid key=value pair (missing equal-sign) in Authorization "
                       "header: 'Basic "
                       "YWJj'."},
        {"AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=00",
            "Credential must have exactly 5 slash-delimited elements, e.g. "
            "keyid/date/region/service/term, got 'a/b'"},
    };
    for (size_t i = 0; i < QK_COUNT(bad); i++) {
        sign(&s);
        *value_of(&s.raw, "authorization") = qk_str(bad[i][0]);
        expect(&s.raw, KIT_NOW, "IncompleteSignatureException", bad[i][1]);
    }
    s.raw = kit_raw("TrentService.Sign", "{}");
    qk_assert_ok(kms_raw_add_header(&s.raw, qk_str("Authorization"),
        qk_str("AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host, Signature=00")));
    expect(&s.raw, KIT_NOW, "IncompleteSignatureException",
        "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "
        "Authorization=AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host, Signature=00");
}

/* Sign, then take one name out of SignedHeaders: refused before any secret is needed. */
static void expect_unsigned(const char *list, const char *message)
{
    char value[512];
    struct signed_request s;
    sign(&s);
    snprintf(value, sizeof value,
        "AWS4-HMAC-SHA256 Credential=" KIT_ALICE "/20260921/us-east-1/kms/aws4_request, "
        "SignedHeaders=%s, Signature=%064d",
        list, 0);
    *value_of(&s.raw, "authorization") = qk_str(value);
    expect(&s.raw, KIT_NOW, "InvalidSignatureException", message);
}

QK_TEST(sigv4, host_date_target_and_token_must_be_signed)
{
    expect_unsigned("content-type;x-amz-date;x-amz-target",
        "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
    expect_unsigned(
        "host;x-amz-target", "'x-amz-date' must be a 'SignedHeader' in the AWS Authorization.");
    expect_unsigned(
        "host;x-amz-date", "'x-amz-target' must be a 'SignedHeader' in the AWS Authorization.");
    expect_unsigned(
        "x-amz-date;host;x-amz-target", "SignedHeaders must be lower case, sorted and distinct.");
    expect_unsigned(
        "host;host;x-amz-date", "SignedHeaders must be lower case, sorted and distinct.");
    expect_unsigned("Host;x-amz-date", "SignedHeaders must be lower case, sorted and distinct.");

    struct signed_request s;
    sign(&s);
    qk_assert_ok(kms_raw_add_header(&s.raw, qk_str("X-Amz-Security-Token"), qk_str("token")));
    expect(&s.raw, KIT_NOW, "InvalidSignatureException",
        "'x-amz-security-token' must be a 'SignedHeader' in the AWS Authorization.");
}

static void sign_with(struct signed_request *s, const char *name, const char *value)
{
    const struct kms_sigv4_signer signer = {KIT_ALICE, qk_str(SECRET), KIT_REGION, "kms", KIT_NOW};
    s->raw = kit_raw("TrentService.Sign", "{}");
    qk_assert_ok(kms_raw_add_header(&s->raw, qk_str(name), qk_str(value)));
    qk_assert_ok(kms_sigv4_sign(&s->raw, &signer, &s->headers));
}

QK_TEST(sigv4, a_payload_hash_header_must_be_true)
{
    struct signed_request s;
    struct kms_fault fault;
    sign_with(&s, "x-amz-content-sha256",
        "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    qk_assert_ok(check(&s.raw, KIT_NOW, &fault));
    sign_with(&s, "x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    expect(&s.raw, KIT_NOW, "InvalidSignatureException", MISMATCH);
    sign_with(&s, "x-amz-content-sha256",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect(&s.raw, KIT_NOW, "InvalidSignatureException", MISMATCH);
}

QK_TEST(sigv4, tokens_presigned_queries_and_repeated_headers_are_refused)
{
    struct signed_request s;
    sign_with(&s, "x-amz-security-token", "token");
    expect(&s.raw, KIT_NOW, "UnrecognizedClientException",
        "The security token included in the request is invalid.");
    sign(&s);
    s.raw.query = qk_str("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00");
    expect(&s.raw, KIT_NOW, "IncompleteSignatureException",
        "Presigned requests are not accepted: sign with the Authorization header.");
    sign_with(&s, "x-amz-target", "TrentService.Encrypt");
    expect(&s.raw, KIT_NOW, "IncompleteSignatureException",
        "Header 'x-amz-target' must not be repeated.");
}

QK_TEST(sigv4, unsigned_extra_headers_are_tolerated)
{
    struct signed_request s;
    struct kms_fault fault;
    sign(&s);
    qk_assert_ok(kms_raw_add_header(&s.raw, qk_str("amz-sdk-request"), qk_str("attempt=1")));
    qk_assert_ok(check(&s.raw, KIT_NOW, &fault));
}

QK_TEST(sigv4, a_plain_date_header_serves_too)
{
    struct kms_raw raw = kit_raw("TrentService.Sign", "{}");
    struct kms_sigv4 auth;
    struct kms_fault fault;
    qk_assert_ok(kms_raw_add_header(&raw, qk_str("Date"), qk_str("Mon, 21 Sep 2026 14:13:20 GMT")));
    qk_assert_ok(kms_raw_add_header(&raw, qk_str("Authorization"),
        qk_str("AWS4-HMAC-SHA256 Credential=" KIT_ALICE "/20260921/us-east-1/kms/aws4_request, "
               "SignedHeaders=date;host;x-amz-target, Signature="
               "0000000000000000000000000000000000000000000000000000000000000000")));
    qk_assert_ok(kms_sigv4_parse(&raw, KIT_NOW, KIT_REGION, "kms", &auth, &fault));
    cr_assert_str_eq(auth.amz_date, KIT_AMZ_DATE);
    raw.headers[3].value = qk_str("Mon, 31 Feb 2026 14:13:20 GMT");
    qk_assert_err(kms_sigv4_parse(&raw, KIT_NOW, KIT_REGION, "kms", &auth, &fault), QK_E_DENIED);
    cr_assert_str_eq(fault.type, "IncompleteSignatureException");
}
