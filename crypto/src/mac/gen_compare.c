/* Two short sessions. "macimp": the nodes compare what an importer dealt them. "macst": what the
 * three evaluators found in the self-test becomes part of the record at all nodes. */
#include "mac/gen.h"

static const struct mpc_field pc_fields[] = {{"pc", mac_len_pc}, {"ist", mac_len_ist_hash}};
static const struct mpc_field st_fields[] = {{"st", mpc_len_32}};
static const struct mpc_field result_fields[] = {{"echo1", mpc_len_32}, {"V", mpc_len_32}};

#define FIELDS(list) (list), QK_COUNT(list)
#define ALL          MPC_CLASS_ANY, MPC_CLASS_ANY, MPC_NO_ECHO

/* ---- what both end with ---- */

static qk_err send_result(struct mpc_party *party, size_t row)
{
    const struct mac_made *made = party->state;
    uint8_t echo[32];
    QK_TRY(mpc_engine_echo(party, 1, echo));
    struct qk_bytes fields[] = {[RESULT_ECHO] = QK_BYTES(echo), [RESULT_V] = QK_BYTES(made->v)};
    return mpc_engine_send(party, row, 0, fields);
}

static qk_err agree(struct mpc_party *party)
{
    for (size_t i = 0; i < party->s.n_peers; i++)
        if (i != party->self_ix)
            QK_TRY(mpc_engine_check_echo(
                party, 1, mpc_engine_field(party, 2, i, MPC_TO_ALL, RESULT_ECHO)));
    return mac_made_agree(party, 2, RESULT_V, "M-13");
}

static qk_err start(struct mpc_party **out, const struct mpc_proto_def *def,
    const struct mpc_session *session, const struct mac_made *made, struct qk_rng *rng)
{
    QK_TRY(mpc_engine_new(out, def, session, rng));
    *(struct mac_made *)(*out)->state = *made;
    return QK_OK;
}

static qk_err begin(struct mpc_party **out, struct mpc_party *party)
{
    qk_err err = mpc_engine_begin(party);
    if (err != QK_OK) {
        mpc_party_free(party);
        return err;
    }
    *out = party;
    return QK_OK;
}

/* ---- macimp ---- */

static qk_err imp_tell(struct mpc_party *party)
{
    return mac_made_tell(party, IMP_PC);
}

static qk_err imp_compare(struct mpc_party *party)
{
    struct mac_made *made = party->state;
    memcpy(made->record.sid, party->sid, 32);
    QK_TRY(mac_made_compare(party, 1));
    return send_result(party, IMP_RESULT);
}

static const struct mpc_row imp_rows[] = {
    [IMP_PC] = {1, MPC_TO_ALL, ALL, FIELDS(pc_fields)},
    [IMP_RESULT] = {2, MPC_TO_ALL, ALL, FIELDS(result_fields)},
};
static qk_err (*const imp_rounds[])(struct mpc_party *) = {imp_tell, imp_compare, agree};

static const struct mpc_proto_def macimp = {
    .proto = MPC_PROTO_MAC_GEN,
    .name = "macimp",
    .rows = imp_rows,
    .n_rows = QK_COUNT(imp_rows),
    .rounds = imp_rounds,
    .n_rounds = QK_COUNT(imp_rounds),
    .state_len = sizeof(struct mac_made),
};

qk_err mac_imp_start(struct mpc_party **out, const struct mpc_session *session,
    const struct mac_made *made, struct qk_rng *rng)
{
    struct mpc_party *party;
    QK_TRY(start(&party, &macimp, session, made, rng));
    return begin(out, party);
}

/* ---- macst ---- */

static bool tested(const struct mpc_party *party, size_t ix)
{
    return mac_class_of(party, party->s.peers[ix].id) != MAC_CLASS_OUT;
}

/* A node outside the three says zeros: who says nothing in a round lets others run ahead of it. */
static qk_err st_tell(struct mpc_party *party)
{
    const struct mac_st *st = party->state;
    return mpc_engine_send(party, ST_TELL, 0, &QK_BYTES(st->st));
}

/* Three evaluators, three pairs of garblers, one value; with material that was here before, or that
 * a dealer vouches for, that value. */
static qk_err st_compare(struct mpc_party *party)
{
    struct mac_st *st = party->state;
    const uint8_t *want = st->known ? st->want : NULL;
    for (size_t i = 0; i < party->s.n_peers; i++) {
        if (!tested(party, i)) continue;
        struct qk_bytes got = mpc_engine_field(party, 1, i, MPC_TO_ALL, 0);
        if (want == NULL) want = got.p;
        if (memcmp(got.p, want, 32) != 0) return mpc_fail_n(party, "M-13", QK_E_MISMATCH);
    }
    QK_ENSURE(want != NULL, QK_E_STATE);
    memcpy(st->made.record.st, want, 32);
    QK_TRY(mpc_mac_record_hash(&st->made.record, st->made.v));
    return send_result(party, ST_RESULT);
}

static const struct mpc_row st_rows[] = {
    [ST_TELL] = {1, MPC_TO_ALL, ALL, FIELDS(st_fields)},
    [ST_RESULT] = {2, MPC_TO_ALL, ALL, FIELDS(result_fields)},
};
static qk_err (*const st_rounds[])(struct mpc_party *) = {st_tell, st_compare, agree};

static const struct mpc_proto_def macst = {
    .proto = MPC_PROTO_MAC_GEN,
    .name = "macst",
    .rows = st_rows,
    .n_rows = QK_COUNT(st_rows),
    .rounds = st_rounds,
    .n_rounds = QK_COUNT(st_rounds),
    .state_len = sizeof(struct mac_st),
    .class_of = mac_class_of,
};

qk_err mac_st_start(struct mpc_party **out, const struct mpc_session *session,
    const struct mac_made *made, const uint8_t st[static 32], const uint8_t *want,
    struct qk_rng *rng)
{
    struct mpc_party *party;
    QK_TRY(start(&party, &macst, session, made, rng));
    struct mac_st *state = party->state;
    memcpy(state->st, st, 32);
    state->known = want != NULL;
    if (want != NULL) memcpy(state->want, want, 32);
    return begin(out, party);
}

/* ---- results ---- */

qk_err mac_made_take(struct mpc_party *party, struct mac_made *made)
{
    const struct mac_made *result = mpc_engine_result(party, MPC_PROTO_MAC_GEN);
    QK_ENSURE(result != NULL, QK_E_STATE);
    *made = *result;
    return QK_OK;
}
