/* The combiner: adds the parts up and releases only what verifies. Holds nothing secret. */
#include "ecdsa/part.h"
#include "ecdsa/sign.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

/* ---- the independent verifier ---- */

/* From its parameters: reading it as DER instead costs more than the verification. */
static qk_err key_of_point(EVP_PKEY **out, const struct mpc_curve *c, uint8_t *point, size_t len)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(
            OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t)OBJ_nid2sn(c->nid), 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, len),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    QK_ENSURE(ctx, QK_E_NOMEM);
    bool ok = EVP_PKEY_fromdata_init(ctx) == 1 &&
              EVP_PKEY_fromdata(ctx, out, EVP_PKEY_PUBLIC_KEY, params) == 1;
    EVP_PKEY_CTX_free(ctx);
    return ok ? QK_OK : QK_E_CRYPTO;
}

static qk_err load_key(EVP_PKEY **out, const struct mpc_curve *c, const uint8_t *pk)
{
    MPC_POINT(p);
    uint8_t point[1 + 2 * MPC_SCALAR_MAX];
    QK_TRY(mpc_point_init(&p, c));
    QK_TRY(mpc_point_decode_var(&p, qk_bytes(pk, c->pt)));
    QK_TRY(mpc_point_encode_uncompressed(point, &p));
    return key_of_point(out, c, point, 1 + 2u * c->lp);
}

static qk_err verify_with(EVP_PKEY *key, struct qk_bytes digest, struct qk_bytes der)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    QK_ENSURE(ctx, QK_E_NOMEM);
    qk_err err = QK_E_CRYPTO;
    if (EVP_PKEY_verify_init(ctx) == 1)
        err = EVP_PKEY_verify(ctx, der.p, der.len, digest.p, digest.len) == 1 ? QK_OK : QK_E_PROOF;
    EVP_PKEY_CTX_free(ctx);
    return err;
}

qk_err mpc_ecdsa_verify(
    unsigned curve, const uint8_t *pk, struct qk_bytes digest, struct qk_bytes der)
{
    QK_ENSURE(mpc_ot_class_of(curve) != 0, QK_E_STATE);
    QK_ENSURE(digest.len >= 1 && digest.len <= MPC_ECDSA_DIGEST_MAX, QK_E_STATE);
    const struct mpc_curve *c = mpc_curve_get(curve);
    struct mpc_scalar r, s;
    QK_TRY(mpc_ecdsa_der_decode(c, der, &r, &s));
    EVP_PKEY *key = NULL;
    QK_TRY(load_key(&key, c, pk));
    qk_err err = verify_with(key, digest, der);
    EVP_PKEY_free(key);
    return err;
}

/* ---- combining ---- */

static qk_err check_parts(const struct mpc_key_record *rec, const struct mpc_ecdsa_part *parts,
    size_t n_parts, struct qk_bytes digest)
{
    const struct mpc_curve *c = mpc_curve_get(rec->curve);
    uint8_t hd[32];
    QK_ENSURE(n_parts == (size_t)rec->t + rec->access, QK_E_STATE);
    QK_TRY(ecdsa_digest_hash(hd, digest));
    for (size_t i = 0; i < n_parts; i++) {
        QK_ENSURE(parts[i].curve == rec->curve, QK_E_STATE);
        QK_ENSURE(memcmp(parts[i].hd, hd, 32) == 0, QK_E_MISMATCH); /* E-16 */
        QK_ENSURE(memcmp(parts[i].big_r, parts[0].big_r, c->pt) == 0, QK_E_MISMATCH);
    }
    return QK_OK;
}

static qk_err signature_r(const struct mpc_key_record *rec, const struct mpc_ecdsa_part *part,
    struct qk_bytes digest, const struct mpc_ecdsa_offset *offset, struct mpc_scalar *r)
{
    const struct mpc_curve *c = mpc_curve_get(rec->curve);
    struct mpc_scalar delta;
    if (!offset) return ecdsa_r_of_point(c, part->big_r, r);
    return ecdsa_offset_var(c, offset, rec->pk, part->big_r, digest, &delta, r);
}

/* s = (sum w) / (sum u); low on secp256k1 only (section 8). */
static qk_err signature_s(const struct mpc_curve *c, const struct mpc_ecdsa_part *parts,
    size_t n_parts, struct mpc_scalar *s)
{
    struct mpc_scalar w = {{0}}, u = {{0}}, neg;
    for (size_t i = 0; i < n_parts; i++) {
        mpc_scalar_add(c, &w, &w, &parts[i].w);
        mpc_scalar_add(c, &u, &u, &parts[i].u);
    }
    QK_ENSURE(!mpc_scalar_zero_mask(&u), QK_E_PROOF); /* E-15 */
    mpc_scalar_inv(c, &u, &u);
    mpc_scalar_mul(c, s, &w, &u);
    QK_ENSURE(!mpc_scalar_zero_mask(s), QK_E_PROOF);
    if (c->id != MPC_SECP256K1) return QK_OK;
    mpc_scalar_neg(c, &neg, s);
    mpc_scalar_select(s, mpc_scalar_high_mask(c, s), &neg, s);
    return QK_OK;
}

qk_err mpc_ecdsa_combine(const struct mpc_key_record *rec, const struct mpc_ecdsa_part *parts,
    size_t n_parts, struct qk_bytes digest, const struct mpc_ecdsa_offset *offset,
    struct qk_buf *der)
{
    QK_ENSURE(mpc_ot_class_of(rec->curve) != 0, QK_E_STATE);
    const struct mpc_curve *c = mpc_curve_get(rec->curve);
    struct mpc_scalar h, r, s;
    QK_TRY(ecdsa_hash_scalar(c, digest, &h));
    QK_TRY(check_parts(rec, parts, n_parts, digest));
    QK_TRY(signature_r(rec, &parts[0], digest, offset, &r));
    QK_TRY(signature_s(c, parts, n_parts, &s));
    QK_AUTO_BUF sig = QK_BUF(MPC_ECDSA_DER_MAX);
    QK_TRY(mpc_ecdsa_der_encode(c, &r, &s, &sig));
    QK_TRY(mpc_ecdsa_verify(rec->curve, rec->pk, digest, qk_buf_view(&sig)));
    QK_ENSURE(der->max - der->len >= sig.len, QK_E_TOO_LARGE);
    qk_buf_add(der, sig.p, sig.len);
    return der->err;
}
