#include "api/ops.h"

enum { PLAINTEXT_MAX = 4096 };

enum { CHANGES = 1, SYMMETRIC = 2, KEYLESS = 4, MAC = 8 };

static const struct {
    const char *name, *action;
    unsigned traits;
} ops[] = {
    [BENCH_SIGN] = {"sign", "Sign", 0},
    [BENCH_DESCRIBE_KEY] = {"describe-key", "DescribeKey", 0},
    [BENCH_GET_PUBLIC_KEY] = {"get-public-key", "GetPublicKey", 0},
    [BENCH_VERIFY] = {"verify", "Verify", 0},
    [BENCH_DISABLE_KEY] = {"disable-key", "DisableKey", CHANGES},
    [BENCH_ENCRYPT] = {"encrypt", "Encrypt", SYMMETRIC},
    [BENCH_DECRYPT] = {"decrypt", "Decrypt", SYMMETRIC},
    [BENCH_GENERATE_DATA_KEY] = {"generate-data-key", "GenerateDataKey", SYMMETRIC},
    [BENCH_GENERATE_RANDOM] = {"generate-random", "GenerateRandom", KEYLESS},
    [BENCH_GENERATE_MAC] = {"generate-mac", "GenerateMac", MAC},
    [BENCH_VERIFY_MAC] = {"verify-mac", "VerifyMac", MAC},
};

static const struct bench_spec specs[] = {
    {"ECC_NIST_P256", "SIGN_VERIFY", BENCH_SIGNING, "ECDSA_SHA_256", 32},
    {"ECC_SECG_P256K1", "SIGN_VERIFY", BENCH_SIGNING, "ECDSA_SHA_256", 32},
    {"ECC_NIST_P384", "SIGN_VERIFY", BENCH_SIGNING, "ECDSA_SHA_384", 48},
    {"ECC_NIST_P521", "SIGN_VERIFY", BENCH_SIGNING, "ECDSA_SHA_512", 64},
    {"SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", BENCH_SYMMETRIC, NULL, 0},
    {"HMAC_224", "GENERATE_VERIFY_MAC", BENCH_MAC, "HMAC_SHA_224", 0},
    {"HMAC_256", "GENERATE_VERIFY_MAC", BENCH_MAC, "HMAC_SHA_256", 0},
    {"HMAC_384", "GENERATE_VERIFY_MAC", BENCH_MAC, "HMAC_SHA_384", 0},
    {"HMAC_512", "GENERATE_VERIFY_MAC", BENCH_MAC, "HMAC_SHA_512", 0},
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
    return ops[op].traits & CHANGES;
}

enum bench_family bench_op_family(enum bench_op op)
{
    if (ops[op].traits & MAC) return BENCH_MAC;
    return ops[op].traits & SYMMETRIC ? BENCH_SYMMETRIC : BENCH_SIGNING;
}

const struct bench_spec *bench_op_spec(enum bench_op op)
{
    switch (bench_op_family(op)) {
    case BENCH_SYMMETRIC:
        return bench_spec_find(qk_str("SYMMETRIC_DEFAULT"));
    case BENCH_MAC:
        return bench_spec_find(qk_str("HMAC_256"));
    default:
        return NULL;
    }
}

bool bench_op_keyed(enum bench_op op)
{
    return !(ops[op].traits & KEYLESS);
}

const struct bench_spec *bench_spec_find(struct qk_bytes name)
{
    for (size_t i = 0; i < QK_COUNT(specs); i++)
        if (qk_bytes_is(name, specs[i].name)) return &specs[i];
    return NULL;
}

/* ---- bodies ---- */

static void add_text(struct qk_buf *out, const char *before, const char *text)
{
    qk_buf_add_str(out, before);
    qk_buf_add_str(out, text);
    qk_buf_add_str(out, "\"");
}

static void add_signing(struct qk_buf *out, const struct bench_kms_key *k, const uint8_t *digest)
{
    add_text(out, ",\"SigningAlgorithm\":\"", k->spec->algorithm);
    qk_buf_add_str(out, ",\"MessageType\":\"DIGEST\",\"Message\":\"");
    qk_base64_add(out, qk_bytes(digest, k->spec->digest_len));
    qk_buf_add_str(out, "\"");
}

void bench_plaintext_add(
    const uint8_t fresh[static BENCH_FRESH_MAX], size_t bytes, struct qk_buf *out)
{
    uint8_t text[PLAINTEXT_MAX] = {0};
    if (bytes <= BENCH_FRESH_MAX) {
        qk_base64_add(out, qk_bytes(fresh, bytes));
        return;
    }
    memcpy(text, fresh, BENCH_FRESH_MAX);
    qk_base64_add(out, qk_bytes(text, bytes <= sizeof text ? bytes : sizeof text));
}

static void add_mac(struct qk_buf *out, const struct bench_kms_key *k,
    const uint8_t fresh[static BENCH_FRESH_MAX], size_t bytes)
{
    add_text(out, ",\"MacAlgorithm\":\"", k->spec->algorithm);
    qk_buf_add_str(out, ",\"Message\":\"");
    bench_plaintext_add(fresh, bytes, out);
    qk_buf_add_str(out, "\"");
}

static void add_rest(enum bench_op op, const struct bench_kms_key *k,
    const uint8_t fresh[static BENCH_FRESH_MAX], size_t bytes, struct qk_buf *out)
{
    switch (op) {
    case BENCH_SIGN:
        add_signing(out, k, fresh);
        break;
    case BENCH_VERIFY:
        add_signing(out, k, k->digest);
        add_text(out, ",\"Signature\":\"", k->signature);
        break;
    case BENCH_ENCRYPT:
        qk_buf_add_str(out, ",\"Plaintext\":\"");
        bench_plaintext_add(fresh, bytes, out);
        qk_buf_add_str(out, "\"");
        break;
    case BENCH_GENERATE_DATA_KEY:
        qk_buf_printf(out, ",\"NumberOfBytes\":%zu", bytes);
        break;
    case BENCH_GENERATE_MAC:
        add_mac(out, k, fresh, bytes);
        break;
    case BENCH_VERIFY_MAC:
        add_mac(out, k, k->digest, bytes);
        add_text(out, ",\"Mac\":\"", k->signature);
        break;
    default:
        break;
    }
}

qk_err bench_body(enum bench_op op, const struct bench_kms_key *key, const struct bench_blob *blob,
    const uint8_t fresh[static BENCH_FRESH_MAX], size_t bytes, struct qk_buf *out)
{
    if (op == BENCH_GENERATE_RANDOM) {
        qk_buf_printf(out, "{\"NumberOfBytes\":%zu}", bytes);
        return out->err;
    }
    add_text(out, "{\"KeyId\":\"", key->id);
    if (op == BENCH_DECRYPT)
        add_text(out, ",\"CiphertextBlob\":\"", blob->ciphertext);
    else
        add_rest(op, key, fresh, bytes, out);
    qk_buf_add_str(out, "}");
    return out->err;
}

/* ---- answers ---- */

static qk_err verify(const struct bench_kms_key *k, const uint8_t *digest, struct qk_bytes sig)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(k->public_key, NULL);
    int ok = -1;
    if (ctx && EVP_PKEY_verify_init(ctx) == 1)
        ok = EVP_PKEY_verify(ctx, sig.p, sig.len, digest, k->spec->digest_len);
    EVP_PKEY_CTX_free(ctx);
    return ok == 1 ? QK_OK : QK_E_PROOF;
}

qk_err bench_check_signature(
    const struct bench_kms_key *k, const uint8_t *digest, struct qk_bytes base64)
{
    QK_AUTO_BUF sig = QK_BUF(BENCH_SIG_B64_MAX);
    QK_TRY(qk_unbase64(base64, &sig));
    return verify(k, digest, qk_buf_view(&sig));
}
