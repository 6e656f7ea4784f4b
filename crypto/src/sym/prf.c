#include "sym/prf.h"

#include "mpc/transcript.h"
#include "qk/secret.h"

enum { BLOCK = 16 };

static qk_err schedule(struct aes256 *aes, const char *label, const uint8_t k_a[static 32])
{
    QK_SEC32(subkey);
    QK_TRY(mpc_h32(subkey.b, label, MPC_FIELDS({k_a, 32})));
    return aes256_key(aes, subkey.b);
}

qk_err sym_prf_init(struct sym_prf *prf, const uint8_t k_a[static 32])
{
    memset(prf, 0, sizeof *prf);
    qk_err err = schedule(&prf->enc, MPC_L_CNF_ENC, k_a);
    if (err == QK_OK) err = schedule(&prf->tag, MPC_L_CNF_TAG, k_a);
    if (err != QK_OK) sym_prf_clear(prf);
    return err;
}

void sym_prf_clear(struct sym_prf *prf)
{
    aes256_clear(&prf->enc);
    aes256_clear(&prf->tag);
}

/* The chain over both halves of every input: c = AES(AES(X0) ^ X1). */
static qk_err absorb(
    const struct aes256 *aes, const uint8_t (*x)[32], size_t n, uint8_t (*c)[BLOCK])
{
    for (size_t i = 0; i < n; i++) memcpy(c[i], x[i], BLOCK);
    QK_TRY(aes256_blocks(aes, c[0], n));
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < BLOCK; j++) c[i][j] ^= x[i][BLOCK + j];
    return aes256_blocks(aes, c[0], n);
}

/* AES(c ^ <1>) || AES(c ^ <2>); out holds two blocks for each input. */
static qk_err squeeze(
    const struct aes256 *aes, uint8_t (*c)[BLOCK], size_t n, uint8_t (*out)[BLOCK])
{
    for (size_t i = 0; i < n; i++) {
        memcpy(out[2 * i], c[i], BLOCK);
        memcpy(out[2 * i + 1], c[i], BLOCK);
        out[2 * i][BLOCK - 1] ^= 1;
        out[2 * i + 1][BLOCK - 1] ^= 2;
    }
    return aes256_blocks(aes, out[0], 2 * n);
}

qk_err sym_prf_values(
    struct sym_prf *prf, const uint8_t (*x)[32], size_t n, uint8_t (*out)[MPC_SYM_PIECE_LEN])
{
    QK_ENSURE(n <= SYM_PRF_BATCH, QK_E_STATE);
    if (n == 0) return QK_OK;
    uint8_t c[SYM_PRF_BATCH][BLOCK];
    qk_err err = absorb(&prf->enc, x, n, c);
    if (err == QK_OK) err = squeeze(&prf->enc, c, n, (uint8_t(*)[BLOCK])out);
    qk_wipe(c, n * BLOCK);
    return err;
}

qk_err sym_prf_tags(
    struct sym_prf *prf, const uint8_t (*x)[32], size_t n, uint8_t (*out)[MPC_SYM_TAG_LEN])
{
    QK_ENSURE(n <= SYM_PRF_BATCH, QK_E_STATE);
    if (n == 0) return QK_OK;
    QK_TRY(absorb(&prf->tag, x, n, out));
    for (size_t i = 0; i < n; i++) out[i][BLOCK - 1] ^= 1;
    return aes256_blocks(&prf->tag, out[0], n);
}
