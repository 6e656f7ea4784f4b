#include "api.h"
#include "http.h"
#include "plain.h"

#include "kms/operator.h"
#include "qk/clock.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

enum { CALL_TIMEOUT_MS = 60000 };

static qk_err complain(qk_err err, const char *text, char *why, size_t why_len)
{
    (void)snprintf(why, why_len, "%s", text);
    return err;
}

static qk_err read_answer(
    int status, struct qk_bytes body, json_t **answer, char *why, size_t why_len)
{
    json_error_t bad;
    json_t *value = body.len == 0
                        ? json_object()
                        : json_loadb((const char *)body.p, body.len, JSON_REJECT_DUPLICATES, &bad);
    if (!json_is_object(value)) {
        json_decref(value);
        (void)snprintf(why, why_len, "HTTP %d with an answer that is not JSON", status);
        return QK_E_CORRUPT;
    }
    if (status == 200) {
        *answer = value;
        return QK_OK;
    }
    const char *type = json_string_value(json_object_get(value, "__type"));
    const char *text = json_string_value(json_object_get(value, "message"));
    bool later = status >= 500 || (type != NULL && strcmp(type, "ThrottlingException") == 0);
    (void)snprintf(why, why_len, "%s%s%s", type != NULL ? type : "unnamed error",
        text != NULL ? ": " : "", text != NULL ? text : "");
    qkms_plain(why);
    json_decref(value);
    return later ? QK_E_BUSY : QK_E_DENIED;
}

static qk_err frame(struct kms_raw *raw, const struct qkms_env *env, const char *target,
    struct qk_bytes body, char *why, size_t why_len)
{
    struct qk_bytes host;
    QK_TRY(qkms_http_host(env->endpoint, &host, why, why_len));
    raw->method = qk_str("POST");
    raw->path = qk_str("/");
    raw->body = body;
    QK_TRY(kms_raw_add_header(raw, qk_str("Host"), host));
    QK_TRY(kms_raw_add_header(raw, qk_str("Content-Type"), qk_str("application/x-amz-json-1.1")));
    return kms_raw_add_header(raw, qk_str("X-Amz-Target"), qk_str(target));
}

static qk_err send_raw(const struct qkms_env *env, const struct kms_raw *raw, json_t **answer,
    char *why, size_t why_len)
{
    struct qkms_http http = {
        .endpoint = env->endpoint, .ca_bundle = env->ca_bundle, .timeout_ms = CALL_TIMEOUT_MS};
    QK_AUTO_BUF body = QK_BUF(QKMS_HTTP_ANSWER_MAX);
    int status = 0;
    QK_TRY(qkms_http_post(&http, raw, &status, &body, why, why_len));
    return read_answer(status, qk_buf_view(&body), answer, why, why_len);
}

static qk_err call_user(const struct qkms_env *env, const char *target, struct qk_bytes body,
    json_t **answer, char *why, size_t why_len)
{
    struct kms_raw raw = {.n_headers = 0};
    struct kms_sigv4_headers headers;
    struct kms_sigv4_signer signer = {.access_key_id = env->access_key_id,
        .secret = qk_str(env->secret),
        .region = env->region,
        .service = "kms",
        .now_ms = qk_now_ms()};
    QK_TRY(frame(&raw, env, target, body, why, why_len));
    qk_err err = kms_sigv4_sign(&raw, &signer, &headers);
    if (err != QK_OK) return complain(err, "cannot sign the request", why, why_len);
    return send_raw(env, &raw, answer, why, why_len);
}

static qk_err sign_as(const struct kms_raw *raw, const struct qkms_operator *op, struct qk_buf *out)
{
    QK_AUTO_BUF text = QK_BUF(16384);
    QK_AUTO_BUF der = QK_BUF(WIRE_DER_SIG_MAX);
    uint8_t digest[32];
    QK_TRY(kms_operator_text(raw, op->name, op->cluster->hash, &text));
    QK_ENSURE(EVP_Digest(text.p, text.len, digest, NULL, EVP_sha256(), NULL) == 1, QK_E_CRYPTO);
    QK_TRY(wire_identity_sign_digest(op->identity, digest, &der));
    kms_operator_header(op->name, qk_buf_view(&der), out);
    return out->err;
}

static qk_err call_as(const struct qkms_env *env, const struct qkms_operator *op,
    const char *target, struct qk_bytes body, json_t **answer, char *why, size_t why_len)
{
    struct kms_raw raw = {.n_headers = 0};
    QK_AUTO_BUF authorization = QK_BUF(1024);
    char date[17];
    qk_time_basic(qk_now_ms(), date);
    QK_TRY(frame(&raw, env, target, body, why, why_len));
    QK_TRY(kms_raw_add_header(&raw, qk_str("X-Amz-Date"), qk_str(date)));
    qk_err err = sign_as(&raw, op, &authorization);
    if (err != QK_OK) return complain(err, "cannot sign as operator", why, why_len);
    QK_TRY(kms_raw_add_header(&raw, qk_str("Authorization"), qk_buf_view(&authorization)));
    return send_raw(env, &raw, answer, why, why_len);
}

static void free_text(char **text)
{
    free(*text);
}

qk_err qkms_call(const struct qkms_env *env, const char *target, const json_t *args,
    json_t **answer, char *why, size_t why_len)
{
    __attribute__((cleanup(free_text))) char *body = json_dumps(args, JSON_COMPACT);
    if (body == NULL) return complain(QK_E_NOMEM, "out of memory", why, why_len);
    return call_user(env, target, qk_str(body), answer, why, why_len);
}

qk_err qkms_call_operator(const struct qkms_env *env, const struct qkms_operator *op,
    const char *target, const json_t *args, json_t **answer, char *why, size_t why_len)
{
    __attribute__((cleanup(free_text))) char *body = json_dumps(args, JSON_COMPACT);
    if (body == NULL) return complain(QK_E_NOMEM, "out of memory", why, why_len);
    return call_as(env, op, target, qk_str(body), answer, why, why_len);
}
