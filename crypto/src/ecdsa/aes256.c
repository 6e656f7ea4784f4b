#include "ecdsa/aes256.h"

#include <string.h>
#include <openssl/evp.h>
#include "qk/secret.h"

/* ---- OpenSSL ---- */

qk_err aes256_key_portable(struct aes256 *a, const uint8_t key[static AES256_KEY])
{
    if (!a->evp) a->evp = EVP_CIPHER_CTX_new();
    QK_ENSURE(a->evp, QK_E_NOMEM);
    QK_ENSURE(EVP_EncryptInit_ex(a->evp, EVP_aes_256_ecb(), NULL, key, NULL) == 1, QK_E_CRYPTO);
    return EVP_CIPHER_CTX_set_padding(a->evp, 0) == 1 ? QK_OK : QK_E_CRYPTO;
}

static qk_err blocks_portable(const struct aes256 *a, uint8_t *blocks, size_t n_blocks)
{
    int len = 0;
    QK_ENSURE(n_blocks <= INT32_MAX / AES256_BLOCK, QK_E_STATE);
    int ok = EVP_EncryptUpdate(a->evp, blocks, &len, blocks, (int)(n_blocks * AES256_BLOCK));
    return ok == 1 && (size_t)len == n_blocks * AES256_BLOCK ? QK_OK : QK_E_CRYPTO;
}

/* ---- AES instructions ---- */

#if defined(__x86_64__)
#include <immintrin.h>

#define NI __attribute__((target("aes,sse2")))

enum { LANES = 8 };

/* a xored with itself shifted by one, two and three words: the running sums of FIPS 197 figure 11.
 */
NI static inline __m128i prefix_sums(__m128i a)
{
    a = _mm_xor_si128(a, _mm_slli_si128(a, 4));
    return _mm_xor_si128(a, _mm_slli_si128(a, 8));
}

/* Two round keys from the two before them; the last call makes one only. */
#define EXPAND_STEP(i, rcon)                                                                       \
    do {                                                                                           \
        lo = _mm_xor_si128(                                                                        \
            prefix_sums(lo), _mm_shuffle_epi32(_mm_aeskeygenassist_si128(hi, (rcon)), 0xff));      \
        _mm_store_si128((void *)rk[2 * (i)], lo);                                                  \
        if ((i) == 7) break;                                                                       \
        hi = _mm_xor_si128(                                                                        \
            prefix_sums(hi), _mm_shuffle_epi32(_mm_aeskeygenassist_si128(lo, 0), 0xaa));           \
        _mm_store_si128((void *)rk[2 * (i) + 1], hi);                                              \
    } while (0)

NI static void key_ni(uint8_t rk[AES256_ROUND_KEYS][16], const uint8_t *key)
{
    __m128i lo = _mm_loadu_si128((const void *)key);
    __m128i hi = _mm_loadu_si128((const void *)(key + 16));
    _mm_store_si128((void *)rk[0], lo);
    _mm_store_si128((void *)rk[1], hi);
    EXPAND_STEP(1, 0x01);
    EXPAND_STEP(2, 0x02);
    EXPAND_STEP(3, 0x04);
    EXPAND_STEP(4, 0x08);
    EXPAND_STEP(5, 0x10);
    EXPAND_STEP(6, 0x20);
    EXPAND_STEP(7, 0x40);
}

NI static inline __attribute__((always_inline)) void run_ni(
    const uint8_t rk[AES256_ROUND_KEYS][16], uint8_t *p, const size_t lanes)
{
    __m128i b[LANES], k = _mm_load_si128((const void *)rk[0]);
    for (size_t l = 0; l < lanes; l++)
        b[l] = _mm_xor_si128(_mm_loadu_si128((const void *)(p + 16 * l)), k);
    for (size_t r = 1; r < AES256_ROUND_KEYS - 1; r++) {
        k = _mm_load_si128((const void *)rk[r]);
        for (size_t l = 0; l < lanes; l++) b[l] = _mm_aesenc_si128(b[l], k);
    }
    k = _mm_load_si128((const void *)rk[AES256_ROUND_KEYS - 1]);
    for (size_t l = 0; l < lanes; l++)
        _mm_storeu_si128((void *)(p + 16 * l), _mm_aesenclast_si128(b[l], k));
}

NI static void blocks_ni(const uint8_t rk[AES256_ROUND_KEYS][16], uint8_t *p, size_t n)
{
    for (; n >= LANES; n -= LANES, p += 16 * LANES) run_ni(rk, p, LANES);
    if (n >= 4) {
        run_ni(rk, p, 4);
        p += 64;
        n -= 4;
    }
    for (; n > 0; n--, p += 16) run_ni(rk, p, 1);
}

static int has_ni(void)
{
    return __builtin_cpu_supports("aes");
}
#else
static void key_ni(uint8_t rk[AES256_ROUND_KEYS][16], const uint8_t *key)
{
    (void)rk, (void)key;
}

static void blocks_ni(const uint8_t rk[AES256_ROUND_KEYS][16], uint8_t *p, size_t n)
{
    (void)rk, (void)p, (void)n;
}

static int has_ni(void)
{
    return 0;
}
#endif

/* ---- either ---- */

qk_err aes256_key(struct aes256 *a, const uint8_t key[static AES256_KEY])
{
    if (a->evp || !has_ni()) return aes256_key_portable(a, key);
    key_ni(a->round_key, key);
    return QK_OK;
}

void aes256_clear(struct aes256 *a)
{
    EVP_CIPHER_CTX_free(a->evp); /* wipes its key */
    qk_wipe(a, sizeof *a);
}

qk_err aes256_blocks(const struct aes256 *a, uint8_t *blocks, size_t n_blocks)
{
    if (a->evp) return blocks_portable(a, blocks, n_blocks);
    blocks_ni(a->round_key, blocks, n_blocks);
    return QK_OK;
}

qk_err aes256_counter(
    const struct aes256 *a, const uint8_t start[static 16], uint8_t *out, size_t n_blocks)
{
    QK_ENSURE(n_blocks <= 256, QK_E_STATE);
    for (size_t i = 0; i < n_blocks; i++) {
        memcpy(out + 16 * i, start, 16);
        out[16 * i] ^= (uint8_t)i;
    }
    return aes256_blocks(a, out, n_blocks);
}
