#include "mpc/dprf.h"

#include "dprf/point.h"
#include "mpc/labels.h"
#include "mpc/proof.h"
#include "mpc/transcript.h"

enum { PT = 33, LQ = 32, AT_Z = 0, AT_A1 = PT, AT_A2 = 2 * PT, AT_PROOF = 3 * PT };

qk_err mpc_dprf_point(struct mpc_point *p, const uint8_t x[static 32])
{
    QK_TRY(mpc_point_init(p, mpc_curve_get(MPC_P256)));
    return mpc_h2p_var(p, MPC_L_SYM_P, MPC_FIELDS({x, 32}));
}

static qk_err point_of(struct mpc_point *p, struct qk_bytes enc)
{
    QK_TRY(mpc_point_init(p, mpc_curve_get(MPC_P256)));
    return mpc_point_decode_var(p, enc);
}

/* ---- the node's part ---- */

static qk_err prove(struct mpc_dleq *proof, const struct mpc_key_share *share,
    const uint8_t x[static 32], const struct mpc_point *p, const struct mpc_point *z,
    struct qk_rng *rng)
{
    const struct mpc_curve *c = mpc_curve_get(MPC_P256);
    MPC_POINT(big_s);
    QK_TRY(mpc_point_init(&big_s, c));
    QK_TRY(mpc_point_mul_base(&big_s, &share->x));
    return mpc_dleq_prove(proof, c, x, share->self, MPC_L_SYM, &share->x, &big_s, p, z, rng);
}

qk_err mpc_dprf_eval(uint8_t out[static MPC_DPRF_PARTIAL_LEN], const struct mpc_key_share *share,
    const uint8_t x[static 32], struct qk_rng *rng)
{
    QK_ENSURE(share->curve == MPC_P256 && share->self >= 1 && share->self <= 255, QK_E_STATE);
    QK_ENSURE(!mpc_scalar_zero_mask(&share->x), QK_E_STATE);
    MPC_POINT(p);
    MPC_POINT(z);
    struct mpc_dleq proof;
    QK_TRY(mpc_dprf_point(&p, x));
    QK_TRY(mpc_point_init(&z, p.c));
    QK_TRY(mpc_point_mul(&z, &share->x, &p));
    QK_TRY(prove(&proof, share, x, &p, &z, rng));
    uint8_t enc[PT];
    QK_TRY(mpc_point_encode(enc, &z));
    memcpy(out + AT_Z, enc, PT);
    memcpy(out + AT_A1, proof.a1, PT);
    memcpy(out + AT_A2, proof.a2, PT);
    memcpy(out + AT_PROOF, proof.z, LQ);
    return QK_OK;
}

/* ---- checking and combining ---- */

static bool is_system_record(const struct mpc_key_record *rec)
{
    return rec->curve == MPC_P256 && rec->access == 0 && rec->t >= 1 && rec->t <= rec->n &&
           rec->n <= MPC_NODES_MAX;
}

qk_err mpc_dprf_verify(const struct mpc_key_record *rec, uint16_t id, const uint8_t x[static 32],
    struct qk_bytes partial)
{
    QK_ENSURE(is_system_record(rec), QK_E_STATE);
    int ix = mpc_record_index(rec, id);
    QK_ENSURE(ix >= 0, QK_E_STATE);
    QK_ENSURE(partial.len == MPC_DPRF_PARTIAL_LEN, QK_E_MALFORMED);
    MPC_POINT(p);
    MPC_POINT(z);
    MPC_POINT(big_s);
    QK_TRY(mpc_dprf_point(&p, x));
    QK_TRY(point_of(&big_s, qk_bytes(rec->big_x[ix], PT)));
    QK_TRY(point_of(&z, qk_bytes(partial.p + AT_Z, PT)));
    return mpc_dleq_verify(p.c, x, id, MPC_L_SYM, &big_s, &p, &z, qk_bytes(partial.p + AT_A1, PT),
        qk_bytes(partial.p + AT_A2, PT), qk_bytes(partial.p + AT_PROOF, LQ));
}

/* Answers come in any order; mpc_lagrange_var wants ids ascending. */
static void insert_good(
    uint16_t *good, const uint8_t **z, size_t *n_good, uint16_t id, const uint8_t *at)
{
    size_t i = (*n_good)++;
    for (; i > 0 && good[i - 1] > id; i--) {
        good[i] = good[i - 1];
        z[i] = z[i - 1];
    }
    good[i] = id;
    z[i] = at;
}

static qk_err judge(const struct mpc_key_record *rec, const uint8_t x[static 32],
    struct mpc_dprf_part *parts, size_t n_parts, uint16_t *good, const uint8_t **z, size_t *n_good)
{
    for (size_t i = 0; i < n_parts; i++) {
        for (size_t j = 0; j < i; j++) QK_ENSURE(parts[j].id != parts[i].id, QK_E_STATE);
        parts[i].verdict = mpc_dprf_verify(rec, parts[i].id, x, parts[i].partial);
        if (parts[i].verdict == QK_OK) {
            if (*n_good < rec->t)
                insert_good(good, z, n_good, parts[i].id, parts[i].partial.p + AT_Z);
            continue;
        }
        if (!qk_peer_fault(parts[i].verdict)) return parts[i].verdict;
    }
    QK_ENSURE(*n_good == rec->t, QK_E_PROOF);
    return QK_OK;
}

static qk_err add_up(struct mpc_point *w, const uint16_t *ids, const uint8_t *const *z, size_t n)
{
    MPC_POINT(term);
    QK_TRY(mpc_point_init(&term, w->c));
    for (size_t i = 0; i < n; i++) {
        struct mpc_scalar l;
        QK_TRY(mpc_lagrange_var(w->c, &l, ids, n, ids[i]));
        QK_TRY(mpc_point_decode_var(&term, qk_bytes(z[i], PT)));
        QK_TRY(mpc_point_mul(&term, &l, &term));
        QK_TRY(mpc_point_add(w, w, &term));
    }
    return QK_OK;
}

qk_err mpc_dprf_combine(const struct mpc_key_record *rec, const uint8_t x[static 32],
    struct mpc_dprf_part *parts, size_t n_parts, struct qk_sec32 *w)
{
    QK_ENSURE(is_system_record(rec), QK_E_STATE);
    QK_ENSURE(n_parts >= 1 && n_parts <= MPC_NODES_MAX, QK_E_STATE);
    uint16_t ids[MPC_NODES_MAX];
    const uint8_t *z[MPC_NODES_MAX];
    size_t n = 0;
    QK_TRY(judge(rec, x, parts, n_parts, ids, z, &n));
    MPC_POINT(big_w);
    QK_TRY(mpc_point_init(&big_w, mpc_curve_get(MPC_P256)));
    QK_TRY(add_up(&big_w, ids, z, n));
    /* W = s*P with s, P not zero: O is a fault of this machine. */
    QK_ENSURE(!mpc_point_is_infinity(&big_w), QK_E_CRYPTO);
    uint8_t enc[PT];
    QK_TRY(mpc_point_encode(enc, &big_w));
    QK_SEC32(out);
    qk_err err = mpc_h32(out.b, MPC_L_SYS_W, MPC_FIELDS({x, 32}, {enc, PT}));
    qk_wipe(enc, sizeof enc);
    QK_TRY(err);
    *w = out;
    return QK_OK;
}
