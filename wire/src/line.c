#include "line_priv.h"

#include <errno.h>
#include <unistd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <openssl/bio.h>
#include "qk/clock.h"

enum { CIPHER_MAX = 1024 * 1024 }; /* never nearly reached: line_out.c encrypts in pieces */

/* ---- the bytes below TLS ---- */

static BIO_METHOD *bio_method;
static pthread_once_t bio_once = PTHREAD_ONCE_INIT;

static int bio_read(BIO *bio, char *buf, int size)
{
    struct wire_line *l = BIO_get_data(bio);
    size_t n = l->net_len < (size_t)size ? l->net_len : (size_t)size;
    BIO_clear_retry_flags(bio);
    if (n == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(buf, l->net, n);
    l->net += n;
    l->net_len -= n;
    return (int)n;
}

static int bio_write(BIO *bio, const char *buf, int size)
{
    struct wire_line *l = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    qk_buf_add(&l->cipher, buf, (size_t)size);
    return l->cipher.err == QK_OK ? size : -1;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
    (void)bio;
    (void)num;
    (void)ptr;
    return cmd == BIO_CTRL_FLUSH || cmd == BIO_CTRL_DUP;
}

static int bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static void make_bio_method(void)
{
    int type = BIO_get_new_index();
    BIO_METHOD *m = BIO_meth_new(type | BIO_TYPE_SOURCE_SINK, "line");
    if (m != NULL && type != -1 && BIO_meth_set_read(m, bio_read) == 1 &&
        BIO_meth_set_write(m, bio_write) == 1 && BIO_meth_set_ctrl(m, bio_ctrl) == 1 &&
        BIO_meth_set_create(m, bio_create) == 1)
        bio_method = m;
    else
        BIO_meth_free(m);
}

static bool open_tls(struct wire_line *l, SSL_CTX *ctx)
{
    (void)pthread_once(&bio_once, make_bio_method);
    l->ssl = SSL_new(ctx);
    BIO *bio = bio_method != NULL ? BIO_new(bio_method) : NULL;
    if (l->ssl == NULL || bio == NULL) {
        BIO_free(bio);
        return false;
    }
    BIO_set_data(bio, l);
    SSL_set_bio(l->ssl, bio, bio);
    if (l->server)
        SSL_set_accept_state(l->ssl);
    else
        SSL_set_connect_state(l->ssl);
    return true;
}

/* ---- events ---- */

/* The client's TCP connection is there, or will not be. */
static bool on_connected(struct wire_line *l)
{
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0) return false;
    (void)pthread_mutex_lock(&l->lock);
    l->connecting = false;
    bool ok = line_greet(l);
    line_arm(l);
    (void)pthread_mutex_unlock(&l->lock);
    return ok;
}

static void go_on_sending(struct wire_line *l)
{
    (void)pthread_mutex_lock(&l->lock);
    if (l->state == LINE_BLOCKED) line_pump(l);
    (void)pthread_mutex_unlock(&l->lock);
}

static void on_event(struct wire_source *source, uint32_t events)
{
    struct wire_line *l = (struct wire_line *)source; /* its first member */
    wire_line_hold(l);                                /* the owner drops it when it is closed */
    bool ok = true;
    if (l->connecting) {
        ok = on_connected(l);
    } else {
        if (events & EPOLLOUT) go_on_sending(l);
        if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) ok = line_read(l);
    }
    if (!ok) wire_line_close(l);
    wire_line_drop(l);
}

/* ---- life ---- */

static qk_err start(struct wire_line *l, SSL_CTX *ctx)
{
    int one = 1;
    QK_ENSURE(open_tls(l, ctx), QK_E_NOMEM);
    QK_ENSURE(setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0, QK_E_IO);
    l->armed = l->connecting ? EPOLLOUT : EPOLLIN;
    return wire_loop_watch(l->fd, &l->source, l->armed);
}

qk_err wire_line_new(
    struct wire_line **out, int fd, SSL_CTX *ctx, bool server, const struct wire_line_owner *owner)
{
    struct wire_line *l = calloc(1, sizeof *l);
    if (l == NULL) {
        (void)close(fd);
        return QK_E_NOMEM;
    }
    l->source.on_event = on_event;
    l->owner = *owner;
    l->server = server;
    l->connecting = !server;
    l->fd = fd;
    l->heard_ms = qk_mono_ms();
    l->queue = l->going = (struct qk_buf)QK_BUF_SECRET(WIRE_LINE_QUEUE_MAX);
    l->cipher = l->out = (struct qk_buf)QK_BUF(CIPHER_MAX);
    atomic_init(&l->refs, 1);
    (void)pthread_mutex_init(&l->lock, NULL);
    qk_err err = start(l, ctx);
    if (err != QK_OK) {
        line_bury(l);
        wire_line_drop(l);
        return err;
    }
    *out = l;
    return QK_OK;
}

void wire_line_hold(struct wire_line *l)
{
    atomic_fetch_add(&l->refs, 1);
}

void wire_line_drop(struct wire_line *l)
{
    if (atomic_fetch_sub(&l->refs, 1) != 1) return;
    if (l->in_len > 0) qk_wipe(l->in, l->in_len);
    free(l->in);
    SSL_free(l->ssl);
    (void)pthread_mutex_destroy(&l->lock);
    free(l);
}

void wire_line_cut(struct wire_line *l)
{
    (void)pthread_mutex_lock(&l->lock);
    l->broken = true;
    if (l->fd >= 0) (void)shutdown(l->fd, SHUT_RDWR); /* the loop hears of it */
    (void)pthread_mutex_unlock(&l->lock);
}

void wire_line_close(struct wire_line *l)
{
    if (l->over) return;
    l->over = true;
    (void)pthread_mutex_lock(&l->lock);
    l->closed = true;
    wire_loop_unwatch(l->fd);
    if (l->state == LINE_AT_IT)
        (void)shutdown(l->fd, SHUT_RDWR); /* a descriptor in use is not closed */
    else
        line_bury(l);
    (void)pthread_mutex_unlock(&l->lock);
    l->owner.on_closed(l->owner.ctx, l);
}

uint64_t wire_line_heard_ms(const struct wire_line *l)
{
    return l->heard_ms;
}

bool wire_line_refused(const struct wire_line *l)
{
    return l->refused;
}
