/** The values of document 50 section 4 that only a combiner may know; private, open to tests. */
#ifndef MPC_SYM_VALUES_H
#define MPC_SYM_VALUES_H

#include "mpc/sym.h"
#include "qk/secret.h"

/** alpha = H32("sym-com"; key_id, u32 ver, d_ec, rho, m). Constant time in rho and m. */
QK_MUST_USE qk_err sym_alpha(uint8_t alpha[static 32], const uint8_t key_id[static 16],
    uint32_t ver, const uint8_t d_ec[static 32], const uint8_t rho[static 32], struct qk_bytes m);
/** out = in XOR AES-256-CTR(key H32("sym-ks"; X, w), zero counter block). in.len bytes. */
QK_MUST_USE qk_err sym_pad(
    uint8_t *out, struct qk_bytes in, const uint8_t x[static 32], const struct qk_sec32 *w);
/** w = H32("sym-wv"; X, enc W). */
QK_MUST_USE qk_err sym_v_value(
    struct qk_sec32 *w, const uint8_t x[static 32], const uint8_t enc[static 33]);

#endif
