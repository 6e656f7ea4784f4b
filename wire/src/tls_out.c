#include "tls_out.h"

#include <string.h>
#include <openssl/crypto.h>
#include <nng/nng.h>

enum {
    TXAIO_AT = 48, /* nng_aio *txaio, from txlen in struct tlstran_pipe */
    IOV_AT = 176,  /* nng_iov a_iov[8], in struct nng_aio */
    LENGTH = 8,    /* u64 in front of every frame */
    IOVS_MAX = 3,  /* length, header, body */
};

/* NNG's own u64. */
static uint64_t frame_length(const uint8_t *p)
{
    uint64_t n = 0;
    for (size_t i = 0; i < LENGTH; i++) n = n << 8 | p[i];
    return n;
}

static const nng_iov *find_pieces(const uint8_t *piece)
{
    const uint8_t *aio;
    nng_iov first;
    memcpy(&aio, piece + TXAIO_AT, sizeof aio);
    if (aio == NULL) return NULL;
    memcpy(&first, aio + IOV_AT, sizeof first);
    if (first.iov_buf != piece || first.iov_len != LENGTH) return NULL;
    return (const nng_iov *)(const void *)(aio + IOV_AT);
}

static bool copy_pieces(struct tls_out *out, const nng_iov *iov)
{
    size_t done = 0;
    for (size_t i = 0; i < IOVS_MAX && done < out->len; i++) {
        if (iov[i].iov_buf == NULL || iov[i].iov_len > out->len - done) return false;
        memcpy(out->bytes + done, iov[i].iov_buf, iov[i].iov_len);
        done += iov[i].iov_len;
    }
    return done == out->len;
}

size_t tls_out_take(struct tls_out *out, const uint8_t *piece, size_t len)
{
    if (len != LENGTH || out->head_len < LENGTH) return 0;
    uint64_t body = frame_length(piece);
    if (body > TLS_OUT_MAX - LENGTH) return 0;
    const nng_iov *iov = find_pieces(piece);
    if (iov == NULL) return 0;
    out->off = 0;
    out->len = LENGTH + (size_t)body;
    out->bytes = OPENSSL_malloc(out->len);
    if (out->bytes == NULL) return 0;
    if (copy_pieces(out, iov)) return out->len;
    tls_out_free(out);
    return 0;
}

void tls_out_free(struct tls_out *out)
{
    OPENSSL_clear_free(out->bytes, out->len);
    out->bytes = NULL;
    out->len = out->off = 0;
}
