/* E-24: the receiver of the base OT, with Delta, r and the seed secret; the sender with s and t
 * secret.
 *
 * What is checked is our own code up to OpenSSL's door, and with what comes out of it. The OT
 * groups are NIST curves, whose arithmetic is OpenSSL's (see ctime_point.c): the calls below are
 * let through without reports, and their results stay secret. */
#include "ctime.h"

#include <dlfcn.h>
#include <openssl/ec.h>
#include "ecdsa/pvw.h"

/* An OpenSSL function of the same name, with reporting off while it runs. Whether it succeeded, and
 * whether a point is O, is public (mpc/group.h). */
#define DOOR(name, params, args)                                                                   \
    int name params                                                                                \
    {                                                                                              \
        static int(*real) params;                                                                  \
        VALGRIND_DISABLE_ERROR_REPORTING;                                                          \
        if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name);                                      \
        int ret = real args;                                                                       \
        ct_public(&ret, sizeof ret);                                                               \
        VALGRIND_ENABLE_ERROR_REPORTING;                                                           \
        return ret;                                                                                \
    }

DOOR(EC_POINT_mul,
    (const EC_GROUP *g, EC_POINT *r, const BIGNUM *n, const EC_POINT *q, const BIGNUM *m,
        BN_CTX *c),
    (g, r, n, q, m, c))
DOOR(EC_POINT_add,
    (const EC_GROUP *g, EC_POINT *r, const EC_POINT *a, const EC_POINT *b, BN_CTX *c),
    (g, r, a, b, c))
DOOR(EC_POINT_copy, (EC_POINT * r, const EC_POINT *a), (r, a))
DOOR(EC_POINT_is_at_infinity, (const EC_GROUP *g, const EC_POINT *p), (g, p))
DOOR(EC_POINT_oct2point,
    (const EC_GROUP *g, EC_POINT *p, const unsigned char *in, size_t len, BN_CTX *c),
    (g, p, in, len, c))

size_t EC_POINT_point2oct(const EC_GROUP *g, const EC_POINT *p, point_conversion_form_t form,
    unsigned char *out, size_t len, BN_CTX *c)
{
    static size_t (*real)(const EC_GROUP *, const EC_POINT *, point_conversion_form_t,
        unsigned char *, size_t, BN_CTX *);
    VALGRIND_DISABLE_ERROR_REPORTING;
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "EC_POINT_point2oct");
    size_t ret = real(g, p, form, out, len, c);
    ct_public(&ret, sizeof ret);
    VALGRIND_ENABLE_ERROR_REPORTING;
    return ret;
}

BIGNUM *BN_bin2bn(const unsigned char *in, int len, BIGNUM *r)
{
    static BIGNUM *(*real)(const unsigned char *, int, BIGNUM *);
    VALGRIND_DISABLE_ERROR_REPORTING;
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "BN_bin2bn");
    BIGNUM *ret = real(in, len, r);
    VALGRIND_ENABLE_ERROR_REPORTING;
    return ret;
}

static void secret_scalar(const struct mpc_curve *c, struct mpc_scalar *s)
{
    CT_OK(mpc_scalar_random_nonzero(c, s, qk_rng_system()));
    ct_secret(s, sizeof *s);
}

static void one(const struct mpc_curve *c)
{
    uint8_t psid[32] = {1}, uw[2 * MPC_POINT_MAX], e[2 * MPC_POINT_MAX], seed[2][32], mine[32];
    struct mpc_scalar r, s, t;
    uint8_t bit;
    PVW(x);
    MPC_POINT(u);
    MPC_POINT(w);
    CT_OK(pvw_init(&x, c, psid));
    secret_scalar(c, &r);
    secret_scalar(c, &s);
    secret_scalar(c, &t);
    ct_secret_random(&bit, 1);
    bit &= 1;
    CT_OK(pvw_choose(&x, bit, &r, uw));
    ct_public(uw, sizeof uw); /* sent to the peer */
    CT_OK(mpc_point_init(&u, c));
    CT_OK(mpc_point_init(&w, c));
    CT_OK(mpc_point_decode_var(&u, qk_bytes(uw, c->pt)));
    CT_OK(mpc_point_decode_var(&w, qk_bytes(uw + c->pt, c->pt)));
    for (uint8_t b = 0; b < 2; b++)
        CT_OK(pvw_answer(&x, 0, b, uw, &u, &w, &s, &t, e + b * c->pt, seed[b]));
    ct_public(e, sizeof e); /* sent to the peer */
    CT_OK(pvw_open(&x, 0, bit, &r, uw, e, mine));
}

CT_MAIN
{
    one(mpc_curve_get(MPC_P256));
    one(mpc_curve_get(MPC_P521));
}
