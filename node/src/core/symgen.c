#include "core/symgen.h"

#include "mpc/group.h"
#include "mpc/labels.h"
#include "mpc/sym_gen.h"
#include "qk/secret.h"
#include "core/epochs.h"
#include "core/keygen.h"
#include "core/sessions.h"
#include "vault/shares.h"

enum { CNFGEN_MS = 20000, EPOCH_MS = 20000 };

void node_sym_made_free(struct node_sym_made *made)
{
    qk_buf_free(&made->pkrec);
}

bool node_sym_possible(const struct node *node, uint8_t modes, struct kms_fault *fault)
{
    struct mpc_sym_sets sets;
    const struct wire_cluster *c = node->cluster;
    if (!(modes & MPC_SYM_F) || mpc_sym_sets_make(&sets, (unsigned)c->n, c->t) == QK_OK)
        return true;
    (void)!kms_fault_set(fault, "UnsupportedOperationException",
        "Modes %s need at least 2t-1 nodes and at most %d sets of nodes; this cluster has n = %zu "
        "and t = %u. Create the key with the tag qkms:modes = V.",
        modes == MPC_SYM_F ? "F" : "FV", MPC_SYM_SETS_MAX, (size_t)c->n, (unsigned)c->t);
    return false;
}

/* ---- a version that is here already ---- */

bool node_sym_is_ours(const struct node *node, const struct mpc_sym_record *rec,
    const uint8_t key_id[static 16], uint32_t ver, uint8_t modes)
{
    bool same = memcmp(rec->key_id, key_id, 16) == 0 && rec->ver == ver && rec->modes == modes &&
                rec->t == node->cluster->t && rec->n == node->cluster->n;
    for (size_t i = 0; same && i < rec->n; i++)
        same = rec->nodes[i].id == node->peers[i].id &&
               memcmp(rec->nodes[i].idh, node->peers[i].idh, sizeof rec->nodes[i].idh) == 0;
    return same;
}

/* QK_E_NOT_FOUND: there is none yet. */
static qk_err find_made(struct node *node, const uint8_t id[static 16],
    const struct mpc_sym_spec *spec, struct mpc_sym_record *rec)
{
    QK_AUTO_BUF secret = QK_BUF_SECRET(MPC_SYM_SHARE_MAX);
    QK_AUTO_BUF record = QK_BUF(MPC_SYM_RECORD_MAX);
    QK_TRY(node_vault_share_load(node->vault, id, NULL, &secret, &record));
    QK_TRY(mpc_sym_record_decode(qk_buf_view(&record), rec) == QK_OK ? QK_OK : QK_E_CORRUPT);
    bool ours = node_sym_is_ours(node, rec, spec->key_id, spec->ver, spec->modes);
    return ours ? QK_OK : QK_E_MISMATCH;
}

/* ---- generation ---- */

struct making {
    struct node_op *op;
    const uint8_t *id;
    const char *what;
    struct mpc_sym_spec spec;
    struct mpc_key_record rec_v;
    uint16_t *culprit;
};

static qk_err cnfgen(struct making *m, const struct mpc_key_share *share_v,
    struct mpc_sym_share *share, struct mpc_sym_record *rec)
{
    struct mpc_session s;
    struct mpc_party *party;
    QK_TRY(node_keygen_session(m->op, MPC_P256, m->id, m->what, &s));
    if (m->spec.v != NULL) QK_TRY(mpc_record_hash(m->spec.v, s.rec));
    QK_TRY(mpc_cnfgen_start(&party, &s, &m->spec, qk_rng_system()));
    qk_err err = node_session_run(m->op->node, party, &s, 0, "cnfgen", CNFGEN_MS, m->culprit);
    if (err == QK_OK) err = mpc_cnfgen_take(party, m->spec.v == NULL ? NULL : share_v, share, rec);
    mpc_party_free(party);
    return err;
}

static qk_err generate(struct making *m, struct mpc_sym_share *share, struct mpc_sym_record *rec)
{
    MPC_KEY_SHARE(share_v);
    if (m->spec.modes & MPC_SYM_V) {
        QK_TRY(node_keygen_dkg(
            m->op, MPC_P256, m->id, MPC_L_SYM_V, m->what, &share_v, &m->rec_v, m->culprit));
        m->spec.v = &m->rec_v;
    }
    if (m->spec.modes & MPC_SYM_F) return cnfgen(m, &share_v, share, rec);
    return mpc_sym_from_dkg(&m->spec, &share_v, share, rec);
}

/* After this the version is ACTIVE at every node, or there is none. */
static qk_err generate_and_commit(struct making *m, struct mpc_sym_record *rec)
{
    MPC_SYM_SHARE(share);
    QK_ENSURE(m->op->call.n_peers == m->op->node->cluster->n, QK_E_STATE);
    QK_TRY(node_epoch_room(m->op->node, m->id));
    QK_TRY(generate(m, &share, rec));
    QK_TRY(mpc_sym_share_check(&share, rec));
    return node_epoch_commit_sym(m->op->node, &share, rec, EPOCH_MS);
}

qk_err node_sym_make(struct node_op *op, const uint8_t key_id[static 16], uint32_t ver,
    uint8_t modes, const char *what, struct node_sym_made *made, uint16_t *culprit)
{
    struct mpc_sym_record rec;
    uint8_t id[16];
    struct making m = {.op = op, .id = id, .what = what, .culprit = culprit};
    *culprit = 0;
    m.spec = (struct mpc_sym_spec){.ver = ver, .modes = modes};
    memcpy(m.spec.key_id, key_id, 16);
    QK_TRY(mpc_sym_version_id(id, key_id, ver));
    qk_err err = find_made(op->node, id, &m.spec, &rec);
    if (err == QK_E_NOT_FOUND) err = generate_and_commit(&m, &rec);
    QK_TRY(err);
    QK_TRY(mpc_sym_material_id(&rec, made->material_id));
    return mpc_sym_record_encode(&rec, &made->pkrec);
}
