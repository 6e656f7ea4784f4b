/* "macgen": what the garbled derivation gave E goes to all nodes but G1, who gets ist alone, and
 * becomes their pieces (document 60 section 6, checks M-13 and M-14). Five rounds after the nonces;
 * everybody says something in each, so that nobody is ever two rounds ahead:
 *
 *      1  all: the run's hash;  E to each: ist, y (zeros to G1), digests of E's labels
 *      2  all: echo;            G2 to nodes outside the three: ist, y, as E told it
 *      3  all: pk_j of all pieces it holds, hash of ist
 *      4  all: echo, hash of the record
 */
#include "mac/gen.h"

#include <openssl/crypto.h>

/* ---- messages ---- */

static size_t len_ist(const struct mpc_party *party)
{
    const struct mac_gen *st = party->state;
    return st->ist_len;
}

static size_t len_secret(const struct mpc_party *party)
{
    const struct mac_gen *st = party->state;
    return st->secret_len;
}

static const struct mpc_field run_fields[] = {{"run", mpc_len_32}};
static const struct mpc_field out_fields[] = {
    {"ist", len_ist}, {"ist_d", mpc_len_32}, {"y", len_secret}, {"y_d", mpc_len_32}};
static const struct mpc_field echo_fields[] = {{"echo1", mpc_len_32}};
static const struct mpc_field out2_fields[] = {{"ist", len_ist}, {"y", len_secret}};
static const struct mpc_field pc_fields[] = {{"pc", mac_len_pc}, {"ist", mac_len_ist_hash}};
static const struct mpc_field result_fields[] = {{"echo3", mpc_len_32}, {"V", mpc_len_32}};

#define FIELDS(list) (list), QK_COUNT(list)
#define ALL          MPC_CLASS_ANY, MPC_CLASS_ANY, MPC_NO_ECHO

static const struct mpc_row rows[] = {
    [GEN_RUN] = {1, MPC_TO_ALL, ALL, FIELDS(run_fields)},
    [GEN_OUT] = {1, MPC_TO_ONE, MAC_CLASS_E, MAC_CLASS_G1 | MAC_CLASS_G2 | MAC_CLASS_OUT,
        MPC_NO_ECHO, FIELDS(out_fields)},
    [GEN_ECHO] = {2, MPC_TO_ALL, ALL, FIELDS(echo_fields)},
    [GEN_OUT2] = {2, MPC_TO_ONE, MAC_CLASS_G2, MAC_CLASS_OUT, MPC_NO_ECHO, FIELDS(out2_fields)},
    [GEN_PC] = {3, MPC_TO_ALL, ALL, FIELDS(pc_fields)},
    [GEN_RESULT] = {4, MPC_TO_ALL, ALL, FIELDS(result_fields)},
};

enum { OUT2_IST, OUT2_Y };
enum { PART_IST, PART_Y };

static uint8_t my_class(const struct mpc_party *party)
{
    return mac_class_of(party, party->s.self);
}

/* ---- digests of labels ---- */

static unsigned word_bits(const struct mac_gen *st)
{
    return mac_word_bits(st->made.record.alg);
}

static qk_err digest_ist(uint8_t out[static 32], const struct mac_gen *st, const uint8_t *ist)
{
    return mac_outputs_digest(out, &st->out, PART_IST, ist, word_bits(st), 0, st->ist_len * 8);
}

static qk_err digest_y(uint8_t out[static 32], const struct mac_gen *st, const uint8_t *y)
{
    return mac_outputs_digest(
        out, &st->out, PART_Y, y, word_bits(st), st->ist_len * 8, st->secret_len * 8);
}

/* ---- round 1 ---- */

static qk_err tell_one(struct mpc_party *party, size_t to, const struct qk_bytes *fields)
{
    static const uint8_t none[MPC_MAC_SECRET_MAX];
    const struct mac_gen *st = party->state;
    uint16_t id = party->s.peers[to].id;
    struct qk_bytes f[] = {[GEN_OUT_IST] = fields[GEN_OUT_IST],
        [GEN_OUT_IST_D] = fields[GEN_OUT_IST_D],
        [GEN_OUT_Y] = fields[GEN_OUT_Y],
        [GEN_OUT_Y_D] = fields[GEN_OUT_Y_D]};
    if (mac_class_of(party, id) == MAC_CLASS_G1) { /* it holds all other pieces: y is not for it */
        f[GEN_OUT_Y] = qk_bytes(none, st->secret_len);
        f[GEN_OUT_Y_D] = qk_bytes(none, 32);
    }
    return mpc_engine_send(party, GEN_OUT, id, f);
}

static qk_err tell_outputs(struct mpc_party *party)
{
    const struct mac_gen *st = party->state;
    const uint8_t *ist = st->out.value, *y = st->out.value + st->ist_len;
    uint8_t ist_d[32], y_d[32];
    QK_TRY(digest_ist(ist_d, st, ist));
    QK_TRY(digest_y(y_d, st, y));
    struct qk_bytes fields[] = {[GEN_OUT_IST] = qk_bytes(ist, st->ist_len),
        [GEN_OUT_IST_D] = QK_BYTES(ist_d),
        [GEN_OUT_Y] = qk_bytes(y, st->secret_len),
        [GEN_OUT_Y_D] = QK_BYTES(y_d)};
    for (size_t i = 0; i < party->s.n_peers; i++)
        if (i != party->self_ix) QK_TRY(tell_one(party, i, fields));
    return QK_OK;
}

static void keep_outputs(struct mac_gen *st, const uint8_t *ist, const uint8_t *y)
{
    memcpy(st->made.share.ist, ist, st->ist_len);
    memcpy(st->made.share.piece[st->g1_ix], y, st->secret_len);
}

static qk_err begin(struct mpc_party *party)
{
    struct mac_gen *st = party->state;
    QK_TRY(mpc_engine_send(party, GEN_RUN, 0, &QK_BYTES(st->out.run)));
    if (my_class(party) != MAC_CLASS_E) return QK_OK;
    QK_TRY(tell_outputs(party));
    keep_outputs(st, st->out.value, st->out.value + st->ist_len);
    return QK_OK;
}

/* ---- round 2 ---- */

/* Check M-14: E knows no label but the active one, and so cannot make the digest of another
 * value. Its message is public to nobody, and what it says is no secret of ours: P. */
static qk_err check_label(
    struct mpc_party *party, struct qk_bytes theirs, const uint8_t mine[static 32])
{
    const struct mac_gen *st = party->state;
    if (CRYPTO_memcmp(theirs.p, mine, 32) == 0) return QK_OK;
    return mpc_fail_p(party, st->made.roles.e, "M-14", QK_E_PROOF);
}

static struct qk_bytes from_e(const struct mpc_party *party, size_t k)
{
    const struct mac_gen *st = party->state;
    int ix = mpc_engine_index(party, st->made.roles.e);
    return mpc_engine_field(party, 1, (size_t)ix, MPC_TO_ONE, k);
}

static qk_err check_ist(struct mpc_party *party)
{
    const struct mac_gen *st = party->state;
    uint8_t mine[32];
    QK_TRY(digest_ist(mine, st, from_e(party, GEN_OUT_IST).p));
    return check_label(party, from_e(party, GEN_OUT_IST_D), mine);
}

static qk_err check_y(struct mpc_party *party)
{
    const struct mac_gen *st = party->state;
    uint8_t mine[32];
    QK_TRY(digest_y(mine, st, from_e(party, GEN_OUT_Y).p));
    return check_label(party, from_e(party, GEN_OUT_Y_D), mine);
}

/* What E told me; a garbler checks it, a node outside waits for G2's word. */
static qk_err hear_e(struct mpc_party *party)
{
    struct mac_gen *st = party->state;
    uint8_t class = my_class(party);
    if (class == MAC_CLASS_E) return QK_OK;
    if (class != MAC_CLASS_OUT) QK_TRY(check_ist(party));
    if (class == MAC_CLASS_G2) QK_TRY(check_y(party));
    keep_outputs(st, from_e(party, GEN_OUT_IST).p, from_e(party, GEN_OUT_Y).p);
    if (class == MAC_CLASS_G1) qk_wipe(st->made.share.piece[st->g1_ix], st->secret_len);
    return QK_OK;
}

static qk_err same_run(struct mpc_party *party)
{
    const struct mac_gen *st = party->state;
    for (size_t i = 0; i < party->s.n_peers; i++)
        if (!qk_bytes_eq(mpc_engine_field(party, 1, i, MPC_TO_ALL, 0), QK_BYTES(st->out.run)))
            return mpc_fail_n(party, "M-14", QK_E_MISMATCH);
    return QK_OK;
}

static qk_err pass_on(struct mpc_party *party)
{
    const struct mac_gen *st = party->state;
    const struct mpc_mac_share *share = &st->made.share;
    struct qk_bytes fields[] = {[OUT2_IST] = qk_bytes(share->ist, st->ist_len),
        [OUT2_Y] = qk_bytes(share->piece[st->g1_ix], st->secret_len)};
    for (size_t i = 0; i < party->s.n_peers; i++) {
        uint16_t id = party->s.peers[i].id;
        if (mac_class_of(party, id) != MAC_CLASS_OUT) continue;
        QK_TRY(mpc_engine_send(party, GEN_OUT2, id, fields));
    }
    return QK_OK;
}

static qk_err take_outputs(struct mpc_party *party)
{
    struct mac_gen *st = party->state;
    uint8_t echo[32];
    QK_TRY(same_run(party));
    QK_TRY(hear_e(party));
    qk_wipe(st->out.label, sizeof st->out.label);
    qk_wipe(&st->out.delta, sizeof st->out.delta);
    qk_wipe(st->out.value, sizeof st->out.value);
    QK_TRY(mpc_engine_echo(party, 1, echo));
    QK_TRY(mpc_engine_send(party, GEN_ECHO, 0, &QK_BYTES(echo)));
    return my_class(party) == MAC_CLASS_G2 ? pass_on(party) : QK_OK;
}

/* ---- rounds 3 and 4 ---- */

/* E and G2 told me the same: one of them is honest. */
static qk_err check_second(struct mpc_party *party)
{
    const struct mac_gen *st = party->state;
    size_t g2 = (size_t)mpc_engine_index(party, st->made.roles.g2);
    struct qk_bytes ist = mpc_engine_field(party, 2, g2, MPC_TO_ONE, OUT2_IST);
    struct qk_bytes y = mpc_engine_field(party, 2, g2, MPC_TO_ONE, OUT2_Y);
    int differ = CRYPTO_memcmp(ist.p, st->made.share.ist, st->ist_len);
    differ |= CRYPTO_memcmp(y.p, st->made.share.piece[st->g1_ix], st->secret_len);
    return differ == 0 ? QK_OK : mpc_fail_n(party, "M-14", QK_E_MISMATCH);
}

static qk_err check_echoes(struct mpc_party *party, unsigned of, unsigned in, size_t k)
{
    for (size_t i = 0; i < party->s.n_peers; i++)
        if (i != party->self_ix)
            QK_TRY(mpc_engine_check_echo(party, of, mpc_engine_field(party, in, i, MPC_TO_ALL, k)));
    return QK_OK;
}

static qk_err tell_pieces(struct mpc_party *party)
{
    QK_TRY(check_echoes(party, 1, 2, 0));
    if (my_class(party) == MAC_CLASS_OUT) QK_TRY(check_second(party));
    return mac_made_tell(party, GEN_PC);
}

static qk_err make_record(struct mpc_party *party)
{
    struct mac_gen *st = party->state;
    uint8_t echo[32];
    memcpy(st->made.record.sid, party->sid, 32);
    QK_TRY(mac_made_compare(party, 3));
    QK_TRY(mpc_engine_echo(party, 3, echo));
    struct qk_bytes fields[] = {[RESULT_ECHO] = QK_BYTES(echo), [RESULT_V] = QK_BYTES(st->made.v)};
    return mpc_engine_send(party, GEN_RESULT, 0, fields);
}

static qk_err agree(struct mpc_party *party)
{
    QK_TRY(check_echoes(party, 3, 4, RESULT_ECHO));
    return mac_made_agree(party, 4, RESULT_V, "M-13");
}

static qk_err (*const rounds[])(struct mpc_party *) = {
    begin, take_outputs, tell_pieces, make_record, agree};

static const struct mpc_proto_def macgen = {
    .proto = MPC_PROTO_MAC_GEN,
    .name = "macgen",
    .rows = rows,
    .n_rows = QK_COUNT(rows),
    .rounds = rounds,
    .n_rounds = QK_COUNT(rounds),
    .state_len = sizeof(struct mac_gen),
    .class_of = mac_class_of,
};

/* ---- start ---- */

static qk_err prepare(
    struct mac_gen *st, const struct mac_made *made, const struct mac_outputs *outputs)
{
    const struct mpc_mac_record *rec = &made->record;
    int g1 = mpc_mac_record_index(rec, made->roles.g1);
    QK_ENSURE(g1 >= 0, QK_E_STATE);
    st->made = *made;
    st->out = *outputs;
    st->g1_ix = (size_t)g1;
    st->ist_len = rec->profile == MPC_MAC_N ? mpc_mac_state_len(rec->alg) : 0;
    st->secret_len = mpc_mac_secret_len(rec->alg, rec->profile);
    return QK_OK;
}

qk_err mac_gen_start(struct mpc_party **out, const struct mpc_session *session,
    const struct mac_made *made, const struct mac_outputs *outputs, struct qk_rng *rng)
{
    struct mpc_party *party;
    QK_TRY(mpc_engine_new(&party, &macgen, session, rng));
    qk_err err = prepare(party->state, made, outputs);
    if (err == QK_OK) err = mpc_engine_begin(party);
    if (err != QK_OK) {
        mpc_party_free(party);
        return err;
    }
    *out = party;
    return QK_OK;
}
