#include "ecdsa/params.h"

unsigned mpc_ot_class_of(unsigned curve)
{
    switch (curve) {
    case MPC_SECP256K1:
    case MPC_P256:
        return MPC_OT_L1;
    case MPC_P384:
    case MPC_P521:
        return MPC_OT_L2;
    default:
        return 0;
    }
}

uint16_t ot_kappa(unsigned cls)
{
    return cls == MPC_OT_L1 ? 128 : cls == MPC_OT_L2 ? 256 : 0;
}

const struct mpc_curve *ot_group(unsigned cls)
{
    return mpc_curve_get(cls == MPC_OT_L1 ? MPC_P256 : MPC_P521);
}

static struct ot_dims dims(uint16_t kappa, uint16_t xi)
{
    return (struct ot_dims){.kappa = kappa,
        .xi = xi,
        .nb = (uint16_t)((xi + 128) / 8),
        .m = (uint16_t)((xi + 127) / 128)};
}

struct ot_dims ot_dims_sign(const struct mpc_curve *c)
{
    uint16_t xi = (uint16_t)((c->q_bits + 160 + 7) / 8 * 8);
    return dims(ot_kappa(mpc_ot_class_of(c->id)), xi);
}

struct ot_dims ot_dims_derive(unsigned cls)
{
    return dims(ot_kappa(cls), ot_kappa(cls));
}
