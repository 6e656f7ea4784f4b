/** Frames of the links between nodes: what one NNG message carries. docs/wire.md, "Node links".
 *
 *      hello      01 || "QKMS" || u16 version || cluster hash (32) || u16 from || u16 to
 *      heartbeat  02 || u8 hears            1: the sender has a live link from the receiver
 *      batch      03 || (u32 length || message)+        length 1..WIRE_MSG_MAX
 *
 *  Decoding borrows, allocates nothing, and accepts only complete frames of exact length.
 */
#ifndef WIRE_FRAME_H
#define WIRE_FRAME_H

#include "wire/mesh.h"

enum {
    WIRE_FRAME_HELLO = 1,
    WIRE_FRAME_HEARTBEAT = 2,
    WIRE_FRAME_BATCH = 3,

    WIRE_LINK_VERSION = 1,
    WIRE_HELLO_LEN = 43,
    WIRE_HEARTBEAT_LEN = 2,
    WIRE_BATCH_OVERHEAD = 4, /* bytes a message costs in a batch, besides the one type byte */
};

struct wire_hello {
    uint16_t version;
    uint8_t cluster[32];
    uint16_t from, to;
};

void wire_hello_encode(const struct wire_hello *hello, uint8_t out[static WIRE_HELLO_LEN]);

struct wire_frame {
    uint8_t type;
    struct wire_hello hello; /* HELLO */
    bool hears;              /* HEARTBEAT */
    struct qk_bytes batch;   /* BATCH: checked from end to end; walk it with wire_batch_next */
    size_t n_messages;
};

/** QK_E_MALFORMED: not exactly one frame of the above. Any version number is accepted in a hello:
 *  the receiver compares it. */
QK_MUST_USE qk_err wire_frame_decode(struct qk_bytes in, struct wire_frame *out);
/** The next message of a checked batch; false at its end. */
bool wire_batch_next(struct qk_bytes *batch, struct qk_bytes *message);

#endif
