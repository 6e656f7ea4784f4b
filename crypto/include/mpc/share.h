/** One party's secret share of a key.
 *
 *  Source: protocols/10-dkg.md section 1. A node's share is f(i), a delegate's
 *  is the additive x_D. Public counterpart: mpc/record.h.
 */
#ifndef MPC_SHARE_H
#define MPC_SHARE_H

#include "mpc/record.h"

/** Secret: declare with MPC_KEY_SHARE, keep long-lived ones in locked memory. */
struct mpc_key_share {
    uint8_t curve;
    uint16_t self;
    struct mpc_scalar x;
};

void mpc_key_share_wipe(struct mpc_key_share *share);

/* A share that is empty at first and wiped on every way out of its scope. */
#define MPC_KEY_SHARE(name)                                                                        \
    __attribute__((cleanup(mpc_key_share_wipe))) struct mpc_key_share name = {0}

enum { MPC_KEY_SHARE_MAX = 4 + MPC_SCALAR_MAX };

/** Append u8 version 1, u8 curve, u16 self, enc x: 4 + lq bytes. Secret: give a QK_BUF_SECRET. */
QK_MUST_USE qk_err mpc_key_share_encode(const struct mpc_key_share *share, struct qk_buf *out);
/** QK_E_CORRUPT unless in is such an encoding with a known curve, a valid id and 0 < x < q. */
QK_MUST_USE qk_err mpc_key_share_decode(struct qk_bytes in, struct mpc_key_share *out);
/** Does the share belong to this record: same curve, x*G = X_self? QK_E_CORRUPT if not.
 *  Run it after every load and before every prep. Constant time in the share. */
QK_MUST_USE qk_err mpc_key_share_check(
    const struct mpc_key_share *share, const struct mpc_key_record *rec);

#endif
