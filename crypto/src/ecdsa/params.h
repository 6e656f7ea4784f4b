/** The dimensions of document 20 section 1, by curve.
 *
 *  Source: protocols/20-ecdsa.md section 1. All of this is public.
 */
#ifndef MPC_ECDSA_PARAMS_H
#define MPC_ECDSA_PARAMS_H

#include "mpc/group.h"
#include "mpc/otsetup.h"

enum {
    OT_KAPPA_MAX = 256,
    OT_XI_MAX = 688, /* P-521 */
    OT_NB_MAX = 102, /* P-521 */
    OT_M_MAX = 6,    /* P-521 */
    OT_ROW_MAX = 32, /* kappa bits */
};

/** One OT extension: kappa base OTs extended to xi. */
struct ot_dims {
    uint16_t kappa; /* base OTs, a multiple of 128 */
    uint16_t xi;    /* extended OTs, a multiple of 32 */
    uint16_t nb;    /* bytes per column: (xi + 128) / 8 */
    uint16_t m;     /* 128-bit blocks of xi bits, the last one zero padded */
};

static inline size_t ot_u_len(const struct ot_dims *d)
{
    return (size_t)d->kappa * d->nb;
}
static inline size_t ot_th_len(const struct ot_dims *d)
{
    return (size_t)d->kappa * 16;
}
static inline size_t ot_row_len(const struct ot_dims *d)
{
    return d->kappa / 8u;
}

/** Base OTs of a class; 0 for an unknown one. */
uint16_t ot_kappa(unsigned cls);
/** The group in which a class makes its base OTs. */
const struct mpc_curve *ot_group(unsigned cls);
/** Signing on a curve: xi = |q| + 160 rounded up to bytes. */
struct ot_dims ot_dims_sign(const struct mpc_curve *c);
/** Derivation under a root: xi = kappa. */
struct ot_dims ot_dims_derive(unsigned cls);

#endif
