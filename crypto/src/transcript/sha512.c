#define OPENSSL_SUPPRESS_DEPRECATED
#include "sha512.h"

#include <openssl/sha.h>
#include "qk/secret.h"

_Static_assert(sizeof(SHA512_CTX) <= sizeof(struct sha512), "the state must fit");
_Static_assert(_Alignof(SHA512_CTX) <= _Alignof(struct sha512), "and be aligned");

/* These functions report failure only on a damaged argument. */
void sha512_init(struct sha512 *s)
{
    SHA512_Init((SHA512_CTX *)(void *)s->state);
}

void sha512_update(struct sha512 *s, const void *p, size_t len)
{
    if (len > 0) SHA512_Update((SHA512_CTX *)(void *)s->state, p, len);
}

void sha512_final(struct sha512 *s, uint8_t out[static 64])
{
    SHA512_Final(out, (SHA512_CTX *)(void *)s->state);
}

void sha512_wipe(struct sha512 *s)
{
    qk_wipe(s, sizeof *s);
}
