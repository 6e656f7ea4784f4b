/* X, T, alpha, pad: document 50 section 4. */
#include "sym/values.h"

#include <openssl/evp.h>
#include "mpc/transcript.h"

void mpc_sym_tickets_encode(const struct mpc_sym_ticket *tickets, size_t n, struct qk_buf *out)
{
    for (size_t i = 0; i < n; i++) {
        qk_buf_add_u16(out, tickets[i].node);
        qk_buf_add(out, tickets[i].chan, sizeof tickets[i].chan);
        qk_buf_add_u64(out, tickets[i].ctr);
    }
}

qk_err mpc_sym_tickets_hash(uint8_t t[static 32], struct qk_bytes list)
{
    return mpc_h32(t, MPC_L_SYM_TICKETS, MPC_FIELDS(list));
}

qk_err mpc_sym_x(uint8_t x[static 32], const struct mpc_sym_item *item,
    const uint8_t d_ec[static 32], const uint8_t t[static 32])
{
    uint8_t ver[4];
    qk_put_u32(ver, item->ver);
    return mpc_h32(x, MPC_L_SYM_X,
        MPC_FIELDS({&item->mode, 1}, {&item->flags, 1}, QK_BYTES(item->key_id), QK_BYTES(ver),
            {d_ec, 32}, QK_BYTES(item->alpha), {t, 32}));
}

size_t mpc_sym_answer_len(uint8_t mode, uint8_t op, bool prove, size_t n_sets)
{
    if (op != MPC_SYM_ENC && op != MPC_SYM_DEC) return 0;
    if (mode == MPC_SYM_F)
        return n_sets * (MPC_SYM_PIECE_LEN + (op == MPC_SYM_ENC ? MPC_SYM_TAG_LEN : 0));
    if (mode == MPC_SYM_V)
        return op == MPC_SYM_ENC || prove ? MPC_SYM_V_PROVED_LEN : MPC_SYM_V_VALUE_LEN;
    return 0;
}

qk_err sym_alpha(uint8_t alpha[static 32], const uint8_t key_id[static 16], uint32_t ver,
    const uint8_t d_ec[static 32], const uint8_t rho[static 32], struct qk_bytes m)
{
    uint8_t number[4];
    qk_put_u32(number, ver);
    return mpc_h32(
        alpha, MPC_L_SYM_COM, MPC_FIELDS({key_id, 16}, QK_BYTES(number), {d_ec, 32}, {rho, 32}, m));
}

static void ctx_free(EVP_CIPHER_CTX **ctx)
{
    EVP_CIPHER_CTX_free(*ctx);
}

qk_err sym_pad(
    uint8_t *out, struct qk_bytes in, const uint8_t x[static 32], const struct qk_sec32 *w)
{
    static const uint8_t zero[16];
    QK_SEC32(key);
    QK_TRY(mpc_h32(key.b, MPC_L_SYM_KS, MPC_FIELDS({x, 32}, QK_BYTES(w->b))));
    __attribute__((cleanup(ctx_free))) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    QK_ENSURE(ctx != NULL, QK_E_NOMEM);
    int len = 0;
    QK_ENSURE(EVP_EncryptInit_ex(ctx, EVP_aes_256_ctr(), NULL, key.b, zero) == 1, QK_E_CRYPTO);
    QK_ENSURE(EVP_EncryptUpdate(ctx, out, &len, in.p, (int)in.len) == 1, QK_E_CRYPTO);
    return len == (int)in.len ? QK_OK : QK_E_CRYPTO;
}

qk_err sym_v_value(struct qk_sec32 *w, const uint8_t x[static 32], const uint8_t enc[static 33])
{
    return mpc_h32(w->b, MPC_L_SYM_WV, MPC_FIELDS({x, 32}, {enc, 33}));
}
