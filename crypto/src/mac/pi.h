/** The engines behind mac/garble.h: AES-128 on many blocks at once. */
#ifndef MPC_MAC_PI_H
#define MPC_MAC_PI_H

#include "mac/garble.h"

/** The best engine of this processor: VAES, NI or EVP. */
enum mac_engine mac_pi_best(void);

/* Of processors that have AES instructions; n is a multiple of four. */
void mac_pi_key_ni(struct mac_pi *pi, const uint8_t kh[static 16]);
void mac_hs_ni(
    const struct mac_pi *pi, mac_wire *out, const mac_wire *x, const mac_wire *tau, unsigned n);
void mac_hs_vaes(
    const struct mac_pi *pi, mac_wire *out, const mac_wire *x, const mac_wire *tau, unsigned n);

#endif
