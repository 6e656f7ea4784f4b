#include "http/stream.h"

#include <errno.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

static enum coord_http_io tls_result(struct coord_http_stream *s, int r)
{
    switch (SSL_get_error(s->ssl, r)) {
    case SSL_ERROR_WANT_READ:
        return COORD_HTTP_IO_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return COORD_HTTP_IO_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return COORD_HTTP_IO_EOF;
    default:
        return COORD_HTTP_IO_ERROR;
    }
}

static enum coord_http_io plain_result(ssize_t n, enum coord_http_io again)
{
    if (n > 0) return COORD_HTTP_IO_OK;
    if (n == 0) return COORD_HTTP_IO_EOF;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? again : COORD_HTTP_IO_ERROR;
}

enum coord_http_io coord_http_stream_handshake(struct coord_http_stream *s)
{
    if (s->ssl == NULL) return COORD_HTTP_IO_OK;
    ERR_clear_error();
    int r = SSL_do_handshake(s->ssl);
    return r == 1 ? COORD_HTTP_IO_OK : tls_result(s, r);
}

enum coord_http_io coord_http_stream_read(
    struct coord_http_stream *s, uint8_t *buf, size_t len, size_t *n)
{
    if (s->ssl == NULL) return coord_http_stream_discard(s, buf, len, n);
    *n = 0;
    ERR_clear_error();
    int r = SSL_read_ex(s->ssl, buf, len, n);
    return r == 1 ? COORD_HTTP_IO_OK : tls_result(s, r);
}

enum coord_http_io coord_http_stream_write(
    struct coord_http_stream *s, const uint8_t *buf, size_t len, size_t *n)
{
    *n = 0;
    if (s->ssl == NULL) {
        ssize_t r = send(s->fd, buf, len, MSG_NOSIGNAL);
        if (r > 0) *n = (size_t)r;
        return plain_result(r, COORD_HTTP_IO_WANT_WRITE);
    }
    ERR_clear_error();
    int r = SSL_write_ex(s->ssl, buf, len, n);
    return r == 1 ? COORD_HTTP_IO_OK : tls_result(s, r);
}

void coord_http_stream_shutdown(struct coord_http_stream *s)
{
    if (s->ssl != NULL && SSL_is_init_finished(s->ssl)) {
        ERR_clear_error();
        (void)SSL_shutdown(s->ssl); /* one-sided: the reply's length is framed by HTTP */
    }
    (void)shutdown(s->fd, SHUT_WR);
}

enum coord_http_io coord_http_stream_discard(
    struct coord_http_stream *s, uint8_t *scratch, size_t len, size_t *n)
{
    ssize_t r = recv(s->fd, scratch, len, 0);
    *n = r > 0 ? (size_t)r : 0;
    return plain_result(r, COORD_HTTP_IO_WANT_READ);
}

void coord_http_stream_close(struct coord_http_stream *s)
{
    SSL_free(s->ssl);
    ERR_clear_error();
    s->ssl = NULL;
    if (s->fd >= 0) (void)close(s->fd);
    s->fd = -1;
}
