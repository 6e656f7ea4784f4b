#include "protocol/baseline.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <secp256k1.h>
#include "mpc/ecdsa.h"
#include "protocol/names.h"
#include "qk/secret.h"

enum { RUNS_MIN = 10, DER_MAX = 160 };

struct single {
    EVP_PKEY *key;
    EVP_PKEY_CTX *sign, *verify;
    size_t digest_len, sig_len;
    uint8_t digest[MPC_ECDSA_DIGEST_MAX];
    uint8_t sig[DER_MAX];
};

static void single_free(struct single *s)
{
    EVP_PKEY_CTX_free(s->sign);
    EVP_PKEY_CTX_free(s->verify);
    EVP_PKEY_free(s->key);
}

static qk_err single_make(struct single *s, const struct mpc_curve *c)
{
    s->key = EVP_EC_gen(OBJ_nid2sn(c->nid));
    QK_ENSURE(s->key != NULL, QK_E_CRYPTO);
    s->digest_len = mpc_ecdsa_digest_len(c->id);
    s->sign = EVP_PKEY_CTX_new(s->key, NULL);
    s->verify = EVP_PKEY_CTX_new(s->key, NULL);
    QK_ENSURE(s->sign && EVP_PKEY_sign_init(s->sign) == 1, QK_E_CRYPTO);
    QK_ENSURE(s->verify && EVP_PKEY_verify_init(s->verify) == 1, QK_E_CRYPTO);
    return QK_OK;
}

static qk_err single_run(struct single *s, struct bench_row *sign, struct bench_row *verify)
{
    QK_TRY(qk_rng_fill(qk_rng_system(), s->digest, s->digest_len));
    s->sig_len = sizeof s->sig;
    uint64_t t0 = bench_cpu_ns();
    int ok = EVP_PKEY_sign(s->sign, s->sig, &s->sig_len, s->digest, s->digest_len);
    uint64_t t1 = bench_cpu_ns();
    QK_ENSURE(ok == 1, QK_E_CRYPTO);
    ok = EVP_PKEY_verify(s->verify, s->sig, s->sig_len, s->digest, s->digest_len);
    uint64_t t2 = bench_cpu_ns();
    QK_ENSURE(ok == 1, QK_E_CRYPTO);
    QK_TRY(bench_row_add(sign, t1 - t0));
    return bench_row_add(verify, t2 - t1);
}

static qk_err openssl_rows(struct bench_table *t, const struct mpc_curve *c, double seconds)
{
    __attribute__((cleanup(single_free))) struct single s = {0};
    struct bench_row *sign = bench_table_row(t, ROW_OSSL_SIGN, c->name, "one party");
    struct bench_row *verify = bench_table_row(t, ROW_OSSL_VERIFY, c->name, "anyone");
    QK_TRY(single_make(&s, c));
    uint64_t end = bench_mono_ns() + (uint64_t)(seconds * 1e9);
    for (unsigned i = 0; i < RUNS_MIN || bench_mono_ns() < end; i++)
        QK_TRY(single_run(&s, sign, verify));
    return QK_OK;
}

static void context_free(secp256k1_context **ctx)
{
    secp256k1_context_destroy(*ctx);
}

static qk_err libsecp256k1_row(struct bench_table *t, const struct mpc_curve *c, double seconds)
{
    struct bench_row *row = bench_table_row(t, ROW_K1_SIGN, c->name, "one party");
    __attribute__((cleanup(context_free))) secp256k1_context *ctx =
        secp256k1_context_create(SECP256K1_CONTEXT_SIGN);
    QK_SEC32(key);
    uint8_t digest[32];
    secp256k1_ecdsa_signature sig;
    QK_TRY(qk_rng_fill(qk_rng_system(), key.b, sizeof key.b));
    QK_ENSURE(secp256k1_ec_seckey_verify(ctx, key.b) == 1, QK_E_RNG);
    uint64_t end = bench_mono_ns() + (uint64_t)(seconds * 1e9);
    for (unsigned i = 0; i < RUNS_MIN || bench_mono_ns() < end; i++) {
        QK_TRY(qk_rng_fill(qk_rng_system(), digest, sizeof digest));
        uint64_t t0 = bench_cpu_ns();
        int ok = secp256k1_ecdsa_sign(ctx, &sig, digest, key.b, NULL, NULL);
        uint64_t t1 = bench_cpu_ns();
        QK_ENSURE(ok == 1, QK_E_CRYPTO);
        QK_TRY(bench_row_add(row, t1 - t0));
    }
    return QK_OK;
}

qk_err bench_baseline(struct bench_table *t, const struct mpc_curve *c, double seconds)
{
    QK_TRY(openssl_rows(t, c, seconds));
    return c->id == MPC_SECP256K1 ? libsecp256k1_row(t, c, seconds) : QK_OK;
}
