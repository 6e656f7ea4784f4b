/* Published deterministic ECDSA vectors through the whole protocol: the result depends only on x,
 * k = sum r_i and the digest (document 20 section 11). */
#include "ecdsa_world.h"
#include "seeded.h"

/* Gives one scalar of our choice as the second draw (the first is the session nonce). */
struct forced {
    struct qk_rng rng;
    struct qkt_rng *rest;
    const uint8_t *wide; /* lh bytes */
    size_t len;
    unsigned draws;
};

static qk_err forced_fill(struct qk_rng *rng, uint8_t *out, size_t len)
{
    struct forced *f = (struct forced *)(void *)rng;
    if (f->draws++ != 1) return qk_rng_fill(&f->rest->rng, out, len);
    cr_assert_eq(len, f->len, "the nonce r is not the second draw");
    memcpy(out, f->wide, len);
    return QK_OK;
}

static void read_scalar(
    const struct mpc_curve *c, const char *msg, const char *what, struct mpc_scalar *s)
{
    char name[64];
    uint8_t enc[MPC_SCALAR_MAX];
    snprintf(name, sizeof name, "%s%s%s-%s", c->name, *msg ? "-" : "", msg, what);
    kat_read("rfc6979.txt", name, enc, c->lq);
    qk_assert_ok(mpc_scalar_decode(c, s, qk_bytes(enc, c->lq)));
}

/* r_1 is random, r_2 = k - r_1; wide[i] takes lh bytes. */
static void split_nonce(
    struct ew_key *key, const struct mpc_scalar *k, uint8_t wide[2][MPC_WIDE_MAX])
{
    struct mpc_scalar r[2];
    ew_scalar(key, &r[0]);
    mpc_scalar_sub(key->c, &r[1], k, &r[0]);
    memset(wide, 0, 2 * MPC_WIDE_MAX);
    for (size_t i = 0; i < 2; i++)
        mpc_scalar_encode(key->c, wide[i] + key->c->lh - key->c->lq, &r[i]);
}

static void one_vector(struct ew_key *key, const char *msg, uint64_t seed)
{
    static const uint16_t ids[] = {1, 3};
    struct ew_run r;
    struct forced force[2];
    struct mpc_scalar k, want_r, want_s, got_r, got_s;
    struct mpc_ecdsa_part parts[EW_MAX];
    uint8_t wide[2][MPC_WIDE_MAX];
    char name[64];
    read_scalar(key->c, msg, "k", &k);
    read_scalar(key->c, msg, "r", &want_r);
    read_scalar(key->c, msg, "s", &want_s);
    split_nonce(key, &k, wide);
    ew_session(&r, key, seed, ids, 2, true);
    snprintf(name, sizeof name, "%s-%s-h", key->c->name, msg);
    kat_read("rfc6979.txt", name, r.digest, r.digest_len);
    for (size_t i = 0; i < 2; i++) {
        force[i] = (struct forced){{forced_fill}, &r.rngs[i], wide[i], key->c->lh, 0};
        r.force[i] = &force[i].rng;
    }
    ew_start(&r, seed);
    qkt_run(r.net);
    ew_parts(&r, parts);
    QK_AUTO_BUF der = QK_BUF(MPC_ECDSA_DER_MAX);
    qk_assert_ok(ew_combine(&r, parts, NULL, &der));
    qk_assert_ok(mpc_ecdsa_der_decode(key->c, qk_buf_view(&der), &got_r, &got_s));
    cr_expect(mpc_scalar_eq_mask(&got_r, &want_r), "%s \"%s\": r", key->c->name, msg);
    cr_expect(mpc_scalar_eq_mask(&got_s, &want_s), "%s \"%s\": s", key->c->name, msg);
    ew_end(&r);
}

QK_TEST(ecdsa_vectors, rfc6979_through_the_whole_protocol)
{
    static const unsigned curves[] = {MPC_P256, MPC_P384, MPC_P521};
    for (size_t i = 0; i < QK_COUNT(curves); i++) {
        struct ew_key key;
        struct mpc_scalar x;
        read_scalar(mpc_curve_get(curves[i]), "", "x", &x);
        ew_deal(&key, 70 + i, curves[i], 3, 2, 0, &x);
        ew_deal_setups(&key);
        one_vector(&key, "sample", 700 + i);
        one_vector(&key, "test", 710 + i);
        ew_free(&key);
    }
}

QK_TEST(ecdsa_vectors, zero_share_known_answer)
{
    const struct mpc_curve *c = mpc_curve_get(MPC_P256);
    uint8_t sid[32], k[32], got[32];
    struct mpc_scalar z = {{0}};
    qk_assert_ok(
        qk_unhex(qk_str("39ce99d2da7801ca768291a8f3d04619e82a2051343f160184ad2792b5096e96"), sid,
            32)); /* the sid of document 00 section 13 */
    memset(k, 0x55, sizeof k);
    qk_assert_ok(ot_zero_share(c, sid, 1, 3, k, &z));
    mpc_scalar_encode(c, got, &z);
    kat_assert("kat-ecdsa.txt", "zero-P-256", got, 32);
    qk_assert_ok(ot_zero_share(c, sid, 3, 1, k, &z)); /* the other end takes it away again */
    cr_expect(mpc_scalar_zero_mask(&z));
}
