#include "api/keys.h"

#include <ctype.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include "common/tell.h"

enum { SPKI_MAX = 1024 };

/* Ids go into JSON as they are, so only what ids and ARNs are made of is let through. */
static qk_err set_id(struct bench_kms_key *k, struct qk_bytes id)
{
    size_t len = id.len;
    for (size_t i = 0; i < id.len; i++)
        if (!isalnum(id.p[i]) && (id.p[i] == 0 || !strchr("-_:/", id.p[i]))) len = 0;
    if (len == 0 || len >= sizeof k->id) {
        bench_error("\"%.*s\" is no key id, key ARN or alias", (int)id.len, (const char *)id.p);
        return QK_E_MALFORMED;
    }
    memcpy(k->id, id.p, len);
    k->id[len] = '\0';
    return QK_OK;
}

static qk_err room(struct bench_keys *k, size_t n)
{
    k->key = calloc(n, sizeof *k->key);
    QK_ENSURE(k->key != NULL, QK_E_NOMEM);
    k->n = n;
    return QK_OK;
}

static qk_err run(struct bench_keys *k, struct bench_pass pass)
{
    return bench_pass_run(k->loop, &pass, k->stop);
}

/* Most calls say no more than which key. */
static qk_err body_key_id(void *ctx, size_t i, struct qk_buf *out)
{
    const struct bench_keys *k = ctx;
    qk_buf_printf(out, "{\"KeyId\":\"%s\"}", k->key[i].id);
    return out->err;
}

/* ---- CreateKey ---- */

struct creation {
    struct bench_keys *keys;
    const struct bench_spec *spec;
    const struct bench_tag *tag;
};

static qk_err body_create(void *ctx, size_t i, struct qk_buf *out)
{
    const struct creation *c = ctx;
    (void)i;
    qk_buf_printf(out, "{\"KeySpec\":\"%s\",\"KeyUsage\":\"%s\",\"Description\":\"qkms-bench\"",
        c->spec->name, c->spec->usage);
    if (c->tag->key)
        qk_buf_printf(
            out, ",\"Tags\":[{\"TagKey\":\"%s\",\"TagValue\":\"%s\"}]", c->tag->key, c->tag->value);
    qk_buf_add_str(out, "}");
    return out->err;
}

static qk_err take_created(void *ctx, size_t i, struct qk_bytes reply)
{
    const struct creation *c = ctx;
    struct bench_kms_key *key = &c->keys->key[i];
    struct qk_bytes id;
    QK_ENSURE(bench_reply_text(reply, "KeyId", &id), QK_E_MALFORMED);
    QK_TRY(set_id(key, id));
    key->spec = c->spec;
    key->created = true;
    return QK_OK;
}

qk_err bench_keys_create(
    struct bench_keys *k, size_t n, const struct bench_spec *spec, const struct bench_tag *tag)
{
    struct creation c = {.keys = k, .spec = spec, .tag = tag};
    QK_TRY(room(k, n));
    return run(k, (struct bench_pass){.what = "creating keys",
                      .action = "CreateKey",
                      .n = n,
                      .ctx = &c,
                      .body = body_create,
                      .take = take_created});
}

/* ---- existing keys ---- */

static qk_err take_described(void *ctx, size_t i, struct qk_bytes reply)
{
    const struct bench_keys *k = ctx;
    struct qk_bytes name;
    QK_ENSURE(bench_reply_text(reply, "KeySpec", &name), QK_E_MALFORMED);
    k->key[i].spec = bench_spec_find(name);
    if (k->key[i].spec) return QK_OK;
    bench_error("no load for key spec %.*s", (int)name.len, (const char *)name.p);
    return QK_E_MALFORMED;
}

qk_err bench_keys_open(struct bench_keys *k, size_t n, const char *const *ids)
{
    QK_TRY(room(k, n));
    for (size_t i = 0; i < n; i++) QK_TRY(set_id(&k->key[i], qk_str(ids[i])));
    return run(k, (struct bench_pass){.what = "describing keys",
                      .action = "DescribeKey",
                      .n = n,
                      .ctx = k,
                      .body = body_key_id,
                      .take = take_described});
}

/* ---- public keys, a signature each ---- */

static qk_err take_public(void *ctx, size_t i, struct qk_bytes reply)
{
    const struct bench_keys *k = ctx;
    QK_AUTO_BUF der = QK_BUF(SPKI_MAX);
    struct qk_bytes base64;
    QK_ENSURE(bench_reply_text(reply, "PublicKey", &base64), QK_E_MALFORMED);
    QK_TRY(qk_unbase64(base64, &der));
    const uint8_t *p = der.p;
    k->key[i].public_key = d2i_PUBKEY(NULL, &p, (long)der.len);
    QK_ENSURE(k->key[i].public_key && p == der.p + der.len, QK_E_MALFORMED);
    return QK_OK;
}

static qk_err body_sign(void *ctx, size_t i, struct qk_buf *out)
{
    const struct bench_keys *k = ctx;
    struct bench_kms_key *key = &k->key[i];
    QK_TRY(bench_signer_random(bench_loop_signer(k->loop), key->digest, key->spec->digest_len));
    return bench_body(BENCH_SIGN, key, NULL, key->digest, 0, out);
}

static qk_err take_signature(void *ctx, size_t i, struct qk_bytes reply)
{
    const struct bench_keys *k = ctx;
    struct bench_kms_key *key = &k->key[i];
    struct qk_bytes sig;
    QK_ENSURE(bench_reply_text(reply, "Signature", &sig), QK_E_MALFORMED);
    QK_ENSURE(sig.len < sizeof key->signature, QK_E_MALFORMED);
    memcpy(key->signature, sig.p, sig.len);
    return bench_check_signature(key, key->digest, sig);
}

/* ---- MACs ---- */

struct mac_pass {
    struct bench_keys *keys;
    size_t bytes; /* of a message */
};

static qk_err body_mac(void *ctx, size_t i, struct qk_buf *out)
{
    const struct mac_pass *m = ctx;
    struct bench_kms_key *key = &m->keys->key[i];
    QK_TRY(bench_signer_random(bench_loop_signer(m->keys->loop), key->digest, sizeof key->digest));
    return bench_body(BENCH_GENERATE_MAC, key, NULL, key->digest, m->bytes, out);
}

static qk_err take_mac(void *ctx, size_t i, struct qk_bytes reply)
{
    const struct mac_pass *m = ctx;
    struct bench_kms_key *key = &m->keys->key[i];
    struct qk_bytes mac;
    QK_ENSURE(bench_reply_text(reply, "Mac", &mac), QK_E_MALFORMED);
    QK_ENSURE(mac.len < sizeof key->signature, QK_E_MALFORMED);
    memcpy(key->signature, mac.p, mac.len);
    return QK_OK;
}

static qk_err make_macs(struct bench_keys *k, size_t bytes)
{
    struct mac_pass m = {.keys = k, .bytes = bytes};
    return run(k, (struct bench_pass){.what = "making a MAC with each key",
                      .action = "GenerateMac",
                      .n = k->n,
                      .ctx = &m,
                      .body = body_mac,
                      .take = take_mac});
}

/* ---- what an operation needs ---- */

qk_err bench_keys_prepare(struct bench_keys *k, enum bench_op op, size_t bytes, bool check)
{
    for (size_t i = 0; i < k->n; i++) {
        bool fits = op == BENCH_DESCRIBE_KEY || op == BENCH_DISABLE_KEY ||
                    k->key[i].spec->family == bench_op_family(op);
        if (fits) continue;
        bench_error("%s does not go with a %s key", bench_op_name(op), k->key[i].spec->name);
        return QK_E_MALFORMED;
    }
    if (op == BENCH_VERIFY || (op == BENCH_SIGN && check))
        QK_TRY(run(k, (struct bench_pass){.what = "fetching public keys",
                          .action = "GetPublicKey",
                          .n = k->n,
                          .ctx = k,
                          .body = body_key_id,
                          .take = take_public}));
    if (op == BENCH_VERIFY_MAC) return make_macs(k, bytes);
    if (op != BENCH_VERIFY) return QK_OK;
    return run(k, (struct bench_pass){.what = "signing once with each key",
                      .action = "Sign",
                      .n = k->n,
                      .ctx = k,
                      .body = body_sign,
                      .take = take_signature});
}

qk_err bench_keys_rotate(struct bench_keys *k, unsigned times)
{
    for (unsigned i = 0; i < times; i++)
        QK_TRY(run(k, (struct bench_pass){.what = "rotating keys",
                          .action = "RotateKeyOnDemand",
                          .n = k->n,
                          .ctx = k,
                          .body = body_key_id}));
    return QK_OK;
}

/* ---- the end ---- */

/* Keys we made lie first: none is made beside keys that were there. */
static qk_err body_drop(void *ctx, size_t i, struct qk_buf *out)
{
    const struct bench_keys *k = ctx;
    qk_buf_printf(out, "{\"KeyId\":\"%s\",\"PendingWindowInDays\":7}", k->key[i].id);
    return out->err;
}

/* Close the gaps of keys that were not made because the making failed. */
static size_t gather_created(struct bench_keys *k)
{
    size_t n = 0;
    for (size_t i = 0; i < k->n; i++) {
        if (!k->key[i].created) continue;
        if (i != n) {
            struct bench_kms_key moved = k->key[i];
            k->key[i] = k->key[n];
            k->key[n] = moved;
        }
        n++;
    }
    return n;
}

qk_err bench_keys_drop(struct bench_keys *k)
{
    struct bench_pass pass = {.what = "scheduling the deletion of keys",
        .action = "ScheduleKeyDeletion",
        .n = gather_created(k),
        .ctx = k,
        .body = body_drop};
    return pass.n > 0 ? bench_pass_run(k->loop, &pass, NULL) : QK_OK;
}

void bench_keys_free(struct bench_keys *k)
{
    for (size_t i = 0; i < k->n; i++) EVP_PKEY_free(k->key[i].public_key);
    for (size_t i = 0; i < k->n_blobs; i++) bench_blob_wipe(&k->blob[i]);
    free(k->blob);
    free(k->key);
    k->key = NULL;
    k->blob = NULL;
    k->n = k->n_blobs = 0;
}
