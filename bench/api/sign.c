#include "api/sign.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include "qk/clock.h"
#include "qk/rng.h"

#define SIGNED_HEADERS "amz-sdk-invocation-id;content-type;host;x-amz-date;x-amz-target"
#define CONTENT_TYPE   "application/x-amz-json-1.1"

enum { POOL = 4096, CANONICAL_MAX = 2048 };

struct bench_signer {
    const struct bench_target *target;
    EVP_MD *sha256;
    EVP_MD_CTX *md;
    EVP_MAC *hmac;
    EVP_MAC_CTX *mac; /* holds the signing key of the day */
    uint64_t now_s;   /* what date says */
    char date[17];
    char scope[96];          /* "20261125/region/kms/aws4_request" */
    char credential[400];    /* the Authorization header up to the signature */
    struct qk_buf canonical; /* kept for its memory */
    uint8_t pool[POOL];
    size_t pool_used;
};

static void add_view(struct qk_buf *b, struct qk_bytes v)
{
    qk_buf_add(b, v.p, v.len);
}

/* ---- the day ---- */

static qk_err set_key(struct bench_signer *s)
{
    QK_SEC32(day);
    QK_SEC32(key);
    char name[] = "SHA256";
    OSSL_PARAM how[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
        OSSL_PARAM_construct_end()};
    QK_TRY(kms_sigv4_day_key(qk_str(s->target->secret), qk_bytes(s->date, 8), &day));
    QK_TRY(kms_sigv4_signing_key(&day, qk_str(s->target->region), qk_str("kms"), &key));
    return EVP_MAC_init(s->mac, key.b, sizeof key.b, how) == 1 ? QK_OK : QK_E_CRYPTO;
}

static qk_err set_day(struct bench_signer *s)
{
    snprintf(s->scope, sizeof s->scope, "%.8s/%s/kms/aws4_request", s->date, s->target->region);
    snprintf(s->credential, sizeof s->credential,
        "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=" SIGNED_HEADERS ", Signature=",
        s->target->access_key_id, s->scope);
    return set_key(s);
}

static qk_err set_time(struct bench_signer *s, uint64_t now_ms)
{
    char day[8];
    if (now_ms / 1000 == s->now_s) return QK_OK;
    memcpy(day, s->date, sizeof day);
    qk_time_basic(now_ms, s->date);
    s->now_s = now_ms / 1000;
    return memcmp(day, s->date, sizeof day) == 0 ? QK_OK : set_day(s);
}

/* ---- one signature ---- */

static qk_err hash_hex(struct bench_signer *s, struct qk_bytes data, char hex[static 65])
{
    uint8_t hash[32];
    QK_ENSURE(EVP_DigestInit_ex2(s->md, s->sha256, NULL) == 1 &&
                  EVP_DigestUpdate(s->md, data.p, data.len) == 1 &&
                  EVP_DigestFinal_ex(s->md, hash, NULL) == 1,
        QK_E_CRYPTO);
    qk_hex(hash, sizeof hash, hex);
    return QK_OK;
}

/* The headers that are signed, in the form that HTTP and the canonical request share. */
static void add_headers(struct bench_signer *s, struct qk_buf *out, const char *colon,
    const char *end, const char *action, const char *id)
{
    const char *const lines[][2] = {{"amz-sdk-invocation-id", id}, {"content-type", CONTENT_TYPE},
        {"host", s->target->authority}, {"x-amz-date", s->date}};
    for (size_t i = 0; i < QK_COUNT(lines); i++) {
        qk_buf_add_str(out, lines[i][0]);
        qk_buf_add_str(out, colon);
        qk_buf_add_str(out, lines[i][1]);
        qk_buf_add_str(out, end);
    }
    qk_buf_add_str(out, "x-amz-target");
    qk_buf_add_str(out, colon);
    qk_buf_add_str(out, "TrentService.");
    qk_buf_add_str(out, action);
    qk_buf_add_str(out, end);
}

static qk_err canonical_hash(struct bench_signer *s, const char *action, const char *id,
    struct qk_bytes body, char hex[static 65])
{
    struct qk_buf *c = &s->canonical;
    QK_TRY(hash_hex(s, body, hex));
    qk_buf_clear(c);
    qk_buf_add_str(c, "POST\n/\n\n");
    add_headers(s, c, ":", "\n", action, id);
    qk_buf_add_str(c, "\n" SIGNED_HEADERS "\n");
    qk_buf_add(c, hex, 64);
    QK_TRY(c->err);
    return hash_hex(s, qk_buf_view(c), hex);
}

static qk_err signature(struct bench_signer *s, const char *canonical_hex, char hex[static 65])
{
    struct qk_buf *text = &s->canonical;
    uint8_t mac[32];
    size_t len;
    qk_buf_clear(text);
    qk_buf_add_str(text, "AWS4-HMAC-SHA256\n");
    qk_buf_add(text, s->date, 16);
    qk_buf_add_str(text, "\n");
    qk_buf_add_str(text, s->scope);
    qk_buf_add_str(text, "\n");
    qk_buf_add(text, canonical_hex, 64);
    QK_TRY(text->err);
    QK_ENSURE(EVP_MAC_init(s->mac, NULL, 0, NULL) == 1 && /* the same key again */
                  EVP_MAC_update(s->mac, text->p, text->len) == 1 &&
                  EVP_MAC_final(s->mac, mac, &len, sizeof mac) == 1,
        QK_E_CRYPTO);
    qk_hex(mac, sizeof mac, hex);
    return QK_OK;
}

static void add_number(struct qk_buf *out, size_t n)
{
    char digits[24];
    size_t at = sizeof digits;
    do digits[--at] = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    qk_buf_add(out, digits + at, sizeof digits - at);
}

static qk_err request(struct bench_signer *s, const char *action, const char *id,
    struct qk_bytes body, struct qk_buf *out)
{
    char canonical[65], sig[65];
    QK_TRY(canonical_hash(s, action, id, body, canonical));
    QK_TRY(signature(s, canonical, sig));
    qk_buf_clear(out);
    qk_buf_add_str(out, "POST / HTTP/1.1\r\n");
    add_headers(s, out, ": ", "\r\n", action, id);
    qk_buf_add_str(out, "authorization: ");
    qk_buf_add_str(out, s->credential);
    qk_buf_add(out, sig, 64);
    qk_buf_add_str(out, "\r\ncontent-length: ");
    add_number(out, body.len);
    qk_buf_add_str(out, "\r\n\r\n");
    add_view(out, body);
    return out->err;
}

qk_err bench_signer_request(
    struct bench_signer *s, const char *action, struct qk_bytes body, struct qk_buf *out)
{
    uint8_t raw[16];
    char id[33];
    QK_TRY(set_time(s, qk_now_ms()));
    QK_TRY(bench_signer_random(s, raw, sizeof raw));
    qk_hex(raw, sizeof raw, id);
    return request(s, action, id, body, out);
}

/* ---- random bytes ---- */

qk_err bench_signer_random(struct bench_signer *s, uint8_t *out, size_t len)
{
    QK_ENSURE(len <= POOL, QK_E_STATE);
    if (s->pool_used + len > POOL) {
        QK_TRY(qk_rng_fill(qk_rng_system(), s->pool, POOL));
        s->pool_used = 0;
    }
    memcpy(out, s->pool + s->pool_used, len);
    s->pool_used += len;
    return QK_OK;
}

/* ---- life ---- */

/* Our request and the library's signature over the same headers must agree. */
static qk_err agrees_with_library(struct bench_signer *s)
{
    static const char id[] = "0123456789abcdef0123456789abcdef";
    struct kms_raw raw = {.method = qk_str("POST"), .path = qk_str("/"), .body = qk_str("{}")};
    const char *const headers[][2] = {{"amz-sdk-invocation-id", id}, {"content-type", CONTENT_TYPE},
        {"host", s->target->authority}, {"x-amz-target", "TrentService.ListKeys"}};
    struct kms_sigv4_headers theirs;
    uint64_t now_ms = qk_now_ms();
    struct kms_sigv4_signer signer = {.access_key_id = s->target->access_key_id,
        .secret = qk_str(s->target->secret),
        .region = s->target->region,
        .service = "kms",
        .now_ms = now_ms};
    QK_AUTO_BUF ours = QK_BUF(CANONICAL_MAX);
    for (size_t i = 0; i < QK_COUNT(headers); i++)
        QK_TRY(kms_raw_add_header(&raw, qk_str(headers[i][0]), qk_str(headers[i][1])));
    QK_TRY(kms_sigv4_sign(&raw, &signer, &theirs));
    QK_TRY(set_time(s, now_ms));
    QK_TRY(request(s, "ListKeys", id, raw.body, &ours));
    return strstr(qk_buf_cstr(&ours), theirs.authorization) ? QK_OK : QK_E_CRYPTO;
}

static qk_err set_up(struct bench_signer *s)
{
    s->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    s->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    s->md = EVP_MD_CTX_new();
    s->mac = s->hmac ? EVP_MAC_CTX_new(s->hmac) : NULL;
    QK_ENSURE(s->sha256 && s->md && s->mac, QK_E_NOMEM);
    return agrees_with_library(s);
}

qk_err bench_signer_new(struct bench_signer **out, const struct bench_target *target)
{
    struct bench_signer *s = calloc(1, sizeof *s);
    QK_ENSURE(s != NULL, QK_E_NOMEM);
    s->target = target;
    s->canonical = (struct qk_buf)QK_BUF(CANONICAL_MAX);
    s->pool_used = POOL;
    qk_err err = set_up(s);
    if (err != QK_OK)
        bench_signer_free(s);
    else
        *out = s;
    return err;
}

void bench_signer_free(struct bench_signer *s)
{
    if (!s) return;
    EVP_MAC_CTX_free(s->mac);
    EVP_MAC_free(s->hmac);
    EVP_MD_CTX_free(s->md);
    EVP_MD_free(s->sha256);
    qk_buf_free(&s->canonical);
    free(s);
}
