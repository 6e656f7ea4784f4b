/** The point of an input; private, open to the known-answer test. */
#ifndef MPC_DPRF_POINT_H
#define MPC_DPRF_POINT_H

#include "mpc/group.h"

/** P = H2P("sym-p"; X) on P-256. p is initialised here; pair with mpc_point_clear. */
QK_MUST_USE qk_err mpc_dprf_point(struct mpc_point *p, const uint8_t x[static 32]);

#endif
