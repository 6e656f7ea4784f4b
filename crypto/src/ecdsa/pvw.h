/** The base oblivious transfers: PVW in its DDH form.
 *
 *  Source: protocols/20-ecdsa.md section 2 (Peikert, Vaikuntanathan, Waters
 *  2008). The receiver A learns one of two seeds per index k, according to bit
 *  k of her Delta; the sender B learns both and nothing about Delta. The CRS
 *  is hashed from psid, so nobody knows its discrete logarithms (E-2).
 *
 *  Timing: constant in Delta, r, s, t.
 *  Threads: reentrant; a pvw is read-only after pvw_init.
 */
#ifndef MPC_PVW_H
#define MPC_PVW_H

#include "ecdsa/params.h"

struct pvw {
    const struct mpc_curve *c;
    uint8_t psid[32];
    struct mpc_point g[2], h[2];
};

/** The CRS of one direction. pvw_clear also after a failure. */
QK_MUST_USE qk_err pvw_init(
    struct pvw *x, const struct mpc_curve *c, const uint8_t psid[static 32]);
void pvw_clear(struct pvw *x);

#define PVW(name) __attribute__((cleanup(pvw_clear))) struct pvw name = {0}

/** A: uw = enc(r*g_bit) || enc(r*h_bit), 2 * pt bytes. bit is 0 or 1, secret. */
QK_MUST_USE qk_err pvw_choose(
    const struct pvw *x, uint8_t bit, const struct mpc_scalar *r, uint8_t *uw);

/** B, one branch: e = enc(s*g_b + t*h_b), pt bytes, and the seed H32("pvw-seed"; ..) over
 *  V = s*U + t*W. uw: A's 2*pt bytes; u, w the same decoded.
 *  QK_E_UNEXPECTED if e or V would be O: draw s and t again. */
QK_MUST_USE qk_err pvw_answer(const struct pvw *x, uint16_t k, uint8_t b, const uint8_t *uw,
    const struct mpc_point *u, const struct mpc_point *w, const struct mpc_scalar *s,
    const struct mpc_scalar *t, uint8_t *e, uint8_t seed[static 32]);

/** A: her seed. e01: E_{k,0} || E_{k,1} as received, both are decoded and checked (E-1): valid and
 *  not O, else QK_E_MALFORMED. */
QK_MUST_USE qk_err pvw_open(const struct pvw *x, uint16_t k, uint8_t bit,
    const struct mpc_scalar *r, const uint8_t *uw, const uint8_t *e01, uint8_t seed[static 32]);

#endif
