#include "ecdsa/part.h"

#include "ecdsa/presig.h"
#include "ecdsa/sign.h"

size_t mpc_ecdsa_digest_len(unsigned curve)
{
    switch (curve) {
    case MPC_SECP256K1:
    case MPC_P256:
        return 32;
    case MPC_P384:
        return 48;
    case MPC_P521:
        return 64;
    default:
        return 0;
    }
}

/* FIPS 186-5 takes the leftmost |q| bits; no digest here is longer than q. */
qk_err ecdsa_hash_scalar(const struct mpc_curve *c, struct qk_bytes digest, struct mpc_scalar *h)
{
    QK_ENSURE(digest.len == mpc_ecdsa_digest_len(c->id), QK_E_STATE);
    QK_TRY(mpc_scalar_reduce(c, h, digest));
    QK_ENSURE(!mpc_scalar_zero_mask(h), QK_E_DENIED);
    return QK_OK;
}

qk_err ecdsa_digest_hash(uint8_t out[static 32], struct qk_bytes digest)
{
    return mpc_h32(out, MPC_L_DIGEST, MPC_FIELDS(digest));
}

qk_err ecdsa_r_of_point(const struct mpc_curve *c, const uint8_t *big_r, struct mpc_scalar *r)
{
    MPC_POINT(p);
    QK_TRY(mpc_point_init(&p, c));
    QK_TRY(mpc_point_decode_var(&p, qk_bytes(big_r, c->pt)));
    QK_TRY(mpc_point_x_mod_q(r, &p));
    QK_ENSURE(!mpc_scalar_zero_mask(r), QK_E_PROOF);
    return QK_OK;
}

qk_err ecdsa_offset_var(const struct mpc_curve *c, const struct mpc_ecdsa_offset *o,
    const uint8_t *pk, const uint8_t *big_r, struct qk_bytes digest, struct mpc_scalar *delta,
    struct mpc_scalar *r)
{
    QK_TRY(mpc_h2s(c, delta, MPC_L_ECDSA_RERAND,
        MPC_FIELDS({o->sid, 32}, {pk, c->pt}, {big_r, c->pt}, digest, {o->req, 32})));
    MPC_POINT(p);
    MPC_POINT(shift);
    QK_TRY(mpc_point_init(&p, c));
    QK_TRY(mpc_point_init(&shift, c));
    QK_TRY(mpc_point_decode_var(&p, qk_bytes(big_r, c->pt)));
    QK_TRY(mpc_point_mul_base(&shift, delta));
    QK_TRY(mpc_point_add(&p, &p, &shift));
    QK_ENSURE(!mpc_point_is_infinity(&p), QK_E_PROOF);
    QK_TRY(mpc_point_x_mod_q(r, &p));
    QK_ENSURE(!mpc_scalar_zero_mask(r), QK_E_PROOF);
    return QK_OK;
}

qk_err ecdsa_make_part(const struct mpc_curve *c, const uint8_t *big_r, struct qk_bytes digest,
    const struct mpc_scalar *r, const struct mpc_scalar *phi, const struct mpc_scalar *u,
    const struct mpc_scalar *v, struct mpc_ecdsa_part *out)
{
    struct mpc_scalar h;
    struct mpc_ecdsa_part part = {.curve = c->id, .u = *u};
    MPC_SCALAR(rv);
    QK_TRY(ecdsa_hash_scalar(c, digest, &h));
    QK_TRY(ecdsa_digest_hash(part.hd, digest));
    memcpy(part.big_r, big_r, c->pt);
    mpc_scalar_mul(c, &part.w, &h, phi);
    mpc_scalar_mul(c, &rv, r, v);
    mpc_scalar_add(c, &part.w, &part.w, &rv);
    *out = part;
    return QK_OK;
}

/* ---- results of a signing party ---- */

static void wipe_result(struct sign *s)
{
    s->taken = true;
    mpc_scalar_wipe(&s->phi);
    mpc_scalar_wipe(&s->u);
    mpc_scalar_wipe(&s->v);
}

qk_err mpc_ecdsa_take_part(struct mpc_party *party, struct mpc_ecdsa_part *out)
{
    struct sign *s = mpc_engine_result(party, MPC_PROTO_ECDSA);
    QK_ENSURE(s && s->online && !s->taken, QK_E_STATE); /* E-22 */
    const struct mpc_curve *c = party->curve;
    struct mpc_scalar r;
    qk_err err = ecdsa_r_of_point(c, s->out_r, &r);
    if (err == QK_OK)
        err = ecdsa_make_part(
            c, s->out_r, qk_bytes(s->digest, s->digest_len), &r, &s->phi, &s->u, &s->v, out);
    wipe_result(s);
    return err;
}

qk_err mpc_ecdsa_take_presig(struct mpc_party *party, struct mpc_presig **out)
{
    struct sign *s = mpc_engine_result(party, MPC_PROTO_ECDSA);
    QK_ENSURE(s && !s->online && !s->taken, QK_E_STATE);
    qk_err err = presig_new(out, party, s);
    wipe_result(s);
    return err;
}

/* ---- parts as bytes ---- */

size_t mpc_ecdsa_part_len(unsigned curve)
{
    const struct mpc_curve *c = mpc_curve_get(curve);
    return mpc_ot_class_of(curve) && c ? c->pt + 2u * c->lq + 32 : 0;
}

qk_err mpc_ecdsa_part_encode(const struct mpc_ecdsa_part *part, uint8_t *out)
{
    QK_ENSURE(mpc_ecdsa_part_len(part->curve) != 0, QK_E_STATE);
    const struct mpc_curve *c = mpc_curve_get(part->curve);
    memcpy(out, part->big_r, c->pt);
    mpc_scalar_encode(c, out + c->pt, &part->w);
    mpc_scalar_encode(c, out + c->pt + c->lq, &part->u);
    memcpy(out + c->pt + 2u * c->lq, part->hd, 32);
    return QK_OK;
}

qk_err mpc_ecdsa_part_decode(struct mpc_ecdsa_part *out, unsigned curve, struct qk_bytes in)
{
    QK_ENSURE(mpc_ecdsa_part_len(curve) != 0, QK_E_STATE);
    QK_ENSURE(in.len == mpc_ecdsa_part_len(curve), QK_E_MALFORMED);
    const struct mpc_curve *c = mpc_curve_get(curve);
    struct mpc_ecdsa_part part = {.curve = c->id};
    MPC_POINT(p);
    QK_TRY(mpc_point_init(&p, c));
    QK_TRY(mpc_point_decode_var(&p, qk_bytes(in.p, c->pt)));
    QK_TRY(mpc_scalar_decode(c, &part.w, qk_bytes(in.p + c->pt, c->lq)));
    QK_TRY(mpc_scalar_decode(c, &part.u, qk_bytes(in.p + c->pt + c->lq, c->lq)));
    memcpy(part.big_r, in.p, c->pt);
    memcpy(part.hd, in.p + c->pt + 2u * c->lq, 32);
    *out = part;
    return QK_OK;
}
