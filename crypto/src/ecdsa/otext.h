/** OT extension with the corrected consistency check.
 *
 *  Source: protocols/20-ecdsa.md section 3 (SoftSpokenOT, ePrint 2022/192, with
 *  k = 1 and its per-row check; the single-equation check of KOS15 is broken
 *  and is not here). Bob chooses xi bits; for each the parties end with rows
 *  Q_j (Alice) and T_j (Bob) of kappa bits, Q_j = T_j + beta_j * Delta.
 *
 *  Timing: constant in Delta, seeds and choice bits.
 *  Threads: reentrant.
 */
#ifndef MPC_OTEXT_H
#define MPC_OTEXT_H

#include "ecdsa/params.h"

static inline uint8_t ot_bit(const uint8_t *y, size_t j)
{
    return (uint8_t)((y[j >> 3] >> (j & 7)) & 1);
}

/** Bob's message: views of ot_u_len, 16 and ot_th_len bytes. */
struct otext_msg {
    struct qk_bytes u, xh, th;
};

/** Bob.
 *
 *  pairs   kappa * 2 seeds of 32 bytes: seed_{k,0}, seed_{k,1}; secret
 *  x       nb bytes: the choice bits beta (xi of them) and 128 random bits tau; secret
 *  u, xh, th  out: ot_u_len, 16, ot_th_len bytes
 *  rows    out: xi rows T_j of ot_row_len bytes; secret
 */
QK_MUST_USE qk_err otext_bob(const struct ot_dims *d, const uint8_t pm[static 32],
    const uint8_t *pairs, const uint8_t *x, uint8_t *u, uint8_t xh[static 16], uint8_t *th,
    uint8_t *rows);

/** Alice: check and extend.
 *
 *  delta   kappa bits; secret
 *  seeds   kappa seeds of 32 bytes: seed_{k, Delta_k}; secret
 *  rows    out: xi rows Q_j; secret; meaningless unless QK_OK
 *
 *  Returns  QK_E_PROOF if one of the kappa rows fails; all are computed, the branch is one, and the
 *           outcome is secret until the setup's status is on disk (section 7)
 */
QK_MUST_USE qk_err otext_alice(const struct ot_dims *d, const uint8_t pm[static 32],
    const uint8_t *delta, const uint8_t *seeds, const struct otext_msg *msg, uint8_t *rows);

#endif
