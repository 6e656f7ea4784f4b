#include "ecdsa/xof.h"

#include "mpc/labels.h"
#include "qk/bytes.h"
#include "qk/secret.h"

qk_err xof_init(struct xof *x, const char *label, const uint8_t pm[static 32], size_t var_len)
{
    QK_AUTO_BUF t = QK_BUF(128 - 17);
    qk_buf_add_u32(&t, (uint32_t)strlen(MPC_TRANSCRIPT_VERSION));
    qk_buf_add_str(&t, MPC_TRANSCRIPT_VERSION);
    qk_buf_add_u32(&t, (uint32_t)strlen(label));
    qk_buf_add_str(&t, label);
    qk_buf_add_u32(&t, 3);
    qk_buf_add_u32(&t, 32);
    qk_buf_add(&t, pm, 32);
    qk_buf_add_u32(&t, 2);
    x->index_at = t.len;
    qk_buf_add_u16(&t, 0);
    qk_buf_add_u32(&t, (uint32_t)var_len);
    x->var_at = t.len;
    (void)qk_buf_extend(&t, var_len);
    x->counter_at = t.len;
    qk_buf_add_u32(&t, 0);
    QK_ENSURE(t.err == QK_OK, QK_E_STATE);
    x->var_len = var_len;
    memset(x->block, 0, sizeof x->block);
    memcpy(x->block, t.p, t.len);
    x->block[t.len] = 0x80; /* FIPS 180-4 padding: one bit, zeros, the length in bits */
    qk_put_u16(x->block + 126, (uint16_t)(8 * t.len));
    return QK_OK;
}

void xof_run4(const struct xof *x, uint16_t first, const uint8_t *const var[XOF_LANES],
    size_t out_len, uint8_t out[XOF_LANES][XOF_OUT_MAX])
{
    uint8_t block[XOF_LANES][128], digest[XOF_LANES][64];
    for (size_t l = 0; l < XOF_LANES; l++) {
        memcpy(block[l], x->block, 128);
        qk_put_u16(block[l] + x->index_at, (uint16_t)(first + l));
        memcpy(block[l] + x->var_at, var[l], x->var_len);
    }
    for (uint32_t ctr = 0; 64 * (size_t)ctr < out_len; ctr++) {
        for (size_t l = 0; l < XOF_LANES; l++) qk_put_u32(block[l] + x->counter_at, ctr);
        sha512x4(digest, block);
        for (size_t l = 0; l < XOF_LANES; l++) memcpy(out[l] + 64 * ctr, digest[l], 64);
    }
    qk_wipe(block, sizeof block);
    qk_wipe(digest, sizeof digest);
}
