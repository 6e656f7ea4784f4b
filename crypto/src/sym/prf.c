#include "sym/prf.h"

#include <openssl/evp.h>
#include "mpc/transcript.h"
#include "qk/secret.h"

enum { BLOCK = 16 };

static qk_err schedule(void **ctx, const char *label, const uint8_t k_a[static 32])
{
    QK_SEC32(subkey);
    QK_TRY(mpc_h32(subkey.b, label, MPC_FIELDS({k_a, 32})));
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    QK_ENSURE(c != NULL, QK_E_NOMEM);
    if (EVP_EncryptInit_ex(c, EVP_aes_256_ecb(), NULL, subkey.b, NULL) != 1 ||
        EVP_CIPHER_CTX_set_padding(c, 0) != 1) {
        EVP_CIPHER_CTX_free(c);
        return QK_E_CRYPTO;
    }
    *ctx = c;
    return QK_OK;
}

qk_err sym_prf_init(struct sym_prf *prf, const uint8_t k_a[static 32])
{
    *prf = (struct sym_prf){0};
    qk_err err = schedule(&prf->enc, MPC_L_CNF_ENC, k_a);
    if (err == QK_OK) err = schedule(&prf->tag, MPC_L_CNF_TAG, k_a);
    if (err != QK_OK) sym_prf_clear(prf);
    return err;
}

void sym_prf_clear(struct sym_prf *prf)
{
    EVP_CIPHER_CTX_free(prf->enc);
    EVP_CIPHER_CTX_free(prf->tag);
    *prf = (struct sym_prf){0};
}

/* AES over n blocks, in place. */
static qk_err encrypt(void *ctx, uint8_t (*b)[BLOCK], size_t n)
{
    int len = 0, want = (int)(n * BLOCK);
    QK_ENSURE(EVP_EncryptUpdate(ctx, b[0], &len, b[0], want) == 1 && len == want, QK_E_CRYPTO);
    return QK_OK;
}

/* The chain over both halves of every input: c = AES(AES(X0) ^ X1). */
static qk_err absorb(void *ctx, const uint8_t (*x)[32], size_t n, uint8_t (*c)[BLOCK])
{
    for (size_t i = 0; i < n; i++) memcpy(c[i], x[i], BLOCK);
    QK_TRY(encrypt(ctx, c, n));
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < BLOCK; j++) c[i][j] ^= x[i][BLOCK + j];
    return encrypt(ctx, c, n);
}

/* AES(c ^ <1>) || AES(c ^ <2>); out holds two blocks for each input. */
static qk_err squeeze(void *ctx, uint8_t (*c)[BLOCK], size_t n, uint8_t (*out)[BLOCK])
{
    for (size_t i = 0; i < n; i++) {
        memcpy(out[2 * i], c[i], BLOCK);
        memcpy(out[2 * i + 1], c[i], BLOCK);
        out[2 * i][BLOCK - 1] ^= 1;
        out[2 * i + 1][BLOCK - 1] ^= 2;
    }
    return encrypt(ctx, out, 2 * n);
}

qk_err sym_prf_values(
    struct sym_prf *prf, const uint8_t (*x)[32], size_t n, uint8_t (*out)[MPC_SYM_PIECE_LEN])
{
    QK_ENSURE(n <= SYM_PRF_BATCH, QK_E_STATE);
    if (n == 0) return QK_OK;
    uint8_t c[SYM_PRF_BATCH][BLOCK];
    qk_err err = absorb(prf->enc, x, n, c);
    if (err == QK_OK) err = squeeze(prf->enc, c, n, (uint8_t(*)[BLOCK])out);
    qk_wipe(c, n * BLOCK);
    return err;
}

qk_err sym_prf_tags(
    struct sym_prf *prf, const uint8_t (*x)[32], size_t n, uint8_t (*out)[MPC_SYM_TAG_LEN])
{
    QK_ENSURE(n <= SYM_PRF_BATCH, QK_E_STATE);
    if (n == 0) return QK_OK;
    QK_TRY(absorb(prf->tag, x, n, out));
    for (size_t i = 0; i < n; i++) out[i][BLOCK - 1] ^= 1;
    return encrypt(prf->tag, out, n);
}
