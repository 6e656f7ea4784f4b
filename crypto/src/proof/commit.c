#include "mpc/proof.h"

#include <openssl/crypto.h>
#include "mpc/transcript.h"

qk_err mpc_commit(uint8_t out[static 64], const uint8_t sid[static 32], uint16_t i,
    const char *label, struct qk_bytes m, const uint8_t rho[static 32])
{
    uint8_t id[2];
    qk_put_u16(id, i);
    return mpc_h(out, MPC_L_COM, MPC_FIELDS({sid, 32}, QK_BYTES(id), qk_str(label), m, {rho, 32}));
}

qk_err mpc_commit_verify(const uint8_t com[static 64], const uint8_t sid[static 32], uint16_t i,
    const char *label, struct qk_bytes m, const uint8_t rho[static 32])
{
    uint8_t want[64];
    QK_TRY(mpc_commit(want, sid, i, label, m, rho));
    QK_ENSURE(CRYPTO_memcmp(want, com, sizeof want) == 0, QK_E_PROOF);
    return QK_OK;
}
