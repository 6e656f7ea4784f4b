#include "ecdsa/pad.h"

#include <string.h>
#include "mpc/labels.h"
#include "qk/secret.h"

enum { BLOCKS_MAX = 16 }; /* 3 * 82 bytes, P-521 */

struct work {
    uint8_t row[PAD_ROWS * OT_ROW_MAX]; /* flipped; for 128-bit rows then pi(row) */
    uint8_t key[XOF_LANES][XOF_OUT_MAX];
    uint8_t e[PAD_ROWS * BLOCKS_MAX * AES256_BLOCK];
};

static void work_wipe(struct work *w)
{
    qk_wipe(w, sizeof *w);
}

qk_err pads_init(struct pads *p, const struct mpc_curve *c, const uint8_t pm[static 32])
{
    struct ot_dims d = ot_dims_sign(c);
    p->c = c;
    p->row_len = ot_row_len(&d);
    p->n_blocks = (3u * c->lh + AES256_BLOCK - 1) / AES256_BLOCK;
    QK_ENSURE(p->n_blocks <= BLOCKS_MAX, QK_E_STATE);
    if (p->row_len == AES256_BLOCK) return aes256_key(&p->aes, pm);
    return xof_init(&p->row_key, MPC_L_OT_PAD, pm, p->row_len);
}

void pads_clear(struct pads *p)
{
    aes256_clear(&p->aes);
    qk_wipe(p, sizeof *p);
}

/* Sixteen bytes as one value: xored a byte at a time they would be stored and loaded in pieces. */
typedef uint64_t block_t __attribute__((vector_size(AES256_BLOCK)));

static inline block_t block_load(const uint8_t *p)
{
    block_t b;
    memcpy(&b, p, sizeof b);
    return b;
}

static inline void block_store(uint8_t *p, block_t b)
{
    memcpy(p, &b, sizeof b);
}

/* out = pi(x) + tau for n tweaks, tau = 16 j + i as a little-endian integer; j < 2^12. */
static inline void add_tweaks(uint8_t *out, const uint8_t *pi_x, unsigned j, size_t n)
{
    block_t x = block_load(pi_x);
    for (size_t i = 0; i < n; i++) {
        uint8_t tau[8] = {(uint8_t)(16 * j + i), (uint8_t)((16 * j + i) >> 8)};
        block_t v = {0, 0};
        memcpy(&v, tau, sizeof tau);
        block_store(out + i * AES256_BLOCK, x ^ v);
    }
}

/* The doubled-AES hash of 128-bit rows; blocks lie one row after the other in e. */
static qk_err doubled(struct pads *p, uint16_t first, struct work *w)
{
    size_t n = p->n_blocks;
    QK_TRY(aes256_blocks(&p->aes, w->row, PAD_ROWS));
    for (unsigned l = 0; l < PAD_ROWS; l++)
        add_tweaks(w->e + l * n * AES256_BLOCK, w->row + l * AES256_BLOCK, first + l, n);
    QK_TRY(aes256_blocks(&p->aes, w->e, PAD_ROWS * n));
    for (size_t l = 0; l < PAD_ROWS; l++) {
        block_t x = block_load(w->row + l * AES256_BLOCK);
        uint8_t *e = w->e + l * n * AES256_BLOCK;
        for (size_t i = 0; i < n; i++, e += AES256_BLOCK) block_store(e, block_load(e) ^ x);
    }
    return QK_OK;
}

/* A key per 256-bit row, and its key stream. */
static qk_err keyed(struct pads *p, uint16_t first, struct work *w)
{
    static const uint8_t zero[AES256_BLOCK];
    const uint8_t *var[XOF_LANES];
    for (size_t l0 = 0; l0 < PAD_ROWS; l0 += XOF_LANES) {
        for (size_t l = 0; l < XOF_LANES; l++) var[l] = w->row + (l0 + l) * p->row_len;
        xof_run4(&p->row_key, (uint16_t)(first + l0), var, AES256_KEY, w->key);
        for (size_t l = 0; l < XOF_LANES; l++) {
            QK_TRY(aes256_key(&p->aes, w->key[l]));
            uint8_t *e = w->e + (l0 + l) * p->n_blocks * AES256_BLOCK;
            QK_TRY(aes256_counter(&p->aes, zero, e, p->n_blocks));
        }
    }
    return QK_OK;
}

qk_err pads_of_rows(
    struct pads *p, uint16_t first, const uint8_t *rows, const uint8_t *flip, pad_t out[PAD_ROWS])
{
    __attribute__((cleanup(work_wipe))) struct work w;
    size_t n = p->row_len, lh = p->c->lh;
    for (size_t l = 0; l < PAD_ROWS; l++)
        for (size_t i = 0; i < n; i += AES256_BLOCK)
            block_store(w.row + l * n + i, block_load(rows + l * n + i) ^ block_load(flip + i));
    QK_TRY(n == AES256_BLOCK ? doubled(p, first, &w) : keyed(p, first, &w));
    for (size_t l = 0; l < PAD_ROWS; l++) {
        const uint8_t *e = w.e + l * p->n_blocks * AES256_BLOCK;
        for (size_t k = 0; k < 3; k++)
            QK_TRY(mpc_scalar_reduce(p->c, &out[l][k], qk_bytes(e + k * lh, lh)));
    }
    return QK_OK;
}
