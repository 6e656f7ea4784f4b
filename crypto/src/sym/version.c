#include "sym/version.h"

#include "mpc/labels.h"
#include "mpc/transcript.h"
#include "qk/secret.h"

int sym_node_index(const struct mpc_sym_record *rec, uint16_t id)
{
    for (size_t i = 0; i < rec->n; i++)
        if (rec->nodes[i].id == id) return (int)i;
    return -1;
}

int sym_terms_index(const struct mpc_sym_terms *terms, uint16_t id)
{
    for (size_t i = 0; i < terms->n; i++)
        if (terms->ids[i] == id) return (int)i;
    return -1;
}

int sym_flags(const struct mpc_sym_version *v, uint8_t mode)
{
    if ((mode != MPC_SYM_F && mode != MPC_SYM_V) || !(v->terms.modes & mode)) return -1;
    int delegate = v->terms.access == 1 ? MPC_SYM_FLAG_DELEGATE : 0;
    return delegate | (mode == MPC_SYM_F ? MPC_SYM_FLAG_TAGS : 0);
}

qk_err sym_kcv(
    uint8_t out[static 32], const uint8_t sid[static 32], size_t a, const uint8_t k[static 32])
{
    uint8_t number[2];
    qk_put_u16(number, (uint16_t)a);
    return mpc_h32(out, MPC_L_CNF_KCV, MPC_FIELDS({sid, 32}, QK_BYTES(number), {k, 32}));
}

size_t sym_own_sets(
    const struct mpc_sym_sets *sets, size_t ix, uint8_t own[static MPC_SYM_SETS_MAX])
{
    size_t n = 0;
    for (size_t a = 0; a < sets->d; a++)
        if (sets->members[a] >> ix & 1) own[n++] = (uint8_t)a;
    return n;
}

qk_err mpc_sym_version_id(uint8_t out[static 16], const uint8_t key_id[static 16], uint32_t ver)
{
    uint8_t number[4], hash[32];
    qk_put_u32(number, ver);
    QK_TRY(mpc_h32(hash, MPC_L_SYM_VER, MPC_FIELDS({key_id, 16}, QK_BYTES(number))));
    memcpy(out, hash, 16);
    return QK_OK;
}

static qk_err decode_points(struct mpc_sym_version *v, const struct mpc_sym_record *rec)
{
    const struct mpc_curve *c = mpc_curve_get(MPC_P256);
    v->big_s = OPENSSL_zalloc(rec->n * sizeof *v->big_s);
    QK_ENSURE(v->big_s != NULL, QK_E_NOMEM);
    for (size_t i = 0; i < rec->n; i++) {
        QK_TRY(mpc_point_init(&v->big_s[i], c));
        QK_TRY(mpc_point_decode_var(&v->big_s[i], QK_BYTES(rec->big_s[i])));
    }
    return QK_OK;
}

static void take_terms(struct mpc_sym_terms *terms, const struct mpc_sym_record *rec)
{
    *terms = (struct mpc_sym_terms){
        .ver = rec->ver, .access = rec->access, .modes = rec->modes, .t = rec->t, .n = rec->n};
    memcpy(terms->key_id, rec->key_id, sizeof terms->key_id);
    for (size_t i = 0; i < rec->n; i++) terms->ids[i] = rec->nodes[i].id;
}

qk_err sym_version_init(struct mpc_sym_version *v, const struct mpc_sym_record *rec)
{
    memset(v, 0, sizeof *v);
    take_terms(&v->terms, rec);
    if (rec->modes & MPC_SYM_F) QK_TRY(mpc_sym_sets_make(&v->sets, rec->n, rec->t));
    QK_ENSURE(v->sets.d == rec->n_sets, QK_E_STATE);
    return rec->modes & MPC_SYM_V ? decode_points(v, rec) : QK_OK;
}

void sym_version_clear(struct mpc_sym_version *v)
{
    for (size_t i = 0; v->big_s != NULL && i < v->terms.n; i++) mpc_point_clear(&v->big_s[i]);
    OPENSSL_free(v->big_s);
    v->big_s = NULL;
}

qk_err mpc_sym_version_new(struct mpc_sym_version **out, const struct mpc_sym_record *rec)
{
    uint8_t hash[32];
    QK_TRY(mpc_sym_record_hash(rec, hash)); /* QK_E_STATE for a record that is none */
    struct mpc_sym_version *v = OPENSSL_zalloc(sizeof *v);
    QK_ENSURE(v != NULL, QK_E_NOMEM);
    qk_err err = sym_version_init(v, rec);
    if (err != QK_OK) {
        mpc_sym_version_free(v);
        return err;
    }
    *out = v;
    return QK_OK;
}

void mpc_sym_version_free(struct mpc_sym_version *v)
{
    if (v == NULL) return;
    sym_version_clear(v);
    OPENSSL_free(v);
}

const struct mpc_sym_terms *mpc_sym_version_terms(const struct mpc_sym_version *v)
{
    return &v->terms;
}
