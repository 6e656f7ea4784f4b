/** A bare TLS peer, either side, that says what it likes on a line of calls. */
#ifndef WIRERAW_H
#define WIRERAW_H

#include <openssl/ssl.h>
#include "wire/identity.h"
#include "qk/bytes.h"

struct wt_raw {
    SSL_CTX *ctx;
    SSL *ssl;
    int fd;
};

/** On r->fd, a connected socket. id NULL: no certificate. */
void wt_raw_setup(struct wt_raw *r, const struct wire_identity *id, bool server);
void wt_raw_close(struct wt_raw *r);
bool wt_raw_read(struct wt_raw *r, void *out, size_t len);
bool wt_raw_write(struct wt_raw *r, const void *bytes, size_t len);

/** A frame into out; its length. */
size_t wt_frame(uint8_t *out, uint8_t type, uint32_t number, struct qk_bytes body);
/** Is the next thing that comes exactly this frame (of up to 64 bytes)? */
bool wt_reads_frame(struct wt_raw *r, uint8_t type, uint32_t number, struct qk_bytes body);

#endif
