/* Imported key material (document 50 section 9): dealing parts, and agreeing that they fit. */
#include "mpc/transcript.h"
#include "sym/gen.h"

enum { PT = 33 };

void mpc_sym_part_wipe(struct mpc_sym_part *part)
{
    qk_wipe(part, sizeof *part);
}

static bool with_v(const struct mpc_sym_part *part)
{
    return part->share.v.curve != 0;
}

/* ---- the part as bytes ---- */

qk_err mpc_sym_part_encode(const struct mpc_sym_part *part, struct qk_buf *out)
{
    QK_ENSURE(part->t >= 2 && part->t <= MPC_NODES_MAX, QK_E_STATE);
    qk_buf_add_u16(out, part->t);
    qk_buf_add_u8(out, with_v(part));
    if (with_v(part)) qk_buf_add(out, part->commitments, (size_t)part->t * PT);
    return mpc_sym_share_encode(&part->share, out);
}

qk_err mpc_sym_part_decode(struct qk_bytes in, struct mpc_sym_part *out)
{
    enum { HEAD = 3 };
    MPC_SYM_PART(part);
    QK_ENSURE(in.len >= HEAD && in.p[2] <= 1, QK_E_MALFORMED);
    part.t = qk_get_u16(in.p);
    QK_ENSURE(part.t >= 2 && part.t <= MPC_NODES_MAX, QK_E_MALFORMED);
    size_t c = in.p[2] ? (size_t)part.t * PT : 0;
    QK_ENSURE(in.len - HEAD >= c, QK_E_MALFORMED);
    memcpy(part.commitments, in.p + HEAD, c);
    struct qk_bytes rest = qk_bytes(in.p + HEAD + c, in.len - HEAD - c);
    QK_ENSURE(mpc_sym_share_decode(rest, &part.share) == QK_OK, QK_E_MALFORMED);
    QK_ENSURE(with_v(&part) == (c > 0), QK_E_MALFORMED);
    *out = part;
    return QK_OK;
}

/* ---- dealing ---- */

static qk_err derive_set_key(
    uint8_t out[static 32], const uint8_t key_id[static 16], size_t a, const struct qk_sec32 *k)
{
    uint8_t number[2];
    qk_put_u16(number, (uint16_t)a);
    return mpc_h32(out, MPC_L_IMP_CNF, MPC_FIELDS({key_id, 16}, QK_BYTES(number), QK_BYTES(k->b)));
}

static qk_err deal_sets(struct mpc_sym_part *parts, const uint8_t key_id[static 16], unsigned t,
    size_t n, const struct qk_sec32 *k)
{
    struct mpc_sym_sets sets;
    QK_TRY(mpc_sym_sets_make(&sets, (unsigned)n, t));
    for (size_t a = 0; a < sets.d; a++) {
        QK_SEC32(k_a);
        QK_TRY(derive_set_key(k_a.b, key_id, a, k));
        for (size_t i = 0; i < n; i++) {
            struct mpc_sym_share *share = &parts[i].share;
            if (sets.members[a] >> i & 1) memcpy(share->k[share->n_keys++], k_a.b, 32);
        }
    }
    return QK_OK;
}

struct coeffs {
    struct mpc_scalar c[MPC_NODES_MAX];
};

static void coeffs_wipe(struct coeffs *c)
{
    qk_wipe(c, sizeof *c);
}

static qk_err commit_to(uint8_t out[static PT], const struct mpc_scalar *c)
{
    MPC_POINT(p);
    QK_TRY(mpc_point_init(&p, mpc_curve_get(MPC_P256)));
    QK_TRY(mpc_point_mul_base(&p, c));
    return mpc_point_encode(out, &p);
}

/* s is derived, the other coefficients are random and not zero: O has no encoding. */
static qk_err deal_shares(struct mpc_sym_part *parts, const uint8_t key_id[static 16], unsigned t,
    size_t n, const struct qk_sec32 *k, struct qk_rng *rng)
{
    const struct mpc_curve *c = mpc_curve_get(MPC_P256);
    __attribute__((cleanup(coeffs_wipe))) struct coeffs f = {0};
    uint8_t commitments[MPC_NODES_MAX][PT];
    QK_TRY(mpc_h2s(c, &f.c[0], MPC_L_IMP_DDH, MPC_FIELDS({key_id, 16}, QK_BYTES(k->b))));
    QK_ENSURE(!mpc_scalar_zero_mask(&f.c[0]), QK_E_CRYPTO);
    for (size_t j = 1; j < t; j++) QK_TRY(mpc_scalar_random_nonzero(c, &f.c[j], rng));
    for (size_t j = 0; j < t; j++) QK_TRY(commit_to(commitments[j], &f.c[j]));
    for (size_t i = 0; i < n; i++) {
        struct mpc_key_share *v = &parts[i].share.v;
        v->curve = MPC_P256;
        v->self = parts[i].share.self;
        mpc_poly_eval(c, &v->x, f.c, t, v->self);
        QK_ENSURE(!mpc_scalar_zero_mask(&v->x), QK_E_RNG); /* 2^-256: draw again */
        memcpy(parts[i].commitments, commitments, sizeof commitments[0] * t);
    }
    return QK_OK;
}

static qk_err deal(struct mpc_sym_part *parts, const uint8_t key_id[static 16], uint8_t modes,
    unsigned t, size_t n, const struct qk_sec32 *k, struct qk_rng *rng)
{
    if (modes & MPC_SYM_F) QK_TRY(deal_sets(parts, key_id, t, n, k));
    return modes & MPC_SYM_V ? deal_shares(parts, key_id, t, n, k, rng) : QK_OK;
}

qk_err mpc_sym_import_deal(struct mpc_sym_part *parts, const uint8_t key_id[static 16],
    uint8_t modes, unsigned t, const uint16_t *ids, size_t n, const struct qk_sec32 *k,
    struct qk_rng *rng)
{
    QK_ENSURE(modes >= MPC_SYM_F && modes <= MPC_SYM_FV, QK_E_STATE);
    QK_ENSURE(n <= MPC_NODES_MAX && t >= 2 && t <= n, QK_E_STATE);
    QK_ENSURE(mpc_ids_check(ids, n) == QK_OK, QK_E_STATE);
    for (size_t i = 0; i < n; i++) {
        memset(&parts[i], 0, sizeof parts[i]);
        parts[i].t = (uint16_t)t;
        parts[i].share.self = ids[i];
    }
    qk_err err = deal(parts, key_id, modes, t, n, k, rng);
    for (size_t i = 0; i < n; i++)
        if (err != QK_OK) mpc_sym_part_wipe(&parts[i]);
    return err;
}

/* ---- re-import: is it the same K? (check S-21) ---- */

static qk_err same_sets(const struct mpc_sym_part *part, const struct mpc_sym_record *old)
{
    struct mpc_sym_sets sets = {0};
    uint8_t own[MPC_SYM_SETS_MAX], kcv[32];
    int ix = sym_node_index(old, part->share.self);
    QK_ENSURE(ix >= 0, QK_E_MISMATCH);
    if (old->modes & MPC_SYM_F) QK_TRY(mpc_sym_sets_make(&sets, old->n, old->t));
    QK_ENSURE(part->share.n_keys == sets.per_node, QK_E_MISMATCH);
    sym_own_sets(&sets, (size_t)ix, own);
    for (size_t j = 0; j < part->share.n_keys; j++) {
        QK_TRY(sym_kcv(kcv, old->sid_f, own[j], part->share.k[j]));
        QK_ENSURE(memcmp(kcv, old->kcv[own[j]], 32) == 0, QK_E_MISMATCH);
    }
    return QK_OK;
}

qk_err mpc_sym_import_matches(const struct mpc_sym_part *part, const struct mpc_sym_record *old)
{
    QK_ENSURE(part->t == old->t, QK_E_MISMATCH);
    QK_ENSURE(with_v(part) == ((old->modes & MPC_SYM_V) != 0), QK_E_MISMATCH);
    QK_TRY(same_sets(part, old));
    if (with_v(part)) QK_ENSURE(memcmp(part->commitments[0], old->pk, PT) == 0, QK_E_MISMATCH);
    return QK_OK;
}
