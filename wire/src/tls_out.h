/** What a connection still has to write: one SP frame, taken from NNG whole.
 *
 *  NNG 1.5.2 hands a frame down in pieces, the length first, and after each piece asks for the next
 *  from a callback. A pipe that is closed between a piece and its callback (the other end hung up,
 *  the socket was closed right after a send) keeps the frame under way for good, and the one thread
 *  that reaps pipes waits for it: the process never again notices a lost connection, nor can it
 *  close a socket. So no send may end in the middle of a frame: the first piece is answered with
 *  the length of all of them.
 *
 *  The other pieces are found in the layout of 1.5.2: the length is `txlen` of its tlstran_pipe,
 *  with `txaio` behind it, whose scatter list begins with that same length. Everything is checked;
 *  what does not fit is sent as it comes.
 */
#ifndef WIRE_TLS_OUT_H
#define WIRE_TLS_OUT_H

#include <stdint.h>
#include "wire/call.h"
#include "wire/mesh.h"

enum { TLS_OUT_MAX = WIRE_CALL_FRAME_MAX + 1024 }; /* of a frame with length and NNG's header */

struct tls_out {
    uint8_t *bytes; /* NULL: nothing waits */
    size_t len, off;
    size_t head_len; /* of the SP header sent so far: it is no frame */
};

/** Copy the frame whose length field NNG has just handed down. Gives the bytes of all of it, 0 when
 *  piece does not begin a frame or memory is short. Only while nothing waits. */
size_t tls_out_take(struct tls_out *out, const uint8_t *piece, size_t len);
void tls_out_free(struct tls_out *out);

#endif
