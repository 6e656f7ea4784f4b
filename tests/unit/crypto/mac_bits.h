/* Bytes into bits of wires and back, and the compression functions of OpenSSL, for tests of mac/.
 */
#ifndef MAC_BITS_H
#define MAC_BITS_H

#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include "driver.h"
#include "mac/circuit.h"
#include "mac/sha2.h"
#include "mpc/mac.h"
#include "qktest/qktest.h"

static const uint8_t mac_algs[] = {MPC_MAC_224, MPC_MAC_256, MPC_MAC_384, MPC_MAC_512};

static inline const EVP_MD *mac_md(unsigned alg)
{
    const EVP_MD *md[] = {NULL, EVP_sha224(), EVP_sha256(), EVP_sha384(), EVP_sha512()};
    return md[alg];
}

/* Put the bits of a string of words into evaluation `lane` of 128. */
static inline void mac_bits_in(
    mac_wire *wire, const uint8_t *bytes, unsigned n, unsigned n_bits, unsigned lane)
{
    for (unsigned j = 0; j < n_bits; j++) {
        uint64_t m = UINT64_C(1) << (lane % 64);
        wire[j][lane / 64] = (wire[j][lane / 64] & ~m) | (mac_bit(bytes, n, j) ? m : 0);
    }
}

static inline void mac_bits_out(
    uint8_t *bytes, const mac_wire *wire, unsigned n, unsigned n_bits, unsigned lane)
{
    memset(bytes, 0, n_bits / 8);
    for (unsigned j = 0; j < n_bits; j++)
        mac_bit_put(bytes, n, j, (unsigned)(wire[j][lane / 64] >> (lane % 64)) & 1);
}

/* state = f(state, block), by OpenSSL. */
static inline void mac_compress(unsigned alg, uint8_t *state, const uint8_t *block)
{
    if (mpc_mac_state_len(alg) == 32) {
        SHA256_CTX c = {0};
        for (unsigned w = 0; w < 8; w++) c.h[w] = qk_get_u32(state + 4 * w);
        SHA256_Transform(&c, block);
        for (unsigned w = 0; w < 8; w++) qk_put_u32(state + 4 * w, c.h[w]);
    } else {
        SHA512_CTX c = {0};
        for (unsigned w = 0; w < 8; w++) c.h[w] = qk_get_u64(state + 8 * w);
        SHA512_Transform(&c, block);
        for (unsigned w = 0; w < 8; w++) qk_put_u64(state + 8 * w, c.h[w]);
    }
}

/* ist (pad 36) or ost (pad 5c) of a key of at most one block, by OpenSSL. */
static inline void mac_key_state(unsigned alg, uint8_t *state, struct qk_bytes key, uint8_t pad)
{
    uint8_t block[MPC_MAC_BLOCK_MAX];
    memset(block, pad, sizeof block);
    for (size_t i = 0; i < key.len; i++) block[i] ^= key.p[i];
    for (unsigned w = 0; w < 8; w++) {
        uint64_t iv = mac_sha2_iv(alg, w);
        if (mpc_mac_state_len(alg) == 32)
            qk_put_u32(state + 4 * w, (uint32_t)iv);
        else
            qk_put_u64(state + 8 * w, iv);
    }
    mac_compress(alg, state, block);
}

#endif
