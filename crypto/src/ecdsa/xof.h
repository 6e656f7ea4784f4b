/** Expand for thousands of equally shaped short transcripts.
 *
 *  Source: protocols/00-common.md section 3. The bytes are exactly those of
 *  mpc_expand(out, out_len, label, { pm, u16 index, var }); the point is that
 *  the transcript with its counter fits one SHA-512 block, which is laid out
 *  once and then only patched, four at a time.
 *
 *  Timing: constant in var. Threads: reentrant; wipe after use.
 */
#ifndef MPC_ECDSA_XOF_H
#define MPC_ECDSA_XOF_H

#include "ecdsa/sha512x4.h"
#include "qk/err.h"

enum {
    XOF_LANES = SHA512X4_LANES,
    XOF_OUT_MAX = 256, /* bytes per lane */
};

struct xof {
    uint8_t block[128];
    size_t index_at, var_at, counter_at, var_len;
};

/** Lay the block out. QK_E_STATE if it does not fit. */
QK_MUST_USE qk_err xof_init(
    struct xof *x, const char *label, const uint8_t pm[static 32], size_t var_len);
/** For l < 4: out[l] = Expand(label; pm, u16 first+l, var[l]; out_len). out_len <= XOF_OUT_MAX,
 *  rounded up to whole blocks of 64 in out. */
void xof_run4(const struct xof *x, uint16_t first, const uint8_t *const var[XOF_LANES],
    size_t out_len, uint8_t out[XOF_LANES][XOF_OUT_MAX]);

#endif
