/* Verification and the DER form: Wycheproof, and the edges of E-23. */
#include "mpc/ecdsa.h"
#include "qk/rng.h"
#include "seeded.h"

/* ---- Wycheproof ---- */

struct wycheproof {
    unsigned curve, n, n_valid;
    uint8_t pk[MPC_POINT_MAX];
};

static size_t unhex_word(const char *word, uint8_t *out, size_t max)
{
    if (word[0] == '-') return 0;
    size_t len = strlen(word) / 2;
    cr_assert(len <= max);
    qk_assert_ok(qk_unhex(qk_str(word), out, len));
    return len;
}

static void wycheproof_case(
    struct wycheproof *w, unsigned id, bool valid, const char *h_hex, const char *sig_hex)
{
    uint8_t h[64], sig[512];
    size_t h_len = unhex_word(h_hex, h, sizeof h), sig_len = unhex_word(sig_hex, sig, sizeof sig);
    qk_err err = mpc_ecdsa_verify(w->curve, w->pk, qk_bytes(h, h_len), qk_bytes(sig, sig_len));
    if (valid)
        cr_expect_eq(err, QK_OK, "curve %u case %u: %s", w->curve, id, qk_err_name(err));
    else
        cr_expect(err == QK_E_MALFORMED || err == QK_E_PROOF, "curve %u case %u: %s", w->curve, id,
            qk_err_name(err));
    w->n++;
    w->n_valid += valid;
}

QK_TEST(ecdsa_der, wycheproof)
{
    struct wycheproof w = {0};
    char path[512], line[1600], a[1024], b[1024], result;
    unsigned id;
    snprintf(path, sizeof path, "%s/wycheproof-ecdsa.txt", QK_VECTORS);
    FILE *f = fopen(path, "r");
    cr_assert_not_null(f);
    while (fgets(line, sizeof line, f)) {
        if (sscanf(line, "pk %u %1023s", &w.curve, a) == 2)
            (void)unhex_word(a, w.pk, sizeof w.pk);
        else if (sscanf(line, "%u %c %1023s %1023s", &id, &result, a, b) == 4)
            wycheproof_case(&w, id, result == 'v', a, b);
    }
    fclose(f);
    cr_expect(w.n > 1300 && w.n_valid > 400, "%u cases, %u valid", w.n, w.n_valid);
}

/* ---- E-23: encoding ---- */

static struct mpc_scalar from_hex(const struct mpc_curve *c, const char *hex)
{
    uint8_t enc[MPC_SCALAR_MAX] = {0};
    struct mpc_scalar s;
    size_t len = strlen(hex) / 2;
    qk_assert_ok(qk_unhex(qk_str(hex), enc + c->lq - len, len));
    qk_assert_ok(mpc_scalar_decode(c, &s, qk_bytes(enc, c->lq)));
    return s;
}

static void expect_der(unsigned curve, const char *r, const char *s, const char *want)
{
    const struct mpc_curve *c = mpc_curve_get(curve);
    struct mpc_scalar sr = from_hex(c, r), ss = from_hex(c, s), br, bs;
    char got[2 * MPC_ECDSA_DER_MAX + 1];
    QK_AUTO_BUF der = QK_BUF(MPC_ECDSA_DER_MAX);
    qk_assert_ok(mpc_ecdsa_der_encode(c, &sr, &ss, &der));
    qk_hex(der.p, der.len, got);
    cr_expect_str_eq(got, want, "E-23: %s", got);
    qk_assert_ok(mpc_ecdsa_der_decode(c, qk_buf_view(&der), &br, &bs));
    cr_expect(mpc_scalar_eq_mask(&br, &sr) && mpc_scalar_eq_mask(&bs, &ss));
}

QK_TEST(ecdsa_der, E_23_integers_are_minimal)
{
    expect_der(MPC_P256, "01", "7f", "300602010102017f");
    expect_der(MPC_P256, "80", "0100",
        "3008020200800202"
        "0100");
    expect_der(MPC_P384, "ff", "7fff", "3008020200ff02027fff");
}

QK_TEST(ecdsa_der, E_23_p521_takes_the_long_form)
{
    const struct mpc_curve *c = mpc_curve_get(MPC_P521);
    struct mpc_scalar one, top;
    QK_AUTO_BUF der = QK_BUF(MPC_ECDSA_DER_MAX);
    mpc_scalar_set_u64(&one, 1);
    mpc_scalar_neg(c, &top, &one); /* q - 1: 66 bytes */
    qk_assert_ok(mpc_ecdsa_der_encode(c, &top, &top, &der));
    cr_expect_eq(der.len, 3 + 2 * (2 + 66));
    cr_expect(der.p[0] == 0x30 && der.p[1] == 0x81 && der.p[2] == 136);
}

QK_TEST(ecdsa_der, refuses_zero_and_every_other_encoding_of_a_number_E_23)
{
    static const struct {
        const char *what, *hex;
    } bent[] = {
        {"r = 0", "3006020100020101"},
        {"s = 0", "3006020101020100"},
        {"negative", "300602018102017f"},
        {"a needless zero", "30070202000102017f"},
        {"long form of a short length", "308106020101"
                                        "02017f"},
        {"indefinite length", "3080020101"
                              "02017f"
                              "0000"},
        {"trailing byte inside", "300702010102017f00"},
        {"trailing byte outside", "300602010102017f00"},
        {"cut short", "3006020101"},
        {"empty integer", "3005020002017f"},
        {"not a sequence", "310602010102017f"},
        {"nothing", "30"},
    };
    const struct mpc_curve *c = mpc_curve_get(MPC_P256);
    for (size_t i = 0; i < QK_COUNT(bent); i++) {
        uint8_t der[64];
        struct mpc_scalar r, s;
        size_t len = unhex_word(bent[i].hex, der, sizeof der);
        cr_expect_eq(mpc_ecdsa_der_decode(c, qk_bytes(der, len), &r, &s), QK_E_MALFORMED, "%s",
            bent[i].what);
    }
    struct mpc_scalar zero = {{0}}, one;
    mpc_scalar_set_u64(&one, 1);
    QK_AUTO_BUF out = QK_BUF(MPC_ECDSA_DER_MAX);
    qk_assert_err(mpc_ecdsa_der_encode(c, &zero, &one, &out), QK_E_STATE);
    qk_assert_err(mpc_ecdsa_der_encode(c, &one, &zero, &out), QK_E_STATE);
    cr_expect_eq(out.len, 0);
}
