#include <errno.h>
#include <unistd.h>
#include <sys/socket.h>
#include <openssl/err.h>
#include "line_priv.h"
#include "qk/clock.h"

enum {
    PIECE = 64 * 1024, /* about so much is encrypted at a time */
    KEEP = 2 * PIECE,  /* larger buffers are given back when they are empty */
    TURNS = 8,         /* pieces that one thread sends for others; then the loop goes on */
};

size_t line_waiting(const struct wire_line *l)
{
    return l->queue.len + (l->going.len - l->going_off) + l->cipher.len + (l->out.len - l->out_off);
}

void line_arm(struct wire_line *l)
{
    if (l->fd < 0) return;
    bool full = l->server && line_waiting(l) > WIRE_LINE_QUEUE_MUCH;
    uint32_t want = full || l->connecting ? 0 : EPOLLIN;
    if (l->state == LINE_BLOCKED || l->connecting) want |= EPOLLOUT;
    if (want == l->armed) return;
    l->armed = want;
    wire_loop_rewatch(l->fd, &l->source, want);
}

void line_bury(struct wire_line *l)
{
    if (l->fd >= 0) (void)close(l->fd);
    l->fd = -1;
    qk_buf_free(&l->queue);
    qk_buf_free(&l->going);
    qk_buf_free(&l->cipher);
    qk_buf_free(&l->out);
    l->going_off = l->out_off = 0;
}

/* ---- sending ---- */

/* Wipes what is secret, and does not keep the memory of a large frame. */
static void empty(struct qk_buf *b)
{
    if (b->cap > KEEP)
        qk_buf_free(b);
    else if (b->secret && b->len > 0)
        qk_wipe(b->p, b->len);
    b->len = 0;
}

static void swap(struct qk_buf *a, struct qk_buf *b)
{
    struct qk_buf t = *a;
    *a = *b;
    *b = t;
}

/* Up to a piece from going into cipher. */
static bool encrypt(struct wire_line *l)
{
    if (l->going_off == l->going.len) {
        empty(&l->going);
        l->going_off = 0;
        swap(&l->going, &l->queue);
    }
    while (l->going_off < l->going.len && l->cipher.len < PIECE) {
        size_t left = l->going.len - l->going_off;
        ERR_clear_error();
        int n = SSL_write(l->ssl, l->going.p + l->going_off, left > PIECE ? PIECE : (int)left);
        ERR_clear_error();
        if (n <= 0) return false;
        l->going_off += (size_t)n;
        l->encrypted += (size_t)n;
    }
    return true;
}

/* The next bytes to send, into out; false: there are none. */
static bool refill(struct wire_line *l)
{
    l->gone = l->out_end;
    if (l->ready && l->cipher.len == 0 && !encrypt(l)) l->broken = true;
    if (l->broken || l->cipher.len == 0) return false;
    empty(&l->out);
    l->out_off = 0;
    swap(&l->out, &l->cipher);
    l->out_end = l->encrypted;
    l->pieces++;
    return true;
}

/* One send; false: the kernel has no room, or the connection is gone. */
static bool send_some(struct wire_line *l)
{
    int fd = l->fd;
    const uint8_t *p = l->out.p + l->out_off;
    size_t len = l->out.len - l->out_off;
    (void)pthread_mutex_unlock(&l->lock);
    ssize_t n = send(fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    int why = n < 0 ? errno : 0;
    (void)pthread_mutex_lock(&l->lock);
    if (n > 0) l->out_off += (size_t)n;
    if (n >= 0 || why == EINTR) return true;
    if (why != EAGAIN) l->broken = true;
    return false;
}

void line_pump(struct wire_line *l)
{
    l->state = LINE_AT_IT;
    for (unsigned turns = 0; l->state == LINE_AT_IT; turns++) {
        if (l->out_off == l->out.len && !refill(l))
            l->state = LINE_IDLE;
        else if (turns == TURNS || !send_some(l))
            l->state = LINE_BLOCKED;
        if (l->closed || l->broken) break;
    }
    if (l->closed) {
        l->state = LINE_IDLE;
        line_bury(l);
    } else if (l->broken) {
        l->state = LINE_IDLE; /* the loop hears of the end of the socket, and closes */
        if (l->fd >= 0) (void)shutdown(l->fd, SHUT_RDWR);
    }
    line_arm(l);
}

static qk_err queue_frame(struct wire_line *l, uint8_t type, uint32_t number, struct qk_bytes body)
{
    uint8_t head[WIRE_LINE_HEAD];
    size_t before = l->queue.len;
    QK_ENSURE(l->ready && !l->closed && !l->broken, QK_E_IO);
    QK_ENSURE(line_waiting(l) + sizeof head + body.len <= WIRE_LINE_QUEUE_MAX, QK_E_BUSY);
    qk_put_u32(head, (uint32_t)(sizeof head - 4 + body.len));
    head[4] = type;
    qk_put_u32(head + 5, number);
    qk_buf_add(&l->queue, head, sizeof head);
    qk_buf_add(&l->queue, body.p, body.len);
    if (l->queue.err != QK_OK) {
        qk_err err = l->queue.err;
        l->queue.err = QK_OK;
        l->queue.len = before;
        return err;
    }
    l->queued += sizeof head + body.len;
    return QK_OK;
}

qk_err wire_line_send(struct wire_line *l, uint8_t type, uint32_t number, struct qk_bytes body)
{
    (void)pthread_mutex_lock(&l->lock);
    qk_err err = queue_frame(l, type, number, body);
    if (err == QK_OK && l->state == LINE_IDLE) line_pump(l);
    (void)pthread_mutex_unlock(&l->lock);
    return err;
}

void wire_line_tell(struct wire_line *l, uint8_t type, uint32_t number, struct qk_bytes body)
{
    if (wire_line_send(l, type, number, body) != QK_OK) wire_line_cut(l);
}

/* ---- slow readers ---- */

static bool moves(const struct wire_line *l)
{
    return l->gone >= l->mark && l->pieces != l->mark_pieces;
}

/* All that was queued at the mark has to leave before the next mark is set, so that the last of it
 * waits for less than twice the time however much comes after it. */
bool wire_line_stuck(struct wire_line *l, uint64_t now_ms, unsigned ms)
{
    (void)pthread_mutex_lock(&l->lock);
    bool stuck = false;
    if (l->state == LINE_IDLE) {
        l->mark_ms = 0;
    } else if (l->mark_ms == 0 || moves(l)) {
        l->mark = l->queued;
        l->mark_pieces = l->pieces;
        l->mark_ms = now_ms;
    } else {
        stuck = now_ms >= l->mark_ms + ms;
    }
    (void)pthread_mutex_unlock(&l->lock);
    return stuck;
}
