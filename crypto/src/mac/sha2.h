/** SHA-2 in the clear: constants, and what a node computes from ist itself.
 *
 *  Source: FIPS 180-4. The constants of SHA-256 are the upper halves of the first 64 of SHA-512,
 * its initial value the upper halves of SHA-512's, SHA-224's the lower halves of SHA-384's: one
 * table serves all.
 */
#ifndef MPC_MAC_SHA2_H
#define MPC_MAC_SHA2_H

#include "mpc/mac_alg.h"
#include "qk/bytes.h"

/** Bits of a word, rounds of a compression, rotations and shifts of the six functions. */
struct mac_sha2 {
    unsigned bits, rounds;
    uint8_t sum0[3], sum1[3];     /* three rotations */
    uint8_t sigma0[3], sigma1[3]; /* two rotations and a shift */
};
const struct mac_sha2 *mac_sha2(unsigned alg);

uint64_t mac_sha2_k(unsigned alg, unsigned round);
uint64_t mac_sha2_iv(unsigned alg, unsigned word);

/** Functions of words in the clear, for known words of a circuit. Public. */
uint64_t mac_sha2_sigma(const struct mac_sha2 *s, const uint8_t r[3], bool shift, uint64_t x);

/** Word w of a block or state given as bytes. */
uint64_t mac_sha2_word(unsigned alg, const uint8_t *p, unsigned w);

/** The blocks that close an inner hash: message || 80 || 0.. || length of (one block + message).
 *  Returns how many blocks there are; block i goes to out (block_len bytes). */
unsigned mac_sha2_blocks(unsigned alg, size_t message_len);
void mac_sha2_block(unsigned alg, struct qk_bytes message, unsigned i, uint8_t *out);

#endif
