/** What both ends of a call agree on: docs/wire.md, "Call frames". */
#ifndef WIRE_CALL_PRIV_H
#define WIRE_CALL_PRIV_H

#include "address.h"
#include "endpoint.h"
#include "line.h"

enum {
    /* to the node; number 1.. of a call, 0 of a ping */
    CALL_REQUEST = 1, /* body: the call */
    CALL_PING = 2,

    /* to the caller; number of the call it answers, 0 of the others */
    CALL_ANSWER = 1, /* body: the answer */
    CALL_PONG = 2,
    CALL_DROPPED = 3,
    CALL_BUSY = 4,
    CALL_WELCOME = 5, /* first of all: the caller is known. body: "QKMS" || u16 version */

    CALL_VERSION = 1,
    CALL_WELCOME_LEN = 6,
};

#define CALL_MAGIC "QKMS"

#endif
