#include "wireraw.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "identity_priv.h"
#include "line.h"

static void must(bool ok, const char *what)
{
    if (ok) return;
    fprintf(stderr, "wireraw: %s failed\n", what);
    abort();
}
#define MUST(expr) must((expr), #expr)

void wt_raw_setup(struct wt_raw *r, const struct wire_identity *id, bool server)
{
    r->ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    MUST(r->ctx != NULL);
    if (id != NULL) {
        MUST(SSL_CTX_use_certificate(r->ctx, id->x509) == 1);
        MUST(SSL_CTX_use_PrivateKey(r->ctx, id->pkey) == 1);
    }
    (void)SSL_CTX_set_num_tickets(r->ctx, 0);
    r->ssl = SSL_new(r->ctx);
    MUST(SSL_set_fd(r->ssl, r->fd) == 1);
}

void wt_raw_close(struct wt_raw *r)
{
    SSL_free(r->ssl);
    SSL_CTX_free(r->ctx);
    (void)close(r->fd);
}

bool wt_raw_read(struct wt_raw *r, void *out, size_t len)
{
    for (size_t got = 0; got < len;) {
        int n = SSL_read(r->ssl, (uint8_t *)out + got, (int)(len - got));
        if (n <= 0) return false;
        got += (size_t)n;
    }
    return true;
}

bool wt_raw_write(struct wt_raw *r, const void *bytes, size_t len)
{
    return SSL_write(r->ssl, bytes, (int)len) == (int)len;
}

size_t wt_frame(uint8_t *out, uint8_t type, uint32_t number, struct qk_bytes body)
{
    qk_put_u32(out, (uint32_t)(WIRE_LINE_HEAD - 4 + body.len));
    out[4] = type;
    qk_put_u32(out + 5, number);
    if (body.len > 0) memcpy(out + WIRE_LINE_HEAD, body.p, body.len);
    return WIRE_LINE_HEAD + body.len;
}

bool wt_reads_frame(struct wt_raw *r, uint8_t type, uint32_t number, struct qk_bytes body)
{
    uint8_t want[64], got[64];
    MUST(body.len + WIRE_LINE_HEAD <= sizeof want);
    size_t len = wt_frame(want, type, number, body);
    return wt_raw_read(r, got, len) && memcmp(want, got, len) == 0;
}
