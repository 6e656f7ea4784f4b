/* Bodies: exact encoding, storage, echo hashes. */
#include "session/engine.h"
#include "session/internal.h"

#include "qk/pack.h"

size_t mpc_len_16(const struct mpc_party *party)
{
    (void)party;
    return 16;
}
size_t mpc_len_32(const struct mpc_party *party)
{
    (void)party;
    return 32;
}
size_t mpc_len_64(const struct mpc_party *party)
{
    (void)party;
    return 64;
}
size_t mpc_len_scalar(const struct mpc_party *party)
{
    return party->curve->lq;
}
size_t mpc_len_point(const struct mpc_party *party)
{
    return party->curve->pt;
}
size_t mpc_len_points_t(const struct mpc_party *party)
{
    return (size_t)party->s.t * party->curve->pt;
}

int mpc_engine_index(const struct mpc_party *party, uint16_t id)
{
    for (size_t i = 0; i < party->s.n_peers; i++)
        if (party->s.peers[i].id == id) return (int)i;
    return -1;
}

uint8_t mpc_engine_class(const struct mpc_party *party, uint16_t id)
{
    if (party->def->class_of) return party->def->class_of(party, id);
    return id == MPC_DELEGATE ? MPC_CLASS_DELEGATE : MPC_CLASS_NODE;
}

const struct mpc_row *mpc_engine_row(
    const struct mpc_party *party, unsigned round, enum mpc_way way, uint16_t from)
{
    uint8_t cls = mpc_engine_class(party, from);
    for (size_t i = 0; i < party->def->n_rows; i++) {
        const struct mpc_row *row = &party->def->rows[i];
        if (row->round == round && row->way == way && (row->from & cls)) return row;
    }
    return NULL;
}

bool mpc_engine_expects(
    const struct mpc_party *party, unsigned round, enum mpc_way way, uint16_t from, uint16_t to)
{
    const struct mpc_row *row = mpc_engine_row(party, round, way, from);
    return row && from != to && (row->to & mpc_engine_class(party, to));
}

/* The lengths are known before the first byte is read, so nothing hostile is ever allocated for. */
qk_err mpc_body_parse(const struct mpc_party *party, const struct mpc_row *row, struct qk_bytes in,
    struct qk_bytes *fields)
{
    struct qk_unpack u = qk_unpack(in);
    QK_TRY(qk_unpack_map(&u, row->n_fields));
    for (size_t k = 0; k < row->n_fields; k++) {
        size_t len = row->fields[k].len(party);
        QK_TRY(qk_unpack_key_bin(&u, row->fields[k].key, len, len, &fields[k]));
    }
    return qk_unpack_end(&u);
}

qk_err mpc_body_encode(const struct mpc_party *party, const struct mpc_row *row,
    const struct qk_bytes *fields, struct qk_buf *out)
{
    qk_pack_map(out, row->n_fields);
    for (size_t k = 0; k < row->n_fields; k++) {
        QK_ENSURE(fields[k].len == row->fields[k].len(party), QK_E_STATE);
        qk_pack_key_bin(out, row->fields[k].key, fields[k]);
    }
    return out->err;
}

/* H32("bc"; what enters the echo): the body, or the one-field body of the shared field. */
static qk_err echo_hash(const struct mpc_row *row, struct qk_bytes body,
    const struct qk_bytes *fields, uint8_t out[static 32])
{
    if (row->way == MPC_TO_ALL) return mpc_h32(out, MPC_L_BC, MPC_FIELDS(body));
    QK_AUTO_BUF one = QK_BUF(MPC_FRAME_MAX);
    qk_pack_map(&one, 1);
    qk_pack_key_bin(&one, row->fields[row->echo].key, fields[row->echo]);
    QK_TRY(one.err);
    return mpc_h32(out, MPC_L_BC, MPC_FIELDS(qk_buf_view(&one)));
}

qk_err mpc_echo_note(struct mpc_party *party, const struct mpc_row *row, size_t ix,
    struct qk_bytes body, const struct qk_bytes *fields)
{
    if (row->way == MPC_TO_ONE && row->echo == MPC_NO_ECHO) return QK_OK;
    uint8_t hash[32];
    QK_TRY(echo_hash(row, body, fields, hash));
    uint8_t *at = party->bc[row->round][ix];
    if (party->bc_have[row->round][ix]) {
        QK_ENSURE(memcmp(at, hash, 32) == 0, QK_E_STATE); /* we would equivocate ourselves */
        return QK_OK;
    }
    memcpy(at, hash, 32);
    party->bc_have[row->round][ix] = true;
    return QK_OK;
}

/* Does this party broadcast (or half-broadcast) in round r? */
static bool enters_echo(const struct mpc_party *party, unsigned r, uint16_t id)
{
    if (mpc_engine_row(party, r, MPC_TO_ALL, id)) return true;
    const struct mpc_row *row = mpc_engine_row(party, r, MPC_TO_ONE, id);
    return row && row->echo != MPC_NO_ECHO;
}

qk_err mpc_engine_echo(struct mpc_party *party, unsigned r, uint8_t out[static 32])
{
    QK_ENSURE(r >= 1 && r < MPC_ROUNDS_MAX, QK_E_STATE);
    uint32_t n = 0;
    for (size_t i = 0; i < party->s.n_peers; i++) {
        bool enters = enters_echo(party, r, party->s.peers[i].id);
        QK_ENSURE(!enters || party->bc_have[r][i], QK_E_STATE);
        n += enters;
    }
    struct mpc_hasher h;
    uint8_t full[64];
    QK_TRY(mpc_hasher_begin(&h, MPC_L_ECHO, 2 + 2 * n));
    mpc_hasher_field(&h, QK_BYTES(party->sid));
    mpc_hasher_field(&h, MPC_U8(r));
    for (size_t i = 0; i < party->s.n_peers; i++) {
        if (!enters_echo(party, r, party->s.peers[i].id)) continue;
        mpc_hasher_field(&h, MPC_U16(party->s.peers[i].id));
        mpc_hasher_field(&h, QK_BYTES(party->bc[r][i]));
    }
    QK_TRY(mpc_hasher_end(&h, full));
    memcpy(out, full, 32);
    return QK_OK;
}

qk_err mpc_engine_check_echo(struct mpc_party *party, unsigned r, struct qk_bytes theirs)
{
    uint8_t mine[32];
    QK_TRY(mpc_engine_echo(party, r, mine));
    if (!qk_bytes_eq(theirs, QK_BYTES(mine))) return mpc_fail_n(party, "C-9", QK_E_MISMATCH);
    return QK_OK;
}

struct qk_bytes mpc_engine_field(
    const struct mpc_party *party, unsigned round, size_t ix, enum mpc_way way, size_t k)
{
    if (round >= MPC_ROUNDS_MAX || ix >= party->s.n_peers || k >= MPC_FIELDS_MAX)
        return qk_bytes(NULL, 0);
    const struct mpc_msg *msg = party->seen[round][ix][way].msg;
    return msg ? msg->field[k] : qk_bytes(NULL, 0);
}

void mpc_msg_free(struct mpc_msg *msg)
{
    if (!msg) return;
    qk_buf_free(&msg->body);
    OPENSSL_clear_free(msg, sizeof *msg);
}

qk_err mpc_msg_new(struct mpc_msg **out, const struct mpc_party *party, const struct mpc_row *row,
    struct qk_bytes body)
{
    struct mpc_msg *msg = OPENSSL_zalloc(sizeof *msg);
    QK_ENSURE(msg, QK_E_NOMEM);
    msg->body = (struct qk_buf)QK_BUF_SECRET(MPC_FRAME_MAX);
    qk_buf_add(&msg->body, body.p, body.len);
    qk_err err = msg->body.err;
    if (err == QK_OK) err = mpc_body_parse(party, row, qk_buf_view(&msg->body), msg->field);
    if (err != QK_OK) {
        mpc_msg_free(msg);
        return err;
    }
    *out = msg;
    return QK_OK;
}
