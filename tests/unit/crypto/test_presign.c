/* Presignatures: one use, bound to what they were made for, offset by delta. */
#include "ecdsa_world.h"
#include "seeded.h"
#include <pthread.h>

static const uint16_t ids3[] = {1, 2, 3};

struct presigned {
    struct ew_run r;
    struct mpc_presig *p[EW_MAX];
};

static void presign(
    struct presigned *ps, struct ew_key *k, const uint16_t *ids, size_t n, uint64_t seed)
{
    memset(ps->p, 0, sizeof ps->p);
    ew_session(&ps->r, k, seed, ids, n, false);
    ew_start(&ps->r, seed);
    qkt_run(ps->r.net);
    for (size_t i = 0; i < ps->r.n; i++) {
        struct mpc_party *party = qkt_party(ps->r.net, ps->r.ids[i])->party;
        struct mpc_ecdsa_part part;
        qkt_expect_done(ps->r.net, ps->r.ids[i]);
        qk_assert_err(mpc_ecdsa_take_part(party, &part), QK_E_STATE);
        qk_assert_ok(mpc_ecdsa_take_presig(party, &ps->p[i]));
        struct mpc_presig *again;
        qk_assert_err(mpc_ecdsa_take_presig(party, &again), QK_E_STATE);
    }
    ew_end(&ps->r);
}

static void presig_free_all(struct presigned *ps)
{
    for (size_t i = 0; i < EW_MAX; i++) mpc_presig_free(ps->p[i]);
}

static qk_err use_one(
    struct presigned *ps, size_t i, const uint8_t *req, struct mpc_ecdsa_part *part)
{
    const struct ew_key *k = ps->r.k;
    return mpc_presig_use(ps->p[i], &k->rec, ps->r.ids, ps->r.n,
        qk_bytes(ps->r.digest, mpc_ecdsa_digest_len(k->c->id)), req, part);
}

static void use_and_verify(struct presigned *ps)
{
    uint8_t req[32], sid[32];
    struct mpc_ecdsa_part parts[EW_MAX];
    struct ew_key *k = ps->r.k;
    QK_AUTO_BUF der = QK_BUF(MPC_ECDSA_DER_MAX);
    memset(req, 0x77, sizeof req);
    memcpy(sid, mpc_presig_sid(ps->p[0]), 32);
    for (size_t i = 0; i < ps->r.n; i++) {
        cr_expect(memcmp(mpc_presig_sid(ps->p[i]), sid, 32) == 0);
        qk_assert_ok(use_one(ps, i, req, &parts[i]));
    }
    struct mpc_ecdsa_offset offset = {sid, req};
    qk_assert_ok(ew_combine(&ps->r, parts, &offset, &der));
    qk_assert_ok(mpc_ecdsa_verify(k->c->id, k->rec.pk,
        qk_bytes(ps->r.digest, mpc_ecdsa_digest_len(k->c->id)), qk_buf_view(&der)));
    /* E-19: the parts fit this offset only, and not plain online signing. */
    qk_buf_clear(&der);
    qk_assert_err(ew_combine(&ps->r, parts, NULL, &der), QK_E_PROOF);
    req[0] ^= 1;
    qk_assert_err(ew_combine(&ps->r, parts, &offset, &der), QK_E_PROOF);
    cr_expect_eq(der.len, 0);
}

QK_TEST(presign, E_19_gives_a_signature_on_every_curve)
{
    EACH_CURVE(c)
    {
        for (unsigned n = 2; n <= 3; n++) {
            struct ew_key k;
            struct presigned ps;
            ew_deal(&k, 6000 + 10 * c->id + n, c->id, 3, n, 0, NULL);
            ew_deal_setups(&k);
            presign(&ps, &k, ids3, n, 6000 + 10 * c->id + n);
            use_and_verify(&ps);
            presig_free_all(&ps);
            ew_free(&k);
        }
    }
}

QK_TEST(presign, with_the_delegate)
{
    struct ew_key k;
    struct presigned ps;
    ew_deal(&k, 6100, MPC_SECP256K1, 3, 2, 1, NULL);
    ew_deal_setups(&k);
    presign(&ps, &k, ids3, 2, 6100);
    use_and_verify(&ps);
    presig_free_all(&ps);
    ew_free(&k);
}

/* E-19: r of the signature is x(R + delta*G), delta written out from the document. */
QK_TEST(presign, E_19_delta_is_the_formula)
{
    EACH_CURVE(c)
    {
        struct ew_key k;
        struct presigned ps;
        uint8_t req[32] = {9}, sid[32];
        struct mpc_ecdsa_part parts[EW_MAX];
        struct mpc_scalar delta, r, want, s;
        QK_AUTO_BUF der = QK_BUF(MPC_ECDSA_DER_MAX);
        ew_deal(&k, 6200 + c->id, c->id, 3, 2, 0, NULL);
        ew_deal_setups(&k);
        presign(&ps, &k, ids3, 2, 6200 + c->id);
        memcpy(sid, mpc_presig_sid(ps.p[0]), 32);
        for (size_t i = 0; i < 2; i++) qk_assert_ok(use_one(&ps, i, req, &parts[i]));
        struct mpc_ecdsa_offset offset = {sid, req};
        qk_assert_ok(ew_combine(&ps.r, parts, &offset, &der));
        qk_assert_ok(mpc_ecdsa_der_decode(c, qk_buf_view(&der), &r, &s));
        struct qk_bytes digest = {ps.r.digest, mpc_ecdsa_digest_len(c->id)};
        qk_assert_ok(mpc_h2s(c, &delta, "ecdsa-rerand",
            MPC_FIELDS({sid, 32}, {k.rec.pk, c->pt}, {parts[0].big_r, c->pt}, digest, {req, 32})));
        MPC_POINT(p);
        MPC_POINT(q);
        qk_assert_ok(mpc_point_init(&p, c));
        qk_assert_ok(mpc_point_init(&q, c));
        qk_assert_ok(mpc_point_mul_base(&p, &delta));
        qk_assert_ok(mpc_point_decode_var(&q, qk_bytes(parts[0].big_r, c->pt)));
        qk_assert_ok(mpc_point_add(&p, &p, &q));
        qk_assert_ok(mpc_point_x_mod_q(&want, &p));
        cr_expect(mpc_scalar_eq_mask(&r, &want), "E-19: %s", c->name);
        presig_free_all(&ps);
        ew_free(&k);
    }
}

/* ---- E-17 ---- */

struct racer {
    struct presigned *ps;
    uint8_t req[32];
    pthread_barrier_t *start;
    struct mpc_ecdsa_part part;
    qk_err err;
};

static void *race(void *arg)
{
    struct racer *r = arg;
    pthread_barrier_wait(r->start);
    r->err = use_one(r->ps, 0, r->req, &r->part);
    return NULL;
}

QK_TEST(presign, E_17_two_threads_get_one_answer)
{
    struct ew_key k;
    ew_deal(&k, 6300, MPC_P256, 3, 2, 0, NULL);
    ew_deal_setups(&k);
    for (unsigned n = 0; n < 20; n++) {
        struct presigned ps;
        pthread_barrier_t start;
        pthread_t t[2];
        presign(&ps, &k, ids3, 2, 6300 + n);
        pthread_barrier_init(&start, NULL, 2);
        struct racer r[2] = {
            {.ps = &ps, .req = {1}, .start = &start}, {.ps = &ps, .req = {2}, .start = &start}};
        for (size_t i = 0; i < 2; i++) pthread_create(&t[i], NULL, race, &r[i]);
        for (size_t i = 0; i < 2; i++) pthread_join(t[i], NULL);
        cr_expect((r[0].err == QK_OK) != (r[1].err == QK_OK), "E-17: %d %d", r[0].err, r[1].err);
        cr_expect(r[0].err == QK_E_STATE || r[1].err == QK_E_STATE);
        pthread_barrier_destroy(&start);
        presig_free_all(&ps);
    }
    ew_free(&k);
}

/* E-17: whatever a use ends in, the entry is gone. */
QK_TEST(presign, E_17_a_failed_use_burns)
{
    static const char *const what[] = {"zero digest", "short digest", "burned", "used"};
    struct ew_key k;
    ew_deal(&k, 6400, MPC_P256, 3, 2, 0, NULL);
    ew_deal_setups(&k);
    for (size_t i = 0; i < QK_COUNT(what); i++) {
        struct presigned ps;
        struct mpc_ecdsa_part part;
        uint8_t zero[32] = {0};
        qk_err err = QK_OK;
        presign(&ps, &k, ids3, 2, 6400 + i);
        if (i == 0) err = mpc_presig_use(ps.p[0], &k.rec, ps.r.ids, 2, QK_BYTES(zero), zero, &part);
        if (i == 1)
            err = mpc_presig_use(ps.p[0], &k.rec, ps.r.ids, 2, qk_bytes(zero, 31), zero, &part);
        if (i == 2) mpc_presig_burn(ps.p[0]);
        if (i == 3) err = use_one(&ps, 0, zero, &part);
        cr_expect_eq(err, i == 0 ? QK_E_DENIED : i == 1 ? QK_E_STATE : QK_OK, "%s", what[i]);
        cr_expect_eq(use_one(&ps, 0, zero, &part), QK_E_STATE, "E-17: again after %s", what[i]);
        presig_free_all(&ps);
    }
    ew_free(&k);
}

/* ---- E-18 ---- */

QK_TEST(presign, E_18_bound_to_signers_record_and_epochs)
{
    EACH_CURVE(c)
    {
        struct ew_key k;
        ew_deal(&k, 6500 + c->id, c->id, 3, 2, 0, NULL);
        ew_deal_setups(&k);
        for (unsigned n = 0; n < 5; n++) {
            struct presigned ps;
            struct mpc_ecdsa_part part;
            struct mpc_key_record rec = k.rec;
            uint16_t signers[2] = {1, 2};
            size_t n_signers = 2;
            uint8_t req[32] = {0};
            presign(&ps, &k, ids3, 2, 6500 + 10 * c->id + n);
            if (n == 0) signers[1] = 3; /* another subset */
            if (n == 1) n_signers = 1;
            if (n == 2) rec.e_net++; /* after RESHARE */
            if (n == 3) rec.sid[0] ^= 1;
            if (n == 4) rec.key_id[0] ^= 1;
            qk_err err = mpc_presig_use(ps.p[0], &rec, signers, n_signers,
                qk_bytes(ps.r.digest, mpc_ecdsa_digest_len(c->id)), req, &part);
            cr_expect_eq(err, QK_E_STATE, "E-18: %s case %u", c->name, n);
            presig_free_all(&ps);
        }
        ew_free(&k);
    }
}

/* E-18, E-7: after a poison the pool finds the entries of that setup, and burned they stay. */
QK_TEST(presign, E_18_poisoned_setups_name_their_presignatures)
{
    struct ew_key k;
    struct presigned ps;
    struct mpc_ecdsa_part part;
    uint8_t req[32] = {0};
    ew_deal(&k, 6600, MPC_P256, 3, 2, 0, NULL);
    ew_deal_setups(&k);
    presign(&ps, &k, ids3, 2, 6600);
    cr_expect(mpc_presig_uses_setup(ps.p[0], mpc_ot_setup_id(k.setups[0][1])));
    cr_expect(mpc_presig_uses_setup(ps.p[1], mpc_ot_setup_id(k.setups[0][1])));
    cr_expect(!mpc_presig_uses_setup(ps.p[0], mpc_ot_setup_id(k.setups[0][2])));
    cr_expect(!mpc_presig_uses_setup(ps.p[0], mpc_ot_setup_id(k.setups[1][2])));
    mpc_presig_burn(ps.p[0]);
    qk_assert_err(use_one(&ps, 0, req, &part), QK_E_STATE);
    presig_free_all(&ps);
    ew_free(&k);
}

/* E-15: a presignature whose combination fails is gone on every signer. */
QK_TEST(presign, E_15_a_failed_combination_leaves_nothing_to_retry)
{
    struct ew_key k;
    struct presigned ps;
    struct mpc_ecdsa_part parts[EW_MAX], again;
    struct mpc_scalar one;
    uint8_t req[32] = {3}, sid[32];
    QK_AUTO_BUF der = QK_BUF(MPC_ECDSA_DER_MAX);
    ew_deal(&k, 6700, MPC_P384, 3, 2, 0, NULL);
    ew_deal_setups(&k);
    presign(&ps, &k, ids3, 2, 6700);
    memcpy(sid, mpc_presig_sid(ps.p[0]), 32);
    for (size_t i = 0; i < 2; i++) qk_assert_ok(use_one(&ps, i, req, &parts[i]));
    mpc_scalar_set_u64(&one, 1);
    mpc_scalar_add(k.c, &parts[1].w, &parts[1].w, &one);
    struct mpc_ecdsa_offset offset = {sid, req};
    qk_assert_err(ew_combine(&ps.r, parts, &offset, &der), QK_E_PROOF);
    cr_expect_eq(der.len, 0);
    for (size_t i = 0; i < 2; i++) qk_assert_err(use_one(&ps, i, req, &again), QK_E_STATE);
    presig_free_all(&ps);
    ew_free(&k);
}
