#include "seeded.h"

#include "mpc/labels.h"
#include "mpc/transcript.h"
#include "proof/nonce.h"

/* Everything a proof is about; verification takes it field by field. */
struct claim {
    const struct mpc_curve *c;
    uint8_t sid[32];
    uint16_t i;
    const char *role;
    struct mpc_scalar x;
    struct mpc_point big_x, p, d, other;
    struct mpc_pok pok;
    struct mpc_dleq dleq;
};

static void claim_init(struct claim *t, const struct mpc_curve *c, struct seeded *rng)
{
    struct mpc_scalar k;
    *t = (struct claim){.c = c, .i = 3, .role = MPC_L_DKG};
    qk_assert_ok(qk_rng_fill(&rng->base, t->sid, 32));
    qk_assert_ok(mpc_point_init(&t->big_x, c));
    qk_assert_ok(mpc_point_init(&t->p, c));
    qk_assert_ok(mpc_point_init(&t->d, c));
    qk_assert_ok(mpc_point_init(&t->other, c));
    qk_assert_ok(mpc_scalar_random_nonzero(c, &t->x, &rng->base));
    qk_assert_ok(mpc_point_mul_base(&t->big_x, &t->x));
    qk_assert_ok(mpc_scalar_random_nonzero(c, &k, &rng->base));
    qk_assert_ok(mpc_point_mul_base(&t->p, &k));
    qk_assert_ok(mpc_point_mul(&t->d, &t->x, &t->p));
    qk_assert_ok(mpc_scalar_random_nonzero(c, &k, &rng->base));
    qk_assert_ok(mpc_point_mul_base(&t->other, &k));
    qk_assert_ok(mpc_pok_prove(&t->pok, c, t->sid, t->i, t->role, &t->x, &t->big_x, &rng->base));
    qk_assert_ok(mpc_dleq_prove(
        &t->dleq, c, t->sid, t->i, t->role, &t->x, &t->big_x, &t->p, &t->d, &rng->base));
}

static void claim_clear(struct claim *t)
{
    mpc_point_clear(&t->big_x);
    mpc_point_clear(&t->p);
    mpc_point_clear(&t->d);
    mpc_point_clear(&t->other);
}

static qk_err pok(const struct claim *t)
{
    return mpc_pok_verify(t->c, t->sid, t->i, t->role, &t->big_x, qk_bytes(t->pok.a, t->c->pt),
        qk_bytes(t->pok.z, t->c->lq));
}

static qk_err dleq(const struct claim *t)
{
    return mpc_dleq_verify(t->c, t->sid, t->i, t->role, &t->big_x, &t->p, &t->d,
        qk_bytes(t->dleq.a1, t->c->pt), qk_bytes(t->dleq.a2, t->c->pt),
        qk_bytes(t->dleq.z, t->c->lq));
}

static void bend_sid(struct claim *t)
{
    t->sid[31] ^= 1;
}
static void bend_id(struct claim *t)
{
    t->i++;
}
static void bend_role(struct claim *t)
{
    t->role = MPC_L_DKG_DEL;
}
static void bend_x(struct claim *t)
{
    qk_assert_ok(mpc_point_copy(&t->big_x, &t->other));
}
static void bend_p(struct claim *t)
{
    qk_assert_ok(mpc_point_copy(&t->p, &t->other));
}
static void bend_d(struct claim *t)
{
    qk_assert_ok(mpc_point_copy(&t->d, &t->other));
}
static void bend_a(struct claim *t)
{
    qk_assert_ok(mpc_point_encode(t->pok.a, &t->other));
    qk_assert_ok(mpc_point_encode(t->dleq.a1, &t->other));
}
static void bend_a2(struct claim *t)
{
    qk_assert_ok(mpc_point_encode(t->dleq.a2, &t->other));
}
/* -A has the same x and another y. */
static void bend_a_sign(struct claim *t)
{
    t->pok.a[0] ^= 1;
    t->dleq.a1[0] ^= 1;
}
static void bend_z(struct claim *t)
{
    t->pok.z[t->c->lq - 1] ^= 1;
    t->dleq.z[t->c->lq - 1] ^= 1;
}
static void infinite_x(struct claim *t)
{
    mpc_point_set_infinity(&t->big_x);
}
static void infinite_p_and_d(struct claim *t)
{
    mpc_point_set_infinity(&t->p);
    mpc_point_set_infinity(&t->d);
}

/* C-4: a proof fails after changing any single hashed field. */
QK_TEST(proof, C_4_every_changed_field_breaks_the_proof)
{
    static const struct {
        const char *what;
        void (*bend)(struct claim *);
        qk_err pok, dleq;
    } bent[] = {
        {"sid", bend_sid, QK_E_PROOF, QK_E_PROOF},
        {"prover id", bend_id, QK_E_PROOF, QK_E_PROOF},
        {"role", bend_role, QK_E_PROOF, QK_E_PROOF},
        {"X", bend_x, QK_E_PROOF, QK_E_PROOF},
        {"P", bend_p, QK_OK, QK_E_PROOF},
        {"D", bend_d, QK_OK, QK_E_PROOF},
        {"A, A1", bend_a, QK_E_PROOF, QK_E_PROOF},
        {"A2", bend_a2, QK_OK, QK_E_PROOF},
        {"sign of A", bend_a_sign, QK_E_PROOF, QK_E_PROOF},
        {"z", bend_z, QK_E_PROOF, QK_E_PROOF},
        {"X = O", infinite_x, QK_E_PROOF, QK_E_PROOF},
        {"P = D = O", infinite_p_and_d, QK_OK, QK_E_PROOF},
    };
    struct seeded rng = seeded_new("C_4_every_changed_field_breaks_the_proof");
    EACH_CURVE(c)
    {
        for (size_t i = 0; i < QK_COUNT(bent); i++) {
            struct claim t;
            claim_init(&t, c, &rng);
            qk_assert_ok(pok(&t));
            qk_assert_ok(dleq(&t));
            bent[i].bend(&t);
            cr_expect_eq(pok(&t), bent[i].pok, "PoK, %s, %s", c->name, bent[i].what);
            cr_expect_eq(dleq(&t), bent[i].dleq, "DLEQ, %s, %s", c->name, bent[i].what);
            claim_clear(&t);
        }
    }
}

/* C-4, the curve: the hash inputs of one proof with another curve id give another challenge. The
 * numbers of the two curves do not mix, so this compares challenges rather than proofs. */
QK_TEST(proof, C_4_the_curve_id_is_hashed)
{
    struct seeded rng = seeded_new("C_4_the_curve_id_is_hashed");
    const struct mpc_curve *c = mpc_curve_get(MPC_P256);
    struct claim t;
    claim_init(&t, c, &rng);
    struct proof_ctx ctx = {c, t.sid, t.i, t.role};
    struct mpc_pok a, b;
    struct mpc_scalar k;
    qk_assert_ok(mpc_scalar_random_nonzero(c, &k, &rng.base));
    qk_assert_ok(proof_pok_with(&a, &ctx, &t.x, &t.big_x, &k));
    /* The same proof by hand, once with the right id and once with another. */
    for (unsigned id = MPC_SECP256K1; id <= MPC_P256; id++) {
        struct mpc_scalar e, z;
        uint8_t enc_x[MPC_POINT_MAX], i16[2], curve_id = (uint8_t)id;
        qk_put_u16(i16, t.i);
        qk_assert_ok(mpc_point_encode(enc_x, &t.big_x));
        qk_assert_ok(mpc_h2s(c, &e, MPC_L_POK,
            MPC_FIELDS(QK_BYTES(t.sid), {&curve_id, 1}, QK_BYTES(i16), qk_str(t.role), {enc_x, 33},
                {a.a, 33})));
        mpc_scalar_mul(c, &z, &e, &t.x);
        mpc_scalar_add(c, &z, &z, &k);
        mpc_scalar_encode(c, b.z, &z);
        cr_assert_eq(memcmp(a.z, b.z, 32) == 0, id == MPC_P256);
        qk_err err =
            mpc_pok_verify(c, t.sid, t.i, t.role, &t.big_x, qk_bytes(a.a, 33), qk_bytes(b.z, 32));
        cr_assert_eq(err, id == MPC_P256 ? QK_OK : QK_E_PROOF);
    }
    claim_clear(&t);
}

/* The same for DLEQ, the whole proof made by hand from nonce k. */
static qk_err handmade_dleq(
    const struct claim *t, unsigned curve_id, const struct mpc_scalar *k, struct mpc_point *tmp)
{
    const struct mpc_curve *c = t->c;
    struct mpc_scalar e, z;
    uint8_t enc[5][MPC_POINT_MAX], i16[2], id8 = (uint8_t)curve_id, enc_z[MPC_SCALAR_MAX];
    qk_assert_ok(mpc_point_encode(enc[0], &t->big_x));
    qk_assert_ok(mpc_point_encode(enc[1], &t->p));
    qk_assert_ok(mpc_point_encode(enc[2], &t->d));
    qk_assert_ok(mpc_point_mul_base(tmp, k));
    qk_assert_ok(mpc_point_encode(enc[3], tmp));
    qk_assert_ok(mpc_point_mul(tmp, k, &t->p));
    qk_assert_ok(mpc_point_encode(enc[4], tmp));
    qk_put_u16(i16, t->i);
    qk_assert_ok(mpc_h2s(c, &e, MPC_L_DLEQ,
        MPC_FIELDS(QK_BYTES(t->sid), {&id8, 1}, QK_BYTES(i16), qk_str(t->role), {enc[0], c->pt},
            {enc[1], c->pt}, {enc[2], c->pt}, {enc[3], c->pt}, {enc[4], c->pt})));
    mpc_scalar_mul(c, &z, &e, &t->x);
    mpc_scalar_add(c, &z, &z, k);
    mpc_scalar_encode(c, enc_z, &z);
    return mpc_dleq_verify(c, t->sid, t->i, t->role, &t->big_x, &t->p, &t->d,
        qk_bytes(enc[3], c->pt), qk_bytes(enc[4], c->pt), qk_bytes(enc_z, c->lq));
}

QK_TEST(proof, C_4_the_curve_id_is_hashed_in_dleq)
{
    struct seeded rng = seeded_new("C_4_the_curve_id_is_hashed_in_dleq");
    EACH_CURVE(c)
    {
        struct claim t;
        struct mpc_scalar k;
        MPC_POINT(tmp);
        claim_init(&t, c, &rng);
        qk_assert_ok(mpc_point_init(&tmp, c));
        qk_assert_ok(mpc_scalar_random_nonzero(c, &k, &rng.base));
        for (unsigned id = MPC_SECP256K1; id <= MPC_P521; id++)
            qk_assert_err(handmade_dleq(&t, id, &k, &tmp), id == c->id ? QK_OK : QK_E_PROOF);
        claim_clear(&t);
    }
}

/* C-2 and C-3 inside proofs. */
QK_TEST(proof, C_2_and_C_3_malformed_parts_are_rejected)
{
    struct seeded rng = seeded_new("malformed_parts_are_rejected");
    EACH_CURVE(c)
    {
        struct claim t;
        claim_init(&t, c, &rng);
        uint8_t ones[MPC_POINT_MAX], zeros[MPC_POINT_MAX] = {0};
        memset(ones, 0xff, sizeof ones);
        struct qk_bytes a = {t.pok.a, c->pt}, z = {t.pok.z, c->lq};
        struct qk_bytes a1 = {t.dleq.a1, c->pt}, a2 = {t.dleq.a2, c->pt};
        struct qk_bytes dz = {t.dleq.z, c->lq};
        const struct qk_bytes bad_points[] = {
            {zeros, c->pt}, {zeros, 1}, {a.p, c->pt - 1u}, {NULL, 0}};
        const struct qk_bytes bad_scalars[] = {{ones, c->lq}, {z.p, c->lq - 1u}, {NULL, 0}};
#define POK(pa, pz) mpc_pok_verify(c, t.sid, t.i, t.role, &t.big_x, pa, pz)
#define DLEQ(pa1, pa2, pz)                                                                         \
    mpc_dleq_verify(c, t.sid, t.i, t.role, &t.big_x, &t.p, &t.d, pa1, pa2, pz)
        for (size_t i = 0; i < QK_COUNT(bad_points); i++) {
            qk_assert_err(POK(bad_points[i], z), QK_E_MALFORMED);
            qk_assert_err(DLEQ(bad_points[i], a2, dz), QK_E_MALFORMED);
            qk_assert_err(DLEQ(a1, bad_points[i], dz), QK_E_MALFORMED);
        }
        for (size_t i = 0; i < QK_COUNT(bad_scalars); i++) {
            qk_assert_err(POK(a, bad_scalars[i]), QK_E_MALFORMED);
            qk_assert_err(DLEQ(a1, a2, bad_scalars[i]), QK_E_MALFORMED);
        }
#undef POK
#undef DLEQ
        claim_clear(&t);
    }
}

/* Both equations of DLEQ count: D = x'P with the right X, and the right D with another X. */
QK_TEST(proof, a_dleq_for_two_different_logarithms_cannot_be_made)
{
    struct seeded rng = seeded_new("a_dleq_for_two_different_logarithms_cannot_be_made");
    EACH_CURVE(c)
    {
        struct claim t;
        claim_init(&t, c, &rng);
        /* An honest prover run on a false statement hashes it and still fails one equation. */
        qk_assert_ok(mpc_dleq_prove(
            &t.dleq, c, t.sid, t.i, t.role, &t.x, &t.big_x, &t.p, &t.other, &rng.base));
        bend_d(&t);
        qk_assert_err(dleq(&t), QK_E_PROOF);
        claim_clear(&t);
        claim_init(&t, c, &rng);
        qk_assert_ok(
            mpc_dleq_prove(&t.dleq, c, t.sid, t.i, t.role, &t.x, &t.other, &t.p, &t.d, &rng.base));
        bend_x(&t);
        qk_assert_err(dleq(&t), QK_E_PROOF);
        claim_clear(&t);
    }
}

QK_TEST(proof, known_answer_of_a_proof_of_knowledge)
{
    const struct mpc_curve *c = mpc_curve_get(MPC_P256);
    struct mpc_scalar x, k;
    struct mpc_pok proof;
    uint8_t sid[32];
    MPC_POINT(big_x);
    kat_read("kat-common.txt", "sid", sid, 32);
    qk_assert_ok(mpc_h2s(c, &x, "kat-s", MPC_FIELDS(qk_str("x"))));
    qk_assert_ok(mpc_h2s(c, &k, "kat-s", MPC_FIELDS(qk_str("k"))));
    qk_assert_ok(mpc_point_init(&big_x, c));
    qk_assert_ok(mpc_point_mul_base(&big_x, &x));
    struct proof_ctx ctx = {c, sid, 1, "dkg"};
    qk_assert_ok(proof_pok_with(&proof, &ctx, &x, &big_x, &k));
    kat_assert("kat-common.txt", "PoK P-256 z", proof.z, 32);
    qk_assert_ok(
        mpc_pok_verify(c, sid, 1, "dkg", &big_x, qk_bytes(proof.a, 33), qk_bytes(proof.z, 32)));
}

static qk_err stuck_fill(struct qk_rng *rng, uint8_t *out, size_t len)
{
    (void)rng;
    memset(out, 0x5a, len);
    return QK_OK;
}

static qk_err dead_fill(struct qk_rng *rng, uint8_t *out, size_t len)
{
    (void)rng;
    memset(out, 0, len);
    return QK_E_RNG;
}

/* Section 9: a generator that repeats itself does not repeat a nonce across contexts or secrets. */
QK_TEST(proof, nonces_are_hedged_against_a_stuck_generator)
{
    const struct mpc_curve *c = mpc_curve_get(MPC_P384);
    struct qk_rng stuck = {stuck_fill}, dead = {dead_fill};
    uint8_t sid[2][32] = {{1}, {2}};
    struct mpc_scalar x[2], k[6];
    mpc_scalar_set_u64(&x[0], 5);
    mpc_scalar_set_u64(&x[1], 6);
    struct proof_ctx ctx[5] = {
        {c, sid[0], 1, "dkg"}, {c, sid[1], 1, "dkg"}, {c, sid[0], 2, "dkg"}, {c, sid[0], 1, "sym"}};
    for (int i = 0; i < 4; i++) qk_assert_ok(proof_nonce(&ctx[i], &k[i], &x[0], &stuck));
    qk_assert_ok(proof_nonce(&ctx[0], &k[4], &x[1], &stuck));
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < i; j++) cr_expect_eq(mpc_scalar_eq_mask(&k[i], &k[j]), 0);
    qk_assert_ok(proof_nonce(&ctx[0], &k[5], &x[0], qk_rng_system()));
    cr_expect_eq(mpc_scalar_eq_mask(&k[0], &k[5]), 0, "the generator is mixed in");
    qk_assert_err(proof_nonce(&ctx[0], &k[5], &x[0], &dead), QK_E_RNG);
}

/* C-11: an opening is checked against the stored commitment. */
QK_TEST(commitment, C_11_every_wrong_opening_is_rejected)
{
    uint8_t sid[32] = {1}, sid2[32] = {2}, rho[32] = {3}, rho2[32] = {3, 1}, com[64];
    uint8_t theirs[64];
    struct qk_bytes m = qk_str("message"), m2 = qk_str("messagf");
    qk_assert_ok(mpc_commit(com, sid, 1, "dkg", m, rho));
    qk_assert_ok(mpc_commit_verify(com, sid, 1, "dkg", m, rho));
    qk_assert_err(mpc_commit_verify(com, sid, 1, "dkg", m, rho2), QK_E_PROOF);
    qk_assert_err(mpc_commit_verify(com, sid, 1, "dkg", m2, rho), QK_E_PROOF);
    qk_assert_err(mpc_commit_verify(com, sid, 1, "dkg", qk_str(""), rho), QK_E_PROOF);
    qk_assert_err(mpc_commit_verify(com, sid, 1, "dkg-del", m, rho), QK_E_PROOF);
    qk_assert_err(mpc_commit_verify(com, sid2, 1, "dkg", m, rho), QK_E_PROOF);
    qk_assert_err(mpc_commit_verify(com, sid, 2, "dkg", m, rho), QK_E_PROOF);
    /* Party 2 copies party 1's commitment and later its opening. */
    memcpy(theirs, com, 64);
    qk_assert_err(mpc_commit_verify(theirs, sid, 2, "dkg", m, rho), QK_E_PROOF);
    for (size_t i = 0; i < 64; i++) {
        com[i] ^= 0x80;
        qk_assert_err(mpc_commit_verify(com, sid, 1, "dkg", m, rho), QK_E_PROOF);
        com[i] ^= 0x80;
    }
}
