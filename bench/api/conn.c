#include "api/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/time.h>
#include <unistd.h>

struct bench_conn *bench_conn_new(const struct bench_target *target)
{
    struct bench_conn *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    c->target = target;
    c->fd = -1;
    return c;
}

void bench_conn_close(struct bench_conn *c)
{
    SSL_free(c->ssl);
    if (c->fd >= 0) close(c->fd);
    c->ssl = NULL;
    c->fd = -1;
    c->len = 0;
}

void bench_conn_free(struct bench_conn *c)
{
    if (!c) return;
    bench_conn_close(c);
    free(c);
}

/* ---- opening ---- */

static qk_err dial(struct bench_conn *c)
{
    const struct bench_target *t = c->target;
    struct timeval limit = {.tv_sec = BENCH_IO_TIMEOUT_S};
    int on = 1;
    c->fd = socket(t->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    QK_ENSURE(c->fd >= 0, QK_E_IO);
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    QK_ENSURE(connect(c->fd, (const struct sockaddr *)&t->addr, t->addr_len) == 0, QK_E_IO);
    return QK_OK;
}

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

static qk_err shake_hands(struct bench_conn *c)
{
    c->ssl = SSL_new(c->target->ctx);
    QK_ENSURE(c->ssl != NULL && SSL_set_fd(c->ssl, c->fd) == 1, QK_E_CRYPTO);
    QK_TRY(expect_host(c->ssl, c->target->host));
    return SSL_connect(c->ssl) == 1 ? QK_OK : QK_E_CRYPTO;
}

qk_err bench_conn_open(struct bench_conn *c)
{
    bench_conn_close(c);
    qk_err err = dial(c);
    if (err == QK_OK && c->target->tls) err = shake_hands(c);
    if (err != QK_OK) bench_conn_close(c);
    return err;
}

/* ---- bytes ---- */

static qk_err io_error(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK ? QK_E_TIMEOUT : QK_E_IO;
}

static qk_err write_all(struct bench_conn *c, struct qk_bytes data)
{
    while (data.len > 0) {
        errno = 0;
        int len = data.len > 1u << 20 ? 1 << 20 : (int)data.len;
        ssize_t n = c->ssl ? SSL_write(c->ssl, data.p, len)
                           : send(c->fd, data.p, (size_t)len, MSG_NOSIGNAL);
        if (n <= 0) return io_error();
        data = qk_bytes(data.p + n, data.len - (size_t)n);
    }
    return QK_OK;
}

static qk_err read_more(struct bench_conn *c)
{
    size_t room = sizeof c->rx - c->len;
    QK_ENSURE(room > 0, QK_E_TOO_LARGE);
    errno = 0;
    ssize_t n =
        c->ssl ? SSL_read(c->ssl, c->rx + c->len, (int)room) : recv(c->fd, c->rx + c->len, room, 0);
    if (n <= 0) return io_error();
    c->len += (size_t)n;
    return QK_OK;
}

/* ---- the response ---- */

struct head {
    size_t len; /* of the head with its empty line */
    unsigned status;
    size_t body_len;
    bool has_length, close;
};

static qk_err parse_length(struct head *h, struct qk_bytes v)
{
    size_t n = 0;
    QK_ENSURE(v.len > 0 && v.len <= 6 && !h->has_length, QK_E_MALFORMED);
    for (size_t i = 0; i < v.len; i++) {
        QK_ENSURE(v.p[i] >= '0' && v.p[i] <= '9', QK_E_MALFORMED);
        n = 10 * n + (size_t)(v.p[i] - '0');
    }
    h->body_len = n;
    h->has_length = true;
    return QK_OK;
}

static bool name_is(struct qk_bytes name, const char *lower)
{
    return name.len == strlen(lower) && strncasecmp((const char *)name.p, lower, name.len) == 0;
}

static qk_err parse_header(struct head *h, struct qk_bytes line)
{
    const uint8_t *colon = memchr(line.p, ':', line.len);
    QK_ENSURE(colon != NULL, QK_E_MALFORMED);
    struct qk_bytes name = qk_bytes(line.p, (size_t)(colon - line.p));
    struct qk_bytes v = qk_bytes(colon + 1, line.len - name.len - 1);
    while (v.len > 0 && v.p[0] == ' ') v = qk_bytes(v.p + 1, v.len - 1);
    if (name_is(name, "content-length")) return parse_length(h, v);
    QK_ENSURE(!name_is(name, "transfer-encoding"), QK_E_MALFORMED);
    if (name_is(name, "connection") && name_is(v, "close")) h->close = true;
    return QK_OK;
}

/* "HTTP/1.1 200 OK" */
static qk_err parse_status(struct head *h, struct qk_bytes line)
{
    static const char version[] = "HTTP/1.1 ";
    QK_ENSURE(line.len >= 12 && memcmp(line.p, version, 9) == 0, QK_E_MALFORMED);
    for (size_t i = 9; i < 12; i++) {
        QK_ENSURE(line.p[i] >= '0' && line.p[i] <= '9', QK_E_MALFORMED);
        h->status = 10 * h->status + (unsigned)(line.p[i] - '0');
    }
    return h->status >= 200 ? QK_OK : QK_E_MALFORMED; /* we ask for no interim answer */
}

static qk_err parse_head(struct head *h, struct qk_bytes text)
{
    bool first = true;
    for (size_t at = 0; at + 2 < text.len;) {
        const uint8_t *end = memmem(text.p + at, text.len - at, "\r\n", 2);
        QK_ENSURE(end != NULL, QK_E_MALFORMED);
        struct qk_bytes line = qk_bytes(text.p + at, (size_t)(end - text.p) - at);
        QK_TRY(first ? parse_status(h, line) : parse_header(h, line));
        at += line.len + 2;
        first = false;
    }
    return h->has_length ? QK_OK : QK_E_MALFORMED;
}

static qk_err read_head(struct bench_conn *c, struct head *h)
{
    const uint8_t *end;
    while ((end = memmem(c->rx, c->len, "\r\n\r\n", 4)) == NULL) QK_TRY(read_more(c));
    h->len = (size_t)(end - c->rx) + 4;
    return parse_head(h, qk_bytes(c->rx, h->len));
}

static qk_err exchange(struct bench_conn *c, struct qk_bytes request, struct bench_reply *out)
{
    struct head h = {0};
    QK_TRY(write_all(c, request));
    QK_TRY(read_head(c, &h));
    QK_ENSURE(h.len + h.body_len <= sizeof c->rx, QK_E_TOO_LARGE);
    while (c->len < h.len + h.body_len) QK_TRY(read_more(c));
    QK_ENSURE(c->len == h.len + h.body_len, QK_E_MALFORMED); /* nobody asked for more */
    *out = (struct bench_reply){
        .status = h.status, .body = {c->rx + h.len, h.body_len}, .close = h.close};
    return QK_OK;
}

qk_err bench_conn_exchange(struct bench_conn *c, struct qk_bytes request, struct bench_reply *out)
{
    QK_ENSURE(c->fd >= 0, QK_E_IO);
    c->len = 0;
    qk_err err = exchange(c, request, out);
    if (err != QK_OK) bench_conn_close(c);
    return err;
}
