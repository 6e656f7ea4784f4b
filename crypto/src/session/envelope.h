/** Envelopes: the seven keys around every body (protocols/00-common.md section 6). */
#ifndef MPC_ENVELOPE_H
#define MPC_ENVELOPE_H

#include "mpc/party.h"

enum { MPC_ENVELOPE_OVERHEAD = 80 }; /* bytes around a body, at most */

/** Which session does this frame speak of? Reads v, p and s only, whatever comes after.
 *  False: bytes that name no session; nobody can be blamed for them. */
bool mpc_envelope_peek(struct qk_bytes frame, uint8_t *proto, uint8_t sid[static 32]);

/** Append an envelope. body is an encoded map. */
void mpc_envelope_encode(struct qk_buf *out, const struct mpc_envelope *env);

#endif
