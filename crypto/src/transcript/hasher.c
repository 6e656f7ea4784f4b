#include "mpc/transcript.h"

#include <string.h>
#include "qk/secret.h"
#include "sha512.h"

_Static_assert(sizeof((struct mpc_hasher *)0)->md == sizeof(struct sha512), "same state");

static struct sha512 *state(struct mpc_hasher *h)
{
    return (struct sha512 *)(void *)h->md;
}

static void put_frame(struct mpc_hasher *h, size_t len)
{
    uint8_t be[4];
    qk_put_u32(be, (uint32_t)len);
    sha512_update(state(h), be, sizeof be);
}

qk_err mpc_hasher_begin(struct mpc_hasher *h, const char *label, uint32_t n_fields)
{
    *h = (struct mpc_hasher){.fields_left = n_fields};
    sha512_init(state(h));
    put_frame(h, strlen(MPC_TRANSCRIPT_VERSION));
    sha512_update(state(h), MPC_TRANSCRIPT_VERSION, strlen(MPC_TRANSCRIPT_VERSION));
    put_frame(h, strlen(label));
    sha512_update(state(h), label, strlen(label));
    put_frame(h, n_fields);
    return QK_OK;
}

void mpc_hasher_field_begin(struct mpc_hasher *h, size_t len)
{
    if (h->bytes_left != 0 || h->fields_left == 0 || len > UINT32_MAX) h->err = QK_E_STATE;
    if (h->err != QK_OK) return;
    h->fields_left--;
    h->bytes_left = len;
    put_frame(h, len);
}

void mpc_hasher_part(struct mpc_hasher *h, const void *p, size_t len)
{
    if (len > h->bytes_left) h->err = QK_E_STATE;
    if (h->err != QK_OK) return;
    h->bytes_left -= len;
    sha512_update(state(h), p, len);
}

void mpc_hasher_field(struct mpc_hasher *h, struct qk_bytes v)
{
    mpc_hasher_field_begin(h, v.len);
    mpc_hasher_part(h, v.p, v.len);
}

qk_err mpc_hasher_end(struct mpc_hasher *h, uint8_t out[static 64])
{
    bool whole = h->err == QK_OK && h->fields_left == 0 && h->bytes_left == 0;
    if (whole) sha512_final(state(h), out);
    mpc_hasher_abort(h);
    return whole ? QK_OK : QK_E_STATE;
}

void mpc_hasher_abort(struct mpc_hasher *h)
{
    qk_wipe(h, sizeof *h);
    h->err = QK_E_STATE; /* no use after the end */
}
