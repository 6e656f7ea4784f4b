/** A line: frames over TLS over one TCP socket, on the loop. docs/wire.md, "Call frames".
 *
 *      frame = u32 length || u8 type || u32 number || body       length counts what follows it,
 *                                                                5..WIRE_LINE_FRAME_MAX
 *
 *  What is received costs one waking of the loop's thread, whatever number of frames it holds. What
 *  is sent is encrypted and handed to the kernel by the thread that sends it; what is queued while
 *  that is under way goes in the next piece. Neither callback nor system call under the lock,
 * except for epoll_ctl.
 *
 *  Threads    wire_line_send, _cut, _hold, _drop: any. The rest, and every callback: the loop's.
 */
#ifndef WIRE_LINE_H
#define WIRE_LINE_H

#include "loop.h"
#include "tls_pins.h"
#include "wire/call.h"

enum {
    WIRE_LINE_HEAD = 9,                              /* length, type, number */
    WIRE_LINE_FRAME_MAX = 5 + WIRE_CALL_FRAME_MAX,   /* what length may be */
    WIRE_LINE_QUEUE_MAX = 16 * WIRE_CALL_FRAME_MAX,  /* bytes that wait to be sent */
    WIRE_LINE_QUEUE_MUCH = WIRE_LINE_QUEUE_MAX / 64, /* a server reads no more beyond this */
};

struct wire_line;

struct wire_frame_in {
    uint8_t type;
    uint32_t number;
    struct qk_bytes body; /* borrowed for the call */
};

/** ctx is the owner's. */
struct wire_line_owner {
    void *ctx;
    /* The handshake is over: this pin's peer is there. */
    void (*on_ready)(void *ctx, struct wire_line *line, uint16_t tag);
    /* false: this is no frame of ours, close the line. */
    bool (*on_frame)(void *ctx, struct wire_line *line, const struct wire_frame_in *frame);
    /* Once, last of all, for whatever reason. The owner drops the line. */
    void (*on_closed)(void *ctx, struct wire_line *line);
};

/** Take over a connected socket (server), or one whose non-blocking connect is under way. It is
 *  closed with the line, or here on error. QK_E_NOMEM, QK_E_IO. */
QK_MUST_USE qk_err wire_line_new(
    struct wire_line **out, int fd, SSL_CTX *ctx, bool server, const struct wire_line_owner *owner);

/** Queue a frame and send what is queued unless somebody does already. Copied. QK_E_IO: closed;
 *  QK_E_BUSY: WIRE_LINE_QUEUE_MAX; QK_E_NOMEM. QK_OK does not mean delivered. */
QK_MUST_USE qk_err wire_line_send(
    struct wire_line *line, uint8_t type, uint32_t number, struct qk_bytes body);

/** The same for what the other end has to hear: a line that cannot take it is cut. */
void wire_line_tell(struct wire_line *line, uint8_t type, uint32_t number, struct qk_bytes body);

/** No more in or out: the loop will close it. */
void wire_line_cut(struct wire_line *line);
/** Close at once; on_closed runs before this returns. A second time: nothing. */
void wire_line_close(struct wire_line *line);

void wire_line_hold(struct wire_line *line);
void wire_line_drop(struct wire_line *line);

/** When (qk_mono_ms) something last came, be it a part of a frame. */
uint64_t wire_line_heard_ms(const struct wire_line *line);
/** Has what was queued ms ago not left yet? To be asked now and then. */
bool wire_line_stuck(struct wire_line *line, uint64_t now_ms, unsigned ms);
/** The handshake failed of the peer's doing (as against: it was cut, or hung up). */
bool wire_line_refused(const struct wire_line *line);

#endif
