/* What signing refuses: sums that do not fit, wrong signers, wrong digests, bad parts. */
#include "ecdsa_cheat.h"
#include "ecdsa_world.h"
#include "seeded.h"

static const uint16_t ids3[] = {1, 2, 3};

static void add_one(const struct mpc_curve *c, struct mpc_scalar *s)
{
    struct mpc_scalar one;
    mpc_scalar_set_u64(&one, 1);
    mpc_scalar_add(c, s, s, &one);
}

/* ---- E-13: G3 and G4 ---- */

enum sum_fault { WRONG_COEFFICIENT, WRONG_SHARE, WRONG_ZETA };

static void break_sum(struct ew_key *k, size_t cheater, enum sum_fault fault)
{
    size_t peer = cheater == 0 ? 1 : 0;
    if (fault == WRONG_SHARE) add_one(k->c, &k->x[cheater]);
    if (fault == WRONG_COEFFICIENT)
        mpc_scalar_add(k->c, &k->x[cheater], &k->x[cheater], &k->x[cheater]);
    if (fault == WRONG_ZETA) k->setups[cheater][peer]->k[9] ^= 1; /* as for another sid */
}

/* E-13: P_i is consistent with the products, so only the sum shows it. */
static void wrong_sum(unsigned curve, size_t n, size_t cheater, enum sum_fault fault, uint64_t seed)
{
    struct ew_key k;
    struct ew_run r;
    ew_deal(&k, seed, curve, 3, (unsigned)n, 0, NULL);
    ew_deal_setups(&k);
    break_sum(&k, cheater, fault);
    ew_session(&r, &k, seed, ids3, n, true);
    ew_start(&r, seed);
    qkt_run(r.net);
    for (size_t i = 0; i < n; i++) {
        uint16_t peer = n == 2 ? (uint16_t)(2 - i) : 0; /* with two, the other one; else nobody */
        struct mpc_blame b = mpc_party_blame(qkt_party(r.net, ids3[i])->party);
        if (strcmp(b.check, "peer aborted") == 0) continue; /* the other one saw it first */
        qkt_expect_blame(r.net, ids3[i], n == 2 ? 'P' : 'N', peer, "E-13");
    }
    cr_expect_eq(qkt_party(r.net, 1)->n_poisons + qkt_party(r.net, 2)->n_poisons, 0);
    ew_expect_no_output(&r);
    ew_end(&r);
    ew_free(&k);
}

QK_TEST(ecdsa_refuse, E_13_shares_must_add_up_to_the_key)
{
    EACH_CURVE(c)
    {
        for (int fault = WRONG_COEFFICIENT; fault <= WRONG_ZETA; fault++) {
            size_t cheater = (size_t)fault % 2;
            wrong_sum(
                c->id, 2, cheater, (enum sum_fault)fault, 4000 + 10 * c->id + (unsigned)fault);
            wrong_sum(
                c->id, 3, cheater, (enum sum_fault)fault, 4100 + 10 * c->id + (unsigned)fault);
        }
    }
}

struct forced {
    struct qk_rng rng;
    struct qkt_rng *rest;
    uint8_t wide[MPC_WIDE_MAX];
    unsigned draws;
};

static qk_err forced_fill(struct qk_rng *rng, uint8_t *out, size_t len)
{
    struct forced *f = (struct forced *)(void *)rng;
    if (f->draws++ != 1) return qk_rng_fill(&f->rest->rng, out, len);
    memcpy(out, f->wide, len);
    return QK_OK;
}

/* E-13, G4: R_2 = -R_1, which a cheater could only reach by breaking the commitment. */
QK_TEST(ecdsa_refuse, E_13_a_sum_of_nonces_that_is_O)
{
    EACH_CURVE(c)
    {
        struct ew_key k;
        struct ew_run r;
        struct forced f[2];
        struct mpc_scalar nonce[2];
        ew_deal(&k, 4200 + c->id, c->id, 3, 2, 0, NULL);
        ew_deal_setups(&k);
        ew_session(&r, &k, 4200, ids3, 2, true);
        ew_scalar(&k, &nonce[0]);
        mpc_scalar_neg(c, &nonce[1], &nonce[0]);
        for (size_t i = 0; i < 2; i++) {
            f[i] = (struct forced){.rng = {forced_fill}, .rest = &r.rngs[i]};
            mpc_scalar_encode(c, f[i].wide + c->lh - c->lq, &nonce[i]);
            r.force[i] = &f[i].rng;
        }
        ew_start(&r, 4200);
        qkt_run(r.net);
        for (size_t i = 0; i < 2; i++) {
            struct mpc_blame b = mpc_party_blame(qkt_party(r.net, ids3[i])->party);
            if (strcmp(b.check, "peer aborted") == 0) continue;
            qkt_expect_blame(r.net, ids3[i], 'P', (uint16_t)(2 - i), "E-13");
        }
        ew_expect_no_output(&r);
        ew_end(&r);
        ew_free(&k);
    }
}

/* ---- E-14 ---- */

static void expect_start_refused(struct ew_run *r, const char *what)
{
    struct mpc_party *party;
    qk_err err = ew_start_one(r, 0, &party);
    cr_expect_eq(err, QK_E_STATE, "E-14: %s: %s", what, qk_err_name(err));
    if (err == QK_OK) mpc_party_free(party);
}

/* Bind a setup to what this session says, so that only the check of the session itself is left. */
static void rebind(struct mpc_ot_setup *setup, const struct mpc_session *s, size_t peer_ix)
{
    struct mpc_ot_binding *b = &setup->bind;
    b->curve = s->curve;
    b->e_net = s->e_net;
    b->e_del = s->e_del;
    memcpy(b->key_id, s->key_id, sizeof b->key_id);
    memcpy(b->rec, s->rec, sizeof b->rec);
    b->peer = s->peers[peer_ix];
}

static void expect_refused(struct ew_run *r, const char *what)
{
    struct mpc_ot_binding keep[EW_MAX];
    for (size_t j = 1; j < r->n; j++) {
        struct mpc_ot_setup *setup = r->k->setups[0][ew_index(r->k, r->ids[j])];
        keep[j] = setup->bind;
        rebind(setup, &r->s, j);
    }
    expect_start_refused(r, what);
    for (size_t j = 1; j < r->n; j++) r->k->setups[0][ew_index(r->k, r->ids[j])]->bind = keep[j];
}

QK_TEST(ecdsa_refuse, E_14_the_signers_are_exactly_t_nodes_of_the_record)
{
    EACH_CURVE(c)
    {
        struct ew_key k;
        struct ew_run good, r;
        ew_deal(&k, 4300 + c->id, c->id, 3, 2, 0, NULL);
        ew_deal_setups(&k);
        ew_session(&good, &k, 4300, ids3, 2, true);
        ew_session(&r, &k, 4300, ids3, 3, true);
        expect_refused(&r, "t + 1 signers");
        ew_session(&r, &k, 4300, ids3, 1, true);
        expect_refused(&r, "t - 1 signers");
        r = good, r.s.e_net = 2;
        expect_refused(&r, "another node epoch");
        r = good, r.s.e_del = 1;
        expect_refused(&r, "another delegate epoch");
        r = good, r.s.rec[0] ^= 1;
        expect_refused(&r, "another record");
        r = good, r.s.key_id[0] ^= 1;
        expect_refused(&r, "another key");
        r = good, r.s.t = 1;
        expect_refused(&r, "another threshold");
        r = good, r.s.access = 1;
        expect_refused(&r, "another access");
        r = good, r.s.peers[1].id = 9;
        expect_refused(&r, "a node that is not in the record");
        r = good, r.s.peers[1].idh[0] ^= 1;
        expect_refused(&r, "a node with another identity");
        r = good, r.s.curve = (uint8_t)(1 + c->id % 4);
        expect_refused(&r, "another curve");
        ew_free(&k);
    }
}

QK_TEST(ecdsa_refuse, E_14_a_delegated_key_needs_the_delegate)
{
    struct ew_key k;
    struct ew_run r;
    ew_deal(&k, 4400, MPC_P256, 3, 2, 1, NULL);
    ew_deal_setups(&k);
    ew_session(&r, &k, 4400, ids3, 2, true);
    r.s.n_peers--;
    r.n--;
    expect_refused(&r, "the delegate is missing");
    ew_session(&r, &k, 4400, ids3, 2, true);
    r.s.peers[1] = r.s.peers[2]; /* t - 1 nodes and D */
    r.ids[1] = MPC_DELEGATE;
    r.s.n_peers--;
    r.n--;
    expect_refused(&r, "a node is missing");
    ew_free(&k);
}

QK_TEST(ecdsa_refuse, E_14_setups_of_this_pair_epoch_and_record_only)
{
    struct ew_key k, other;
    struct ew_run r;
    ew_deal(&k, 4500, MPC_P256, 3, 2, 0, NULL);
    ew_deal_setups(&k);
    ew_session(&r, &k, 4500, ids3, 2, true);
    struct mpc_ot_setup *right = k.setups[0][1];
    k.setups[0][1] = k.setups[0][2];
    expect_start_refused(&r, "the setup of another pair");
    ew_deal(&other, 4501, MPC_P256, 3, 2, 0, NULL);
    ew_deal_setups(&other);
    k.setups[0][1] = other.setups[0][1];
    expect_start_refused(&r, "the setup of another key");
    k.setups[0][1] = right;
    right->bind.e_net = 0;
    expect_start_refused(&r, "the setup of the old epoch");
    right->bind.e_net = 1;
    struct mpc_party *party;
    qk_assert_ok(ew_start_one(&r, 0, &party));
    mpc_party_free(party);
    ew_free(&k);
    ew_free(&other);
}

/* ---- E-15 and E-16 ---- */

struct signed_parts {
    struct ew_key k;
    struct ew_run r;
    struct mpc_ecdsa_part parts[EW_MAX];
};

static void parts_of(struct signed_parts *p, unsigned curve, unsigned n, uint64_t seed)
{
    ew_deal(&p->k, seed, curve, 3, n, 0, NULL);
    ew_deal_setups(&p->k);
    ew_session(&p->r, &p->k, seed, ids3, n, true);
    ew_start(&p->r, seed);
    qkt_run(p->r.net);
    ew_parts(&p->r, p->parts);
}

static void parts_free(struct signed_parts *p)
{
    ew_end(&p->r);
    ew_free(&p->k);
}

static void expect_no_signature(struct signed_parts *p, qk_err want, const char *what)
{
    QK_AUTO_BUF der = QK_BUF(MPC_ECDSA_DER_MAX);
    qk_err err = ew_combine(&p->r, p->parts, NULL, &der);
    cr_expect_eq(err, want, "%s: %s", what, qk_err_name(err));
    cr_expect_eq(der.len, 0, "%s: bytes came out", what);
}

QK_TEST(ecdsa_refuse, E_15_nothing_unverified_is_released)
{
    EACH_CURVE(c)
    {
        for (unsigned n = 2; n <= 3; n++) {
            struct signed_parts p;
            parts_of(&p, c->id, n, 4600 + 10 * c->id + n);
            for (unsigned i = 0; i < n; i++) {
                struct mpc_ecdsa_part keep = p.parts[i];
                add_one(c, &p.parts[i].w);
                expect_no_signature(&p, QK_E_PROOF, "E-15: w + 1");
                p.parts[i] = keep;
                add_one(c, &p.parts[i].u);
                expect_no_signature(&p, QK_E_PROOF, "E-15: u + 1");
                p.parts[i] = keep;
            }
            struct mpc_scalar sum = {{0}};
            struct mpc_ecdsa_part keep = p.parts[0];
            for (unsigned i = 1; i < n; i++) mpc_scalar_add(c, &sum, &sum, &p.parts[i].u);
            mpc_scalar_neg(c, &p.parts[0].u, &sum);
            expect_no_signature(&p, QK_E_PROOF, "E-15: U = 0");
            p.parts[0] = keep;
            mpc_scalar_set_u64(&sum, 0);
            for (unsigned i = 1; i < n; i++) mpc_scalar_add(c, &sum, &sum, &p.parts[i].w);
            mpc_scalar_neg(c, &p.parts[0].w, &sum);
            expect_no_signature(&p, QK_E_PROOF, "E-15: s = 0");
            p.parts[0] = keep;
            p.k.rec.pk[0] ^= 1; /* -pk: a valid point, another key */
            expect_no_signature(&p, QK_E_PROOF, "E-15: another key");
            parts_free(&p);
        }
    }
}

QK_TEST(ecdsa_refuse, E_16_signers_agree_on_digest_and_nonce)
{
    struct signed_parts p, q;
    parts_of(&p, MPC_P256, 2, 4700);
    parts_of(&q, MPC_P256, 2, 4701);
    struct mpc_ecdsa_part keep = p.parts[1];
    p.parts[1].hd[0] ^= 1;
    expect_no_signature(&p, QK_E_MISMATCH, "E-16: two digests");
    p.parts[1] = keep;
    memcpy(p.parts[1].big_r, q.parts[1].big_r, sizeof keep.big_r);
    expect_no_signature(&p, QK_E_MISMATCH, "two R");
    p.parts[1] = keep;
    p.r.digest[0] ^= 1;
    expect_no_signature(&p, QK_E_MISMATCH, "E-16: the combiner wants another digest");
    p.r.digest[0] ^= 1;
    p.parts[1].curve = MPC_SECP256K1;
    expect_no_signature(&p, QK_E_STATE, "a part of another curve");
    p.parts[1] = keep;
    p.r.n = 1;
    expect_no_signature(&p, QK_E_STATE, "a part is missing");
    p.r.n = 2;
    QK_AUTO_BUF der = QK_BUF(MPC_ECDSA_DER_MAX);
    qk_assert_ok(ew_combine(&p.r, p.parts, NULL, &der));
    parts_free(&p);
    parts_free(&q);
}

/* E-16: one signer got another digest: the parts do not combine. */
QK_TEST(ecdsa_refuse, E_16_two_digests_to_two_signers)
{
    EACH_CURVE(c)
    {
        struct signed_parts p;
        struct mpc_party *party;
        ew_deal(&p.k, 4710 + c->id, c->id, 3, 2, 0, NULL);
        ew_deal_setups(&p.k);
        ew_session(&p.r, &p.k, 4710, ids3, 2, true);
        p.r.net = qkt_net_new(4710);
        for (size_t i = 0; i < 2; i++) {
            p.r.digest[0] ^= (uint8_t)i;
            qk_assert_ok(ew_start_one(&p.r, i, &party));
            qkt_add(p.r.net, ids3[i], party);
        }
        qkt_run(p.r.net);
        ew_parts(&p.r, p.parts);
        expect_no_signature(&p, QK_E_MISMATCH, "E-16: two digests");
        parts_free(&p);
    }
}

static void expect_digest(struct ew_run *r, const uint8_t *digest, size_t len, qk_err want)
{
    struct mpc_party *party;
    memset(r->digest, 0, sizeof r->digest);
    memcpy(r->digest, digest, len);
    r->digest_len = len;
    cr_expect_eq(ew_start_one(r, 0, &party), want, "E-16: digest of %zu bytes", len);
}

QK_TEST(ecdsa_refuse, E_16_zero_and_wrong_lengths)
{
    EACH_CURVE(c)
    {
        struct ew_key k;
        struct ew_run r;
        uint8_t digest[MPC_SCALAR_MAX] = {0};
        size_t len = mpc_ecdsa_digest_len(c->id);
        ew_deal(&k, 4800 + c->id, c->id, 3, 2, 0, NULL);
        ew_deal_setups(&k);
        ew_session(&r, &k, 4800, ids3, 2, true);
        expect_digest(&r, digest, len, QK_E_DENIED);
        memset(digest, 7, sizeof digest);
        expect_digest(&r, digest, len - 1, QK_E_STATE);
        if (len < MPC_ECDSA_DIGEST_MAX) expect_digest(&r, digest, len + 1, QK_E_STATE);
        if (len == c->lq) {
            cheat_q(c, digest);
            expect_digest(&r, digest, len, QK_E_DENIED);
        }
        ew_free(&k);
    }
}

QK_TEST(ecdsa_refuse, E_9_parts_on_the_wire)
{
    EACH_CURVE(c)
    {
        struct signed_parts p;
        struct mpc_ecdsa_part back;
        uint8_t enc[MPC_ECDSA_PART_MAX], bent[MPC_ECDSA_PART_MAX];
        size_t len = mpc_ecdsa_part_len(c->id);
        parts_of(&p, c->id, 2, 4900 + c->id);
        qk_assert_ok(mpc_ecdsa_part_encode(&p.parts[0], enc));
        qk_assert_ok(mpc_ecdsa_part_decode(&back, c->id, qk_bytes(enc, len)));
        cr_expect(mpc_scalar_eq_mask(&back.w, &p.parts[0].w));
        cr_expect(mpc_scalar_eq_mask(&back.u, &p.parts[0].u));
        for (size_t slot = 0; slot < 2; slot++) {
            memcpy(bent, enc, len);
            cheat_q(c, bent + c->pt + slot * c->lq);
            cr_expect_eq(mpc_ecdsa_part_decode(&back, c->id, qk_bytes(bent, len)), QK_E_MALFORMED,
                "E-9: w or u of q");
        }
        memset(bent, 0, sizeof bent);
        qk_assert_err(mpc_ecdsa_part_decode(&back, c->id, qk_bytes(bent, len)), QK_E_MALFORMED);
        qk_assert_err(mpc_ecdsa_part_decode(&back, c->id, qk_bytes(enc, len - 1)), QK_E_MALFORMED);
        parts_free(&p);
    }
}

/* E-23: s is low on secp256k1 and left alone elsewhere: among many signatures both halves occur. */
QK_TEST(ecdsa_refuse, E_23_low_s_on_secp256k1_only)
{
    static const unsigned curves[] = {MPC_SECP256K1, MPC_P256};
    for (size_t i = 0; i < 2; i++) {
        const struct mpc_curve *c = mpc_curve_get(curves[i]);
        unsigned high = 0;
        for (uint64_t n = 0; n < 12; n++) {
            struct signed_parts p;
            struct mpc_scalar r, s;
            QK_AUTO_BUF der = QK_BUF(MPC_ECDSA_DER_MAX);
            parts_of(&p, c->id, 2, 5000 + 20 * c->id + n);
            qk_assert_ok(ew_combine(&p.r, p.parts, NULL, &der));
            qk_assert_ok(mpc_ecdsa_der_decode(c, qk_buf_view(&der), &r, &s));
            high += mpc_scalar_high_mask(c, &s) != 0;
            parts_free(&p);
        }
        cr_expect(c->id == MPC_SECP256K1 ? high == 0 : high > 0, "%s: %u high", c->name, high);
    }
}

/* ---- E-21 ---- */

QK_TEST(ecdsa_refuse, E_21_zero_shares_add_up_to_zero_and_are_fresh)
{
    struct seeded rng = seeded_new("zero");
    static const uint16_t ids[] = {1, 2, 7, 255, MPC_DELEGATE};
    EACH_CURVE(c)
    {
        uint8_t k[5][5][32], sid[2][32];
        qk_assert_ok(qk_rng_fill(&rng.base, k, sizeof k));
        qk_assert_ok(qk_rng_fill(&rng.base, sid, sizeof sid));
        for (unsigned set = 3; set < 32; set++) { /* every signer set of two or more */
            struct mpc_scalar sum = {{0}}, zeta[2];
            if ((set & (set - 1)) == 0) continue;
            for (unsigned i = 0; i < 5; i++) {
                if (!(set >> i & 1)) continue;
                for (unsigned s = 0; s < 2; s++) {
                    mpc_scalar_set_u64(&zeta[s], 0);
                    for (unsigned j = 0; j < 5; j++)
                        if (j != i && (set >> j & 1))
                            qk_assert_ok(ot_zero_share(
                                c, sid[s], ids[i], ids[j], i < j ? k[i][j] : k[j][i], &zeta[s]));
                }
                cr_expect(!mpc_scalar_eq_mask(&zeta[0], &zeta[1]), "E-21: zeta of two sids");
                mpc_scalar_add(c, &sum, &sum, &zeta[0]);
            }
            cr_expect(mpc_scalar_zero_mask(&sum), "E-21: %s, set %x", c->name, set);
        }
    }
}

/* E-14: one node more in the place of the delegate makes the number right and the sum wrong. */
QK_TEST(ecdsa_refuse, E_14_a_node_does_not_replace_the_delegate)
{
    static const uint16_t nodes[] = {1, 2, 3};
    struct ew_key k;
    struct ew_run r;
    struct mpc_party *party;
    ew_deal(&k, 4990, MPC_P256, 3, 2, 1, NULL);
    ew_deal_setups(&k);
    ew_session(&r, &k, 4990, nodes, 2, true);
    cr_assert_eq(r.n, 3);
    r.s.peers[2] = k.rec.nodes[2];
    r.ids[2] = 3;
    for (size_t i = 0; i < 3; i++) qk_assert_err(ew_start_one(&r, i, &party), QK_E_STATE);
    ew_free(&k);
}
