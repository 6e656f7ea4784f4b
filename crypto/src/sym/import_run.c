/* The nodes agree that they were dealt parts of one key. Two rounds after the nonces: everybody
 * says what is public about its part, and then what record follows. The dealer is no party to it.
 */
#include "sym/gen.h"

enum { PT = 33 };

static const char check[] = "S-21";

static size_t len_commitments(const struct mpc_party *party)
{
    const struct sym_made *made = party->state;
    return made->record.modes & MPC_SYM_V ? (size_t)party->s.t * PT : 0;
}

static const struct mpc_field tell_fields[] = {{"C", len_commitments}, {"kcv", sym_len_kcv}};
static const struct mpc_field result_fields[] = {{"echo1", mpc_len_32}, {"V", mpc_len_32}};

#define FIELDS(list) (list), QK_COUNT(list)
#define ALL          MPC_CLASS_ANY, MPC_CLASS_ANY, MPC_NO_ECHO

static const struct mpc_row rows[] = {
    [IMP_TELL] = {1, MPC_TO_ALL, ALL, FIELDS(tell_fields)},
    [IMP_RESULT] = {2, MPC_TO_ALL, ALL, FIELDS(result_fields)},
};

/* ---- round 1: what is public about my part ---- */

static const uint8_t *sid_of_kcv(const struct mpc_party *party)
{
    const struct sym_import *st = party->state;
    return st->again ? st->old.sid_f : party->sid;
}

static qk_err tell(struct mpc_party *party)
{
    struct sym_import *st = party->state;
    uint8_t kcv[MPC_SYM_SETS_MAX][32];
    for (size_t j = 0; j < st->part.share.n_keys; j++)
        QK_TRY(sym_kcv(kcv[j], sid_of_kcv(party), st->made.own[j], st->part.share.k[j]));
    struct qk_bytes fields[] = {
        [IMP_TELL_C] = qk_bytes(st->part.commitments, len_commitments(party)),
        [IMP_TELL_KCV] = qk_bytes(kcv, (size_t)st->part.share.n_keys * 32)};
    return mpc_engine_send(party, IMP_TELL, 0, fields);
}

/* ---- the checks, the record, V ---- */

/* The commitments are those everybody got. */
static qk_err same_commitments(struct mpc_party *party)
{
    struct qk_bytes mine = mpc_engine_field(party, 1, party->self_ix, MPC_TO_ALL, IMP_TELL_C);
    for (size_t j = 0; j < party->s.n_peers; j++)
        if (!qk_bytes_eq(mine, mpc_engine_field(party, 1, j, MPC_TO_ALL, IMP_TELL_C)))
            return mpc_fail_n(party, check, QK_E_MISMATCH);
    return QK_OK;
}

static qk_err eval_points(
    struct mpc_party *party, const struct mpc_point *c, struct mpc_sym_record *rec)
{
    MPC_POINT(p);
    QK_TRY(mpc_point_init(&p, c->c));
    for (size_t m = 0; m < rec->n; m++) {
        QK_TRY(mpc_point_poly_eval_var(&p, c, rec->t, rec->nodes[m].id));
        if (mpc_point_is_infinity(&p)) return mpc_fail_n(party, check, QK_E_MISMATCH);
        QK_TRY(mpc_point_encode(rec->big_s[m], &p));
    }
    return mpc_point_encode(rec->pk, &c[0]);
}

static qk_err decode_and_eval(
    struct mpc_party *party, struct mpc_point *c, struct mpc_sym_record *rec)
{
    const struct sym_import *st = party->state;
    for (size_t k = 0; k < rec->t; k++) {
        QK_TRY(mpc_point_init(&c[k], party->curve));
        qk_err err = mpc_point_decode_var(&c[k], QK_BYTES(st->part.commitments[k]));
        if (qk_peer_fault(err)) return mpc_fail_n(party, check, QK_E_MISMATCH);
        QK_TRY(err);
    }
    return eval_points(party, c, rec);
}

/* S_m of every node; mine is checked against my share by mpc_sym_share_check below. */
static qk_err make_points(struct mpc_party *party)
{
    struct sym_import *st = party->state;
    struct mpc_point c[MPC_NODES_MAX] = {0};
    qk_err err = decode_and_eval(party, c, &st->made.record);
    for (size_t k = 0; k < MPC_NODES_MAX; k++) mpc_point_clear(&c[k]);
    return err;
}

static qk_err compare_old(struct mpc_party *party)
{
    const struct sym_import *st = party->state;
    const struct mpc_sym_record *rec = &st->made.record;
    bool same =
        memcmp(rec->kcv, st->old.kcv, sizeof rec->kcv) == 0 && memcmp(rec->pk, st->old.pk, PT) == 0;
    return !st->again || same ? QK_OK : mpc_fail_n(party, check, QK_E_MISMATCH);
}

static qk_err make_record(struct mpc_party *party)
{
    struct sym_import *st = party->state;
    QK_TRY(same_commitments(party));
    QK_TRY(sym_made_kcv(party, 1, IMP_TELL_KCV, check, false));
    if (st->made.record.modes & MPC_SYM_V) QK_TRY(make_points(party));
    QK_TRY(compare_old(party));
    memcpy(st->made.record.sid, party->sid, 32);
    if (st->made.record.modes & MPC_SYM_F) memcpy(st->made.record.sid_f, sid_of_kcv(party), 32);
    st->made.share = st->part.share;
    mpc_sym_part_wipe(&st->part);
    if (mpc_sym_share_check(&st->made.share, &st->made.record) != QK_OK)
        return mpc_fail_n(party, check, QK_E_MISMATCH);
    return mpc_sym_record_hash(&st->made.record, st->made.v);
}

static qk_err check_and_send(struct mpc_party *party)
{
    struct sym_import *st = party->state;
    uint8_t echo[32];
    QK_TRY(make_record(party));
    QK_TRY(mpc_engine_echo(party, 1, echo));
    struct qk_bytes fields[] = {
        [IMP_RESULT_ECHO] = QK_BYTES(echo), [IMP_RESULT_V] = QK_BYTES(st->made.v)};
    return mpc_engine_send(party, IMP_RESULT, 0, fields);
}

static qk_err agree(struct mpc_party *party)
{
    for (size_t j = 0; j < party->s.n_peers; j++)
        if (j != party->self_ix)
            QK_TRY(mpc_engine_check_echo(
                party, 1, mpc_engine_field(party, 2, j, MPC_TO_ALL, IMP_RESULT_ECHO)));
    return sym_made_agree(party, 2, IMP_RESULT_V, check);
}

static qk_err (*const rounds[])(struct mpc_party *) = {tell, check_and_send, agree};

static const struct mpc_proto_def cnfimp = {
    .proto = MPC_PROTO_SYM_GEN,
    .name = "cnfimp",
    .rows = rows,
    .n_rows = QK_COUNT(rows),
    .rounds = rounds,
    .n_rounds = QK_COUNT(rounds),
    .state_len = sizeof(struct sym_import),
};

/* ---- start, take ---- */

static qk_err check_old(
    const struct mpc_sym_record *old, const struct mpc_session *s, const struct mpc_sym_record *rec)
{
    uint8_t hash[32];
    QK_TRY(mpc_sym_record_hash(old, hash));
    QK_ENSURE(memcmp(hash, s->rec, 32) == 0 && old->e_net == s->e_net, QK_E_STATE);
    QK_ENSURE(memcmp(old->key_id, rec->key_id, 16) == 0 && old->ver == rec->ver, QK_E_STATE);
    QK_ENSURE(old->modes == rec->modes && old->t == rec->t && old->n == rec->n, QK_E_STATE);
    for (size_t i = 0; i < rec->n; i++) QK_ENSURE(old->nodes[i].id == rec->nodes[i].id, QK_E_STATE);
    return QK_OK;
}

static qk_err check_part(const struct sym_made *made, const struct mpc_sym_part *part)
{
    bool v = made->record.modes & MPC_SYM_V;
    QK_ENSURE(part->t == made->record.t && part->share.self == made->share.self, QK_E_STATE);
    QK_ENSURE(part->share.n_keys == made->share.n_keys, QK_E_STATE);
    QK_ENSURE((part->share.v.curve != 0) == v, QK_E_STATE);
    return QK_OK;
}

static qk_err prepare(struct sym_import *st, const struct mpc_session *s,
    const struct mpc_sym_spec *spec, const struct mpc_sym_record *old,
    const struct mpc_sym_part *part)
{
    static const uint8_t none[32];
    QK_ENSURE(spec->v == NULL, QK_E_STATE);
    QK_TRY(sym_made_init(&st->made, s, spec));
    QK_TRY(check_part(&st->made, part));
    st->part = *part;
    st->again = old != NULL;
    if (old == NULL) {
        QK_ENSURE(s->e_net == 0 && memcmp(s->rec, none, 32) == 0, QK_E_STATE);
        return QK_OK;
    }
    QK_TRY(check_old(old, s, &st->made.record));
    st->old = *old;
    return QK_OK;
}

qk_err mpc_sym_import_start(struct mpc_party **out, const struct mpc_session *session,
    const struct mpc_sym_spec *spec, const struct mpc_sym_record *old,
    const struct mpc_sym_part *part, struct qk_rng *rng)
{
    struct mpc_party *party;
    QK_TRY(mpc_engine_new(&party, &cnfimp, session, rng));
    qk_err err = prepare(party->state, session, spec, old, part);
    if (err == QK_OK) err = mpc_engine_begin(party);
    if (err != QK_OK) {
        mpc_party_free(party);
        return err;
    }
    *out = party;
    return QK_OK;
}

qk_err mpc_sym_import_take(
    struct mpc_party *party, struct mpc_sym_share *share, struct mpc_sym_record *record)
{
    QK_ENSURE(party->def == &cnfimp, QK_E_STATE);
    struct sym_import *st = mpc_engine_result(party, MPC_PROTO_SYM_GEN);
    QK_ENSURE(st != NULL, QK_E_STATE);
    return sym_made_take(&st->made, share, record);
}
