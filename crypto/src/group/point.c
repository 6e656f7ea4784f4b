#include "point.h"

#include <string.h>
#include "qk/secret.h"
#include "ct.h"

static bool is_k1(const struct mpc_point *p)
{
    return p->c->id == MPC_SECP256K1;
}

/* Every operand must be initialised and of one curve: adding points of two curves is a bug. */
static bool same_curve(const struct mpc_point *a, const struct mpc_point *b)
{
    return a->c != NULL && a->c == b->c;
}

qk_err mpc_point_init(struct mpc_point *p, const struct mpc_curve *c)
{
    QK_ENSURE(c != NULL, QK_E_STATE);
    struct mpc_point v = {.c = c, .k1_is_inf = 1};
    if (!is_k1(&v)) QK_TRY(ec_init(&v));
    *p = v;
    return QK_OK;
}

void mpc_point_clear(struct mpc_point *p)
{
    if (p->c != NULL && !is_k1(p)) ec_clear(p);
    qk_wipe(p, sizeof *p);
}

qk_err mpc_point_copy(struct mpc_point *r, const struct mpc_point *a)
{
    QK_ENSURE(same_curve(r, a), QK_E_STATE);
    return is_k1(a) ? k1_copy(r, a) : ec_copy(r, a);
}

void mpc_point_set_infinity(struct mpc_point *r)
{
    if (!is_k1(r)) {
        ec_set_infinity(r);
        return;
    }
    qk_wipe(r->k1, sizeof r->k1);
    r->k1_is_inf = 1;
}

qk_err mpc_point_set_generator(struct mpc_point *r)
{
    QK_ENSURE(r->c != NULL, QK_E_STATE);
    return is_k1(r) ? k1_set_generator(r) : ec_set_generator(r);
}

bool mpc_point_is_infinity(const struct mpc_point *a)
{
    return is_k1(a) ? a->k1_is_inf != 0 : ec_is_infinity(a);
}

qk_err mpc_point_check_eq_var(const struct mpc_point *a, const struct mpc_point *b)
{
    QK_ENSURE(same_curve(a, b), QK_E_STATE);
    if (!is_k1(a)) return ec_check_eq_var(a, b);
    return k1_eq_var(a, b) ? QK_OK : QK_E_PROOF;
}

bool mpc_point_eq_var(const struct mpc_point *a, const struct mpc_point *b)
{
    return mpc_point_check_eq_var(a, b) == QK_OK;
}

qk_err mpc_point_add(struct mpc_point *r, const struct mpc_point *a, const struct mpc_point *b)
{
    QK_ENSURE(same_curve(r, a) && same_curve(a, b), QK_E_STATE);
    return is_k1(r) ? k1_add(r, a, b) : ec_add(r, a, b);
}

qk_err mpc_point_neg(struct mpc_point *r, const struct mpc_point *a)
{
    QK_ENSURE(same_curve(r, a), QK_E_STATE);
    return is_k1(r) ? k1_neg(r, a) : ec_neg(r, a);
}

qk_err mpc_point_mul_base(struct mpc_point *r, const struct mpc_scalar *k)
{
    QK_ENSURE(r->c != NULL, QK_E_STATE);
    return is_k1(r) ? k1_mul_base(r, k) : ec_mul_base(r, k);
}

qk_err mpc_point_mul(struct mpc_point *r, const struct mpc_scalar *k, const struct mpc_point *a)
{
    QK_ENSURE(same_curve(r, a), QK_E_STATE);
    return is_k1(r) ? k1_mul(r, k, a) : ec_mul(r, k, a);
}

qk_err mpc_point_mul_add_var(struct mpc_point *r, const struct mpc_scalar *k,
    const struct mpc_scalar *l, const struct mpc_point *a)
{
    QK_ENSURE(same_curve(r, a), QK_E_STATE);
    return is_k1(r) ? k1_mul_add_var(r, k, l, a) : ec_mul_add_var(r, k, l, a);
}

/* r = x*r for a small public x, by doubling and adding. */
static qk_err mul_small_var(struct mpc_point *r, uint16_t x)
{
    MPC_POINT(acc);
    QK_TRY(mpc_point_init(&acc, r->c));
    for (int bit = 15; bit >= 0; bit--) {
        QK_TRY(mpc_point_add(&acc, &acc, &acc));
        if ((x >> bit) & 1) QK_TRY(mpc_point_add(&acc, &acc, r));
    }
    return mpc_point_copy(r, &acc);
}

qk_err mpc_point_poly_eval_var(
    struct mpc_point *r, const struct mpc_point *coeffs, size_t n, uint16_t x)
{
    MPC_POINT(acc);
    QK_TRY(mpc_point_init(&acc, r->c));
    for (size_t k = n; k-- > 0;) {
        QK_TRY(mul_small_var(&acc, x));
        QK_TRY(mpc_point_add(&acc, &acc, &coeffs[k]));
    }
    return mpc_point_copy(r, &acc);
}
