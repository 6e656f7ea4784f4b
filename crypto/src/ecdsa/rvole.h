/** Random vector multiplication of length 2 on top of the OT extension.
 *
 *  Source: protocols/20-ecdsa.md section 4 (RVOLE of DKLs23, ePrint 2023/765).
 *  Alice has a_0, a_1; Bob gets a random b; they end with c_i + d_i = a_i * b.
 *
 *  Timing: constant in everything but the messages.
 *  Threads: reentrant.
 */
#ifndef MPC_RVOLE_H
#define MPC_RVOLE_H

#include "ecdsa/otext.h"
#include "mpc/group.h"

/** One multiplication: everything both sides know. */
struct rvole {
    const struct mpc_curve *c;
    struct ot_dims d;
    uint8_t pm[32];
    const struct mpc_scalar *gadget_mont; /* xi of them, for this ordered pair */
};

/** Alice's answer: at of rvole_at_len bytes, eta of lq, mu of 64. */
struct rvole_answer {
    struct qk_bytes at, eta, mu;
};

static inline size_t rvole_at_len(const struct mpc_curve *c, const struct ot_dims *d)
{
    return 3u * d->xi * c->lq;
}

/** g_j = H2S("rvole-gadget"; psid, u8 curve, u16 j) in Montgomery form, for j < xi. Public. */
QK_MUST_USE qk_err rvole_gadget(
    const struct mpc_curve *c, const uint8_t psid[static 32], struct mpc_scalar *gadget_mont);

/** Bob's factor b = sum of the g_j with beta_j = 1. */
void rvole_b(const struct rvole *v, const uint8_t *beta, struct mpc_scalar *b);

/** Alice, after otext_alice accepted msg.
 *
 *  delta, rows    her side of the OT extension; secret
 *  a              a_0, a_1 and a-hat (uniform); secret
 *  at, eta, mu    out: the answer, lengths as above
 *  cs             out: c_0, c_1; secret
 */
QK_MUST_USE qk_err rvole_alice(const struct rvole *v, const uint8_t *delta, const uint8_t *rows,
    const struct otext_msg *msg, const struct mpc_scalar a[static 3], uint8_t *at, uint8_t *eta,
    uint8_t mu[static 64], struct mpc_scalar cs[static 2]);

/** Bob: check the answer and take his shares.
 *
 *  beta, rows  his choice bits and rows; secret
 *  msg         what he sent
 *  ds          out: d_0, d_1; secret; meaningless unless QK_OK
 *
 *  Returns  QK_E_PROOF      mu does not fit; the outcome depends on beta
 *           QK_E_MALFORMED  a scalar is not below q
 */
QK_MUST_USE qk_err rvole_bob(const struct rvole *v, const uint8_t *beta, const uint8_t *rows,
    const struct otext_msg *msg, const struct rvole_answer *answer, struct mpc_scalar ds[static 2]);

#endif
