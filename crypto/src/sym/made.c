/* What CNFGEN and import have in common: the version they make, kcv and V. */
#include "sym/gen.h"

#include "mpc/record.h"
#include "mpc/transcript.h"

size_t sym_len_kcv(const struct mpc_party *party)
{
    const struct sym_made *made = party->state;
    return (size_t)made->sets.per_node * 32;
}

static qk_err check_spec(const struct mpc_session *s, const struct mpc_sym_spec *spec)
{
    uint8_t id[16];
    QK_TRY(mpc_session_check(s));
    QK_ENSURE(s->curve == MPC_P256 && s->access == 0 && s->e_del == 0, QK_E_STATE);
    QK_ENSURE(s->t >= 2 && s->t <= s->n_peers && s->n_peers <= MPC_NODES_MAX, QK_E_STATE);
    QK_ENSURE(spec->ver >= 1, QK_E_STATE);
    QK_ENSURE(spec->modes >= MPC_SYM_F && spec->modes <= MPC_SYM_FV, QK_E_STATE);
    QK_TRY(mpc_sym_version_id(id, spec->key_id, spec->ver));
    QK_ENSURE(memcmp(id, s->key_id, sizeof id) == 0, QK_E_STATE);
    return QK_OK;
}

qk_err sym_made_init(
    struct sym_made *made, const struct mpc_session *s, const struct mpc_sym_spec *spec)
{
    QK_TRY(check_spec(s, spec));
    struct mpc_sym_record *rec = &made->record;
    *rec = (struct mpc_sym_record){
        .ver = spec->ver, .modes = spec->modes, .t = s->t, .n = s->n_peers, .e_net = s->e_net + 1};
    memcpy(rec->key_id, spec->key_id, sizeof rec->key_id);
    memcpy(rec->nodes, s->peers, s->n_peers * sizeof *s->peers);
    made->share.self = s->self;
    if (!(spec->modes & MPC_SYM_F)) return QK_OK;
    QK_TRY(mpc_sym_sets_make(&made->sets, rec->n, rec->t));
    rec->n_sets = made->sets.d;
    size_t ix = (size_t)sym_node_index(rec, s->self);
    made->share.n_keys = (uint16_t)sym_own_sets(&made->sets, ix, made->own);
    return QK_OK;
}

const uint8_t *sym_kcv_of(const struct sym_made *made, struct qk_bytes list, size_t ix, size_t a)
{
    size_t at = 0;
    for (size_t b = 0; b < a; b++) at += made->sets.members[b] >> ix & 1;
    return list.p + at * 32;
}

/* One set: the first holder's kcv, or mine if I am one, is what the others must announce. */
static qk_err one_kcv(
    struct mpc_party *party, unsigned round, size_t k, size_t a, const char *check, bool blame)
{
    struct sym_made *made = party->state;
    const uint8_t *want = NULL;
    bool mine = made->sets.members[a] >> party->self_ix & 1;
    if (mine)
        want = sym_kcv_of(
            made, mpc_engine_field(party, round, party->self_ix, MPC_TO_ALL, k), party->self_ix, a);
    for (size_t j = 0; j < party->s.n_peers; j++) {
        if (!(made->sets.members[a] >> j & 1)) continue;
        const uint8_t *got =
            sym_kcv_of(made, mpc_engine_field(party, round, j, MPC_TO_ALL, k), j, a);
        if (want == NULL) want = got;
        if (memcmp(want, got, 32) == 0) continue;
        if (mine && blame) return mpc_fail_p(party, party->s.peers[j].id, check, QK_E_PROOF);
        return mpc_fail_n(party, check, QK_E_MISMATCH);
    }
    memcpy(made->record.kcv[a], want, 32);
    return QK_OK;
}

qk_err sym_made_kcv(
    struct mpc_party *party, unsigned round, size_t k, const char *check, bool blame)
{
    const struct sym_made *made = party->state;
    for (size_t a = 0; a < made->sets.d; a++) QK_TRY(one_kcv(party, round, k, a, check, blame));
    return QK_OK;
}

qk_err sym_made_agree(struct mpc_party *party, unsigned round, size_t k, const char *check)
{
    const struct sym_made *made = party->state;
    for (size_t j = 0; j < party->s.n_peers; j++) {
        struct qk_bytes v = mpc_engine_field(party, round, j, MPC_TO_ALL, k);
        if (!qk_bytes_eq(v, QK_BYTES(made->v))) return mpc_fail_n(party, check, QK_E_MISMATCH);
    }
    mpc_engine_done(party);
    return QK_OK;
}

qk_err sym_made_take(
    struct sym_made *made, struct mpc_sym_share *share, struct mpc_sym_record *record)
{
    QK_ENSURE(!made->taken, QK_E_STATE);
    *share = made->share;
    *record = made->record;
    mpc_sym_share_wipe(&made->share);
    made->taken = true;
    return QK_OK;
}

static qk_err check_v(const struct mpc_sym_spec *spec)
{
    uint8_t id[16];
    const struct mpc_key_record *v = spec->v;
    QK_ENSURE(v != NULL && v->curve == MPC_P256 && v->access == 0 && v->e_net == 1, QK_E_STATE);
    QK_TRY(mpc_sym_version_id(id, spec->key_id, spec->ver));
    QK_ENSURE(memcmp(id, v->key_id, sizeof id) == 0, QK_E_STATE);
    return QK_OK;
}

qk_err mpc_sym_from_dkg(const struct mpc_sym_spec *spec, const struct mpc_key_share *v,
    struct mpc_sym_share *share, struct mpc_sym_record *record)
{
    QK_ENSURE(spec->modes == MPC_SYM_V && spec->ver >= 1, QK_E_STATE);
    QK_TRY(check_v(spec));
    struct mpc_sym_record rec = {.ver = spec->ver,
        .modes = MPC_SYM_V,
        .t = spec->v->t,
        .n = spec->v->n,
        .e_net = spec->v->e_net};
    memcpy(rec.key_id, spec->key_id, sizeof rec.key_id);
    memcpy(rec.nodes, spec->v->nodes, sizeof rec.nodes);
    for (size_t i = 0; i < rec.n; i++) memcpy(rec.big_s[i], spec->v->big_x[i], 33);
    memcpy(rec.pk, spec->v->pk, 33);
    memcpy(rec.sid, spec->v->sid, 32);
    MPC_SYM_SHARE(made);
    made.self = v->self;
    made.v = *v;
    QK_TRY(mpc_sym_share_check(&made, &rec));
    *share = made;
    *record = rec;
    return QK_OK;
}
