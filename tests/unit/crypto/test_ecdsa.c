/* Threshold ECDSA end to end: every curve, every kind of signer set. */
#include "ecdsa_world.h"
#include "seeded.h"

/* All rounds, combine, verify: one signature of this signer set. */
static void sign_once(struct ew_key *k, uint64_t seed, const uint16_t *ids, size_t n_ids)
{
    struct ew_run r;
    struct mpc_ecdsa_part parts[EW_MAX];
    QK_AUTO_BUF der = QK_BUF(MPC_ECDSA_DER_MAX);
    ew_session(&r, k, seed, ids, n_ids, true);
    ew_start(&r, seed);
    qkt_run(r.net);
    ew_parts(&r, parts);
    qk_assert_ok(ew_combine(&r, parts, NULL, &der));
    qk_assert_ok(
        mpc_ecdsa_verify(k->c->id, k->rec.pk, qk_bytes(r.digest, r.digest_len), qk_buf_view(&der)));
    ew_end(&r);
}

QK_TEST(ecdsa, every_pair_of_2_of_3_signs_on_every_curve)
{
    static const uint16_t pairs[][2] = {{1, 2}, {1, 3}, {2, 3}};
    EACH_CURVE(c)
    {
        struct ew_key k;
        ew_deal(&k, c->id, c->id, 3, 2, 0, NULL);
        ew_deal_setups(&k);
        for (size_t i = 0; i < 3; i++) sign_once(&k, 10 * c->id + i, pairs[i], 2);
        ew_free(&k);
    }
}

QK_TEST(ecdsa, three_signers_of_3_of_4)
{
    static const uint16_t sets[][3] = {{1, 2, 3}, {1, 3, 4}};
    EACH_CURVE(c)
    {
        struct ew_key k;
        ew_deal(&k, 40 + c->id, c->id, 4, 3, 0, NULL);
        ew_deal_setups(&k);
        for (size_t i = 0; i < 2; i++) sign_once(&k, 400 + 10 * c->id + i, sets[i], 3);
        ew_free(&k);
    }
}

QK_TEST(ecdsa, the_delegate_signs_with_one_node_and_with_two)
{
    EACH_CURVE(c)
    {
        for (unsigned t = 1; t <= 2; t++) {
            static const uint16_t ids[] = {2, 3};
            struct ew_key k;
            ew_deal(&k, 50 + c->id, c->id, 3, t, 1, NULL);
            ew_deal_setups(&k);
            sign_once(&k, 500 + 10 * c->id + t, ids, t);
            ew_free(&k);
        }
    }
}

QK_TEST(ecdsa, a_part_is_handed_out_once_E_22)
{
    static const uint16_t ids[] = {1, 2};
    struct ew_key k;
    struct ew_run r;
    struct mpc_ecdsa_part parts[EW_MAX], again;
    struct mpc_presig *presig;
    ew_deal(&k, 60, MPC_P256, 3, 2, 0, NULL);
    ew_deal_setups(&k);
    ew_session(&r, &k, 60, ids, 2, true);
    ew_start(&r, 60);
    qkt_run(r.net);
    ew_parts(&r, parts);
    for (size_t i = 0; i < 2; i++) { /* E-22 */
        struct mpc_party *party = qkt_party(r.net, ids[i])->party;
        qk_assert_err(mpc_ecdsa_take_part(party, &again), QK_E_STATE);
        qk_assert_err(mpc_ecdsa_take_presig(party, &presig), QK_E_STATE);
        struct sign *s = ew_state(&r, ids[i]);
        cr_expect(mpc_scalar_zero_mask(&s->phi) && mpc_scalar_zero_mask(&s->v) &&
                      mpc_scalar_zero_mask(&s->r) && mpc_scalar_zero_mask(&s->sk),
            "secrets stay after round 3");
    }
    ew_end(&r);
    ew_free(&k);
}

/* ---- C-10 after the message itself is released ---- */

struct late {
    struct qk_buf saved;
    bool bend, sent;
};

/* Once 2 has gone on to round 2 and dropped the bytes of round 1, 1's message arrives again. */
static void again(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    struct late *l = ctx;
    if (f->from == 1 && f->to == 2 && f->round == 1 && l->saved.len == 0)
        qk_buf_add(&l->saved, f->data.p, f->data.len);
    if (f->from != 2 || f->round != 2 || l->sent) return;
    l->sent = true;
    if (l->bend) l->saved.p[l->saved.len - 1] ^= 1;
    qkt_inject(net, 1, 2, qk_buf_view(&l->saved));
}

QK_TEST(ecdsa, C_10_a_late_copy_is_ignored_and_a_late_change_is_not)
{
    static const uint16_t ids[] = {1, 2, 3};
    for (int bend = 0; bend < 2; bend++) {
        struct ew_key k;
        struct ew_run r;
        struct late l = {.saved = QK_BUF(MPC_FRAME_MAX), .bend = bend == 1};
        ew_deal(&k, 4711, MPC_P256, 3, 3, 0, NULL);
        ew_deal_setups(&k);
        ew_session(&r, &k, 4712, ids, 3, true);
        ew_start(&r, 4713);
        r.net->in_order = true;
        r.net->hook_all = true;
        r.net->hook = again;
        r.net->hook_ctx = &l;
        qkt_run(r.net);
        cr_assert(l.sent);
        if (bend)
            qkt_expect_blame(r.net, 2, 'P', 1, "C-10");
        else
            qkt_expect_done(r.net, 2);
        ew_end(&r);
        ew_free(&k);
        qk_buf_free(&l.saved);
    }
}
