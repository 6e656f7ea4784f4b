/* What the sessions of a generation and of an import share: telling and comparing pieces. */
#include "mac/gen.h"

#include "mpc/transcript.h"

uint8_t mac_class_of(const struct mpc_party *party, uint16_t id)
{
    const struct mac_made *made = party->state;
    if (id == made->roles.g1) return MAC_CLASS_G1;
    if (id == made->roles.g2) return MAC_CLASS_G2;
    if (id == made->roles.e) return MAC_CLASS_E;
    return MAC_CLASS_OUT;
}

size_t mac_len_pc(const struct mpc_party *party)
{
    const struct mac_made *made = party->state;
    return (size_t)(made->record.n - 1) * 32;
}

size_t mac_len_ist_hash(const struct mpc_party *party)
{
    const struct mac_made *made = party->state;
    return made->record.profile == MPC_MAC_N ? 32 : 0;
}

/* pk_j of all my pieces, ascending, and the hash of ist. */
qk_err mac_made_tell(struct mpc_party *party, size_t row)
{
    struct mac_made *made = party->state;
    const struct mpc_mac_record *rec = &made->record;
    uint8_t list[MPC_NODES_MAX][32], ist[32];
    size_t k = 0;
    for (size_t j = 0; j < rec->n; j++) {
        if (j == party->self_ix) continue;
        QK_TRY(mac_piece_hash(list[k], rec, rec->nodes[j].id, made->share.piece[j]));
        k++;
    }
    QK_TRY(mac_ist_hash(ist, rec, made->share.ist));
    struct qk_bytes fields[] = {[GEN_PC_LIST] = qk_bytes(list, k * 32),
        [GEN_PC_IST] = qk_bytes(ist, mac_len_ist_hash(party))};
    return mpc_engine_send(party, row, 0, fields);
}

/* pk_j as node number ix told it; it holds no piece ix. */
static const uint8_t *told(const struct mpc_party *party, unsigned round, size_t ix, size_t j)
{
    struct qk_bytes list = mpc_engine_field(party, round, ix, MPC_TO_ALL, GEN_PC_LIST);
    return list.p + (j - (j > ix)) * 32;
}

static qk_err one_piece(struct mpc_party *party, unsigned round, size_t j)
{
    struct mac_made *made = party->state;
    const uint8_t *want = NULL;
    for (size_t i = 0; i < made->record.n; i++) {
        if (i == j) continue;
        const uint8_t *got = told(party, round, i, j);
        if (want == NULL) want = got;
        if (memcmp(want, got, 32) != 0) return mpc_fail_n(party, "M-13", QK_E_MISMATCH);
    }
    memcpy(made->record.pk[j], want, 32);
    return QK_OK;
}

qk_err mac_made_compare(struct mpc_party *party, unsigned round)
{
    struct mac_made *made = party->state;
    struct qk_bytes mine = mpc_engine_field(party, round, party->self_ix, MPC_TO_ALL, GEN_PC_IST);
    for (size_t j = 0; j < made->record.n; j++) QK_TRY(one_piece(party, round, j));
    for (size_t i = 0; i < made->record.n; i++)
        if (!qk_bytes_eq(mine, mpc_engine_field(party, round, i, MPC_TO_ALL, GEN_PC_IST)))
            return mpc_fail_n(party, "M-13", QK_E_MISMATCH);
    memcpy(made->record.ist, mine.p, mine.len);
    QK_TRY(mpc_mac_share_check(&made->share, &made->record));
    return mpc_mac_record_hash(&made->record, made->v);
}

qk_err mac_made_agree(struct mpc_party *party, unsigned round, size_t k, const char *check)
{
    const struct mac_made *made = party->state;
    for (size_t i = 0; i < party->s.n_peers; i++) {
        struct qk_bytes v = mpc_engine_field(party, round, i, MPC_TO_ALL, k);
        if (!qk_bytes_eq(v, QK_BYTES(made->v))) return mpc_fail_n(party, check, QK_E_MISMATCH);
    }
    mpc_engine_done(party);
    return QK_OK;
}

qk_err mac_outputs_digest(uint8_t out[static 32], const struct mac_outputs *o, uint8_t part,
    const uint8_t *bits, unsigned word_bits, size_t first, size_t n)
{
    MPC_HASHER(h);
    uint8_t label[sizeof(mac_wire)], full[64];
    QK_TRY(mpc_hasher_begin(&h, MPC_L_MAC_OUT, 3));
    mpc_hasher_field(&h, QK_BYTES(o->run));
    mpc_hasher_field(&h, MPC_U8(part));
    mpc_hasher_field_begin(&h, n * sizeof label);
    for (size_t j = 0; j < n; j++) {
        unsigned bit = mac_bit(bits, word_bits, (unsigned)j);
        mac_wire_store(label, o->label[first + j] ^ mac_wire_if(o->delta, bit));
        mpc_hasher_part(&h, label, sizeof label);
    }
    qk_wipe(label, sizeof label);
    QK_TRY(mpc_hasher_end(&h, full));
    memcpy(out, full, 32);
    qk_wipe(full, sizeof full);
    return QK_OK;
}
