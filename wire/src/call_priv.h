/** What both ends of a call agree on: docs/wire.md, "Call frames". One byte, then the content. */
#ifndef WIRE_CALL_PRIV_H
#define WIRE_CALL_PRIV_H

#include "endpoint.h"
#include "qk/secret.h"
#include "wire/call.h"

enum {
    CALL_REQUEST = 1, /* || bytes */
    CALL_PING = 2,

    CALL_ANSWER = 1, /* || bytes */
    CALL_PONG = 2,
    CALL_DROPPED = 3,
    CALL_BUSY = 4,

    CALL_RECV_MAX = WIRE_CALL_FRAME_MAX + 64, /* our byte and NNG's request id come on top */
};

/** type || bytes as a new message; NULL when out of memory. */
static inline nng_msg *call_frame(uint8_t type, struct qk_bytes bytes)
{
    nng_msg *msg;
    if (nng_msg_alloc(&msg, 1 + bytes.len) != 0) return NULL;
    uint8_t *body = nng_msg_body(msg);
    body[0] = type;
    if (bytes.len > 0) memcpy(body + 1, bytes.p, bytes.len);
    return msg;
}

/** Free a received message. Parts of keys and of secret values travel in some: all are wiped. What
 *  is sent belongs to NNG, which frees it as it is. */
static inline void call_frame_done(nng_msg *msg)
{
    qk_wipe(nng_msg_body(msg), nng_msg_len(msg));
    nng_msg_free(msg);
}

#endif
