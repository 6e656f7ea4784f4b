/* secp256k1 through libsecp256k1. The library has no representation of O; k1_is_inf stands for it,
 * and every function here deals with O before it calls the library. Whether a result is O is public
 * (mpc/group.h), so branching on it is allowed. */
#include "point.h"

#include <pthread.h>
#include <string.h>
#include <secp256k1.h>
#include <secp256k1_ecdh.h>
#include "qk/secret.h"

_Static_assert(sizeof(secp256k1_pubkey) == 64, "struct mpc_point holds a secp256k1_pubkey");

static secp256k1_context *context;

/* Randomising blinds k*G against other side channels; computing without it is correct, so a failing
 * generator is no reason to stop here: whoever needs randomness meets the failure himself. */
static void make_context(void)
{
    context = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    uint8_t seed[32];
    if (qk_rng_fill(qk_rng_system(), seed, sizeof seed) != QK_OK) return;
    if (context != NULL) (void)!secp256k1_context_randomize(context, seed);
    qk_wipe(seed, sizeof seed);
}

static const secp256k1_context *ctx(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_context);
    return context;
}

static void load(secp256k1_pubkey *out, const struct mpc_point *a)
{
    memcpy(out->data, a->k1, sizeof out->data);
}

static void store(struct mpc_point *r, const secp256k1_pubkey *v)
{
    memcpy(r->k1, v->data, sizeof r->k1);
    r->k1_is_inf = 0;
}

static void store_infinity(struct mpc_point *r)
{
    memset(r->k1, 0, sizeof r->k1);
    r->k1_is_inf = 1;
}

static void pubkey_wipe(secp256k1_pubkey *p)
{
    qk_wipe(p, sizeof *p);
}

#define AUTO_PUBKEY __attribute__((cleanup(pubkey_wipe))) secp256k1_pubkey

qk_err k1_copy(struct mpc_point *r, const struct mpc_point *a)
{
    memmove(r->k1, a->k1, sizeof r->k1);
    r->k1_is_inf = a->k1_is_inf;
    return QK_OK;
}

qk_err k1_set_generator(struct mpc_point *r)
{
    struct mpc_scalar one;
    mpc_scalar_set_u64(&one, 1);
    return k1_mul_base(r, &one);
}

bool k1_eq_var(const struct mpc_point *a, const struct mpc_point *b)
{
    if (a->k1_is_inf || b->k1_is_inf) return a->k1_is_inf == b->k1_is_inf;
    secp256k1_pubkey pa, pb;
    load(&pa, a);
    load(&pb, b);
    return secp256k1_ec_pubkey_cmp(ctx(), &pa, &pb) == 0;
}

qk_err k1_add(struct mpc_point *r, const struct mpc_point *a, const struct mpc_point *b)
{
    if (a->k1_is_inf) return k1_copy(r, b);
    if (b->k1_is_inf) return k1_copy(r, a);
    AUTO_PUBKEY pa, pb, sum;
    load(&pa, a);
    load(&pb, b);
    const secp256k1_pubkey *in[2] = {&pa, &pb};
    /* Fails only when the sum is O. */
    if (secp256k1_ec_pubkey_combine(ctx(), &sum, in, 2) == 1)
        store(r, &sum);
    else
        store_infinity(r);
    return QK_OK;
}

qk_err k1_neg(struct mpc_point *r, const struct mpc_point *a)
{
    if (a->k1_is_inf) return k1_copy(r, a);
    AUTO_PUBKEY p;
    load(&p, a);
    QK_ENSURE(secp256k1_ec_pubkey_negate(ctx(), &p) == 1, QK_E_CRYPTO);
    store(r, &p);
    return QK_OK;
}

struct key {
    uint8_t b[32];
};

static void key_wipe(struct key *k)
{
    qk_wipe(k, sizeof *k);
}

#define AUTO_KEY __attribute__((cleanup(key_wipe))) struct key

qk_err k1_mul_base(struct mpc_point *r, const struct mpc_scalar *k)
{
    if (mpc_scalar_zero_mask(k) != 0) {
        store_infinity(r);
        return QK_OK;
    }
    QK_ENSURE(ctx() != NULL, QK_E_NOMEM);
    AUTO_KEY key;
    AUTO_PUBKEY p;
    mpc_scalar_encode(r->c, key.b, k);
    QK_ENSURE(secp256k1_ec_pubkey_create(ctx(), &p, key.b) == 1, QK_E_CRYPTO);
    store(r, &p);
    return QK_OK;
}

/* For secp256k1_ecdh: the affine coordinates in uncompressed form in place of a hash. */
static int keep_point(
    unsigned char *out, const unsigned char *x32, const unsigned char *y32, void *arg)
{
    (void)arg;
    out[0] = 0x04;
    memcpy(out + 1, x32, 32);
    memcpy(out + 33, y32, 32);
    return 1;
}

struct affine {
    uint8_t b[65];
};

static void affine_wipe(struct affine *a)
{
    qk_wipe(a, sizeof *a);
}

/* secp256k1_ecdh is the library's constant-time multiplication of any point;
 * secp256k1_ec_pubkey_tweak_mul is not constant time. */
qk_err k1_mul(struct mpc_point *r, const struct mpc_scalar *k, const struct mpc_point *a)
{
    if (a->k1_is_inf || mpc_scalar_zero_mask(k) != 0) {
        store_infinity(r);
        return QK_OK;
    }
    AUTO_KEY key;
    AUTO_PUBKEY p;
    __attribute__((cleanup(affine_wipe))) struct affine out;
    mpc_scalar_encode(r->c, key.b, k);
    load(&p, a);
    QK_ENSURE(secp256k1_ecdh(ctx(), out.b, &p, key.b, keep_point, NULL) == 1, QK_E_CRYPTO);
    QK_ENSURE(secp256k1_ec_pubkey_parse(ctx(), &p, out.b, sizeof out.b) == 1, QK_E_CRYPTO);
    store(r, &p);
    return QK_OK;
}

qk_err k1_mul_add_var(struct mpc_point *r, const struct mpc_scalar *k, const struct mpc_scalar *l,
    const struct mpc_point *a)
{
    if (a->k1_is_inf || mpc_scalar_zero_mask(l) != 0) return k1_mul_base(r, k);
    secp256k1_pubkey p;
    uint8_t buf[32];
    load(&p, a);
    mpc_scalar_encode(r->c, buf, l);
    QK_ENSURE(secp256k1_ec_pubkey_tweak_mul(ctx(), &p, buf) == 1, QK_E_CRYPTO);
    mpc_scalar_encode(r->c, buf, k);
    /* k < q, so this fails only when the sum is O. */
    if (secp256k1_ec_pubkey_tweak_add(ctx(), &p, buf) == 1)
        store(r, &p);
    else
        store_infinity(r);
    return QK_OK;
}

qk_err k1_encode(uint8_t *out, const struct mpc_point *a, bool compressed)
{
    AUTO_PUBKEY p;
    load(&p, a);
    size_t want = compressed ? 33 : 65;
    size_t len = want;
    unsigned flags = compressed ? SECP256K1_EC_COMPRESSED : SECP256K1_EC_UNCOMPRESSED;
    QK_ENSURE(secp256k1_ec_pubkey_serialize(ctx(), out, &len, &p, flags) == 1, QK_E_CRYPTO);
    return len == want ? QK_OK : QK_E_CRYPTO;
}

qk_err k1_decode(struct mpc_point *r, struct qk_bytes in)
{
    QK_ENSURE(ctx() != NULL, QK_E_NOMEM);
    AUTO_PUBKEY p;
    QK_ENSURE(secp256k1_ec_pubkey_parse(ctx(), &p, in.p, in.len) == 1, QK_E_MALFORMED);
    store(r, &p);
    return QK_OK;
}
