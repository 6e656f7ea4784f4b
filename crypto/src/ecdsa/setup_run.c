#include "ecdsa/setup_run.h"

qk_err setup_run_init(struct mpc_party *party, struct setup_run *run)
{
    struct mpc_ot_binding bind;
    QK_TRY(ot_binding_of_session(&bind, &party->s));
    run->peer_ix = 1 - party->self_ix;
    return ot_setup_new(&run->setup, &bind);
}

static qk_err psid(
    const struct mpc_party *party, const char *label, uint16_t a, uint16_t b, uint8_t out[32])
{
    return mpc_h32(out, label, MPC_FIELDS({party->sid, 32}, MPC_U16(a), MPC_U16(b)));
}

qk_err setup_run_psids(struct mpc_party *party, struct setup_run *run, const char *label)
{
    uint16_t self = party->s.self, peer = party->s.peers[run->peer_ix].id;
    QK_TRY(psid(party, label, self, peer, run->setup->psid_alice));
    return psid(party, label, peer, self, run->setup->psid_bob);
}

static void hash_body(struct mpc_hasher *h, struct mpc_fields f)
{
    size_t len = 0;
    for (uint32_t i = 0; i < f.n; i++) len += f.v[i].len;
    mpc_hasher_field_begin(h, len);
    for (uint32_t i = 0; i < f.n; i++) mpc_hasher_part(h, f.v[i].p, f.v[i].len);
}

qk_err setup_run_bodies(struct mpc_party *party, struct setup_run *run, size_t which,
    struct mpc_fields mine, struct mpc_fields theirs)
{
    bool first = party->self_ix < run->peer_ix;
    struct mpc_hasher h;
    uint8_t out[64];
    QK_TRY(mpc_hasher_begin(&h, MPC_L_OT_R, 2));
    hash_body(&h, first ? mine : theirs);
    hash_body(&h, first ? theirs : mine);
    QK_TRY(mpc_hasher_end(&h, out));
    memcpy(run->bodies[which], out, 32);
    return QK_OK;
}

qk_err setup_run_confirm(struct mpc_party *party, struct setup_run *run)
{
    uint16_t lo = party->s.peers[0].id, hi = party->s.peers[1].id;
    return mpc_h32(run->confirm, MPC_L_OT_CONFIRM,
        MPC_FIELDS({party->sid, 32}, MPC_U16(lo), MPC_U16(hi), {run->bodies[0], 32},
            {run->bodies[1], 32}));
}

/* K_ab = H32("zs"; sid, u16 a, u16 b, zs_ab, zs_ba), a < b; zs_ab is what a sent. */
static qk_err derive_k(struct mpc_party *party, struct setup_run *run)
{
    uint16_t lo = party->s.peers[0].id, hi = party->s.peers[1].id;
    size_t a = party->self_ix == 0 ? 0 : 1; /* whose zs comes first: ours or the peer's */
    return mpc_h32(run->setup->k, MPC_L_ZS,
        MPC_FIELDS(
            {party->sid, 32}, MPC_U16(lo), MPC_U16(hi), {run->zs[a], 32}, {run->zs[1 - a], 32}));
}

qk_err setup_run_finish(struct mpc_party *party, struct setup_run *run, struct qk_bytes theirs)
{
    if (!qk_bytes_eq(theirs, QK_BYTES(run->confirm)))
        return mpc_fail_n(party, "E-3", QK_E_MISMATCH);
    memcpy(run->setup->id, run->confirm, 32);
    QK_TRY(derive_k(party, run));
    QK_TRY(ot_setup_finish(run->setup));
    qk_wipe(run->zs, sizeof run->zs);
    mpc_engine_done(party);
    return QK_OK;
}

void setup_run_clear(struct setup_run *run)
{
    mpc_ot_setup_free(run->setup);
    run->setup = NULL;
}

qk_err mpc_otsetup_take(struct mpc_party *party, struct mpc_ot_setup **out)
{
    struct setup_run *run = mpc_engine_result(party, MPC_PROTO_OT_SETUP);
    if (!run) run = mpc_engine_result(party, MPC_PROTO_OT_DERIVE);
    QK_ENSURE(run && run->setup, QK_E_STATE);
    *out = run->setup;
    run->setup = NULL;
    return QK_OK;
}
