#include "ecdsa/otext.h"

#include "ecdsa/aes256.h"
#include "group/ct.h"
#include "mpc/gf128.h"
#include "mpc/labels.h"
#include "mpc/transcript.h"
#include "qk/secret.h"

/* What the check needs of one message: chi, and the shape of a column. */
struct folder {
    const struct ot_dims *d;
    uint8_t chi[OT_M_MAX][16];
};

static qk_err folder_init(
    struct folder *f, const struct ot_dims *d, const uint8_t *pm, struct qk_bytes u)
{
    f->d = d;
    return mpc_expand(f->chi[0], 16u * d->m, MPC_L_OT_CHI, MPC_FIELDS({pm, 32}, u));
}

/* fold(y) = the last 16 bytes + sum of chi_l * y^(l) over the zero-padded xi bits before them. */
static void fold(const struct folder *f, uint8_t out[static 16], const uint8_t *y)
{
    size_t n = f->d->xi / 8u;
    memcpy(out, y + n, 16);
    for (size_t l = 0; l < f->d->m; l++) {
        uint8_t piece[16] = {0};
        size_t left = n - 16 * l;
        memcpy(piece, y + 16 * l, left < 16 ? left : 16);
        mpc_gf128_mul_add(out, f->chi[l], piece);
        qk_wipe(piece, sizeof piece);
    }
}

/* An 8 by 8 bit matrix, byte i bit j; Hacker's Delight section 7-3. */
static uint64_t transpose8(uint64_t x)
{
    uint64_t t = (x ^ (x >> 7)) & 0x00aa00aa00aa00aau;
    x ^= t ^ (t << 7);
    t = (x ^ (x >> 14)) & 0x0000cccc0000ccccu;
    x ^= t ^ (t << 14);
    t = (x ^ (x >> 28)) & 0x00000000f0f0f0f0u;
    return x ^ t ^ (t << 28);
}

/* rows[j] bit k = cols[k] bit j, for j < xi; columns are nb bytes apart. */
static void transpose(const struct ot_dims *d, const uint8_t *cols, uint8_t *rows)
{
    size_t row_len = ot_row_len(d);
    for (size_t k8 = 0; k8 < row_len; k8++) {
        for (size_t j8 = 0; j8 < d->xi / 8u; j8++) {
            uint64_t x = 0;
            for (size_t i = 0; i < 8; i++) x |= (uint64_t)cols[(8 * k8 + i) * d->nb + j8] << 8 * i;
            x = transpose8(x);
            for (size_t i = 0; i < 8; i++)
                rows[(8 * j8 + i) * row_len + k8] = (uint8_t)(x >> 8 * i);
        }
    }
}

/* A column from a seed: c = AES(pm_0), block i = AES(c + pm_1 + i), under the key seed. The
 * two-block message of the counter makes all 32 bytes of pm count. */
static qk_err expand_seed(
    struct aes256 *aes, const uint8_t *pm, const uint8_t *seed, uint8_t *out, size_t n_blocks)
{
    uint8_t start[16];
    memcpy(start, pm, 16);
    QK_TRY(aes256_key(aes, seed));
    qk_err err = aes256_blocks(aes, start, 1);
    mpc_gf128_add(start, start, pm + 16);
    if (err == QK_OK) err = aes256_counter(aes, start, out, n_blocks);
    ct_wipe_local(start, sizeof start);
    return err;
}

/* All columns, seeds `stride` bytes apart. */
static qk_err expand_seeds(
    const struct ot_dims *d, const uint8_t *pm, const uint8_t *seeds, size_t stride, uint8_t *cols)
{
    AES256(aes);
    uint8_t out[(OT_NB_MAX + 15) / 16 * 16];
    qk_err err = QK_OK;
    for (size_t k = 0; k < d->kappa && err == QK_OK; k++) {
        err = expand_seed(&aes, pm, seeds + k * stride, out, (d->nb + 15u) / 16);
        memcpy(cols + k * d->nb, out, d->nb);
    }
    qk_wipe(out, sizeof out);
    return err;
}

static qk_err bob_columns(const struct ot_dims *d, const uint8_t *pm, const uint8_t *pairs,
    const uint8_t *x, uint8_t *u, uint8_t *t0)
{
    QK_TRY(expand_seeds(d, pm, pairs, 64, t0));
    QK_TRY(expand_seeds(d, pm, pairs + 32, 64, u));
    for (size_t k = 0; k < d->kappa; k++)
        for (size_t i = 0; i < d->nb; i++)
            u[k * d->nb + i] = (uint8_t)(u[k * d->nb + i] ^ t0[k * d->nb + i] ^ x[i]);
    return QK_OK;
}

qk_err otext_bob(const struct ot_dims *d, const uint8_t pm[static 32], const uint8_t *pairs,
    const uint8_t *x, uint8_t *u, uint8_t xh[static 16], uint8_t *th, uint8_t *rows)
{
    QK_AUTO_BUF t0 = QK_BUF_SECRET(OT_KAPPA_MAX * OT_NB_MAX);
    uint8_t *cols = qk_buf_extend(&t0, ot_u_len(d));
    QK_ENSURE(cols, t0.err);
    QK_TRY(bob_columns(d, pm, pairs, x, u, cols));
    struct folder f;
    QK_TRY(folder_init(&f, d, pm, qk_bytes(u, ot_u_len(d))));
    fold(&f, xh, x);
    for (size_t k = 0; k < d->kappa; k++) fold(&f, th + 16 * k, cols + k * d->nb);
    transpose(d, cols, rows);
    return QK_OK;
}

/* q_k = T_{Delta_k,k} + Delta_k * u_k, in place. */
static void alice_columns(
    const struct ot_dims *d, const uint8_t *delta, const uint8_t *u, uint8_t *cols)
{
    for (size_t k = 0; k < d->kappa; k++) {
        uint8_t mask = (uint8_t)ct_mask_of_bit(ot_bit(delta, k));
        for (size_t i = 0; i < d->nb; i++) cols[k * d->nb + i] ^= mask & u[k * d->nb + i];
    }
}

/* Is fold(q_k) = that_k + Delta_k * xhat for all k? Zero iff so. */
static uint8_t check_columns(
    const struct folder *f, const uint8_t *delta, const uint8_t *cols, const struct otext_msg *msg)
{
    uint8_t bad = 0;
    for (size_t k = 0; k < f->d->kappa; k++) {
        uint8_t got[16];
        uint8_t mask = (uint8_t)ct_mask_of_bit(ot_bit(delta, k));
        fold(f, got, cols + k * f->d->nb);
        for (size_t i = 0; i < 16; i++)
            bad |= (uint8_t)(got[i] ^ msg->th.p[16 * k + i] ^ (mask & msg->xh.p[i]));
        qk_wipe(got, sizeof got);
    }
    return bad;
}

qk_err otext_alice(const struct ot_dims *d, const uint8_t pm[static 32], const uint8_t *delta,
    const uint8_t *seeds, const struct otext_msg *msg, uint8_t *rows)
{
    QK_ENSURE(
        msg->u.len == ot_u_len(d) && msg->xh.len == 16 && msg->th.len == ot_th_len(d), QK_E_STATE);
    QK_AUTO_BUF q = QK_BUF_SECRET(OT_KAPPA_MAX * OT_NB_MAX);
    uint8_t *cols = qk_buf_extend(&q, ot_u_len(d));
    QK_ENSURE(cols, q.err);
    QK_TRY(expand_seeds(d, pm, seeds, 32, cols));
    alice_columns(d, delta, msg->u.p, cols);
    struct folder f;
    QK_TRY(folder_init(&f, d, pm, msg->u));
    uint8_t bad = check_columns(&f, delta, cols, msg);
    transpose(d, cols, rows);
    return ct_is_zero(bad) ? QK_OK : QK_E_PROOF;
}
