/* P-256, P-384 and P-521 through OpenSSL's EC_POINT.
 *
 * A secret scalar is only ever given to EC_POINT_mul alone: with exactly one scalar OpenSSL takes
 * its constant-time code (nistz256, nistp521, or the ladder); with two it takes wNAF, whose running
 * time depends on them. Every call has its own BN_CTX, because the numbers in a context that is
 * kept are not cleared between calls; BN_CTX_free clears them. */
#include "point.h"

#include "p256_lift.h"
#include "p384.h"

#include <pthread.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include "qk/secret.h"

static EC_GROUP *groups[MPC_P521 + 1];

static void make_groups(void)
{
    for (unsigned id = MPC_P256; id <= MPC_P521; id++)
        groups[id] = EC_GROUP_new_by_curve_name(mpc_curve_get(id)->nid);
}

/* Made once and never freed; read-only from then on, so threads may share it. */
static const EC_GROUP *group(const struct mpc_curve *c)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_groups);
    return groups[c->id];
}

const void *ec_group_of(const struct mpc_curve *c)
{
    return group(c);
}

static void ctx_free(BN_CTX **ctx)
{
    BN_CTX_free(*ctx);
}

static void bn_free(BIGNUM **bn)
{
    BN_clear_free(*bn);
}

static void point_free(EC_POINT **p)
{
    EC_POINT_clear_free(*p);
}

#define AUTO_CTX(name) __attribute__((cleanup(ctx_free))) BN_CTX *name = BN_CTX_new()
#define AUTO_BN        __attribute__((cleanup(bn_free))) BIGNUM *
#define AUTO_POINT     __attribute__((cleanup(point_free))) EC_POINT *

/* A scalar as OpenSSL's number; NULL when out of memory. */
static BIGNUM *to_bn(const struct mpc_curve *c, const struct mpc_scalar *k)
{
    uint8_t buf[MPC_SCALAR_MAX];
    mpc_scalar_encode(c, buf, k);
    BIGNUM *bn = BN_bin2bn(buf, c->lq, NULL);
    qk_wipe(buf, sizeof buf);
    if (bn != NULL) BN_set_flags(bn, BN_FLG_CONSTTIME);
    return bn;
}

qk_err ec_init(struct mpc_point *p)
{
    const EC_GROUP *g = group(p->c);
    QK_ENSURE(g != NULL, QK_E_CRYPTO);
    p->ec = EC_POINT_new(g); /* O */
    QK_ENSURE(p->ec != NULL, QK_E_NOMEM);
    return QK_OK;
}

void ec_clear(struct mpc_point *p)
{
    EC_POINT_clear_free(p->ec);
}

qk_err ec_copy(struct mpc_point *r, const struct mpc_point *a)
{
    return EC_POINT_copy(r->ec, a->ec) == 1 ? QK_OK : QK_E_CRYPTO;
}

void ec_set_infinity(struct mpc_point *r)
{
    EC_POINT_set_to_infinity(group(r->c), r->ec);
}

qk_err ec_set_generator(struct mpc_point *r)
{
    const EC_POINT *g = EC_GROUP_get0_generator(group(r->c));
    return EC_POINT_copy(r->ec, g) == 1 ? QK_OK : QK_E_CRYPTO;
}

bool ec_is_infinity(const struct mpc_point *a)
{
    return EC_POINT_is_at_infinity(group(a->c), a->ec) == 1;
}

qk_err ec_check_eq_var(const struct mpc_point *a, const struct mpc_point *b)
{
    AUTO_CTX(ctx);
    QK_ENSURE(ctx != NULL, QK_E_NOMEM);
    int cmp = EC_POINT_cmp(group(a->c), a->ec, b->ec, ctx);
    QK_ENSURE(cmp >= 0, QK_E_CRYPTO);
    return cmp == 0 ? QK_OK : QK_E_PROOF;
}

qk_err ec_add(struct mpc_point *r, const struct mpc_point *a, const struct mpc_point *b)
{
    AUTO_CTX(ctx);
    QK_ENSURE(ctx != NULL, QK_E_NOMEM);
    return EC_POINT_add(group(r->c), r->ec, a->ec, b->ec, ctx) == 1 ? QK_OK : QK_E_CRYPTO;
}

qk_err ec_neg(struct mpc_point *r, const struct mpc_point *a)
{
    AUTO_CTX(ctx);
    QK_ENSURE(ctx != NULL, QK_E_NOMEM);
    QK_TRY(ec_copy(r, a));
    return EC_POINT_invert(group(r->c), r->ec, ctx) == 1 ? QK_OK : QK_E_CRYPTO;
}

/* ---- P-384, which OpenSSL multiplies slowly ---- */

static void affine_wipe(struct p384_affine *a)
{
    qk_wipe(a, sizeof *a);
}

#define AUTO_AFFINE(name) __attribute__((cleanup(affine_wipe))) struct p384_affine name = {{0}, {0}}

/* The setter checks the curve equation: a fault in our arithmetic does not get past it. */
static qk_err from_p384(struct mpc_point *r, const struct p384_affine *a, bool finite)
{
    AUTO_CTX(ctx);
    AUTO_BN x = BN_bin2bn(a->x, sizeof a->x, NULL);
    AUTO_BN y = BN_bin2bn(a->y, sizeof a->y, NULL);
    QK_ENSURE(ctx != NULL && x != NULL && y != NULL, QK_E_NOMEM);
    if (!finite) {
        ec_set_infinity(r);
        return QK_OK;
    }
    int ok = EC_POINT_set_affine_coordinates(group(r->c), r->ec, x, y, ctx);
    return ok == 1 ? QK_OK : QK_E_CRYPTO;
}

static qk_err to_p384(struct p384_affine *r, const struct mpc_point *a)
{
    AUTO_CTX(ctx);
    AUTO_BN x = BN_new();
    AUTO_BN y = BN_new();
    QK_ENSURE(ctx != NULL && x != NULL && y != NULL, QK_E_NOMEM);
    int ok = EC_POINT_get_affine_coordinates(group(a->c), a->ec, x, y, ctx);
    QK_ENSURE(ok == 1, QK_E_CRYPTO);
    bool fits = BN_bn2binpad(x, r->x, sizeof r->x) == sizeof r->x &&
                BN_bn2binpad(y, r->y, sizeof r->y) == sizeof r->y;
    return fits ? QK_OK : QK_E_CRYPTO;
}

static qk_err mul_base_p384(struct mpc_point *r, const struct mpc_scalar *k)
{
    AUTO_AFFINE(v);
    bool finite = p384_mul_base(&v, k);
    return from_p384(r, &v, finite);
}

static qk_err mul_p384(struct mpc_point *r, const struct mpc_scalar *k, const struct mpc_point *a)
{
    AUTO_AFFINE(v);
    if (ec_is_infinity(a)) {
        ec_set_infinity(r);
        return QK_OK;
    }
    QK_TRY(to_p384(&v, a));
    bool finite = p384_mul(&v, k, &v);
    return from_p384(r, &v, finite);
}

qk_err ec_mul_base(struct mpc_point *r, const struct mpc_scalar *k)
{
    if (r->c->id == MPC_P384) return mul_base_p384(r, k);
    AUTO_CTX(ctx);
    AUTO_BN bn = to_bn(r->c, k);
    QK_ENSURE(ctx != NULL && bn != NULL, QK_E_NOMEM);
    int ok = EC_POINT_mul(group(r->c), r->ec, bn, NULL, NULL, ctx);
    return ok == 1 ? QK_OK : QK_E_CRYPTO;
}

qk_err ec_mul(struct mpc_point *r, const struct mpc_scalar *k, const struct mpc_point *a)
{
    if (r->c->id == MPC_P384) return mul_p384(r, k, a);
    AUTO_CTX(ctx);
    AUTO_BN bn = to_bn(r->c, k);
    QK_ENSURE(ctx != NULL && bn != NULL, QK_E_NOMEM);
    int ok = EC_POINT_mul(group(r->c), r->ec, NULL, a->ec, bn, ctx);
    return ok == 1 ? QK_OK : QK_E_CRYPTO;
}

qk_err ec_mul_add_var(struct mpc_point *r, const struct mpc_scalar *k, const struct mpc_scalar *l,
    const struct mpc_point *a)
{
    AUTO_CTX(ctx);
    AUTO_BN bk = to_bn(r->c, k);
    AUTO_BN bl = to_bn(r->c, l);
    QK_ENSURE(ctx != NULL && bk != NULL && bl != NULL, QK_E_NOMEM);
    int ok = EC_POINT_mul(group(r->c), r->ec, bk, a->ec, bl, ctx);
    return ok == 1 ? QK_OK : QK_E_CRYPTO;
}

qk_err ec_encode(uint8_t *out, const struct mpc_point *a, bool compressed)
{
    AUTO_CTX(ctx);
    QK_ENSURE(ctx != NULL, QK_E_NOMEM);
    point_conversion_form_t form =
        compressed ? POINT_CONVERSION_COMPRESSED : POINT_CONVERSION_UNCOMPRESSED;
    size_t len = compressed ? a->c->pt : (size_t)(1 + 2 * a->c->lp);
    size_t got = EC_POINT_point2oct(group(a->c), a->ec, form, out, len, ctx);
    return got == len ? QK_OK : QK_E_CRYPTO;
}

/* The uncompressed form of a compressed P-256 point; in has its length and prefix. */
static bool decompress_p256(uint8_t out[65], struct qk_bytes in)
{
    out[0] = 0x04;
    for (size_t i = 0; i < 32; i++) out[1 + i] = in.p[1 + i];
    return p256_lift_var(out + 33, in.p + 1, in.p[0] & 1);
}

/* EC_POINT_oct2point checks prefix, coordinate range and the curve equation. The result is built
 * aside, because r must stay as it was on failure. */
qk_err ec_decode(struct mpc_point *r, struct qk_bytes in)
{
    const EC_GROUP *g = group(r->c);
    AUTO_CTX(ctx);
    AUTO_POINT p = EC_POINT_new(g);
    QK_ENSURE(ctx != NULL && p != NULL, QK_E_NOMEM);
    uint8_t full[65];
    if (r->c->id == MPC_P256 && in.len == 33) {
        QK_ENSURE(decompress_p256(full, in), QK_E_MALFORMED);
        in = QK_BYTES(full);
    }
    ERR_set_mark();
    int ok = EC_POINT_oct2point(g, p, in.p, in.len, ctx);
    ERR_pop_to_mark();
    QK_ENSURE(ok == 1 && !EC_POINT_is_at_infinity(g, p), QK_E_MALFORMED);
    return EC_POINT_copy(r->ec, p) == 1 ? QK_OK : QK_E_CRYPTO;
}

qk_err ec_lift_x_var(struct mpc_point *r, struct qk_bytes x, unsigned y_odd)
{
    const EC_GROUP *g = group(r->c);
    AUTO_CTX(ctx);
    AUTO_BN bx = BN_bin2bn(x.p, (int)x.len, NULL);
    AUTO_POINT p = EC_POINT_new(g);
    QK_ENSURE(ctx != NULL && bx != NULL && p != NULL, QK_E_NOMEM);
    QK_ENSURE(BN_nnmod(bx, bx, EC_GROUP_get0_field(g), ctx) == 1, QK_E_CRYPTO);
    ERR_set_mark();
    int ok = EC_POINT_set_compressed_coordinates(g, p, bx, (int)y_odd, ctx);
    ERR_pop_to_mark();
    QK_ENSURE(ok == 1, QK_E_NOT_FOUND);
    return EC_POINT_copy(r->ec, p) == 1 ? QK_OK : QK_E_CRYPTO;
}
