/** The AES PRF of one replicated key; private, open to tests and bench.
 *
 *  Source: protocols/50-symmetric.md section 2. CBC-MAC on exactly three blocks, the last one a
 *  counter, under ke for values and kt for tags. The input is always 32 bytes: a shortened one
 *  would let a caller look for collisions offline (check S-13).
 */
#ifndef MPC_SYM_PRF_H
#define MPC_SYM_PRF_H

#include "ecdsa/aes256.h"
#include "mpc/sym.h"

enum { SYM_PRF_BATCH = MPC_SYM_ITEMS_MAX };

/** Key schedules of ke and kt. One caller at a time. */
struct sym_prf {
    struct aes256 enc, tag;
};

QK_MUST_USE qk_err sym_prf_init(struct sym_prf *prf, const uint8_t k_a[static 32]);
/** Wipe and release; a zeroed struct is allowed. */
void sym_prf_clear(struct sym_prf *prf);
/** out[i] = F(x[i]) for i < n <= SYM_PRF_BATCH; each AES step runs over the whole batch. */
QK_MUST_USE qk_err sym_prf_values(
    struct sym_prf *prf, const uint8_t (*x)[32], size_t n, uint8_t (*out)[MPC_SYM_PIECE_LEN]);
/** out[i] = tag(x[i]). */
QK_MUST_USE qk_err sym_prf_tags(
    struct sym_prf *prf, const uint8_t (*x)[32], size_t n, uint8_t (*out)[MPC_SYM_TAG_LEN]);

#endif
