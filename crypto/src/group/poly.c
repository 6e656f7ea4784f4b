#include "mpc/group.h"

qk_err mpc_ids_check(const uint16_t *ids, size_t n_ids)
{
    QK_ENSURE(n_ids >= 1 && n_ids <= MPC_NODE_ID_MAX, QK_E_MALFORMED);
    uint16_t before = 0;
    for (size_t i = 0; i < n_ids; i++) {
        QK_ENSURE(ids[i] > before && ids[i] <= MPC_NODE_ID_MAX, QK_E_MALFORMED);
        before = ids[i];
    }
    return QK_OK;
}

/* r = r * v mod q for a small integer v of either sign. */
static void times(const struct mpc_curve *c, struct mpc_scalar *r, int v)
{
    struct mpc_scalar f;
    mpc_scalar_set_u64(&f, (uint64_t)(v < 0 ? -v : v));
    if (v < 0) mpc_scalar_neg(c, &f, &f);
    mpc_scalar_mul(c, r, r, &f);
}

qk_err mpc_lagrange_var(
    const struct mpc_curve *c, struct mpc_scalar *r, const uint16_t *ids, size_t n_ids, uint16_t id)
{
    QK_ENSURE(mpc_ids_check(ids, n_ids) == QK_OK, QK_E_STATE);
    struct mpc_scalar num, den;
    mpc_scalar_set_u64(&num, 1);
    mpc_scalar_set_u64(&den, 1);
    bool found = false;
    for (size_t i = 0; i < n_ids; i++) {
        if (ids[i] == id) {
            found = true;
            continue;
        }
        times(c, &num, ids[i]);
        times(c, &den, (int)ids[i] - (int)id);
    }
    QK_ENSURE(found, QK_E_STATE);
    mpc_scalar_inv(c, &den, &den);
    mpc_scalar_mul(c, r, &num, &den);
    return QK_OK;
}

void mpc_poly_eval(const struct mpc_curve *c, struct mpc_scalar *r, const struct mpc_scalar *coeffs,
    size_t n, uint16_t x)
{
    struct mpc_scalar at;
    MPC_SCALAR(acc);
    mpc_scalar_set_u64(&at, x);
    mpc_scalar_to_mont(c, &at, &at);
    for (size_t k = n; k-- > 0;) {
        mpc_scalar_mul_mont(c, &acc, &acc, &at);
        mpc_scalar_add(c, &acc, &acc, &coeffs[k]);
    }
    *r = acc;
}
