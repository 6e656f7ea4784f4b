/** Bundles: several short calls in one frame, answered in one frame.
 *
 *  A call costs the same few dozen system calls and thread switches however small it is. Under load
 *  the calls to a node that wait at the same moment travel together; alone, a call travels as
 * itself, at once. Page: docs/wire.md, "Bundles".
 *
 *  The answer to a bundle comes when its last call is answered: only for calls that a node answers
 *  without waiting for others.
 *
 *  Frame: canonical msgpack, an array of 1..WIRE_BUNDLE_MAX bins, each one call (wire/calls.h). The
 *  answer has as many bins in the same order; an empty one stands for a call that got no answer.
 */
#ifndef WIRE_BUNDLE_H
#define WIRE_BUNDLE_H

#include "wire/call.h"
#include "wire/calls.h"

enum {
    WIRE_BUNDLE_MAX = 64,               /* calls of one frame */
    WIRE_BUNDLE_BYTES = 192 * 1024,     /* of one request frame, about */
    WIRE_BUNDLE_CALL_BYTES = 16 * 1024, /* a larger call travels alone */
};

/** Is this frame a bundle, rather than one call? (It may still not decode.) */
bool wire_bundle_is(struct qk_bytes frame);
/** Views into frame. QK_E_MALFORMED. */
QK_MUST_USE qk_err wire_bundle_decode(
    struct qk_bytes frame, struct qk_bytes items[static WIRE_BUNDLE_MAX], size_t *n);
/** Append; errors are in out->err. */
void wire_bundle_encode(struct qk_buf *out, const struct qk_bytes *items, size_t n);

/* ---- the calling side ---- */

struct wire_bundler;

/** client is borrowed and must outlive the bundler's last call: free the client first, then this.
 *  max_frames  bundles in flight. While one is under way calls gather until as many wait as are
 *              under way, or one has waited for 5 ms: under load frames are long, and cost little
 *              a call */
QK_MUST_USE qk_err wire_bundler_new(
    struct wire_bundler **out, struct wire_client *client, unsigned max_frames);
/** Before wire_client_free: the bundler's own clock, which would use the client, stops. What still
 *  waits ends with the client's calls. NULL is allowed. */
void wire_bundler_stop(struct wire_bundler *b);
/** After wire_client_free. NULL is allowed. */
void wire_bundler_free(struct wire_bundler *b);

/** As wire_client_call, with two differences: fn may run before this returns, and waiting for a
 * frame counts toward no timeout (a frame's own timeout is its calls' longest). On any error fn is
 * not called: QK_E_TOO_LARGE beyond WIRE_BUNDLE_CALL_BYTES, QK_E_BUSY beyond 4096 waiting calls,
 * QK_E_IO when the link is down. */
QK_MUST_USE qk_err wire_bundler_call(
    struct wire_bundler *b, struct qk_bytes bytes, unsigned timeout_ms, wire_call_fn fn, void *ctx);
/** The same in two steps: who has several calls to make adds them and then sends. What nobody sends
 *  leaves within 5 ms. */
QK_MUST_USE qk_err wire_bundler_add(
    struct wire_bundler *b, struct qk_bytes bytes, unsigned timeout_ms, wire_call_fn fn, void *ctx);
void wire_bundler_send(struct wire_bundler *b);

#endif
