/** ist and ost of a key in the clear (an importer's), and the values of the self-test.
 *
 *  Source: RFC 2104; protocols/60-hmac.md sections 1 and 6. Timing: constant in key and states.
 */
#ifndef MPC_MAC_KEYSTATE_H
#define MPC_MAC_KEYSTATE_H

#include "mpc/mac_alg.h"
#include "qk/bytes.h"

/** ist = f(IV, K xor ipad), ost = f(IV, K xor opad); a key longer than a block is hashed first.
 *  key of 1..MPC_MAC_BLOCK_MAX bytes, ist and ost of state_len. QK_E_STATE. */
QK_MUST_USE qk_err mac_key_states(uint8_t *ist, uint8_t *ost, unsigned alg, struct qk_bytes key);

/** h* = Expand("mac-st-h"; key_id, u8 alg; digest_len): what takes the place of a message's h. */
QK_MUST_USE qk_err mac_test_h(
    uint8_t out[static MPC_MAC_DIGEST_MAX], const uint8_t key_id[static 16], unsigned alg);
/** st = H32("mac-st"; values): the tag of h*; in profile S the same of ist, and then the tag. */
QK_MUST_USE qk_err mac_test_st(uint8_t st[static 32], struct qk_bytes values);
/** st from the secret that the pieces share (secret_len of algorithm and profile). */
QK_MUST_USE qk_err mac_test_clear(uint8_t st[static 32], const uint8_t key_id[static 16],
    unsigned alg, const uint8_t *secret, size_t secret_len);

#endif
