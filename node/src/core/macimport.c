/* Imported material of HMAC keys (protocols/60-hmac.md section 6). */
#include "core/macgen.h"

#include "core/epochs.h"
#include "core/keygen.h"
#include "mpc/group.h"
#include "vault/shares.h"

enum { EPOCH_MS = 20000 };

struct import {
    struct node_op *op;
    uint8_t id[16]; /* of the version */
    struct mpc_mac_spec spec;
    struct mpc_mac_record before; /* what the certified VERSION record says */
    bool again;                   /* there is one */
    bool here;                    /* and it says that the material is here */
    uint16_t *culprit;
};

static qk_err begin(struct import *m)
{
    const struct kms_decision *d = &m->op->decision;
    const struct kms_record *version = d->version_record;
    node_mac_spec_of(d, d->key->key.key_id, &m->spec);
    QK_TRY(mpc_sym_version_id(m->id, m->spec.key_id, m->spec.ver));
    m->again = version != NULL;
    if (!m->again) return QK_OK;
    m->here = version->version_of.imported;
    QK_TRY(mpc_mac_record_decode(version->version_of.pkrec, &m->before) == QK_OK ? QK_OK
                                                                                 : QK_E_CORRUPT);
    return node_mac_is_ours(m->op->node, &m->before, &m->spec) ? QK_OK : QK_E_MISMATCH;
}

/* What comes again has to be what came first. */
static qk_err check_same(
    struct import *m, const struct mpc_mac_part *part, const struct mpc_mac_record *first)
{
    qk_err err = mpc_mac_import_matches(part, first);
    if (err != QK_E_MISMATCH) return err;
    return kms_fault_set(&m->op->fault, "IncorrectKeyMaterialException",
        "The key material in the request is not the key material that was imported before.");
}

static qk_err load_active(struct import *m, struct mpc_mac_record *rec)
{
    QK_AUTO_BUF secret = QK_BUF_SECRET(MPC_MAC_SHARE_MAX);
    QK_AUTO_BUF record = QK_BUF(MPC_MAC_RECORD_MAX);
    QK_TRY(node_vault_share_load(m->op->node->vault, m->id, NULL, &secret, &record));
    return mpc_mac_record_decode(qk_buf_view(&record), rec) == QK_OK ? QK_OK : QK_E_CORRUPT;
}

/* QK_OK: the material is here, by an import that is certified or only has to be: *rec is its
 * record. QK_E_NOT_FOUND: it has to be taken in. What the certified record says is not here is not,
 * even if destroying it is still under way. */
static qk_err find_here(
    struct import *m, const struct mpc_mac_part *part, struct mpc_mac_record *rec)
{
    QK_TRY(load_active(m, rec));
    if (m->again && !m->here) QK_ENSURE(rec->e_net > m->before.e_net, QK_E_NOT_FOUND);
    QK_ENSURE(node_mac_is_ours(m->op->node, rec, &m->spec), QK_E_MISMATCH);
    return check_same(m, part, rec);
}

static qk_err session_of(struct import *m, struct mpc_session *s)
{
    QK_TRY(node_keygen_session(m->op, MPC_P256, m->id, "ImportKeyMaterial", s));
    if (!m->again) return QK_OK;
    s->e_net = m->before.e_net;
    return mpc_mac_record_hash(&m->before, s->rec);
}

static qk_err compare(struct import *m, const struct mpc_mac_part *part,
    struct mpc_mac_share *share, struct mpc_mac_record *rec)
{
    struct mpc_session s;
    struct node_mac_links links;
    struct mpc_mac_gen *gen;
    QK_TRY(session_of(m, &s));
    node_mac_links_init(&links, m->op->node);
    QK_TRY(mpc_mac_import_start(
        &gen, &s, &m->spec, m->again ? &m->before : NULL, part, &links.links, qk_rng_system()));
    qk_err err = node_mac_steps(&links, gen, m->culprit);
    if (err == QK_OK) err = mpc_mac_gen_take(gen, share, rec);
    mpc_mac_gen_free(gen);
    return err;
}

static qk_err take_in(struct import *m, const struct mpc_mac_part *part, struct mpc_mac_record *rec)
{
    struct node *node = m->op->node;
    MPC_MAC_SHARE(share);
    QK_ENSURE(m->op->call.n_peers == node->cluster->n, QK_E_STATE);
    QK_TRY(node_epoch_room(node, m->id));
    QK_TRY(compare(m, part, &share, rec));
    QK_TRY(mpc_mac_share_check(&share, rec));
    return node_epoch_commit_mac(node, &share, rec, EPOCH_MS);
}

qk_err node_mac_import(struct node_op *op, struct node_sym_made *made, uint16_t *culprit)
{
    struct import m = {.op = op, .culprit = culprit};
    struct mpc_mac_record rec;
    MPC_MAC_PART(part);
    *culprit = 0;
    QK_TRY(mpc_mac_part_decode(op->call.parts, &part));
    QK_ENSURE(part.share.self == node_self(op->node), QK_E_MALFORMED);
    QK_TRY(begin(&m));
    if (m.again) QK_TRY(check_same(&m, &part, &m.before));
    qk_err err = find_here(&m, &part, &rec);
    if (err == QK_E_NOT_FOUND) err = take_in(&m, &part, &rec);
    QK_TRY(err);
    QK_TRY(mpc_mac_material_id(&rec, made->material_id));
    return mpc_mac_record_encode(&rec, &made->pkrec);
}
