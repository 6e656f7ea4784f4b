/** The framed digest of wire/identity.h, shared by signing and verifying. */
#ifndef WIRE_SIG_H
#define WIRE_SIG_H

#include "qk/bytes.h"

QK_MUST_USE qk_err wire_sig_digest(struct qk_bytes msg, uint8_t digest[static 32]);

#endif
