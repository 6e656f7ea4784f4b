/* Multiplication by secret scalars, and selection of points.
 *
 * libsecp256k1 is checked all the way down. For the NIST curves only our own code up to OpenSSL's
 * door is: OpenSSL strips leading zero words of a number it is given (a fact with probability 2^-64
 * for the 256-bit curves), which memcheck reports; inside, EC_POINT_mul with one scalar is
 * documented and built as constant time. ctime_scalar covers what leads up to that door. */
#include "ctime.h"

#include "group/ct.h"
#include "mpc/labels.h"
#include "proof/nonce.h"

static void secret_scalar(const struct mpc_curve *c, struct mpc_scalar *s)
{
    CT_OK(mpc_scalar_random_nonzero(c, s, qk_rng_system()));
    ct_secret(s, sizeof *s);
}

static void multiplication(const struct mpc_curve *c)
{
    struct mpc_scalar k;
    uint8_t enc[MPC_POINT_MAX];
    MPC_POINT(p);
    CT_OK(mpc_point_init(&p, c));
    secret_scalar(c, &k);
    CT_OK(mpc_point_mul_base(&p, &k));
    ct_public(&p, sizeof p); /* k*G is sent */
    CT_OK(mpc_point_mul(&p, &k, &p));
    ct_public(&p, sizeof p); /* as is k*P */
    CT_OK(mpc_point_encode(enc, &p));
}

static void selection(const struct mpc_curve *c)
{
    uint8_t a[65], b[65];
    uint64_t bit;
    MPC_POINT(p);
    MPC_POINT(q);
    CT_OK(mpc_point_init(&p, c));
    CT_OK(mpc_point_init(&q, c));
    CT_OK(mpc_point_set_generator(&p));
    CT_OK(mpc_point_add(&q, &p, &p));
    CT_OK(mpc_point_encode_uncompressed(a, &p));
    CT_OK(mpc_point_encode_uncompressed(b, &q));
    ct_secret_random(&bit, sizeof bit);
    ct_select_bytes(a, ct_mask_of_bit(bit & 1), a, b, sizeof a);
}

/* The rest of a proof is k*G (above, then public) and z = k + e*x (ctime_scalar). */
static void nonce(const struct mpc_curve *c)
{
    struct mpc_scalar x, k;
    uint8_t sid[32] = {1};
    struct proof_ctx ctx = {c, sid, 1, MPC_L_DKG};
    secret_scalar(c, &x);
    CT_OK(proof_nonce(&ctx, &k, &x, qk_rng_system()));
}

CT_MAIN
{
    const struct mpc_curve *c = mpc_curve_get(MPC_SECP256K1);
    multiplication(c);
    selection(c);
    for (unsigned id = MPC_SECP256K1; id <= MPC_P521; id++) nonce(mpc_curve_get(id));
}
