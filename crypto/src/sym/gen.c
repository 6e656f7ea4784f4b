/* CNFGEN: replicated keys that no dealer ever saw (document 50 section 2). */
#include "mpc/proof.h"
#include "sym/gen.h"

enum { OPENING = 64 }; /* r || rho */

/* ---- messages ---- */

static size_t len_coms(const struct mpc_party *party)
{
    const struct sym_made *made = party->state;
    return (size_t)made->sets.per_node * 64;
}

static size_t len_openings(const struct mpc_party *party)
{
    const struct sym_gen *st = party->state;
    return st->common * OPENING;
}

static const struct mpc_field com_fields[] = {{"com", len_coms}};
static const struct mpc_field echo_fields[] = {{"echo1", mpc_len_32}};
static const struct mpc_field open_fields[] = {{"open", len_openings}};
static const struct mpc_field kcv_fields[] = {{"echo2", mpc_len_32}, {"kcv", sym_len_kcv}};
static const struct mpc_field result_fields[] = {{"V", mpc_len_32}};

#define FIELDS(list) (list), QK_COUNT(list)
#define ALL          MPC_CLASS_ANY, MPC_CLASS_ANY, MPC_NO_ECHO

static const struct mpc_row rows[] = {
    [GEN_COM] = {1, MPC_TO_ALL, ALL, FIELDS(com_fields)},
    [GEN_ECHO] = {2, MPC_TO_ALL, ALL, FIELDS(echo_fields)},
    [GEN_OPEN] = {2, MPC_TO_ONE, ALL, FIELDS(open_fields)},
    [GEN_KCV] = {3, MPC_TO_ALL, ALL, FIELDS(kcv_fields)},
    [GEN_RESULT] = {4, MPC_TO_ALL, ALL, FIELDS(result_fields)},
};

/* ---- rounds 1 and 2 as a sender ---- */

/* m of Com: u16 a || r. */
static void opening_of(uint8_t out[static 34], size_t a, const uint8_t r[static 32])
{
    qk_put_u16(out, (uint16_t)a);
    memcpy(out + 2, r, 32);
}

static qk_err commit_one(struct mpc_party *party, size_t j, uint8_t com[static 64])
{
    struct sym_gen *st = party->state;
    uint8_t m[34];
    QK_TRY(qk_rng_fill(party->rng, st->r[j], 32));
    QK_TRY(qk_rng_fill(party->rng, st->rho[j], 32));
    opening_of(m, st->made.own[j], st->r[j]);
    qk_err err = mpc_commit(com, party->sid, party->s.self, MPC_L_CNF, QK_BYTES(m), st->rho[j]);
    qk_wipe(m, sizeof m);
    return err;
}

static qk_err commit(struct mpc_party *party)
{
    struct sym_gen *st = party->state;
    uint8_t com[MPC_SYM_SETS_MAX][64];
    for (size_t j = 0; j < st->made.share.n_keys; j++) QK_TRY(commit_one(party, j, com[j]));
    struct qk_bytes field = qk_bytes(com, (size_t)st->made.share.n_keys * 64);
    return mpc_engine_send(party, GEN_COM, 0, &field);
}

static qk_err open_to(struct mpc_party *party, size_t to)
{
    struct sym_gen *st = party->state;
    QK_AUTO_BUF out = QK_BUF_SECRET(MPC_SYM_SETS_MAX * OPENING);
    for (size_t j = 0; j < st->made.share.n_keys; j++) {
        if (!(st->made.sets.members[st->made.own[j]] >> to & 1)) continue;
        qk_buf_add(&out, st->r[j], 32);
        qk_buf_add(&out, st->rho[j], 32);
    }
    QK_TRY(out.err);
    struct qk_bytes field = qk_buf_view(&out);
    return mpc_engine_send(party, GEN_OPEN, party->s.peers[to].id, &field);
}

/* Only now, when everybody's commitments are fixed. */
static qk_err open_all(struct mpc_party *party)
{
    uint8_t echo[32];
    QK_TRY(mpc_engine_echo(party, 1, echo));
    QK_TRY(mpc_engine_send(party, GEN_ECHO, 0, &QK_BYTES(echo)));
    for (size_t i = 0; i < party->s.n_peers; i++)
        if (i != party->self_ix) QK_TRY(open_to(party, i));
    return QK_OK;
}

/* ---- round 2 as a receiver ---- */

/* Where set a stands among the sets of node number ix, or among those it shares with me. */
static size_t place(const struct sym_made *made, size_t a, uint32_t holders)
{
    size_t at = 0;
    for (size_t b = 0; b < a; b++) at += (made->sets.members[b] & holders) == holders;
    return at;
}

static const uint8_t *opening(const struct mpc_party *party, size_t ix, size_t a)
{
    uint32_t both = UINT32_C(1) << ix | UINT32_C(1) << party->self_ix;
    struct qk_bytes f = mpc_engine_field(party, 2, ix, MPC_TO_ONE, 0);
    return f.p + place(party->state, a, both) * OPENING;
}

static qk_err check_opening(struct mpc_party *party, size_t ix, size_t a)
{
    struct qk_bytes coms = mpc_engine_field(party, 1, ix, MPC_TO_ALL, 0);
    const uint8_t *com = coms.p + place(party->state, a, UINT32_C(1) << ix) * 64;
    const uint8_t *r = opening(party, ix, a);
    uint16_t id = party->s.peers[ix].id;
    uint8_t m[34];
    opening_of(m, a, r);
    qk_err err = mpc_commit_verify(com, party->sid, id, MPC_L_CNF, QK_BYTES(m), r + 32);
    qk_wipe(m, sizeof m);
    return qk_peer_fault(err) ? mpc_fail_p(party, id, "S-1", err) : err;
}

/* Every set that the peer and I hold together: my stored copy of its commitment, its r for this
 * very set (check S-1). */
static qk_err check_peer(struct mpc_party *party, size_t ix)
{
    const struct sym_gen *st = party->state;
    for (size_t j = 0; j < st->made.share.n_keys; j++) {
        size_t a = st->made.own[j];
        if (st->made.sets.members[a] >> ix & 1) QK_TRY(check_opening(party, ix, a));
    }
    return QK_OK;
}

qk_err sym_gen_key(uint8_t out[static 32], const uint8_t sid[static 32], size_t a,
    const uint8_t *const *r, size_t n)
{
    MPC_HASHER(h);
    uint8_t full[64];
    QK_TRY(mpc_hasher_begin(&h, MPC_L_CNF_KEY, (uint32_t)(2 + n)));
    mpc_hasher_field(&h, qk_bytes(sid, 32));
    mpc_hasher_field(&h, MPC_U16(a));
    for (size_t i = 0; i < n; i++) mpc_hasher_field(&h, qk_bytes(r[i], 32));
    QK_TRY(mpc_hasher_end(&h, full));
    memcpy(out, full, 32);
    qk_wipe(full, sizeof full);
    return QK_OK;
}

static qk_err derive_key(struct mpc_party *party, size_t j)
{
    struct sym_gen *st = party->state;
    size_t a = st->made.own[j], n = 0;
    const uint8_t *r[MPC_NODES_MAX];
    for (size_t i = 0; i < party->s.n_peers; i++) {
        if (!(st->made.sets.members[a] >> i & 1)) continue;
        r[n++] = i == party->self_ix ? st->r[j] : opening(party, i, a);
    }
    return sym_gen_key(st->made.share.k[j], party->sid, a, r, n);
}

static qk_err send_kcv(struct mpc_party *party)
{
    struct sym_gen *st = party->state;
    uint8_t echo[32], kcv[MPC_SYM_SETS_MAX][32];
    QK_TRY(mpc_engine_echo(party, 2, echo));
    for (size_t j = 0; j < st->made.share.n_keys; j++)
        QK_TRY(sym_kcv(kcv[j], party->sid, st->made.own[j], st->made.share.k[j]));
    struct qk_bytes fields[] = {[GEN_KCV_ECHO] = QK_BYTES(echo),
        [GEN_KCV_LIST] = qk_bytes(kcv, (size_t)st->made.share.n_keys * 32)};
    return mpc_engine_send(party, GEN_KCV, 0, fields);
}

static qk_err derive(struct mpc_party *party)
{
    struct sym_gen *st = party->state;
    for (size_t i = 0; i < party->s.n_peers; i++)
        if (i != party->self_ix)
            QK_TRY(mpc_engine_check_echo(party, 1, mpc_engine_field(party, 2, i, MPC_TO_ALL, 0)));
    for (size_t i = 0; i < party->s.n_peers; i++)
        if (i != party->self_ix) QK_TRY(check_peer(party, i));
    for (size_t j = 0; j < st->made.share.n_keys; j++) QK_TRY(derive_key(party, j));
    qk_wipe(st->r, sizeof st->r);
    qk_wipe(st->rho, sizeof st->rho);
    return send_kcv(party);
}

/* ---- rounds 3 and 4 ---- */

static qk_err make_record(struct mpc_party *party)
{
    struct sym_gen *st = party->state;
    for (size_t i = 0; i < party->s.n_peers; i++)
        if (i != party->self_ix)
            QK_TRY(mpc_engine_check_echo(
                party, 2, mpc_engine_field(party, 3, i, MPC_TO_ALL, GEN_KCV_ECHO)));
    QK_TRY(sym_made_kcv(party, 3, GEN_KCV_LIST, "S-1", true));
    memcpy(st->made.record.sid, party->sid, 32);
    memcpy(st->made.record.sid_f, party->sid, 32);
    QK_TRY(mpc_sym_record_hash(&st->made.record, st->made.v));
    return mpc_engine_send(party, GEN_RESULT, 0, &QK_BYTES(st->made.v));
}

static qk_err agree(struct mpc_party *party)
{
    return sym_made_agree(party, 4, 0, "S-1");
}

static qk_err (*const rounds[])(struct mpc_party *) = {
    commit, open_all, derive, make_record, agree};

static const struct mpc_proto_def cnfgen = {
    .proto = MPC_PROTO_SYM_GEN,
    .name = "cnfgen",
    .rows = rows,
    .n_rows = QK_COUNT(rows),
    .rounds = rounds,
    .n_rounds = QK_COUNT(rounds),
    .state_len = sizeof(struct sym_gen),
};

/* ---- start, take ---- */

/* The DKG's result is about the same nodes and version, and bound into the session by its hash. */
static qk_err take_v(
    struct sym_made *made, const struct mpc_session *s, const struct mpc_sym_spec *spec)
{
    static const uint8_t none[32];
    uint8_t hash[32];
    const struct mpc_key_record *v = spec->v;
    QK_ENSURE((v != NULL) == ((spec->modes & MPC_SYM_V) != 0), QK_E_STATE);
    if (v == NULL) {
        QK_ENSURE(memcmp(s->rec, none, 32) == 0, QK_E_STATE);
        return QK_OK;
    }
    QK_ENSURE(v->curve == MPC_P256 && v->access == 0 && v->e_net == 1, QK_E_STATE);
    QK_ENSURE(v->t == s->t && v->n == s->n_peers, QK_E_STATE);
    QK_ENSURE(memcmp(v->key_id, s->key_id, 16) == 0, QK_E_STATE);
    for (size_t i = 0; i < v->n; i++) {
        QK_ENSURE(v->nodes[i].id == s->peers[i].id, QK_E_STATE);
        QK_ENSURE(memcmp(v->nodes[i].idh, s->peers[i].idh, 32) == 0, QK_E_STATE);
        memcpy(made->record.big_s[i], v->big_x[i], 33);
    }
    memcpy(made->record.pk, v->pk, 33);
    QK_TRY(mpc_record_hash(v, hash));
    return memcmp(hash, s->rec, 32) == 0 ? QK_OK : QK_E_STATE;
}

static qk_err prepare(
    struct sym_gen *st, const struct mpc_session *s, const struct mpc_sym_spec *spec)
{
    QK_ENSURE((spec->modes & MPC_SYM_F) && s->e_net == 0, QK_E_STATE);
    QK_TRY(sym_made_init(&st->made, s, spec));
    QK_TRY(take_v(&st->made, s, spec));
    st->common = place(&st->made, st->made.sets.d, 3); /* nodes 0 and 1 stand for any two */
    return QK_OK;
}

qk_err mpc_cnfgen_start(struct mpc_party **out, const struct mpc_session *session,
    const struct mpc_sym_spec *spec, struct qk_rng *rng)
{
    struct mpc_party *party;
    QK_TRY(mpc_engine_new(&party, &cnfgen, session, rng));
    qk_err err = prepare(party->state, session, spec);
    if (err == QK_OK) err = mpc_engine_begin(party);
    if (err != QK_OK) {
        mpc_party_free(party);
        return err;
    }
    *out = party;
    return QK_OK;
}

qk_err mpc_cnfgen_take(struct mpc_party *party, const struct mpc_key_share *v,
    struct mpc_sym_share *share, struct mpc_sym_record *record)
{
    QK_ENSURE(party->def == &cnfgen, QK_E_STATE);
    struct sym_gen *st = mpc_engine_result(party, MPC_PROTO_SYM_GEN);
    QK_ENSURE(st != NULL, QK_E_STATE);
    QK_ENSURE((v != NULL) == ((st->made.record.modes & MPC_SYM_V) != 0), QK_E_STATE);
    if (v != NULL) st->made.share.v = *v;
    QK_TRY(mpc_sym_share_check(&st->made.share, &st->made.record));
    return sym_made_take(&st->made, share, record);
}
