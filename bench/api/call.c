#include "api/call.h"

#include <jansson.h>
#include "qk/clock.h"
#include "qk/rng.h"

enum { REQUEST_MAX = 32768 };

/* ---- the request ---- */

struct texts {
    char target[96];
    char invocation[33];
    struct kms_sigv4_headers signature;
};

static qk_err add(struct kms_raw *raw, const char *name, const char *value)
{
    return kms_raw_add_header(raw, qk_str(name), qk_str(value));
}

static qk_err sign(const struct bench_target *t, struct kms_raw *raw, struct texts *x,
    const char *action, struct qk_bytes body)
{
    uint8_t id[16];
    QK_TRY(qk_rng_fill(qk_rng_system(), id, sizeof id));
    qk_hex(id, sizeof id, x->invocation);
    snprintf(x->target, sizeof x->target, "TrentService.%s", action);
    raw->method = qk_str("POST");
    raw->path = qk_str("/");
    raw->body = body;
    QK_TRY(add(raw, "host", t->authority));
    QK_TRY(add(raw, "content-type", "application/x-amz-json-1.1"));
    QK_TRY(add(raw, "x-amz-target", x->target));
    QK_TRY(add(raw, "amz-sdk-invocation-id", x->invocation));
    struct kms_sigv4_signer signer = {.access_key_id = t->access_key_id,
        .secret = qk_str(t->secret),
        .region = t->region,
        .service = "kms",
        .now_ms = qk_now_ms()};
    return kms_sigv4_sign(raw, &signer, &x->signature);
}

static void write_request(const struct kms_raw *raw, struct qk_buf *out)
{
    qk_buf_add_str(out, "POST / HTTP/1.1\r\n");
    for (size_t i = 0; i < raw->n_headers; i++) {
        qk_buf_add(out, raw->headers[i].name.p, raw->headers[i].name.len);
        qk_buf_add_str(out, ": ");
        qk_buf_add(out, raw->headers[i].value.p, raw->headers[i].value.len);
        qk_buf_add_str(out, "\r\n");
    }
    qk_buf_printf(out, "content-length: %zu\r\n\r\n", raw->body.len);
    qk_buf_add(out, raw->body.p, raw->body.len);
}

static qk_err make_request(
    const struct bench_target *t, const char *action, struct qk_bytes body, struct qk_buf *out)
{
    struct kms_raw raw = {0};
    struct texts x;
    QK_TRY(sign(t, &raw, &x, action, body));
    write_request(&raw, out);
    return out->err;
}

/* ---- the answer ---- */

/* "__type" of an error body, without a namespace before '#'. */
static void name_fault(struct bench_outcome *o)
{
    json_t *root =
        json_loadb((const char *)o->reply.body.p, o->reply.body.len, JSON_REJECT_DUPLICATES, NULL);
    const char *type = json_string_value(json_object_get(root, "__type"));
    const char *hash = type ? strrchr(type, '#') : NULL;
    if (type && *type)
        snprintf(o->error, sizeof o->error, "%s", hash ? hash + 1 : type);
    else
        snprintf(o->error, sizeof o->error, "HTTP %u", o->reply.status);
    json_decref(root);
}

static void name_transport(struct bench_outcome *o, qk_err err, bool opening)
{
    const char *what = "connection lost";
    if (opening) what = err == QK_E_CRYPTO ? "TLS handshake failed" : "cannot connect";
    if (err == QK_E_TIMEOUT) what = "timeout";
    if (err == QK_E_MALFORMED) what = "malformed response";
    if (err == QK_E_TOO_LARGE) what = "response too large";
    snprintf(o->error, sizeof o->error, "%s", what);
}

qk_err bench_call(
    struct bench_conn *c, const char *action, struct qk_bytes body, struct bench_outcome *out)
{
    QK_AUTO_BUF request = QK_BUF(REQUEST_MAX);
    *out = (struct bench_outcome){0};
    QK_TRY(make_request(c->target, action, body, &request));
    bool opening = c->fd < 0;
    qk_err err = opening ? bench_conn_open(c) : QK_OK;
    if (err == QK_OK) {
        opening = false;
        err = bench_conn_exchange(c, qk_buf_view(&request), &out->reply);
    }
    if (err != QK_OK) {
        name_transport(out, err, opening);
        return QK_OK;
    }
    out->ok = out->reply.status == 200;
    if (!out->ok) name_fault(out);
    if (out->reply.close) bench_conn_close(c);
    return QK_OK;
}
