#include "common/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <unistd.h>

void bench_stream_tune(SSL_CTX *ctx)
{
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(ctx, 1);
}

void bench_stream_close(struct bench_stream *s)
{
    SSL_free(s->ssl);
    if (s->fd >= 0) close(s->fd);
    *s = BENCH_STREAM_CLOSED;
}

/* ---- opening ---- */

/* The name or the address that the certificate must carry. */
static qk_err expect_host(SSL *ssl, const char *host)
{
    uint8_t raw[16];
    if (inet_pton(AF_INET, host, raw) == 1 || inet_pton(AF_INET6, host, raw) == 1) {
        X509_VERIFY_PARAM *p = SSL_get0_param(ssl);
        return X509_VERIFY_PARAM_set1_ip_asc(p, host) == 1 ? QK_OK : QK_E_CRYPTO;
    }
    QK_ENSURE(SSL_set_tlsext_host_name(ssl, host) == 1, QK_E_CRYPTO);
    return SSL_set1_host(ssl, host) == 1 ? QK_OK : QK_E_CRYPTO;
}

static qk_err attach(struct bench_stream *s, SSL_CTX *ctx)
{
    int on = 1;
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!ctx) return QK_OK;
    s->ssl = SSL_new(ctx);
    return s->ssl && SSL_set_fd(s->ssl, s->fd) == 1 ? QK_OK : QK_E_CRYPTO;
}

static qk_err dial(struct bench_stream *s, const struct sockaddr *addr, socklen_t addr_len,
    SSL_CTX *ctx, const char *host)
{
    s->fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    QK_ENSURE(s->fd >= 0, QK_E_IO);
    QK_TRY(attach(s, ctx));
    if (s->ssl) {
        QK_TRY(expect_host(s->ssl, host));
        SSL_set_connect_state(s->ssl);
    }
    return connect(s->fd, addr, addr_len) == 0 || errno == EINPROGRESS ? QK_OK : QK_E_IO;
}

qk_err bench_stream_dial(struct bench_stream *s, const struct sockaddr *addr, socklen_t addr_len,
    SSL_CTX *ctx, const char *host)
{
    *s = BENCH_STREAM_CLOSED;
    qk_err err = dial(s, addr, addr_len, ctx, host);
    if (err != QK_OK) bench_stream_close(s);
    return err;
}

qk_err bench_stream_accept(struct bench_stream *s, int fd, SSL_CTX *ctx)
{
    *s = (struct bench_stream){.fd = fd};
    qk_err err = attach(s, ctx);
    if (err == QK_OK && s->ssl) SSL_set_accept_state(s->ssl);
    if (err != QK_OK) bench_stream_close(s);
    return err;
}

bool bench_stream_ready(const struct bench_stream *s)
{
    return !s->ssl || SSL_is_init_finished(s->ssl);
}

static qk_err wait_for(int fd, short events, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = events};
    int n;
    while ((n = poll(&p, 1, timeout_ms)) < 0 && errno == EINTR) {
    }
    if (n == 0) return QK_E_TIMEOUT;
    return n > 0 ? QK_OK : QK_E_IO;
}

static qk_err connected(int fd, int timeout_ms)
{
    int bad = 0;
    socklen_t len = sizeof bad;
    QK_TRY(wait_for(fd, POLLOUT, timeout_ms));
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &bad, &len) == 0 && bad == 0 ? QK_OK : QK_E_IO;
}

static qk_err shake_hands(struct bench_stream *s, int timeout_ms)
{
    for (;;) {
        int r = SSL_do_handshake(s->ssl);
        if (r == 1) return QK_OK;
        int why = SSL_get_error(s->ssl, r);
        ERR_clear_error();
        QK_ENSURE(why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE, QK_E_CRYPTO);
        QK_TRY(wait_for(s->fd, why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, timeout_ms));
    }
}

qk_err bench_stream_wait(struct bench_stream *s, int timeout_ms)
{
    qk_err err = connected(s->fd, timeout_ms);
    if (err == QK_OK && s->ssl) err = shake_hands(s, timeout_ms);
    if (err != QK_OK) bench_stream_close(s);
    return err;
}

/* ---- bytes ---- */

/* What a return value of SSL_read or SSL_write that is not positive means. */
static qk_err tls_error(struct bench_stream *s, int r)
{
    int why = SSL_get_error(s->ssl, r);
    ERR_clear_error();
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return QK_E_BUSY;
    return why == SSL_ERROR_SSL && !SSL_is_init_finished(s->ssl) ? QK_E_CRYPTO : QK_E_IO;
}

static qk_err plain_error(ssize_t n)
{
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) ? QK_E_BUSY
                                                                                : QK_E_IO;
}

qk_err bench_stream_write(struct bench_stream *s, const uint8_t *p, size_t len, size_t *done)
{
    while (*done < len) {
        size_t left = len - *done;
        int part = left > INT_MAX ? INT_MAX : (int)left;
        ssize_t n = s->ssl ? SSL_write(s->ssl, p + *done, part)
                           : send(s->fd, p + *done, left, MSG_NOSIGNAL);
        if (n <= 0) return s->ssl ? tls_error(s, (int)n) : plain_error(n);
        *done += (size_t)n;
    }
    return QK_OK;
}

qk_err bench_stream_read(struct bench_stream *s, uint8_t *out, size_t room, size_t *n)
{
    int part = room > INT_MAX ? INT_MAX : (int)room;
    ssize_t r = s->ssl ? SSL_read(s->ssl, out, part) : recv(s->fd, out, room, 0);
    if (r <= 0) return s->ssl ? tls_error(s, (int)r) : plain_error(r);
    *n = (size_t)r;
    return QK_OK;
}
