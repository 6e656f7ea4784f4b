#include "rounds/combine.h"

#include <openssl/evp.h>
#include <openssl/core_names.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include "mpc/ecdsa.h"
#include "mpc/mac_record.h"
#include "mpc/session.h"
#include "mpc/sym_record.h"

static qk_err decode_parts(
    const struct coord_attempt *a, unsigned curve, struct mpc_ecdsa_part *parts, uint16_t *liar)
{
    for (size_t i = 0; i < a->n; i++) {
        qk_err err = mpc_ecdsa_part_decode(&parts[i], curve, a->replies[i].answer.part);
        if (err != QK_OK) *liar = a->replies[i].node;
        QK_TRY(err);
    }
    return QK_OK;
}

/* The same hash that every signer computes for itself (mpc/session.h). */
static qk_err request_hash(const struct coord_combine *c, uint8_t out[static 32])
{
    struct mpc_req req = {
        .operation = qk_str("Sign"),
        .principal = qk_str(c->principal),
        .algorithm = c->algorithm,
        .digest = c->digest,
    };
    memcpy(req.fresh, c->rnd, 32);
    return mpc_req_hash(out, &req);
}

qk_err coord_combine_parts(const struct coord_combine *c, const struct coord_attempt *attempt,
    struct qk_buf *der, uint16_t *liar)
{
    struct mpc_key_record rec;
    struct mpc_ecdsa_part parts[WIRE_NODES_MAX];
    uint8_t req[32];
    *liar = 0;
    QK_ENSURE(attempt->all_ok && attempt->n <= WIRE_NODES_MAX, QK_E_STATE);
    QK_ENSURE(mpc_record_decode(c->key->pkrec, &rec) == QK_OK, QK_E_CORRUPT);
    QK_TRY(decode_parts(attempt, rec.curve, parts, liar));
    QK_TRY(request_hash(c, req));
    struct mpc_ecdsa_offset offset = {.sid = c->presig.p, .req = req};
    bool spent = c->presig.len == 32;
    return mpc_ecdsa_combine(&rec, parts, attempt->n, c->digest, spent ? &offset : NULL, der);
}

static EVP_PKEY *load_spki(struct qk_bytes spki)
{
    const unsigned char *p = spki.p;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &p, (long)spki.len);
    if (key != NULL && p == spki.p + spki.len) return key;
    EVP_PKEY_free(key);
    return NULL;
}

qk_err coord_verify_signature(
    const struct kms_key *key, struct qk_bytes digest, struct qk_bytes signature)
{
    EVP_PKEY *pk = load_spki(key->spki);
    QK_ENSURE(pk != NULL, QK_E_CORRUPT);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pk, NULL);
    bool ready = ctx != NULL && EVP_PKEY_verify_init(ctx) == 1;
    bool good =
        ready && EVP_PKEY_verify(ctx, signature.p, signature.len, digest.p, digest.len) == 1;
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(pk);
    if (!ready) return QK_E_CRYPTO;
    return good ? QK_OK : QK_E_PROOF;
}

/* The record's compressed point is the uncompressed one of the SPKI. */
static bool spki_is(struct qk_bytes spki, const struct mpc_key_record *rec)
{
    EVP_PKEY *pk = load_spki(spki);
    if (pk == NULL) return false;
    uint8_t point[1 + 2 * MPC_SCALAR_MAX];
    size_t len = 0;
    bool got = EVP_PKEY_get_octet_string_param(
                   pk, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, point, sizeof point, &len) == 1;
    EVP_PKEY_free(pk);
    if (!got || len < 3 || point[0] != 4) return false;
    size_t half = (len - 1) / 2;
    if (half + 1 > MPC_POINT_MAX) return false;
    return rec->pk[0] == (2 | (point[len - 1] & 1)) && memcmp(rec->pk + 1, point + 1, half) == 0;
}

static qk_err are_ours(const struct wire_cluster *cluster, const struct mpc_peer *nodes)
{
    for (size_t i = 0; i < cluster->n; i++) {
        uint8_t idh[32];
        QK_TRY(mpc_idh(idh, wire_key_spki(cluster->nodes[i].key)));
        QK_ENSURE(nodes[i].id == cluster->nodes[i].id, QK_E_MISMATCH);
        QK_ENSURE(memcmp(nodes[i].idh, idh, 32) == 0, QK_E_MISMATCH);
    }
    return QK_OK;
}

qk_err coord_check_created(const struct wire_cluster *cluster, const struct kms_key *key)
{
    struct mpc_key_record rec;
    QK_ENSURE(mpc_record_decode(key->pkrec, &rec) == QK_OK, QK_E_MISMATCH);
    QK_ENSURE(memcmp(rec.key_id, key->key_id, 16) == 0, QK_E_MISMATCH);
    QK_ENSURE(rec.curve == key->spec->curve && rec.access == 0, QK_E_MISMATCH);
    QK_ENSURE(rec.t == cluster->t && rec.n == cluster->n, QK_E_MISMATCH);
    QK_TRY(are_ours(cluster, rec.nodes));
    QK_ENSURE(mpc_record_check_points(&rec) == QK_OK, QK_E_MISMATCH);
    return spki_is(key->spki, &rec) ? QK_OK : QK_E_MISMATCH;
}

static qk_err check_version(const struct wire_cluster *cluster, const struct kms_version *v,
    uint8_t modes, const struct mpc_sym_record *rec)
{
    struct mpc_key_record points;
    QK_ENSURE(memcmp(rec->key_id, v->key_id, 16) == 0 && rec->ver == v->ver, QK_E_MISMATCH);
    QK_ENSURE(rec->modes == modes && rec->access == 0, QK_E_MISMATCH);
    QK_ENSURE(rec->t == cluster->t && rec->n == cluster->n, QK_E_MISMATCH);
    QK_TRY(are_ours(cluster, rec->nodes));
    if (!(modes & MPC_SYM_V)) return QK_OK;
    QK_TRY(mpc_sym_record_v(rec, &points));
    return mpc_record_check_points(&points) == QK_OK ? QK_OK : QK_E_MISMATCH;
}

qk_err coord_check_version(const struct wire_cluster *cluster, const struct kms_version *v,
    uint8_t modes, uint8_t material_id[static 32])
{
    struct mpc_sym_record *rec = malloc(sizeof *rec);
    QK_ENSURE(rec != NULL, QK_E_NOMEM);
    qk_err err = mpc_sym_record_decode(v->pkrec, rec) == QK_OK ? QK_OK : QK_E_MISMATCH;
    if (err == QK_OK) err = check_version(cluster, v, modes, rec);
    if (err == QK_OK) err = mpc_sym_material_id(rec, material_id);
    free(rec);
    return err;
}

unsigned coord_mac_alg(const struct kms_keyspec *spec)
{
    switch (spec->id) {
    case KMS_SPEC_HMAC_224:
        return MPC_MAC_224;
    case KMS_SPEC_HMAC_256:
        return MPC_MAC_256;
    case KMS_SPEC_HMAC_384:
        return MPC_MAC_384;
    case KMS_SPEC_HMAC_512:
        return MPC_MAC_512;
    default:
        return 0;
    }
}

static qk_err check_mac(const struct wire_cluster *cluster, const struct kms_version *v,
    unsigned alg, uint8_t profile, const struct mpc_mac_record *rec)
{
    QK_ENSURE(memcmp(rec->key_id, v->key_id, 16) == 0 && rec->ver == v->ver, QK_E_MISMATCH);
    QK_ENSURE(rec->alg == alg && rec->profile == profile, QK_E_MISMATCH);
    QK_ENSURE(rec->n == cluster->n, QK_E_MISMATCH);
    return are_ours(cluster, rec->nodes);
}

qk_err coord_check_mac(const struct wire_cluster *cluster, const struct kms_version *v,
    const struct kms_keyspec *spec, uint8_t profile, uint8_t material_id[static 32])
{
    struct mpc_mac_record *rec = malloc(sizeof *rec);
    QK_ENSURE(rec != NULL, QK_E_NOMEM);
    qk_err err = mpc_mac_record_decode(v->pkrec, rec) == QK_OK ? QK_OK : QK_E_MISMATCH;
    if (err == QK_OK) err = check_mac(cluster, v, coord_mac_alg(spec), profile, rec);
    if (err == QK_OK) err = mpc_mac_material_id(rec, material_id);
    free(rec);
    return err;
}
