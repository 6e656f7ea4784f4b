/** The inputs of protocols/20-ecdsa.md section 11: kat(n, L) and S(n). */
#ifndef TEST_ECDSA_KAT_H
#define TEST_ECDSA_KAT_H

#include "mpc/transcript.h"
#include "seeded.h"

#define ECDSA_KAT "kat-ecdsa.txt"

static inline void kat_bytes(const char *n, size_t n_len, uint8_t *out, size_t len)
{
    qk_assert_ok(mpc_expand(out, len, "kat", MPC_FIELDS({(const uint8_t *)n, n_len})));
}

static inline struct mpc_scalar kat_scalar(const struct mpc_curve *c, const char *n, size_t n_len)
{
    struct mpc_scalar s;
    qk_assert_ok(mpc_h2s(c, &s, "kat-s", MPC_FIELDS({(const uint8_t *)n, n_len})));
    return s;
}

/* Compare with the line "<prefix>-<curve name>-<what>" of the vector file. */
static inline void ecdsa_kat_assert(
    const char *prefix, const char *curve, const char *what, const uint8_t *got, size_t len)
{
    char name[64];
    snprintf(name, sizeof name, "%s-%s-%s", prefix, curve, what);
    kat_assert(ECDSA_KAT, name, got, len);
}

#endif
