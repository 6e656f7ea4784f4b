#include <errno.h>
#include <sys/socket.h>
#include <openssl/err.h>
#include "line_priv.h"
#include "qk/clock.h"

enum {
    SEGMENT = 64 * 1024, /* of the network at a time; one line does not keep the loop for long */
    RECORD = 16 * 1024,  /* the most that one TLS record holds */
    KEEP = 4 * RECORD,   /* a larger buffer is given back when it is empty */
    LENGTH = 4,
};

/* Ciphertext of the line that is being read. The loop is one thread. */
static uint8_t segment[SEGMENT];

/* ---- TLS ---- */

static int handshake(struct wire_line *l)
{
    ERR_clear_error();
    int ret = SSL_do_handshake(l->ssl);
    int why = SSL_get_error(l->ssl, ret);
    ERR_clear_error();
    if (ret == 1) return 1;
    if (why == SSL_ERROR_WANT_READ) return 0;
    l->refused = true;
    return -1;
}

/* What there is to be sent, an alert included. */
static void push(struct wire_line *l)
{
    if (l->state == LINE_IDLE && l->cipher.len > 0) line_pump(l);
}

bool line_greet(struct wire_line *l)
{
    int rv = handshake(l);
    push(l);
    return rv >= 0;
}

/* Room for one more record; the buffer grows with what has really come. */
static bool make_room(struct wire_line *l)
{
    if (l->in_cap - l->in_len >= RECORD) return true;
    size_t cap = l->in_cap == 0 ? 2 * RECORD : 2 * l->in_cap;
    uint8_t *p = malloc(cap);
    if (p == NULL) return false;
    if (l->in_len > 0) {
        memcpy(p, l->in, l->in_len);
        qk_wipe(l->in, l->in_len);
    }
    free(l->in);
    l->in = p;
    l->in_cap = cap;
    return true;
}

/* The first frame is whole, or can still become so. */
static bool length_ok(const struct wire_line *l)
{
    if (l->in_len < LENGTH) return true;
    uint32_t len = qk_get_u32(l->in);
    return len >= WIRE_LINE_HEAD - LENGTH && len <= WIRE_LINE_FRAME_MAX;
}

/* All that the segment holds. */
static bool decrypt(struct wire_line *l)
{
    for (;;) {
        if (!make_room(l)) return false;
        ERR_clear_error();
        int n = SSL_read(l->ssl, l->in + l->in_len, (int)(l->in_cap - l->in_len));
        int why = SSL_get_error(l->ssl, n);
        ERR_clear_error();
        if (n <= 0) return why == SSL_ERROR_WANT_READ;
        l->in_len += (size_t)n;
    }
}

/* With the lock held. *became: the handshake ended with this segment. */
static bool take_segment(struct wire_line *l, size_t len, bool *became, uint16_t *tag)
{
    bool ok = true;
    l->net = segment;
    l->net_len = len;
    if (!l->ready) {
        int rv = handshake(l);
        const struct tls_pin *pin = rv == 1 ? tls_peer_pin(l->ssl) : NULL;
        l->ready = *became = pin != NULL;
        if (pin != NULL) *tag = pin->tag;
        ok = rv == 0 || pin != NULL;
    }
    if (ok && l->ready) ok = decrypt(l);
    l->net_len = 0;
    push(l);
    return ok && !l->broken;
}

/* ---- frames ---- */

/* False: a frame that the owner does not want. Stops when the owner closes the line. */
static bool hand_out(struct wire_line *l)
{
    size_t at = 0;
    bool ok = true;
    while (ok && !l->over && l->in_len - at >= WIRE_LINE_HEAD) {
        const uint8_t *p = l->in + at;
        uint32_t len = qk_get_u32(p);
        if (len < WIRE_LINE_HEAD - LENGTH || len > WIRE_LINE_FRAME_MAX) return false;
        if (len > l->in_len - at - LENGTH) break;
        struct wire_frame_in frame = {.type = p[LENGTH],
            .number = qk_get_u32(p + LENGTH + 1),
            .body = qk_bytes(p + WIRE_LINE_HEAD, len - (WIRE_LINE_HEAD - LENGTH))};
        ok = l->owner.on_frame(l->owner.ctx, l, &frame);
        at += LENGTH + (size_t)len;
    }
    if (at == 0) return ok;
    memmove(l->in, l->in + at, l->in_len - at);
    qk_wipe(l->in + l->in_len - at, at);
    l->in_len -= at;
    if (l->in_len == 0 && l->in_cap > KEEP) {
        free(l->in);
        l->in = NULL;
        l->in_cap = 0;
    }
    return ok;
}

bool line_read(struct wire_line *l)
{
    ssize_t n = recv(l->fd, segment, sizeof segment, MSG_DONTWAIT);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    if (n == 0) return false;
    bool became = false;
    uint16_t tag = 0;
    l->heard_ms = qk_mono_ms();
    (void)pthread_mutex_lock(&l->lock);
    bool ok = take_segment(l, (size_t)n, &became, &tag);
    line_arm(l);
    (void)pthread_mutex_unlock(&l->lock);
    if (became) l->owner.on_ready(l->owner.ctx, l, tag);
    return hand_out(l) && ok && length_ok(l);
}
