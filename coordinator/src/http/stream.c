#include "http/stream.h"

#include <errno.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

static enum http_io tls_result(struct http_stream *s, int r)
{
    switch (SSL_get_error(s->ssl, r)) {
    case SSL_ERROR_WANT_READ:
        return HTTP_IO_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return HTTP_IO_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return HTTP_IO_EOF;
    default:
        return HTTP_IO_ERROR;
    }
}

static enum http_io plain_result(ssize_t n, enum http_io again)
{
    if (n > 0) return HTTP_IO_OK;
    if (n == 0) return HTTP_IO_EOF;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? again : HTTP_IO_ERROR;
}

enum http_io http_stream_handshake(struct http_stream *s)
{
    if (s->ssl == NULL) return HTTP_IO_OK;
    ERR_clear_error();
    int r = SSL_do_handshake(s->ssl);
    return r == 1 ? HTTP_IO_OK : tls_result(s, r);
}

enum http_io http_stream_read(struct http_stream *s, uint8_t *buf, size_t len, size_t *n)
{
    if (s->ssl == NULL) return http_stream_discard(s, buf, len, n);
    *n = 0;
    ERR_clear_error();
    int r = SSL_read_ex(s->ssl, buf, len, n);
    return r == 1 ? HTTP_IO_OK : tls_result(s, r);
}

enum http_io http_stream_write(struct http_stream *s, const uint8_t *buf, size_t len, size_t *n)
{
    *n = 0;
    if (s->ssl == NULL) {
        ssize_t r = send(s->fd, buf, len, MSG_NOSIGNAL);
        if (r > 0) *n = (size_t)r;
        return plain_result(r, HTTP_IO_WANT_WRITE);
    }
    ERR_clear_error();
    int r = SSL_write_ex(s->ssl, buf, len, n);
    return r == 1 ? HTTP_IO_OK : tls_result(s, r);
}

void http_stream_shutdown(struct http_stream *s)
{
    if (s->ssl != NULL && SSL_is_init_finished(s->ssl)) {
        ERR_clear_error();
        (void)SSL_shutdown(s->ssl); /* one-sided: the reply's length is framed by HTTP */
    }
    (void)shutdown(s->fd, SHUT_WR);
}

enum http_io http_stream_discard(struct http_stream *s, uint8_t *scratch, size_t len, size_t *n)
{
    ssize_t r = recv(s->fd, scratch, len, 0);
    *n = r > 0 ? (size_t)r : 0;
    return plain_result(r, HTTP_IO_WANT_READ);
}

void http_stream_close(struct http_stream *s)
{
    SSL_free(s->ssl);
    ERR_clear_error();
    s->ssl = NULL;
    if (s->fd >= 0) (void)close(s->fd);
    s->fd = -1;
}
