/** The y of a P-256 point from its x. Private to crypto/src/group.
 *
 *  OpenSSL 3.0 takes a general square root mod p for it, three times the work.
 *
 *  Timing: public data. Threads: reentrant.
 */
#ifndef MPC_GROUP_P256_LIFT_H
#define MPC_GROUP_P256_LIFT_H

#include "mpc/group.h"

/** y of the point with this x whose y has this parity; both 32 bytes, big-endian.
 *  False: x >= p, or no such point. */
bool p256_lift_var(uint8_t y[static 32], const uint8_t x[static 32], unsigned y_odd);

#endif
