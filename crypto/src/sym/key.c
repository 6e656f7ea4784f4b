/* A node's share of one version. */
#include "sym/key.h"

#include "dprf/point.h"
#include "mpc/labels.h"
#include "mpc/proof.h"
#include "qk/secret.h"

enum { PT = 33, LQ = 32 };

_Static_assert(sizeof(struct mpc_key_share) <= QK_LOCKED_SMALL_MAX, "shares share a locked page");

static qk_err fill(
    struct mpc_sym_key *key, const struct mpc_sym_record *rec, const struct mpc_sym_share *share)
{
    QK_TRY(sym_version_init(&key->version, rec));
    key->self_ix = (size_t)sym_node_index(rec, share->self);
    key->n_own = sym_own_sets(&key->version.sets, key->self_ix, key->own);
    if (key->n_own > 0) key->prf = OPENSSL_zalloc(key->n_own * sizeof *key->prf);
    QK_ENSURE(key->n_own == 0 || key->prf != NULL, QK_E_NOMEM);
    for (size_t j = 0; j < key->n_own; j++) QK_TRY(sym_prf_init(&key->prf[j], share->k[j]));
    if (!(rec->modes & MPC_SYM_V)) return QK_OK;
    key->v = qk_locked_small_alloc(sizeof *key->v);
    QK_ENSURE(key->v != NULL, QK_E_NOMEM);
    *key->v = share->v;
    return QK_OK;
}

qk_err mpc_sym_key_new(struct mpc_sym_key **out, const struct mpc_sym_record *rec,
    const struct mpc_sym_share *share, uint64_t evaluations)
{
    QK_TRY(mpc_sym_share_check(share, rec));
    struct mpc_sym_key *key = OPENSSL_zalloc(sizeof *key);
    QK_ENSURE(key != NULL, QK_E_NOMEM);
    pthread_mutex_init(&key->lock, NULL);
    atomic_init(&key->evaluations, evaluations);
    qk_err err = fill(key, rec, share);
    if (err != QK_OK) {
        mpc_sym_key_free(key);
        return err;
    }
    *out = key;
    return QK_OK;
}

void mpc_sym_key_free(struct mpc_sym_key *key)
{
    if (key == NULL) return;
    for (size_t j = 0; key->prf != NULL && j < key->n_own; j++) sym_prf_clear(&key->prf[j]);
    OPENSSL_free(key->prf);
    qk_locked_small_free(key->v);
    sym_version_clear(&key->version);
    pthread_mutex_destroy(&key->lock);
    OPENSSL_clear_free(key, sizeof *key);
}

const struct mpc_sym_version *mpc_sym_key_version(const struct mpc_sym_key *key)
{
    return &key->version;
}

uint64_t mpc_sym_key_evaluations(const struct mpc_sym_key *key)
{
    return atomic_load(&key->evaluations);
}

qk_err sym_key_values(
    struct mpc_sym_key *key, const uint8_t (*x)[32], size_t n, uint8_t (*values)[MPC_SYM_PIECE_LEN])
{
    qk_err err = QK_OK;
    pthread_mutex_lock(&key->lock);
    for (size_t j = 0; j < key->n_own && err == QK_OK; j++)
        err = sym_prf_values(&key->prf[j], x, n, values + j * n);
    pthread_mutex_unlock(&key->lock);
    return err;
}

qk_err sym_key_tags(
    struct mpc_sym_key *key, const uint8_t (*x)[32], size_t n, uint8_t (*tags)[MPC_SYM_TAG_LEN])
{
    qk_err err = QK_OK;
    pthread_mutex_lock(&key->lock);
    for (size_t j = 0; j < key->n_own && err == QK_OK; j++)
        err = sym_prf_tags(&key->prf[j], x, n, tags + j * n);
    pthread_mutex_unlock(&key->lock);
    return err;
}

static qk_err prove_point(uint8_t *out, const struct mpc_sym_key *key, const uint8_t x[static 32],
    const struct mpc_point *p, const struct mpc_point *z, struct qk_rng *rng)
{
    struct mpc_dleq proof;
    QK_TRY(mpc_dleq_prove(&proof, p->c, x, key->v->self, MPC_L_SYM, &key->v->x,
        &key->version.big_s[key->self_ix], p, z, rng));
    memcpy(out, proof.a1, PT);
    memcpy(out + PT, proof.a2, PT);
    memcpy(out + 2 * PT, proof.z, LQ);
    return QK_OK;
}

qk_err sym_key_point(uint8_t *out, const struct mpc_sym_key *key, const uint8_t x[static 32],
    bool prove, struct qk_rng *rng)
{
    MPC_POINT(p);
    MPC_POINT(z);
    QK_ENSURE(key->v != NULL, QK_E_STATE);
    QK_TRY(mpc_dprf_point(&p, x));
    QK_TRY(mpc_point_init(&z, p.c));
    QK_TRY(mpc_point_mul(&z, &key->v->x, &p));
    QK_TRY(mpc_point_encode(out, &z));
    return prove ? prove_point(out + PT, key, x, &p, &z, rng) : QK_OK;
}
