/* Ciphertexts: made for the load, and opened after it. */
#include <stdlib.h>
#include "api/keys.h"

struct making {
    struct bench_keys *keys;
    size_t first; /* of this pass */
    size_t bytes;
};

static qk_err body_encrypt(void *ctx, size_t i, struct qk_buf *out)
{
    const struct making *m = ctx;
    const struct bench_keys *k = m->keys;
    struct bench_blob *blob = &k->blob[m->first + i];
    uint8_t fresh[BENCH_FRESH_MAX];
    QK_AUTO_BUF text = QK_BUF(8192);
    QK_TRY(bench_signer_random(bench_loop_signer(k->loop), fresh, sizeof fresh));
    bench_plaintext_add(fresh, m->bytes, &text);
    free(blob->plaintext); /* of a try before */
    blob->plaintext = qk_strndup(qk_buf_view(&text));
    QK_ENSURE(blob->plaintext != NULL, QK_E_NOMEM);
    return bench_body(BENCH_ENCRYPT, &k->key[(m->first + i) % k->n], NULL, fresh, m->bytes, out);
}

static qk_err take_encrypted(void *ctx, size_t i, struct qk_bytes reply)
{
    const struct making *m = ctx;
    struct qk_bytes base64;
    QK_ENSURE(bench_reply_text(reply, "CiphertextBlob", &base64), QK_E_MALFORMED);
    char **to = &m->keys->blob[m->first + i].ciphertext;
    *to = qk_strndup(base64);
    return *to ? QK_OK : QK_E_NOMEM;
}

static qk_err encrypt(struct bench_keys *k, size_t first, size_t n, size_t bytes)
{
    struct making m = {.keys = k, .first = first, .bytes = bytes};
    struct bench_pass pass = {.what = "making ciphertexts",
        .action = "Encrypt",
        .n = n,
        .ctx = &m,
        .body = body_encrypt,
        .take = take_encrypted};
    return bench_pass_run(k->loop, &pass, k->stop);
}

qk_err bench_keys_make_blobs(struct bench_keys *k, size_t n_blobs, size_t bytes, unsigned rotations)
{
    size_t versions = (size_t)rotations + 1, per_key = n_blobs / versions / k->n;
    size_t each = k->n * (per_key > 0 ? per_key : 1); /* of one version, all keys alike */
    k->blob = calloc(each * versions, sizeof *k->blob);
    QK_ENSURE(k->blob != NULL, QK_E_NOMEM);
    k->n_blobs = each * versions;
    for (size_t v = 0; v < versions; v++) {
        if (v > 0) QK_TRY(bench_keys_rotate(k, 1));
        QK_TRY(encrypt(k, v * each, each, bytes));
    }
    return QK_OK;
}

/* ---- opening ---- */

struct check {
    const struct bench_blob *blob;
    uint64_t good;
};

static qk_err body_decrypt(void *ctx, size_t i, struct qk_buf *out)
{
    const struct check *c = ctx;
    qk_buf_add_str(out, "{\"CiphertextBlob\":\"");
    qk_buf_add_str(out, c->blob[i].ciphertext);
    qk_buf_add_str(out, "\"}");
    return out->err;
}

static qk_err take_decrypted(void *ctx, size_t i, struct qk_bytes reply)
{
    struct check *c = ctx;
    struct qk_bytes text;
    if (bench_reply_text(reply, "Plaintext", &text) && qk_bytes_is(text, c->blob[i].plaintext))
        c->good++;
    return QK_OK;
}

static qk_err body_verify_mac(void *ctx, size_t i, struct qk_buf *out)
{
    const struct check *c = ctx;
    const struct bench_blob *b = &c->blob[i];
    qk_buf_printf(out, "{\"KeyId\":\"%s\",\"MacAlgorithm\":\"%s\",\"Mac\":\"%s\",\"Message\":\"",
        b->key->id, b->key->spec->algorithm, b->ciphertext);
    qk_buf_add_str(out, b->plaintext);
    qk_buf_add_str(out, "\"}");
    return out->err;
}

/* A MAC that is not valid is no answer but a fault, which ends the pass. */
static qk_err take_verified_mac(void *ctx, size_t i, struct qk_bytes reply)
{
    struct check *c = ctx;
    (void)i, (void)reply;
    c->good++;
    return QK_OK;
}

qk_err bench_blobs_check(
    struct bench_loop *loop, const struct bench_blob *blob, size_t n, uint64_t *good)
{
    struct check c = {.blob = blob};
    bool macs = n > 0 && blob[0].key;
    struct bench_pass pass = {.what = macs ? "verifying MACs" : "opening ciphertexts",
        .action = macs ? "VerifyMac" : "Decrypt",
        .n = n,
        .ctx = &c,
        .body = macs ? body_verify_mac : body_decrypt,
        .take = macs ? take_verified_mac : take_decrypted};
    QK_TRY(bench_pass_run(loop, &pass, NULL));
    *good = c.good;
    return QK_OK;
}

void bench_blob_wipe(struct bench_blob *blob)
{
    free(blob->ciphertext);
    free(blob->plaintext);
    *blob = (struct bench_blob){0};
}
