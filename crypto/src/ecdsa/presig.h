/** How a presignature is made. Private. */
#ifndef MPC_ECDSA_PRESIG_H
#define MPC_ECDSA_PRESIG_H

#include "ecdsa/sign.h"

/** From the sums of a finished session without a digest. */
QK_MUST_USE qk_err presig_new(
    struct mpc_presig **out, const struct mpc_party *party, const struct sign *s);

#endif
