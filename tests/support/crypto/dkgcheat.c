#include "dkgcheat.h"

#include "qktest/qktest.h"

const uint16_t qkt_nodes[] = {1, 2, 3};
const uint16_t qkt_everybody[] = {1, 2, 3, MPC_DELEGATE};

struct qkt_net *qkt_dkg_cheat(unsigned curve, uint16_t cheater, struct qkt_rng *rngs)
{
    struct qkt_net *net =
        qkt_dkg_net(curve * 1000u + cheater % 10, curve, qkt_nodes, 3, 2, 1, rngs);
    net->cheater = cheater;
    net->mute_aborts = true;
    return net;
}

/* Somebody who is not the cheater. */
uint16_t qkt_other_than(uint16_t cheater)
{
    return cheater == 2 ? 3 : 2;
}

void qkt_run_attack(const struct qkt_attack *what)
{
    for (unsigned curve = 1; curve <= 4; curve++)
        for (size_t k = 0; k < 4; k++) {
            if (what->nodes_only && qkt_everybody[k] == MPC_DELEGATE) continue;
            struct qkt_attack a = *what;
            struct qkt_rng rngs[4];
            struct qkt_net *net = qkt_dkg_cheat(curve, qkt_everybody[k], rngs);
            if (a.victim) a.victim = qkt_other_than(net->cheater);
            qkt_rng_init(&a.rng, curve, 99);
            net->hook = a.hook;
            net->hook_ctx = &a;
            qkt_run(net);
            qkt_expire(net);
            qkt_expect_attack(net, a.victim, a.cls, a.cls == 'N' ? 0 : net->cheater, a.check);
            qkt_net_free(net);
        }
}

/* ---- a cheater who makes everything consistent but the one thing ---- */

struct qk_bytes qkt_own_opening(const struct mpc_party *party, struct qk_buf *out)
{
    const struct mpc_dkg *st = party->state;
    size_t pt = party->curve->pt;
    qk_buf_clear(out);
    mpc_dkg_opening(out, qk_bytes(st->enc_c, st->n_coeffs * pt), qk_bytes(st->pok.a, pt),
        qk_bytes(st->pok.z, party->curve->lq));
    return qk_buf_view(out);
}

/* Commit anew to what the state holds now; the frame carries the new com. */
void qkt_recommit(struct qkt_net *net, struct qkt_frame *frame)
{
    struct mpc_party *party = qkt_party(net, frame->from)->party;
    struct mpc_dkg *st = party->state;
    QK_AUTO_BUF data = QK_BUF(4096);
    uint8_t com[64];
    qk_assert_ok(mpc_commit(com, party->sid, party->s.self, mpc_dkg_role(party, party->s.self),
        qkt_own_opening(party, &data), st->rho));
    qkt_set_field(frame, "com", QK_BYTES(com));
    qkt_fix_own_echo(net, frame);
}

/* C_k and, for k = 0, a right proof, from the coefficients. */
void qkt_recompute(struct mpc_party *party, struct qk_rng *rng)
{
    struct mpc_dkg *st = party->state;
    MPC_POINT(p);
    qk_assert_ok(mpc_point_init(&p, party->curve));
    for (size_t k = st->n_coeffs; k-- > 0;) {
        qk_assert_ok(mpc_point_mul_base(&p, &st->coeffs[k]));
        qk_assert_ok(mpc_point_encode(st->enc_c + k * party->curve->pt, &p));
    }
    qk_assert_ok(mpc_pok_prove(&st->pok, party->curve, party->sid, party->s.self,
        mpc_dkg_role(party, party->s.self), &st->coeffs[0], &p, rng));
}
