/* AES-256 on arrays, and the pads of the multiplication made of it. */
#include "ecdsa/pad.h"
#include "ecdsa_kat.h"

static void appendix_c3(qk_err (*set_key)(struct aes256 *, const uint8_t *))
{
    static const uint8_t want[16] = {0x8e, 0xa2, 0xb7, 0xca, 0x51, 0x67, 0x45, 0xbf, 0xea, 0xfc,
        0x49, 0x90, 0x4b, 0x49, 0x60, 0x89};
    AES256(a);
    uint8_t key[32], block[16];
    for (unsigned i = 0; i < 32; i++) key[i] = (uint8_t)i;
    for (unsigned i = 0; i < 16; i++) block[i] = (uint8_t)(0x11 * i);
    qk_assert_ok(set_key(&a, key));
    qk_assert_ok(aes256_blocks(&a, block, 1));
    cr_assert_eq(memcmp(block, want, 16), 0);
}

QK_TEST(aes256, fips_197_appendix_c3)
{
    appendix_c3(aes256_key);
    appendix_c3(aes256_key_portable);
}

QK_TEST(aes256, instructions_and_openssl_agree_on_every_length)
{
    struct seeded rng = seeded_new("aes256");
    AES256(a);
    AES256(b);
    for (size_t n = 0; n <= 40; n++) {
        uint8_t key[32], x[40 * 16], y[40 * 16];
        qk_assert_ok(qk_rng_fill(&rng.base, key, 32));
        qk_assert_ok(qk_rng_fill(&rng.base, x, sizeof x));
        memcpy(y, x, sizeof y);
        qk_assert_ok(aes256_key(&a, key));
        qk_assert_ok(aes256_key_portable(&b, key));
        qk_assert_ok(aes256_blocks(&a, x, n));
        qk_assert_ok(aes256_blocks(&b, y, n));
        cr_assert_eq(memcmp(x, y, sizeof x), 0, "%zu blocks", n);
    }
}

QK_TEST(aes256, the_counter_is_xored_onto_the_start)
{
    struct seeded rng = seeded_new("aes256");
    AES256(a);
    uint8_t key[32], start[16], out[20 * 16], one[16];
    qk_assert_ok(qk_rng_fill(&rng.base, key, 32));
    qk_assert_ok(qk_rng_fill(&rng.base, start, 16));
    qk_assert_ok(aes256_key(&a, key));
    qk_assert_ok(aes256_counter(&a, start, out, 20));
    for (size_t i = 0; i < 20; i++) {
        memcpy(one, start, 16);
        one[0] ^= (uint8_t)i;
        qk_assert_ok(aes256_blocks(&a, one, 1));
        cr_assert_eq(memcmp(out + 16 * i, one, 16), 0, "block %zu", i);
    }
    qk_assert_err(aes256_counter(&a, start, out, 257), QK_E_STATE);
}

/* Row 415 is the last of its sixteen, so its place in the batch counts too. */
static void check_pad(const struct mpc_curve *c, const char *line)
{
    static const uint8_t zero[32];
    uint8_t pm[32], rows[PAD_ROWS * 32], flipped[PAD_ROWS * 32], e[3 * MPC_WIDE_MAX];
    struct ot_dims d = ot_dims_sign(c);
    size_t n = ot_row_len(&d), len = 3u * c->lh;
    kat_bytes("pm", 2, pm, 32);
    memset(rows, 0x5a, sizeof rows);
    kat_bytes("row", 3, rows + 15 * n, n);
    for (size_t i = 0; i < PAD_ROWS * n; i++) flipped[i] = rows[i] ^ 0x77;
    kat_read(ECDSA_KAT, line, e, len);
    PADS(p);
    pad_t got[PAD_ROWS], same[PAD_ROWS];
    uint8_t flip[32];
    memset(flip, 0x77, 32);
    qk_assert_ok(pads_init(&p, c, pm));
    qk_assert_ok(pads_of_rows(&p, 400, rows, zero, got));
    qk_assert_ok(pads_of_rows(&p, 400, flipped, flip, same));
    cr_assert_eq(memcmp(got, same, sizeof got), 0, "flip is xored onto every row");
    for (size_t k = 0; k < 3; k++) {
        struct mpc_scalar want;
        qk_assert_ok(mpc_scalar_reduce(c, &want, qk_bytes(e + k * c->lh, c->lh)));
        cr_assert(mpc_scalar_eq_mask(&got[15][k], &want), "%s, scalar %zu", c->name, k);
    }
    cr_assert(!mpc_scalar_eq_mask(&got[0][0], &got[1][0]), "equal rows have different pads");
}

QK_TEST(pad, known_answers_of_both_widths)
{
    check_pad(mpc_curve_get(MPC_SECP256K1), "pad-128");
    check_pad(mpc_curve_get(MPC_P256), "pad-128");
    check_pad(mpc_curve_get(MPC_P521), "pad-256");
}
