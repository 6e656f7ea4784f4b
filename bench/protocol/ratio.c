#include "protocol/ratio.h"

#include <stdarg.h>
#include <stdio.h>
#include "mpc/group.h"
#include "protocol/names.h"

struct list {
    struct bench_table *t;
    struct bench_ratio *out;
    size_t n;
};

static const char issue[] = "service targets";

/* Milliseconds of one party; 0 if it was not measured. */
static double ms(struct list *l, const char *what, const char *curve)
{
    struct bench_row *r = bench_table_find(l->t, what, curve);
    return r ? bench_samples_median(&r->cpu_us) / 1e3 : 0;
}

static double all_ms(struct list *l, const char *what, const char *curve)
{
    struct bench_row *r = bench_table_find(l->t, what, curve);
    return r ? bench_samples_median(&r->all_us) / 1e3 : 0;
}

__attribute__((format(printf, 6, 7))) static void put(struct list *l, double value,
    const char *unit, double target, const char *source, const char *fmt, ...)
{
    va_list args;
    if (value <= 0 || l->n == BENCH_RATIOS_MAX) return;
    struct bench_ratio *r = &l->out[l->n++];
    *r = (struct bench_ratio){.value = value, .unit = unit, .target = target, .source = source};
    va_start(args, fmt);
    vsnprintf(r->what, sizeof r->what, fmt, args);
    va_end(args);
}

/* Quotient, or 0 when either side is missing. */
static double over(double a, double b)
{
    return b > 0 ? a / b : 0;
}

/* Targets per curve: id of the curve, of document 20 section 9 and of document 10 section 6. */
static const struct {
    uint8_t curve;
    double sign_ms, dkg_ms;
    double times_p256; /* of the figures to reach */
} targets[] = {
    {MPC_P256, 5, 3, 0},
    {MPC_SECP256K1, 8, 15, 1.2},
    {MPC_P384, 14, 30, 6},
    {MPC_P521, 12, 15, 6},
};

static void put_sign(struct list *l, size_t i, const char *name)
{
    double sign = ms(l, ROW_SIGN, name), p256 = ms(l, ROW_SIGN, "P-256");
    struct bench_row *row = bench_table_find(l->t, ROW_SIGN, name);
    put(l, sign, "ms", targets[i].sign_ms, "20-ecdsa section 9", "%s full sign, one signer", name);
    if (targets[i].curve == MPC_P256)
        put(l, sign, "ms", 2, issue, "%s full sign, one signer, tighter target", name);
    put(l, over(sign, ms(l, ROW_OSSL_SIGN, name)), "x", targets[i].curve == MPC_P256 ? 100 : 0,
        issue, "%s full sign / OpenSSL sign", name);
    if (targets[i].curve == MPC_SECP256K1)
        put(l, over(sign, ms(l, ROW_K1_SIGN, name)), "x", 0, issue,
            "%s full sign / libsecp256k1 sign", name);
    if (targets[i].times_p256 > 0)
        put(l, over(sign, p256), "x", targets[i].times_p256, issue, "%s full sign / our P-256",
            name);
    if (row && row->parties == 2)
        put(l, (double)(row->sent + row->received) / 1e3, "KB",
            targets[i].curve == MPC_P256 || targets[i].curve == MPC_SECP256K1 ? 135 : 0, issue,
            "%s full sign, bytes both directions", name);
}

static void put_online(struct list *l, uint8_t curve, const char *name)
{
    double online = ms(l, ROW_USE, name) + ms(l, ROW_COMBINE, name);
    put(l, online, "ms", 0, issue, "%s online CPU: one node and the combiner", name);
    put(l, ms(l, ROW_ONLINE, name), "ms", curve == MPC_P256 ? 0.3 : 0, issue,
        "%s online, loopback, p50 elapsed", name);
}

/* A key is created with one DKG and, for every pair of the three nodes, a setup under a root. */
static void put_creation(struct list *l, size_t i, const char *name)
{
    double dkg = all_ms(l, ROW_DKG, name), derived = all_ms(l, ROW_DERIVED, name);
    put(l, ms(l, ROW_DKG, name), "ms", targets[i].dkg_ms, "10-dkg section 6", "%s DKG, one node",
        name);
    put(l, ms(l, ROW_DERIVED, name), "ms", 5, "20-ecdsa section 9",
        "%s derived setup, one node, one pair", name);
    if (dkg > 0 && derived > 0)
        put(l, dkg + 3 * derived, "ms", 150, issue, "%s DKG + 3 derived setups, all three nodes",
            name);
}

/* The targets are items a second and core: 300 000 in mode F, 6 000 and 10 000 in mode V. */
static void put_eval(struct list *l)
{
    static const char source[] = "50-symmetric section 11";
    put(l, 1e3 * ms(l, ROW_EVAL_ENC, BENCH_MODE_F), "us", 1e6 / 300000, source,
        "EVAL at a node, mode F ENC, an item");
    put(l, 1e3 * ms(l, ROW_EVAL_DEC, BENCH_MODE_F), "us", 1e6 / 300000, source,
        "EVAL at a node, mode F DEC, an item");
    put(l, 1e3 * ms(l, ROW_EVAL_ENC, BENCH_MODE_V), "us", 1e6 / 6000, source,
        "EVAL at a node, mode V ENC, an item");
    put(l, 1e3 * ms(l, ROW_EVAL_DEC, BENCH_MODE_V), "us", 1e6 / 10000, source,
        "EVAL at a node, mode V DEC, an item");
}

/* Targets: document 60 section 9, what its own prototype took; the issue's for ANDs: 40 M and 47 M
 * in a second. */
static void put_mac(struct list *l)
{
    static const char source[] = "60-hmac section 9";
    put(l, ms(l, ROW_GARBLE, BENCH_HMAC_256_S), "ms", 25, issue, "a million ANDs garbled");
    put(l, ms(l, ROW_EVALUATE, BENCH_HMAC_256_S), "ms", 1e3 / 47, issue,
        "a million ANDs evaluated, GMAC included");
    put(l, ms(l, ROW_MAC_G1, BENCH_HMAC_256), "ms", 0.54, source, "HMAC_256, G1");
    put(l, ms(l, ROW_MAC_G2, BENCH_HMAC_256), "ms", 0.63, source, "HMAC_256, G2");
    put(l, ms(l, ROW_MAC_E, BENCH_HMAC_256), "ms", 0.58, source, "HMAC_256, E");
    put(l, ms(l, ROW_MAC_G1, BENCH_HMAC_512), "ms", 1.40, source, "HMAC_512, G1");
    put(l, ms(l, ROW_MAC_G2, BENCH_HMAC_512), "ms", 1.57, source, "HMAC_512, G2");
    put(l, ms(l, ROW_MAC_E, BENCH_HMAC_512), "ms", 1.45, source, "HMAC_512, E");
}

size_t bench_ratios(struct bench_table *t, struct bench_ratio *out)
{
    struct list l = {.t = t, .out = out};
    for (size_t i = 0; i < QK_COUNT(targets); i++)
        put_sign(&l, i, mpc_curve_get(targets[i].curve)->name);
    for (size_t i = 0; i < QK_COUNT(targets); i++)
        put_online(&l, targets[i].curve, mpc_curve_get(targets[i].curve)->name);
    for (size_t i = 0; i < QK_COUNT(targets); i++)
        put_creation(&l, i, mpc_curve_get(targets[i].curve)->name);
    put_eval(&l);
    put_mac(&l);
    return l.n;
}
