#include "api/keys.h"

#include <ctype.h>
#include <jansson.h>
#include <openssl/x509.h>
#include "common/tell.h"
#include "qk/rng.h"

enum { BODY_MAX = 4096, SPKI_MAX = 1024 };

static const struct {
    const char *name, *action;
} ops[] = {
    [BENCH_SIGN] = {"sign", "Sign"},
    [BENCH_DESCRIBE_KEY] = {"describe-key", "DescribeKey"},
    [BENCH_GET_PUBLIC_KEY] = {"get-public-key", "GetPublicKey"},
    [BENCH_VERIFY] = {"verify", "Verify"},
    [BENCH_DISABLE_KEY] = {"disable-key", "DisableKey"},
};

static const struct {
    const char *spec, *algorithm;
    size_t digest_len;
} specs[] = {
    {"ECC_NIST_P256", "ECDSA_SHA_256", 32},
    {"ECC_SECG_P256K1", "ECDSA_SHA_256", 32},
    {"ECC_NIST_P384", "ECDSA_SHA_384", 48},
    {"ECC_NIST_P521", "ECDSA_SHA_512", 64},
};

const char *bench_op_name(unsigned op)
{
    return op < QK_COUNT(ops) ? ops[op].name : NULL;
}

const char *bench_op_action(enum bench_op op, uint64_t turn)
{
    return op == BENCH_DISABLE_KEY && turn % 2 == 1 ? "EnableKey" : ops[op].action;
}

bool bench_op_changes(enum bench_op op)
{
    return op == BENCH_DISABLE_KEY;
}

bool bench_spec_known(const char *spec)
{
    for (size_t i = 0; i < QK_COUNT(specs); i++)
        if (strcmp(spec, specs[i].spec) == 0) return true;
    return false;
}

/* ---- calls that prepare ---- */

static void json_free(json_t **j)
{
    json_decref(*j);
}
#define AUTO_JSON __attribute__((cleanup(json_free))) json_t

/* A call that must succeed; its answer as JSON, owned by the caller. */
static qk_err ask(struct bench_conn *c, const char *action, struct qk_bytes body, json_t **out)
{
    struct bench_outcome o;
    QK_TRY(bench_call(c, action, body, &o));
    if (!o.ok) {
        bench_error("%s: %s %.*s", action, o.error, (int)o.reply.body.len,
            o.reply.body.p ? (const char *)o.reply.body.p : "");
        return QK_E_NOT_FOUND;
    }
    *out = json_loadb((const char *)o.reply.body.p, o.reply.body.len, 0, NULL);
    if (*out) return QK_OK;
    bench_error("%s: the answer is not JSON", action);
    return QK_E_MALFORMED;
}

/* The same with a body that is consumed; NULL: out of memory. */
static qk_err ask_json(struct bench_conn *c, const char *action, json_t *body, json_t **out)
{
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    qk_err err = text ? ask(c, action, qk_str(text), out) : QK_E_NOMEM;
    free(text);
    json_decref(body);
    return err;
}

static qk_err set_spec(struct bench_kms_key *k, const char *spec)
{
    for (size_t i = 0; spec && i < QK_COUNT(specs); i++) {
        if (strcmp(spec, specs[i].spec) != 0) continue;
        k->algorithm = specs[i].algorithm;
        k->digest_len = specs[i].digest_len;
        return QK_OK;
    }
    bench_error("key %s: no load for key spec %s", k->id, spec ? spec : "(none)");
    return QK_E_MALFORMED;
}

static qk_err set_public_key(struct bench_kms_key *k, const char *base64)
{
    QK_AUTO_BUF der = QK_BUF(SPKI_MAX);
    QK_ENSURE(base64 != NULL, QK_E_MALFORMED);
    QK_TRY(qk_unbase64(qk_str(base64), &der));
    const uint8_t *p = der.p;
    k->public_key = d2i_PUBKEY(NULL, &p, (long)der.len);
    QK_ENSURE(k->public_key && p == der.p + der.len, QK_E_MALFORMED);
    return QK_OK;
}

/* Ids go into JSON as they are, so only what ids and ARNs are made of is let through. */
static qk_err set_id(struct bench_kms_key *k, const char *id)
{
    size_t len = strlen(id);
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)id[i]) && !strchr("-_:/", id[i])) len = 0;
    if (len == 0 || len >= sizeof k->id) {
        bench_error("\"%s\" is no key id, key ARN or alias", id);
        return QK_E_MALFORMED;
    }
    memcpy(k->id, id, len + 1);
    return QK_OK;
}

/* Spec and public key of k->id. */
static qk_err learn(struct bench_conn *c, struct bench_kms_key *k)
{
    AUTO_JSON *described = NULL, *public = NULL;
    QK_TRY(ask_json(c, "DescribeKey", json_pack("{s:s}", "KeyId", k->id), &described));
    json_t *spec = json_object_get(json_object_get(described, "KeyMetadata"), "KeySpec");
    QK_TRY(set_spec(k, json_string_value(spec)));
    QK_TRY(ask_json(c, "GetPublicKey", json_pack("{s:s}", "KeyId", k->id), &public));
    qk_err err = set_public_key(k, json_string_value(json_object_get(public, "PublicKey")));
    if (err != QK_OK) bench_error("key %s: GetPublicKey returned no public key", k->id);
    return err;
}

qk_err bench_kms_key_open(struct bench_conn *c, const char *id, struct bench_kms_key *out)
{
    QK_TRY(set_id(out, id));
    return learn(c, out);
}

qk_err bench_kms_key_create(struct bench_conn *c, const char *spec, struct bench_kms_key *out)
{
    AUTO_JSON *made = NULL;
    QK_TRY(ask_json(c, "CreateKey",
        json_pack("{s:s s:s s:s}", "KeySpec", spec, "KeyUsage", "SIGN_VERIFY", "Description",
            "qkms-bench"),
        &made));
    json_t *meta = json_object_get(made, "KeyMetadata");
    const char *id = json_string_value(json_object_get(meta, "KeyId"));
    QK_ENSURE(id != NULL, QK_E_MALFORMED);
    QK_TRY(set_id(out, id));
    out->created = true;
    return learn(c, out);
}

static qk_err verify(const struct bench_kms_key *k, const uint8_t *digest, struct qk_bytes sig)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(k->public_key, NULL);
    int ok = -1;
    if (ctx && EVP_PKEY_verify_init(ctx) == 1)
        ok = EVP_PKEY_verify(ctx, sig.p, sig.len, digest, k->digest_len);
    EVP_PKEY_CTX_free(ctx);
    return ok == 1 ? QK_OK : QK_E_PROOF;
}

static qk_err verify_text(const struct bench_kms_key *k, const uint8_t *digest, const char *base64)
{
    QK_AUTO_BUF sig = QK_BUF(BENCH_SIG_B64_MAX);
    QK_TRY(qk_unbase64(qk_str(base64), &sig));
    return verify(k, digest, qk_buf_view(&sig));
}

qk_err bench_kms_key_prepare_verify(struct bench_conn *c, struct bench_kms_key *k)
{
    AUTO_JSON *answer = NULL;
    QK_AUTO_BUF body = QK_BUF(BODY_MAX);
    QK_TRY(qk_rng_fill(qk_rng_system(), k->digest, k->digest_len));
    QK_TRY(bench_body(BENCH_SIGN, k, k->digest, &body));
    QK_TRY(ask(c, "Sign", qk_buf_view(&body), &answer));
    const char *sig = json_string_value(json_object_get(answer, "Signature"));
    QK_ENSURE(sig && strlen(sig) < sizeof k->signature, QK_E_MALFORMED);
    strcpy(k->signature, sig);
    return verify_text(k, k->digest, sig);
}

qk_err bench_kms_key_drop(struct bench_conn *c, struct bench_kms_key *k)
{
    AUTO_JSON *answer = NULL;
    return ask_json(c, "ScheduleKeyDeletion",
        json_pack("{s:s s:i}", "KeyId", k->id, "PendingWindowInDays", 7), &answer);
}

void bench_kms_key_free(struct bench_kms_key *k)
{
    EVP_PKEY_free(k->public_key);
    k->public_key = NULL;
}

/* ---- what the load sends, and what it may check ---- */

qk_err bench_body(
    enum bench_op op, const struct bench_kms_key *k, const uint8_t *digest, struct qk_buf *out)
{
    qk_buf_printf(out, "{\"KeyId\":\"%s\"", k->id);
    if (op == BENCH_SIGN || op == BENCH_VERIFY) {
        qk_buf_printf(out, ",\"SigningAlgorithm\":\"%s\",\"MessageType\":\"DIGEST\",\"Message\":\"",
            k->algorithm);
        qk_base64_add(out, qk_bytes(op == BENCH_SIGN ? digest : k->digest, k->digest_len));
        qk_buf_add_str(out, "\"");
    }
    if (op == BENCH_VERIFY) qk_buf_printf(out, ",\"Signature\":\"%s\"", k->signature);
    qk_buf_add_str(out, "}");
    return out->err;
}

qk_err bench_check_signature(
    const struct bench_kms_key *k, const uint8_t *digest, struct qk_bytes reply_body)
{
    AUTO_JSON *answer = json_loadb((const char *)reply_body.p, reply_body.len, 0, NULL);
    const char *text = json_string_value(json_object_get(answer, "Signature"));
    return text ? verify_text(k, digest, text) : QK_E_MALFORMED;
}
