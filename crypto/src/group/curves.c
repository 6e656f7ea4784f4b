#include "modulus.h"

#include <openssl/obj_mac.h>

static const struct mpc_curve curves[] = {
    {MPC_SECP256K1, "secp256k1", 256, 32, 33, 48, 32, 4, NID_secp256k1},
    {MPC_P256, "P-256", 256, 32, 33, 48, 32, 4, NID_X9_62_prime256v1},
    {MPC_P384, "P-384", 384, 48, 49, 64, 48, 6, NID_secp384r1},
    {MPC_P521, "P-521", 521, 66, 67, 82, 66, 9, NID_secp521r1},
};

const struct mpc_curve *mpc_curve_get(unsigned id)
{
    return id >= MPC_SECP256K1 && id <= MPC_P521 ? &curves[id - 1] : NULL;
}

/* q from SEC 2 and FIPS 186-4; the rest follows from it (tests/unit/crypto/test_scalar.c recomputes
 * every constant with OpenSSL). */
static const struct mpc_modulus moduli[] = {
    [MPC_SECP256K1 - 1] =
        {
            .q = {0xbfd25e8cd0364141, 0xbaaedce6af48a03b, 0xfffffffffffffffe, 0xffffffffffffffff},
            .half = {0xdfe92f46681b20a0, 0x5d576e7357a4501d, 0xffffffffffffffff,
                0x7fffffffffffffff},
            .r1 = {0x402da1732fc9bebf, 0x4551231950b75fc4, 0x0000000000000001, 0x0000000000000000},
            .r2 = {0x896cf21467d7d140, 0x741496c20e7cf878, 0xe697f5e45bcd07c6, 0x9d671cd581c69bc5},
            .mu = {0x0000000000000001, 0x0000000000000000, 0x0000000000000001},
            .n0 = 0x4b0dff665588b13f,
            .n = 4,
        },
    [MPC_P256 - 1] =
        {
            .q = {0xf3b9cac2fc632551, 0xbce6faada7179e84, 0xffffffffffffffff, 0xffffffff00000000},
            .half = {0x79dce5617e3192a8, 0xde737d56d38bcf42, 0x7fffffffffffffff,
                0x7fffffff80000000},
            .r1 = {0x0c46353d039cdaaf, 0x4319055258e8617b, 0x0000000000000000, 0x00000000ffffffff},
            .r2 = {0x83244c95be79eea2, 0x4699799c49bd6fa6, 0x2845b2392b6bec59, 0x66e12d94f3d95620},
            .mu = {0xfffffffeffffffff, 0x00000000ffffffff, 0x0000000000000001},
            .n0 = 0xccd1c8aaee00bc4f,
            .n = 4,
        },
    [MPC_P384 - 1] =
        {
            .q = {0xecec196accc52973, 0x581a0db248b0a77a, 0xc7634d81f4372ddf, 0xffffffffffffffff,
                0xffffffffffffffff, 0xffffffffffffffff},
            .half = {0x76760cb5666294b9, 0xac0d06d9245853bd, 0xe3b1a6c0fa1b96ef, 0xffffffffffffffff,
                0xffffffffffffffff, 0x7fffffffffffffff},
            .r1 = {0x1313e695333ad68d, 0xa7e5f24db74f5885, 0x389cb27e0bc8d220, 0x0000000000000000,
                0x0000000000000000, 0x0000000000000000},
            .r2 = {0x2d319b2419b409a9, 0xff3d81e5df1aa419, 0xbc3e483afcb82947, 0xd40d49174aab1cc5,
                0x3fb05b7a28266895, 0x0c84ee012b39bf21},
            .mu = {0x0000000000000000, 0x0000000000000000, 0x0000000000000001},
            .n0 = 0x6ed46089e88fdc45,
            .n = 6,
        },
    [MPC_P521 - 1] =
        {
            .q = {0xbb6fb71e91386409, 0x3bb5c9b8899c47ae, 0x7fcc0148f709a5d0, 0x51868783bf2f966b,
                0xfffffffffffffffa, 0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff,
                0x00000000000001ff},
            .half = {0x5db7db8f489c3204, 0x1ddae4dc44ce23d7, 0xbfe600a47b84d2e8, 0x28c343c1df97cb35,
                0xfffffffffffffffd, 0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff,
                0x00000000000000ff},
            .r1 = {0xfb80000000000000, 0x28a2482470b763cd, 0x17e2251b23bb31dc, 0xca4019ff5b847b2d,
                0x02d73cbc3e206834, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000,
                0x0000000000000000},
            .r2 = {0x137cd04dcf15dd04, 0xf707badce5547ea3, 0x12a78d38794573ff, 0xd3721ef557f75e06,
                0xdd6e23d82e49c7db, 0xcff3d142b7756e3e, 0x5bcc6d61a8e567bc, 0x2d8e03d1492d0d45,
                0x000000000000003d},
            .mu = {0x0000000000000000, 0x0000000000000000, 0x0080000000000000},
            .n0 = 0x1d2f5ccd79a995c7,
            .n = 9,
        },
};

const struct mpc_modulus *mpc_modulus_of(const struct mpc_curve *c)
{
    return &moduli[c->id - 1];
}
