#define OPENSSL_SUPPRESS_DEPRECATED
#include "qk/sha256.h"

#include <openssl/sha.h>
#include "qk/secret.h"

enum { BLOCK = 64 };

_Static_assert(sizeof(SHA256_CTX) <= sizeof(struct qk_sha256), "the state must fit");
_Static_assert(_Alignof(SHA256_CTX) <= _Alignof(struct qk_sha256), "and be aligned");

static SHA256_CTX *ctx(struct qk_sha256 *s)
{
    return (SHA256_CTX *)(void *)s->state;
}

/* These functions report failure only on a damaged argument. */
void qk_sha256_begin(struct qk_sha256 *s)
{
    SHA256_Init(ctx(s));
}

void qk_sha256_add(struct qk_sha256 *s, const void *p, size_t len)
{
    if (len > 0) SHA256_Update(ctx(s), p, len);
}

void qk_sha256_end(struct qk_sha256 *s, uint8_t out[static 32])
{
    SHA256_Final(out, ctx(s));
    qk_wipe(s, sizeof *s);
}

void qk_sha256_of(struct qk_bytes data, uint8_t out[static 32])
{
    struct qk_sha256 s;
    qk_sha256_begin(&s);
    qk_sha256_add(&s, data.p, data.len);
    qk_sha256_end(&s, out);
}

static void half(const uint8_t pad[static BLOCK], struct qk_bytes data, uint8_t out[static 32])
{
    struct qk_sha256 s;
    qk_sha256_begin(&s);
    qk_sha256_add(&s, pad, BLOCK);
    qk_sha256_add(&s, data.p, data.len);
    qk_sha256_end(&s, out);
}

void qk_hmac256_of(struct qk_bytes key, struct qk_bytes data, uint8_t out[static 32])
{
    uint8_t pad[BLOCK] = {0}, inner[32];
    if (key.len > BLOCK)
        qk_sha256_of(key, pad);
    else if (key.len > 0)
        memcpy(pad, key.p, key.len);
    for (size_t i = 0; i < BLOCK; i++) pad[i] ^= 0x36;
    half(pad, data, inner);
    for (size_t i = 0; i < BLOCK; i++) pad[i] ^= 0x36 ^ 0x5c;
    half(pad, QK_BYTES(inner), out);
    qk_wipe(pad, sizeof pad);
    qk_wipe(inner, sizeof inner);
}
