#define OPENSSL_SUPPRESS_DEPRECATED
#include "mac/keystate.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include "mpc/mac.h"
#include "mpc/transcript.h"
#include "qk/secret.h"

/* ---- one compression from the initial value ---- */

static void init_256(SHA256_CTX *ctx, unsigned alg)
{
    if (alg == MPC_MAC_224)
        SHA224_Init(ctx);
    else
        SHA256_Init(ctx);
}

static void init_512(SHA512_CTX *ctx, unsigned alg)
{
    if (alg == MPC_MAC_384)
        SHA384_Init(ctx);
    else
        SHA512_Init(ctx);
}

static void first_256(uint8_t *state, unsigned alg, const uint8_t *block)
{
    SHA256_CTX ctx;
    init_256(&ctx, alg);
    SHA256_Update(&ctx, block, SHA256_CBLOCK);
    for (unsigned w = 0; w < 8; w++) qk_put_u32(state + 4 * w, ctx.h[w]);
    qk_wipe(&ctx, sizeof ctx);
}

static void first_512(uint8_t *state, unsigned alg, const uint8_t *block)
{
    SHA512_CTX ctx;
    init_512(&ctx, alg);
    SHA512_Update(&ctx, block, SHA512_CBLOCK);
    for (unsigned w = 0; w < 8; w++) qk_put_u64(state + 8 * w, ctx.h[w]);
    qk_wipe(&ctx, sizeof ctx);
}

static void state_after(uint8_t *state, unsigned alg, const uint8_t *key, uint8_t pad)
{
    uint8_t block[MPC_MAC_BLOCK_MAX];
    size_t len = mpc_mac_block_len(alg);
    for (size_t i = 0; i < len; i++) block[i] = key[i] ^ pad;
    if (mpc_mac_state_len(alg) == 32)
        first_256(state, alg, block);
    else
        first_512(state, alg, block);
    qk_wipe(block, sizeof block);
}

/* ---- a key longer than a block ---- */

static void hash_256(uint8_t *out, unsigned alg, struct qk_bytes key)
{
    SHA256_CTX ctx;
    init_256(&ctx, alg);
    SHA256_Update(&ctx, key.p, key.len);
    SHA256_Final(out, &ctx);
    qk_wipe(&ctx, sizeof ctx);
}

/* Only a block of 64 bytes is ever too short for what an import may bring. */
static void to_block(uint8_t block[static MPC_MAC_BLOCK_MAX], unsigned alg, struct qk_bytes key)
{
    memset(block, 0, MPC_MAC_BLOCK_MAX);
    if (key.len > mpc_mac_block_len(alg))
        hash_256(block, alg, key);
    else
        memcpy(block, key.p, key.len);
}

qk_err mac_key_states(uint8_t *ist, uint8_t *ost, unsigned alg, struct qk_bytes key)
{
    uint8_t block[MPC_MAC_BLOCK_MAX];
    QK_ENSURE(mpc_mac_alg_known(alg), QK_E_STATE);
    QK_ENSURE(key.len >= 1 && key.len <= MPC_MAC_BLOCK_MAX, QK_E_STATE);
    to_block(block, alg, key);
    state_after(ist, alg, block, 0x36);
    state_after(ost, alg, block, 0x5c);
    qk_wipe(block, sizeof block);
    return QK_OK;
}

/* ---- the self-test's values ---- */

qk_err mac_test_h(
    uint8_t out[static MPC_MAC_DIGEST_MAX], const uint8_t key_id[static 16], unsigned alg)
{
    uint8_t number = (uint8_t)alg;
    return mpc_expand(
        out, mpc_mac_digest_len(alg), MPC_L_MAC_ST_H, MPC_FIELDS({key_id, 16}, {&number, 1}));
}

qk_err mac_test_st(uint8_t st[static 32], struct qk_bytes values)
{
    return mpc_h32(st, MPC_L_MAC_ST, MPC_FIELDS(values));
}

/* f(state, h || padding) has the shape of an inner hash over h: mpc_mac_inner computes it. */
qk_err mac_test_clear(uint8_t st[static 32], const uint8_t key_id[static 16], unsigned alg,
    const uint8_t *secret, size_t secret_len)
{
    uint8_t h[MPC_MAC_DIGEST_MAX], values[2 * MPC_MAC_DIGEST_MAX];
    size_t state = mpc_mac_state_len(alg), digest = mpc_mac_digest_len(alg), n = 0;
    qk_err err = mac_test_h(h, key_id, alg);
    for (size_t at = 0; err == QK_OK && at < secret_len; at += state, n += digest)
        err = mpc_mac_inner(values + n, alg, secret + at, qk_bytes(h, digest));
    if (err == QK_OK) err = mac_test_st(st, qk_bytes(values, n));
    qk_wipe(values, sizeof values);
    return err;
}
