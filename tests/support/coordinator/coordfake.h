/** The scripted nodes of coordworld.h. */
#ifndef COORDFAKE_H
#define COORDFAKE_H

#include "coordworld.h"

void cw_must(bool ok, const char *what);
#define CW_MUST(expr) cw_must((expr), #expr)

void cw_fake_start(struct cw_fake *f);
/** Send the answers whose fate was CW_LATER. With the world's lock. */
void cw_send_late(struct cw_fake *f);
/** Give every held reply back, stop. Also for one that was not started. */
void cw_fake_stop(struct cw_fake *f);

/** An honest part of a signature over digest by position `at` of two signers, encoded, appended:
 *  both derive the nonce from rnd, as one session would leave it. */
void cw_part(struct cw_world *w, const uint8_t rnd[static 32], size_t at, struct qk_bytes digest,
    struct qk_buf *out);
/** Sign a record encoding as node f: appends the 64 bytes. */
void cw_sign(struct cw_fake *f, struct qk_bytes encoded, struct qk_buf *out);

#endif
