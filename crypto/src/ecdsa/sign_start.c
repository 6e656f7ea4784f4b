/* A signing party: its message table, and what must fit together before it starts. */
#include "ecdsa/sign.h"

static size_t len_u(const struct mpc_party *party)
{
    struct ot_dims d = ot_dims_sign(party->curve);
    return ot_u_len(&d);
}

static size_t len_th(const struct mpc_party *party)
{
    struct ot_dims d = ot_dims_sign(party->curve);
    return ot_th_len(&d);
}

static size_t len_at(const struct mpc_party *party)
{
    struct ot_dims d = ot_dims_sign(party->curve);
    return rvole_at_len(party->curve, &d);
}

static const struct mpc_field fields_1[F1_COUNT] = {
    [F1_COM] = {"com", mpc_len_64},
    [F1_SU] = {"su", mpc_len_32},
    [F1_U] = {"u", len_u},
    [F1_XH] = {"xh", mpc_len_16},
    [F1_TH] = {"th", len_th},
};

static const struct mpc_field fields_2[F2_COUNT] = {
    [F2_ECHO] = {"echo1", mpc_len_32},
    [F2_R] = {"R", mpc_len_point},
    [F2_RHO] = {"rho", mpc_len_32},
    [F2_P] = {"P", mpc_len_point},
    [F2_AT] = {"at", len_at},
    [F2_ETA] = {"eta", mpc_len_scalar},
    [F2_MU] = {"mu", mpc_len_64},
    [F2_GU] = {"Gu", mpc_len_point},
    [F2_GV] = {"Gv", mpc_len_point},
    [F2_PSI] = {"psi", mpc_len_scalar},
};

static const struct mpc_row rows[] = {
    [SIGN_ROW_1] = {1, MPC_TO_ONE, MPC_CLASS_ANY, MPC_CLASS_ANY, F1_COM, fields_1, F1_COUNT},
    [SIGN_ROW_2] = {2, MPC_TO_ONE, MPC_CLASS_ANY, MPC_CLASS_ANY, MPC_NO_ECHO, fields_2, F2_COUNT},
};

static qk_err (*const rounds[])(struct mpc_party *) = {sign_round_1, sign_round_2, sign_finish};

static void peer_clear(struct sign_peer *p)
{
    mpc_ot_setup_free(p->setup);
    qk_buf_free(&p->sent);
    qk_buf_free(&p->t_rows);
    qk_buf_free(&p->q_rows);
    mpc_point_clear(&p->big_r);
    mpc_point_clear(&p->big_p);
    mpc_point_clear(&p->gamma[0]);
    mpc_point_clear(&p->gamma[1]);
    qk_wipe(p, sizeof *p);
}

void sign_wipe_work(struct sign *s)
{
    for (size_t i = 0; i < s->n_peers; i++) peer_clear(&s->peers[i]);
    s->n_peers = 0;
    mpc_point_clear(&s->big_r);
    mpc_point_clear(&s->big_p);
    mpc_scalar_wipe(&s->sk);
    mpc_scalar_wipe(&s->r);
    qk_wipe(s->rho, sizeof s->rho);
}

static void clear(void *state)
{
    sign_wipe_work(state);
}

static const struct mpc_proto_def def = {
    .proto = MPC_PROTO_ECDSA,
    .name = "ecdsa",
    .rows = rows,
    .n_rows = QK_COUNT(rows),
    .rounds = rounds,
    .n_rounds = QK_COUNT(rounds),
    .state_len = sizeof(struct sign),
    .clear = clear,
};

/* ---- E-14: the signers are exactly t nodes of the record, and D iff access is 1 ---- */

static bool peer_in_record(const struct mpc_key_record *rec, const struct mpc_peer *p)
{
    if (p->id == MPC_DELEGATE)
        return rec->access == 1 && memcmp(p->idh, rec->delegate.idh, sizeof p->idh) == 0;
    int ix = mpc_record_index(rec, p->id);
    return ix >= 0 && memcmp(p->idh, rec->nodes[ix].idh, sizeof p->idh) == 0;
}

static qk_err check_signers(const struct mpc_session *s, const struct mpc_key_record *rec)
{
    QK_ENSURE(s->n_peers == rec->t + rec->access && s->n_peers >= 2, QK_E_STATE);
    size_t nodes = 0;
    for (size_t i = 0; i < s->n_peers; i++) {
        QK_ENSURE(peer_in_record(rec, &s->peers[i]), QK_E_STATE);
        nodes += s->peers[i].id != MPC_DELEGATE;
    }
    QK_ENSURE(nodes == rec->t, QK_E_STATE);
    return QK_OK;
}

static qk_err check_record(
    const struct mpc_session *s, const struct mpc_key_record *rec, uint8_t hash[static 32])
{
    QK_ENSURE(s->curve == rec->curve && mpc_ot_class_of(s->curve) != 0, QK_E_STATE);
    QK_ENSURE(s->t == rec->t && s->access == rec->access, QK_E_STATE);
    QK_ENSURE(s->e_net == rec->e_net && s->e_del == rec->e_del, QK_E_STATE);
    QK_ENSURE(memcmp(s->key_id, rec->key_id, sizeof s->key_id) == 0, QK_E_STATE);
    QK_TRY(mpc_record_hash(rec, hash));
    QK_ENSURE(memcmp(s->rec, hash, 32) == 0, QK_E_STATE);
    return QK_OK;
}

/* ---- setups ---- */

static struct mpc_ot_setup *find_setup(
    const struct mpc_ecdsa_params *p, const struct mpc_peer *self, const struct mpc_peer *peer)
{
    const struct mpc_session *s = p->session;
    struct mpc_ot_binding want = {
        .curve = s->curve, .e_net = s->e_net, .e_del = s->e_del, .self = *self, .peer = *peer};
    memcpy(want.key_id, s->key_id, sizeof want.key_id);
    memcpy(want.rec, s->rec, sizeof want.rec);
    for (size_t i = 0; i < p->n_setups; i++)
        if (ot_binding_eq(mpc_ot_setup_binding(p->setups[i]), &want)) return p->setups[i];
    return NULL;
}

static qk_err add_peer(struct mpc_party *party, struct mpc_ot_setup *setup, uint16_t id)
{
    struct sign *s = party->state;
    struct sign_peer *peer = &s->peers[s->n_peers++];
    struct ot_dims d = ot_dims_sign(party->curve);
    peer->id = id;
    peer->setup = mpc_ot_setup_ref(setup);
    peer->sent = (struct qk_buf)QK_BUF_SECRET(MPC_FRAME_MAX);
    peer->t_rows = (struct qk_buf)QK_BUF_SECRET(OT_XI_MAX * OT_ROW_MAX);
    peer->q_rows = (struct qk_buf)QK_BUF_SECRET(OT_XI_MAX * OT_ROW_MAX);
    peer->bob = (struct rvole){.c = party->curve, .d = d, .gadget_mont = setup->gadget_bob};
    peer->alice = (struct rvole){.c = party->curve, .d = d, .gadget_mont = setup->gadget_alice};
    QK_TRY(mpc_point_init(&peer->big_r, party->curve));
    QK_TRY(mpc_point_init(&peer->big_p, party->curve));
    QK_TRY(mpc_point_init(&peer->gamma[0], party->curve));
    return mpc_point_init(&peer->gamma[1], party->curve);
}

static qk_err add_peers(struct mpc_party *party, const struct mpc_ecdsa_params *p)
{
    const struct mpc_session *s = &party->s;
    QK_ENSURE(p->n_setups == s->n_peers - 1u, QK_E_STATE);
    for (size_t i = 0; i < s->n_peers; i++) {
        if (i == party->self_ix) continue;
        struct mpc_ot_setup *setup = find_setup(p, &s->peers[party->self_ix], &s->peers[i]);
        QK_ENSURE(setup && !ot_setup_is_root(setup), QK_E_STATE);
        QK_TRY(add_peer(party, setup, s->peers[i].id));
    }
    return QK_OK;
}

/* sk = l_i * x_i; zeta_i needs the sid and comes later. */
static qk_err effective_share(struct mpc_party *party, const struct mpc_scalar *share)
{
    struct sign *s = party->state;
    if (party->s.self == MPC_DELEGATE) {
        s->sk = *share;
        return QK_OK;
    }
    uint16_t ids[MPC_NODES_MAX];
    for (size_t i = 0; i < s->rec.t; i++) ids[i] = party->s.peers[i].id; /* D, if any, is last */
    struct mpc_scalar l;
    QK_TRY(mpc_lagrange_var(party->curve, &l, ids, s->rec.t, party->s.self));
    mpc_scalar_mul(party->curve, &s->sk, &l, share);
    return QK_OK;
}

static qk_err set_digest(struct mpc_party *party, struct qk_bytes digest)
{
    struct sign *s = party->state;
    struct mpc_scalar h;
    if (digest.len == 0) return QK_OK;
    QK_TRY(ecdsa_hash_scalar(party->curve, digest, &h));
    s->online = true;
    memcpy(s->digest, digest.p, digest.len);
    s->digest_len = digest.len;
    return QK_OK;
}

static qk_err fill(struct mpc_party *party, const struct mpc_ecdsa_params *p, const uint8_t *hash)
{
    struct sign *s = party->state;
    s->rec = *p->rec;
    memcpy(s->rec_hash, hash, 32);
    QK_TRY(set_digest(party, p->digest));
    QK_TRY(add_peers(party, p));
    QK_TRY(effective_share(party, p->share));
    QK_TRY(mpc_point_init(&s->big_r, party->curve));
    return mpc_point_init(&s->big_p, party->curve);
}

qk_err mpc_ecdsa_start(struct mpc_party **out, const struct mpc_ecdsa_params *params)
{
    uint8_t hash[32];
    QK_TRY(check_record(params->session, params->rec, hash));
    QK_TRY(check_signers(params->session, params->rec));
    struct mpc_party *party;
    QK_TRY(mpc_engine_new(&party, &def, params->session, params->rng));
    qk_err err = fill(party, params, hash);
    if (err == QK_OK) err = mpc_engine_begin(party);
    if (err != QK_OK) {
        mpc_party_free(party);
        return err;
    }
    *out = party;
    return QK_OK;
}
