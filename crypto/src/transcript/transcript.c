#include "mpc/transcript.h"

#include <string.h>
#include "qk/secret.h"
#include "sha512.h"

enum { EXPAND_MAX = 1 << 20 };

static void put_frame(struct sha512 *s, size_t len)
{
    uint8_t be[4];
    qk_put_u32(be, (uint32_t)len);
    sha512_update(s, be, sizeof be);
}

static void put_framed(struct sha512 *s, const void *p, size_t len)
{
    put_frame(s, len);
    sha512_update(s, p, len);
}

static void put_head(struct sha512 *s, const char *label, uint32_t n_fields)
{
    sha512_init(s);
    put_framed(s, MPC_TRANSCRIPT_VERSION, strlen(MPC_TRANSCRIPT_VERSION));
    put_framed(s, label, strlen(label));
    put_frame(s, n_fields);
}

/* A length that does not fit its u32 would make the encoding ambiguous. */
static qk_err check_fields(struct mpc_fields f)
{
    for (uint32_t i = 0; i < f.n; i++) QK_ENSURE(f.v[i].len <= UINT32_MAX, QK_E_STATE);
    return QK_OK;
}

/* The state after all of T. */
static qk_err absorb(struct sha512 *s, const char *label, struct mpc_fields f)
{
    QK_TRY(check_fields(f));
    put_head(s, label, f.n);
    for (uint32_t i = 0; i < f.n; i++) put_framed(s, f.v[i].p, f.v[i].len);
    return QK_OK;
}

qk_err mpc_transcript(struct qk_buf *out, const char *label, struct mpc_fields f)
{
    QK_TRY(check_fields(f));
    qk_buf_add_u32(out, (uint32_t)strlen(MPC_TRANSCRIPT_VERSION));
    qk_buf_add_str(out, MPC_TRANSCRIPT_VERSION);
    qk_buf_add_u32(out, (uint32_t)strlen(label));
    qk_buf_add_str(out, label);
    qk_buf_add_u32(out, f.n);
    for (uint32_t i = 0; i < f.n; i++) {
        qk_buf_add_u32(out, (uint32_t)f.v[i].len);
        qk_buf_add(out, f.v[i].p, f.v[i].len);
    }
    return out->err;
}

qk_err mpc_h(uint8_t out[static 64], const char *label, struct mpc_fields f)
{
    AUTO_SHA512 s;
    QK_TRY(absorb(&s, label, f));
    sha512_final(&s, out);
    return QK_OK;
}

qk_err mpc_h32(uint8_t out[static 32], const char *label, struct mpc_fields f)
{
    uint8_t full[64];
    QK_TRY(mpc_h(full, label, f));
    memcpy(out, full, 32);
    qk_wipe(full, sizeof full);
    return QK_OK;
}

/* Block i of Expand: SHA-512(T || u32(i)). */
static void expand_block(const struct sha512 *after_t, uint32_t i, uint8_t out[static 64])
{
    AUTO_SHA512 s = *after_t;
    put_frame(&s, i);
    sha512_final(&s, out);
}

qk_err mpc_expand(uint8_t *out, size_t out_len, const char *label, struct mpc_fields f)
{
    QK_ENSURE(out_len <= EXPAND_MAX, QK_E_STATE);
    AUTO_SHA512 after_t;
    QK_TRY(absorb(&after_t, label, f));
    size_t done = 0;
    uint32_t i = 0;
    for (; out_len - done >= 64; done += 64) expand_block(&after_t, i++, out + done);
    if (done < out_len) {
        uint8_t last[64];
        expand_block(&after_t, i, last);
        memcpy(out + done, last, out_len - done);
        qk_wipe(last, sizeof last);
    }
    return QK_OK;
}

qk_err mpc_h2s(
    const struct mpc_curve *c, struct mpc_scalar *r, const char *label, struct mpc_fields f)
{
    /* |q| + 128 bits, so that the bias of the reduction is below 2^-128 (check C-15). */
    uint8_t wide[MPC_WIDE_MAX];
    QK_TRY(mpc_expand(wide, c->lh, label, f));
    qk_err err = mpc_scalar_reduce(c, r, qk_bytes(wide, c->lh));
    qk_wipe(wide, sizeof wide);
    return err;
}
