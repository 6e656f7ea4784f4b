/* The self-test (document 60 section 6): MAC3 on a digest that belongs to no message, each of the
 * three once as evaluator and combiner. Profile S: on ist likewise, which is shared like ost. What
 * E learns then is the inner hash of h*, which in profile N every node could compute. */
#include "mac/flow.h"

#include "mac/keystate.h"
#include "mpc/transcript.h"

enum { ROTATIONS = 3 };

unsigned mac_tests(const struct mpc_mac_gen *gen)
{
    return gen->spec.profile == MPC_MAC_S ? 2 * ROTATIONS : ROTATIONS;
}

/* Run number `test` is rotation test % 3 of part test / 3 of the secret. Each needs its own mid:
 * same digest, same pieces by name, other bits. */
static qk_err make_mid(uint8_t mid[static 32], const struct mpc_mac_gen *gen)
{
    return mpc_h32(mid, MPC_L_MAC_ST_MID,
        MPC_FIELDS(QK_BYTES(gen->made.record.sid), MPC_U8(gen->test % ROTATIONS),
            MPC_U8(gen->test / ROTATIONS)));
}

/* One state of the secret as a key of profile N, for which h* is the digest of a message. */
static void one_part(struct mpc_mac_gen *gen)
{
    size_t len = mpc_mac_state_len(gen->spec.alg);
    gen->test_rec = gen->made.record;
    gen->test_share = gen->made.share;
    gen->test_rec.profile = gen->test_share.profile = MPC_MAC_N;
    for (size_t j = 0; j < gen->test_share.n; j++)
        memcpy(
            gen->test_share.piece[j], gen->made.share.piece[j] + gen->test / ROTATIONS * len, len);
}

static void rotate(struct mpc_mac_gen *gen)
{
    const struct mpc_peer *p = gen->made.record.nodes;
    unsigned k = gen->test % ROTATIONS;
    gen->roles = (struct mpc_mac_roles){
        .e = p[k].id, .g1 = p[(k + 1) % ROTATIONS].id, .g2 = p[(k + 2) % ROTATIONS].id};
}

qk_err mac_test_begin(struct mpc_mac_gen *gen)
{
    struct mpc_mac_task task = {
        .rec = &gen->test_rec, .share = &gen->test_share, .digest = gen->test_h};
    rotate(gen);
    one_part(gen);
    gen->tested = false;
    QK_TRY(mac_test_h(gen->test_h, gen->spec.key_id, gen->spec.alg));
    QK_TRY(make_mid(task.mid, gen));
    task.roles = gen->roles;
    qk_err err = mac_flow_role(gen, &task, NULL);
    qk_wipe(&gen->test_share, sizeof gen->test_share);
    return err;
}

qk_err mpc_mac_gen_tested(struct mpc_mac_gen *gen, struct qk_bytes from_g1, struct qk_bytes from_g2,
    struct mpc_mac_suspects *why)
{
    QK_AUTO_BUF y = QK_BUF_SECRET(MPC_MAC_Y_MAX);
    size_t len = mpc_mac_digest_len(gen->spec.alg);
    QK_ENSURE(!gen->failed && gen->phase == PHASE_TEST && gen->begun, QK_E_STATE);
    QK_ENSURE(gen->e != NULL && !gen->tested, QK_E_STATE);
    QK_TRY(mpc_mac_e_take(gen->e, &y));
    uint8_t *value = gen->values + gen->test / ROTATIONS * len;
    qk_err err =
        mpc_mac_combine(value, gen->spec.alg, &gen->roles, from_g1, from_g2, qk_buf_view(&y), why);
    gen->tested = err == QK_OK;
    gen->failed = err != QK_OK;
    return err;
}

/* A garbler has read its stream to the end iff it can say what a combiner is told. */
static qk_err garbled(const struct mpc_mac_gen *gen)
{
    QK_AUTO_BUF out = QK_BUF(MPC_MAC_G1_MAX);
    if (gen->g1 != NULL) return mpc_mac_g1_take(gen->g1, &out);
    return gen->g2 != NULL ? mpc_mac_g2_take(gen->g2, &out) : QK_OK;
}

qk_err mac_test_end(const struct mpc_mac_gen *gen)
{
    QK_ENSURE(gen->e == NULL || gen->tested, QK_E_STATE);
    return garbled(gen);
}

qk_err mac_test_result(uint8_t st[static 32], const struct mpc_mac_gen *gen)
{
    size_t len = mpc_mac_digest_len(gen->spec.alg) * (mac_tests(gen) / ROTATIONS);
    memset(st, 0, 32);
    if (gen->made.share.self_ix >= ROTATIONS) return QK_OK;
    return mac_test_st(st, qk_bytes(gen->values, len));
}
