/* The table of the protocol, its start and its end. */
#include "mpc/dkg.h"

#include "dkg/state.h"

static const struct mpc_field com_fields[] = {{"com", mpc_len_64}};
static const struct mpc_field open_fields[] = {{"echo1", mpc_len_32}, {"C", mpc_len_points_t},
    {"A", mpc_len_point}, {"z", mpc_len_scalar}, {"rho", mpc_len_32}};
static const struct mpc_field open_d_fields[] = {{"echo1", mpc_len_32}, {"X", mpc_len_point},
    {"A", mpc_len_point}, {"z", mpc_len_scalar}, {"rho", mpc_len_32}};
static const struct mpc_field share_fields[] = {{"s", mpc_len_scalar}};
static const struct mpc_field result_fields[] = {{"echo2", mpc_len_32}, {"V", mpc_len_32}};

#define FIELDS(list) (list), QK_COUNT(list)

static const struct mpc_row rows[] = {
    [DKG_COM] = {1, MPC_TO_ALL, MPC_CLASS_ANY, MPC_CLASS_ANY, MPC_NO_ECHO, FIELDS(com_fields)},
    [DKG_OPEN] = {2, MPC_TO_ALL, MPC_CLASS_NODE, MPC_CLASS_ANY, MPC_NO_ECHO, FIELDS(open_fields)},
    [DKG_OPEN_D] = {2, MPC_TO_ALL, MPC_CLASS_DELEGATE, MPC_CLASS_ANY, MPC_NO_ECHO,
        FIELDS(open_d_fields)},
    [DKG_SHARE] = {2, MPC_TO_ONE, MPC_CLASS_NODE, MPC_CLASS_NODE, MPC_NO_ECHO,
        FIELDS(share_fields)},
    [DKG_RESULT] = {3, MPC_TO_ALL, MPC_CLASS_ANY, MPC_CLASS_ANY, MPC_NO_ECHO,
        FIELDS(result_fields)},
};

/* Round 3: nobody is DONE before all V equal ours (check D-8). */
static qk_err agree(struct mpc_party *party)
{
    struct mpc_dkg *st = party->state;
    for (size_t j = 0; j < party->s.n_peers; j++) {
        if (j == party->self_ix) continue;
        QK_TRY(mpc_engine_check_echo(
            party, 2, mpc_engine_field(party, 3, j, MPC_TO_ALL, DKG_RESULT_ECHO)));
        struct qk_bytes v = mpc_engine_field(party, 3, j, MPC_TO_ALL, DKG_RESULT_V);
        if (!qk_bytes_eq(v, QK_BYTES(st->v))) return mpc_fail_n(party, "D-8", QK_E_MISMATCH);
    }
    mpc_engine_done(party);
    return QK_OK;
}

static qk_err (*const rounds[])(struct mpc_party *) = {
    mpc_dkg_commit, mpc_dkg_open, mpc_dkg_check, agree};

static void clear(void *state)
{
    struct mpc_dkg *st = state;
    for (size_t i = 0; i < st->n_points; i++) mpc_point_clear(&st->points[i]);
    OPENSSL_free(st->points);
}

static const struct mpc_proto_def dkg = {
    .proto = MPC_PROTO_DKG,
    .name = "dkg",
    .rows = rows,
    .n_rows = QK_COUNT(rows),
    .rounds = rounds,
    .n_rounds = QK_COUNT(rounds),
    .state_len = sizeof(struct mpc_dkg),
    .clear = clear,
};

static qk_err check_session(const struct mpc_session *s)
{
    static const uint8_t none[32];
    QK_TRY(mpc_session_check(s));
    bool with_d = s->peers[s->n_peers - 1].id == MPC_DELEGATE;
    size_t n_nodes = s->n_peers - with_d;
    QK_ENSURE(with_d == (s->access == 1), QK_E_STATE);
    QK_ENSURE(s->t <= n_nodes, QK_E_STATE);
    QK_ENSURE(s->t >= 2 || s->access == 1, QK_E_STATE);
    QK_ENSURE(s->e_net == 0 && s->e_del == 0, QK_E_STATE);
    QK_ENSURE(memcmp(s->rec, none, 32) == 0, QK_E_STATE);
    return QK_OK;
}

/* The roles of document 50 section 3 and of everything else. */
static const char *known_role(const struct mpc_session *s, const char *role)
{
    if (strcmp(role, MPC_L_DKG) == 0) return MPC_L_DKG;
    bool fits = s->curve == MPC_P256 && s->access == 0;
    return fits && strcmp(role, MPC_L_SYM_V) == 0 ? MPC_L_SYM_V : NULL;
}

qk_err mpc_dkg_start_role(
    struct mpc_party **out, const struct mpc_session *session, const char *role, struct qk_rng *rng)
{
    QK_TRY(check_session(session));
    QK_ENSURE(known_role(session, role) != NULL, QK_E_STATE);
    struct mpc_party *party;
    QK_TRY(mpc_engine_new(&party, &dkg, session, rng));
    ((struct mpc_dkg *)party->state)->role = known_role(session, role);
    qk_err err = mpc_engine_begin(party);
    if (err != QK_OK) {
        mpc_party_free(party);
        return err;
    }
    *out = party;
    return QK_OK;
}

qk_err mpc_dkg_start(struct mpc_party **out, const struct mpc_session *session, struct qk_rng *rng)
{
    return mpc_dkg_start_role(out, session, MPC_L_DKG, rng);
}

qk_err mpc_dkg_take(
    struct mpc_party *party, struct mpc_key_share *share, struct mpc_key_record *record)
{
    struct mpc_dkg *st = mpc_engine_result(party, MPC_PROTO_DKG);
    QK_ENSURE(st && !st->taken, QK_E_STATE);
    *share = st->share;
    *record = st->record;
    mpc_key_share_wipe(&st->share);
    st->taken = true;
    return QK_OK;
}
