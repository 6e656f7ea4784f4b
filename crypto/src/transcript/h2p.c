#include "mpc/transcript.h"

#include <string.h>
#include "group/point.h"

enum { FIELDS_MAX = 16 };

/* The fields of one attempt: those given, and the counter behind them. */
static struct mpc_fields with_counter(
    struct qk_bytes v[static FIELDS_MAX + 1], struct mpc_fields f, const uint8_t ctr[static 4])
{
    for (uint32_t i = 0; i < f.n; i++) v[i] = f.v[i];
    v[f.n] = qk_bytes(ctr, 4);
    return (struct mpc_fields){v, f.n + 1};
}

/* Half of all x are on the curve, so 256 attempts fail with probability 2^-256. Not used for
 * secp256k1 and P-384, whose protocols take their oblivious-transfer group from the other two. */
qk_err mpc_h2p_var(struct mpc_point *r, const char *label, struct mpc_fields f)
{
    QK_ENSURE(r->c != NULL && (r->c->id == MPC_P256 || r->c->id == MPC_P521), QK_E_STATE);
    QK_ENSURE(f.n <= FIELDS_MAX, QK_E_STATE);
    size_t x_len = (size_t)r->c->lp + 16;
    struct qk_bytes v[FIELDS_MAX + 1];
    for (uint32_t ctr = 0; ctr < 256; ctr++) {
        uint8_t be[4];
        uint8_t e[66 + 17];
        qk_put_u32(be, ctr);
        QK_TRY(mpc_expand(e, x_len + 1, label, with_counter(v, f, be)));
        qk_err err = ec_lift_x_var(r, qk_bytes(e, x_len), e[x_len] & 1);
        if (err != QK_E_NOT_FOUND) return err;
    }
    return QK_E_CRYPTO;
}
