#define OPENSSL_SUPPRESS_DEPRECATED
#include "mac/sha2.h"

#include <openssl/sha.h>
#include "mpc/mac.h"

static const uint64_t k_table[80] = {
    UINT64_C(0x428a2f98d728ae22),
    UINT64_C(0x7137449123ef65cd),
    UINT64_C(0xb5c0fbcfec4d3b2f),
    UINT64_C(0xe9b5dba58189dbbc),
    UINT64_C(0x3956c25bf348b538),
    UINT64_C(0x59f111f1b605d019),
    UINT64_C(0x923f82a4af194f9b),
    UINT64_C(0xab1c5ed5da6d8118),
    UINT64_C(0xd807aa98a3030242),
    UINT64_C(0x12835b0145706fbe),
    UINT64_C(0x243185be4ee4b28c),
    UINT64_C(0x550c7dc3d5ffb4e2),
    UINT64_C(0x72be5d74f27b896f),
    UINT64_C(0x80deb1fe3b1696b1),
    UINT64_C(0x9bdc06a725c71235),
    UINT64_C(0xc19bf174cf692694),
    UINT64_C(0xe49b69c19ef14ad2),
    UINT64_C(0xefbe4786384f25e3),
    UINT64_C(0x0fc19dc68b8cd5b5),
    UINT64_C(0x240ca1cc77ac9c65),
    UINT64_C(0x2de92c6f592b0275),
    UINT64_C(0x4a7484aa6ea6e483),
    UINT64_C(0x5cb0a9dcbd41fbd4),
    UINT64_C(0x76f988da831153b5),
    UINT64_C(0x983e5152ee66dfab),
    UINT64_C(0xa831c66d2db43210),
    UINT64_C(0xb00327c898fb213f),
    UINT64_C(0xbf597fc7beef0ee4),
    UINT64_C(0xc6e00bf33da88fc2),
    UINT64_C(0xd5a79147930aa725),
    UINT64_C(0x06ca6351e003826f),
    UINT64_C(0x142929670a0e6e70),
    UINT64_C(0x27b70a8546d22ffc),
    UINT64_C(0x2e1b21385c26c926),
    UINT64_C(0x4d2c6dfc5ac42aed),
    UINT64_C(0x53380d139d95b3df),
    UINT64_C(0x650a73548baf63de),
    UINT64_C(0x766a0abb3c77b2a8),
    UINT64_C(0x81c2c92e47edaee6),
    UINT64_C(0x92722c851482353b),
    UINT64_C(0xa2bfe8a14cf10364),
    UINT64_C(0xa81a664bbc423001),
    UINT64_C(0xc24b8b70d0f89791),
    UINT64_C(0xc76c51a30654be30),
    UINT64_C(0xd192e819d6ef5218),
    UINT64_C(0xd69906245565a910),
    UINT64_C(0xf40e35855771202a),
    UINT64_C(0x106aa07032bbd1b8),
    UINT64_C(0x19a4c116b8d2d0c8),
    UINT64_C(0x1e376c085141ab53),
    UINT64_C(0x2748774cdf8eeb99),
    UINT64_C(0x34b0bcb5e19b48a8),
    UINT64_C(0x391c0cb3c5c95a63),
    UINT64_C(0x4ed8aa4ae3418acb),
    UINT64_C(0x5b9cca4f7763e373),
    UINT64_C(0x682e6ff3d6b2b8a3),
    UINT64_C(0x748f82ee5defb2fc),
    UINT64_C(0x78a5636f43172f60),
    UINT64_C(0x84c87814a1f0ab72),
    UINT64_C(0x8cc702081a6439ec),
    UINT64_C(0x90befffa23631e28),
    UINT64_C(0xa4506cebde82bde9),
    UINT64_C(0xbef9a3f7b2c67915),
    UINT64_C(0xc67178f2e372532b),
    UINT64_C(0xca273eceea26619c),
    UINT64_C(0xd186b8c721c0c207),
    UINT64_C(0xeada7dd6cde0eb1e),
    UINT64_C(0xf57d4f7fee6ed178),
    UINT64_C(0x06f067aa72176fba),
    UINT64_C(0x0a637dc5a2c898a6),
    UINT64_C(0x113f9804bef90dae),
    UINT64_C(0x1b710b35131c471b),
    UINT64_C(0x28db77f523047d84),
    UINT64_C(0x32caab7b40c72493),
    UINT64_C(0x3c9ebe0a15c9bebc),
    UINT64_C(0x431d67c49c100d4c),
    UINT64_C(0x4cc5d4becb3e42b6),
    UINT64_C(0x597f299cfc657e2a),
    UINT64_C(0x5fcb6fab3ad6faec),
    UINT64_C(0x6c44198c4a475817),
};

static const uint64_t iv_512[8] = {
    UINT64_C(0x6a09e667f3bcc908),
    UINT64_C(0xbb67ae8584caa73b),
    UINT64_C(0x3c6ef372fe94f82b),
    UINT64_C(0xa54ff53a5f1d36f1),
    UINT64_C(0x510e527fade682d1),
    UINT64_C(0x9b05688c2b3e6c1f),
    UINT64_C(0x1f83d9abfb41bd6b),
    UINT64_C(0x5be0cd19137e2179),
};

static const uint64_t iv_384[8] = {
    UINT64_C(0xcbbb9d5dc1059ed8),
    UINT64_C(0x629a292a367cd507),
    UINT64_C(0x9159015a3070dd17),
    UINT64_C(0x152fecd8f70e5939),
    UINT64_C(0x67332667ffc00b31),
    UINT64_C(0x8eb44a8768581511),
    UINT64_C(0xdb0c2e0d64f98fa7),
    UINT64_C(0x47b5481dbefa4fa4),
};

static const struct mac_sha2 sha256 = {.bits = 32,
    .rounds = 64,
    .sum0 = {2, 13, 22},
    .sum1 = {6, 11, 25},
    .sigma0 = {7, 18, 3},
    .sigma1 = {17, 19, 10}};

static const struct mac_sha2 sha512 = {.bits = 64,
    .rounds = 80,
    .sum0 = {28, 34, 39},
    .sum1 = {14, 18, 41},
    .sigma0 = {1, 8, 7},
    .sigma1 = {19, 61, 6}};

const struct mac_sha2 *mac_sha2(unsigned alg)
{
    return alg <= MPC_MAC_256 ? &sha256 : &sha512;
}

uint64_t mac_sha2_k(unsigned alg, unsigned round)
{
    return alg <= MPC_MAC_256 ? k_table[round] >> 32 : k_table[round];
}

uint64_t mac_sha2_iv(unsigned alg, unsigned word)
{
    switch (alg) {
    case MPC_MAC_224:
        return iv_384[word] & UINT32_MAX;
    case MPC_MAC_256:
        return iv_512[word] >> 32;
    case MPC_MAC_384:
        return iv_384[word];
    default:
        return iv_512[word];
    }
}

static uint64_t rotate(unsigned bits, uint64_t x, unsigned by)
{
    if (bits == 64) return x >> by | x << (64 - by);
    return (x >> by | x << (32 - by)) & UINT32_MAX;
}

uint64_t mac_sha2_sigma(const struct mac_sha2 *s, const uint8_t r[3], bool shift, uint64_t x)
{
    uint64_t last = shift ? x >> r[2] : rotate(s->bits, x, r[2]);
    return rotate(s->bits, x, r[0]) ^ rotate(s->bits, x, r[1]) ^ last;
}

uint64_t mac_sha2_word(unsigned alg, const uint8_t *p, unsigned w)
{
    return alg <= MPC_MAC_256 ? qk_get_u32(p + 4 * w) : qk_get_u64(p + 8 * w);
}

/* ---- padding ---- */

static size_t block_len(unsigned alg)
{
    return alg <= MPC_MAC_256 ? SHA256_CBLOCK : SHA512_CBLOCK;
}

/* The length field has two words; 80 takes a byte. */
unsigned mac_sha2_blocks(unsigned alg, size_t message_len)
{
    size_t block = block_len(alg);
    return (unsigned)((message_len + 1 + block / 8 + block - 1) / block);
}

void mac_sha2_block(unsigned alg, struct qk_bytes message, unsigned i, uint8_t *out)
{
    size_t block = block_len(alg), from = i * block;
    memset(out, 0, block);
    if (from < message.len) {
        size_t left = message.len - from;
        memcpy(out, message.p + from, left < block ? left : block);
    }
    if (message.len >= from && message.len < from + block) out[message.len - from] = 0x80;
    if (i + 1 == mac_sha2_blocks(alg, message.len))
        qk_put_u64(out + block - 8, 8 * ((uint64_t)block + message.len));
}

/* ---- h from ist, by OpenSSL's compression function ---- */

static void inner_256(uint8_t *out, unsigned alg, const uint8_t *ist, struct qk_bytes m)
{
    SHA256_CTX ctx;
    uint8_t full[SHA256_DIGEST_LENGTH];
    SHA256_Init(&ctx);
    for (unsigned w = 0; w < 8; w++) ctx.h[w] = qk_get_u32(ist + 4 * w);
    ctx.Nl = 8 * SHA256_CBLOCK; /* one block was compressed before: the key's */
    SHA256_Update(&ctx, m.p, m.len);
    SHA256_Final(full, &ctx);
    memcpy(out, full, mpc_mac_digest_len(alg));
    qk_wipe(&ctx, sizeof ctx);
    qk_wipe(full, sizeof full);
}

static void inner_512(uint8_t *out, unsigned alg, const uint8_t *ist, struct qk_bytes m)
{
    SHA512_CTX ctx;
    uint8_t full[SHA512_DIGEST_LENGTH];
    SHA512_Init(&ctx);
    for (unsigned w = 0; w < 8; w++) ctx.h[w] = qk_get_u64(ist + 8 * w);
    ctx.Nl = 8 * SHA512_CBLOCK;
    SHA512_Update(&ctx, m.p, m.len);
    SHA512_Final(full, &ctx);
    memcpy(out, full, mpc_mac_digest_len(alg));
    qk_wipe(&ctx, sizeof ctx);
    qk_wipe(full, sizeof full);
}

qk_err mpc_mac_inner(uint8_t *out, unsigned alg, const uint8_t *ist, struct qk_bytes message)
{
    QK_ENSURE(mpc_mac_alg_known(alg), QK_E_STATE);
    if (mpc_mac_state_len(alg) == 32)
        inner_256(out, alg, ist, message);
    else
        inner_512(out, alg, ist, message);
    return QK_OK;
}
