/** Non-blocking bytes over a socket, with or without TLS. */
#ifndef COORD_HTTP_STREAM_H
#define COORD_HTTP_STREAM_H

#include <openssl/ssl.h>
#include "qk/bytes.h"

enum coord_http_io {
    COORD_HTTP_IO_OK,
    COORD_HTTP_IO_WANT_READ,  /* again when the socket is readable */
    COORD_HTTP_IO_WANT_WRITE, /* again when the socket is writable */
    COORD_HTTP_IO_EOF,        /* the other end will send no more */
    COORD_HTTP_IO_ERROR,
};

struct coord_http_stream {
    int fd;
    SSL *ssl; /* NULL: plain */
};

/** Go on with the TLS handshake; COORD_HTTP_IO_OK when it is done (at once if plain). */
enum coord_http_io coord_http_stream_handshake(struct coord_http_stream *s);
/** Up to len bytes; *n > 0 iff COORD_HTTP_IO_OK. */
enum coord_http_io coord_http_stream_read(
    struct coord_http_stream *s, uint8_t *buf, size_t len, size_t *n);
/** Some of the len > 0 bytes; *n > 0 iff COORD_HTTP_IO_OK. */
enum coord_http_io coord_http_stream_write(
    struct coord_http_stream *s, const uint8_t *buf, size_t len, size_t *n);
/** Say that we send no more: close_notify if TLS, then FIN. */
void coord_http_stream_shutdown(struct coord_http_stream *s);
/** Read and forget raw bytes behind a shutdown. */
enum coord_http_io coord_http_stream_discard(
    struct coord_http_stream *s, uint8_t *scratch, size_t len, size_t *n);
/** Free the TLS state and close the socket. */
void coord_http_stream_close(struct coord_http_stream *s);

#endif
