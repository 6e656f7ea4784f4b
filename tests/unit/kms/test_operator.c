#include "qktest/qktest.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <stdio.h>
#include "kms/operator.h"
#include "kmskit.h"

#define TARGET "QkmsAdmin.Initialize"

struct fixture {
    EVP_PKEY *key;
    struct kms_raw raw;
    char header[512];
    uint8_t cluster[32];
};

static qk_err verify(
    void *arg, const char *name, const uint8_t digest[static 32], struct qk_bytes sig)
{
    struct fixture *f = arg;
    if (strcmp(name, "olga") != 0) return QK_E_NOT_FOUND;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(f->key, NULL);
    int ok =
        EVP_PKEY_verify_init(ctx) == 1 && EVP_PKEY_verify(ctx, sig.p, sig.len, digest, 32) == 1;
    EVP_PKEY_CTX_free(ctx);
    return ok ? QK_OK : QK_E_PROOF;
}

/* Sign the request as it stands, as the CLI does. */
static void sign(struct fixture *f, const char *name)
{
    QK_AUTO_BUF text = QK_BUF(4096);
    QK_AUTO_BUF header = QK_BUF(sizeof f->header - 1);
    uint8_t sig[KMS_OPERATOR_SIG_MAX];
    size_t len = sizeof sig;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    qk_assert_ok(kms_operator_text(&f->raw, name, f->cluster, &text));
    cr_assert_eq(EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, f->key), 1);
    cr_assert_eq(EVP_DigestSign(md, sig, &len, text.p, text.len), 1);
    EVP_MD_CTX_free(md);
    kms_operator_header(name, qk_bytes(sig, len), &header);
    snprintf(f->header, sizeof f->header, "%s", qk_buf_cstr(&header));
    qk_assert_ok(kms_raw_add_header(&f->raw, qk_str("Authorization"), qk_str(f->header)));
}

static void setup(struct fixture *f, const char *target)
{
    *f = (struct fixture){.key = EVP_EC_gen("P-256"), .raw = kit_raw(target, "{\"a\":1}")};
    memset(f->cluster, 0x11, sizeof f->cluster);
    qk_assert_ok(kms_raw_add_header(&f->raw, qk_str("X-Amz-Date"), qk_str(KIT_AMZ_DATE)));
}

static qk_err check(struct fixture *f, struct kms_fault *fault)
{
    struct kms_operator op;
    return kms_operator_check(&f->raw, KIT_NOW, f->cluster, verify, f, &op, fault);
}

QK_TEST(operator, a_signed_initialize_is_accepted)
{
    struct fixture f;
    struct kms_fault fault;
    struct kms_operator op;
    setup(&f, TARGET);
    sign(&f, "olga");
    cr_assert(kms_operator_is(&f.raw));
    qk_assert_ok(kms_operator_check(&f.raw, KIT_NOW, f.cluster, verify, &f, &op, &fault));
    cr_assert_str_eq(op.name, "olga");
    EVP_PKEY_free(f.key);
}

static void bend_body(struct fixture *f)
{
    f->raw.body = qk_str("{\"a\":2}");
}
static void bend_path(struct fixture *f)
{
    f->raw.path = qk_str("/x");
}
static void bend_method(struct fixture *f)
{
    f->raw.method = qk_str("PUT");
}
static void bend_cluster(struct fixture *f)
{
    f->cluster[0] ^= 1;
}
static void bend_date(struct fixture *f)
{
    f->raw.headers[3].value = qk_str("20260921T141321Z");
}

QK_TEST(operator, every_signed_line_counts)
{
    static void (*const bends[])(struct fixture *) = {
        bend_body, bend_path, bend_method, bend_cluster, bend_date};
    for (size_t i = 0; i < QK_COUNT(bends); i++) {
        struct fixture f;
        struct kms_fault fault;
        setup(&f, TARGET);
        sign(&f, "olga");
        bends[i](&f);
        qk_assert_err(check(&f, &fault), QK_E_DENIED);
        cr_expect_str_eq(fault.type, "InvalidSignatureException", "bend %zu", i);
        EVP_PKEY_free(f.key);
    }
}

QK_TEST(operator, unknown_operators_other_targets_and_old_dates_are_refused)
{
    struct fixture f;
    struct kms_fault fault;
    struct kms_operator op;
    setup(&f, TARGET);
    sign(&f, "mallory");
    qk_assert_err(check(&f, &fault), QK_E_DENIED);
    cr_assert_str_eq(fault.type, "UnrecognizedClientException");
    EVP_PKEY_free(f.key);

    setup(&f, "QkmsAdmin.CreateUser");
    sign(&f, "olga");
    qk_assert_err(check(&f, &fault), QK_E_DENIED);
    cr_assert_str_eq(fault.type, "AccessDeniedException");
    EVP_PKEY_free(f.key);

    setup(&f, TARGET);
    sign(&f, "olga");
    qk_assert_err(kms_operator_check(
                      &f.raw, KIT_NOW + KMS_SKEW_MS + 1000, f.cluster, verify, &f, &op, &fault),
        QK_E_DENIED);
    cr_assert_str_eq(fault.type, "InvalidSignatureException");
    cr_assert_eq(strncmp(fault.message, "Signature expired", 17), 0);
    EVP_PKEY_free(f.key);
}

QK_TEST(operator, malformed_headers_are_incomplete)
{
    static const char *const bad[] = {KMS_OPERATOR_SCHEME " ", KMS_OPERATOR_SCHEME " Operator=olga",
        KMS_OPERATOR_SCHEME " Operator=, Signature=AA==",
        KMS_OPERATOR_SCHEME " Operator=a b, Signature=AA==",
        KMS_OPERATOR_SCHEME " Operator=olga, Signature=",
        KMS_OPERATOR_SCHEME " Operator=olga, Signature=A",
        KMS_OPERATOR_SCHEME " Operator=olga\n, Signature=AA==", "Basic abc"};
    for (size_t i = 0; i < QK_COUNT(bad); i++) {
        struct fixture f;
        struct kms_fault fault;
        setup(&f, TARGET);
        qk_assert_ok(kms_raw_add_header(&f.raw, qk_str("Authorization"), qk_str(bad[i])));
        qk_assert_err(check(&f, &fault), QK_E_DENIED);
        cr_expect_str_eq(fault.type, "IncompleteSignatureException", "%s", bad[i]);
        EVP_PKEY_free(f.key);
    }
}

QK_TEST(operator, repeated_headers_are_refused)
{
    struct fixture f;
    struct kms_fault fault;
    setup(&f, TARGET);
    sign(&f, "olga");
    qk_assert_ok(
        kms_raw_add_header(&f.raw, qk_str("x-amz-target"), qk_str("QkmsAdmin.CreateUser")));
    qk_assert_err(check(&f, &fault), QK_E_DENIED);
    cr_assert_str_eq(fault.type, "IncompleteSignatureException");
    EVP_PKEY_free(f.key);
}
